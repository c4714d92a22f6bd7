//! From what was seen to a finding: bounds, confidence, who does what at expiry, caveats, products.

use super::Search;
use super::finding::{AtExpiry, By, Confidence, Confounder, Evidence, Finding, Owner, Verdict, Why};
use super::message::{Disturbance, End, Origin};
use super::plan::{minus, nanos, times};
use super::record::is_near;
use super::trial::{Death, Trial};
use super::wanted::{Form, Mode, Way};
use crate::product::Product;
use crate::time::Span;

impl Search {
    /// What the search came to, at its end or so far.
    pub fn finding(&self) -> Finding {
        let verdict = self.verdict.unwrap_or_else(|| self.verdict_so_far(Why::Unfinished));
        let (longest_alive, shortest_dead) = self.bounds(verdict);
        let deaths = self.deciding_deaths();
        Finding {
            verdict,
            way: self.wanted.way,
            form: self.wanted.form,
            partner: self.wanted.partner,
            longest_alive,
            shortest_dead,
            blur: self.record.slowest,
            confidence: self.confidence(longest_alive, shortest_dead),
            at_expiry: at_expiry(&deaths),
            by: self.by(verdict, &deaths),
            owner: self.owner(verdict, &deaths),
            evidence: self.evidence(verdict, longest_alive, shortest_dead),
            caveats: self.caveats(),
            products: products(verdict, longest_alive, shortest_dead),
            trials: self.record.trials.clone(),
        }
    }

    /// The bounds to be stated.
    fn bounds(&self, verdict: Verdict) -> (Option<Span>, Option<Span>) {
        let estimate = self.record.estimate();
        let dead = estimate.dead_below.or(estimate.shortest_dead);
        match verdict {
            Verdict::KeptOpenByPeer { period } if self.wanted.way == Way::In => {
                // What arrived after that silence shows that it was survived.
                (estimate.alive.max(Some(period)), dead)
            }
            Verdict::EndedByPeer { .. } | Verdict::Found if self.rests_on_unasked() => {
                let Some((_, from, to)) = self.unasked_bounds() else { return (estimate.alive, dead) };
                // One that was ended by a timer had lived until then, but for the way of the packet.
                let open = minus(from, self.record.slowest.max(Span::from_millis(100)));
                (estimate.alive.filter(|alive| *alive <= to).max(Some(open)), Some(to))
            }
            _ => (estimate.alive, dead),
        }
    }

    /// Whether connections that ended without being asked are all there is.
    fn rests_on_unasked(&self) -> bool {
        self.record.estimate().shortest_dead.is_none() && self.unasked_bounds().is_some()
    }

    /// The deaths that the bracket stands on: all but those that others outlived.
    fn deciding_deaths(&self) -> Vec<&Trial> {
        let estimate = self.record.estimate();
        if self.rests_on_unasked() {
            return self.record.unasked().map(|(_, trial)| trial).collect();
        }
        let all = estimate.dead_below.is_some();
        let dead = self.record.trials.iter().filter(|trial| trial.death().is_some());
        dead.filter(|trial| all || Some(trial.idle) > estimate.alive).collect()
    }

