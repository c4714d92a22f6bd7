//! Waiting for everything at once: packets, connections, signals and a point in time.
//!
//! Owns [`Waiter`]: one epoll, and a timer on CLOCK_BOOTTIME whose deadlines are absolute. The timer is exact to
//! some microseconds, where the time-out of poll may be late by the thread's timer slack, and a deadline that
//! passed during suspend is seen at once.

use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// What may be ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The deadline.
    Timer,
    /// SIGINT, SIGTERM or SIGHUP.
    Signal,
    /// Another thread.
    Waker,
    /// The packet socket of this number.
    Sniffer(u32),
    /// The connection of this number.
    Connection(u32),
}

impl Source {
    fn data(self) -> EventData {
        let (kind, number) = match self {
            Source::Timer => (0_u64, 0),
            Source::Signal => (1, 0),
            Source::Sniffer(number) => (2, number),
            Source::Connection(number) => (3, number),
            Source::Waker => (4, 0),
        };
        EventData::new_u64(kind << 32 | u64::from(number))
    }

    fn of(data: EventData) -> Self {
        let data = data.u64();
        let number = u32::try_from(data & u64::from(u32::MAX)).unwrap_or(0);
        match data >> 32 {
            0 => Source::Timer,
            1 => Source::Signal,
            2 => Source::Sniffer(number),
            4 => Source::Waker,
            _ => Source::Connection(number),
        }
    }
}

/// Events that are taken at once.
const EVENTS: usize = 64;

/// One place to wait.
pub(super) struct Waiter {
    epoll: OwnedFd,
    timer: OwnedFd,
    /// What the timer is set to, in nanoseconds since boot.
    armed: Option<i64>,
    signals: Option<UnixStream>,
    wakers: Option<UnixStream>,
}

impl Waiter {
    pub(super) fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let timer = timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        let waiter = Self { epoll, timer, armed: None, signals: None, wakers: None };
        waiter.add(&waiter.timer, Source::Timer, EventFlags::IN)?;
        Ok(waiter)
    }

    /// Becomes readable when something is ready.
    pub(super) fn readiness(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }

    /// Takes SIGINT, SIGTERM and SIGHUP; a second SIGINT ends the program at once. A hang-up that was ignored when
    /// the program began, as by `nohup`, stays ignored.
    pub(super) fn take_signals(&mut self) -> io::Result<()> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        let once = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register_conditional_shutdown(SIGINT, 130, Arc::clone(&once))?;
        signal_hook::flag::register(SIGINT, once)?;
        let signals = [SIGINT, SIGTERM, SIGHUP];
        for signal in signals.into_iter().filter(|signal| *signal != SIGHUP || !is_ignored(SIGHUP)) {
            signal_hook::low_level::pipe::register(signal, writer.try_clone()?)?;
        }
        self.add(&reader, Source::Signal, EventFlags::IN)?;
        self.signals = Some(reader);
        Ok(())
    }

    /// Whether a signal came since this was last asked.
    pub(super) fn signalled(&mut self) -> bool {
        self.signals.as_mut().is_some_and(drain)
    }

    /// Something by which another thread ends the waiting.
    pub(super) fn waker(&mut self) -> io::Result<Waker> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        writer.set_nonblocking(true)?;
        self.add(&reader, Source::Waker, EventFlags::IN)?;
        self.wakers = Some(reader);
        Ok(Waker(writer))
    }

    /// Whether another thread wanted the waiting to end since this was last asked.
    pub(super) fn woken(&mut self) -> bool {
        self.wakers.as_mut().is_some_and(drain)
    }

    /// Waits on something else too.
    pub(super) fn add(&self, descriptor: impl AsFd, source: Source, wanted: EventFlags) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, descriptor, source.data(), wanted)?)
    }

    /// Waits for something else of it.
    pub(super) fn change(&self, descriptor: impl AsFd, source: Source, wanted: EventFlags) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, descriptor, source.data(), wanted)?)
    }

    /// Waits until something is ready, at most until `deadline` (nanoseconds since boot), or only looks.
    /// Appends what is ready to `ready`, and whether it is an error.
    pub(super) fn wait(
        &mut self,
        deadline: Option<i64>,
        only_look: bool,
        ready: &mut Vec<(Source, bool)>,
    ) -> io::Result<()> {
        if !only_look {
            self.arm(deadline)?;
        }
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut room = [const { MaybeUninit::<Event>::uninit() }; EVENTS];
        let events = match epoll::wait(&self.epoll, &mut room, only_look.then_some(&at_once)) {
            Ok((events, _)) => events,
            // A signal has a descriptor of its own.
            Err(Errno::INTR) => &mut [],
            Err(error) => return Err(error.into()),
        };
        ready.extend(events.iter().map(|event| {
            let failed = { event.flags }.intersects(EventFlags::ERR);
            (Source::of(event.data), failed)
        }));
        Ok(())
    }

    /// Sets the timer. That also takes back that it has expired.
    fn arm(&mut self, deadline: Option<i64>) -> io::Result<()> {
        if self.armed == deadline {
            return Ok(());
        }
        let nothing = Timespec { tv_sec: 0, tv_nsec: 0 };
        // Zero would switch it off.
        let at = deadline.map_or(nothing, |deadline| timespec(deadline.max(1)));
        let value = Itimerspec { it_interval: nothing, it_value: at };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &value)?;
        self.armed = deadline;
        Ok(())
    }
}

/// Whether a signal is ignored: the mask `SigIgn` of proc_pid_status(5) has bit `signal - 1` for it.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    u32::try_from(signal - 1).is_ok_and(|bit| mask.checked_shr(bit).unwrap_or(0) & 1 == 1)
}

/// Takes all octets that are there; says whether there were any.
fn drain(stream: &mut UnixStream) -> bool {
    let mut octets = [0; 16];
    let mut any = false;
    while stream.read(&mut octets).is_ok_and(|read| read > 0) {
        any = true;
    }
    any
}

/// Ends the waiting of another thread.
#[derive(Debug)]
pub struct Waker(UnixStream);

impl Waker {
    /// Wakes it, now or when it next waits.
    pub fn wake(&self) {
        // A full pipe has woken it already, and one that is closed has nobody to wake.
        let _ = (&self.0).write(&[1]);
    }
}

fn timespec(nanos: i64) -> Timespec {
    Timespec { tv_sec: nanos / 1_000_000_000, tv_nsec: nanos % 1_000_000_000 }
}
