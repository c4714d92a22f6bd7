//! The record of one connection: its probes with their answers, in order.

use std::borrow::Cow;
use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::confounder::{self, Confounder, Ends};
use super::inference::{self, Inference};
use super::outcome::{self, Outcome, Verdict};
use super::packed::{PackedProbes, Recent, Slot};
use super::prober::{ProbeRecord, ProberRecord};
use crate::frame::FrameId;
use crate::time::Span;
use crate::track::event::{
    ConnectionId, Event, EventKind, LookAlikeSeen, Mark, Opened, Party, ResetMarks, Summary,
};

/// Everything known of one connection when its last word was said.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectionRecord {
    /// Its number.
    pub id: ConnectionId,
    /// Its ends and its first frame.
    pub opened: Opened,
    /// The client's probes.
    pub client: ProberRecord,
    /// The server's probes.
    pub server: ProberRecord,
    /// Segments that share SEQ and length with a probe and are something else.
    pub lookalikes: Vec<LookAlikeSeen>,
    /// Totals.
    pub summary: Summary,
    /// What became of it.
    pub verdict: Verdict,
    /// What may mislead whoever reads it.
    pub confounders: Vec<Confounder>,
    /// What the client's probes tell of its settings.
    pub client_inference: Inference,
    /// What the server's probes tell of its settings.
    pub server_inference: Inference,
    /// Earlier probes that are not kept, where a collector keeps a limited number of them.
    pub forgotten: u64,
}

impl ConnectionRecord {
    /// The probes of one side.
    pub fn prober(&self, party: Party) -> &ProberRecord {
        match party {
            Party::Client => &self.client,
            Party::Server => &self.server,
        }
    }

    /// What the probes of one side tell of its settings.
    pub fn inference(&self, party: Party) -> &Inference {
        match party {
            Party::Client => &self.client_inference,
            Party::Server => &self.server_inference,
        }
    }

    /// The sides that probed.
    pub fn probers(&self) -> impl Iterator<Item = (Party, &ProberRecord)> {
        [Party::Client, Party::Server]
            .map(|party| (party, self.prober(party)))
            .into_iter()
            .filter(|(_, prober)| !prober.probes.is_empty())
    }

    /// The sides that were probed, with what their answers look like where that tells anything.
    pub fn responders(&self) -> impl Iterator<Item = (Party, &[inference::Mark])> {
        [Party::Client, Party::Server]
            .map(|party| (party, self.inference(party).answering.as_slice()))
            .into_iter()
            .filter(|(_, marks)| !marks.is_empty())
    }

    /// Whether a keepalive was seen.
    pub fn has_keepalives(&self) -> bool {
        self.probers().next().is_some()
    }
}

/// Whether a frame was read after another: by number within a capture, where times may go back; by time
/// between captures, which were given in any order.
fn comes_after(one: Mark, other: Mark) -> bool {
    if one.frame.capture == other.frame.capture {
        one.frame.number > other.frame.number
    } else {
        (one.time, one.frame) > (other.time, other.frame)
    }
}

/// What was gathered of a connection so far.
#[derive(Clone, Debug, Default)]
struct Draft {
    client: PackedProbes,
    server: PackedProbes,
    lookalikes: Vec<LookAlikeSeen>,
    rare: Option<Box<Rare>>,
}

/// What few connections have.
#[derive(Clone, Debug, Default)]
struct Rare {
    reset: Option<ResetMarks>,
    /// The first FIN of either side after a silence.
    quiet_fin: Option<(Mark, Span)>,
    /// The first RSTs that had no effect.
    without_effect: Vec<FrameId>,
    /// Probes that are no longer here.
    forgotten: u64,
}

impl Draft {
    fn has_probes(&self) -> bool {
        !(self.client.is_empty() && self.server.is_empty())
    }

    fn items(&self) -> usize {
        self.client.len() + self.server.len() + self.lookalikes.len()
    }

