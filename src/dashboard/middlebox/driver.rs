//! The thread that searches on a real path, and tells the screen without ever waiting for it.
//!
//! Owns [`Start`], [`Driver`] and [`Ended`]. What happens goes through the one bounded channel; where that is full, it
//! waits here while the search goes on, and the recording and the journal with it. The result comes from the search
//! itself and does not depend on what was shown. Impure: a thread, sockets and files.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::thread::{self, JoinHandle};

use super::{Moment, Told};
use crate::dashboard::message::Message;
use crate::frame::Frame;
use crate::live::idle::{self, Listener, News, Plan, PlanError, Report, Standing};
use crate::live::recording::Recording;
use crate::live::system::{System, Waker};
use crate::live::wire::Wire;
use crate::search::{self, Finding, Trial, View};
use crate::time::{Span, Timestamp};

/// How often to look how the search stands while nothing happens.
const LOOK: Span = Span::from_secs(1);

/// How soon to try again where the screen had no room for news.
const AGAIN: Span = Span::from_millis(50);

/// Silences in all moments of a search, beyond which moments without news are no longer kept: some 50 MB.
const MOST_SILENCES: usize = 1_000_000;

/// Remarks that are kept: what goes wrong again and again need not be said each time.
const MOST_REMARKS: usize = 20;

/// Writes a trial to a journal.
pub type Journal = Box<dyn FnMut(&Trial) -> Result<(), String> + Send>;

/// What a search begins with. Its sockets are open and its rights given up.
pub struct Start {
    /// The wire.
    pub system: System,
    /// What is to be done.
    pub plan: Plan,
    /// Where packets are recorded; the interfaces are named in it.
    pub recording: Option<Recording>,
    /// Where trials are kept.
    pub journal: Option<Journal>,
}

impl std::fmt::Debug for Start {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Start").field("plan", &self.plan).finish_non_exhaustive()
    }
}

/// How it ended.
#[derive(Debug)]
pub struct Ended {
    /// What it came to; an error if nothing was begun.
    pub report: Result<Report, PlanError>,
    /// What a person was told in passing.
    pub remarks: Vec<String>,
    /// What went wrong with the recording.
    pub problems: Vec<String>,
}

/// A search that goes on.
#[derive(Debug)]
pub struct Driver {
    ends: Arc<AtomicBool>,
    waker: Waker,
    thread: JoinHandle<Ended>,
}

impl Driver {
    /// Begins it; `out` is told what happens.
    ///
    /// # Errors
    /// If the system has no thread or descriptor left.
    pub fn begin(mut start: Start, out: SyncSender<Message>) -> io::Result<Driver> {
        let waker = start.system.waker()?;
        let ends = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&ends);
        let work = move || run(start, asked, out);
        let thread = thread::Builder::new().name("search".to_owned()).spawn(work)?;
        Ok(Driver { ends, waker, thread })
    }

    /// Ends it with what is known, if it goes on, and waits until the connections are closed, which takes two seconds
    /// at most. Nothing if it panicked, which was said then.
    pub fn end(self) -> Option<Ended> {
        self.ends.store(true, Ordering::Release);
        self.waker.wake();
        self.thread.join().ok()
    }
}

/// Ends the screen where there is nothing to be shown on it any more.
struct Bell(SyncSender<Message>);

impl Drop for Bell {
    fn drop(&mut self) {
        if thread::panicking() {
            let _ = self.0.send(Message::Terminate);
        }
    }
}

fn run(start: Start, ends: Arc<AtomicBool>, out: SyncSender<Message>) -> Ended {
    let _bell = Bell(out.clone());
    let Start { mut system, plan, recording, journal } = start;
    let courses = plan.directions.iter().map(|_| Kept::default()).collect();
    let (remarks, problems) = (Vec::new(), Vec::new());
    let mut tap = Tap { out, ends, recording, journal, courses, remarks, problems, unsaid: None };
    let report = idle::run(&mut system, plan, &mut tap);
    tap.conclude(report, system.now())
}

/// What of a search was told, and what is still to be told.
#[derive(Default)]
struct Kept {
    /// Trials and news that were told or wait.
    trials: usize,
    news: usize,
    /// Silences in all moments.
    silences: usize,
    /// Something happened that may change what it comes to.
    heard: bool,
    /// What of the last moment shows that something is different.
    shape: (u32, usize, usize),
    waiting: Told,
}

impl Kept {
    fn hear(&mut self, now: Timestamp, news: search::News) {
        self.waiting.news.push((now, news));
        self.news += 1;
        self.heard = true;
    }

