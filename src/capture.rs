//! Capture files in: pcap and pcapng, plain or compressed, from files or standard input. The way out is
//! [`mod@write`].
//!
//! Owns [`Captures`], which reads any number of captures as one stream of frames in time order, and the
//! [`Problem`]s it met on the way. Uses [`crate::frame`] and [`crate::time`]; knows nothing of what is in a
//! frame.
//!
//! A damaged capture never costs what came before the damage, and one that cannot be read never costs the
//! others: both are problems of that capture, and reading goes on.
//!
//! What is read: pcap with microseconds and nanoseconds and the "modified" form of old Linux
//! distributions; pcapng; each in both byte orders, and in gzip, zstd or xz, which are known by their
//! content. Limits: a packet has at most 262 144 captured octets, a pcapng block at most 16 MiB. A
//! capture's snapshot length is not held against its packets. pcapng times are rounded down to the
//! nanosecond; a simple packet, which has none, gets the time of the packet before it. Interfaces are
//! numbered through all sections of a pcapng file, and a packet on an interface that was never declared
//! has number `u32::MAX` and an unknown link type.
//!
//! Frames are numbered as Wireshark does it: every packet counts, also one that is skipped because its block
//! makes no sense; blocks that are no packets do not, but for those that Wireshark lists all the same: custom
//! blocks, journal entries and events of system calls.

mod beside;
mod buffer;
mod inflate;
mod interface;
mod merge;
mod pcap;
mod pcapng;
mod problem;
mod reader;
mod record;
mod slot;
mod source;
pub mod write;

use std::fmt;
use std::io::Read;
use std::path::Path;

use merge::{Next, Schedule, Turn};
use slot::Slot;

pub use problem::{Problem, ProblemKind};

use crate::frame::Frame;
use crate::time::Timestamp;

/// Why captures cannot be read at all. What is wrong with a single one is a [`Problem`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// No capture was named.
    #[error("no capture to read; name capture files, or `-` for standard input")]
    NoCaptures,
    /// Standard input was named more than once.
    #[error("`-` was given {0} times, but standard input can be read only once")]
    StandardInputTwice(usize),
    /// More captures than there are numbers for them.
    #[error("{0} captures are too many")]
    TooMany(usize),
}

/// How many captures at most are decompressed each on a thread of its own.
const MOST_BESIDE: usize = 4;

/// How far one capture has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Its path as given, without control characters.
    pub name: &'a str,
    /// Frames handed out, plus at most one that waits for its turn.
    pub frames: u64,
    /// Octets taken from the stored file, compressed ones where it is compressed; runs ahead of the frames by
    /// what is buffered.
    pub octets_read: u64,
    /// Octets in the stored file when it was found; unknown for pipes.
    pub octets_total: Option<u64>,
    /// Packets that the capture says were dropped before they could be written; only pcapng says so, as a rule
    /// at its end.
    pub dropped: u64,
}

/// Any number of captures as one stream of frames in time order.
///
/// Several captures are merged by time; those of the same time come in the order in which they were given.
/// Within a capture the order of the file is kept, also where its time goes back. Files are opened when their
/// first packet is due, so a long rotated set costs one buffer.
///
/// ```
/// use keepscope::capture::Captures;
///
/// let empty_pcap = b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00\0\0\0\0\0\0\0\0\xff\xff\0\0\x01\0\0\0";
/// let mut captures = Captures::from_reader("example", &empty_pcap[..]);
/// while let Some(frame) = captures.next_frame() {
///     println!("{} {}", frame.time, frame.data.len());
/// }
/// assert_eq!(captures.problems().count(), 0);
/// ```
pub struct Captures {
    slots: Vec<Slot>,
    schedule: Schedule,
    /// The capture whose packet was handed out last, and up to when it goes on undisturbed.
    current: Option<(usize, Turn)>,
    started: bool,
}

impl Captures {
    /// Captures in files; `-` is standard input.
    ///
    /// A path that cannot be read is a [`Problem`] of that capture and not an error, so that the others are
    /// still read. Nothing is read before the first call of [`Captures::next_frame`].
    ///
    /// # Errors
    /// If there is no path, or standard input twice.
    pub fn open<P: AsRef<Path>>(paths: &[P]) -> Result<Self, CaptureError> {
        let standard = paths.iter().filter(|path| path.as_ref().as_os_str() == "-").count();
        if standard > 1 {
            return Err(CaptureError::StandardInputTwice(standard));
        }
        Self::new(numbered(paths)?.map(|(index, path)| Slot::for_path(index, path.as_ref())).collect())
    }

    /// One capture from a reader. `name` stands for its path in messages.
    pub fn from_reader(name: &str, reader: impl Read + Send + 'static) -> Self {
        Self::with_slots(vec![Slot::for_stream(0, name, Box::new(reader))])
    }

