//! The system calls that no crate offers in a safe form, and nothing else.
//!
//! The only unsafe code of the program. Every function checks what the kernel returned before it lets it out.

#![allow(unsafe_code)]

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, AsRawFd};

use libc::{c_int, c_ulong, c_void, socklen_t};

/// asm-generic/sockios.h, the form with the kernel's own `timespec`. Architectures with other numbers of their
/// own (MIPS, SPARC, ...) would answer ENOTTY.
const SIOCGSTAMPNS: c_ulong = 0x8907;

/// `timeval` and `timespec` of asm-generic/sockios.h have 64 bits on all machines this is built for.
const _: () = assert!(size_of::<libc::timespec>() == 16);

/// When the last packet that was read from a socket was seen by the kernel: nanoseconds of CLOCK_REALTIME
/// (SIOCGSTAMPNS). The first call switches stamping on.
///
/// # Errors
/// ENOENT if no packet was read yet.
pub fn last_stamp(socket: impl AsFd) -> io::Result<i64> {
    let mut time = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: the request writes one timespec (struct __kernel_timespec, the same layout by the assertion
    // above), for which there is room; the descriptor is open as long as it is borrowed.
    let result = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), SIOCGSTAMPNS as _, time.as_mut_ptr()) };
    succeeded(result)?;
    // SAFETY: all bit patterns are valid, and it was zeroed.
    let time = unsafe { time.assume_init() };
    Ok(time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec))
}

/// Packets that passed a packet socket's filter, and those of them that were dropped, since this was last
/// asked (PACKET_STATISTICS of packet(7)).
///
/// # Errors
/// If this is no packet socket.
pub fn packet_statistics(socket: impl AsFd) -> io::Result<(u32, u32)> {
    /// `struct tpacket_stats` of linux/if_packet.h.
    #[repr(C)]
    struct Statistics {
        packets: u32,
        drops: u32,
    }
    let found: Statistics = option(socket, libc::SOL_PACKET, libc::PACKET_STATISTICS)?;
    Ok((found.packets, found.drops))
}

/// Leaves out packets that leave (PACKET_IGNORE_OUTGOING, Linux 4.20): cheaper than a filter, since the kernel
/// does not even make a copy for us.
///
/// # Errors
/// ENOPROTOOPT if the kernel does not know it.
pub fn ignore_outgoing(socket: impl AsFd) -> io::Result<()> {
    /// linux/if_packet.h.
    const PACKET_IGNORE_OUTGOING: c_int = 23;
    set_number(socket, libc::SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
}

/// Drops, of IPv4 or IPv6, what comes with a smaller TTL or hop limit than this, before TCP sees it (IP_MINTTL,
/// IPV6_MINHOPCOUNT; net/ipv4/tcp_ipv4.c, `tcp_v4_rcv`; RFC 5082). 0 drops nothing. Takes no rights.
///
/// # Errors
/// ENOPROTOOPT if the kernel does not know it.
pub fn least_ttl(socket: impl AsFd, is_v6: bool, ttl: u8) -> io::Result<()> {
    /// linux/in6.h.
    const IPV6_MINHOPCOUNT: c_int = 73;
    let (level, name) =
        if is_v6 { (libc::SOL_IPV6, IPV6_MINHOPCOUNT) } else { (libc::SOL_IP, libc::IP_MINTTL) };
    set_number(socket, level, name, c_int::from(ttl))
}

fn set_number(socket: impl AsFd, level: c_int, name: c_int, number: c_int) -> io::Result<()> {
    let place: *const c_void = (&raw const number).cast();
    let size = socklen_t::try_from(size_of::<c_int>()).unwrap_or(0);
    // SAFETY: the kernel reads `size` octets of a number that outlives the call.
    let result = unsafe { libc::setsockopt(socket.as_fd().as_raw_fd(), level, name, place, size) };
    succeeded(result)
}

/// What the kernel says of a TCP connection (TCP_INFO of tcp(7), linux/tcp.h).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpInfo {
    /// include/net/tcp_states.h: 1 ESTABLISHED, 2 SYN_SENT, 4 FIN_WAIT1, 7 CLOSE, 8 CLOSE_WAIT, ...
    pub state: u8,
    /// Retransmissions of the oldest segment that is not acknowledged.
    pub retransmits: u8,
    /// Keepalive or zero-window probes sent without an answer.
    pub probes: u8,
    /// Doublings of the timer.
    pub backoff: u8,
    /// TCPI_OPT_*: 1 timestamps, 2 SACK, 4 window scaling, 8 ECN.
    pub options: u8,
    /// Retransmission timeout, µs.
    pub rto: u32,
    /// Segments that are not acknowledged.
    pub unacked: u32,
    /// Since data was last sent, ms.
    pub last_data_sent: u32,
    /// Since an acknowledgment was last sent, ms; Linux leaves it 0.
    pub last_ack_sent: u32,
    /// Since data was last received, ms.
    pub last_data_recv: u32,
    /// Since an acknowledgment was last received, ms.
    pub last_ack_recv: u32,
    /// Smoothed round trip, µs.
    pub rtt: u32,
    /// Retransmissions over the whole connection.
    pub total_retrans: u32,
    /// Segments sent, keepalive probes not counted as data but as segments.
    pub segs_out: u32,
    /// Segments received.
    pub segs_in: u32,
    /// Octets that were written and not sent yet.
    pub not_sent: u32,
}

