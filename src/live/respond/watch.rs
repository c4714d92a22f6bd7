//! What came back after something was sent, as the kernel knows it (TCP_INFO).
//!
//! Owns [`Watches`]. The kernel does not say when an acknowledgment comes, so it is asked: soon after something was
//! sent, and then less often. Its own times are in milliseconds and go by its ticks.

use rustix::net::sockopt;
use socket2::Socket;
use std::io;
use std::time::Duration;

use crate::live::sys::{self, TcpInfo};
use crate::partner::message::{AskId, Back, Form};
use crate::partner::server::Token;
use crate::time::{Span, Timestamp};

/// The first look.
const SOON: Span = Span::from_micros(500);

/// The longest time between two looks.
const SELDOM: Span = Span::from_millis(50);

/// How long the kernel's keepalive timer may take to fire when it is due already.
const LAUNCH: Span = Span::from_secs(1);

/// Silence that the kernel's keepalive timer wants before a probe: the shortest TCP_KEEPIDLE, and a tick.
pub(super) const LEAST_IDLE: Span = Span::from_millis(1_020);

/// The longest that TCP_KEEPINTVL takes: there is to be one probe, not two.
const NEVER: Duration = Duration::from_secs(32_767);

/// The most that TCP_KEEPCNT takes: the kernel is not to give up.
const MANY: u32 = 127;

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// The kernel's keepalive timer was set, and its probe has not left.
    Launching { idle: Span, until: Timestamp },
    /// It has left.
    Out { at: Timestamp, until: Timestamp },
}

/// Something that was sent.
#[derive(Clone, Copy, Debug)]
struct Watch {
    token: Token,
    id: AskId,
    form: Form,
    span: Span,
    phase: Phase,
    /// What the kernel said before.
    before: TcpInfo,
    look: Timestamp,
    /// When it was looked for the last time, and nothing had come.
    looked: Timestamp,
    pause: Span,
}

/// What became known.
#[derive(Clone, Copy, Debug)]
pub(super) enum Known {
    /// The kernel's probe has left.
    Sent { token: Token, id: AskId, form: Form, idle: Span },
    /// It has not.
    NotSent { token: Token, id: AskId },
    /// Something came back, or nothing.
    Back { token: Token, id: AskId, back: Back },
}

/// All that is watched.
#[derive(Default)]
pub(super) struct Watches {
    watched: Vec<Watch>,
}

/// Since when nothing was sent or came, as far as the kernel tells.
pub(super) fn idle(info: &TcpInfo) -> Span {
    let millis = info.last_data_sent.min(info.last_data_recv).min(info.last_ack_recv);
    Span::from_millis(i64::from(millis))
}

impl Watches {
    /// Watches something that has left.
    pub(super) fn begin(
        &mut self,
        (token, id, form): (Token, AskId, Form),
        span: Span,
        now: Timestamp,
        before: TcpInfo,
    ) {
        let phase = Phase::Out { at: now, until: now.plus(span) };
        let look = now.plus(SOON);
        let watch = Watch { token, id, form, span, phase, before, look, looked: now, pause: SOON };
        self.watched.push(watch);
    }

    /// Has the kernel send its own keepalive probe: its timer is due at once on a connection that was idle for longer
    /// than the shortest setting.
    pub(super) fn launch(
        &mut self,
        socket: &Socket,
        (token, id, form): (Token, AskId, Form),
        span: Span,
        now: Timestamp,
        before: TcpInfo,
    ) -> io::Result<()> {
        sockopt::set_tcp_keepcnt(socket, MANY)?;
        sockopt::set_tcp_keepintvl(socket, NEVER)?;
        sockopt::set_socket_keepalive(socket, true)?;
        if let Err(error) = sockopt::set_tcp_keepidle(socket, Duration::from_secs(1)) {
            sockopt::set_socket_keepalive(socket, false)?;
            return Err(error.into());
        }
        let phase = Phase::Launching { idle: idle(&before), until: now.plus(LAUNCH) };
        let look = now.plus(SOON);
        let watch = Watch { token, id, form, span, phase, before, look, looked: now, pause: SOON };
        self.watched.push(watch);
        Ok(())
    }