    /// Captures from readers, each with a name that stands for its path in messages.
    ///
    /// # Errors
    /// If there is none.
    pub fn from_readers(readers: Vec<(String, Box<dyn Read + Send>)>) -> Result<Self, CaptureError> {
        let numbers: Vec<u32> = numbered(&readers)?.map(|(index, _)| index).collect();
        let slots = numbers.into_iter().zip(readers);
        Self::new(slots.map(|(index, (name, reader))| Slot::for_stream(index, &name, reader)).collect())
    }

    fn new(slots: Vec<Slot>) -> Result<Self, CaptureError> {
        if slots.is_empty() { Err(CaptureError::NoCaptures) } else { Ok(Self::with_slots(slots)) }
    }

    fn with_slots(slots: Vec<Slot>) -> Self {
        Self { slots, schedule: Schedule::default(), current: None, started: false }
    }

    /// The next frame in time order; `None` when all captures have ended, and ever after.
    ///
    /// The frame's octets are a view into the read buffer. From a pipe, a frame that has arrived as a whole is
    /// handed out without waiting for more.
    #[inline(always)]
    pub fn next_frame(&mut self) -> Option<Frame<'_>> {
        let index = self.pick()?;
        self.slots.get(index)?.frame()
    }

    /// Whether the next frame can be handed out without reading: what has not arrived as a whole is not at hand, nor,
    /// where several captures are read, is the frame behind which another capture may have its turn.
    pub fn has_next_at_hand(&self) -> bool {
        let alone = |(_, bound): &(usize, Turn)| *bound == merge::LAST;
        let slot = self.current.as_ref().filter(|current| alone(current));
        slot.and_then(|(index, _)| self.slots.get(*index)).is_some_and(Slot::has_next_at_hand)
    }

    /// From now on compressed captures are decompressed beside their reading, each on a thread of its own; not where
    /// many are read, which may all be open at once. What is read stays the same.
    ///
    /// Not for input that may pause.
    pub fn decompress_beside(&mut self) {
        let few = self.slots.len() <= MOST_BESIDE;
        self.slots.iter_mut().for_each(|slot| slot.beside = few);
    }

    /// What went wrong or was odd so far, capture by capture.
    ///
    /// Some things are known only when a capture has been read to its end.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.slots.iter().flat_map(Slot::problems)
    }

    /// How far each capture has been read, in the order in which they were given.
    pub fn progress(&self) -> impl ExactSizeIterator<Item = Progress<'_>> {
        self.slots.iter().map(|slot| Progress {
            name: slot.name(),
            frames: slot.frames(),
            octets_read: slot.raw_count(),
            octets_total: slot.size(),
            dropped: slot.dropped(),
        })
    }

    /// The capture whose packet is next.
    #[inline(always)]
    fn pick(&mut self) -> Option<usize> {
        if let Some((index, bound)) = self.current
            && let Some(time) = self.slots.get_mut(index).and_then(Slot::advance)
        {
            if (time, index) <= bound {
                return Some(index);
            }
            self.schedule.push((time, index));
        }
        self.pick_from_schedule()
    }

    #[cold]
    fn pick_from_schedule(&mut self) -> Option<usize> {
        self.current = None;
        if !self.started {
            self.started = true;
            self.schedule = self.make_schedule();
        }
        loop {
            match self.schedule.next() {
                Next::Open(index) => {
                    let Some(slot) = self.slots.get_mut(index) else { continue };
                    slot.open();
                    if let Some(time) = slot.advance() {
                        self.schedule.push((time, index));
                    }
                }
                Next::Take(index) => {
                    self.current = Some((index, self.schedule.bound()));
                    return Some(index);
                }
                Next::Nothing => return None,
            }
        }
    }

    /// Finds out when each capture begins. Those without packets, and those that can be read only once, are
    /// due at once; so is a single one, which need not be looked into first.
    fn make_schedule(&self) -> Schedule {
        let readable = self.slots.iter().enumerate().filter(|(_, slot)| slot.is_readable());
        let several = readable.clone().nth(1).is_some();
        let first = |slot: &Slot| if several { slot.first_time() } else { None };
        let at_once = Timestamp::from_nanos(i64::MIN);
        Schedule::new(readable.map(|(index, slot)| (first(slot).unwrap_or(at_once), index)).collect())
    }
}

impl fmt::Debug for Captures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.progress()).finish()
    }
}

/// Pairs things with their index as frames carry it.
fn numbered<T>(things: &[T]) -> Result<impl Iterator<Item = (u32, &T)>, CaptureError> {
    if u32::try_from(things.len()).is_err() {
        return Err(CaptureError::TooMany(things.len()));
    }
    Ok((0..).zip(things))
}
