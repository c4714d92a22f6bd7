//! What the packets of one side look like beside SEQ and ACK: the little that tells stacks apart, in few bits.

use super::event::{DataPackets, SynOffer};
use crate::segment::Segment;

/// Bits of what was seen. There is one for each direction of every connection of a capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Looks(u16);

impl Looks {
    const DATA_SET: u16 = 1;
    const DATA_CLEAR: u16 = 1 << 1;
    const SYN: u16 = 1 << 2;
    const TIMESTAMPS: u16 = 1 << 3;
    const SACK: u16 = 1 << 4;
    const SCALE: u16 = 1 << 5;
    /// Where the shift count of the window scale begins: four bits, as it is 14 at most (RFC 7323 §2.3).
    const SHIFT_AT: u32 = 6;
    const SHIFT_MASK: u16 = 0xf;
    /// How many bits are in use.
    pub(crate) const BITS: u32 = Self::SHIFT_AT + 4;

    /// The bits that [`Looks::bits`] gave.
    pub(crate) const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// All that is known, in the lowest [`Looks::BITS`] bits.
    pub(crate) const fn bits(self) -> u16 {
        self.0
    }

    /// What a segment with data shows, if it is no SYN.
    #[inline(always)]
    pub(crate) const fn of_data(dont_fragment: bool) -> Self {
        Self(if dont_fragment { Self::DATA_SET } else { Self::DATA_CLEAR })
    }

    /// Learns from one segment.
    #[inline]
    pub(crate) fn learn(&mut self, segment: &Segment) {
        if segment.len > 0 {
            self.0 |= Self::of_data(segment.dont_fragment).0;
        }
        if segment.flags.syn() {
            self.learn_syn(segment);
        }
    }

    #[cold]
    fn learn_syn(&mut self, segment: &Segment) {
        let options = &segment.options;
        if options.incomplete {
            return;
        }
        let data = self.0 & (Self::DATA_SET | Self::DATA_CLEAR);
        let flag = |is: bool, bit: u16| if is { bit } else { 0 };
        let shift = options.window_scale.unwrap_or(0).min(14);
        self.0 = data
            | Self::SYN
            | flag(options.timestamps.is_some(), Self::TIMESTAMPS)
            | flag(options.sack_permitted, Self::SACK)
            | flag(options.window_scale.is_some(), Self::SCALE)
            | u16::from(shift) << Self::SHIFT_AT;
    }

    fn has(self, bit: u16) -> bool {
        self.0 & bit != 0
    }

    /// What its SYN offered.
    pub(crate) fn syn(self) -> Option<SynOffer> {
        let shift = u8::try_from(self.0 >> Self::SHIFT_AT & Self::SHIFT_MASK).unwrap_or(0);
        self.has(Self::SYN).then(|| SynOffer {
            timestamps: self.has(Self::TIMESTAMPS),
            sack_permitted: self.has(Self::SACK),
            window_scale: self.has(Self::SCALE).then_some(shift),
        })
    }

    /// How its packets with data were marked.
    pub(crate) fn data_packets(self) -> DataPackets {
        DataPackets { dont_fragment: self.has(Self::DATA_SET), may_fragment: self.has(Self::DATA_CLEAR) }
    }
}
