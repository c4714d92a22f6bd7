//! Reads one capture, whatever its format.
//!
//! Owns [`Reader`] and the recognition of formats by their first octets. Uses [`super::buffer`],
//! [`super::pcap`], [`super::pcapng`], [`super::record`] and [`super::problem`].

use super::buffer::{Buffer, Compression};
use super::pcap::Pcap;
use super::pcapng::Pcapng;
use super::problem::{Log, Place, ProblemKind};
use super::record::{Record, report_shortage};
use super::source::Raw;
use crate::frame::InterfaceNames;

enum Format {
    Unknown,
    Pcap(Pcap),
    Pcapng(Pcapng),
    Ended,
}

pub(super) struct Reader {
    buffer: Buffer,
    format: Format,
    number: u64,
    record: Record,
    /// What is compressed is decompressed on a thread of its own.
    beside: bool,
    /// Of a capture that has ended.
    dropped: u64,
}

impl Reader {
    pub(super) fn new(raw: Raw, buffer_size: usize, beside: bool) -> Self {
        Self {
            buffer: Buffer::new(raw, buffer_size),
            format: Format::Unknown,
            number: 0,
            record: Record::NONE,
            beside,
            dropped: 0,
        }
    }

    /// Goes on to the next packet; `false` at the end and ever after.
    #[inline(always)]
    pub(super) fn advance(&mut self, log: &mut Log) -> bool {
        if let Format::Pcap(pcap) = &self.format
            && pcap.next(&mut self.buffer, log, &mut self.number, &mut self.record).is_some()
        {
            log.see_time(self.record.time, self.number);
            return true;
        }
        self.advance_otherwise(log)
    }

    /// The same where it is no packet of a pcap file.
    #[inline(never)]
    fn advance_otherwise(&mut self, log: &mut Log) -> bool {
        let (buffer, number, record) = (&mut self.buffer, &mut self.number, &mut self.record);
        let found = match &mut self.format {
            Format::Pcapng(pcapng) => pcapng.next(buffer, log, number, record),
            Format::Unknown => {
                self.format = self.recognise(log);
                // The format is known now or the capture has ended: this cannot come back here.
                return self.advance(log);
            }
            // The packet before was the last.
            Format::Pcap(_) => None,
            Format::Ended => return false,
        };
        if found.is_some() {
            log.see_time(self.record.time, self.number);
            return true;
        }
        self.dropped = self.counted_drops();
        self.format = Format::Ended;
        false
    }

    /// Whether the packet after this is in the buffer as a whole.
    pub(super) fn has_next_at_hand(&self) -> bool {
        match &self.format {
            Format::Pcap(pcap) => pcap.has_next(self.buffer.available()),
            Format::Pcapng(pcapng) => pcapng.has_next(self.buffer.available()),
            Format::Unknown | Format::Ended => false,
        }
    }

    fn counted_drops(&self) -> u64 {
        match &self.format {
            Format::Pcapng(pcapng) => pcapng.dropped(),
            _ => self.dropped,
        }
    }

    /// The packet that [`Reader::advance`] went to.
    #[inline]
    pub(super) fn record(&self) -> &Record {
        &self.record
    }

    /// Its octets.
    #[inline]
    pub(super) fn data(&self) -> Option<&[u8]> {
        self.buffer.stored(self.record.data.clone())
    }

    /// Its number.
    #[inline]
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// What the capture calls the interface of the packet.
    #[inline]
    pub(super) fn names(&self) -> Option<&InterfaceNames> {
        match &self.format {
            Format::Pcapng(pcapng) => pcapng.names(self.record.kind().interface),
            _ => None,
        }
    }

    /// How many packets the capture says were dropped before they could be written.
    pub(super) fn dropped(&self) -> u64 {
        self.counted_drops()
    }

    /// Where the end of the file was met, if it is not compressed and nothing else ended the reading.
    pub(super) fn end_of_plain_file(&self) -> Option<u64> {
        self.buffer.end_of_plain_file()
    }

    /// Octets taken from the stored file so far.
    pub(super) fn raw_count(&self) -> u64 {
        self.buffer.raw_count()
    }