    /// Whether a keepalive probe of the kernel is about to leave on a connection.
    pub(super) fn is_launching(&self, token: Token) -> bool {
        let launching = |watch: &&Watch| matches!(watch.phase, Phase::Launching { .. });
        self.watched.iter().filter(launching).any(|watch| watch.token == token)
    }

    /// A connection is gone.
    pub(super) fn forget(&mut self, token: Token) {
        self.watched.retain(|watch| watch.token != token);
    }

    /// When to look.
    pub(super) fn next_timeout(&self) -> Option<Timestamp> {
        self.watched.iter().map(|watch| watch.look).min()
    }

    /// Looks at what is due; `socket` finds the socket of a connection.
    pub(super) fn look<'a>(
        &mut self,
        now: Timestamp,
        socket: impl Fn(Token) -> Option<&'a Socket>,
    ) -> Vec<Known> {
        let mut known = Vec::new();
        self.watched.retain_mut(|watch| {
            if watch.look > now {
                return true;
            }
            let found = socket(watch.token).and_then(|socket| Some((socket, sys::tcp_info(socket).ok()?)));
            // Its end is told elsewhere.
            let Some((socket, info)) = found else { return false };
            let (news, goes_on) = watch.on_info(now, socket, &info);
            known.extend(news);
            goes_on
        });
        known
    }
}

impl Watch {
    /// What the kernel says now, and whether to go on looking.
    fn on_info(&mut self, now: Timestamp, socket: &Socket, info: &TcpInfo) -> (Option<Known>, bool) {
        self.look = now.plus(self.pause);
        let (token, id, form) = (self.token, self.id, self.form);
        match self.phase {
            Phase::Launching { idle, until } => {
                let left = info.segs_out != self.before.segs_out;
                if !left && now < until {
                    return (None, true);
                }
                // Silent from here on, as before.
                let _ = sockopt::set_socket_keepalive(socket, false);
                if !left {
                    return (Some(Known::NotSent { token, id }), false);
                }
                self.phase = Phase::Out { at: now, until: now.plus(self.span) };
                (Some(Known::Sent { token, id, form, idle }), true)
            }
            Phase::Out { at, until } => {
                self.pause = self.pause.times(2).min(SELDOM);
                let came = match form {
                    Form::Data(_) => info.unacked == 0 && info.not_sent == 0,
                    Form::Keepalive(_) => info.segs_in != self.before.segs_in,
                };
                let back = if came {
                    Some(self.acknowledged(now, at, info))
                } else {
                    (now >= until).then(|| self.silence(now, at, info))
                };
                self.looked = now;
                (back.map(|back| Known::Back { token, id, back }), back.is_none())
            }
        }
    }

    fn silence(&self, now: Timestamp, at: Timestamp, info: &TcpInfo) -> Back {
        let again = info.total_retrans.saturating_sub(self.before.total_retrans);
        let tries = u16::try_from(again).unwrap_or(u16::MAX).saturating_add(1);
        let last = now.since(at).as_nanos() - Span::from_millis(i64::from(info.last_data_sent)).as_nanos();
        let last = if again == 0 { 0 } else { last.max(0) };
        Back::Silence { tries, last: Span::from_nanos(last) }
    }

    /// The acknowledgment came when the kernel last heard of the peer, by its ticks: after the last look at which it
    /// had not come, and before now. Where there was no such look, now is all that is known.
    fn acknowledged(&self, now: Timestamp, at: Timestamp, info: &TcpInfo) -> Back {
        let ago = Span::from_millis(i64::from(info.last_ack_recv));
        let heard = now.since(at).as_nanos() - ago.as_nanos();
        let (least, most) = (self.looked.since(at).as_nanos(), now.since(at).as_nanos());
        let after = if least > 0 { heard.max(least).min(most) } else { most };
        Back::Acknowledged { after: Span::from_nanos(after.max(0)) }
    }
}
