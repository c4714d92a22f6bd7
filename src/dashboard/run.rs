//! The loop: messages in, model changed, effects carried out, a frame drawn where something changed.
//!
//! Owns the clock, the threads and the channel. Impure. At most 20 frames a second, and none while nothing
//! changes: then it waits for a message, however long that takes.

use std::io::{self, Stdout, stdout};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;

use super::effect::{Effect, Wanted};
use super::export::{self, From};
use super::live::Ask;
#[cfg(feature = "live")]
use super::live::driver::{self, Driver};
use super::message::{Key, Message};
#[cfg(feature = "live")]
use super::middlebox::driver as search;
use super::model::{self, Model};
use super::replay::reader;
use super::simulation::worker;
use super::terminal::{self, Guard};
use super::update::{self, settle, update};
use super::view;
use crate::simulate::scenario::Scenario;
use crate::time::Span;

/// Least time between two frames.
const FRAME: Duration = Duration::from_millis(50);

/// A live search is drawn this often while nothing happens.
const SECOND: Duration = Duration::from_secs(1);

/// Messages that wait at most: batches are large, so few of them.
const WAITING: usize = 8;

/// Messages taken between two looks at whether a frame is due.
const AT_ONCE: usize = 64;

/// How it ended.
#[derive(Debug)]
pub struct Ended {
    /// The model as it was last.
    pub model: Model,
    /// By a signal or Ctrl-C.
    pub interrupted: bool,
    /// How the live source ended, if there was one.
    #[cfg(feature = "live")]
    pub live: Option<driver::Ended>,
    /// How the search on a real path ended, if there was one.
    #[cfg(feature = "live")]
    pub search: Option<search::Ended>,
}

/// What has open sockets.
#[cfg(feature = "live")]
#[derive(Debug)]
pub enum Standby {
    /// A live source that can be begun.
    Live(Box<driver::Start>),
    /// A search that is begun at once.
    Search(Box<search::Start>),
}

/// There is no live source in this build.
#[cfg(not(feature = "live"))]
pub type Standby = std::convert::Infallible;

/// What the loop was started with.
#[derive(Clone, Debug)]
pub struct Start {
    /// The captures to open; none for the start screen.
    pub paths: Vec<PathBuf>,
    /// The scenario to simulate, with its name.
    pub scenario: Option<(String, Scenario)>,
    /// The live source is begun at once.
    pub live: bool,
    /// For the tables that a capture could otherwise fill badly, see [`crate::pipeline::Pipeline::new`].
    pub hash_seed: u64,
    /// Where new files go.
    pub folder: PathBuf,
}

/// Shows a model until the user has had enough.
///
/// # Errors
/// If the terminal cannot be taken over or written to.
#[allow(clippy::disallowed_methods, reason = "the one clock of the screen")]
pub fn run(mut model: Model, start: &Start, standby: Option<Standby>) -> io::Result<Ended> {
    // What NO_COLOR asks for is done by the mono theme: this version of crossterm would reset bold and reverse
    // along with colours.
    crossterm::style::force_color_output(true);
    let guard = Guard::take()?;
    let (sender, receiver) = sync_channel(WAITING);
    watch_keys(sender.clone())?;
    watch_signals(sender.clone())?;
    let mut screen = Terminal::new(CrosstermBackend::new(stdout()))?;
    let mut runner = Runner {
        sender,
        receiver,
        start,
        reading: None,
        simulating: None,
        running: None,
        standby,
        #[cfg(feature = "live")]
        live: None,
        #[cfg(feature = "live")]
        search: None,
        began: Instant::now(),
        drawn: None,
    };
    let size = screen.size()?;
    model.size = (size.width, size.height);
    if !start.paths.is_empty() {
        let effects = update::open(&mut model, start.paths.clone());
        runner.perform(&mut model, &mut screen, effects)?;
    }
    if let Some((name, scenario)) = &start.scenario {
        let effects = update::begin(&mut model, name, scenario.clone());
        runner.perform(&mut model, &mut screen, effects)?;
    }
    runner.begin_search()?;
    if start.live {
        let effects = update::begin_live(&mut model);
        runner.perform(&mut model, &mut screen, effects)?;
    }
    let interrupted = runner.turn(&mut model, &mut screen);
    runner.stop_reading();
    runner.stop_simulating();
    settle(&mut model);
    drop(guard);
    // Nobody is told anything any more, and nobody waits to tell.
    drop(runner.receiver);
    #[cfg(feature = "live")]
    let live = runner.live.and_then(|live| live.end(*interrupted.as_ref().unwrap_or(&true)));
    #[cfg(feature = "live")]
    let search = runner.search.and_then(search::Driver::end);
    Ok(Ended {
        model,
        interrupted: interrupted?,
        #[cfg(feature = "live")]
        live,
        #[cfg(feature = "live")]
        search,
    })
}