    #[cold]
    fn recognise(&mut self, log: &mut Log) -> Format {
        let Some(mut magic) = self.magic(log) else { return Format::Ended };
        if let Some(compression) = compression(magic) {
            log.set_decompressed();
            if let Err(error) = self.buffer.decompress(compression, self.beside) {
                log.report(ProblemKind::DecompressionFailed, Place::default(), || error.to_string());
                return Format::Ended;
            }
            let Some(inner) = self.magic(log) else { return Format::Ended };
            magic = inner;
        }
        if Pcap::knows(magic) {
            let Some(pcap) = Pcap::begin(&mut self.buffer, log) else { return Format::Ended };
            self.record.set_kind(pcap.kind());
            return Format::Pcap(pcap);
        }
        if magic == Pcapng::MAGIC {
            return Format::Pcapng(Pcapng::new());
        }
        let what = describe(self.buffer.available());
        log.report(ProblemKind::NotACapture, Place::default(), || what);
        Format::Ended
    }

    /// The first four octets, or a report of why there are none.
    fn magic(&mut self, log: &mut Log) -> Option<[u8; 4]> {
        if self.buffer.have(4) {
            return self.buffer.available().first_chunk::<4>().copied();
        }
        let there = self.buffer.available().len();
        if self.buffer.has_failed() {
            report_shortage(&mut self.buffer, log, None, "the file header", 4);
        } else if there > 0 {
            log.report(ProblemKind::NotACapture, Place::default(), || {
                format!("{there} octets are too few for a capture; check that it was written to the end")
            });
        } else {
            let inside =
                if log.is_decompressed() { "nothing is in the compressed data" } else { "it is empty" };
            log.report(ProblemKind::Empty, Place::default(), || inside.to_owned());
        }
        None
    }
}

fn compression(magic: [u8; 4]) -> Option<Compression> {
    match magic {
        [0x1f, 0x8b, _, _] => Some(Compression::Gzip),
        // A frame, or a skippable frame before one.
        [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Some(Compression::Zstd),
        [0xfd, b'7', b'z', b'X'] => Some(Compression::Xz),
        _ => None,
    }
}

/// What something that is no capture looks like, and what to do about it.
fn describe(octets: &[u8]) -> String {
    let through = |what: &str, command: &str| {
        format!("it is compressed with {what}; decompress it: `{command} FILE | keepscope analyze -`")
    };
    let convert = |what: &str| {
        format!("it is {what}, which is not read; convert it with `editcap -F pcapng FILE out.pcapng`")
    };
    match octets {
        [0x04, 0x22, 0x4d, 0x18, ..] => through("lz4", "lz4 -dc"),
        [b'B', b'Z', b'h', ..] => through("bzip2", "bzip2 -dc"),
        [0x1f, 0x9d, ..] => through("compress", "gzip -dc"),
        [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] | [0xfd, b'7', b'z', b'X', b'Z', ..] => {
            "it is compressed twice; decompress it once and try again".to_owned()
        }
        [b'P', b'K', 3, 4, ..] => "it is a ZIP archive; unpack it and name the capture in it".to_owned(),
        [b'7', b'z', 0xbc, 0xaf, ..] => "it is a 7z archive; unpack it and name the capture in it".to_owned(),
        [b's', b'n', b'o', b'o', b'p', ..] => convert("a snoop capture"),
        [b'G' | b'R', b'M' | b'T', b'B' | b'S', b'U' | b'S', ..] => convert("a Network Monitor capture"),
        _ if is_text(octets) => {
            "it is text, not a capture; name a pcap or pcapng file, or make one of a hex dump with `text2pcap`"
                .to_owned()
        }
        _ => {
            let shown: Vec<String> = octets.iter().take(4).map(|octet| format!("{octet:02x}")).collect();
            format!("it begins with {}, which is neither pcap nor pcapng; check what wrote it", shown.join(" "))
        }
    }
}

fn is_text(octets: &[u8]) -> bool {
    let sample = octets.get(..512).unwrap_or(octets);
    let valid = match std::str::from_utf8(sample) {
        Ok(_) => true,
        // A character cut at the end of the sample is no error.
        Err(error) => error.error_len().is_none(),
    };
    valid && sample.iter().all(|octet| matches!(octet, b'\t' | b'\n' | b'\r' | b' '..=b'~' | 0x80..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_things_are_told_by_what_they_look_like() {
        for (octets, word) in [
            (&b"\xfd7zXZ\0rest"[..], "compressed twice"),
            (b"\x04\x22\x4d\x18", "lz4 -dc FILE | keepscope analyze -"),
            (b"BZh9", "bzip2"),
            (b"PK\x03\x04", "ZIP"),
            (b"snoop\0\0\0", "snoop"),
            (b"GMBU\x01", "Network Monitor"),
            (b"{\"a\": \"\xc3\xa4\"}\n", "text"),
            (b"\x7fELF\x02", "7f 45 4c 46"),
        ] {
            let what = describe(octets);
            assert!(what.contains(word), "{what}");
        }
    }
}
