//! What the engine says, as the screen knows it.

use crate::dashboard::live::{Link, Manner, Octets, Stage};
use crate::live::engine::News;
use crate::live::engine::plan;
use crate::live::engine::steer::{self, Standing};
use crate::live::wire::Ended;
use crate::time::Span;

/// How a connection stands.
pub(super) fn link(standing: &Standing) -> Link {
    let order = standing.order;
    Link {
        peer: order.connect.peer,
        ends: standing.ends,
        manner: Manner { settings: order.settings, octets: octets(order.octets) },
        stage: stage(standing),
        unanswered: standing.unanswered,
        next: standing.next,
        gives_up: standing.gives_up,
    }
}

fn octets(octets: plan::Octets) -> Octets {
    match octets {
        plan::Octets::Zero => Octets::Zero,
        plan::Octets::One => Octets::One,
        plan::Octets::Both => Octets::Both,
    }
}

/// The same the other way round.
pub(in crate::dashboard) const fn octets_of(octets: Octets) -> plan::Octets {
    match octets {
        Octets::Zero => plan::Octets::Zero,
        Octets::One => plan::Octets::One,
        Octets::Both => plan::Octets::Both,
    }
}

fn stage(standing: &Standing) -> Stage {
    match standing.stage {
        steer::Stage::Waiting => return Stage::Waiting,
        steer::Stage::Opening => return Stage::Opening,
        steer::Stage::Open => return Stage::Open,
        steer::Stage::Closing | steer::Stage::Done => {}
    }
    match standing.ended {
        _ if standing.gave_up => Stage::Silent,
        _ if standing.not_opened => Stage::NoAnswer,
        Some(Ended::Refused) => Stage::Refused,
        Some(Ended::Reset) => Stage::Reset,
        Some(Ended::TimedOut) => Stage::NoAnswer,
        Some(Ended::Unreachable) => Stage::Unreachable,
        Some(Ended::ClosedByPeer) => Stage::ClosedByPeer,
        Some(Ended::Other(_)) => Stage::Failed,
        None if standing.stage == steer::Stage::Closing => Stage::Closing,
        None => Stage::Closed,
    }
}

/// What is to be said where a connection has come to another stage.
pub(super) fn turn(index: usize, link: &Link) -> Option<String> {
    let (peer, count) = (link.peer, link.manner.settings.count);
    let what = match (link.stage, link.ends) {
        (Stage::Waiting | Stage::Closing, _) => return None,
        (Stage::Opening, _) => format!("is opened to {peer}"),
        (Stage::Open, Some((local, remote))) => format!("is open, {local} -> {remote}"),
        (Stage::Open, None) => "is open".to_owned(),
        (Stage::Silent, _) => format!("is given up: {count} probes without an answer"),
        (Stage::Refused, _) => format!("was refused by {peer}"),
        (Stage::Unreachable, _) => format!("could not be opened: no way to {peer}"),
        (Stage::NoAnswer, _) => format!("could not be opened: {peer} does not answer"),
        (Stage::Reset, _) => "was reset".to_owned(),
        (Stage::ClosedByPeer, _) => "was closed by the peer".to_owned(),
        (Stage::Failed, _) => format!("could not be opened to {peer}"),
        (Stage::Closed, _) => "was closed".to_owned(),
    };
    Some(format!("our connection {} {what}", index + 1))
}

/// What is to be said of news that no packet shows.
pub(super) fn words(news: &News) -> Option<String> {
    Some(match news {
        News::NotSent { index, error } => format!("our connection {}: {error}", index + 1),
        News::NotSeen { error } => format!("the packet filter stays as it was: {error}"),
        News::InterfaceLost { name } => format!("the interface {name} was lost"),
        News::ClockStepped { nanos } => {
            format!("the clock was set by {} s; times here go on without a step", Span::from_nanos(*nanos))
        }
        News::Opened { .. } | News::NotOpened { .. } | News::Event { .. } | News::Last { .. } => return None,
    })
}
