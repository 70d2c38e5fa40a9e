//! What a run did to the directory of the registration, and what a power cut may leave of it.
//!
//! The model is the weakest that a journalling file system gives: content is there when its file
//! was flushed, a change of a directory when that directory was; everything else may be there or
//! not, one by one. A rename is one change.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use nix::libc;

use crate::kill::opens_sota;
use crate::tracer::{Call, Verdict, Watch};

/// A directory by its name below the one of the registration; that one is "".
type Dir = String;
type FileId = usize;

/// One thing that a run did.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Create(Dir, String, FileId),
    Write(FileId, Vec<u8>),
    Mode(FileId, u32),
    Flush(FileId),
    FlushDirectory(Dir),
    Rename((Dir, String), (Dir, String)),
    Remove(Dir, String),
    MakeDirectory(String),
    RemoveDirectory(String),
    /// The request, a POST, is on its way: the backend may sign from here on.
    Send,
    /// The answer is here: the backend has signed.
    Receive,
}

/// What a descriptor stands for.
#[derive(Debug, Clone)]
enum Open {
    Directory(Dir),
    File(FileId),
    Socket,
}

/// Writes down what a run does.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    pub(crate) steps: Vec<Step>,
    /// The folder of the tokens, if the key is on one.
    tokens: Option<PathBuf>,
    /// What was on the tokens at each step.
    pub(crate) token_states: Vec<Tree>,
    open: HashMap<u64, Open>,
    files: FileId,
}

impl Recorder {
    pub(crate) fn new(tokens: Option<PathBuf>) -> Self {
        Self {
            tokens,
            ..Self::default()
        }
    }

    fn push(&mut self, step: Step) {
        self.steps.push(step);
        if let Some(tokens) = &self.tokens {
            self.token_states.push(Tree::read(tokens));
        }
    }

    fn directory(&self, descriptor: u64) -> Option<Dir> {
        // AT_FDCWD and foreign directories are not in the table.
        match self.open.get(&descriptor)? {
            Open::Directory(name) => Some(name.clone()),
            Open::File(_) | Open::Socket => None,
        }
    }

    fn file(&self, descriptor: u64) -> Option<FileId> {
        match self.open.get(&descriptor)? {
            Open::File(id) => Some(*id),
            Open::Directory(_) | Open::Socket => None,
        }
    }

    fn opened(&mut self, call: &Call, descriptor: u64) {
        if opens_sota(call) {
            self.open.insert(descriptor, Open::Directory(String::new()));
            return;
        }
        if call.number != libc::SYS_openat {
            return;
        }
        let Some(parent) = self.directory(call.arguments[0]) else {
            return;
        };
        let (name, flags) = (call.text(1), call.arguments[2]);
        let has = |flag: i32| flags & u64::from(flag.cast_unsigned()) != 0;
        if has(libc::O_DIRECTORY) {
            let name = if name == "." { parent } else { name };
            self.open.insert(descriptor, Open::Directory(name));
        } else if has(libc::O_CREAT) {
            assert!(has(libc::O_EXCL), "{name} is written in place");
            let id = self.files;
            self.files += 1;
            self.open.insert(descriptor, Open::File(id));
            self.push(Step::Create(parent, name, id));
        }
    }

    fn wrote(&mut self, call: &Call, written: usize) {
        let [descriptor, address, count, ..] = call.arguments;
        match self.open.get(&descriptor) {
            Some(Open::File(id)) => {
                let bytes = call.memory(address, usize::try_from(count).unwrap());
                assert_eq!(bytes.len(), written, "a write was cut short");
                self.push(Step::Write(*id, bytes));
            }
            // With a token, the backend is asked before whether it is there.
            Some(Open::Socket) if sent(call).starts_with(b"POST ") => self.push(Step::Send),
            Some(Open::Socket | Open::Directory(_)) | None => {}
        }
    }

    fn renamed(&mut self, call: &Call) {
        let from = self
            .directory(call.arguments[0])
            .expect("a known directory");
        let to = self
            .directory(call.arguments[2])
            .expect("a known directory");
        let step = Step::Rename((from, call.text(1)), (to, call.text(3)));
        self.push(step);
    }
}

