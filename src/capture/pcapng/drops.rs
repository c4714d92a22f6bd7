//! How many packets a pcapng capture says were dropped before they could be written.

use byteorder_slice::ByteOrder;

use crate::capture::interface::Options;

/// Octets of an interface statistics block before its options.
const STATISTICS_FIXED: usize = 12;
const ISB_IFDROP: u16 = 5;
const ISB_OSDROP: u16 = 7;
/// Interfaces whose drops are counted, over sections; what a block says of any beyond is not believed.
const MAX_COUNTED: usize = 65_536;

/// Both ways in which a capture says so: for each interface in all, and before each packet.
#[derive(Debug, Default)]
pub(super) struct Drops {
    /// By interface, counted over sections; each block counts from the beginning.
    interfaces: Vec<u64>,
    packets: u64,
}

impl Drops {
    /// Reads an interface statistics block; `earlier` interfaces were declared in sections before.
    pub(super) fn learn_statistics<B: ByteOrder>(&mut self, body: &[u8], earlier: u32) {
        let Some((fixed, options)) = body.split_first_chunk::<STATISTICS_FIXED>() else { return };
        let [number @ .., _, _, _, _, _, _, _, _] = fixed;
        let mut sum = 0_u64;
        for (code, value) in Options::<B>::new(options) {
            if matches!(code, ISB_IFDROP | ISB_OSDROP)
                && let Some(count) = value.first_chunk::<8>()
            {
                sum = sum.saturating_add(B::read_u64(count));
            }
        }
        let index = u64::from(earlier).saturating_add(u64::from(B::read_u32(number)));
        let known = usize::try_from(index).ok().filter(|index| *index < MAX_COUNTED);
        if let Some(index) = known.filter(|_| sum > 0) {
            if self.interfaces.len() <= index {
                self.interfaces.resize(index + 1, 0);
            }
            if let Some(most) = self.interfaces.get_mut(index) {
                *most = sum.max(*most);
            }
        }
    }

    /// Learns how many were dropped before a packet.
    pub(super) fn learn_packet(&mut self, count: u64) {
        self.packets = self.packets.saturating_add(count);
    }

    /// The greater of the two, which count the same packets.
    pub(super) fn total(&self) -> u64 {
        let by_interface = self.interfaces.iter().fold(0_u64, |sum, count| sum.saturating_add(*count));
        by_interface.max(self.packets)
    }
}
