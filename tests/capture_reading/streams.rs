//! Pipes: slow ones, and ones that never end.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use keepscope::capture::Captures;

use crate::bytes::*;

/// Delivers one octet at a time, and is interrupted before each.
struct Drops(Vec<u8>, usize, bool);

impl Read for Drops {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.2 = !self.2;
        if self.2 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let Some(octet) = self.0.get(self.1) else { return Ok(0) };
        into[0] = *octet;
        self.1 += 1;
        Ok(1)
    }
}

#[test]
fn a_pipe_that_drips() {
    for whole in [small_pcap(Order::Big, 20), small_pcapng(Order::Little, 20)] {
        let wanted = read(&whole).frames;
        for octets in [whole.clone(), gzip(&whole), zstd(&whole), xz(&whole)] {
            let read = drain(&mut Captures::from_reader("pipe", Drops(octets, 0, false)));
            assert_eq!(read.kinds(), []);
            assert_eq!(read.frames, wanted);
        }
    }
}

/// Delivers the pieces one by one; asking for one before the frame of the last came out is an error.
struct Paced {
    pieces: std::vec::IntoIter<Vec<u8>>,
    allowed: Arc<AtomicBool>,
}

impl Read for Paced {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        assert!(self.allowed.swap(false, Ordering::SeqCst), "read again before the frame was handed out");
        let Some(piece) = self.pieces.next() else { return Ok(0) };
        assert!(piece.len() <= into.len());
        into[..piece.len()].copy_from_slice(&piece);
        Ok(piece.len())
    }
}

fn assert_prompt(pieces: Vec<Vec<u8>>) {
    let count = pieces.len();
    let allowed = Arc::new(AtomicBool::new(true));
    let reader = Paced { pieces: pieces.into_iter(), allowed: Arc::clone(&allowed) };
    let mut captures = Captures::from_reader("pipe", reader);
    for number in 1..=count as u64 {
        let frame = captures.next_frame().expect("a whole frame has arrived");
        assert_eq!(frame.id.number, number);
        allowed.store(true, Ordering::SeqCst);
    }
    assert!(captures.next_frame().is_none());
}

#[test]
fn a_whole_frame_is_handed_out_without_waiting() {
    let whole = small_pcap(Order::Little, 3);
    assert_prompt(vec![whole[..100].to_vec(), whole[100..177].to_vec(), whole[177..].to_vec()]);
    let whole = small_pcapng(Order::Little, 3);
    assert_prompt(vec![whole[..152].to_vec(), whole[152..248].to_vec(), whole[248..].to_vec()]);
}

#[test]
fn a_whole_frame_in_compressed_data_is_handed_out_without_waiting() {
    let whole = small_pcap(Order::Little, 3);
    let parts = [&whole[..100], &whole[100..177], &whole[177..]];
    assert_prompt(parts.iter().map(|part| zstd(part)).collect());
    assert_prompt(parts.iter().map(|part| gzip(part)).collect());
    assert_prompt(parts.iter().map(|part| xz(part)).collect());
}

#[test]
fn a_frame_larger_than_the_buffer() {
    let mut out = Out::new(Order::Little);
    out.section().interface(1, 0, &[]).packet(0, 1, &[1; 100]);
    out.block(0x0bad, |out| {
        out.raw(&vec![7; 3 << 20]);
    });
    out.packet(0, 2, &vec![2; 262_144]).packet(0, 3, &[3; 3]);
    let read = read(&out.octets);
    assert_eq!(read.kinds(), []);
    assert_eq!(read.frames[1].data, vec![2; 262_144]);
    assert_eq!(read.frames[2].data, [3; 3]);
}
