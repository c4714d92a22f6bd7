//! From the arguments to a run: what is asked, whether it is good manners, and what came of it as an exit code.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;

use super::journal::JournalFile;
use super::output::Output;
use super::{Arguments, Direction, Format, Percent};
use crate::cli::{Exit, complain};
use crate::live::filter::Filter;
use crate::live::idle::{self, Examine, Partner, PartnerError, Report};
use crate::live::recording::Recording;
use crate::live::system::{Need, Options as SystemOptions, System};
use crate::live::wire::{Connect, Wire};
use crate::partner::client::Options as SessionOptions;
use crate::partner::secret::Secret;
use crate::report::middlebox::{Asked, Examination, announce, spoken};
use crate::search::refresh::Question;
use crate::search::{Mode, Precision, SENTINELS, Verdict, Wanted, Way};
use crate::time::Span;

/// Connections at once to somebody who was not asked, those that are never probed included.
const MOST_TO_STRANGERS: u16 = 8;

/// Time for the same.
const LONGEST_AT_STRANGERS: Span = Span::from_secs(15 * 60);

/// Connections at once to a partner, each direction.
const TO_PARTNERS: u16 = 64;

/// Half of a bracket need not be less.
const LEAST_PRECISION: Span = Span::from_secs(1);

/// A session is pinged no more often than the first, and no more seldom than the second.
const FRESH: (Span, Span) = (Span::from_millis(500), Span::from_secs(5));

impl Arguments {
    pub(super) fn is_partner(&self, secret: &Secret) -> bool {
        !self.no_partner && (self.partner || secret.is_some())
    }

    /// What is wrong with them beyond what each of them shows.
    pub(super) fn problem(&self, partner: bool) -> Option<String> {
        if !partner && matches!(self.direction, Some(Direction::In | Direction::Both)) {
            let how = "run 'keepscope respond' at the other end and give --partner or its secret";
            return Some(format!("--direction in takes a partner, who sends towards us: {how}"));
        }
        let ours = self.own_target || partner;
        if let Some(connections) = self.connections.filter(|_| !ours)
            && connections + SENTINELS > MOST_TO_STRANGERS
        {
            return Some(format!(
                "{connections} connections and {SENTINELS} more that are never probed are more than \
                 {MOST_TO_STRANGERS}, too many for a target that may not be yours; if it is: --own-target"
            ));
        }
        let examines = self.refresh || self.locate;
        if self.timeout.is_some() && !examines {
            return Some("--timeout says what --refresh and --locate are to examine".to_owned());
        }
        if let (Some(timeout), Some(examine)) = (self.timeout, self.examine(partner)) {
            let question = Question {
                inward: false,
                alive: timeout,
                dead: timeout,
                partner,
                refresh: self.refresh,
                locate: self.locate,
                most: examine.most,
            };
            if let Err(error) = question.check() {
                return Some(format!("--timeout: {error}"));
            }
            if let Some(longest) = examine.budget.filter(|longest| question.takes() > *longest) {
                let (takes, longest) = (spoken(question.takes()), spoken(longest));
                return Some(format!(
                    "that takes {takes}, more than {longest}, too long for a target that may not be yours; if it is: \
                     --own-target"
                ));
            }
        }
        if self.connections == Some(1) && self.direction == Some(Direction::Both) {
            return Some("both directions take two connections at least".to_owned());
        }
        if self.connect_timeout <= Span::ZERO {
            return Some("a time of nothing makes no sense here".to_owned());
        }
        let source_v4 = self.source.map(|source| source.is_ipv4());
        if (source_v4 == Some(true) && self.ipv6) || (source_v4 == Some(false) && self.ipv4) {
            return Some("the source address is of the other IP version".to_owned());
        }
        None
    }

