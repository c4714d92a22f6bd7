//! What the kernel says of its TCP sockets over netlink: questions and answers as octets.
//!
//! Owns [`Connection`] and the layouts of linux/inet_diag.h, linux/netlink.h and linux/tcp.h (`struct tcp_info`, of
//! which older kernels know less). Pure. Numbers are in this machine's byte order but for ports and addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::segment::Endpoint;
use crate::time::Span;

/// AF_INET and AF_INET6.
pub const FAMILIES: [u8; 2] = [2, 10];
/// TCP_ESTABLISHED of include/net/tcp_states.h.
pub const ESTABLISHED: u8 = 1;
/// TCP_LISTEN, likewise.
pub const LISTEN: u8 = 10;

const TCP: u8 = 6;
/// SOCK_DIAG_BY_FAMILY of linux/sock_diag.h.
const BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_DUMP: u16 = 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// INET_DIAG_INFO: a `struct tcp_info`.
const INFO: u16 = 2;
/// INET_DIAG_SKV6ONLY: an octet; the kernel tells it of sockets of IPv6 that listen.
const ONLY_V6: u16 = 11;
/// Octets of `struct nlmsghdr`.
const HEADER: usize = 16;
/// Octets of `struct inet_diag_msg`.
const MESSAGE: usize = 72;
/// Octets of `struct inet_diag_sockid`.
const ID: usize = 48;

/// What the kernel's one timer of an established connection is set for (`idiag_timer`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// None runs: keepalives are off, and nothing waits for an acknowledgment.
    Off,
    /// Data waits for its acknowledgment; this hides whether keepalives are on.
    Retransmission {
        /// Until it fires.
        expires: Span,
    },
    /// Keepalives are on.
    Keepalive {
        /// Until the kernel looks at the connection again, and probes it if it was silent for long enough.
        expires: Span,
        /// Probes without an answer so far.
        unanswered: u8,
    },
    /// The peer's window is closed, and data waits; this hides whether keepalives are on.
    ZeroWindow {
        /// Until it fires.
        expires: Span,
    },
    /// Something else; the kernel's number.
    Other(u8),
}

/// The part of TCP_INFO that matters here. Times are in milliseconds in the kernel, and go by its ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info {
    /// Since data was last sent; since the connection was opened where there was none.
    pub last_data_sent: Span,
    /// Since data was last received; likewise.
    pub last_data_received: Span,
    /// Since an acknowledgment was last received.
    pub last_ack_received: Span,
    /// Timestamps were negotiated.
    pub timestamps: bool,
    /// Retransmission timeout.
    pub rto: Span,
    /// Segments that are not acknowledged.
    pub unacked: u32,
    /// Retransmissions of the oldest of them.
    pub retransmits: u8,
    /// Keepalive or zero-window probes without an answer.
    pub probes: u8,
    /// The window that was last advertised, scaled as on the wire; nothing where the kernel (before Linux 6.2) does not
    /// tell.
    pub window: Option<u16>,
}

impl Info {
    /// How long neither data nor its acknowledgment has left: the latter leaves soon after what is received. Probes are
    /// not told.
    pub fn silent_out(&self) -> Span {
        self.last_data_sent.min(self.last_data_received)
    }

    /// How long nothing has come that the kernel counts.
    pub fn silent_in(&self) -> Span {
        self.last_data_received.min(self.last_ack_received)
    }

    /// How long nothing has left or come.
    pub fn silence(&self) -> Span {
        self.silent_out().min(self.silent_in())
    }

    /// Segments of the kernel's own that nobody answered: probes and retransmissions.
    pub fn unanswered(&self) -> u32 {
        let again = if self.unacked > 0 { u32::from(self.retransmits) } else { 0 };
        u32::from(self.probes).max(again)
    }
}

/// `struct inet_diag_sockid` with its family: what names one socket to the kernel, and no later one (the cookie).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    family: u8,
    id: [u8; ID],
}

/// A connection of this host, or a socket that waits for some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// What the kernel knows it by.
    pub identity: Identity,
    /// Its state: a number of include/net/tcp_states.h.
    pub state: u8,
    /// Our end. IPv4 in a socket of IPv6 is shown as IPv4.
    pub local: Endpoint,
    /// The peer's end.
    pub remote: Endpoint,
    /// The number of the interface to which the socket is bound; 0 for none.
    pub interface: u32,
    /// Whose it is.
    pub uid: u32,
    /// Of the socket, as in /proc/PID/fd.
    pub inode: u32,
    /// It listens for IPv6, and takes no connections of IPv4 (IPV6_V6ONLY).
    pub only_v6: bool,
    /// Which timer runs.
    pub timer: Timer,
    /// Details, if the kernel told them.
    pub info: Option<Info>,
}

/// A message that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// One socket.
    Socket(Box<Connection>),
    /// There are no more.
    Done,
    /// An errno.
    Error(i32),
    /// Something that is not understood.
    Unknown,
}

