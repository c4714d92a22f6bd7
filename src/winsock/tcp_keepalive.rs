//! The argument of `SIO_KEEPALIVE_VALS`.
//!
//! Owns its form in memory. Uses the constants.

use super::constant::DWORD_SIZE;

/// `struct tcp_keepalive` of `Mstcpip.h`, laid out as there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[repr(C)]
pub struct TcpKeepalive {
    /// 0 turns keepalives off, anything else on.
    pub onoff: u32,
    /// Idle time before the first probe, in milliseconds.
    pub keepalivetime: u32,
    /// Time between probes that are not answered, in milliseconds.
    pub keepaliveinterval: u32,
}

impl TcpKeepalive {
    /// Its octets in memory.
    pub const SIZE: usize = 3 * DWORD_SIZE;

    /// As it lies in memory: three little-endian DWORDs.
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        let members = [self.onoff, self.keepalivetime, self.keepaliveinterval];
        for (octets, member) in bytes.chunks_exact_mut(DWORD_SIZE).zip(members) {
            octets.copy_from_slice(&member.to_le_bytes());
        }
        bytes
    }

    /// Reads it from the beginning of a buffer; nothing if that is too short.
    pub fn from_bytes(buffer: &[u8]) -> Option<TcpKeepalive> {
        let (onoff, rest) = buffer.split_first_chunk()?;
        let (time, rest) = rest.split_first_chunk()?;
        let interval = rest.first_chunk()?;
        Some(TcpKeepalive {
            onoff: u32::from_le_bytes(*onoff),
            keepalivetime: u32::from_le_bytes(*time),
            keepaliveinterval: u32::from_le_bytes(*interval),
        })
    }
}
