//! A refillable window on the octets of a capture.
//!
//! Owns [`Buffer`]: it knows the offset of every octet, never reads while what is asked for is already there
//! (so a pipe is never waited for without need), and keeps what was read when reading fails. Uses
//! [`super::source`], [`super::inflate`] and [`super::beside`].

use std::io;
use std::ops::Range;

use super::beside::Beside;
use super::inflate::{Gzip, Xz, Zstd};
use super::source::{Input, Raw};

/// The compressions that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Zstd,
    Xz,
}

pub(super) struct Buffer {
    input: Input,
    store: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset in the stream of the first octet in `store`.
    base: u64,
    failure: Option<io::Error>,
    at_end: bool,
}

impl Buffer {
    /// A window of `size` octets at first; it grows when a record needs more.
    pub(super) fn new(raw: Raw, size: usize) -> Self {
        Self {
            input: Input::Plain(raw),
            store: vec![0; size],
            start: 0,
            end: 0,
            base: 0,
            failure: None,
            at_end: false,
        }
    }

    /// Whether `need` octets are there; reads as long as they are not.
    #[inline]
    pub(super) fn have(&mut self, need: usize) -> bool {
        self.end - self.start >= need || self.fill(need)
    }

    /// What is there without reading.
    #[inline]
    pub(super) fn available(&self) -> &[u8] {
        self.window().unwrap_or_default()
    }

    /// The same; there always is something, be it empty, but whoever looks often looks quicker here.
    #[inline(always)]
    pub(super) fn window(&self) -> Option<&[u8]> {
        self.store.get(self.start..self.end)
    }

    /// Passes over `count` octets that are there.
    #[inline]
    pub(super) fn consume(&mut self, count: usize) {
        self.start += count.min(self.end - self.start);
    }

    /// The place of `length` octets that begin `skip` octets from here, for [`Buffer::stored`]. It holds until
    /// the next call of [`Buffer::have`], also after [`Buffer::consume`].
    #[inline]
    pub(super) fn place(&self, skip: usize, length: usize) -> Range<usize> {
        self.start + skip..self.start + skip + length
    }

    /// The octets at a place.
    #[inline]
    pub(super) fn stored(&self, place: Range<usize>) -> Option<&[u8]> {
        self.store.get(place)
    }

    /// Offset in the (decompressed) stream of the next octet.
    #[inline]
    pub(super) fn offset(&self) -> u64 {
        self.base + self.start as u64
    }

    /// Octets taken from the stored file so far.
    pub(super) fn raw_count(&self) -> u64 {
        self.input.raw_count()
    }

    /// Where the end of a file that is not compressed was met, if it was.
    pub(super) fn end_of_plain_file(&self) -> Option<u64> {
        let met = self.at_end && self.failure.is_none() && matches!(self.input, Input::Plain(_));
        met.then(|| self.raw_count())
    }

    /// Whether reading stopped for another reason than that everything was read.
    pub(super) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Why reading stopped, if not because everything was read.
    pub(super) fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// Takes everything from the current octet on as compressed and goes on with what is in it, from offset 0; on
    /// another thread if `beside`.
    pub(super) fn decompress(&mut self, compression: Compression, beside: bool) -> io::Result<()> {
        let head = self.available().to_vec();
        self.input = match std::mem::replace(&mut self.input, Input::Closed) {
            Input::Plain(raw) => match compression {
                Compression::Gzip => Input::Gzip(Box::new(Gzip::new(raw, head))),
                Compression::Zstd => Input::Zstd(Box::new(Zstd::new(raw, head)?)),
                Compression::Xz => Input::Xz(Box::new(Xz::new(raw, head)?)),
            },
            other => other,
        };
        if beside {
            self.input = Input::Beside(Beside::start(std::mem::replace(&mut self.input, Input::Closed))?);
        }
        self.start = 0;
        self.end = 0;
        self.base = 0;
        self.at_end = false;
        Ok(())
    }

    #[cold]
    fn fill(&mut self, need: usize) -> bool {
        while self.end - self.start < need {
            // A reader that returned an error or the end once is not asked again.
            if self.at_end {
                return false;
            }
            self.make_room(need);
            let room = self.store.get_mut(self.end..).unwrap_or_default();
            match self.input.read(room) {
                Ok(0) => self.at_end = true,
                Ok(read) => self.end += read,
                Err(error) => {
                    self.failure = Some(error);
                    self.at_end = true;
                }
            }
        }
        true
    }

    /// Makes sure that `need` octets fit and that the next read is worth its system call.
    fn make_room(&mut self, need: usize) {
        let size = self.store.len();
        if self.start > 0 && (size - self.start < need || size - self.end < size / 2) {
            self.store.copy_within(self.start..self.end, 0);
            self.base += self.start as u64;
            self.end -= self.start;
            self.start = 0;
        }
        if size < need {
            self.store.resize(need.max(size.saturating_mul(2)), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// Hands out its octets in pieces of `step` and then fails.
    struct Failing(Vec<u8>, usize, usize);

    impl Read for Failing {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            if self.1 == self.0.len() {
                return Err(io::Error::other("unplugged"));
            }
            let count = into.len().min(self.2).min(self.0.len() - self.1);
            into[..count].copy_from_slice(&self.0[self.1..self.1 + count]);
            self.1 += count;
            Ok(count)
        }
    }

    #[test]
    fn offsets_hold_across_refills_and_growth() {
        let octets: Vec<u8> = (0..200u8).collect();
        for step in [1, 3, 7, 200] {
            let mut buffer = Buffer::new(Raw::new(Box::new(Failing(octets.clone(), 0, step))), 8);
            let mut seen = Vec::new();
            for need in [5, 8, 30, 2, 100, 55] {
                assert!(buffer.have(need));
                assert_eq!(buffer.offset(), seen.len() as u64);
                let place = buffer.place(1, need - 1);
                seen.extend_from_slice(&buffer.available()[..1]);
                buffer.consume(need);
                seen.extend_from_slice(buffer.stored(place).unwrap());
            }
            assert_eq!(seen, octets);
            assert!(!buffer.have(1));
            assert!(!buffer.have(1));
            assert_eq!(buffer.raw_count(), 200);
            assert_eq!(buffer.take_failure().unwrap().to_string(), "unplugged");
            assert!(buffer.take_failure().is_none());
        }
    }
}
