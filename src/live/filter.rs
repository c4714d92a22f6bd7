//! Which frames the kernel hands over: programs for its packet filter.
//!
//! Owns [`Filter`] and the way from it to classic BPF ([`Filter::program`]), which the kernel runs for every
//! packet of an interface before it copies anything. Pure; the kernel gets the result from [`super::system`].
//!
//! All loads are relative to the network header (SKF_NET_OFF, linux/filter.h), so that one program serves
//! Ethernet, tags and tunnel devices. Instructions and their numbers: Linux's
//! Documentation/networking/filter.rst.

mod ends;
mod program;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;
pub use program::{Instruction, NETWORK_HEADER, PACKET_TYPE};
use program::{Label, Program};

use crate::analysis::filter::Condition;

/// Most peers that a program names; with more of them it passes all TCP. The kernel takes 4096 instructions
/// (BPF_MAXINSNS), and an IPv6 peer needs 58.
pub const MAX_PEERS: usize = 64;

/// Longest program that is made of conditions, in instructions; with more of them it passes all TCP. The kernel
/// would take 4096 (BPF_MAXINSNS), but what it makes of them, with 8 octets or more for each, has to fit into
/// net.core.optmem_max, which is 20480 octets by default in older kernels; and each packet is compared with all.
const LONGEST: usize = 1200;

/// The frames that are wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub enum Filter {
    /// None.
    #[default]
    Nothing,
    /// TCP from and to these peers, and ICMP errors about TCP.
    Peers(Vec<SocketAddr>),
    /// TCP whose ends fulfil all conditions, as far as a packet shows its ends, and ICMP errors about TCP.
    /// Made by [`Filter::ends`].
    Ends(Vec<Condition>),
    /// All TCP, and ICMP errors about TCP.
    Tcp,
    /// TCP segments with at most one octet of data or with SYN, FIN or RST, and ICMP errors about TCP: all that
    /// keepalives can be recognised by, but not the data between.
    SmallTcp,
}

/// PACKET_OUTGOING of linux/if_packet.h.
const OUTGOING: u32 = 4;

const TCP: u32 = 6;
const ICMP: u32 = 1;
const ICMPV6: u32 = 58;
/// Hop-by-hop options, routing, fragment, destination options.
const EXTENSIONS: [u32; 4] = [0, 43, 44, 60];

/// Scratch memory in which a packet's addresses (four words each, IPv4 in the first) and ports are kept.
const SOURCE: u32 = 0;
const DESTINATION: u32 = 4;
const SOURCE_PORT: u32 = 8;
const DESTINATION_PORT: u32 = 9;
/// Where the TCP header begins, behind the network header.
const TRANSPORT: u32 = 10;
/// Octets of the packet from the TCP header on.
const LENGTH: u32 = 11;

impl Filter {
    /// TCP whose ends fulfil all conditions; all TCP where there are none, or too many to be named.
    pub fn ends(conditions: Vec<Condition>) -> Self {
        let filter = if conditions.is_empty() { Filter::Tcp } else { Filter::Ends(conditions) };
        if filter.assemble(true).len() > LONGEST { Filter::Tcp } else { filter }
    }

    /// The program for this filter; `fold` leaves out packets that leave, for an interface that shows every
    /// packet a second time as one that comes (loopback).
    pub fn program(&self, fold: bool) -> Vec<Instruction> {
        let program = self.assemble(fold);
        let too_long = matches!(self, Filter::Ends(_)) && program.len() > LONGEST;
        if too_long { Filter::Tcp.assemble(fold) } else { program }
    }

    fn assemble(&self, fold: bool) -> Vec<Instruction> {
        let mut program = Program::default();
        if *self == Filter::Nothing {
            program.drop();
            return program.finish();
        }
        if fold {
            let comes = program.label();
            program.load_packet_type();
            program.unless_equal(OUTGOING, comes);
            program.drop();
            program.place(comes);
        }
        let (v4, v6, neither) = (program.label(), program.label(), program.label());
        program.load_octet(0);
        program.shift_right(4);
        program.if_equal(4, v4);
        program.if_equal(6, v6);
        program.place(neither);
        program.drop();
        program.place(v4);
        self.v4(&mut program);
        program.place(v6);
        self.v6(&mut program);
        program.finish()
    }

