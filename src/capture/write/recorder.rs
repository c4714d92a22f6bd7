//! A capture that is written while packets come: whole to the last packet, whenever it is looked at.
//!
//! Owns [`Recorder`]. Each packet goes to the file in one write, with what must stand before it, and the file
//! has its name from the start; so the end of the program, however it comes, loses no packet that was recorded.
//! What a failing disk tore is cut off again. Not promised: that a machine which loses its power has the last
//! packets on its disk. Uses [`crate::frame`] and [`crate::time`].

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::file::NewFile;
use super::pcap::LINK_AT;
use super::{FileFormat, Kind, PcapWriter, PcapngWriter, WriteError};
use crate::frame::Frame;
use crate::time::Timestamp;

/// What was received and lost, for the end of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// When this was counted.
    pub at: Timestamp,
    /// Packets that came, those that were lost among them.
    pub received: u64,
    /// Packets that were lost because we were too slow.
    pub dropped: u64,
}

/// A capture file that grows packet by packet.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    file: NewFile,
    kind: Kind,
    /// What is about to be written.
    block: Vec<u8>,
    /// How long the file is.
    length: u64,
    packets: u64,
}

impl Recorder {
    /// Begins a file that only its owner may read; its suffix says the format. With `replace` it takes the place
    /// of another file, at once. `program` and `about` say what it is to whoever opens it; pcap has no place for
    /// that.
    ///
    /// # Errors
    /// If the suffix tells no format, the name is taken, or nothing can be written there.
    pub fn create(path: &Path, replace: bool, program: &str, about: &str) -> Result<Self, WriteError> {
        let kind = match FileFormat::of(path)? {
            FileFormat::Pcapng => Kind::Pcapng(PcapngWriter::default()),
            FileFormat::Pcap => Kind::Pcap(PcapWriter::default()),
        };
        let file = NewFile::create(path, replace)?;
        let mut new = Self { path: path.to_owned(), file, kind, block: Vec::new(), length: 0, packets: 0 };
        let made = match &mut new.kind {
            Kind::Pcapng(writer) => writer.begin(&mut new.block, program, about, Vec::new()),
            Kind::Pcap(writer) => writer.begin(&mut new.block),
        };
        // The name is given only to a file whose header is whole.
        new.write(made)?;
        new.file.keep()?;
        Ok(new)
    }

    /// What the interface with this number in frames is called; to be said before its first frame.
    pub fn name_interface(&mut self, interface: u32, name: &str) {
        if let Kind::Pcapng(writer) = &mut self.kind {
            writer.name(interface, name);
        }
    }

