//! Captures made octet by octet, and what comes out of them.

use std::io::{Cursor, Write};

use keepscope::capture::{Captures, Problem, ProblemKind};
use keepscope::frame::LinkType;

/// A frame with its octets copied, for comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub capture: u32,
    pub number: u64,
    pub nanos: i64,
    pub interface: u32,
    pub link: LinkType,
    pub fcs_len: u8,
    pub wire_len: u32,
    pub data: Vec<u8>,
}

pub struct Read {
    pub frames: Vec<Seen>,
    pub problems: Vec<Problem>,
}

impl Read {
    pub fn kinds(&self) -> Vec<ProblemKind> {
        self.problems.iter().map(|problem| problem.kind).collect()
    }

    pub fn numbers(&self) -> Vec<u64> {
        self.frames.iter().map(|frame| frame.number).collect()
    }

    pub fn nanos(&self) -> Vec<i64> {
        self.frames.iter().map(|frame| frame.nanos).collect()
    }
}

pub fn drain(captures: &mut Captures) -> Read {
    let mut frames = Vec::new();
    while let Some(frame) = captures.next_frame() {
        frames.push(Seen {
            capture: frame.id.capture,
            number: frame.id.number,
            nanos: frame.time.as_nanos(),
            interface: frame.interface,
            link: frame.link,
            fcs_len: frame.fcs_len,
            wire_len: frame.wire_len,
            data: frame.data.to_vec(),
        });
    }
    let problems: Vec<Problem> = captures.problems().cloned().collect();
    assert!(captures.next_frame().is_none(), "the end stays the end");
    assert_eq!(captures.problems().cloned().collect::<Vec<_>>(), problems, "and is told once");
    for problem in &problems {
        let line = problem.to_string();
        assert!(!line.contains('\n'), "{line}");
        assert!(line.starts_with(&*problem.name), "{line}");
    }
    Read { frames, problems }
}

pub fn read(octets: &[u8]) -> Read {
    drain(&mut Captures::from_reader("test", Cursor::new(octets.to_vec())))
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Order {
    Little,
    Big,
}

pub const ORDERS: [Order; 2] = [Order::Little, Order::Big];

/// Octets in a byte order.
pub struct Out {
    pub order: Order,
    pub octets: Vec<u8>,
}

impl Out {
    pub fn new(order: Order) -> Self {
        Self { order, octets: Vec::new() }
    }

    pub fn u16(&mut self, value: u16) -> &mut Self {
        match self.order {
            Order::Little => self.octets.extend(value.to_le_bytes()),
            Order::Big => self.octets.extend(value.to_be_bytes()),
        }
        self
    }

    pub fn u32(&mut self, value: u32) -> &mut Self {
        match self.order {
            Order::Little => self.octets.extend(value.to_le_bytes()),
            Order::Big => self.octets.extend(value.to_be_bytes()),
        }
        self
    }

    pub fn raw(&mut self, octets: &[u8]) -> &mut Self {
        self.octets.extend(octets);
        self
    }

    pub fn padded(&mut self, octets: &[u8]) -> &mut Self {
        self.octets.extend(octets);
        let padding = octets.len().next_multiple_of(4) - octets.len();
        // Not zeros, so that padding taken for data is noticed.
        self.octets.extend(std::iter::repeat_n(0xee, padding));
        self
    }

    pub fn pcap_header(&mut self, magic: u32, snaplen: u32, link: u32) -> &mut Self {
        self.u32(magic).u16(2).u16(4).u32(0).u32(0).u32(snaplen).u32(link)
    }

    pub fn pcap_record(&mut self, seconds: u32, fraction: u32, wire_len: u32, data: &[u8]) -> &mut Self {
        self.u32(seconds).u32(fraction).u32(data.len() as u32).u32(wire_len).raw(data)
    }

    pub fn block(&mut self, kind: u32, body: impl FnOnce(&mut Out)) -> &mut Self {
        let mut inner = Out::new(self.order);
        body(&mut inner);
        assert!(inner.octets.len().is_multiple_of(4));
        let length = inner.octets.len() as u32 + 12;
        self.u32(kind).u32(length).raw(&inner.octets).u32(length)
    }

    pub fn section(&mut self) -> &mut Self {
        self.block(0x0a0d_0d0a, |out| {
            out.u32(0x1a2b_3c4d).u16(1).u16(0).u32(u32::MAX).u32(u32::MAX);
        })
    }

    pub fn interface(&mut self, link: u16, snaplen: u32, options: &[(u16, &[u8])]) -> &mut Self {
        self.block(1, |out| {
            out.u16(link).u16(0).u32(snaplen);
            for (code, value) in options {
                out.u16(*code).u16(value.len() as u16).padded(value);
            }
            if !options.is_empty() {
                out.u16(0).u16(0);
            }
        })
    }

    pub fn packet(&mut self, interface: u32, units: u64, data: &[u8]) -> &mut Self {
        let length = data.len() as u32;
        self.block(6, |out| {
            out.u32(interface)
                .u32((units >> 32) as u32)
                .u32(units as u32)
                .u32(length)
                .u32(length)
                .padded(data);
        })
    }
}

pub const MICROS: u32 = 0xa1b2_c3d4;
pub const NANOS: u32 = 0xa1b2_3c4d;

/// A pcap of `count` packets, one per second from 1 700 000 000 on, of 60 octets and a few.
pub fn small_pcap(order: Order, count: u32) -> Vec<u8> {
    let mut out = Out::new(order);
    out.pcap_header(MICROS, 65_535, 1);
    for index in 0..count {
        out.pcap_record(1_700_000_000 + index, 5, 60 + index, &vec![index as u8; 60 + index as usize]);
    }
    out.octets
}

/// The same as pcapng.
pub fn small_pcapng(order: Order, count: u32) -> Vec<u8> {
    let mut out = Out::new(order);
    out.section().interface(1, 65_535, &[(2, b"eth0")]);
    for index in 0..count {
        let micros = (1_700_000_000 + u64::from(index)) * 1_000_000 + 5;
        out.packet(0, micros, &vec![index as u8; 60 + index as usize]);
    }
    out.octets
}

pub fn gzip(octets: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(octets).unwrap();
    encoder.finish().unwrap()
}

pub fn zstd(octets: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(octets, 3).unwrap()
}

pub fn xz(octets: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
    encoder.write_all(octets).unwrap();
    encoder.finish().unwrap()
}
