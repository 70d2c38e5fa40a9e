//! The examples do what they say: the backend signs boards, the flashing script acts on exit codes, and
//! the image's files are read.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};

use lmp_test_support::board::{Board, FILES, run};
use lmp_test_support::factory::Factory;
use lmp_test_support::tools::openssl;
use lmp_test_support::{agent, repository};
use tempfile::TempDir;

const TOKEN: &str = "s3cret-t0ken-0f-the-examples";

/// `examples/backend.py`, until it is dropped.
struct Backend {
    process: Child,
    url: String,
    folder: TempDir,
}

impl Backend {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Command::new(repository("examples/backend.py"))
            .args([folder.path().join("ca").to_str().unwrap(), "acme", TOKEN])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("DEVICE_API=").unwrap().to_owned();
        fs::write(folder.path().join("token"), TOKEN).unwrap();
        Self {
            process,
            url,
            folder,
        }
    }

    fn command(&self, board: &Board) -> Command {
        let mut command = board.local_command();
        command.env("DEVICE_API", &self.url);
        command
            .arg("--api-token-file")
            .arg(self.folder.path().join("token"));
        command.args(["--start-daemon", "0", "--retry-for", "0", "--json"]);
        command
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn the_backend_signs_boards() {
    let (backend, board) = (Backend::start(), Board::new());
    let mut command = backend.command(&board);
    command.args([
        "--production",
        "--name",
        "a \"b\" \\ c",
        "--apps",
        "one,two",
    ]);
    let json = run(command).expect(0).json();
    assert_eq!(board.names(), FILES);
    let client = board.file("client.pem");
    let subject = openssl(&format!("x509 -in {} -noout -subject", client.display()));
    assert!(
        subject.contains(json["uuid"].as_str().unwrap()),
        "{subject}"
    );
    assert!(
        board
            .text("sota.toml")
            .contains("compose_apps = \"one,two\"")
    );
    board.check(["--offline"]).expect(0);
}

#[test]
#[cfg(feature = "pkcs11")]
fn the_backend_signs_boards_with_a_token() {
    use lmp_test_support::token::{PIN, SO_PIN, SOFTHSM, SoftHsm};
    let (backend, board, hsm) = (Backend::start(), Board::new(), SoftHsm::blank());
    let mut command = backend.command(&board);
    hsm.show_to(&mut command);
    command.args(["-m", SOFTHSM, "-P", PIN, "-S", SO_PIN]);
    run(command).expect(0);
    assert!(board.text("sota.toml").contains("pkey_source = \"pkcs11\""));
}

#[test]
fn the_backend_refuses_others() {
    let backend = Backend::start();
    let board = Board::new();
    let mut command = backend.command(&board);
    command.args(["--factory", "other"]);
    run(command).expect(76).says(&["another device or factory"]);
    let mut command = board.command(&backend.url);
    command.args(["--retry-for", "0"]);
    run(command).expect(77);
}

/// Boards of a line: two that register, one that did before, one that never answers.
#[test]
fn the_flashing_script_acts_on_exit_codes() {
    let backend = Backend::start();
    let folder = backend.folder.path();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    // Stands for ssh: each board is a directory, and a command on it runs there.
    let on_board = "#!/bin/sh\ncd \"$1\" 2>/dev/null || exit 255\n\
        echo \"$1\" >>../asked\nexec sh -c \"$(echo \"$2\" | sed 's,/run/api-token,token,g')\"\n";
    fs::write(path("on-board"), on_board).unwrap();
    fs::set_permissions(path("on-board"), fs::Permissions::from_mode(0o755)).unwrap();
    for board in ["one", "two"] {
        fs::create_dir_all(folder.join(board).join("sota")).unwrap();
    }
    let list = format!(
        "{}\n{}\n{}\n\n{0}\n",
        path("one"),
        path("away"),
        path("two")
    );
    fs::write(path("list"), list).unwrap();
    let flash = |options: &str| {
        let programs = agent().parent().unwrap().to_str().unwrap();
        let mut command = Command::new(repository("examples/flash-line.sh"));
        command
            .args([path("list"), path("log")])
            .current_dir(folder);
        command.env(
            "PATH",
            format!("{programs}:{}", std::env::var("PATH").unwrap()),
        );
        command.env("ON_BOARD", path("on-board")).env("PAUSE", "0");
        command
            .env("DEVICE_API", &backend.url)
            .env("TOKEN_FILE", path("token"));
        let options = format!(
            "{options} --config-dir .. --sota-dir sota --hwid x --tags main --start-daemon 0 \
             --update-client-lock lock"
        );
        command.env("OPTIONS", options);
        run(command)
    };
    flash("--factory acme").expect(1).says(&["1 boards failed"]);
    let log = fs::read_to_string(path("log")).unwrap();
    let ends: Vec<Vec<&str>> = log
        .lines()
        .map(|line| line.split(' ').skip(1).collect())
        .collect();
    let codes: Vec<&str> = ends.iter().map(|words| words[0]).collect();
    assert_eq!(codes, ["0", "255", "0", "10"], "{log}");
    assert!(
        ends[0][1].len() == 36 && ends[1][1..] == ["no", "answer"],
        "{log}"
    );
    assert!(
        !folder.join("one/token").exists(),
        "the token stays on no board"
    );

    // A wrong setting of the line: the first board is enough to know.
    fs::remove_file(path("asked")).unwrap();
    fs::write(path("token"), "wr0ng-t0ken").unwrap();
    flash("--factory acme --force 1")
        .expect(1)
        .says(&["stopped at"]);
    assert_eq!(
        fs::read_to_string(path("asked")).unwrap().lines().count(),
        1
    );
}

/// The settings of the example are read, from both files, and the drop-in is one that systemd takes.
#[test]
fn the_image_is_read() {
    let (factory, board) = (Factory::new(), Board::new());
    let mut command = board.bare_command();
    command
        .arg("--config-dir")
        .arg(repository("examples/image/etc/lmp-device-register"));
    command
        .arg("--sota-dir")
        .arg(board.sota())
        .arg("--ca-file")
        .arg(factory.server.ca_file());
    command.args(["--dry-run", "--json"]);
    let json = run(command).expect(0).json();
    for (name, value) in [
        ("hwid", "raspberrypi4-64"),
        ("factory", "acme"),
        ("retry-for", "1500"),
    ] {
        assert_eq!(json["settings"][name]["value"], value);
    }
}