/// Reads [`TcpInfo`].
///
/// # Errors
/// If this is no TCP socket.
pub fn tcp_info(socket: impl AsFd) -> io::Result<TcpInfo> {
    let info: libc::tcp_info = option_at_most(socket, libc::IPPROTO_TCP, libc::TCP_INFO)?;
    Ok(TcpInfo {
        state: info.tcpi_state,
        retransmits: info.tcpi_retransmits,
        probes: info.tcpi_probes,
        backoff: info.tcpi_backoff,
        options: info.tcpi_options,
        rto: info.tcpi_rto,
        unacked: info.tcpi_unacked,
        last_data_sent: info.tcpi_last_data_sent,
        last_ack_sent: info.tcpi_last_ack_sent,
        last_data_recv: info.tcpi_last_data_recv,
        last_ack_recv: info.tcpi_last_ack_recv,
        rtt: info.tcpi_rtt,
        total_retrans: info.tcpi_total_retrans,
        segs_out: info.tcpi_segs_out,
        segs_in: info.tcpi_segs_in,
        not_sent: info.tcpi_notsent_bytes,
    })
}

/// The hardware type of an interface (ARPHRD_* of linux/if_arp.h).
///
/// # Errors
/// ENODEV if there is none of this name.
pub fn hardware_type(socket: impl AsFd, interface: &str) -> io::Result<u16> {
    let mut request = request(interface)?;
    // SAFETY: SIOCGIFHWADDR reads the name and writes an address into the request.
    let result = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::SIOCGIFHWADDR as _, &mut request) };
    succeeded(result)?;
    // SAFETY: it was zeroed and all bit patterns of an address are valid.
    Ok(unsafe { request.ifr_ifru.ifru_hwaddr.sa_family })
}

/// The largest packet of an interface in octets, without its link header.
///
/// # Errors
/// ENODEV if there is none of this name.
pub fn mtu(socket: impl AsFd, interface: &str) -> io::Result<u32> {
    let mut request = request(interface)?;
    // SAFETY: SIOCGIFMTU reads the name and writes a number into the request.
    let result = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::SIOCGIFMTU as _, &mut request) };
    succeeded(result)?;
    // SAFETY: it was zeroed and all bit patterns of a number are valid.
    Ok(u32::try_from(unsafe { request.ifr_ifru.ifru_mtu }).unwrap_or(0))
}

/// What an interface does in the kernel's place; the number is the command of linux/ethtool.h that asks for it.
/// All of them answer with a `struct ethtool_value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Offload {
    /// Checks received checksums (ETHTOOL_GRXCSUM).
    RxChecksum = 0x14,
    /// Computes the checksums of what is sent (ETHTOOL_GTXCSUM).
    TxChecksum = 0x16,
    /// Cuts large segments (ETHTOOL_GTSO).
    Tso = 0x1e,
    /// Cuts large packets just before the driver (ETHTOOL_GGSO).
    Gso = 0x23,
    /// Puts received segments together (ETHTOOL_GGRO).
    Gro = 0x2b,
}

/// Whether an offload is on.
///
/// # Errors
/// EOPNOTSUPP if its driver knows none of this kind.
pub fn offload(socket: impl AsFd, interface: &str, which: Offload) -> io::Result<bool> {
    /// `struct ethtool_value`.
    #[repr(C)]
    struct Value {
        command: u32,
        data: u32,
    }
    let mut value = Value { command: which as u32, data: 0 };
    let mut request = request(interface)?;
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: SIOCETHTOOL follows the pointer in the request to a value that outlives the call, and every
    // command of `Offload` reads and writes a struct ethtool_value there.
    let result = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::SIOCETHTOOL as _, &mut request) };
    succeeded(result)?;
    Ok(value.data != 0)
}

/// A request about an interface, all zero but for the name.
fn request(interface: &str) -> io::Result<libc::ifreq> {
    // SAFETY: ifreq is a C structure of numbers, pointers and unions of those; all zero is valid.
    let mut request: libc::ifreq = unsafe { MaybeUninit::zeroed().assume_init() };
    let name = interface.as_bytes();
    // The last octet ends the name.
    if name.len() >= request.ifr_name.len() {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name) {
        *to = from.cast_signed() as libc::c_char;
    }
    Ok(request)
}

/// Reads a socket option that fills a C structure of numbers.
fn option<T>(socket: impl AsFd, level: c_int, name: c_int) -> io::Result<T> {
    read_option(socket, level, name, true)
}

/// Reads a socket option of which the kernel may know less than we do; the rest stays zero.
fn option_at_most<T>(socket: impl AsFd, level: c_int, name: c_int) -> io::Result<T> {
    read_option(socket, level, name, false)
}

/// `T` must be a C structure of numbers: both callers above are private, and so are their types.
fn read_option<T>(socket: impl AsFd, level: c_int, name: c_int, whole: bool) -> io::Result<T> {
    let mut value = MaybeUninit::<T>::zeroed();
    let size = socklen_t::try_from(size_of::<T>()).unwrap_or(0);
    let mut length = size;
    let place: *mut c_void = value.as_mut_ptr().cast();
    // SAFETY: the kernel writes at most `length` octets, for which there is room.
    let result = unsafe { libc::getsockopt(socket.as_fd().as_raw_fd(), level, name, place, &raw mut length) };
    succeeded(result)?;
    if whole && length != size {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    // SAFETY: it was zeroed, and every bit pattern is valid for a structure of numbers.
    Ok(unsafe { value.assume_init() })
}

fn succeeded(result: c_int) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
