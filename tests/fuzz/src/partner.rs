//! The partner protocol at both ends: strangers, forgers and damage on the way. Nothing that was changed is believed,
//! nothing grows, and nobody is told more than was said.

mod damaged;
mod server;
mod strangers;

use arbitrary::{Arbitrary, Unstructured};
use keepscope::partner::codec::{CodecError, Frames, LONGEST_FRAME, Opening};
use keepscope::partner::{Tuple, VERSION};
use keepscope::segment::Endpoint;
use keepscope::time::Timestamp;

const START: Timestamp = Timestamp::from_nanos(1_700_000_000_000_000_000);

const SECRET: &[u8] = b"correct horse";

/// A connection as the server sees it.
fn seen(port: u16) -> Tuple {
    let end = |last, port| Endpoint { address: [192, 0, 2, last].into(), port };
    Tuple { local: end(2, 7440), remote: end(1, port) }
}

/// The first octet chooses who speaks with whom.
pub fn hold(input: &[u8]) {
    let [choice, rest @ ..] = input else { return };
    match choice % 4 {
        0 => frames_hold(rest),
        1 => drop(strangers::of_server(&mut Unstructured::new(rest))),
        2 => drop(strangers::of_client(&mut Unstructured::new(rest))),
        _ => drop(damaged::hold(&mut Unstructured::new(rest))),
    }
}

/// Frames are the same however they arrive, and an opening that is read is written as the same octets.
fn frames_hold(input: &[u8]) {
    let [piece, octets @ ..] = input else { return };
    let (whole, error) = frames(octets, usize::MAX);
    let (pieces, other) = frames(octets, usize::from(*piece).max(1));
    assert_eq!((&whole, &error), (&pieces, &other), "in pieces of {piece}");
    let mut from = 0;
    for frame in &whole {
        let len = frame.octets().len();
        assert!((3..=LONGEST_FRAME).contains(&len), "{len} octets");
        assert_eq!(frame.octets(), &octets[from..from + len]);
        from += len;
        match Opening::decode(frame) {
            // Of another version only the version is read.
            Ok(Opening::Hello { version, .. } | Opening::Join { version, .. }) if version != VERSION => {}
            Ok(opening) => assert_eq!(opening.encode().octets(), frame.octets(), "{opening:?}"),
            Err(error) => assert!(super::is_plain(&error.to_string())),
        }
    }
    if error.is_none() {
        assert!(octets.len() - from < LONGEST_FRAME);
    }
}

fn frames(octets: &[u8], piece: usize) -> (Vec<keepscope::partner::codec::Frame>, Option<CodecError>) {
    let (mut frames, mut found) = (Frames::default(), Vec::new());
    for mut part in octets.chunks(piece.min(octets.len()).max(1)) {
        loop {
            match frames.next(&mut part) {
                Ok(Some(frame)) => found.push(frame),
                Ok(None) => break,
                Err(error) => return (found, Some(error)),
            }
            assert!(frames.pending() <= LONGEST_FRAME);
        }
        assert!(part.is_empty() && frames.pending() < LONGEST_FRAME);
    }
    (found, None)
}

/// Octets that somebody says: a frame with a right length, or anything.
#[derive(Arbitrary, Debug)]
struct Said {
    framed: bool,
    kind: u8,
    magic: bool,
    body: Vec<u8>,
}

impl Said {
    fn octets(&self) -> Vec<u8> {
        let kinds = [0x01, 0x02, 0x03, 0x81, 0x82, 0x83, 0x8f, 0x10, 0x11, 0x12, 0x13, 0x90, 0x91];
        if !self.framed {
            return self.body.clone();
        }
        let mut body = vec![kinds.get(usize::from(self.kind)).copied().unwrap_or(self.kind)];
        if self.magic {
            body.extend(keepscope::partner::codec::MAGIC);
            body.extend(VERSION.to_be_bytes());
        }
        body.extend(&self.body);
        let length = u16::try_from(body.len()).unwrap_or(u16::MAX);
        [&length.to_be_bytes()[..], &body].concat()
    }
}
