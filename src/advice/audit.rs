//! Existing configuration, judged by the rules of a recommendation.
//!
//! Owns [`Auditor`], which holds each item of a configuration against a path in the simulator, and [`Judgement`]. Uses
//! [`super::config`] for what is set and `super::propose` for what would hold.

use super::config::{Asked, ConfigError, Item, Kind, Meaning};
use super::path::{Owner, Path};
use super::phases::Phases;
use super::propose::{Evidence, Wish};
use super::shape::Shape;
use super::snippets::{Snippet, Values};
use crate::keepalive::{Model, Settings};
use crate::stack::value::seconds;
use crate::time::Span;

/// Phases for the share of them in which settings do not hold.
const PHASES: u32 = 400;

/// What is said of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds by every rule.
    Safe,
    /// It breaks one.
    Unsafe,
    /// It cannot be judged.
    Unknown,
}

impl Verdict {
    /// As a value in output for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Safe => "safe",
            Verdict::Unsafe => "unsafe",
            Verdict::Unknown => "unknown",
        }
    }
}

/// An item with its verdict.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// The file, as given.
    pub path: String,
    /// What kind it is.
    pub kind: Kind,
    /// What is judged.
    pub item: Item,
    /// What is said of it.
    pub verdict: Verdict,
    /// Why, for people.
    pub reason: String,
    /// What the stack runs on there, if keepalives are on.
    pub settings: Option<Settings>,
    /// The lines that mend it; nothing where nothing is to be mended or nothing would help.
    pub mend: Option<String>,
}

/// Judges configuration.
#[derive(Debug)]
pub struct Auditor {
    path: Path,
    wish: Wish,
    /// The system's own settings.
    system: Settings,
    /// The line that set them, if one did.
    system_from: Option<String>,
    read: Vec<(String, Kind, Vec<Item>)>,
    /// Settings that were judged already.
    known: Vec<(Settings, Verdict, String)>,
}

impl Auditor {
    /// For that path and stack; nothing if too little is known of the stack to run it.
    pub fn new(path: Path, wish: Wish) -> Option<Auditor> {
        let system = Model::of(wish.stack)?.settings;
        Some(Auditor { path, wish, system, system_from: None, read: Vec::new(), known: Vec::new() })
    }

    /// Takes a file. What it says of the system's own times holds for everything that leaves them to the system.
    ///
    /// # Errors
    /// If it is no document of its kind.
    pub fn take(&mut self, path: &str, kind: Kind, text: &str) -> Result<(), ConfigError> {
        let items = kind.read(text)?;
        if kind == Kind::Sysctl {
            for item in &items {
                if let Meaning::System(asked) = item.meaning {
                    self.system = over(self.system, asked);
                    let line = item.line.map(|line| format!(":{line}")).unwrap_or_default();
                    self.system_from = Some(format!("{path}{line}"));
                }
            }
        }
        self.read.push((path.to_owned(), kind, items));
        Ok(())
    }

    /// Judges all that was taken, in its order.
    pub fn judge(mut self) -> Vec<Judgement> {
        let read = std::mem::take(&mut self.read);
        let mut judged = Vec::new();
        for (path, kind, items) in read {
            judged.extend(items.into_iter().map(|item| self.item(&path, kind, item)));
        }
        judged
    }

    fn item(&mut self, path: &str, kind: Kind, item: Item) -> Judgement {
        let (verdict, reason, settings) = match &item.meaning {
            Meaning::Unreadable(problem) => (Verdict::Unknown, problem.clone(), None),
            Meaning::Off(_) if self.path.owner != Owner::Tracker => self.beside_the_point(),
            Meaning::Off(why) => {
                let silence = seconds(self.path.silence);
                (Verdict::Unsafe, format!("{why}; an idle connection is forgotten after {silence}"), None)
            }
            Meaning::Heartbeat(every) => self.heartbeat(*every),
            Meaning::Keepalive(_) | Meaning::System(_) if self.path.owner != Owner::Tracker => {
                self.beside_the_point()
            }
            Meaning::System(_) if !self.is_own_system(kind, &item) => {
                let other = "these are another system's; say which with --stack".to_owned();
                (Verdict::Unknown, other, None)
            }
            Meaning::Keepalive(asked) => self.keepalive(kind, *asked),
            Meaning::System(asked) => self.system_times(kind, *asked),
        };
        let mend = (verdict == Verdict::Unsafe).then(|| self.mend(&item)).flatten();
        Judgement { path: path.to_owned(), kind, item, verdict, reason, settings, mend }
    }

