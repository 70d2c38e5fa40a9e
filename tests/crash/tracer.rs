//! Runs a program under ptrace and stops it at each of its system calls, all threads counted
//! together, to kill it there or to make the call fail.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// A system call at its entry.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) number: libc::c_long,
    pub(crate) arguments: [u64; 6],
    thread: Pid,
}

impl Call {
    /// Its name, for people.
    pub(crate) fn name(&self) -> String {
        let known = NAMES.iter().find(|(number, _)| *number == self.number);
        known.map_or_else(
            || format!("system call {}", self.number),
            |(_, name)| (*name).to_owned(),
        )
    }

    /// The memory of the process, as far as it is there.
    pub(crate) fn memory(&self, address: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let memory = File::open(format!("/proc/{}/mem", self.thread)).unwrap();
        let read = memory.read_at(&mut bytes, address).unwrap_or(0);
        bytes.truncate(read);
        bytes
    }

    /// The path behind the first argument, if that is a descriptor of a file.
    pub(crate) fn descriptor(&self) -> Option<String> {
        let link = format!("/proc/{}/fd/{}", self.thread, self.arguments[0]);
        let path = std::fs::read_link(link).ok()?;
        Some(path.to_string_lossy().into_owned())
    }

    /// The text that an argument points to.
    pub(crate) fn text(&self, argument: usize) -> String {
        let bytes = self.memory(self.arguments[argument], 512);
        let end = bytes.iter().position(|byte| *byte == 0);
        String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())]).into_owned()
    }
}

/// What happens at a system call.
pub(crate) enum Verdict {
    /// It is carried out.
    Pass,
    /// The process is killed instead.
    Kill,
    /// It fails instead.
    Fail(Errno),
}

/// Decides about system calls and hears of their results.
pub(crate) trait Watch {
    fn entry(&mut self, call: &Call) -> Verdict;
    fn exit(&mut self, _call: &Call, _result: i64) {}
}

/// How the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Exited(i32),
    Killed(Signal),
}

/// What a thread is doing.
enum Doing {
    Running,
    Calling(Call, Option<Errno>),
}

/// Runs `command` to its end; it must be a program that stops itself first and then executes the
/// one to look at, see [`stopped`].
#[allow(
    clippy::zombie_processes,
    reason = "waited for by its number, as ptrace asks for it"
)]
pub(crate) fn run(command: &mut Command, watch: &mut dyn Watch) -> Ended {
    let child = command.spawn().expect("sh starts");
    let leader = Pid::from_raw(i32::try_from(child.id()).unwrap());
    waitpid(leader, Some(WaitPidFlag::WUNTRACED)).unwrap();
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_EXITKILL;
    ptrace::seize(leader, options).expect("ptrace is allowed");
    kill(leader, Signal::SIGCONT).unwrap();
    let mut doing: HashMap<Pid, Doing> = HashMap::new();
    let mut executed = false;
    loop {
        // Only what this thread traces: another worker has processes of its own.
        let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        let status = waitpid(Pid::from_raw(-1), Some(flags)).unwrap();
        let (thread, signal) = match status {
            WaitStatus::Exited(pid, code) if pid == leader => return Ended::Exited(code),
            WaitStatus::Signaled(pid, signal, _) if pid == leader => return Ended::Killed(signal),
            WaitStatus::PtraceSyscall(thread) if executed => {
                let before = doing.remove(&thread).unwrap_or(Doing::Running);
                match stop(leader, thread, before, watch) {
                    // Killed under our hands, by us.
                    Err(Errno::ESRCH) => continue,
                    Err(error) => panic!("ptrace: {error}"),
                    Ok(now) => doing.insert(thread, now),
                };
                (thread, None)
            }
            WaitStatus::PtraceEvent(thread, _, event) => {
                if event == libc::PTRACE_EVENT_EXEC {
                    executed = true;
                    // The stop that comes next is the end of this execve.
                    let call = Call {
                        number: libc::SYS_execve,
                        arguments: [0; 6],
                        thread,
                    };
                    doing.insert(thread, Doing::Calling(call, None));
                }
                (thread, None)
            }
            WaitStatus::PtraceSyscall(thread) => (thread, None),
            WaitStatus::Stopped(thread, signal) => (thread, Some(signal)),
            _ => continue,
        };
        match ptrace::syscall(thread, signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => panic!("ptrace: {error}"),
        }
    }
}

fn stop(leader: Pid, thread: Pid, doing: Doing, watch: &mut dyn Watch) -> nix::Result<Doing> {
    let mut registers = ptrace::getregs(thread)?;
    match doing {
        Doing::Calling(call, failure) => {
            if let Some(errno) = failure {
                registers.rax = (-i64::from(errno as i32)).cast_unsigned();
                ptrace::setregs(thread, registers)?;
            }
            watch.exit(&call, registers.rax.cast_signed());
            Ok(Doing::Running)
        }
        Doing::Running => {
            let call = Call {
                number: registers.orig_rax.cast_signed(),
                arguments: [
                    registers.rdi,
                    registers.rsi,
                    registers.rdx,
                    registers.r10,
                    registers.r8,
                    registers.r9,
                ],
                thread,
            };
            let failure = match watch.entry(&call) {
                Verdict::Pass => None,
                Verdict::Kill => {
                    // A fatal signal at the entry: the kernel does not carry the call out.
                    kill(leader, Signal::SIGKILL)?;
                    None
                }
                Verdict::Fail(errno) => {
                    registers.orig_rax = u64::MAX;
                    ptrace::setregs(thread, registers)?;
                    Some(errno)
                }
            };
            Ok(Doing::Calling(call, failure))
        }
    }
}