    /// Writes a packet with its comments; pcap has no place for those. After an error the file holds the packets
    /// before it, and nothing more can be written.
    ///
    /// # Errors
    /// If it cannot be written, or the format has no place for it.
    pub fn frame(&mut self, frame: &Frame<'_>, comments: &[String]) -> Result<(), WriteError> {
        let made = match &mut self.kind {
            Kind::Pcapng(writer) => writer.frame(&mut self.block, frame, comments),
            Kind::Pcap(writer) => {
                let other_link = writer.check_behind(frame)?;
                let file = &mut self.file;
                other_link
                    .map_or(Ok(()), |link| file.put(LINK_AT, &link))
                    .and_then(|()| writer.frame(&mut self.block, frame))
            }
        };
        self.write(made)?;
        self.packets += 1;
        Ok(())
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many packets are in the file.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Ends the file with its statistics, for which pcap has no place; returns how many packets are in it.
    ///
    /// # Errors
    /// If that cannot be written; the packets are there all the same.
    pub fn finish(mut self, statistics: &Statistics) -> Result<u64, WriteError> {
        let made = match &mut self.kind {
            Kind::Pcapng(writer) => writer.statistics(&mut self.block, statistics),
            Kind::Pcap(writer) => writer.begin(&mut self.block),
        };
        self.write(made)?;
        Ok(self.packets)
    }

    /// Writes what was made, at once.
    fn write(&mut self, made: io::Result<()>) -> Result<(), WriteError> {
        let written = made.and_then(|()| self.file.write_all(&self.block));
        let length = self.block.len() as u64;
        self.block.clear();
        match written {
            Ok(()) => {
                self.length += length;
                Ok(())
            }
            Err(error) => {
                // Where even that fails, readers find a last packet that is cut off.
                let _ = self.file.cut(self.length);
                Err(WriteError::Io { path: self.path.clone(), error })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Captures;
    use crate::frame::{FrameId, LinkType};

    fn frame(number: u64, data: &[u8]) -> Frame<'_> {
        let id = FrameId { capture: 0, number };
        let time = Timestamp::from_nanos(1_700_000_000_000_000_000 + number as i64);
        let interface = (number % 2) as u32;
        Frame {
            id,
            time,
            interface,
            link: LinkType::Ethernet,
            fcs_len: 0,
            wire_len: 1500,
            flags: None,
            names: None,
            data,
        }
    }

    /// A file of ten packets, and its length before and after each of them.
    fn recorded(name: &str) -> (Vec<u8>, Vec<usize>) {
        let folder = std::env::temp_dir().join(format!("keepscope-recorder-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(name);
        let mut recorder = Recorder::create(&path, true, "test", "about it").unwrap();
        recorder.name_interface(0, "eth0");
        let length = || std::fs::metadata(&path).unwrap().len() as usize;
        let mut lengths = vec![length()];
        for number in 1..=10 {
            recorder.frame(&frame(number, &vec![7; 40 + number as usize]), &[]).unwrap();
            lengths.push(length());
        }
        let statistics = Statistics { at: Timestamp::from_nanos(1), received: 12, dropped: 2 };
        assert_eq!(recorder.finish(&statistics).unwrap(), 10);
        let octets = std::fs::read(&path).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        (octets, lengths)
    }

    #[test]
    fn a_file_that_ends_anywhere_reads_to_its_last_whole_packet() {
        for name in ["a.pcapng", "a.pcap"] {
            let (octets, lengths) = recorded(name);
            for end in 0..=octets.len() {
                let mut captures = Captures::from_reader("cut", std::io::Cursor::new(octets[..end].to_vec()));
                let mut read = 0;
                while let Some(found) = captures.next_frame() {
                    read += 1;
                    assert_eq!(found.data.len(), 40 + read);
                }
                let whole = lengths.iter().skip(1).filter(|length| **length <= end).count();
                assert_eq!(read, whole, "{name} cut to {end}");
                // The statistics at the end are a whole block after the last packet.
                let whole = end == octets.len() || (end > 0 && is_between_blocks(&octets, &lengths, end));
                let damage = captures.problems().any(|problem| problem.is_damage());
                assert_eq!(
                    damage,
                    !whole,
                    "{name} cut to {end}: {:?}",
                    captures.problems().collect::<Vec<_>>()
                );
            }
        }
    }

    /// Whether a file ends with a whole packet here, or with the header of a pcap file or a pcapng block.
    fn is_between_blocks(octets: &[u8], lengths: &[usize], end: usize) -> bool {
        if !octets.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]) {
            return end == 24 || lengths.contains(&end);
        }
        let mut at = 0;
        while at < end {
            let length: [u8; 4] = octets[at + 4..at + 8].try_into().unwrap();
            at += u32::from_le_bytes(length) as usize;
        }
        at == end
    }

    #[test]
    fn interface_names_and_statistics_are_in_the_file() {
        let (octets, _) = recorded("b.pcapng");
        assert!(octets.windows(8).any(|window| window == b"\x02\0\x04\0eth0"));
        let received = [&[4, 0, 8, 0, 12][..], &[0; 7]].concat();
        assert!(octets.windows(12).any(|window| window == received));
        let dropped = [&[5, 0, 8, 0, 2][..], &[0; 7]].concat();
        assert!(octets.windows(12).any(|window| window == dropped));
    }
}