    fn confidence(&self, alive: Option<Span>, dead: Option<Span>) -> Confidence {
        let trials = &self.record.trials;
        let lived = |from: Span| count(trials, |trial| trial.lived() && trial.idle >= from);
        let died = dead.map_or(0, |dead| {
            count(trials, |trial| self.record.died_of(trial).is_some_and(|idle| idle >= dead))
        });
        let near = alive.map_or(0, |alive| lived(times(alive, 0.9)));
        let otherwise = alive
            .map_or(0, |alive| count(trials, |trial| trial.death().is_some() && trial.last_idle < alive));
        let all = f64::from(died + near + otherwise);
        let otherwise_at_most = match otherwise {
            _ if all == 0.0 => 1.0,
            0 => 1.0 - 0.05_f64.powf(1.0 / all),
            some => ((f64::from(some) + 3.0) / all).min(1.0),
        };
        let (lost, tries) = self.record.loss();
        let loss = if tries == 0 { 0.0 } else { f64::from(lost) / f64::from(tries) };
        let silent = |trial: &&Trial| matches!(trial.death(), Some(Death::Silent));
        let deciding = self.deciding_deaths();
        let told = deciding.iter().any(|trial| !silent(trial));
        let asked: u32 = deciding.iter().take(2).map(|trial| u32::from(trial.attempts)).sum();
        let false_death = match tries {
            _ if told || deciding.is_empty() => 0.0,
            0 => 1.0,
            tries => (loss + 1.0 / f64::from(tries)).min(1.0).powi(i32::try_from(asked).unwrap_or(6)),
        };
        Confidence { died, lived: near, otherwise, otherwise_at_most, loss, false_death }
    }

    fn by(&self, verdict: Verdict, deaths: &[&Trial]) -> By {
        if matches!(verdict, Verdict::EndedByPeer { .. }) {
            let unknown =
                deaths.iter().any(|trial| matches!(trial.death(), Some(Death::Unasked(_, Origin::Unknown))));
            return if unknown { By::Unknown } else { By::Peer };
        }
        let votes = deaths.iter().filter_map(|trial| trial.death()).map(|death| match death {
            // A peer that had forgotten would say so; silence, or an answer to somebody else, is the path's.
            Death::Silent | Death::NewPort => By::Path,
            Death::Ended(_, Origin::Path(_)) | Death::Unasked(_, Origin::Path(_)) => By::Path,
            Death::Ended(End::Icmp, _) | Death::Unasked(End::Icmp, _) => By::Path,
            // A partner holds its connection: it resets only what reaches it as another one's.
            Death::Ended(..) | Death::Unasked(..) if self.wanted.partner => By::Path,
            Death::Ended(_, Origin::Peer(_)) | Death::Unasked(_, Origin::Peer(_)) => By::Peer,
            Death::Ended(..) | Death::Unasked(..) => By::Unknown,
        });
        most(votes).unwrap_or(By::Unknown)
    }

    fn owner(&self, verdict: Verdict, deaths: &[&Trial]) -> Owner {
        if !matches!(verdict, Verdict::Found) {
            return Owner::Unknown;
        }
        let votes = deaths.iter().filter_map(|trial| trial.death()).map(|death| match death {
            Death::Silent | Death::NewPort | Death::Ended(End::Reset | End::Icmp, _) => Owner::Tracker,
            Death::Unasked(End::Fin, _) => Owner::Proxy,
            Death::Unasked(End::Reset, Origin::Path(_)) => Owner::Tracker,
            Death::Ended(End::Fin, _) | Death::Unasked(..) => Owner::Unknown,
        });
        most(votes).unwrap_or(Owner::Unknown)
    }

