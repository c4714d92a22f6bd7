//! The simulator on the screen: a scenario that is changed field by field, and what is predicted of it.
//!
//! Owns [`Simulation`]. [`field`] has the fields of the form, [`edit`] what changes them, [`path`] and [`windows`]
//! what a path and a Windows host are to a form; [`predict`] makes of a scenario what is shown, [`asides`] what is
//! known beside the packets, and [`worker`] does it on a thread of its own. The packets go through the same pipeline
//! into the same store as those of a capture ([`super::store::feed`]), so that they look and count the same. Pure but
//! for [`worker`].

pub mod answer;
pub mod asides;
pub mod edit;
pub mod field;
pub mod path;
pub mod predict;
pub mod state;
pub mod windows;
pub mod worker;

use self::asides::Asides;
use self::field::Field;
use self::predict::{Figures, Prediction};
use super::effect::{Effect, Wanted};
use super::model::Session;
use super::replay::{Speed, comfortable};
use super::store::feed::Batch;
use crate::simulate::scenario::run::{Distribution, Spread};
use crate::simulate::scenario::{Host, Link, Plan, Scenario, built_in};
use crate::time::Span;

/// Changes that can be taken back.
const MOST_CHANGES: usize = 200;

/// Runs of a batch where nothing else is said.
const RUNS: u64 = 1000;

/// Over what many runs go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// The phases of the client's timer.
    Phases,
    /// Seeds.
    Seeds,
}

/// A prediction that others are compared with.
#[derive(Clone, Debug)]
pub struct Base {
    /// What was simulated.
    pub scenario: Scenario,
    /// What it came to.
    pub figures: Figures,
    /// The same in other phases of the client's timer.
    pub phases: Option<Distribution>,
}

/// Many runs.
#[derive(Clone, Debug, Default)]
pub struct Many {
    /// What differs between them.
    pub spread: Option<Spread>,
    /// How many there are to be.
    pub wanted: u64,
    /// What those so far came to.
    pub distribution: Distribution,
    /// Why there are none.
    pub problem: Option<String>,
}

impl Many {
    /// Whether there are more to come.
    pub fn goes_on(&self) -> bool {
        self.problem.is_none() && self.distribution.runs < self.wanted
    }
}

/// Everything about the simulator's screen.
#[derive(Debug)]
pub struct Simulation {
    /// Where the scenario came from, fit for the screen.
    pub name: String,
    /// It came with the program.
    pub is_built_in: bool,
    /// What is simulated.
    pub scenario: Scenario,
    /// Something in it was changed.
    pub changed: bool,
    /// How it was before each change, the latest last.
    before: Vec<Scenario>,
    /// The number of the scenario as it stands; news of others are too late.
    pub version: u64,
    /// The field that keys go to.
    pub field: Field,
    /// What is wrong with the scenario as it stands.
    pub problem: Option<String>,
    /// Of which version `prediction` and `session` are.
    pub predicted: u64,
    /// What is predicted.
    pub prediction: Option<Prediction>,
    /// Its packets, played.
    pub session: Session,
    /// What it is compared with.
    pub base: Option<Base>,
    /// Over what a batch goes.
    pub over: Over,
    /// How many runs a batch has.
    pub runs: u64,
    /// The last batch.
    pub many: Option<Many>,
}

/// News of a simulation.
#[derive(Debug)]
pub enum News {
    /// What is predicted, with the packets of a capture at the client.
    Predicted(Box<(Prediction, Batch, Asides)>),
    /// The scenario cannot be simulated.
    Refused(String),
    /// The same in other phases of the client's timer.
    Phases(Distribution),
    /// Many runs so far.
    Runs(Spread, Distribution),
    /// Many runs are not possible.
    NoRuns(String),
}

/// A plain scenario to begin with: Linux probes a Linux that loses its power.
pub fn plain() -> Scenario {
    let host = || Host { stack: Some("linux".to_owned()), ..Host::default() };
    let client = Host {
        hz: Some(250),
        idle: Some(Span::from_secs(60)),
        interval: Some(Span::from_secs(10)),
        count: Some(5),
        ..host()
    };
    let link = Link { delay: Some(Span::from_millis(10)), ..Link::default() };
    Scenario {
        title: "Linux probes a peer that loses its power".to_owned(),
        question: String::new(),
        answer: String::new(),
        seed: 1,
        length: Span::from_secs(600),
        opens: Span::ZERO,
        path: vec!["wan".to_owned()],
        client,
        server: Host { power_off: Some(Span::from_secs(100)), ..host() },
        link: [("wan".to_owned(), link)].into(),
        boxes: Default::default(),
        expect: Default::default(),
    }
}

/// The name of the plain one in the list of scenarios.
pub const PLAIN: &str = "plain";

/// The scenarios that can be begun with: the plain one, and those that come with the program.
pub fn choices() -> impl Iterator<Item = &'static str> {
    std::iter::once(PLAIN).chain(built_in::ALL.iter().map(|found| found.name))
}

/// The plan of a scenario that can be begun with.
pub fn choice(name: &str) -> Option<Plan> {
    match built_in::named(name) {
        Some(found) => Scenario::read(found.text, &[]).ok(),
        None if name == PLAIN => plain().plan().ok(),
        None => None,
    }
}

