//! Decompression of gzip, zstd and xz streams with bounded memory.
//!
//! Owns [`Gzip`], [`Zstd`] and [`Xz`]. Uses [`super::source`] for the stored octets. The readers that flate2,
//! zstd and liblzma offer drop what they had decoded in the call that meets an error; these hand it out first,
//! and they never ask a pipe for more while there is something to hand out.

use std::io;

use flate2::{Crc, Decompress, FlushDecompress, Status};
use liblzma::stream::{Action, CONCATENATED, Error as XzError, Status as XzStatus, Stream as XzStream};
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

use super::source::Raw;

/// How much is read from the stored file at once.
const CHUNK: usize = 64 * 1024;
/// A gzip header with names and comments longer than this is taken for damage.
const MAX_GZIP_HEADER: usize = 1 << 20;

/// The compressed octets, a chunk at a time.
struct Feed {
    raw: Raw,
    store: Vec<u8>,
    start: usize,
}

impl Feed {
    fn rest(&self) -> &[u8] {
        self.store.get(self.start..).unwrap_or_default()
    }

    fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.store.len());
    }

    /// Reads once; `false` at the end.
    fn more(&mut self) -> io::Result<bool> {
        self.store.drain(..self.start);
        self.start = 0;
        let kept = self.store.len();
        self.store.resize(kept + CHUNK, 0);
        let read = self.raw.read(self.store.get_mut(kept..).unwrap_or_default());
        self.store.truncate(kept + *read.as_ref().unwrap_or(&0));
        Ok(read? > 0)
    }
}

fn ends_early(format: &str) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, format!("the {format} data ends early"))
}

fn corrupt(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

#[derive(Clone, Copy)]
enum GzipState {
    Header,
    Body,
    Trailer,
}

/// A gzip stream of any number of members (RFC 1952).
pub(super) struct Gzip {
    feed: Feed,
    state: GzipState,
    inflate: Decompress,
    crc: Crc,
    first: bool,
    failure: Option<io::Error>,
}

impl Gzip {
    pub(super) fn new(raw: Raw, head: Vec<u8>) -> Self {
        Self {
            feed: Feed { raw, store: head, start: 0 },
            state: GzipState::Header,
            inflate: Decompress::new(false),
            crc: Crc::new(),
            first: true,
            failure: None,
        }
    }

    pub(super) fn raw_count(&self) -> u64 {
        self.feed.raw.count()
    }

    pub(super) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        loop {
            match self.state {
                GzipState::Header => {
                    if !self.header()? {
                        return Ok(0);
                    }
                }
                GzipState::Body => {
                    let made = self.body(into)?;
                    if made > 0 {
                        return Ok(made);
                    }
                }
                GzipState::Trailer => self.trailer()?,
            }
        }
    }

    /// Passes a member's header; `false` if there is no further member.
    fn header(&mut self) -> io::Result<bool> {
        if !self.first && !self.skip_padding()? {
            return Ok(false);
        }
        loop {
            if let Some(length) = gzip_header_length(self.feed.rest())? {
                self.feed.consume(length);
                break;
            }
            if self.feed.rest().len() > MAX_GZIP_HEADER {
                return Err(corrupt("a gzip header without end"));
            }
            if !self.feed.more()? {
                return Err(ends_early("gzip"));
            }
        }
        self.inflate.reset(false);
        self.crc.reset();
        self.first = false;
        self.state = GzipState::Body;
        Ok(true)
    }

    /// Zeros after the last member are padding, as gzip itself has it; `false` if nothing else follows.
    fn skip_padding(&mut self) -> io::Result<bool> {
        loop {
            let zeros = self.feed.rest().iter().take_while(|octet| **octet == 0).count();
            self.feed.consume(zeros);
            if !self.feed.rest().is_empty() {
                return Ok(true);
            }
            if !self.feed.more()? {
                return Ok(false);
            }
        }
    }

    /// Decodes what it can; 0 means that the member's data has ended.
    fn body(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let (input, output) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self.inflate.decompress(self.feed.rest(), into, FlushDecompress::None);
            let used = usize::try_from(self.inflate.total_in() - input).unwrap_or(0);
            let made = usize::try_from(self.inflate.total_out() - output).unwrap_or(0);
            self.feed.consume(used);
            self.crc.update(into.get(..made).unwrap_or_default());
            let failure = match status {
                Ok(Status::StreamEnd) => {
                    self.state = GzipState::Trailer;
                    return Ok(made);
                }
                Ok(_) if made > 0 => return Ok(made),
                Ok(_) if self.feed.rest().is_empty() => {
                    if self.feed.more()? {
                        continue;
                    }
                    ends_early("gzip")
                }
                Ok(_) if used > 0 => continue,
                Ok(_) | Err(_) => corrupt("the gzip data is corrupt"),
            };
            if made > 0 {
                self.failure = Some(failure);
                return Ok(made);
            }
            return Err(failure);
        }
    }

    fn trailer(&mut self) -> io::Result<()> {
        loop {
            if let Some(&[a, b, c, d, e, f, g, h]) = self.feed.rest().first_chunk::<8>() {
                let sum = u32::from_le_bytes([a, b, c, d]);
                let length = u32::from_le_bytes([e, f, g, h]);
                if sum != self.crc.sum() || length != self.crc.amount() {
                    return Err(corrupt("the gzip checksum does not match"));
                }
                self.feed.consume(8);
                self.state = GzipState::Header;
                return Ok(());
            }
            if !self.feed.more()? {
                return Err(ends_early("gzip"));
            }
        }
    }
}