    /// What may mislead, so far.
    pub(super) fn caveats(&self) -> Vec<Confounder> {
        let mut caveats = Vec::new();
        let estimate = self.record.estimate();
        let (lost, tries) = self.record.loss();
        if lost > 0 {
            caveats.push(Confounder::Loss { lost, tries });
        }
        if let (Some(dead_from), Some(alive_to)) = (estimate.dead_below, estimate.alive) {
            caveats.push(Confounder::Range { dead_from, alive_to });
            caveats.extend(self.why_a_range(dead_from, alive_to));
        }
        if let Some(opened) = self.record.evicted() {
            caveats.push(Confounder::Evicted { opened });
        }
        if let Some((period, times)) = self.record.period() {
            let times = u32::try_from(times).unwrap_or(u32::MAX);
            caveats.push(Confounder::PeerSpeaks { period, times });
        }
        let own = self.record.broken.iter().filter(|broken| broken.by == Disturbance::OwnKernel).count();
        if own > 0 {
            caveats.push(Confounder::OwnKernel { times: u32::try_from(own).unwrap_or(u32::MAX) });
        }
        caveats.extend(self.unasked_ends());
        if let Some(gap) = self.record.gap {
            caveats.push(Confounder::ClockGap { gap });
        }
        if let Some(why) = self.record.not_opened.first() {
            let times = u32::try_from(self.record.not_opened.len()).unwrap_or(u32::MAX);
            caveats.push(Confounder::NotOpened { why: *why, times });
        }
        if self.wanted.way == Way::Out {
            caveats.push(Confounder::OutboundOnly);
        }
        if let Some(dead) = estimate.shortest_dead.or(self.unasked_bounds().map(|(_, _, to)| to)) {
            let low = estimate.alive.unwrap_or(Span::ZERO);
            if low <= Span::from_secs(306) && dead >= Span::from_secs(294) {
                caveats.push(Confounder::NearThreeHundred);
            }
            let width = self.wanted.precision.width(low);
            // Tries that were lost make it 3 s wider.
            if self.wanted.mode == Mode::Full && minus(dead, low) > width.plus(Span::from_secs(4)) {
                caveats.push(Confounder::Wide);
            }
        }
        caveats
    }

    /// What makes some die of less than others survive.
    fn why_a_range(&self, dead_from: Span, alive_to: Span) -> Option<Confounder> {
        let record = &self.record;
        let within = |trial: &Trial| trial.last_idle >= dead_from && trial.idle <= alive_to;
        let both = || record.trials.iter().filter(|trial| within(trial));
        let died = both().filter(|trial| trial.death().is_some()).count();
        let lived = both().filter(|trial| trial.lived()).count();
        let wide = minus(alive_to, dead_from) > times(dead_from, 0.2).max(Span::from_secs(35));
        let (died, lived) = (u32::try_from(died).ok()?, u32::try_from(lived).ok()?);
        (wide && died >= 2 && lived >= 2).then_some(Confounder::Groups { died, lived })
    }

    fn unasked_ends(&self) -> Vec<Confounder> {
        let record = &self.record;
        let idles: Vec<Span> = record.unasked().map(|(_, trial)| trial.idle).collect();
        let (Some(from), Some(to)) = (idles.iter().min().copied(), idles.iter().max().copied()) else {
            return Vec::new();
        };
        let times_seen = u32::try_from(idles.len()).unwrap_or(u32::MAX);
        let mut found = vec![Confounder::Unasked { from, to, times: times_seen }];
        // Without data an age cannot be told from an application's silence.
        if let Some((shortest, longest)) = record.unasked_lives()
            && idles.len() >= 3
            && self.wanted.form == Form::Data
            && is_near(shortest, longest, 0.02)
            && !is_near(from, to, 0.1)
        {
            found.push(Confounder::Lifetime { after: shortest });
        }
        found
    }

    fn evidence(&self, verdict: Verdict, alive: Option<Span>, dead: Option<Span>) -> Vec<Evidence> {
        let mut evidence = Vec::new();
        let places = |wanted: &dyn Fn(&Trial) -> bool| -> Vec<usize> {
            let trials = self.record.trials.iter().enumerate();
            trials.filter(|(_, trial)| wanted(trial)).map(|(place, _)| place).collect()
        };
        if let Some(alive) = alive {
            let trials = places(&|trial| trial.lived() && trial.idle >= times(alive, 0.9));
            if !trials.is_empty() {
                evidence.push(Evidence {
                    rule: format!("an answer after {} s of silence shows that it was survived", short(alive)),
                    trials,
                });
            }
        }
        if let Some(dead) = dead {
            let trials =
                places(&|trial| trial.death().is_some() && trial.last_idle >= alive.unwrap_or(Span::ZERO));
            let rule = format!("{} connections did not survive {} s or more", trials.len(), short(dead));
            evidence.push(Evidence { rule, trials });
        }
        let rule = match verdict {
            Verdict::CannotKnow => {
                "an outbound packet may make a forgotten connection anew: an answer does not show that it was known"
            }
            Verdict::KeptOpenByPeer { .. } => "packets of the far end broke every longer silence",
            Verdict::EndedByPeer { .. } => "connections that were never asked ended after the same silence",
            Verdict::NoneBelowMax => "packets from the far end arrived after the longest silence",
            Verdict::Inconclusive(why) => why.sentence(),
            Verdict::Found => return evidence,
        };
        let trials = match verdict {
            Verdict::EndedByPeer { .. } => self.record.unasked().map(|(place, _)| place).collect(),
            _ => Vec::new(),
        };
        evidence.push(Evidence { rule: rule.to_owned(), trials });
        evidence
    }
}