/// The first bytes that a call sends.
fn sent(call: &Call) -> Vec<u8> {
    let buffer = match call.number {
        libc::SYS_writev => {
            let vector = call.memory(call.arguments[1], size_of::<u64>());
            u64::from_ne_bytes(vector.try_into().unwrap())
        }
        libc::SYS_sendmsg => panic!("{} is not in the model", call.name()),
        _ => call.arguments[1],
    };
    call.memory(buffer, 8)
}

impl Watch for Recorder {
    fn entry(&mut self, _: &Call) -> Verdict {
        Verdict::Pass
    }

    fn exit(&mut self, call: &Call, result: i64) {
        let Ok(result) = u64::try_from(result) else {
            // Sockets connect in the background.
            if call.number == libc::SYS_connect && self.directory(3).is_some() {
                self.open.insert(call.arguments[0], Open::Socket);
            }
            return;
        };
        let [first, second, third, ..] = call.arguments;
        match call.number {
            libc::SYS_open | libc::SYS_openat => self.opened(call, result),
            libc::SYS_close => {
                self.open.remove(&first);
            }
            libc::SYS_connect => {
                self.open.insert(first, Open::Socket);
            }
            libc::SYS_write | libc::SYS_writev | libc::SYS_sendto | libc::SYS_sendmsg => {
                self.wrote(call, usize::try_from(result).unwrap());
            }
            libc::SYS_recvfrom | libc::SYS_read
                if result > 0
                    && matches!(self.open.get(&first), Some(Open::Socket))
                    && self.steps.iter().any(|step| matches!(step, Step::Send)) =>
            {
                self.push(Step::Receive);
            }
            libc::SYS_fsync | libc::SYS_fdatasync => {
                if let Some(id) = self.file(first) {
                    self.push(Step::Flush(id));
                } else if let Some(name) = self.directory(first) {
                    self.push(Step::FlushDirectory(name));
                }
            }
            libc::SYS_fchmod => {
                if let Some(id) = self.file(first) {
                    self.push(Step::Mode(id, u32::try_from(second).unwrap()));
                }
            }
            libc::SYS_renameat | libc::SYS_renameat2 => self.renamed(call),
            libc::SYS_mkdirat => self.push(Step::MakeDirectory(call.text(1))),
            libc::SYS_unlinkat => {
                let parent = self.directory(first).expect("a known directory");
                let directory = third & u64::from(libc::AT_REMOVEDIR.cast_unsigned()) != 0;
                self.push(if directory {
                    Step::RemoveDirectory(call.text(1))
                } else {
                    Step::Remove(parent, call.text(1))
                });
            }
            libc::SYS_ftruncate | libc::SYS_pwrite64 if self.file(first).is_some() => {
                panic!("{} is not in the model", call.name());
            }
            libc::SYS_linkat | libc::SYS_symlinkat => {
                panic!("{} is not in the model", call.name());
            }
            _ => {}
        }
    }
}

/// A file or directory as a disk holds it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Node {
    File(Vec<u8>, u32),
    Directory,
}

/// A directory tree by path, parents first.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Tree(BTreeMap<String, Node>);

impl Tree {
    /// What is in `root` and below.
    pub(crate) fn read(root: &Path) -> Self {
        let mut tree = Self::default();
        tree.add(root, "");
        tree
    }

    fn add(&mut self, dir: &Path, name: &str) {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let facts = entry.metadata().unwrap();
            let name = path(name, &entry.file_name().into_string().unwrap());
            if facts.is_dir() {
                self.0.insert(name.clone(), Node::Directory);
                self.add(&entry.path(), &name);
            } else {
                let mode = facts.permissions().mode() & 0o7777;
                let content = fs::read(entry.path()).unwrap();
                self.0.insert(name, Node::File(content, mode));
            }
        }
    }

    /// Makes `root` hold exactly this.
    pub(crate) fn write(&self, root: &Path) {
        for (path, node) in &self.0 {
            let path = root.join(path);
            let mode = match node {
                Node::Directory => {
                    fs::create_dir(&path).unwrap();
                    0o700
                }
                Node::File(content, mode) => {
                    fs::write(&path, content).unwrap();
                    *mode
                }
            };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }
}