impl Simulation {
    /// A scenario of which nothing is predicted yet.
    pub fn new(name: &str, scenario: Scenario, version: u64) -> Simulation {
        Simulation {
            name: super::text::clean(name).into_owned(),
            is_built_in: name == PLAIN || built_in::named(name).is_some(),
            scenario,
            changed: false,
            before: Vec::new(),
            version,
            field: Field::Idle,
            problem: None,
            predicted: 0,
            prediction: None,
            session: Session::new(version, Vec::new(), Speed::Fit),
            base: None,
            over: Over::Phases,
            runs: RUNS,
            many: None,
        }
    }

    /// The prediction, if it is of the scenario as it stands.
    pub fn current(&self) -> Option<&Prediction> {
        self.prediction.as_ref().filter(|_| self.predicted == self.version)
    }

    /// Checks the scenario as it stands, and asks for a prediction.
    pub fn ask(&mut self) -> Vec<Effect> {
        self.many = None;
        match self.scenario.plan() {
            Ok(_) => {
                self.problem = None;
                vec![Effect::Simulate(self.version, Box::new(self.scenario.clone()), Wanted::Prediction)]
            }
            Err(wrong) => {
                self.problem = Some(wrong.to_string());
                vec![Effect::StopSimulating]
            }
        }
    }

    /// The scenario was changed to the version of that number.
    pub fn change(&mut self, version: u64) -> Vec<Effect> {
        if !self.changed {
            // What it was called, asked and expected held for it as it stood.
            self.scenario.title = format!("{}, changed", self.scenario.title);
            self.scenario.question.clear();
            self.scenario.answer.clear();
            if self.is_built_in {
                self.scenario.expect = Default::default();
            }
        }
        self.changed = true;
        self.version = version;
        self.ask()
    }

    /// Remembers how the scenario was, to go back there.
    pub fn remember(&mut self, before: Scenario) {
        if self.before.len() >= MOST_CHANGES {
            self.before.remove(0);
        }
        self.before.push(before);
    }

    /// Takes the last change back; that is the version of that number then. Nothing if there was none.
    pub fn undo(&mut self, version: u64) -> Option<Vec<Effect>> {
        self.scenario = self.before.pop()?;
        self.changed = !self.before.is_empty();
        self.version = version;
        if !Field::all(&self.scenario).contains(&self.field) {
            self.field = Field::Stack;
        }
        Some(self.ask())
    }

    /// Takes news of the simulation of that number; says whether anything changed.
    pub fn take(&mut self, version: u64, news: News) -> bool {
        if version != self.version {
            return false;
        }
        match news {
            News::Predicted(found) => {
                let (prediction, batch, asides) = *found;
                self.show(prediction, batch, asides);
            }
            News::Refused(problem) => self.problem = Some(problem),
            News::Phases(distribution) => {
                if let Some(prediction) = self.prediction.as_mut().filter(|_| self.predicted == version) {
                    prediction.phases = Some(distribution);
                }
            }
            News::Runs(spread, distribution) => {
                if let Some(many) = self.many.as_mut() {
                    (many.spread, many.distribution) = (Some(spread), distribution);
                }
            }
            News::NoRuns(problem) => {
                if let Some(many) = self.many.as_mut() {
                    many.problem = Some(problem);
                }
            }
        }
        true
    }

    /// Shows another prediction: at the end as before, or at the same time.
    fn show(&mut self, prediction: Prediction, batch: Batch, asides: Asides) {
        let mut session = Session::new(self.version, Vec::new(), self.session.player.speed);
        let before = &self.session;
        let start = |session: &Session| session.store.span().map(|(first, _)| first);
        let gone = start(before).map(|first| before.player.at.time.since(first));
        let at_end = before.player.is_at_end(&before.store);
        (session.zoom, session.player.marks) = (before.zoom, before.player.marks);
        // Its one connection, whether it has keepalives or not.
        session.table.all = true;
        session.store.take(batch);
        session.asides = asides;
        session.player.playing = false;
        session.player.speed = match (session.player.speed, session.store.span()) {
            (Speed::Fit, Some((first, last))) => comfortable(last.since(first)),
            (speed, _) => speed,
        };
        session.player.on_more(&session.store);
        match (start(&session), gone.filter(|_| !at_end)) {
            (Some(first), Some(gone)) => session.player.to_time(&session.store, first.plus(gone)),
            _ => session.player.to_end(&session.store),
        }
        self.session = session;
        self.predicted = self.version;
        self.prediction = Some(prediction);
    }

    /// Keeps what is predicted now to compare with; if that is kept already, nothing any more.
    pub fn keep(&mut self) -> &'static str {
        let Some(prediction) = self.current() else { return "nothing is predicted of this yet" };
        if self.base.as_ref().is_some_and(|base| base.scenario == self.scenario) {
            self.base = None;
            return "compared with nothing";
        }
        let (figures, phases) = (prediction.figures.clone(), prediction.phases.clone());
        self.base = Some(Base { scenario: self.scenario.clone(), figures, phases });
        "kept as the base: change a value and see the difference"
    }

    /// Begins many runs of the scenario as it stands, or stops those that go on.
    pub fn batch(&mut self) -> Vec<Effect> {
        if self.many.take().is_some_and(|many| many.goes_on()) {
            return vec![Effect::StopSimulating];
        }
        if self.problem.is_some() {
            return Vec::new();
        }
        self.many = Some(Many { wanted: self.runs, ..Many::default() });
        let wanted = Wanted::Runs { over_phases: self.over == Over::Phases, runs: self.runs };
        vec![Effect::Simulate(self.version, Box::new(self.scenario.clone()), wanted)]
    }
}
