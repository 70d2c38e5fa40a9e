//! A run whose output is read while it goes on, through pipes or on a terminal.

use std::fs::File;
use std::io::{Read, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::tools::under;

/// Nothing takes so long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(120);
/// A signal ends the program within a second; the rest is for a machine that is busy.
const DEATH: Duration = Duration::from_secs(10);

/// What was shown so far, and how many readers may still add to it.
struct Shown {
    state: Mutex<(String, usize)>,
    changed: Condvar,
}

impl Shown {
    fn read(self: &Arc<Self>, mut source: impl Read + Send + 'static) {
        self.state.lock().unwrap().1 += 1;
        let shown = Arc::clone(self);
        std::thread::spawn(move || {
            let mut rest = Vec::new();
            let mut block = [0; 4096];
            // A terminal whose last user has gone is an error, not an end.
            while let Ok(size @ 1..) = source.read(&mut block) {
                rest.extend_from_slice(&block[..size]);
                let whole = match std::str::from_utf8(&rest) {
                    Ok(_) => rest.len(),
                    Err(error) => error.valid_up_to(),
                };
                let text = String::from_utf8(rest.drain(..whole).collect()).unwrap();
                shown.state.lock().unwrap().0.push_str(&text);
                shown.changed.notify_all();
            }
            shown.state.lock().unwrap().1 -= 1;
            shown.changed.notify_all();
        });
    }

    /// Waits until `done` says so; fails when no more can come.
    #[track_caller]
    fn wait(&self, done: impl Fn(&str) -> bool, what: &str) -> String {
        let state = self.state.lock().unwrap();
        let more = |state: &mut (String, usize)| !done(&state.0) && state.1 > 0;
        let (state, waited) = self
            .changed
            .wait_timeout_while(state, PATIENCE, more)
            .unwrap();
        let (text, _) = &*state;
        assert!(done(text), "no {what:?} ({waited:?}) in:\n{text}");
        text.clone()
    }

    fn all(&self) -> String {
        let state = self.state.lock().unwrap();
        let (state, waited) = self
            .changed
            .wait_timeout_while(state, PATIENCE, |state| state.1 > 0)
            .unwrap();
        assert!(!waited.timed_out(), "output without end:\n{}", state.0);
        state.0.clone()
    }
}

/// The same program with no signal ignored, whatever `nohup` or a shell did to these tests: `env`
/// becomes the program, so the process stays the same.
fn heeding_signals(command: &Command) -> Command {
    under("/usr/bin/env", ["--default-signal"], command)
}

/// A run that goes on.
pub struct Watched {
    pid: Pid,
    shown: Arc<Shown>,
    status: mpsc::Receiver<std::io::Result<ExitStatus>>,
    keyboard: Option<File>,
}

/// How it ended.
#[derive(Debug)]
pub struct Ended {
    /// Exit code; `None` after a signal.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Standard output and standard error, as they came.
    pub output: String,
}

impl Ended {
    #[track_caller]
    /// Fails unless the program ended with this exit code.
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    #[track_caller]
    /// Fails unless all these words were shown.
    pub fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.output.contains(word), "{word:?} is not in {self:?}");
        }
        self
    }
}

impl Watched {
    /// With pipes: nobody is at a terminal.
    pub fn piped(command: Command) -> Self {
        let mut command = heeding_signals(&command);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self::start(command, None)
    }

    /// On a terminal with so many columns; 0 is one that does not know.
    pub fn on_terminal(command: Command, columns: u16) -> Self {
        let size = Winsize {
            ws_row: 24,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        // A child of another test that inherited an end would keep the terminal alive.
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC);
        let master = master.unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = rustix::fs::open(&name, flags, Mode::empty()).unwrap();
        tcsetwinsize(&slave, size).unwrap();
        let mut command = heeding_signals(&command);
        command
            .stdin(slave.try_clone().unwrap())
            .stdout(slave.try_clone().unwrap())
            .stderr(slave);
        Self::start(command, Some(File::from(master)))
    }

    fn start(mut command: Command, terminal: Option<File>) -> Self {
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        // It holds the program's side of the terminal, which would never end.
        drop(command);
        let shown = Arc::new(Shown {
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        if let Some(stdout) = child.stdout.take() {
            shown.read(stdout);
        }
        if let Some(stderr) = child.stderr.take() {
            shown.read(stderr);
        }
        if let Some(terminal) = &terminal {
            shown.read(terminal.try_clone().unwrap());
        }
        let pid = Pid::from_child(&child);
        let (send, status) = mpsc::channel();
        std::thread::spawn(move || drop(send.send(child.wait())));
        Self {
            pid,
            shown,
            status,
            keyboard: terminal,
        }
    }

    /// Waits until `text` was shown, and returns everything that was.
    #[track_caller]
    pub fn wait_for(&self, text: &str) -> String {
        self.shown.wait(|shown| shown.contains(text), text)
    }

    /// Waits for a line that begins with `start`, and returns the rest of it.
    #[track_caller]
    pub fn line(&self, start: &str) -> String {
        let find = |shown: &str| {
            let (_, rest) = shown.split_once(start)?;
            let (line, _) = rest.split_once(['\r', '\n'])?;
            Some(line.trim().to_owned())
        };
        let shown = self.shown.wait(|shown| find(shown).is_some(), start);
        find(&shown).unwrap()
    }

    /// Types a line on the terminal.
    pub fn enter(&mut self, line: &str) {
        self.press(&format!("{line}\n"));
    }

    /// Presses keys on the terminal.
    pub fn press(&mut self, keys: &str) {
        let keyboard = self.keyboard.as_mut().unwrap();
        keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Sends a signal and waits for the death that it must bring.
    #[track_caller]
    pub fn die_of(self, signal: Signal) -> Ended {
        self.die_of_and(signal, || {})
    }

    /// The same for one whose child goes on: `release` ends the child after that death.
    #[track_caller]
    pub fn die_of_and(self, signal: Signal, release: impl FnOnce()) -> Ended {
        kill_process(self.pid, signal).unwrap();
        let ended = self.end_within(DEATH, release);
        assert_eq!(ended.signal, Some(signal.as_raw()), "{ended:?}");
        ended
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(self) -> Ended {
        self.end_within(PATIENCE, || {})
    }

    #[track_caller]
    fn end_within(self, limit: Duration, then: impl FnOnce()) -> Ended {
        let Ok(status) = self.status.recv_timeout(limit) else {
            let _ = kill_process(self.pid, Signal::KILL);
            panic!("still running after {limit:?}:\n{}", self.shown.all());
        };
        then();
        let status = status.unwrap();
        Ended {
            code: status.code(),
            signal: status.signal(),
            output: self.shown.all(),
        }
    }
}