    /// Lets go of the earlier half of everything but a few.
    fn forget_half(&mut self) {
        for probes in [&mut self.client, &mut self.server] {
            if probes.len() > FEW {
                self.rare.get_or_insert_default().forgotten += probes.forget_half() as u64;
            }
        }
        if self.lookalikes.len() > FEW {
            self.lookalikes.drain(..self.lookalikes.len() / 2);
        }
    }

    /// The record, with only the latest probes of each side.
    fn latest(&self, id: ConnectionId, summary: &Summary, most: usize) -> ConnectionRecord {
        let (client, server) = (self.client.latest(most), self.server.latest(most));
        let left_out = (self.client.len() - client.probes.len()) + (self.server.len() - server.probes.len());
        let mut record = self.judged(id, summary, (client, server));
        record.forgotten += left_out as u64;
        record
    }

    fn record(&self, id: ConnectionId, summary: &Summary) -> ConnectionRecord {
        ConnectionRecord { lookalikes: self.lookalikes.clone(), ..self.judged(id, summary, self.unpacked()) }
    }

    fn unpacked(&self) -> (ProberRecord, ProberRecord) {
        (self.client.unpacked(), self.server.unpacked())
    }

    fn reset(&self) -> Option<ResetMarks> {
        self.rare.as_deref()?.reset
    }

    fn judged(
        &self,
        id: ConnectionId,
        summary: &Summary,
        (client, server): (ProberRecord, ProberRecord),
    ) -> ConnectionRecord {
        let Rare { reset, quiet_fin, without_effect, forgotten } =
            self.rare.as_deref().cloned().unwrap_or_default();
        let verdict = outcome::judge(&client, &server, summary, reset);
        let client_inference = inference::infer(&client, &server, Party::Client, summary, &verdict, reset);
        let server_inference = inference::infer(&server, &client, Party::Server, summary, &verdict, reset);
        let ends = Ends { reset: summary.reset.zip(reset), quiet_fin, without_effect };
        let confounders = confounder::find(&client, &server, summary, ends);
        ConnectionRecord {
            id,
            opened: summary.opened,
            client,
            server,
            lookalikes: Vec::new(),
            summary: *summary,
            verdict,
            confounders,
            client_inference,
            server_inference,
            forgotten,
        }
    }

    fn probes(&mut self, party: Party) -> &mut PackedProbes {
        match party {
            Party::Client => &mut self.client,
            Party::Server => &mut self.server,
        }
    }

    /// Takes an event; `recent` may know its last probe.
    fn on_event(&mut self, event: &Event, recent: &mut Slot) {
        let (connection, number) = (event.connection, event.number);
        match &event.kind {
            EventKind::Probe(probe) => {
                let record =
                    ProbeRecord { event: number, segment: probe.segment, basis: probe.basis, answer: None };
                let party = probe.segment.prober;
                self.probes(party).insert(&record, comes_after, recent.tail(connection, party));
            }
            EventKind::Answer(answer) => {
                let first = recent.party(connection).unwrap_or(Party::Client);
                let mut is_of =
                    |party: Party| self.probes(party).answer(answer, recent.tail(connection, party));
                let _ = is_of(first) || is_of(first.peer());
            }
            EventKind::Retracted { probe, kind, .. } => {
                recent.forget(connection);
                let taken_back = self.client.remove(*probe).or_else(|| self.server.remove(*probe));
                self.lookalikes.extend(taken_back.map(|other| LookAlikeSeen {
                    sender: other.segment.prober,
                    at: other.segment.at,
                    kind: *kind,
                    rule: "later packets show that data waited",
                }));
            }
            EventKind::LookAlike(seen) => self.lookalikes.push(*seen),
            EventKind::Fin { at, quiet: Some(quiet), .. } => {
                self.rare.get_or_insert_default().quiet_fin.get_or_insert((*at, *quiet));
            }
            EventKind::Reset { marks, .. } => self.rare.get_or_insert_default().reset = Some(*marks),
            EventKind::ResetIgnored { reset, .. } => {
                let rare = self.rare.get_or_insert_default();
                rare.reset = None;
                if rare.without_effect.len() < FEW {
                    rare.without_effect.push(reset.frame);
                }
            }
            _ => {}
        }
    }
}

