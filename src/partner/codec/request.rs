//! Requests as octets.
//!
//! | type | request | body |
//! |---|---|---|
//! | 0x10 | ask | id u32, number u32, form u8 (1 data, 2 keepalive), octets u8, after i64, watch i64 (ns) |
//! | 0x11 | close | number u32, abort u8 |
//! | 0x12 | ping | token u64 |
//! | 0x13 | bye | |

use super::CodecError;
use super::value::{Reader, Writer};
use crate::partner::message::{Ask, AskId, Number, Request};

const ASK: u8 = 0x10;
const CLOSE: u8 = 0x11;
const PING: u8 = 0x12;
const BYE: u8 = 0x13;

pub(super) fn encode(request: &Request) -> Writer {
    match request {
        Request::Ask(ask) => {
            let mut writer = Writer::new(ASK);
            writer.u32(ask.id.0).u32(ask.number.0).form(ask.form).span(ask.after).span(ask.watch);
            writer
        }
        Request::Close { number, abort } => {
            let mut writer = Writer::new(CLOSE);
            writer.u32(number.0).u8(u8::from(*abort));
            writer
        }
        Request::Ping(token) => {
            let mut writer = Writer::new(PING);
            writer.u64(*token);
            writer
        }
        Request::Bye => Writer::new(BYE),
    }
}

pub(super) fn decode(kind: u8, reader: &mut Reader<'_>) -> Result<Request, CodecError> {
    let request = match kind {
        ASK => ask(reader).map(Request::Ask),
        CLOSE => reader
            .u32()
            .zip(reader.flag())
            .map(|(number, abort)| Request::Close { number: Number(number), abort }),
        PING => reader.u64().map(Request::Ping),
        BYE => Some(Request::Bye),
        other => return Err(CodecError::Kind(other)),
    };
    request.filter(|_| reader.is_done()).ok_or(CodecError::Malformed(kind))
}

fn ask(reader: &mut Reader<'_>) -> Option<Ask> {
    Some(Ask {
        id: AskId(reader.u32()?),
        number: Number(reader.u32()?),
        form: reader.form()?,
        after: reader.span()?,
        watch: reader.span()?,
    })
}