    /// Whether times of a system are those of the stack that is asked about.
    fn is_own_system(&self, kind: Kind, item: &Item) -> bool {
        let is_linux = self.wish.stack.name == "linux";
        match kind {
            Kind::Sysctl if item.what.starts_with("net.inet.") => {
                ["freebsd", "macos"].contains(&self.wish.stack.name)
            }
            _ => is_linux,
        }
    }

    /// The path that is judged for.
    pub const fn path(&self) -> &Path {
        &self.path
    }

    /// What is wanted.
    pub(super) const fn wish(&self) -> &Wish {
        &self.wish
    }

    /// Keepalives, where nobody counts them.
    pub(super) fn beside_the_point(&self) -> (Verdict, String, Option<Settings>) {
        let who = match self.path.owner {
            Owner::Peer => "the application at the other end closes, and never sees a keepalive",
            _ => "a proxy answers keepalives itself and counts data only",
        };
        (Verdict::Unsafe, format!("keepalives do not help here: {who}"), None)
    }

    fn heartbeat(&self, every: Span) -> (Verdict, String, Option<Settings>) {
        let silence = seconds(self.path.silence);
        if self.wish.is_heartbeat_enough(every, self.path.owner != Owner::Tracker) {
            (Verdict::Safe, format!("says something every {}, within {silence}", seconds(every)), None)
        } else {
            (
                Verdict::Unsafe,
                format!("says something every {} only, not within {silence}", seconds(every)),
                None,
            )
        }
    }

    /// Sockets with keepalives on: theirs, or the system's.
    fn keepalive(&mut self, kind: Kind, asked: Asked) -> (Verdict, String, Option<Settings>) {
        let settings = over(self.system, asked);
        let (verdict, mut reason) = self.settings(settings);
        let left = [asked.idle.is_none().then_some("idle"), asked.interval.is_none().then_some("interval")];
        let left: Vec<&str> =
            left.into_iter().chain([asked.count.is_none().then_some("count")]).flatten().collect();
        if !left.is_empty() && settings.user_timeout.is_none() {
            let from = match (&self.system_from, kind) {
                (Some(from), _) => format!("the system's, from {from}"),
                (None, _) => "the system's, by default".to_owned(),
            };
            let verb = if left.len() == 1 { "is" } else { "are" };
            reason = format!("{reason} ({} {verb} {from})", left.join(", "));
        }
        (verdict, reason, Some(settings))
    }

    /// Times of a system, for sockets that have none of their own.
    fn system_times(&mut self, kind: Kind, asked: Asked) -> (Verdict, String, Option<Settings>) {
        // A pod has the kernel's defaults, whatever the node has.
        let base = match kind {
            Kind::Kubernetes => Model::of(self.wish.stack).map_or(self.system, |model| model.settings),
            _ => self.system,
        };
        let settings = over(base, asked);
        let (verdict, reason) = self.settings(settings);
        let nothing = asked == Asked::default();
        let reason = match nothing {
            true => format!("no sysctls, so the kernel's defaults: {reason}"),
            false => reason,
        };
        (
            verdict,
            format!("{reason}; for sockets with SO_KEEPALIVE and no times of their own"),
            Some(settings),
        )
    }

    /// Judges settings that are in force.
    pub fn settings(&mut self, settings: Settings) -> (Verdict, String) {
        if let Some((_, verdict, reason)) = self.known.iter().find(|(known, ..)| *known == settings) {
            return (*verdict, reason.clone());
        }
        let (verdict, reason) = self.simulate(settings);
        let shown =
            format!("{} / {} / {}", seconds(settings.idle), seconds(settings.interval), settings.count);
        let reason = format!("{shown}: {reason}");
        self.known.push((settings, verdict, reason.clone()));
        (verdict, reason)
    }

