//! Tests of many connections at once, through a [`Wire`].
//!
//! Owns [`run`], and the [`look`] at a socket that decides before each segment whether it may leave.

use std::io;

use rustix::rand::{GetRandomFlags, getrandom};

use super::diag::{Connection, ESTABLISHED};
use super::machine::{Changed, FLAGS, Machine, Shot};
use super::owner::Holder;
use super::table::Table;
use super::translation::arrived;
use crate::live::wire::{Arrival, Wire, WireError};
use crate::segment::decode::{Decoded, decode};
use crate::segment::encode::Outbound;
use crate::segment::{Endpoint, Options, SeqNum};

/// Window of a segment where the kernel does not tell that of the socket. It is never taken.
const WINDOW: u16 = 512;

/// Time to live of ordinary segments of Linux (net.ipv4.ip_default_ttl).
const TTL: u8 = 64;

/// One connection that is tested.
#[derive(Clone, Debug)]
pub struct Test {
    /// Our end and the peer's.
    pub ends: (Endpoint, Endpoint),
    /// The same on the wire: others if this host translates them.
    pub wire: (Endpoint, Endpoint),
    /// The socket's window as on the wire, if it is known.
    pub window: Option<u16>,
    /// How the test stands.
    pub machine: Machine,
}

/// Two numbers that nobody can foresee, to begin a test with.
///
/// # Errors
/// If the system has none.
pub fn numbers() -> io::Result<(SeqNum, SeqNum)> {
    let mut octets = [0_u8; 8];
    // So few octets come at once or not at all (getrandom(2)).
    if getrandom(&mut octets, GetRandomFlags::empty())? < octets.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let [a, b, c, d, e, f, g, h] = octets;
    Ok((SeqNum(u32::from_ne_bytes([a, b, c, d])), SeqNum(u32::from_ne_bytes([e, f, g, h]))))
}

/// Whether the kernel still has this very socket, established, of the same user and held by the same processes; and how
/// many segments of its own nobody answered.
///
/// # Errors
/// If anything of that changed, or cannot be seen.
pub fn look(table: &mut Table, was: &Connection, holders: &[Holder]) -> Result<u32, Changed> {
    let is =
        table.again(was).map_err(|error| Changed::CannotLook(error.to_string()))?.ok_or(Changed::Gone)?;
    if is.state != ESTABLISHED {
        return Err(Changed::State(is.state));
    }
    if (is.inode, is.uid, is.local, is.remote) != (was.inode, was.uid, was.local, was.remote) {
        return Err(Changed::Owner);
    }
    if let Some(ended) = holders.iter().find(|holder| holder.has_ended()) {
        return Err(Changed::Ended(ended.pid));
    }
    Ok(is.info.map_or(0, |info| info.unanswered()))
}

/// Runs all tests to their ends. `look` says whether the socket of the test of that number is what it was, and how many
/// segments of the kernel's own nobody answered. Returns whether the user broke it off.
///
/// # Errors
/// If the world cannot go on; tests without a verdict have none then.
pub fn run(
    wire: &mut dyn Wire,
    tests: &mut [Test],
    look: &mut dyn FnMut(usize) -> Result<u32, Changed>,
) -> Result<bool, WireError> {
    loop {
        let now = wire.now();
        for (number, test) in tests.iter_mut().enumerate() {
            let Some(shot) = test.machine.on_timeout(now) else { continue };
            match look(number) {
                Err(changed) => test.machine.on_changed(changed),
                Ok(unanswered) => {
                    test.machine.on_kernel_unanswered(unanswered);
                    let at = wire.now();
                    match send(wire, test, &shot) {
                        Ok(()) => test.machine.on_sent(at, shot),
                        Err(error) => test.machine.on_not_sent(error.to_string()),
                    }
                }
            }
        }
        let Some(until) = tests.iter().filter_map(|test| test.machine.next_timeout()).min() else {
            return Ok(false);
        };
        match wire.next(Some(until))? {
            Arrival::Frame(frame) => match decode(&frame) {
                Decoded::Segment(segment) if tests.iter().any(|test| test.machine.is_own(&segment)) => {}
                Decoded::Segment(segment) => {
                    for test in tests.iter_mut() {
                        test.machine.on_segment(&arrived(&segment, test.ends, test.wire));
                    }
                }
                Decoded::Icmp(error) => tests.iter_mut().for_each(|test| test.machine.on_icmp(&error)),
                Decoded::Skipped(_) | Decoded::Waiting => {}
            },
            Arrival::Interrupted => {
                tests.iter_mut().for_each(|test| test.machine.interrupt());
                return Ok(true);
            }
            _ => {}
        }
    }
}

fn send(wire: &mut dyn Wire, test: &Test, shot: &Shot) -> Result<(), WireError> {
    let (source, destination) = test.ends;
    wire.send(&Outbound {
        source,
        destination,
        seq: shot.seq,
        ack: shot.ack,
        flags: FLAGS,
        window: test.window.unwrap_or(WINDOW),
        options: Options { timestamps: shot.timestamps, ..Options::default() },
        payload: &[],
        ttl: TTL,
        ip_id: 0,
        dont_fragment: true,
    })
}