struct Runner<'a> {
    sender: SyncSender<Message>,
    receiver: Receiver<Message>,
    start: &'a Start,
    /// Tells the thread that reads to stop.
    reading: Option<Arc<AtomicBool>>,
    /// Tells the thread that simulates to stop, and the one that does so many times.
    simulating: Option<Arc<AtomicBool>>,
    running: Option<Arc<AtomicBool>>,
    /// A live source that can be begun.
    standby: Option<Standby>,
    #[cfg(feature = "live")]
    live: Option<Driver>,
    #[cfg(feature = "live")]
    search: Option<search::Driver>,
    began: Instant,
    drawn: Option<Instant>,
}

type Screen = Terminal<CrosstermBackend<Stdout>>;

impl Runner<'_> {
    /// Until the end; says whether it was an interruption.
    #[allow(clippy::disallowed_methods, reason = "the one clock of the screen")]
    fn turn(&mut self, model: &mut Model, screen: &mut Screen) -> io::Result<bool> {
        loop {
            if model.dirty && self.drawn.is_none_or(|drawn| drawn.elapsed() >= FRAME) {
                settle(model);
                screen.draw(|frame| view::draw(model, frame.buffer_mut()))?;
                model.dirty = false;
                self.drawn = Some(Instant::now());
            }
            let mut next = self.wait(model);
            // What comes is told at the time at which it came.
            self.tick(model);
            for _ in 0..AT_ONCE {
                let Some(message) = next else { break };
                let effects = update(model, message);
                if let Some(interrupted) = self.perform(model, screen, effects)? {
                    return Ok(interrupted);
                }
                next = self.receiver.try_recv().ok();
            }
            self.tick(model);
        }
    }

    fn tick(&self, model: &mut Model) {
        let elapsed = i64::try_from(self.began.elapsed().as_nanos()).unwrap_or(i64::MAX);
        update(model, Message::Tick(Span::from_nanos(elapsed)));
    }

    /// The next message; nothing if a frame is due first.
    fn wait(&self, model: &Model) -> Option<Message> {
        let playing = model.shown().is_some_and(|session| session.player.runs(&session.store));
        let seen = model.screen == model::Screen::Middlebox;
        let hunt = model.middlebox.as_ref().filter(|hunt| seen && hunt.runs());
        let playing = playing || hunt.is_some_and(|hunt| hunt.simulated);
        if !model.dirty && !playing {
            // A live search moves by the second.
            let search = hunt.map(|_| SECOND);
            let left = [self.until_change(model), search].into_iter().flatten().min();
            return match left {
                Some(left) => self.receiver.recv_timeout(left).ok(),
                None => self.receiver.recv().ok(),
            };
        }
        let since = self.drawn.map_or(FRAME, |drawn| drawn.elapsed());
        self.receiver.recv_timeout(FRAME.saturating_sub(since)).ok()
    }

    /// How long until something that is shown changes by itself on the live screen.
    fn until_change(&self, model: &Model) -> Option<Duration> {
        let live = model.live.as_ref().filter(|_| model.screen == model::Screen::Live)?.live.as_ref()?;
        let left = live.changes_at?.since(live.now(model.tick)?).as_nanos();
        Some(Duration::from_nanos(u64::try_from(left).unwrap_or(0)))
    }

    /// Carries effects out; returns whether it was an interruption where one is to end.
    fn perform(
        &mut self,
        model: &mut Model,
        screen: &mut Screen,
        effects: Vec<Effect>,
    ) -> io::Result<Option<bool>> {
        for effect in effects {
            match effect {
                Effect::Quit(interrupted) => return Ok(Some(interrupted)),
                Effect::Redraw => screen.clear()?,
                Effect::Suspend => terminal::suspend()?,
                Effect::Retake(mouse) => terminal::retake(mouse)?,
                Effect::Mouse(on) => terminal::set_mouse(on)?,
                Effect::Copy(text) => terminal::copy(&text)?,
                Effect::Open(source, paths) => self.read(source, paths)?,
                Effect::Simulate(version, scenario, wanted) => self.simulate(version, *scenario, wanted)?,
                Effect::StopSimulating => self.stop_simulating(),
                Effect::ReadScenario(path) => {
                    self.spawn("scenario", move |sender| {
                        let _ = sender.send(match worker::read(&path) {
                            Ok(text) => Message::Scenario(path, text),
                            Err(problem) => Message::Trouble(problem),
                        });
                    })?;
                }
                Effect::Live(source) => self.begin_live(model, source)?,
                Effect::Ask(ask) => self.ask(model, ask)?,
                Effect::Write { stem, suffix, body } => {
                    let from = model.shown().map(From::of).unwrap_or_default();
                    let folder = self.start.folder.clone();
                    self.spawn("export", move |sender| {
                        let message = match export::write(&folder, &stem, suffix, &body, &from) {
                            Ok(path) => Message::Written(shown_path(&folder, path)),
                            Err(problem) => Message::Trouble(problem),
                        };
                        let _ = sender.send(message);
                    })?;
                }
            }
        }
        Ok(None)
    }

    fn read(&mut self, source: u64, paths: Vec<PathBuf>) -> io::Result<()> {
        self.stop_reading();
        let stop = Arc::new(AtomicBool::new(false));
        self.reading = Some(Arc::clone(&stop));
        let seed = self.start.hash_seed;
        self.spawn("reader", move |sender| reader::read(source, &paths, seed, &stop, &sender))
    }

    /// Simulates on a thread of its own; what is outdated by that is told to stop.
    fn simulate(&mut self, version: u64, scenario: Scenario, wanted: Wanted) -> io::Result<()> {
        if wanted == Wanted::Prediction {
            self.stop_simulating();
        }
        let stop = Arc::new(AtomicBool::new(false));
        let place = if wanted == Wanted::Prediction { &mut self.simulating } else { &mut self.running };
        if let Some(before) = place.replace(Arc::clone(&stop)) {
            before.store(true, Ordering::Relaxed);
        }
        self.spawn("simulator", move |sender| worker::work(version, &scenario, wanted, &stop, &sender))
    }

    fn stop_simulating(&mut self) {
        for stop in [self.simulating.take(), self.running.take()].into_iter().flatten() {
            stop.store(true, Ordering::Relaxed);
        }
    }

    fn stop_reading(&mut self) {
        if let Some(stop) = self.reading.take() {
            stop.store(true, Ordering::Relaxed);
        }
    }

    fn spawn(&self, name: &str, work: impl FnOnce(SyncSender<Message>) + Send + 'static) -> io::Result<()> {
        let sender = self.sender.clone();
        thread::Builder::new().name(name.to_owned()).spawn(move || work(sender)).map(|_| ())
    }
}

