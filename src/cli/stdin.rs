//! Standard input that Ctrl-C can end: what was read so far is then reported.
//!
//! In `tcpdump -w - | keepscope analyze -` the signal reaches both; tcpdump then writes what it still has and
//! closes the pipe. So input that keeps coming is still read, and only silence ends it.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How long to wait for more once interrupted.
const GRACE: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// How often to look whether we were interrupted: a signal between the look and the wait is not lost.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 250_000_000 };

/// Standard input, which ends one second of silence after an interrupt.
pub(super) struct Stdin {
    interrupted: Arc<AtomicBool>,
}

impl Stdin {
    pub(super) fn new(interrupted: Arc<AtomicBool>) -> Self {
        Self { interrupted }
    }

    /// Waits until there is something to read; false if interrupted and nothing came.
    fn wait(&self) -> io::Result<bool> {
        let stdin = io::stdin();
        loop {
            let stopping = self.interrupted.load(Ordering::Relaxed);
            let limit = if stopping { &GRACE } else { &LOOK };
            let mut wanted = [PollFd::new(&stdin, PollFlags::IN)];
            match poll(&mut wanted, Some(limit)) {
                Ok(0) if stopping => return Ok(false),
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return Ok(true),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Read for Stdin {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.wait()? { io::stdin().lock().read(buffer) } else { Ok(0) }
    }
}