/// Length of the gzip header at the start of `octets`; `None` if it is not all there yet.
fn gzip_header_length(octets: &[u8]) -> io::Result<Option<usize>> {
    const HEADER_CHECKSUM: u8 = 0x02;
    const EXTRA: u8 = 0x04;
    const NAME: u8 = 0x08;
    const COMMENT: u8 = 0x10;

    for (octet, wanted) in octets.iter().zip([0x1f, 0x8b, 8]) {
        if *octet != wanted {
            return Err(corrupt("what follows is not gzip"));
        }
    }
    let Some(fixed) = octets.first_chunk::<10>() else { return Ok(None) };
    let flags = fixed[3];
    let mut length = 10;
    if flags & EXTRA != 0 {
        let Some(&[low, high]) = octets.get(length..).and_then(|rest| rest.first_chunk::<2>()) else {
            return Ok(None);
        };
        length += 2 + usize::from(u16::from_le_bytes([low, high]));
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            let rest = octets.get(length..).unwrap_or_default();
            let Some(end) = rest.iter().position(|octet| *octet == 0) else { return Ok(None) };
            length += end + 1;
        }
    }
    if flags & HEADER_CHECKSUM != 0 {
        length += 2;
    }
    Ok((octets.len() >= length).then_some(length))
}

/// A zstd stream of any number of frames, skippable ones included (RFC 8878).
pub(super) struct Zstd {
    feed: Feed,
    decoder: Decoder<'static>,
    /// How much the decoder wants next. It gets no more than that, because it forgets what it decoded in a
    /// call that meets an error: this way such a call holds nothing but the bad block.
    wanted: usize,
    in_frame: bool,
    /// The last call filled the room it had: there may be more to hand out without further input.
    filled: bool,
}

/// What the decoder needs to see of a frame before it can say what it wants.
const ZSTD_START: usize = 5;

/// Octets of the header of a block. What the decoder wants of a block includes that of the next one; were it given
/// both, a bad header would cost the good block before it.
const ZSTD_BLOCK_HEADER: usize = 3;