/// Asks for all sockets of a family in a state.
pub fn ask_all(family: u8, state: u8, number: u32) -> Vec<u8> {
    request(family, state, &[0; ID], NLM_F_REQUEST | NLM_F_DUMP, number)
}

/// Asks for one socket again.
pub fn ask_one(identity: &Identity, number: u32) -> Vec<u8> {
    // Whatever its state: the kernel looks at it in dumps only.
    request(identity.family, ESTABLISHED, &identity.id, NLM_F_REQUEST, number)
}

fn request(family: u8, state: u8, id: &[u8; ID], flags: u16, number: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER + 8 + ID);
    out.extend(((HEADER + 8 + ID) as u32).to_ne_bytes());
    out.extend(BY_FAMILY.to_ne_bytes());
    out.extend(flags.to_ne_bytes());
    out.extend(number.to_ne_bytes());
    out.extend(0_u32.to_ne_bytes());
    // struct inet_diag_req_v2; the extensions are bits that count from 1.
    out.extend([family, TCP, 1 << (INFO - 1), 0]);
    out.extend((1_u32 << state).to_ne_bytes());
    out.extend(id);
    out
}

/// The messages of a datagram that answer the question of that number.
pub fn read(datagram: &[u8], number: u32) -> Vec<Message> {
    let mut messages = Vec::new();
    let mut rest = datagram;
    while let Some(length) = u32_at(rest, 0).map(|length| length as usize) {
        let Some(body) = rest.get(HEADER..length) else { break };
        if u32_at(rest, 8) == Some(number) {
            messages.push(match u16_at(rest, 4) {
                Some(NLMSG_DONE) => Message::Done,
                Some(NLMSG_ERROR) => {
                    Message::Error(u32_at(body, 0).map_or(0, |number| number.cast_signed().wrapping_neg()))
                }
                Some(BY_FAMILY) => {
                    socket(body).map_or(Message::Unknown, |found| Message::Socket(Box::new(found)))
                }
                _ => Message::Unknown,
            });
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    messages
}

/// `struct inet_diag_msg` and what follows it.
fn socket(body: &[u8]) -> Option<Connection> {
    let fixed: &[u8; MESSAGE] = body.first_chunk()?;
    let [family, state, timer, retrans, rest @ ..] = fixed;
    let id: [u8; ID] = *rest.first_chunk()?;
    let number = |at| u32_at(rest, ID + at);
    let port = |at: usize| id.get(at..)?.first_chunk().copied().map(u16::from_be_bytes);
    let end = |port, at| Some(Endpoint { address: address(*family, id.get(at..)?)?, port });
    let expires = Span::from_millis(i64::from(number(0)?));
    let attributes = body.get(MESSAGE..)?;
    Some(Connection {
        identity: Identity { family: *family, id },
        state: *state,
        local: end(port(0)?, 4)?,
        remote: end(port(2)?, 20)?,
        interface: u32_at(&id, 36)?,
        uid: number(12)?,
        inode: number(16)?,
        only_v6: attribute(attributes, ONLY_V6).is_some_and(|value| value.first() != Some(&0)),
        timer: match timer {
            0 => Timer::Off,
            1 => Timer::Retransmission { expires },
            2 => Timer::Keepalive { expires, unanswered: *retrans },
            4 => Timer::ZeroWindow { expires },
            other => Timer::Other(*other),
        },
        info: attribute(attributes, INFO).and_then(info),
    })
}

fn address(family: u8, octets: &[u8]) -> Option<IpAddr> {
    if family == FAMILIES[0] {
        let octets: [u8; 4] = *octets.first_chunk()?;
        return Some(Ipv4Addr::from(octets).into());
    }
    let octets: [u8; 16] = *octets.first_chunk()?;
    Some(Ipv6Addr::from(octets).to_canonical())
}

/// The value of an attribute (`struct nlattr`).
fn attribute(mut rest: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let length = usize::from(u16_at(rest, 0)?);
        let value = rest.get(4..length)?;
        if u16_at(rest, 2)? == wanted {
            return Some(value);
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
}

/// `struct tcp_info`; offsets of linux/tcp.h.
fn info(octets: &[u8]) -> Option<Info> {
    /// TCPI_OPT_TIMESTAMPS.
    const TIMESTAMPS: u8 = 1;
    let millis = |at| u32_at(octets, at).map(|millis| Span::from_millis(i64::from(millis)));
    let scales = *octets.get(6)?;
    // tcpi_snd_wscale : 4, tcpi_rcv_wscale : 4.
    let scale = if cfg!(target_endian = "little") { scales >> 4 } else { scales & 0xf };
    let scaled = |window: u32| u16::try_from(window >> scale).unwrap_or(u16::MAX);
    Some(Info {
        last_data_sent: millis(44)?,
        last_data_received: millis(52)?,
        last_ack_received: millis(56)?,
        timestamps: octets.get(5)? & TIMESTAMPS != 0,
        rto: Span::from_micros(i64::from(u32_at(octets, 8)?)),
        unacked: u32_at(octets, 24)?,
        retransmits: *octets.get(2)?,
        probes: *octets.get(3)?,
        window: u32_at(octets, 232).map(scaled),
    })
}

fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..)?.first_chunk().copied().map(u16::from_ne_bytes)
}

fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(at..)?.first_chunk().copied().map(u32::from_ne_bytes)
}