    /// An IPv4 packet (RFC 791).
    fn v4(&self, program: &mut Program) {
        let (tcp, icmp, first, later) = (program.label(), program.label(), program.label(), program.label());
        program.load_octet(9);
        program.if_equal(TCP, tcp);
        program.if_equal(ICMP, icmp);
        program.drop();

        program.place(icmp);
        let kind = program.label();
        program.header_length_to_x(0);
        program.load_octet_at_x(0);
        // Unreachable, time exceeded, parameter problem; then the protocol of the quoted packet.
        for wanted in [3, 11, 12] {
            program.if_equal(wanted, kind);
        }
        program.drop();
        program.place(kind);
        program.load_octet_at_x(8 + 9);
        program.keep_if_equal(TCP);

        program.place(tcp);
        program.load_word(12);
        program.store(SOURCE);
        program.load_word(16);
        program.store(DESTINATION);
        program.load_half(6);
        program.and(0x1fff);
        program.if_equal(0, first);
        // Ports are in the first fragment only.
        self.fragment::<Ipv4Addr>(program);
        program.place(later);
        program.drop();

        program.place(first);
        program.header_length_to_x(0);
        program.x_to_a();
        program.store(TRANSPORT);
        program.load_half(2);
        program.subtract_x();
        program.store(LENGTH);
        self.segment::<Ipv4Addr>(program);
    }

    /// An IPv6 packet (RFC 8200). Those with extension headers are kept by their addresses.
    fn v6(&self, program: &mut Program) {
        let (tcp, icmp, extended) = (program.label(), program.label(), program.label());
        program.load_octet(6);
        program.if_equal(TCP, tcp);
        program.if_equal(ICMPV6, icmp);
        for header in EXTENSIONS {
            program.if_equal(header, extended);
        }
        program.drop();

        program.place(icmp);
        let kind = program.label();
        program.load_octet(40);
        // Unreachable, packet too big, time exceeded, parameter problem.
        for wanted in 1..=4 {
            program.if_equal(wanted, kind);
        }
        program.drop();
        program.place(kind);
        program.load_octet(40 + 8 + 6);
        program.keep_if_equal(TCP);

        // One header is looked behind: the reports of multicast listeners have one, too.
        let maybe = program.label();
        program.place(extended);
        program.load_octet(40);
        program.if_equal(TCP, maybe);
        for header in EXTENSIONS {
            program.if_equal(header, maybe);
        }
        program.drop();
        program.place(maybe);
        self.addresses(program);
        self.fragment::<Ipv6Addr>(program);

        program.place(tcp);
        self.addresses(program);
        program.load_constant(40);
        program.store(TRANSPORT);
        program.load_half(4);
        program.store(LENGTH);
        self.segment::<Ipv6Addr>(program);
    }

    /// Keeps an IPv6 packet's addresses, where somebody looks at them.
    fn addresses(&self, program: &mut Program) {
        if matches!(self, Filter::Peers(_) | Filter::Ends(_)) {
            for word in 0..8 {
                program.load_word(8 + 4 * word);
                program.store(SOURCE + word);
            }
        }
    }

    /// Ends with a TCP segment whose addresses, place and length are known.
    fn segment<A: Address>(&self, program: &mut Program) {
        match self {
            Filter::Nothing => program.drop(),
            Filter::Tcp => program.keep(),
            Filter::SmallTcp => small(program),
            Filter::Peers(peers) if peers.len() > MAX_PEERS => program.keep(),
            Filter::Ends(conditions) => {
                ports(program);
                ends::segment::<A>(program, conditions);
            }
            Filter::Peers(peers) => {
                ports(program);
                for (words, port) in peers.iter().filter_map(A::words) {
                    for (address, from) in [(SOURCE, SOURCE_PORT), (DESTINATION, DESTINATION_PORT)] {
                        matches(program, &words, address, Some((from, u32::from(port))));
                    }
                }
                program.drop();
            }
        }
    }

    /// Ends with a packet of which only the addresses are known.
    fn fragment<A: Address>(&self, program: &mut Program) {
        match self {
            Filter::Nothing => program.drop(),
            Filter::Peers(peers) if peers.len() <= MAX_PEERS => {
                let mut named = Vec::new();
                for (words, _) in peers.iter().filter_map(A::words) {
                    if !named.contains(&words) {
                        matches(program, &words, SOURCE, None);
                        matches(program, &words, DESTINATION, None);
                        named.push(words);
                    }
                }
                program.drop();
            }
            Filter::Ends(conditions) => ends::fragment::<A>(program, conditions),
            Filter::Tcp | Filter::SmallTcp | Filter::Peers(_) => program.keep(),
        }
    }
}

