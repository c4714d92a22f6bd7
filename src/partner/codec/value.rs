//! The values that messages are made of: numbers, times, ends of connections. Numbers are big-endian.

use std::net::IpAddr;

use super::{Frame, LENGTH};
use crate::partner::Tuple;
use crate::partner::message::{Abilities, Form};
use crate::segment::Endpoint;
use crate::time::{Span, Timestamp};

/// Writes a frame.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn new(kind: u8) -> Self {
        let mut octets = Vec::with_capacity(96);
        octets.extend_from_slice(&[0, 0, kind]);
        Self(octets)
    }

    pub(super) fn octets(&mut self, octets: &[u8]) -> &mut Self {
        self.0.extend_from_slice(octets);
        self
    }

    pub(super) fn u8(&mut self, value: u8) -> &mut Self {
        self.octets(&[value])
    }

    pub(super) fn u16(&mut self, value: u16) -> &mut Self {
        self.octets(&value.to_be_bytes())
    }

    pub(super) fn u32(&mut self, value: u32) -> &mut Self {
        self.octets(&value.to_be_bytes())
    }

    pub(super) fn u64(&mut self, value: u64) -> &mut Self {
        self.octets(&value.to_be_bytes())
    }

    pub(super) fn time(&mut self, time: Timestamp) -> &mut Self {
        self.octets(&time.as_nanos().to_be_bytes())
    }

    /// In nanoseconds; a negative one is written as none, as none can be read.
    pub(super) fn span(&mut self, span: Span) -> &mut Self {
        self.octets(&span.as_nanos().max(0).to_be_bytes())
    }

    /// IP version, address (IPv4: four octets), port.
    pub(super) fn endpoint(&mut self, endpoint: Endpoint) -> &mut Self {
        match endpoint.address {
            IpAddr::V4(address) => self.u8(4).octets(&address.octets()),
            IpAddr::V6(address) => self.u8(6).octets(&address.octets()),
        };
        self.u16(endpoint.port)
    }

    pub(super) fn tuple(&mut self, tuple: &Tuple) -> &mut Self {
        self.endpoint(tuple.local).endpoint(tuple.remote)
    }

    pub(super) fn form(&mut self, form: Form) -> &mut Self {
        let kind = match form {
            Form::Data(_) => 1,
            Form::Keepalive(_) => 2,
        };
        self.u8(kind).u8(form.octets())
    }

    pub(super) fn abilities(&mut self, abilities: Abilities) -> &mut Self {
        let Abilities { keepalive, garbage, strays } = abilities;
        self.u8(u8::from(keepalive) | u8::from(garbage) << 1 | u8::from(strays) << 2)
    }

    /// Room that is filled later.
    pub(super) fn reserve(&mut self, octets: usize) {
        self.0.resize(self.0.len() + octets, 0);
    }

    /// The frame, with its length. No message is longer than a frame may be.
    pub(super) fn finish(mut self) -> Frame {
        let length = u16::try_from(self.0.len().saturating_sub(LENGTH)).unwrap_or(u16::MAX);
        self.0.iter_mut().zip(length.to_be_bytes()).for_each(|(to, from)| *to = from);
        Frame(self.0)
    }
}

/// Reads the body of a frame.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self(body)
    }

    /// Whether nothing is left.
    pub(super) fn is_done(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn begins_with(&mut self, prefix: &[u8]) -> bool {
        match self.0.strip_prefix(prefix) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    /// Leaves out all that is left.
    pub(super) fn skip<T>(&mut self, instead: T) -> T {
        self.0 = &[];
        instead
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    pub(super) fn time(&mut self) -> Option<Timestamp> {
        self.array().map(i64::from_be_bytes).map(Timestamp::from_nanos)
    }

    pub(super) fn span(&mut self) -> Option<Span> {
        self.array().map(i64::from_be_bytes).filter(|nanos| *nanos >= 0).map(Span::from_nanos)
    }

    pub(super) fn endpoint(&mut self) -> Option<Endpoint> {
        let address = match self.u8()? {
            4 => IpAddr::from(self.array::<4>()?),
            6 => IpAddr::from(self.array::<16>()?),
            _ => return None,
        };
        Some(Endpoint { address, port: self.u16()? })
    }

    pub(super) fn tuple(&mut self) -> Option<Tuple> {
        Some(Tuple { local: self.endpoint()?, remote: self.endpoint()? })
    }

    pub(super) fn form(&mut self) -> Option<Form> {
        let form = match (self.u8()?, self.u8()?) {
            (1, octets) => Form::Data(octets),
            (2, octets) => Form::Keepalive(octets),
            _ => return None,
        };
        form.is_valid().then_some(form)
    }

    pub(super) fn abilities(&mut self) -> Option<Abilities> {
        let bits = self.u8().filter(|bits| *bits < 8)?;
        Some(Abilities { keepalive: bits & 1 != 0, garbage: bits & 2 != 0, strays: bits & 4 != 0 })
    }
}