fn count(trials: &[Trial], wanted: impl Fn(&Trial) -> bool) -> u32 {
    u32::try_from(trials.iter().filter(|trial| wanted(trial)).count()).unwrap_or(u32::MAX)
}

/// What most of them say; of two as many, what was said first.
fn most<T: PartialEq + Copy>(votes: impl Iterator<Item = T>) -> Option<T> {
    let mut counts: Vec<(T, usize)> = Vec::new();
    for vote in votes {
        match counts.iter_mut().find(|(known, _)| *known == vote) {
            Some((_, count)) => *count += 1,
            None => counts.push((vote, 1)),
        }
    }
    let best = counts.iter().map(|(_, count)| *count).max()?;
    counts.into_iter().find(|(_, count)| *count == best).map(|(vote, _)| vote)
}

fn at_expiry(deaths: &[&Trial]) -> AtExpiry {
    let died = || deaths.iter().filter_map(|trial| trial.death());
    // A far end that gets a known connection from another port resets it. Whether that RST or the word of the new
    // port comes first is a race, and the same box does not do two things.
    let new_port = died().any(|death| death == Death::NewPort);
    let votes = died().map(|death| match death {
        Death::Ended(End::Reset, origin) if new_port && may_be_peers(origin) => AtExpiry::NewPort,
        Death::Silent => AtExpiry::Silent,
        Death::NewPort => AtExpiry::NewPort,
        Death::Ended(how, _) | Death::Unasked(how, _) => match how {
            End::Reset => AtExpiry::Reset,
            End::Fin => AtExpiry::Fin,
            End::Icmp => AtExpiry::Icmp,
        },
    });
    most(votes).unwrap_or(AtExpiry::Unknown)
}

/// Whether a RST may have come from the far end's host. Of a partner that is not called the peer's, as the partner itself
/// ends nothing; but its host resets what it does not know all the same.
fn may_be_peers(origin: Origin) -> bool {
    match origin {
        Origin::Peer(_) | Origin::Unknown => true,
        Origin::Path(cue) => !cue.other_address && cue.ttl == cue.usual_ttl,
    }
}

/// Products whose value by default lies in the bracket, or so near that the way of a packet makes the difference.
fn products(verdict: Verdict, alive: Option<Span>, dead: Option<Span>) -> Vec<(&'static str, Span)> {
    if !matches!(verdict, Verdict::Found | Verdict::EndedByPeer { .. }) {
        return Vec::new();
    }
    let Some(dead) = dead else { return Vec::new() };
    let alive = alive.unwrap_or(Span::ZERO);
    let (low, high) = (alive.min(dead), alive.max(dead));
    let near = Span::from_millis(500);
    let fits = |idle: Span| idle >= minus(low, near) && idle <= high.plus(near);
    let fitting = Product::idle_timeouts().into_iter().filter(|(idle, _)| fits(*idle));
    fitting.flat_map(|(idle, all)| all.into_iter().map(move |product| (product.name, idle))).collect()
}

/// Seconds with one digit after the point.
fn short(span: Span) -> String {
    format!("{:.1}", nanos(span) / 1e9)
}