fn path(dir: &str, name: &str) -> String {
    if dir.is_empty() {
        name.to_owned()
    } else {
        format!("{dir}/{name}")
    }
}

/// The changes of directories among `steps` that no flush has made durable, by index.
pub(crate) fn pending(steps: &[Step]) -> Vec<usize> {
    let is_pending = |index: &usize| match &steps[*index] {
        Step::Create(dir, ..) | Step::Remove(dir, _) | Step::Rename(_, (dir, _)) => {
            !is_durable(&steps[*index..], dir)
        }
        Step::MakeDirectory(_) | Step::RemoveDirectory(_) => !is_durable(&steps[*index..], ""),
        _ => false,
    };
    (0..steps.len()).filter(is_pending).collect()
}

/// Whether a change of `dir` is flushed `later`, or its directory durably gone.
fn is_durable(later: &[Step], dir: &str) -> bool {
    later.iter().enumerate().any(|(index, step)| match step {
        Step::FlushDirectory(name) => name == dir,
        Step::RemoveDirectory(name) => name == dir && is_durable(&later[index..], ""),
        _ => false,
    })
}

/// What a cut leaves of the bytes that were written to a file since it was flushed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unflushed {
    There,
    Gone,
    /// The first half of them.
    Torn,
    /// Room for them, as a file system makes it before it writes.
    Zeroes,
}

impl Unflushed {
    pub(crate) const ALL: [Self; 4] = [Self::There, Self::Gone, Self::Torn, Self::Zeroes];

    fn of(self, written: Vec<u8>, durable: &[u8]) -> Vec<u8> {
        let rest = written.len() - durable.len();
        match self {
            Self::There => written,
            Self::Gone => durable.to_vec(),
            Self::Torn => written[..durable.len() + rest / 2].to_vec(),
            Self::Zeroes => [durable, &vec![0; rest]].concat(),
        }
    }
}

/// The disk after `steps` without the changes in `lost`, which are pending.
pub(crate) fn after(before: &Tree, steps: &[Step], lost: &[usize], unflushed: Unflushed) -> Tree {
    let mut contents: HashMap<FileId, (Vec<u8>, Vec<u8>, u32)> = HashMap::new();
    // What is where: an old file by value, a new one by number.
    let mut tree = before.clone();
    let mut new: BTreeMap<String, FileId> = BTreeMap::new();
    for (index, step) in steps.iter().enumerate() {
        let kept = !lost.contains(&index);
        match step {
            Step::Write(id, bytes) => contents.entry(*id).or_default().0.extend(bytes),
            Step::Flush(id) => {
                let (written, durable, _) = contents.entry(*id).or_default();
                durable.clone_from(written);
            }
            Step::Mode(id, mode) => contents.entry(*id).or_default().2 = *mode,
            Step::Create(dir, name, id) if kept && (dir.is_empty() || tree.has(dir)) => {
                new.insert(path(dir, name), *id);
            }
            Step::Rename((from, name), (to, other)) if kept => {
                let (from, to) = (path(from, name), path(to, other));
                if let Some(id) = new.remove(&from) {
                    tree.0.remove(&to);
                    new.insert(to, id);
                } else if let Some(node) = tree.0.remove(&from) {
                    new.remove(&to);
                    tree.0.insert(to, node);
                }
            }
            Step::Remove(dir, name) if kept => {
                let path = path(dir, name);
                new.remove(&path);
                tree.0.remove(&path);
            }
            Step::MakeDirectory(name) if kept => {
                tree.0.insert(name.clone(), Node::Directory);
            }
            Step::RemoveDirectory(name) if kept => {
                // Not before it is empty: otherwise this change cannot be on the disk yet.
                let inside = format!("{name}/");
                let full = new
                    .keys()
                    .chain(tree.0.keys())
                    .any(|path| path.starts_with(&inside));
                if !full {
                    tree.0.remove(name);
                }
            }
            _ => {}
        }
    }
    for (path, id) in new {
        let (written, durable, mode) = contents.remove(&id).unwrap_or_default();
        let content = unflushed.of(written, &durable);
        tree.0.insert(path, Node::File(content, mode));
    }
    tree
}