/// A connection whose last word was said, in about the memory that it took before: its probes are unpacked, and it is
/// judged, when its record is asked for.
#[derive(Clone, Debug)]
pub struct Finished {
    id: ConnectionId,
    /// Nothing if only its end was spoken of.
    draft: Option<Box<Draft>>,
    /// Boxed, so that a list of many has no large gap at its end.
    summary: Box<Summary>,
}

/// What the record of a connection can be had from: itself, or what it is made from when it is needed.
pub trait Recorded {
    /// The connection's number.
    fn id(&self) -> ConnectionId;

    /// Its ends and its first frame.
    fn opened(&self) -> &Opened;

    /// Whether a keepalive was seen.
    fn has_keepalives(&self) -> bool;

    /// What became of it.
    fn outcome(&self) -> Outcome;

    /// Everything known of it.
    fn record(&self) -> Cow<'_, ConnectionRecord>;
}

impl Finished {
    /// How many probes and look-alikes are kept of it.
    pub fn items(&self) -> usize {
        self.draft.as_deref().map_or(0, Draft::items)
    }
}

impl Recorded for Finished {
    fn id(&self) -> ConnectionId {
        self.id
    }

    fn opened(&self) -> &Opened {
        &self.summary.opened
    }

    fn has_keepalives(&self) -> bool {
        self.draft.as_deref().is_some_and(Draft::has_probes)
    }

    fn outcome(&self) -> Outcome {
        let Some(draft) = self.draft.as_deref().filter(|draft| draft.has_probes()) else {
            return Outcome::NoKeepalive;
        };
        let (client, server) = draft.unpacked();
        outcome::judge(&client, &server, &self.summary, draft.reset()).outcome
    }

    fn record(&self) -> Cow<'_, ConnectionRecord> {
        Cow::Owned(match self.draft.as_deref() {
            Some(draft) => draft.record(self.id, &self.summary),
            None => Draft::default().record(self.id, &self.summary),
        })
    }
}

impl Recorded for ConnectionRecord {
    fn id(&self) -> ConnectionId {
        self.id
    }

    fn opened(&self) -> &Opened {
        &self.opened
    }

    fn has_keepalives(&self) -> bool {
        self.has_keepalives()
    }

    fn outcome(&self) -> Outcome {
        self.verdict.outcome
    }

    fn record(&self) -> Cow<'_, ConnectionRecord> {
        Cow::Borrowed(self)
    }
}

impl<R: Recorded> Recorded for &R {
    fn id(&self) -> ConnectionId {
        (**self).id()
    }

    fn opened(&self) -> &Opened {
        (**self).opened()
    }

    fn has_keepalives(&self) -> bool {
        (**self).has_keepalives()
    }

    fn outcome(&self) -> Outcome {
        (**self).outcome()
    }

    fn record(&self) -> Cow<'_, ConnectionRecord> {
        (**self).record()
    }
}

/// Probes of a side that are never forgotten; RSTs without effect that are remembered.
const FEW: usize = 16;

/// Gathers events into records.
#[derive(Debug, Default)]
pub struct Collector {
    /// The numbers are our own, and in what order they stand is never looked at.
    drafts: HashMap<ConnectionId, Box<Draft>, FixedState>,
    recent: Recent,
    /// Most probes and look-alikes to keep; nothing for all.
    most: Option<usize>,
    /// How many are kept, or a few more.
    items: usize,
}

impl Collector {
    /// A collector that keeps about so many probes of all connections together: earlier ones are forgotten where
    /// there are more, but for a few of each. For input without an end.
    pub fn keeping(most: usize) -> Self {
        Self { most: Some(most), ..Self::default() }
    }

