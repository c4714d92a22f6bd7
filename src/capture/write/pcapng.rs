//! pcapng (draft-ietf-opsawg-pcapng) with comments: one section, interfaces as they are met, packets.
//!
//! Owns [`PcapngWriter`]. Uses [`crate::frame`].

use std::collections::HashMap;
use std::io::{self, Write};

use super::{Source, Statistics, link_number};
use crate::frame::Frame;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;
const EPB_FLAGS: u16 = 2;

const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
/// Type, length and the length again.
const BLOCK_FRAME: usize = 12;

const OPT_END: u16 = 0;
const OPT_COMMENT: u16 = 1;
const SHB_USERAPPL: u16 = 4;
const IF_NAME: u16 = 2;
const IF_DESCRIPTION: u16 = 3;
const IF_TSRESOL: u16 = 9;
const IF_FCSLEN: u16 = 13;
const IF_TSOFFSET: u16 = 14;
const ISB_IFRECV: u16 = 4;
const ISB_IFDROP: u16 = 5;

/// Units of 10^-9 seconds.
const NANOSECONDS: u8 = 9;
/// Added to times before 1970, which have no other form: the whole seconds just before the earliest time.
const EARLIEST_SECOND: i64 = -9_223_372_037;

/// Writes blocks in little-endian order; knows which interfaces it has declared.
#[derive(Debug, Default)]
pub(super) struct PcapngWriter {
    /// Where frames come from, for people.
    captures: Vec<String>,
    /// What interfaces are called, by their number in frames, where that is known.
    names: HashMap<u32, String>,
    /// Interfaces by their source and by whether their times lie before 1970.
    interfaces: HashMap<(Source, bool), u32>,
    /// The block being made.
    body: Vec<u8>,
}

impl PcapngWriter {
    /// Writes the section header.
    pub(super) fn begin(
        &mut self,
        out: &mut impl Write,
        program: &str,
        about: &str,
        captures: Vec<String>,
    ) -> io::Result<()> {
        self.captures = captures;
        self.body.clear();
        self.word(BYTE_ORDER_MAGIC);
        // Version 1.0, and a section whose length is not given.
        self.word(1);
        self.body.extend([0xff; 8]);
        self.text(OPT_COMMENT, about);
        self.text(SHB_USERAPPL, program);
        self.option(OPT_END, &[]);
        self.block(out, SECTION_HEADER)
    }

    /// What an interface is called; it comes before its first frame.
    pub(super) fn name(&mut self, interface: u32, name: &str) {
        self.names.insert(interface, name.to_owned());
    }

    /// Writes how many packets were received and lost. Counts of several interfaces together stand with the
    /// first of them, and say so; where no packet came there is no interface to count for.
    pub(super) fn statistics(&mut self, out: &mut impl Write, statistics: &Statistics) -> io::Result<()> {
        if self.interfaces.is_empty() {
            return Ok(());
        }
        let units = u64::try_from(statistics.at.as_nanos()).unwrap_or(0);
        self.body.clear();
        self.word(0);
        self.halves(units)?;
        if self.interfaces.len() > 1 {
            self.text(OPT_COMMENT, "counts of all interfaces together");
        }
        self.option(ISB_IFRECV, &statistics.received.to_le_bytes());
        self.option(ISB_IFDROP, &statistics.dropped.to_le_bytes());
        self.option(OPT_END, &[]);
        self.block(out, INTERFACE_STATISTICS)
    }

    /// Writes a packet, after its interface if that is new.
    pub(super) fn frame(
        &mut self,
        out: &mut impl Write,
        frame: &Frame<'_>,
        comments: &[String],
    ) -> io::Result<()> {
        let early = frame.time.as_nanos() < 0;
        let interface = self.interface(out, frame, early)?;
        let offset = if early { i128::from(EARLIEST_SECOND) * 1_000_000_000 } else { 0 };
        let invalid = |_| io::Error::from(io::ErrorKind::InvalidInput);
        let units = u64::try_from(i128::from(frame.time.as_nanos()) - offset).map_err(invalid)?;
        self.body.clear();
        self.word(interface);
        self.halves(units)?;
        self.word(u32::try_from(frame.data.len()).map_err(invalid)?);
        self.word(frame.wire_len);
        self.body.extend_from_slice(frame.data);
        self.pad();
        if let Some(flags) = frame.flags {
            self.option(EPB_FLAGS, &flags.to_le_bytes());
        }
        if !comments.is_empty() || frame.flags.is_some() {
            comments.iter().for_each(|comment| self.text(OPT_COMMENT, comment));
            self.option(OPT_END, &[]);
        }
        self.block(out, ENHANCED_PACKET)
    }

