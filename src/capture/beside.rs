//! Decompression on a thread of its own, beside what is done with the octets.
//!
//! Owns [`Beside`]. Uses [`super::source`]. What is handed out is what would be without the thread, errors in their
//! place included; only for files, as a pipe that pauses would keep the thread.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::source::Input;

/// Octets to a piece.
const PIECE: usize = 256 * 1024;
/// Pieces that may wait to be read.
const WAITING: usize = 4;

/// Decompressed octets, and how many of the stored file were taken for them and all before.
struct Piece {
    octets: Vec<u8>,
    raw_count: u64,
}

/// A stream that is decompressed ahead of its reading.
pub(super) struct Beside {
    pieces: Receiver<io::Result<Piece>>,
    current: Piece,
    at: usize,
}

impl Beside {
    /// Goes on with `input` on another thread, which ends with the input or when nobody reads it any more.
    pub(super) fn start(input: Input) -> io::Result<Self> {
        let current = Piece { octets: Vec::new(), raw_count: input.raw_count() };
        let (sender, pieces) = sync_channel(WAITING);
        thread::Builder::new().name("decompress".to_owned()).spawn(move || hand_over(input, &sender))?;
        Ok(Self { pieces, current, at: 0 })
    }

    pub(super) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut rest = self.current.octets.get(self.at..).unwrap_or_default();
        if rest.is_empty() {
            // A closed channel is the end that was handed over before.
            let Ok(next) = self.pieces.recv() else { return Ok(0) };
            self.current = next?;
            self.at = 0;
            rest = &self.current.octets;
        }
        let count = rest.len().min(into.len());
        if let (Some(into), Some(from)) = (into.get_mut(..count), rest.get(..count)) {
            into.copy_from_slice(from);
        }
        self.at += count;
        Ok(count)
    }

    /// Octets taken from the stored file for what was read.
    pub(super) fn raw_count(&self) -> u64 {
        self.current.raw_count
    }
}

/// Decompresses to the end or the first error.
fn hand_over(mut input: Input, pieces: &SyncSender<io::Result<Piece>>) {
    loop {
        let mut octets = vec![0; PIECE];
        let read = input.read(&mut octets).map(|count| {
            octets.truncate(count);
            Piece { octets, raw_count: input.raw_count() }
        });
        let goes_on = read.as_ref().is_ok_and(|piece| !piece.octets.is_empty());
        if pieces.send(read).is_err() || !goes_on {
            return;
        }
    }
}