#[cfg(feature = "live")]
impl Runner<'_> {
    fn begin_live(&mut self, model: &mut Model, source: u64) -> io::Result<()> {
        match self.standby.take() {
            Some(Standby::Live(start)) => {
                self.live = Some(Driver::begin(*start, source, self.sender.clone())?);
            }
            _ => model.notice = Some("no sockets were opened for a live source".to_owned()),
        }
        Ok(())
    }

    fn begin_search(&mut self) -> io::Result<()> {
        match self.standby.take() {
            Some(Standby::Search(start)) => {
                self.search = Some(search::Driver::begin(*start, self.sender.clone())?);
            }
            other => self.standby = other,
        }
        Ok(())
    }

    fn ask(&mut self, _: &mut Model, ask: Ask) -> io::Result<()> {
        self.live.as_ref().map_or(Ok(()), |live| live.ask(ask))
    }
}

/// Without sockets nothing live is begun, so nothing is asked of it.
#[cfg(not(feature = "live"))]
impl Runner<'_> {
    fn begin_live(&mut self, model: &mut Model, _: u64) -> io::Result<()> {
        match self.standby.take() {
            Some(never) => match never {},
            None => model.notice = Some("this build has no sockets".to_owned()),
        }
        Ok(())
    }

    fn begin_search(&self) -> io::Result<()> {
        Ok(())
    }

    fn ask(&mut self, _: &mut Model, _: Ask) -> io::Result<()> {
        Ok(())
    }
}

/// A path as the user knows it: what is written here has a name only.
fn shown_path(folder: &Path, path: PathBuf) -> PathBuf {
    path.strip_prefix(folder).map_or(path.clone(), Path::to_owned)
}

/// Reads keys on a thread that ends with the process: nothing can wake it while it waits for one.
fn watch_keys(sender: SyncSender<Message>) -> io::Result<()> {
    let work = move || {
        let mut answers = terminal::Answers::default();
        // A terminal that is gone cannot be read.
        while let Ok(event) = crossterm::event::read() {
            let message = if answers.has(&event) { None } else { terminal::message(&event) };
            // A terminal in our mode makes no signal of it.
            let message = message.map(|message| match message {
                Message::Key(Key::Ctrl('z')) => Message::Suspend,
                other => other,
            });
            if message.is_some_and(|message| sender.send(message).is_err()) {
                return;
            }
        }
        let _ = sender.send(Message::Terminate);
    };
    thread::Builder::new().name("keys".to_owned()).spawn(work).map(|_| ())
}

fn watch_signals(sender: SyncSender<Message>) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT])?;
    let work = move || {
        for signal in signals.forever() {
            let message = match signal {
                SIGTSTP => Message::Suspend,
                SIGCONT => Message::Continued,
                _ => Message::Terminate,
            };
            // When the screen is gone already, what is still being closed is left as it is.
            if sender.send(message).is_err() && signal == SIGINT {
                signal_hook::low_level::exit(130);
            }
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(work).map(|_| ())
}