    /// Keeps a moment if something is different.
    fn keep(&mut self, now: Timestamp, mut view: View, packets: u64, finding: impl Fn() -> Option<Finding>) {
        // What else is shown changes when connections are opened, asked or closed; ages go on by themselves.
        let asked = view.silences.iter().map(|silence| usize::from(silence.attempts)).sum();
        let shape = (view.opened, view.silences.len(), asked);
        let changed = shape != self.shape && self.silences < MOST_SILENCES;
        let heard = std::mem::take(&mut self.heard);
        if !heard && !changed && self.silences > 0 {
            return;
        }
        self.shape = shape;
        self.silences += view.silences.len() + 1;
        let trials = std::mem::take(&mut view.trials);
        let finding = heard.then(finding).flatten();
        let finding = finding.map(|finding| Box::new(Finding { trials: Vec::new(), ..finding }));
        let count = trials.len();
        self.waiting.trials.extend(trials.into_iter().skip(self.trials));
        self.trials = count;
        self.waiting.moments.push(Moment { at: now, view, trials: count, news: self.news, packets, finding });
    }

    fn waits(&self) -> bool {
        self.waiting.done || !self.waiting.moments.is_empty()
    }
}

/// Hears everything, and passes it on.
struct Tap {
    out: SyncSender<Message>,
    ends: Arc<AtomicBool>,
    recording: Option<Recording>,
    journal: Option<Journal>,
    courses: Vec<Kept>,
    remarks: Vec<String>,
    problems: Vec<String>,
    /// A remark for which the channel had no room.
    unsaid: Option<String>,
}

impl Tap {
    fn remark(&mut self, words: String) {
        if self.remarks.len() < MOST_REMARKS && !self.remarks.contains(&words) {
            self.remarks.push(words.clone());
            self.unsaid = Some(words);
        }
    }

    /// Tells the screen what there is to tell, if it has room for it.
    fn hand_over(&mut self) {
        for (course, kept) in self.courses.iter_mut().enumerate().filter(|(_, kept)| kept.waits()) {
            let told = Told { course, ..std::mem::take(&mut kept.waiting) };
            // Where nobody is left to be told, nothing is kept.
            if let Err(TrySendError::Full(Message::Searched(told))) =
                self.out.try_send(Message::Searched(Box::new(told)))
            {
                kept.waiting = *told;
                return;
            }
        }
        if let Some(words) = self.unsaid.take()
            && let Err(TrySendError::Full(Message::Trouble(words))) =
                self.out.try_send(Message::Trouble(words))
        {
            self.unsaid = Some(words);
        }
    }

    /// The end: the recording is closed, the last words said.
    fn conclude(mut self, report: Result<Report, PlanError>, now: Timestamp) -> Ended {
        let received = report.as_ref().map(|report| report.received).unwrap_or_default();
        if let Some(Err(problem)) = self.recording.take().map(|recording| recording.finish(now, received)) {
            self.problems.push(problem.to_string());
        }
        // Whoever asked for the end does not listen any more, and this does not wait.
        for (course, kept) in self.courses.iter_mut().enumerate() {
            let told = Told { course, done: true, ..std::mem::take(&mut kept.waiting) };
            let _ = self.out.send(Message::Searched(Box::new(told)));
        }
        let begun = report.as_ref().is_ok_and(|report| !report.findings.is_empty());
        if !begun {
            // No partner, or none that lets us in: that is for the terminal below, not for an empty screen.
            let _ = self.out.send(Message::Terminate);
        } else if let Ok(Report { broken: Some(problem), .. }) = &report {
            let _ = self.out.send(Message::Trouble(problem.to_string()));
        } else if let Ok(Report { partner_failed: Some(problem), .. }) = &report {
            let _ = self.out.send(Message::Trouble(problem.to_string()));
        }
        Ended { report, remarks: self.remarks, problems: self.problems }
    }
}

impl Listener for Tap {
    fn packet(&mut self, frame: &Frame<'_>) -> io::Result<()> {
        if let Some(Err(problem)) = self.recording.as_mut().map(|recording| recording.frame(frame)) {
            let words = format!("{problem}; the search goes on without a recording");
            self.problems.push(words.clone());
            self.unsaid = Some(words);
        }
        Ok(())
    }

    fn news(&mut self, news: &News, now: Timestamp) -> io::Result<()> {
        if let News::Search { index, news } = news {
            if let search::News::Trial(trial) = news
                && let Some(Err(problem)) = self.journal.as_mut().map(|journal| journal(trial))
            {
                // The run is worth more than its journal.
                self.journal = None;
                self.remark(format!("{problem}; the search goes on without a journal"));
            }
            if let Some(kept) = self.courses.get_mut(*index) {
                kept.hear(now, news.clone());
            }
        } else if let Some(words) = news.remark() {
            self.remark(words);
        }
        Ok(())
    }

    fn standing(&mut self, now: Timestamp, standing: &Standing<'_>) -> io::Result<()> {
        let packets = standing.packets();
        for (index, (kept, view)) in self.courses.iter_mut().zip(standing.views()).enumerate() {
            // The last packets count, too.
            kept.heard |= standing.is_over();
            kept.keep(now, view, packets, || standing.finding(index));
        }
        self.hand_over();
        Ok(())
    }

    fn tick(&self) -> Option<Span> {
        let waits = self.unsaid.is_some() || self.courses.iter().any(Kept::waits);
        Some(if waits { AGAIN } else { LOOK })
    }

    fn wants_end(&mut self) -> bool {
        self.ends.load(Ordering::Acquire)
    }
}
