//! Threads beside nginx's own.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::thread::Builder;

/// Runs a function in a thread of its own, which nobody waits for.
///
/// nginx handles signals in its main thread, so that this one blocks all of them. It has a lower priority than the thread
/// of requests. A worker may exit while it runs: the library stays loaded (see `build.rs`), and the process ends it.
///
/// # Errors
/// The system has no thread left. The function is dropped in the calling thread.
pub(crate) fn spawn(run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    // A thread inherits its signal mask, so that there is no moment in which it does not block signals.
    let before = block_signals();
    let spawned = Builder::new().name("mtls-policy".to_owned()).stack_size(STACK).spawn(|| {
        lower_priority();
        run();
    });
    if let Some(before) = before {
        // SAFETY: a mask that `pthread_sigmask` has filled; no other mask is wanted back.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, ptr::null_mut()) };
    }
    spawned.map(drop)
}

/// Blocks all signals for this thread, and returns what was blocked before.
fn block_signals() -> Option<libc::sigset_t> {
    let mut all = MaybeUninit::uninit();
    let mut before = MaybeUninit::uninit();
    // SAFETY: both are room for a mask. `sigfillset` fills the one, and `pthread_sigmask`, when it succeeds, the other.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        let blocked = libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
        (blocked == 0).then(|| before.assume_init())
    }
}

/// On Linux each thread has its own niceness. A failure changes nothing but the order of work.
fn lower_priority() {
    // SAFETY: it takes and returns numbers; 0 is the calling thread.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICENESS) };
}

/// Low enough to let requests go first, and high enough that a revoked key ends soon on a machine without idle time.
const NICENESS: libc::c_int = 5;

/// Reading a file takes a few kilobytes: its depth is limited.
const STACK: usize = 512 * 1024;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_thread_blocks_all_signals_and_its_parents_mask_stays() {
        let mask = |of: &str| {
            let status = fs::read_to_string(format!("/proc/{of}/status")).unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap();
            u64::from_str_radix(line.trim(), 16).unwrap()
        };
        let before = mask("thread-self");
        let (sender, receiver) = mpsc::channel();
        spawn(move || sender.send(mask("thread-self")).unwrap()).unwrap();
        let blocked = receiver.recv().unwrap();
        assert_eq!(mask("thread-self"), before);
        // Not SIGKILL, SIGSTOP, and the two that the C library keeps for itself.
        let signals =
            [libc::SIGTERM, libc::SIGQUIT, libc::SIGHUP, libc::SIGUSR1, libc::SIGCHLD, libc::SIGALRM];
        for signal in signals {
            assert_ne!(blocked & (1 << (signal - 1)), 0, "{signal}");
        }
    }
}
