//! Reports as octets.
//!
//! | type | report | body |
//! |---|---|---|
//! | 0x90 | sent | id u32, at i64, idle i64 |
//! | 0x91 | not sent | id u32, why u8 |
//! | 0x92 | back | id u32, at i64, 1 acknowledged: after i64; 2 ended: how, after i64; 3 silence: tries u16, last i64 |
//! | 0x93 | ended | number u32, at i64, how, idle i64 |
//! | 0x94 | stray | at i64, the two ends |
//! | 0x95 | pong | token u64, at i64 |
//! | 0x96 | over | reason u8 |
//!
//! How something ended is a u8, and a u16 behind it where it is 8 (another errno).

use super::CodecError;
use super::value::{Reader, Writer};
use crate::partner::message::{AskId, Back, Ending, NotSent, Number, OverReason, Report};

const SENT: u8 = 0x90;
const NOT_SENT: u8 = 0x91;
const BACK: u8 = 0x92;
const ENDED: u8 = 0x93;
const STRAY: u8 = 0x94;
const PONG: u8 = 0x95;
const OVER: u8 = 0x96;

pub(super) fn encode(report: &Report) -> Writer {
    match report {
        Report::Sent { id, at, idle } => {
            let mut writer = Writer::new(SENT);
            writer.u32(id.0).time(*at).span(*idle);
            writer
        }
        Report::NotSent { id, why } => {
            let mut writer = Writer::new(NOT_SENT);
            writer.u32(id.0).u8(match why {
                NotSent::NoConnection => 1,
                NotSent::Limit => 2,
                NotSent::NotAble => 3,
                NotSent::Refused => 4,
            });
            writer
        }
        Report::Back { id, at, back } => {
            let mut writer = Writer::new(BACK);
            writer.u32(id.0).time(*at);
            put_back(&mut writer, *back);
            writer
        }
        Report::Ended { number, at, how, idle } => {
            let mut writer = Writer::new(ENDED);
            writer.u32(number.0).time(*at);
            put_ending(&mut writer, *how);
            writer.span(*idle);
            writer
        }
        Report::Stray { at, seen } => {
            let mut writer = Writer::new(STRAY);
            writer.time(*at).tuple(seen);
            writer
        }
        Report::Pong { token, at } => {
            let mut writer = Writer::new(PONG);
            writer.u64(*token).time(*at);
            writer
        }
        Report::Over(reason) => {
            let mut writer = Writer::new(OVER);
            writer.u8(match reason {
                OverReason::Expired => 1,
                OverReason::Lasted => 2,
                OverReason::Stopped => 3,
                OverReason::Nonsense => 4,
                OverReason::TooMany => 5,
                OverReason::Bye => 6,
            });
            writer
        }
    }
}

pub(super) fn decode(kind: u8, reader: &mut Reader<'_>) -> Result<Report, CodecError> {
    let report = match kind {
        SENT => sent(reader),
        NOT_SENT => not_sent(reader),
        BACK => back(reader),
        ENDED => ended(reader),
        STRAY => reader.time().zip(reader.tuple()).map(|(at, seen)| Report::Stray { at, seen }),
        PONG => reader.u64().zip(reader.time()).map(|(token, at)| Report::Pong { token, at }),
        OVER => over(reader).map(Report::Over),
        other => return Err(CodecError::Kind(other)),
    };
    report.filter(|_| reader.is_done()).ok_or(CodecError::Malformed(kind))
}

fn sent(reader: &mut Reader<'_>) -> Option<Report> {
    Some(Report::Sent { id: AskId(reader.u32()?), at: reader.time()?, idle: reader.span()? })
}

fn not_sent(reader: &mut Reader<'_>) -> Option<Report> {
    let id = AskId(reader.u32()?);
    let why = match reader.u8()? {
        1 => NotSent::NoConnection,
        2 => NotSent::Limit,
        3 => NotSent::NotAble,
        4 => NotSent::Refused,
        _ => return None,
    };
    Some(Report::NotSent { id, why })
}

fn back(reader: &mut Reader<'_>) -> Option<Report> {
    let (id, at) = (AskId(reader.u32()?), reader.time()?);
    let back = match reader.u8()? {
        1 => Back::Acknowledged { after: reader.span()? },
        2 => Back::Ended { how: ending(reader)?, after: reader.span()? },
        3 => Back::Silence { tries: reader.u16()?, last: reader.span()? },
        _ => return None,
    };
    Some(Report::Back { id, at, back })
}

fn put_back(writer: &mut Writer, back: Back) {
    match back {
        Back::Acknowledged { after } => {
            writer.u8(1).span(after);
        }
        Back::Ended { how, after } => {
            writer.u8(2);
            put_ending(writer, how);
            writer.span(after);
        }
        Back::Silence { tries, last } => {
            writer.u8(3).u16(tries).span(last);
        }
    }
}

fn ended(reader: &mut Reader<'_>) -> Option<Report> {
    Some(Report::Ended {
        number: Number(reader.u32()?),
        at: reader.time()?,
        how: ending(reader)?,
        idle: reader.span()?,
    })
}

fn over(reader: &mut Reader<'_>) -> Option<OverReason> {
    Some(match reader.u8()? {
        1 => OverReason::Expired,
        2 => OverReason::Lasted,
        3 => OverReason::Stopped,
        4 => OverReason::Nonsense,
        5 => OverReason::TooMany,
        6 => OverReason::Bye,
        _ => return None,
    })
}

fn put_ending(writer: &mut Writer, ending: Ending) {
    match ending {
        Ending::Reset => writer.u8(1),
        Ending::Fin => writer.u8(2),
        Ending::TimedOut => writer.u8(3),
        Ending::Unreachable => writer.u8(4),
        Ending::Strange => writer.u8(5),
        Ending::Limit => writer.u8(6),
        Ending::Other(errno) => writer.u8(8).u16(errno),
    };
}

fn ending(reader: &mut Reader<'_>) -> Option<Ending> {
    Some(match reader.u8()? {
        1 => Ending::Reset,
        2 => Ending::Fin,
        3 => Ending::TimedOut,
        4 => Ending::Unreachable,
        5 => Ending::Strange,
        6 => Ending::Limit,
        8 => Ending::Other(reader.u16()?),
        _ => return None,
    })
}
