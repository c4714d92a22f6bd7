//! What kind of segment takes a connection from which state to which, as Linux conntrack sees it.
//!
//! Owns [`Kind`] and [`next`]. Source: `tcp_conntracks` and `tcp_valid_flags` in
//! net/netfilter/nf_conntrack_proto_tcp.c, Linux 6.x.

use crate::segment::Flags;
use crate::simulate::middlebox::TcpState;

/// What a segment is by its control bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Syn,
    SynAck,
    Fin,
    Ack,
    Rst,
    /// None of those bits.
    Bare,
}

impl Kind {
    /// The kind of a segment; `None` if no TCP sends such a combination.
    pub(super) fn of(flags: Flags) -> Option<Kind> {
        let Flags(bits) = flags;
        let urgent = flags.any(Flags::URG);
        let relevant = Flags::SYN.with(Flags::ACK).with(Flags::FIN).with(Flags::RST);
        match Flags(bits & relevant.0) {
            Flags::SYN => Some(Kind::Syn),
            Flags::ACK => Some(Kind::Ack),
            Flags::RST if !urgent => Some(Kind::Rst),
            Flags(bits) if bits == Flags::SYN.with(Flags::ACK).0 && !urgent => Some(Kind::SynAck),
            Flags(bits) if bits == Flags::RST.with(Flags::ACK).0 && !urgent => Some(Kind::Rst),
            Flags(bits) if bits == Flags::FIN.with(Flags::ACK).0 => Some(Kind::Fin),
            _ => None,
        }
    }
}

/// What a segment does to the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It may lead there.
    To(TcpState),
    /// It may be valid or not; the ends will show.
    Ignore,
    /// No end that is in its senses sends it now.
    Invalid,
}

/// Where a segment of that kind leads, from the end that opened the connection or from the other; without a
/// state there is no connection yet.
pub(super) fn next(by_opener: bool, kind: Kind, state: Option<TcpState>) -> Next {
    use Next::{Ignore, Invalid, To};
    use TcpState::{
        Close, CloseWait, Established, FinWait, LastAck, SynReceived, SynSent, SynSent2, TimeWait,
    };
    let Some(state) = state else {
        return match kind {
            Kind::Syn if by_opener => To(SynSent),
            Kind::Ack if by_opener => To(Established),
            _ => Invalid,
        };
    };
    match (kind, by_opener, state) {
        (Kind::Bare, ..) => Invalid,
        (Kind::Rst, ..) => To(Close),

        (Kind::Syn, true, SynSent | TimeWait | Close) => To(SynSent),
        (Kind::Syn, true, SynSent2) => To(SynSent2),
        (Kind::Syn, true, _) => Ignore,
        (Kind::Syn, false, SynSent | SynSent2) => To(SynSent2),
        (Kind::Syn, false, TimeWait) => To(SynSent),
        (Kind::Syn, false, _) => Invalid,

        (Kind::SynAck, true, SynSent2 | SynReceived) => To(SynReceived),
        (Kind::SynAck, true, _) => Invalid,
        (Kind::SynAck, false, SynSent | SynSent2) => To(SynReceived),
        (Kind::SynAck, false, _) => Ignore,

        (Kind::Fin, _, SynSent | SynSent2) => Invalid,
        (Kind::Fin, _, SynReceived | Established) => To(FinWait),
        (Kind::Fin, _, FinWait | CloseWait | LastAck) => To(LastAck),
        (Kind::Fin, _, TimeWait) => To(TimeWait),
        (Kind::Fin, _, Close) => To(Close),

        (Kind::Ack, true, SynSent | SynSent2) => Invalid,
        (Kind::Ack, true, SynReceived) => To(Established),
        (Kind::Ack, false, SynSent | SynSent2) => Ignore,
        (Kind::Ack, false, SynReceived) => To(SynReceived),
        (Kind::Ack, _, Established) => To(Established),
        (Kind::Ack, _, FinWait | CloseWait) => To(CloseWait),
        (Kind::Ack, _, LastAck | TimeWait) => To(TimeWait),
        (Kind::Ack, _, Close) => To(Close),
    }
}