#[cfg(test)]
impl Connection {
    /// One that is established, and of which nothing else is known.
    pub(super) fn between(local: Endpoint, remote: Endpoint) -> Connection {
        Connection {
            identity: Identity { family: FAMILIES[0], id: [0; ID] },
            state: ESTABLISHED,
            local,
            remote,
            interface: 0,
            uid: 0,
            inode: 0,
            only_v6: false,
            timer: Timer::Off,
            info: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One socket as a kernel would tell of it, with that much of a `tcp_info`.
    fn answer(family: u8, info_octets: usize) -> Vec<u8> {
        let mut id = [0; ID];
        id[..4].copy_from_slice(&[0x9c, 0x40, 0x01, 0xbb]);
        match family {
            2 => {
                id[4..8].copy_from_slice(&[192, 0, 2, 1]);
                id[20..24].copy_from_slice(&[198, 51, 100, 2]);
            }
            _ => {
                id[4..20].copy_from_slice(&"::ffff:192.0.2.1".parse::<Ipv6Addr>().unwrap().octets());
                id[20..36].copy_from_slice(&"2001:db8::2".parse::<Ipv6Addr>().unwrap().octets());
            }
        }
        let mut body = vec![family, ESTABLISHED, 2, 3];
        body.extend(id);
        for number in [7_200_000_u32, 0, 0, 1000, 4711] {
            body.extend(number.to_ne_bytes());
        }
        let mut info = vec![0_u8; 240];
        info[5] = 1;
        info[6] = if cfg!(target_endian = "little") { 0x70 } else { 0x07 };
        info[44..48].copy_from_slice(&9000_u32.to_ne_bytes());
        info[52..56].copy_from_slice(&8000_u32.to_ne_bytes());
        info[56..60].copy_from_slice(&7000_u32.to_ne_bytes());
        info[232..236].copy_from_slice(&65_536_u32.to_ne_bytes());
        info.truncate(info_octets);
        // Another attribute first: INET_DIAG_SKV6ONLY, one octet and its padding.
        body.extend([5_u16.to_ne_bytes(), 11_u16.to_ne_bytes()].concat());
        body.extend([1, 0, 0, 0]);
        body.extend((4 + info_octets as u16).to_ne_bytes());
        body.extend(INFO.to_ne_bytes());
        body.extend(info);
        let mut message = ((HEADER + body.len()) as u32).to_ne_bytes().to_vec();
        message.extend([BY_FAMILY.to_ne_bytes(), 2_u16.to_ne_bytes()].concat());
        message.extend([9_u32.to_ne_bytes(), 0_u32.to_ne_bytes()].concat());
        message.extend(body);
        message
    }

    fn one(datagram: &[u8]) -> Connection {
        match read(datagram, 9).as_slice() {
            [Message::Socket(found)] => (**found).clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_socket_is_read_with_its_timer_and_times() {
        let found = one(&answer(2, 240));
        assert_eq!(found.local.to_string(), "192.0.2.1:40000");
        assert_eq!(found.remote.to_string(), "198.51.100.2:443");
        assert_eq!((found.uid, found.inode), (1000, 4711));
        assert_eq!(found.timer, Timer::Keepalive { expires: Span::from_secs(7200), unanswered: 3 });
        let info = found.info.unwrap();
        assert_eq!((info.silent_out(), info.silent_in()), (Span::from_secs(8), Span::from_secs(7)));
        assert_eq!((info.silence(), info.timestamps, info.window), (Span::from_secs(7), true, Some(512)));
        // The question for it again carries the same name.
        assert_eq!(ask_one(&found.identity, 10)[24..], answer(2, 240)[20..68]);
    }

    #[test]
    fn ipv4_in_a_socket_of_ipv6_is_shown_as_ipv4() {
        let found = one(&answer(10, 240));
        assert_eq!(found.local.to_string(), "192.0.2.1:40000");
        assert_eq!(found.remote.to_string(), "[2001:db8::2]:443");
    }

    #[test]
    fn older_kernels_tell_less_and_cut_messages_tell_nothing() {
        assert_eq!(one(&answer(2, 232)).info.unwrap().window, None);
        assert_eq!(one(&answer(2, 40)).info, None);
        let whole = answer(2, 240);
        for length in 0..whole.len() {
            assert_eq!(read(&whole[..length], 9), [], "{length}");
            // A length that claims less than there is must not be read past it, nor loop.
            let mut lies = whole.clone();
            lies[..4].copy_from_slice(&(length as u32).to_ne_bytes());
            let _ = read(&lies, 9);
        }
        assert_eq!(read(&whole, 8), [], "another question's");
    }
}
