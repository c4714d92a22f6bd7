//! Captures of any octets: however they arrive, the same frames; and a cut never costs what came before it.

use std::io::{self, Read};

use keepscope::capture::{Captures, ProblemKind};
use keepscope::frame::LinkType;

/// What is read of one input: more is for compressed octets that say little.
const MOST_FRAMES: usize = 4_096;

/// Most captured octets of a packet, as the reader documents it.
const MOST_OCTETS: usize = 262_144;

/// A frame without its octets, but for how many and what they add up to.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    number: u64,
    nanos: i64,
    interface: u32,
    link: LinkType,
    fcs_len: u8,
    wire_len: u32,
    flags: Option<u32>,
    name: Option<String>,
    len: usize,
    sum: u64,
}

struct Reading {
    frames: Vec<Seen>,
    /// Kind, count and place of each.
    problems: Vec<(ProblemKind, u64, Option<u64>)>,
    whole: bool,
}

/// Gives its octets in pieces of at most so many.
struct Pieces(io::Cursor<Vec<u8>>, usize);

impl Read for Pieces {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let most = to.len().min(self.1);
        self.0.read(&mut to[..most])
    }
}

fn read(octets: &[u8], piece: usize) -> Reading {
    let mut captures =
        Captures::from_reader("a\x1b[31mb", Pieces(io::Cursor::new(octets.to_vec()), piece.max(1)));
    let mut frames: Vec<Seen> = Vec::new();
    let mut whole = true;
    while let Some(frame) = captures.next_frame() {
        assert_eq!(frame.id.capture, 0);
        assert!(frame.data.len() <= MOST_OCTETS, "{} octets", frame.data.len());
        assert!(frame.wire_len as usize >= frame.data.len(), "longer than on the wire");
        assert!(frames.last().is_none_or(|before| before.number < frame.id.number));
        frames.push(Seen {
            number: frame.id.number,
            nanos: frame.time.as_nanos(),
            interface: frame.interface,
            link: frame.link,
            fcs_len: frame.fcs_len,
            wire_len: frame.wire_len,
            flags: frame.flags,
            name: frame.names.map(|names| format!("{names:?}")),
            len: frame.data.len(),
            sum: (1..).zip(frame.data).map(|(place, octet)| place * u64::from(*octet)).sum(),
        });
        if frames.len() == MOST_FRAMES {
            whole = false;
            break;
        }
    }
    if whole {
        assert!(captures.next_frame().is_none(), "a frame after the end");
    }
    let progress = captures.progress().next().expect("one capture");
    assert!(progress.octets_read <= octets.len() as u64);
    assert!(super::is_plain(progress.name));
    let problems: Vec<_> = captures.problems().map(|one| (one.kind, one.count, one.offset)).collect();
    for (index, (kind, count, offset)) in problems.iter().enumerate() {
        assert!(*count > 0);
        assert!(problems[..index].iter().all(|(other, ..)| other != kind), "{kind:?} is told twice");
        if !is_packed(octets) {
            assert!(offset.is_none_or(|offset| offset <= octets.len() as u64), "{kind:?} at {offset:?}");
        }
    }
    for problem in captures.problems() {
        let text = problem.to_string();
        assert!(super::is_plain(&text) && !text.contains('\n'), "{text:?}");
    }
    Reading { frames, problems, whole }
}

fn is_packed(octets: &[u8]) -> bool {
    [&b"\x1f\x8b"[..], b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0"].iter().any(|magic| octets.starts_with(magic))
        // A frame of zstd that is to be skipped.
        || (octets.len() > 3 && octets[0] & 0xf0 == 0x50 && octets[1..4] == [0x2a, 0x4d, 0x18])
}

/// Frames that are there cost octets; more of them than that would be made up.
fn most_frames(octets: &[u8]) -> usize {
    // A simple packet block of nothing has 16 octets, a record of nothing too.
    octets.len() / 12
}

/// The input is the capture; its last two octets also say in what pieces it arrives and where it is cut.
pub fn hold(octets: &[u8]) {
    let [.., cut, piece] = octets else { return };
    let whole = read(octets, usize::MAX);
    if !is_packed(octets) {
        assert!(whole.frames.len() <= most_frames(octets), "{} frames", whole.frames.len());
    }
    let in_pieces = read(octets, usize::from(*piece));
    assert_eq!(in_pieces.frames, whole.frames, "in pieces of {piece}");
    if whole.whole {
        assert_eq!(in_pieces.problems, whole.problems, "in pieces of {piece}");
    }
    let cut = octets.len() * usize::from(*cut) / 256;
    let part = read(&octets[..cut], usize::MAX);
    assert!(part.frames.len() <= whole.frames.len(), "cut at {cut}");
    assert_eq!(part.frames, whole.frames[..part.frames.len()], "cut at {cut}");
}
