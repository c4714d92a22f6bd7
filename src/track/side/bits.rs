//! Yes and no about one side, in one word.

use crate::segment::Segment;
use crate::track::looks::Looks;

/// The lowest bits are of [`Looks`], as many as it needs; the others have a name here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bits(u32);

impl Bits {
    /// Its last segment lay farther off than any window allows.
    pub(super) const FAR: u32 = 1 << 10;
    /// Positions were skipped that may still come.
    pub(super) const HOLE: u32 = 1 << 11;
    /// It was seen sending.
    pub(super) const END: u32 = 1 << 12;
    /// Something of it was acknowledged.
    pub(super) const ACKED: u32 = 1 << 13;
    /// More of it was acknowledged than it was seen sending.
    pub(super) const END_IS_LOWER: u32 = 1 << 14;
    /// It is known where relative sequence numbers count from.
    pub(super) const ORIGIN: u32 = 1 << 15;
    /// Its SYN was captured.
    pub(super) const SYN_SEEN: u32 = 1 << 16;
    /// It sent a timestamp.
    pub(super) const TIMESTAMP: u32 = 1 << 17;
    /// It advertised a window.
    pub(super) const WINDOW: u32 = 1 << 18;
    pub(super) const UNANCHORED: u32 = 1 << 19;
    pub(super) const PROBES_WINDOW: u32 = 1 << 20;
    pub(super) const PROVOKED: u32 = 1 << 21;
    pub(super) const SPOKE: u32 = 1 << 22;
    pub(super) const FINISHED: u32 = 1 << 23;
    pub(super) const RTT_MEASURED: u32 = 1 << 24;
    pub(super) const TOLD_NOTHING: u32 = 1 << 25;
    pub(super) const TAIL_PSH: u32 = 1 << 26;
    pub(super) const TAIL_OCTET_KNOWN: u32 = 1 << 27;
    pub(super) const TAIL_IS_OCTET: u32 = 1 << 28;
    pub(super) const TAIL_PROBED: u32 = 1 << 29;
    pub(super) const TAIL_PROBED_WITH_OCTET: u32 = 1 << 30;
    pub(super) const TAIL_PROBES_WINDOW: u32 = 1 << 31;

    const LOOKS: u32 = (1 << Looks::BITS) - 1;
    const TAIL: u32 = Self::TAIL_PSH
        | Self::TAIL_OCTET_KNOWN
        | Self::TAIL_IS_OCTET
        | Self::TAIL_PROBED
        | Self::TAIL_PROBED_WITH_OCTET
        | Self::TAIL_PROBES_WINDOW;

    #[inline]
    pub(super) fn has(self, bit: u32) -> bool {
        self.0 & bit != 0
    }

    /// Whether of these bits exactly those are set.
    #[inline(always)]
    pub(super) fn are(self, of: u32, those: u32) -> bool {
        self.0 & of == those
    }

    #[inline]
    pub(super) fn set(&mut self, bit: u32, is: bool) {
        self.0 = if is { self.0 | bit } else { self.0 & !bit };
    }

    /// Sets what is known of a new tail, all of it.
    #[inline(always)]
    pub(super) fn set_tail(&mut self, psh: bool, octet_known: bool, is_octet: bool) {
        // By multiplying, which is a shift, and so without a choice.
        self.0 = (self.0 & !Self::TAIL)
            | (u32::from(psh) * Self::TAIL_PSH)
            | (u32::from(octet_known) * Self::TAIL_OCTET_KNOWN)
            | (u32::from(is_octet) * Self::TAIL_IS_OCTET);
    }

    /// These bits set, and those not.
    #[inline(always)]
    pub(super) fn with_and_without(self, these: u32, those: u32) -> Self {
        Self((self.0 | these) & !those)
    }

    /// What a packet with data that is no SYN looks like, beside what is known.
    #[inline(always)]
    pub(super) fn with_data_packet(self, dont_fragment: bool) -> Self {
        Self(self.0 | u32::from(Looks::of_data(dont_fragment).bits()))
    }

    /// What its packets look like.
    #[inline]
    pub(super) fn looks(self) -> Looks {
        Looks::from_bits((self.0 & Self::LOOKS) as u16)
    }

    /// Learns what a packet looks like.
    #[inline]
    pub(super) fn learn_looks(&mut self, segment: &Segment) {
        let mut looks = self.looks();
        looks.learn(segment);
        self.0 = (self.0 & !Self::LOOKS) | u32::from(looks.bits());
    }
}
