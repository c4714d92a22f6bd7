//! One of the captures: its source, its reader while it is being read, and what is known about it.
//!
//! Owns [`Slot`]. Uses [`super::source`], [`super::reader`] and [`super::problem`].

use std::io::Read;
use std::path::Path;

use super::problem::{Log, Place, Problem, ProblemKind};
use super::reader::Reader;
use super::source::Source;
use crate::frame::{Frame, FrameId};
use crate::time::Timestamp;

/// Enough that a system call is lost in the noise, little enough to stay in the cache.
const READ_BUFFER: usize = 256 * 1024;
/// For a look at the first packet.
const PEEK_BUFFER: usize = 16 * 1024;

pub(super) struct Slot {
    index: u32,
    source: Source,
    reader: Option<Reader>,
    log: Log,
    frames: u64,
    raw_count: u64,
    dropped: u64,
    size: Option<u64>,
    /// Once it is opened, it is decompressed on a thread of its own.
    pub(super) beside: bool,
}

impl Slot {
    pub(super) fn for_path(index: u32, path: &Path) -> Self {
        let name = if path.as_os_str() == "-" { "standard input".into() } else { path.to_string_lossy() };
        let mut log = Log::new(index, &name);
        let (source, size) = Source::locate(path, &mut log);
        Self { index, source, reader: None, log, frames: 0, raw_count: 0, dropped: 0, size, beside: false }
    }

    pub(super) fn for_stream(index: u32, name: &str, stream: Box<dyn Read + Send>) -> Self {
        let log = Log::new(index, name);
        Self {
            index,
            source: Source::Stream(stream),
            reader: None,
            log,
            frames: 0,
            raw_count: 0,
            dropped: 0,
            size: None,
            beside: false,
        }
    }

    /// Whether there is anything to read.
    pub(super) fn is_readable(&self) -> bool {
        !matches!(self.source, Source::Spent)
    }

    /// The time of the first packet, for a capture that can be looked into without reading it.
    pub(super) fn first_time(&self) -> Option<Timestamp> {
        let mut log = self.log.scratch();
        let mut reader = Reader::new(self.source.peek(&mut log)?, PEEK_BUFFER, false);
        reader.advance(&mut log).then(|| reader.record().time)
    }

    /// Begins to read; [`Slot::advance`] goes to the first packet.
    pub(super) fn open(&mut self) {
        // It may be another one by now than when it was looked for.
        self.size = self.source.size();
        self.reader = self.source.open(&mut self.log).map(|raw| Reader::new(raw, READ_BUFFER, self.beside));
    }

    /// Goes on to the next packet and gives its time; `None` at the end, when everything held is let go.
    #[inline(always)]
    pub(super) fn advance(&mut self) -> Option<Timestamp> {
        let reader = self.reader.as_mut()?;
        if reader.advance(&mut self.log) {
            self.frames += 1;
            return Some(reader.record().time);
        }
        self.finish();
        None
    }

    /// Whether the packet after this can be gone on to without reading.
    pub(super) fn has_next_at_hand(&self) -> bool {
        self.reader.as_ref().is_some_and(Reader::has_next_at_hand)
    }

    #[cold]
    fn finish(&mut self) {
        self.compare_size();
        self.log.finish();
        self.raw_count = self.raw_count();
        self.dropped = self.dropped();
        self.reader = None;
    }

    /// A file that ended before what was its length is not whole, also where it ends with a whole packet.
    fn compare_size(&mut self) {
        let ended_at = self.reader.as_ref().and_then(Reader::end_of_plain_file);
        let (Some(ended_at), Some(size)) = (ended_at, self.size) else { return };
        if ended_at < size && !self.log.has(ProblemKind::CutOff) {
            let place = Place { packet: None, offset: Some(ended_at) };
            self.log.report(ProblemKind::CutOff, place, || {
                format!("the file became shorter while it was read: {ended_at} of {size} octets are there")
            });
        }
    }

    /// The packet that [`Slot::advance`] went to.
    #[inline(always)]
    pub(super) fn frame(&self) -> Option<Frame<'_>> {
        let reader = self.reader.as_ref()?;
        let record = reader.record();
        let kind = record.kind();
        Some(Frame {
            id: FrameId { capture: self.index, number: reader.number() },
            time: record.time,
            interface: kind.interface,
            link: kind.link,
            fcs_len: kind.fcs_len,
            wire_len: record.wire_len,
            flags: kind.flags,
            names: reader.names(),
            data: reader.data()?,
        })
    }

    pub(super) fn name(&self) -> &str {
        self.log.name()
    }

    pub(super) fn problems(&self) -> &[Problem] {
        self.log.problems()
    }

    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    /// Octets taken from the stored file so far.
    pub(super) fn raw_count(&self) -> u64 {
        self.reader.as_ref().map_or(self.raw_count, Reader::raw_count)
    }

    /// How many packets the capture says, so far, were dropped before they could be written.
    pub(super) fn dropped(&self) -> u64 {
        self.reader.as_ref().map_or(self.dropped, Reader::dropped)
    }

    pub(super) fn size(&self) -> Option<u64> {
        self.size
    }
}