/// `program` behind a shell that stops itself and then becomes it.
pub(crate) fn stopped(program: &Path) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "kill -STOP $$; exec \"$@\"", "sh"]);
    command.arg(program);
    command
}

macro_rules! names {
    ($($name:ident = $constant:ident),* $(,)?) => {
        [$((libc::$constant, stringify!($name))),*]
    };
}

/// Names of the system calls that are likely here.
#[rustfmt::skip]
const NAMES: [(libc::c_long, &str); 117] = names![
    read = SYS_read, write = SYS_write, open = SYS_open, close = SYS_close, stat = SYS_stat,
    fstat = SYS_fstat, lstat = SYS_lstat, poll = SYS_poll, lseek = SYS_lseek, mmap = SYS_mmap,
    mprotect = SYS_mprotect, munmap = SYS_munmap, brk = SYS_brk, rt_sigaction = SYS_rt_sigaction,
    rt_sigprocmask = SYS_rt_sigprocmask, ioctl = SYS_ioctl, pread64 = SYS_pread64,
    pwrite64 = SYS_pwrite64, readv = SYS_readv, writev = SYS_writev, access = SYS_access,
    pipe = SYS_pipe, socket = SYS_socket, connect = SYS_connect, sendto = SYS_sendto,
    recvfrom = SYS_recvfrom, sendmsg = SYS_sendmsg, recvmsg = SYS_recvmsg,
    shutdown = SYS_shutdown, bind = SYS_bind, getsockname = SYS_getsockname,
    getpeername = SYS_getpeername, socketpair = SYS_socketpair, setsockopt = SYS_setsockopt,
    getsockopt = SYS_getsockopt, clone = SYS_clone, fork = SYS_fork, vfork = SYS_vfork,
    execve = SYS_execve, exit = SYS_exit, wait4 = SYS_wait4, kill = SYS_kill, uname = SYS_uname,
    fcntl = SYS_fcntl, flock = SYS_flock, fsync = SYS_fsync, fdatasync = SYS_fdatasync,
    truncate = SYS_truncate, ftruncate = SYS_ftruncate, getdents = SYS_getdents,
    getcwd = SYS_getcwd, rename = SYS_rename, mkdir = SYS_mkdir, rmdir = SYS_rmdir,
    creat = SYS_creat, link = SYS_link, unlink = SYS_unlink, symlink = SYS_symlink,
    readlink = SYS_readlink, chmod = SYS_chmod, fchmod = SYS_fchmod, chown = SYS_chown,
    fchown = SYS_fchown, umask = SYS_umask, prctl = SYS_prctl, arch_prctl = SYS_arch_prctl,
    mlockall = SYS_mlockall, sync = SYS_sync, gettid = SYS_gettid, futex = SYS_futex,
    sched_getaffinity = SYS_sched_getaffinity, getdents64 = SYS_getdents64,
    set_tid_address = SYS_set_tid_address, epoll_wait = SYS_epoll_wait, epoll_ctl = SYS_epoll_ctl,
    exit_group = SYS_exit_group, openat = SYS_openat, mkdirat = SYS_mkdirat,
    newfstatat = SYS_newfstatat, unlinkat = SYS_unlinkat, renameat = SYS_renameat,
    renameat2 = SYS_renameat2, linkat = SYS_linkat, symlinkat = SYS_symlinkat,
    readlinkat = SYS_readlinkat, fchmodat = SYS_fchmodat, faccessat = SYS_faccessat,
    faccessat2 = SYS_faccessat2, sigaltstack = SYS_sigaltstack,
    set_robust_list = SYS_set_robust_list, epoll_pwait = SYS_epoll_pwait, eventfd2 = SYS_eventfd2,
    epoll_create1 = SYS_epoll_create1, dup = SYS_dup, dup2 = SYS_dup2, dup3 = SYS_dup3,
    pipe2 = SYS_pipe2, prlimit64 = SYS_prlimit64, sendmmsg = SYS_sendmmsg,
    getrandom = SYS_getrandom, statx = SYS_statx, rseq = SYS_rseq, clone3 = SYS_clone3,
    fallocate = SYS_fallocate, statfs = SYS_statfs, fstatfs = SYS_fstatfs, madvise = SYS_madvise,
    mremap = SYS_mremap, close_range = SYS_close_range, clock_nanosleep = SYS_clock_nanosleep,
    nanosleep = SYS_nanosleep, restart_syscall = SYS_restart_syscall, waitid = SYS_waitid,
    pidfd_open = SYS_pidfd_open, sched_yield = SYS_sched_yield, getpid = SYS_getpid,
    tgkill = SYS_tgkill,
];