    /// Takes one event; returns the record when it was the last of its connection.
    pub fn on_event(&mut self, event: &Event) -> Option<ConnectionRecord> {
        self.take(event).map(|finished| finished.record().into_owned())
    }

    /// Takes one event; when it was the last of its connection, returns what its record is made from, which takes less
    /// memory.
    pub fn take(&mut self, event: &Event) -> Option<Finished> {
        let EventKind::Final(summary) = &event.kind else {
            if matches!(event.kind, EventKind::Probe(_)) {
                self.recent.make_room();
            }
            let recent = self.recent.slot(event.connection);
            self.drafts.entry(event.connection).or_default().on_event(event, recent);
            self.items += usize::from(matches!(event.kind, EventKind::Probe(_) | EventKind::LookAlike(_)));
            if self.most.is_some_and(|most| self.items > most) {
                self.forget();
            }
            return None;
        };
        let draft = self.drafts.remove(&event.connection);
        self.recent.slot(event.connection).forget(event.connection);
        self.items = self.items.saturating_sub(draft.as_ref().map_or(0, |draft| draft.items()));
        Some(Finished { id: event.connection, draft, summary: summary.clone() })
    }

    /// The record of a connection that goes on, from the latest probes of each side and what was seen until now.
    /// Nothing if nothing was said of it.
    pub fn so_far(&self, id: ConnectionId, summary: &Summary, latest: usize) -> Option<ConnectionRecord> {
        Some(self.drafts.get(&id)?.latest(id, summary, latest))
    }

    #[cold]
    fn forget(&mut self) {
        self.recent.clear();
        self.drafts.values_mut().for_each(|draft| draft.forget_half());
        self.items = self.drafts.values().map(|draft| draft.items()).sum();
        // Where even the few of each are more, none can be let go until connections end.
        self.most = self.most.map(|most| most.max(self.items * 2));
    }

    /// Whether a connection whose last word was not said has probes so far.
    pub fn has_probes(&self, connection: ConnectionId) -> bool {
        self.drafts.get(&connection).is_some_and(|draft| draft.has_probes())
    }

    /// The latest round trips of the side that sent more probes, so many at most, in a connection whose last word was
    /// not said.
    pub fn latest_round_trips(&self, connection: ConnectionId, most: usize) -> Vec<Span> {
        let Some(draft) = self.drafts.get(&connection) else { return Vec::new() };
        let busier = if draft.server.len() > draft.client.len() { &draft.server } else { &draft.client };
        let answered = busier.latest_first().filter(ProbeRecord::is_answered_by_peer);
        answered.take(most).filter_map(|probe| probe.answer.map(|answer| answer.rtt)).collect()
    }

    /// Who sent the probe of this event number, in a connection whose last word was not said.
    pub fn prober(&self, connection: ConnectionId, probe: u32) -> Option<Party> {
        let draft = self.drafts.get(&connection)?;
        match (draft.client.has(probe), draft.server.has(probe)) {
            (true, _) => Some(Party::Client),
            (false, true) => Some(Party::Server),
            (false, false) => None,
        }
    }

    /// What would have become of a connection if the input ended now, as far as its events tell; `summary` is
    /// what else is known of it. The probes of the client and of the server come with it.
    pub fn verdict_so_far(
        &self,
        connection: ConnectionId,
        summary: &Summary,
    ) -> (Verdict, ProberRecord, ProberRecord) {
        let draft = self.drafts.get(&connection);
        let (client, server) = draft.map(|draft| draft.unpacked()).unwrap_or_default();
        let reset = draft.and_then(|draft| draft.reset());
        (outcome::judge(&client, &server, summary, reset), client, server)
    }

    /// The record of a connection as it would be if the input ended now; `summary` is what is known of it
    /// beside its events.
    pub fn record_so_far(&self, connection: ConnectionId, summary: &Summary) -> ConnectionRecord {
        match self.drafts.get(&connection) {
            Some(draft) => draft.record(connection, summary),
            None => Draft::default().record(connection, summary),
        }
    }
}
