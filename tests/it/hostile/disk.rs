//! Disks that are full or read-only, and links where files should be.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use lmp_test_support::answers::{Backend, signing_server};
use lmp_test_support::board::{Board, FILES, JOURNAL, run};
use lmp_test_support::scripted::{Answer, Request, ScriptedServer};
use lmp_test_support::tools::{SmallDisk, fill, under};

/// A board whose registration is on a disk of its own with these mount options.
fn board_on(options: &str) -> (SmallDisk, Board) {
    let disk = SmallDisk::new(options);
    let board = Board::new().with_sota(disk.root());
    (disk, board)
}

#[test]
fn a_disk_that_is_full_from_the_beginning() {
    let (_disk, board) = board_on("size=400k");
    fill(&board.file("filler"));
    let server = signing_server();
    let run = board.register(&server.url(), [""; 0]);
    run.expect(73).says(&["error: ", "hint: free some space"]);
    assert_eq!(board.names(), ["filler"]);
    assert!(
        server.requests().is_empty(),
        "no device is made that cannot be kept"
    );

    fs::remove_file(board.file("filler")).unwrap();
    board.register(&server.url(), [""; 0]).expect(0);
}

#[test]
fn a_disk_without_inodes() {
    let (_disk, board) = board_on("size=4m,nr_inodes=12");
    let server = signing_server();
    board
        .register(&server.url(), [""; 0])
        .expect(73)
        .says(&["inodes", "hint: free some space"]);
    assert!(board.names().is_empty());
    assert!(server.requests().is_empty());
}

/// The disk fills up while the backend signs: nothing half-written is taken for a registration,
/// and the next run gets the same device.
#[test]
fn a_disk_that_fills_up_on_the_way() {
    let (_disk, board) = board_on("size=600k");
    let backend = Backend::new();
    let filler = board.file("filler");
    let server = ScriptedServer::new(move |request| {
        if request.number == 0 {
            fill(&filler);
        }
        backend.signed(request)
    });
    let run = board.register(&server.url(), [""; 0]);
    let run = run
        .expect(73)
        .says(&["No space left", "hint: free some space"]);
    assert_eq!(run.stdout, "");
    assert_eq!(board.names(), [JOURNAL, "filler"]);

    // A disk that is still full changes nothing about that.
    board.register(&server.url(), [""; 0]).expect(73);
    assert_eq!(board.names(), [JOURNAL, "filler"]);

    fs::remove_file(board.file("filler")).unwrap();
    board.register(&server.url(), [""; 0]).expect(0);
    assert_eq!(board.names(), FILES);
    for (name, (_, content)) in board.snapshot() {
        assert!(!content.is_empty(), "{name}");
    }
    let bodies: Vec<_> = server.requests().iter().map(Request::json).collect();
    assert!(bodies.iter().all(|body| *body == bodies[0]));
}

#[test]
fn a_disk_that_is_read_only() {
    let (_disk, board) = board_on("size=4m,ro");
    let server = signing_server();
    let run = board.register(&server.url(), [""; 0]);
    run.expect(73).says(&["error: ", "hint: remount"]);
    assert!(board.names().is_empty());
    assert!(server.requests().is_empty());
}

/// Root's power to write anywhere is taken away first.
#[test]
fn a_directory_without_permission() {
    use std::os::unix::fs::PermissionsExt as _;
    let board = Board::new();
    fs::set_permissions(board.sota(), fs::Permissions::from_mode(0o555)).unwrap();
    let server = signing_server();
    let inner = board.command(&server.url());
    let drop = [
        "--bounding-set=-dac_override,-dac_read_search",
        "--inh-caps=-dac_override,-dac_read_search",
    ];
    run(under("/usr/bin/setpriv", drop, &inner))
        .expect(73)
        .says(&["Permission denied", "hint: run this as root"]);
    assert!(board.names().is_empty());
    assert!(server.requests().is_empty());
}

#[test]
fn no_directory() {
    let board = Board::new();
    let board = {
        let missing = board.path("missing");
        board.with_sota(missing)
    };
    let run = board.register("http://127.0.0.1:1/", [""; 0]);
    run.expect(73)
        .says(&["missing", "hint: create it: mkdir -p"]);
    assert!(!board.sota().exists());

    fs::write(board.sota(), "a file").unwrap();
    board
        .register("http://127.0.0.1:1/", [""; 0])
        .expect(73)
        .says(&["Not a directory"]);
    assert_eq!(fs::read_to_string(board.sota()).unwrap(), "a file");
}