    /// The number of the interface for frames of this source, declared if need be.
    fn interface(&mut self, out: &mut impl Write, frame: &Frame<'_>, early: bool) -> io::Result<u32> {
        let source = Source::of(frame);
        if let Some(number) = self.interfaces.get(&(source, early)) {
            return Ok(*number);
        }
        self.body.clear();
        self.body.extend(link_number(source.link).to_le_bytes());
        self.body.extend([0; 2]);
        // No limit: each packet has its own lengths.
        self.word(0);
        let named = frame.names.and_then(|names| names.name.as_deref()).map(str::to_owned);
        let named = named.or_else(|| self.names.get(&source.interface).cloned());
        let capture = self.captures.get(source.capture as usize).cloned().unwrap_or_default();
        if let Some(name) = &named {
            self.text(IF_NAME, name);
        }
        match frame.names.and_then(|names| names.description.as_deref()) {
            Some(description) => self.text(IF_DESCRIPTION, description),
            None if named.is_some() && capture.is_empty() => {}
            None => self.text(IF_DESCRIPTION, &format!("interface {} of {capture}", source.interface)),
        }
        self.option(IF_TSRESOL, &[NANOSECONDS]);
        if source.fcs_len > 0 {
            self.option(IF_FCSLEN, &[source.fcs_len]);
        }
        if early {
            self.option(IF_TSOFFSET, &EARLIEST_SECOND.to_le_bytes());
        }
        self.option(OPT_END, &[]);
        self.block(out, INTERFACE_DESCRIPTION)?;
        let number = u32::try_from(self.interfaces.len()).unwrap_or(u32::MAX);
        self.interfaces.insert((source, early), number);
        Ok(number)
    }

    /// A time, its higher half first.
    fn halves(&mut self, units: u64) -> io::Result<()> {
        for half in [units >> 32, units & u64::from(u32::MAX)] {
            self.word(u32::try_from(half).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?);
        }
        Ok(())
    }

    fn word(&mut self, word: u32) {
        self.body.extend(word.to_le_bytes());
    }

    fn pad(&mut self) {
        self.body.resize(self.body.len().next_multiple_of(4), 0);
    }

    /// An option whose value has at most 65 535 octets; more are cut.
    fn option(&mut self, code: u16, value: &[u8]) {
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        self.body.extend(code.to_le_bytes());
        self.body.extend(length.to_le_bytes());
        self.body.extend(value.iter().take(usize::from(length)));
        self.pad();
    }

    /// An option with text: control characters are escaped, and what is too long is cut between characters.
    fn text(&mut self, code: u16, text: &str) {
        let mut clean = String::with_capacity(text.len());
        for character in text.chars() {
            if character.is_control() {
                clean.extend(character.escape_default());
            } else {
                clean.push(character);
            }
        }
        clean.truncate(longest_value(&clean));
        self.option(code, clean.as_bytes());
    }

    fn block(&self, out: &mut impl Write, kind: u32) -> io::Result<()> {
        let length = u32::try_from(self.body.len() + BLOCK_FRAME)
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        out.write_all(&kind.to_le_bytes())?;
        out.write_all(&length.to_le_bytes())?;
        out.write_all(&self.body)?;
        out.write_all(&length.to_le_bytes())
    }
}

/// The last place at or before the longest value where a text may be cut.
fn longest_value(text: &str) -> usize {
    let limit = text.len().min(usize::from(u16::MAX));
    (0..=limit).rev().find(|&index| text.is_char_boundary(index)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Captures;
    use crate::frame::{FrameId, LinkType};
    use crate::time::Timestamp;

    fn frame(time: i64, interface: u32, link: LinkType, data: &[u8]) -> Frame<'_> {
        let id = FrameId { capture: 0, number: 1 };
        Frame {
            id,
            time: Timestamp::from_nanos(time),
            interface,
            link,
            fcs_len: 4,
            wire_len: 1500,
            flags: None,
            names: None,
            data,
        }
    }

    #[test]
    fn frames_are_read_as_they_were_written() {
        let frames = [
            frame(0, 0, LinkType::Ethernet, b"zero"),
            frame(i64::MAX, 7, LinkType::LinuxSll2, b"longest"),
            frame(-1, 0, LinkType::Ethernet, b""),
            frame(i64::MIN, 0, LinkType::Raw, b"x"),
            frame(1_700_000_000_123_456_789, 0, LinkType::Ethernet, b"again"),
        ];
        let (mut writer, mut file) = (PcapngWriter::default(), Vec::new());
        writer.begin(&mut file, "test", "about\nit", vec!["a.pcap".to_owned()]).unwrap();
        for frame in &frames {
            writer.frame(&mut file, frame, &["one".to_owned(), "t\u{7}o".to_owned()]).unwrap();
        }
        assert!(file.windows(8).any(|window| window == b"about\\ni"));
        assert!(file.windows(7).any(|window| window == b"t\\u{7}o"));
        let mut captures = Captures::from_reader("written", std::io::Cursor::new(file));
        let mut interfaces = Vec::new();
        for written in &frames {
            let read = captures.next_frame().unwrap();
            assert_eq!((read.time, read.link, read.data), (written.time, written.link, written.data));
            assert_eq!((read.fcs_len, read.wire_len), (4, 1500));
            interfaces.push(read.interface);
        }
        assert_eq!(interfaces, [0, 1, 2, 3, 0]);
        assert!(captures.next_frame().is_none());
        assert!(captures.problems().all(|problem| !problem.is_damage()));
    }

    #[test]
    fn long_comments_are_cut_between_characters() {
        let mut writer = PcapngWriter::default();
        writer.text(OPT_COMMENT, &"ä".repeat(40_000));
        assert_eq!(writer.body.get(..4), Some(&[1, 0, 0xfe, 0xff][..]));
        assert_eq!(writer.body.len(), 4 + 65_536);
    }
}