/// What is asked for, for people.
impl std::fmt::Display for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Filter::Nothing => f.write_str("nothing"),
            Filter::Peers(peers) => {
                let peers: Vec<String> = peers.iter().map(SocketAddr::to_string).collect();
                write!(f, "TCP of {} and ICMP errors", peers.join(", "))
            }
            Filter::Ends(conditions) => {
                let conditions: Vec<String> = conditions.iter().map(Condition::to_string).collect();
                write!(f, "TCP of {} and ICMP errors", conditions.join(" "))
            }
            Filter::Tcp => f.write_str("all TCP and ICMP errors"),
            Filter::SmallTcp => f.write_str("small TCP segments and ICMP errors"),
        }
    }
}

/// Keeps a segment's ports.
fn ports(program: &mut Program) {
    program.load_x(TRANSPORT);
    program.load_half_at_x(0);
    program.store(SOURCE_PORT);
    program.load_half_at_x(2);
    program.store(DESTINATION_PORT);
}

/// Keeps a packet whose address in memory is `words`, and whose port is the given one.
fn matches(program: &mut Program, words: &[u32], address: u32, port: Option<(u32, u32)>) {
    let other = program.label();
    for (word, place) in words.iter().zip(address..) {
        program.load(place);
        program.unless_equal(*word, other);
    }
    if let Some((place, port)) = port {
        program.load(place);
        program.unless_equal(port, other);
    }
    program.keep();
    program.place(other);
}

/// Keeps a segment with a control bit that begins or ends a connection, or with at most one octet of data.
fn small(program: &mut Program) {
    let (event, without_length): (Label, Label) = (program.label(), program.label());
    program.load_x(TRANSPORT);
    program.load_octet_at_x(13);
    // FIN, SYN, RST.
    program.if_any(0x07, event);
    program.load_octet_at_x(12);
    program.and(0xf0);
    program.shift_right(2);
    program.a_to_x();
    program.load(LENGTH);
    // A packet that is longer than its own length field can say.
    program.unless_at_least(20, without_length);
    program.subtract_x();
    program.unless_greater(1, event);
    program.place(without_length);
    program.drop();
    program.place(event);
    program.keep();
}

/// An address of one IP version, in the words in which a program compares it.
trait Address {
    /// The words and the port of a peer of this IP version.
    fn words(peer: &SocketAddr) -> Option<(Vec<u32>, u16)>;

    /// The words of a network of this IP version, each with those of its bits that count.
    fn masked(network: &IpNet) -> Option<Vec<(u32, u32)>>;
}

impl Address for Ipv4Addr {
    fn words(peer: &SocketAddr) -> Option<(Vec<u32>, u16)> {
        match peer.ip().to_canonical() {
            IpAddr::V4(address) => Some((vec![address.to_bits()], peer.port())),
            IpAddr::V6(_) => None,
        }
    }

    fn masked(network: &IpNet) -> Option<Vec<(u32, u32)>> {
        match network {
            IpNet::V4(network) => Some(vec![(network.network().to_bits(), network.netmask().to_bits())]),
            IpNet::V6(_) => None,
        }
    }
}

impl Address for Ipv6Addr {
    fn words(peer: &SocketAddr) -> Option<(Vec<u32>, u16)> {
        match peer.ip().to_canonical() {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => Some((words_of(address).to_vec(), peer.port())),
        }
    }

    fn masked(network: &IpNet) -> Option<Vec<(u32, u32)>> {
        match network {
            IpNet::V4(_) => None,
            IpNet::V6(network) => {
                Some(words_of(network.network()).into_iter().zip(words_of(network.netmask())).collect())
            }
        }
    }
}

fn words_of(address: Ipv6Addr) -> [u32; 4] {
    let word = |a: u16, b: u16| u32::from(a) << 16 | u32::from(b);
    let [a, b, c, d, e, f, g, h] = address.segments();
    [word(a, b), word(c, d), word(e, f), word(g, h)]
}

#[cfg(test)]
mod tests;