/// Names under which the agent or its predecessor writes, each a link to somebody's file.
const LINKS: [&str; 9] = [
    "pkey.pem",
    "pkey.pem.tmp",
    "client.pem.tmp",
    "root.crt",
    "root.crt.tmp",
    "client.chained",
    "client.chained.tmp",
    "sota.toml",
    "sota.toml.tmp",
];

/// A board with those links, and their target.
fn board_with_links() -> (Board, PathBuf) {
    let board = Board::new();
    let target = board.path("precious");
    fs::write(&target, "mine").unwrap();
    for name in LINKS {
        symlink(&target, board.file(name)).unwrap();
    }
    (board, target)
}

#[test]
fn links_are_replaced_and_their_targets_left_alone() {
    let (board, target) = board_with_links();
    board.register(&signing_server().url(), [""; 0]).expect(0);
    assert_eq!(fs::read_to_string(&target).unwrap(), "mine");
    for name in FILES {
        let facts = fs::symlink_metadata(board.file(name)).unwrap();
        assert!(facts.is_file(), "{name} is no file of its own");
    }
    assert_eq!(board.mode("pkey.pem"), 0o600);
}

/// The same inside a journal that an interrupted run left.
#[test]
fn links_where_files_will_be() {
    let (backend, board) = (Backend::new(), Board::new());
    let server = ScriptedServer::new(move |request| match request.number {
        0 => Answer::whole(503, b"later"),
        _ => backend.signed(request),
    });
    board.register(&server.url(), [""; 0]).expect(75);
    let target = board.path("precious");
    fs::write(&target, "mine").unwrap();
    for name in FILES {
        symlink(&target, board.file(&format!("{name}.tmp"))).unwrap();
        // A link at client.pem is a registration.
        if name != "client.pem" {
            symlink(&target, board.file(name)).unwrap();
        }
    }
    board.register(&server.url(), [""; 0]).expect(0);
    assert_eq!(fs::read_to_string(&target).unwrap(), "mine");
    for (name, (mode, _)) in board.snapshot() {
        assert_eq!(mode & 0o170_000, 0o100_000, "{name} is no file of its own");
    }
}

/// A link at `client.pem` is a registration, even if it leads nowhere.
#[test]
fn a_link_at_client_pem() {
    for target in ["precious", "nowhere"] {
        let board = Board::new();
        let target = board.path(target);
        if target.ends_with("precious") {
            fs::write(&target, "mine").unwrap();
        }
        symlink(&target, board.file("client.pem")).unwrap();
        let server = signing_server();
        board.register(&server.url(), [""; 0]).expect(10);
        board.register(&server.url(), ["--force"]).expect(0);
        assert!(
            fs::symlink_metadata(board.file("client.pem"))
                .unwrap()
                .is_file()
        );
        let left = fs::read_to_string(&target).ok();
        assert_eq!(
            left.as_deref(),
            target.ends_with("precious").then_some("mine")
        );
    }
}

/// Somebody else's directory in the journal's place is not written into.
#[test]
fn a_link_at_the_journal() {
    let board = Board::new();
    let target = board.path("elsewhere");
    fs::create_dir(&target).unwrap();
    symlink(&target, board.file(JOURNAL)).unwrap();
    let server = signing_server();
    board
        .register(&server.url(), [""; 0])
        .expect(78)
        .says(&[JOURNAL, "unregister"]);
    assert_eq!(fs::read_dir(&target).unwrap().count(), 0);
    assert_eq!(board.names(), [JOURNAL]);
    assert!(server.requests().is_empty());
}

/// While the backend is asked, the key is in the journal alone, and nobody else may read it.
#[test]
fn the_key_is_private_from_the_first_moment() {
    use std::os::unix::fs::PermissionsExt as _;
    let (backend, board) = (Backend::new(), Board::new());
    let journal = board.file(JOURNAL);
    let modes = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&modes);
    let server = ScriptedServer::new(move |request| {
        let mode = fs::metadata(&journal).unwrap().permissions().mode() & 0o7777;
        let has_key = fs::read_to_string(&journal)
            .unwrap()
            .contains("BEGIN EC PRIVATE KEY");
        *seen.lock().unwrap() = Some((mode, has_key));
        backend.signed(request)
    });
    board.register(&server.url(), [""; 0]).expect(0);
    assert_eq!(*modes.lock().unwrap(), Some((0o600, true)));
}