    /// Which addresses will do: IPv4 (true), IPv6 (false), or either.
    fn family(&self) -> Option<bool> {
        match (self.ipv4, self.ipv6) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => self.source.map(|source| source.is_ipv4()),
        }
    }

    /// The questions.
    pub(super) fn directions(&self, partner: bool) -> Vec<Wanted> {
        if self.timeout.is_some() {
            return Vec::new();
        }
        let ways: &[Way] = match (self.direction, partner) {
            (Some(Direction::Both), _) => &[Way::Out, Way::In],
            (Some(Direction::Out), _) | (None, false) => &[Way::Out],
            (Some(Direction::In), _) | (None, true) => &[Way::In],
        };
        let count = u16::try_from(ways.len()).unwrap_or(1);
        let ours = self.own_target || partner;
        let usual = if partner { TO_PARTNERS * count } else { MOST_TO_STRANGERS - SENTINELS };
        let connections = (self.connections.unwrap_or(usual) / count).max(1);
        let Percent(hundredths) = self.precision;
        let wanted = |way: &Way| Wanted {
            min: self.min,
            max: self.max,
            precision: Precision { share: f64::from(hundredths) / 10_000.0, least: LEAST_PRECISION },
            connections,
            mode: self.mode,
            budget: (!ours).then_some(LONGEST_AT_STRANGERS),
            ..Wanted::new(*way, partner)
        };
        ways.iter().map(wanted).collect()
    }

    /// What is examined once a timeout is known.
    fn examine(&self, partner: bool) -> Option<Examine> {
        let ours = self.own_target || partner;
        let usual = if ours { TO_PARTNERS + SENTINELS } else { MOST_TO_STRANGERS };
        (self.refresh || self.locate).then(|| Examine {
            refresh: self.refresh,
            locate: self.locate,
            timeout: self.timeout,
            most: self.connections.unwrap_or(usual),
            budget: (!ours).then_some(LONGEST_AT_STRANGERS),
        })
    }

    /// A session that is pinged often enough to be no victim of what is looked for.
    fn session(&self) -> SessionOptions {
        let shortest = match (self.timeout, self.mode) {
            (Some(idle), _) | (None, Mode::Confirm(idle)) => idle,
            (None, Mode::Full | Mode::Quick) => self.min,
        };
        let third = Span::from_nanos(shortest.as_nanos() / 3);
        SessionOptions { fresh: third.max(FRESH.0).min(FRESH.1), ..SessionOptions::default() }
    }

    /// How the result is shown.
    pub(super) fn format(&self) -> Format {
        self.format.unwrap_or(Format::Text)
    }

    /// Whether it is shown on a screen, which has no place for what follows a search.
    #[cfg(feature = "dashboard")]
    fn wants_screen(&self) -> bool {
        let lines = self.plain || self.format.is_some() || self.refresh || self.locate;
        crate::cli::live_screen::is_wanted(lines)
    }

    /// Whether it is shown on a screen: never in a build without one.
    #[cfg(not(feature = "dashboard"))]
    const fn wants_screen(&self) -> bool {
        false
    }

    fn system(&self, address: SocketAddr) -> SystemOptions {
        SystemOptions {
            interfaces: self.interface.iter().cloned().collect(),
            netns: self.netns.clone(),
            sniff: Need::Required,
            send: Need::Required,
            filter: Filter::Peers(vec![address]),
            // A screen hears them itself.
            signals: !self.wants_screen(),
        }
    }
}

/// Why nothing is done.
enum Refused {
    /// Usage, or something that is not there.
    BadInput(String),
    /// Rights are missing.
    Rights(String),
}

impl From<String> for Refused {
    fn from(problem: String) -> Self {
        Refused::BadInput(problem)
    }
}

/// Does what was asked.
pub(super) fn carry_out(arguments: &Arguments) -> io::Result<Exit> {
    match prepare(arguments) {
        Ok(Prepared::OnlyPlan) => Ok(Exit::Done),
        Ok(Prepared::Run(run)) => search(arguments, *run),
        Err(Refused::BadInput(problem)) => {
            complain(&format!("error: {problem}"));
            Ok(Exit::BadInput)
        }
        Err(Refused::Rights(problem)) => {
            complain(&format!("error: {problem}"));
            Ok(Exit::RightsMissing)
        }
    }
}

enum Prepared {
    OnlyPlan,
    Run(Box<Run>),
}

/// Everything that is needed, and opened.
struct Run {
    asked: Asked,
    partner: Option<Partner>,
    wire: System,
    recording: Option<Recording>,
    journal: Option<JournalFile>,
}

