//! An assembler for classic BPF: instructions, and labels that are resolved at the end.
//!
//! Owns [`Instruction`] and [`Program`].

/// Offsets from here on count from the network header (SKF_NET_OFF, −0x100000).
pub const NETWORK_HEADER: u32 = 0xfff0_0000;

/// The offset at which the kernel says which way a packet goes (SKF_AD_OFF + SKF_AD_PKTTYPE).
pub const PACKET_TYPE: u32 = 0xffff_f004;

/// All of a packet; no frame is longer.
const WHOLE: u32 = 0x0004_0000;

/// One instruction, as `struct sock_filter` of linux/filter.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// What to do.
    pub code: u16,
    /// Instructions to skip where a comparison holds.
    pub jt: u8,
    /// Instructions to skip where it does not.
    pub jf: u8,
    /// The operand.
    pub k: u32,
}

const LD_B_ABS: u16 = 0x30;
const LD_H_ABS: u16 = 0x28;
const LD_W_ABS: u16 = 0x20;
const LD_B_IND: u16 = 0x50;
const LD_H_IND: u16 = 0x48;
const LD_IMM: u16 = 0x00;
const LD_MEM: u16 = 0x60;
const LDX_MEM: u16 = 0x61;
const LDX_MSH: u16 = 0xb1;
const ST: u16 = 0x02;
const SUB_X: u16 = 0x1c;
const AND_K: u16 = 0x54;
const RSH_K: u16 = 0x74;
const JA: u16 = 0x05;
const JEQ_K: u16 = 0x15;
const JGT_K: u16 = 0x25;
const JGE_K: u16 = 0x35;
const JSET_K: u16 = 0x45;
const RET_K: u16 = 0x06;
const TAX: u16 = 0x07;
const TXA: u16 = 0x87;

/// A place in a program that is jumped to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Label(usize);

/// A program under construction. A is the accumulator, X the index register.
#[derive(Debug, Default)]
pub(super) struct Program {
    instructions: Vec<Instruction>,
    /// Where each label stands; none yet where it is only jumped to.
    labels: Vec<Option<usize>>,
    /// Unconditional jumps, whose reach is not limited to 255 instructions.
    jumps: Vec<(usize, Label)>,
}

impl Program {
    /// A new label, to be placed later.
    pub(super) fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    /// The label stands before the next instruction.
    pub(super) fn place(&mut self, label: Label) {
        let here = self.instructions.len();
        if let Some(place) = self.labels.get_mut(label.0) {
            *place = Some(here);
        }
    }

    /// The program with all jumps resolved. A label that was never placed is the end, where nothing is kept.
    pub(super) fn finish(mut self) -> Vec<Instruction> {
        self.drop();
        let end = self.instructions.len().saturating_sub(1);
        for (from, label) in self.jumps {
            let to = self.labels.get(label.0).copied().flatten().unwrap_or(end);
            if let Some(jump) = self.instructions.get_mut(from) {
                // Labels stand after their jumps: BPF has no way back.
                jump.k = u32::try_from(to.saturating_sub(from + 1)).unwrap_or(u32::MAX);
            }
        }
        self.instructions
    }

    fn push(&mut self, code: u16, k: u32) {
        self.instructions.push(Instruction { code, jt: 0, jf: 0, k });
    }

    /// Goes to the label.
    pub(super) fn go(&mut self, label: Label) {
        self.jumps.push((self.instructions.len(), label));
        self.push(JA, 0);
    }

    /// Goes to the label if the comparison holds, or if it does not.
    fn branch(&mut self, code: u16, k: u32, holds: bool, label: Label) {
        let (jt, jf) = if holds { (0, 1) } else { (1, 0) };
        self.instructions.push(Instruction { code, jt, jf, k });
        self.go(label);
    }

    pub(super) fn load_packet_type(&mut self) {
        self.push(LD_B_ABS, PACKET_TYPE);
    }

    pub(super) fn load_octet(&mut self, offset: u32) {
        self.push(LD_B_ABS, NETWORK_HEADER.wrapping_add(offset));
    }

    pub(super) fn load_half(&mut self, offset: u32) {
        self.push(LD_H_ABS, NETWORK_HEADER.wrapping_add(offset));
    }

    pub(super) fn load_word(&mut self, offset: u32) {
        self.push(LD_W_ABS, NETWORK_HEADER.wrapping_add(offset));
    }

    pub(super) fn load_octet_at_x(&mut self, offset: u32) {
        self.push(LD_B_IND, NETWORK_HEADER.wrapping_add(offset));
    }

    pub(super) fn load_half_at_x(&mut self, offset: u32) {
        self.push(LD_H_IND, NETWORK_HEADER.wrapping_add(offset));
    }

    /// X becomes the length of the IPv4 header at an offset.
    pub(super) fn header_length_to_x(&mut self, offset: u32) {
        self.push(LDX_MSH, NETWORK_HEADER.wrapping_add(offset));
    }

    pub(super) fn load_constant(&mut self, value: u32) {
        self.push(LD_IMM, value);
    }

    pub(super) fn load(&mut self, place: u32) {
        self.push(LD_MEM, place);
    }

    pub(super) fn load_x(&mut self, place: u32) {
        self.push(LDX_MEM, place);
    }

    pub(super) fn store(&mut self, place: u32) {
        self.push(ST, place);
    }

    pub(super) fn x_to_a(&mut self) {
        self.push(TXA, 0);
    }

    pub(super) fn a_to_x(&mut self) {
        self.push(TAX, 0);
    }

    pub(super) fn subtract_x(&mut self) {
        self.push(SUB_X, 0);
    }

    pub(super) fn and(&mut self, mask: u32) {
        self.push(AND_K, mask);
    }

    pub(super) fn shift_right(&mut self, bits: u32) {
        self.push(RSH_K, bits);
    }

    pub(super) fn if_equal(&mut self, k: u32, label: Label) {
        self.branch(JEQ_K, k, true, label);
    }

    pub(super) fn unless_equal(&mut self, k: u32, label: Label) {
        self.branch(JEQ_K, k, false, label);
    }

    pub(super) fn unless_greater(&mut self, k: u32, label: Label) {
        self.branch(JGT_K, k, false, label);
    }

    pub(super) fn unless_at_least(&mut self, k: u32, label: Label) {
        self.branch(JGE_K, k, false, label);
    }

    /// Goes to the label if A has any of these bits.
    pub(super) fn if_any(&mut self, bits: u32, label: Label) {
        self.branch(JSET_K, bits, true, label);
    }

    /// Keeps the packet if A equals `k`, otherwise drops it.
    pub(super) fn keep_if_equal(&mut self, k: u32) {
        let other = self.label();
        self.unless_equal(k, other);
        self.keep();
        self.place(other);
        self.drop();
    }

    pub(super) fn keep(&mut self) {
        self.push(RET_K, WHOLE);
    }

    pub(super) fn drop(&mut self) {
        self.push(RET_K, 0);
    }
}