impl Zstd {
    pub(super) fn new(raw: Raw, head: Vec<u8>) -> io::Result<Self> {
        Ok(Self {
            feed: Feed { raw, store: head, start: 0 },
            decoder: Decoder::new()?,
            wanted: ZSTD_START,
            in_frame: false,
            filled: false,
        })
    }

    pub(super) fn raw_count(&self) -> u64 {
        self.feed.raw.count()
    }

    pub(super) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.feed.rest().is_empty() && !self.filled && !self.feed.more()? {
                return if self.in_frame { Err(ends_early("zstd")) } else { Ok(0) };
            }
            let room = into.len();
            let share = if self.filled { 0 } else { self.wanted };
            let piece = self.feed.rest();
            let piece = piece.get(..share).unwrap_or(piece);
            let mut input = InBuffer::around(piece);
            let mut output = OutBuffer::around(&mut *into);
            let hint = self.decoder.run(&mut input, &mut output);
            let (used, made) = (input.pos(), output.pos());
            self.feed.consume(used);
            let hint = hint.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            self.filled = made == room;
            self.wanted = match hint {
                0 => ZSTD_START,
                1..=ZSTD_BLOCK_HEADER => hint,
                _ => hint - ZSTD_BLOCK_HEADER,
            };
            if used > 0 || made > 0 {
                self.in_frame = hint != 0;
            }
            if made > 0 {
                return Ok(made);
            }
            if used == 0 && share > 0 {
                return Err(corrupt("the zstd data is corrupt"));
            }
        }
    }
}

/// What decompressing xz may take. The highest preset needs 65 MiB; a header can ask for 4 GiB.
const XZ_MEMORY: u64 = 128 << 20;

/// An xz file of any number of streams, padding between them included.
pub(super) struct Xz {
    feed: Feed,
    stream: XzStream,
    /// Everything stored has been read.
    fed: bool,
    /// The last stream has ended.
    ended: bool,
    failure: Option<io::Error>,
}

impl Xz {
    pub(super) fn new(raw: Raw, head: Vec<u8>) -> io::Result<Self> {
        Ok(Self {
            feed: Feed { raw, store: head, start: 0 },
            stream: XzStream::new_stream_decoder(XZ_MEMORY, CONCATENATED)?,
            fed: false,
            ended: false,
            failure: None,
        })
    }

    pub(super) fn raw_count(&self) -> u64 {
        self.feed.raw.count()
    }

    pub(super) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        while !self.ended {
            // Only when told that nothing follows does the decoder know that no further stream does.
            let action = if self.fed { Action::Finish } else { Action::Run };
            let (input, output) = (self.stream.total_in(), self.stream.total_out());
            let status = self.stream.process(self.feed.rest(), into, action);
            let used = usize::try_from(self.stream.total_in() - input).unwrap_or(0);
            let made = usize::try_from(self.stream.total_out() - output).unwrap_or(0);
            self.feed.consume(used);
            let failure = match status {
                Ok(XzStatus::StreamEnd) => {
                    self.ended = true;
                    return Ok(made);
                }
                Ok(_) if made > 0 => return Ok(made),
                Ok(_) if self.feed.rest().is_empty() => {
                    if !self.fed {
                        self.fed = !self.feed.more()?;
                        continue;
                    }
                    ends_early("xz")
                }
                Ok(_) if used > 0 => continue,
                Ok(_) => corrupt("the xz data is corrupt"),
                Err(error) => xz_failure(&error),
            };
            if made > 0 {
                self.failure = Some(failure);
                return Ok(made);
            }
            return Err(failure);
        }
        Ok(0)
    }
}

fn xz_failure(error: &XzError) -> io::Error {
    match error {
        XzError::MemLimit => corrupt(&format!(
            "the xz data needs more than {} MiB of memory; decompress it with `xz -d`",
            XZ_MEMORY >> 20
        )),
        XzError::Options => corrupt("the xz data uses an option that is not read"),
        _ => corrupt("the xz data is corrupt"),
    }
}
