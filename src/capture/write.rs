//! Capture files out: pcapng with comments on packets, or plain pcap.
//!
//! Owns [`CaptureWriter`], whose file appears when it is whole, and [`Recorder`], whose file is whole to the last
//! packet at any time. Uses [`crate::frame`] and [`crate::time`]; knows nothing of what a comment says.
//!
//! Frames are written as they were read: their octets, their length on the wire and their time to the
//! nanosecond. pcapng gets an interface for each source of frames, declared before its first frame, so that
//! nothing need be known in advance. The names of the interfaces and the packet flags of a pcapng source are
//! kept, and a recorder is told names; not written, because they are not read, are a source's other options. The
//! blocks are written by hand, as they are read by hand: these are five, and the library's form of them has no
//! times before 1970.

mod file;
mod pcap;
mod pcapng;
mod recorder;

use std::ffi::OsStr;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use self::file::NewFile;
use self::pcap::PcapWriter;
use self::pcapng::PcapngWriter;
pub use self::recorder::{Recorder, Statistics};
use crate::frame::{Frame, LinkType};

/// Why a capture cannot be written. `Display` is one line that says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The name tells no format.
    #[error("{}: name it .pcapng, or .pcap for packets without comments", .0.display())]
    UnknownSuffix(PathBuf),
    /// There is such a file.
    #[error("{}: this file exists; name another, or overwrite it with --force", .0.display())]
    Exists(PathBuf),
    /// There is something else of this name.
    #[error("{}: this is no file; name a file to write", .0.display())]
    NotAFile(PathBuf),
    /// pcap has one link type per file.
    #[error("a pcap file holds one link type, and these packets have several; name the file .pcapng")]
    SeveralLinkTypes,
    /// pcap counts seconds in 32 bits.
    #[error("frame {0} lies outside the years 1970 to 2106, which is all pcap has; name the file .pcapng")]
    TimeOutsidePcap(crate::frame::FrameId),
    /// The operating system refused.
    #[error("{}: cannot be written: {error}", .path.display())]
    Io {
        /// The file to be.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// The formats that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// pcapng, with comments.
    Pcapng,
    /// pcap with nanoseconds, without comments.
    Pcap,
}

impl FileFormat {
    /// The format that a file of this name has.
    ///
    /// # Errors
    /// If its suffix names none.
    pub fn of(path: &Path) -> Result<Self, WriteError> {
        let suffix = path.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase);
        match suffix.as_deref() {
            Some("pcapng") => Ok(FileFormat::Pcapng),
            Some("pcap") => Ok(FileFormat::Pcap),
            _ => Err(WriteError::UnknownSuffix(path.to_owned())),
        }
    }
}

/// What all frames of one interface of a written capture share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Source {
    capture: u32,
    interface: u32,
    link: LinkType,
    fcs_len: u8,
}

impl Source {
    fn of(frame: &Frame<'_>) -> Self {
        Self {
            capture: frame.id.capture,
            interface: frame.interface,
            link: frame.link,
            fcs_len: frame.fcs_len,
        }
    }
}

/// A capture file that is being written.
///
/// It comes into being under its name only with [`CaptureWriter::finish`]; until then it is a file beside that
/// place, which goes away when the writer is dropped.
#[derive(Debug)]
pub struct CaptureWriter {
    path: PathBuf,
    out: BufWriter<NewFile>,
    kind: Kind,
    packets: u64,
}

#[derive(Debug)]
enum Kind {
    Pcapng(PcapngWriter),
    Pcap(PcapWriter),
}

impl CaptureWriter {
    /// Begins a file that only its owner may read; its suffix says the format. With `replace` it may take the
    /// place of another file.
    ///
    /// # Errors
    /// If the suffix tells no format, the name is taken, or nothing can be written there.
    pub fn create(path: &Path, replace: bool) -> Result<Self, WriteError> {
        let format = FileFormat::of(path)?;
        let out = BufWriter::with_capacity(1 << 16, NewFile::create(path, replace)?);
        let kind = match format {
            FileFormat::Pcapng => Kind::Pcapng(PcapngWriter::default()),
            FileFormat::Pcap => Kind::Pcap(PcapWriter::default()),
        };
        Ok(Self { path: path.to_owned(), out, kind, packets: 0 })
    }

    /// Which format it has.
    pub fn format(&self) -> FileFormat {
        match self.kind {
            Kind::Pcapng(_) => FileFormat::Pcapng,
            Kind::Pcap(_) => FileFormat::Pcap,
        }
    }

    /// Says what the file is, for whoever opens it, and which captures its frames come from. Comes before the
    /// first frame; pcap has no place for it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn begin(&mut self, program: &str, about: &str, captures: Vec<String>) -> Result<(), WriteError> {
        let done = match &mut self.kind {
            Kind::Pcapng(writer) => writer.begin(&mut self.out, program, about, captures),
            Kind::Pcap(_) => Ok(()),
        };
        done.map_err(|error| self.failed(error))
    }

    /// Writes a frame with its comments.
    ///
    /// # Errors
    /// If it cannot be written, or the format has no place for it.
    pub fn frame(&mut self, frame: &Frame<'_>, comments: &[String]) -> Result<(), WriteError> {
        self.packets += 1;
        match &mut self.kind {
            Kind::Pcapng(writer) => {
                writer.frame(&mut self.out, frame, comments).map_err(|error| self.failed(error))
            }
            Kind::Pcap(writer) => {
                writer.check(frame)?;
                writer.frame(&mut self.out, frame).map_err(|error| self.failed(error))
            }
        }
    }

    /// Gives the file its name; returns how many packets are in it.
    ///
    /// # Errors
    /// If what is left cannot be written, or the name was taken meanwhile.
    pub fn finish(mut self) -> Result<u64, WriteError> {
        if let Kind::Pcap(writer) = &mut self.kind
            && let Err(error) = writer.begin(&mut self.out)
        {
            return Err(self.failed(error));
        }
        let Self { path, out, packets, .. } = self;
        let mut file =
            out.into_inner().map_err(|error| WriteError::Io { path, error: error.into_error() })?;
        file.keep()?;
        Ok(packets)
    }

    fn failed(&self, error: io::Error) -> WriteError {
        WriteError::Io { path: self.path.clone(), error }
    }
}

/// The registry number of a link type.
fn link_number(link: LinkType) -> u16 {
    match link {
        LinkType::Null => 0,
        LinkType::Ethernet => 1,
        LinkType::Ppp => 9,
        LinkType::PppHdlc => 50,
        LinkType::PppEther => 51,
        LinkType::Raw => 101,
        LinkType::Loop => 108,
        LinkType::LinuxSll => 113,
        LinkType::PppPppd => 166,
        LinkType::Ipv4 => 228,
        LinkType::Ipv6 => 229,
        LinkType::LinuxSll2 => 276,
        LinkType::Other(number) => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_types_are_written_as_they_are_read() {
        for number in 0..=u16::MAX {
            let link = LinkType::from_number(number);
            assert_eq!(LinkType::from_number(link_number(link)), link);
        }
    }

    #[test]
    fn suffixes_tell_the_format() {
        assert_eq!(FileFormat::of(Path::new("a.b/c.pcapng")).unwrap(), FileFormat::Pcapng);
        assert_eq!(FileFormat::of(Path::new("c.PCAP")).unwrap(), FileFormat::Pcap);
        for bad in ["c", "c.cap", "pcapng", "c.pcapng.gz", ""] {
            assert!(FileFormat::of(Path::new(bad)).is_err(), "{bad}");
        }
    }
}