fn prepare(arguments: &Arguments) -> Result<Prepared, Refused> {
    let secret = if arguments.no_partner {
        Secret::none()
    } else {
        arguments.token.secret().map_err(|error| error.to_string())?
    };
    let partner = arguments.is_partner(&secret);
    if let Some(problem) = arguments.problem(partner) {
        return Err(problem.into());
    }
    let directions = arguments.directions(partner);
    for wanted in &directions {
        wanted.check().map_err(|error| error.to_string())?;
    }
    let examine = arguments.examine(partner);
    let Some(target) = &arguments.target else { return Err("HOST:PORT is missing".to_owned().into()) };
    let address = target.resolve(arguments.family())?;
    let mut asked = Asked {
        host: target.host.chars().filter(|letter| !letter.is_control()).collect(),
        address,
        directions,
        examination: examine.map(|examine| Examination {
            refresh: examine.refresh,
            locate: examine.locate,
            timeout: examine.timeout,
            partner,
            most: examine.most,
        }),
        simulated: None,
        recording: arguments.write.as_ref().map(|path| path.display().to_string()),
    };
    // Before anything is sent; a closed standard error is no reason to stop.
    let _ = announce(&mut io::stderr().lock(), &asked);
    if arguments.plan {
        return Ok(Prepared::OnlyPlan);
    }
    let partner = partner.then(|| Partner::new(secret, arguments.session()));
    let partner = partner.transpose().map_err(|error| format!("no random octets: {error}"))?;
    let journal = arguments.journal.as_deref();
    let journal = journal.map(|path| JournalFile::open(path, arguments.resume, arguments.force, &mut asked));
    let journal = journal.transpose()?;
    // Before rights are given up: under sudo they are what lets a file be made in somebody's folder.
    let about = format!("keepscope middlebox to {address}");
    let recording = arguments.write.as_deref().map(|path| Recording::create(path, arguments.force, &about));
    let mut recording = recording.transpose().map_err(|error| error.to_string())?;
    let wire = match System::open(&arguments.system(address)) {
        Ok(wire) => wire,
        Err(problem) => {
            recording.into_iter().for_each(Recording::discard);
            let text = problem.to_string();
            return Err(if problem.lacks_rights() { Refused::Rights(text) } else { Refused::BadInput(text) });
        }
    };
    if let Some(recording) = &mut recording {
        for (interface, number) in wire.listening().zip(0..) {
            recording.name_interface(number, interface.name());
        }
    }
    Ok(Prepared::Run(Box::new(Run { asked, partner, wire, recording, journal })))
}

fn search(arguments: &Arguments, run: Run) -> io::Result<Exit> {
    let Run { asked, partner, mut wire, recording, journal } = run;
    let plan = idle::Plan {
        connect: Connect { peer: asked.address, source: arguments.source },
        directions: asked.directions.clone(),
        partner,
        examine: arguments.examine(asked.examination.is_some_and(|examination| examination.partner)),
        open_within: arguments.connect_timeout,
        interfaces: wire.listening().map(|interface| interface.name().to_owned()).collect(),
        hash_seed: RandomState::new().hash_one(0),
    };
    #[cfg(feature = "dashboard")]
    if arguments.wants_screen() {
        return super::screen::show(arguments, &asked, wire, plan, recording, journal);
    }
    let mut output = Output::begin(arguments, &asked, recording, journal)?;
    let mut report = match idle::run(&mut wire, plan, &mut output) {
        Ok(report) => report,
        Err(problem) => {
            complain(&format!("error: {problem}"));
            return Ok(Exit::BadInput);
        }
    };
    let now = wire.now();
    // Whoever read the output has seen enough.
    if let Some(error) = report.unheard.take() {
        output.finish_recording(now, report.received);
        return Err(error);
    }
    output.finish(&asked, &report, now)?;
    Ok(exit(arguments, &report).if_kept(output.has_kept_all()))
}

/// How it went.
pub(super) fn exit(arguments: &Arguments, report: &Report) -> Exit {
    if let Some(error) = &report.broken {
        complain(&format!("error: {error}"));
    }
    if let Some(error) = &report.partner_failed {
        complain(&format!("error: {error}"));
        if report.findings.is_empty() && report.examined.is_none() {
            if matches!(error, PartnerError::Session(_)) && !arguments.partner {
                complain(
                    "note: a secret was given, so a partner was expected there; --no-partner asks any server",
                );
            }
            return Exit::BadInput;
        }
    }
    if report.interrupted {
        return Exit::Interrupted;
    }
    let unanswered = report.not_examined.is_some()
        || report.examined.as_ref().is_some_and(|outcome| !outcome.is_answer())
        || (arguments.timeout.is_some() && report.examined.is_none());
    if arguments.timeout.is_some() || unanswered {
        return if unanswered { Exit::Inconclusive } else { Exit::Done };
    }
    let verdicts: Vec<Verdict> = report.findings.iter().map(|(_, finding)| finding.verdict).collect();
    exit_of(arguments.mode, &verdicts)
}

/// What a search came to, as an exit code.
pub(super) fn exit_of(mode: Mode, verdicts: &[Verdict]) -> Exit {
    let found = verdicts.contains(&Verdict::Found);
    let none = verdicts.contains(&Verdict::NoneBelowMax);
    let all_none = verdicts.iter().all(|verdict| *verdict == Verdict::NoneBelowMax);
    match mode {
        Mode::Confirm(_) if found => Exit::Failed,
        Mode::Confirm(_) if all_none => Exit::Done,
        Mode::Full | Mode::Quick if found || none => Exit::Done,
        _ => Exit::Inconclusive,
    }
}