    fn simulate(&self, settings: Settings) -> (Verdict, String) {
        let silence = seconds(self.wish.silence);
        if settings.idle >= self.wish.silence && settings.idle >= settings.interval {
            return (
                Verdict::Unsafe,
                format!(
                    "the first probe comes after {}, when it is forgotten already",
                    seconds(settings.idle)
                ),
            );
        }
        let evidence = self.wish.try_out(settings, Phases::Edges);
        let all = |holds: &dyn Fn(&super::Kept) -> bool| evidence.kept.iter().all(|(_, kept)| holds(kept));
        if !all(&|kept| kept.without_loss == kept.phases) {
            return (Verdict::Unsafe, self.shares(settings, &silence));
        }
        if !all(&|kept| kept.with_loss == kept.phases) {
            let lost = match self.wish.lost {
                1 => "one lost probe".to_owned(),
                lost => format!("{lost} lost probes in a row"),
            };
            return (
                Verdict::Unsafe,
                format!("in time while no probe is lost; {lost} and it is forgotten or given up"),
            );
        }
        if let Some(within) = self.wish.notice_within
            && evidence.noticed.is_none_or(|noticed| noticed > within)
        {
            let noticed = evidence
                .noticed
                .map_or_else(|| "never".to_owned(), |noticed| format!("after {}", seconds(noticed)));
            return (
                Verdict::Unsafe,
                format!(
                    "in time, but a dead peer is noticed {noticed} at worst, not within {}",
                    seconds(within)
                ),
            );
        }
        (Verdict::Safe, sentence(&evidence, &silence))
    }

    /// In how many phases the connection is lost without any loss.
    fn shares(&self, settings: Settings, silence: &str) -> String {
        let evidence = self.wish.clone_without_losses().try_out(settings, Phases::Even(PHASES));
        let share = |(hz, kept): &(Option<u32>, super::Kept)| {
            let lost = (kept.phases - kept.without_loss) * 100 / kept.phases.max(1);
            let lost = if lost == 0 && kept.without_loss < kept.phases {
                "under 1".to_owned()
            } else {
                lost.to_string()
            };
            match hz {
                Some(hz) => format!("{lost} % (HZ={hz})"),
                None => format!("{lost} %"),
            }
        };
        let shares: Vec<String> = evidence.kept.iter().map(share).collect();
        format!("not within {silence} in every phase of the timer: lost in {}", shares.join(", "))
    }

    fn mend(&self, item: &Item) -> Option<String> {
        let shape = match &item.meaning {
            Meaning::Keepalive(asked) | Meaning::System(asked) => asked.shape.unwrap_or(Shape::FREE),
            Meaning::Off(_) => Snippet::named(item.what.as_str()).map_or(Shape::FREE, shape_of),
            Meaning::Heartbeat(_) | Meaning::Unreadable(_) => Shape::FREE,
        };
        let beats = matches!(item.meaning, Meaning::Heartbeat(_)) || item.what.ends_with("AliveInterval");
        if beats {
            let every = self.wish.heartbeat(self.path.owner != Owner::Tracker)?;
            return Some(item.mend.text(&Values::Heartbeat(every)).trim_end().to_owned());
        }
        if self.path.owner != Owner::Tracker {
            return None;
        }
        let shape = if item.what == "tcp-keepalive" {
            Snippet::named("redis").map_or(shape, shape_of)
        } else {
            shape
        };
        let advice = self.wish.advise(shape).ok()?;
        Some(item.mend.text(&Values::Keepalive(advice.settings)).trim_end().to_owned())
    }
}

fn shape_of(snippet: &Snippet) -> Shape {
    match snippet.means {
        super::snippets::Means::Keepalive(shape) => shape,
        _ => Shape::FREE,
    }
}

/// What is asked for, over what the system has.
fn over(system: Settings, asked: Asked) -> Settings {
    Settings {
        idle: asked.idle.unwrap_or(system.idle),
        interval: asked.interval.unwrap_or(system.interval),
        count: asked.count.unwrap_or(system.count),
        user_timeout: asked.user_timeout.or(system.user_timeout),
    }
}

fn sentence(evidence: &Evidence, silence: &str) -> String {
    let longest = evidence.kept.iter().map(|(_, kept)| kept.longest_silence).max().unwrap_or(Span::ZERO);
    let dead = match evidence.noticed {
        Some(noticed) => format!("a dead peer is noticed within {}", rounded_up(noticed)),
        None => "a dead peer is not noticed".to_owned(),
    };
    format!("never more than {} of {silence} in silence, with losses; {dead}", rounded_up(longest))
}

/// A time in whole tenths of a second, not less than it is.
fn rounded_up(span: Span) -> String {
    let tenth = 100_000_000;
    seconds(Span::from_nanos(span.as_nanos().saturating_add(tenth - 1) / tenth * tenth))
}
