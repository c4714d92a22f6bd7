//! A capture as lines: what the log of the screen says, one event after the other.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};

use super::{Exit, complain, summary};
use crate::capture::Captures;
use crate::dashboard::message::Message;
use crate::dashboard::model::Model;
use crate::dashboard::replay::{Speed, reader};
use crate::dashboard::text::{clean, date, utc};
use crate::dashboard::theme::{Palette, Theme};
use crate::dashboard::update::{open, settle, update};
use crate::dashboard::view::events;
use crate::time::Span;

/// Longest wait between two looks at whether somebody wants us to end.
const LOOK: Duration = Duration::from_millis(50);

/// Writes a line for each event of the captures: at once, or as fast as they came.
pub(super) fn replay(paths: Vec<PathBuf>, speed: Speed) -> io::Result<Exit> {
    if let Some(problem) = paths.iter().find_map(|path| reader::unreadable(path)) {
        complain(&format!("error: {problem}"));
        return Ok(Exit::BadInput);
    }
    let captures = match Captures::open(&paths) {
        Ok(captures) => captures,
        Err(error) => {
            complain(&format!("error: {error}"));
            return Ok(Exit::BadInput);
        }
    };
    let stopped = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // Without a handler the process ends at once, which is no worse.
        let _ = signal_hook::flag::register(signal, Arc::clone(&stopped));
    }
    let theme = Theme { palette: Palette::Mono, truecolor: false, ascii: true };
    let mut model = Model::new((80, 24), theme, Speed::Fit);
    open(&mut model, paths);
    let number = model.sources;
    let mut lines =
        Lines { written: 0, pace: Pace { speed, began: None }, stopped: &stopped, out: io::stdout() };
    let mut trouble = None;
    reader::run(captures, super::hash_seed(), &|| stopped.load(Ordering::Relaxed), |batch| {
        update(&mut model, Message::Batch(number, Box::new(batch)));
        let written = lines.write(&model);
        let goes_on = written.is_ok() && !stopped.load(Ordering::Relaxed);
        trouble = written.err();
        goes_on
    });
    if let Some(error) = trouble {
        return Err(error);
    }
    settle(&mut model);
    let exit = model.session.as_ref().map_or(Ok(Exit::Done), summary)?;
    Ok(if stopped.load(Ordering::Relaxed) { Exit::Interrupted } else { exit })
}

struct Lines<'a> {
    /// Events that were written.
    written: usize,
    pace: Pace,
    stopped: &'a AtomicBool,
    out: io::Stdout,
}

impl Lines<'_> {
    /// Writes what is new.
    fn write(&mut self, model: &Model) -> io::Result<()> {
        let Some(session) = model.session.as_ref() else { return Ok(()) };
        let Some((first, _)) = session.store.span() else { return Ok(()) };
        if self.written == 0 {
            writeln!(self.out, "times are in seconds since {} {}Z", date(first), utc(first))?;
        }
        for told in session.store.events().iter().skip(self.written) {
            self.written += 1;
            let Some((words, _)) = events::line(model, session, told) else { continue };
            let rows = (told.after as usize).min(session.store.rows().len());
            let time = session.store.clock_after(rows).unwrap_or(first);
            if !self.pace.wait(time.since(first), self.stopped) {
                return Ok(());
            }
            writeln!(self.out, "{}", clean(words.trim_start()))?;
        }
        self.out.flush()
    }
}

/// Real time, where a capture is played.
struct Pace {
    speed: Speed,
    began: Option<Instant>,
}

impl Pace {
    /// Waits until so much of the capture has passed; says whether nobody wanted us to end before.
    #[allow(clippy::disallowed_methods, reason = "it is played by the clock")]
    fn wait(&mut self, passed: Span, stopped: &AtomicBool) -> bool {
        if let Speed::Times(thousandths) = self.speed {
            let began = *self.began.get_or_insert_with(Instant::now);
            let nanos = passed.as_nanos().max(0).unsigned_abs();
            let due = Duration::from_nanos(nanos).mul_f64(1000.0 / f64::from(thousandths.max(1)));
            while let Some(left) = due.checked_sub(began.elapsed()).filter(|left| !left.is_zero()) {
                if stopped.load(Ordering::Relaxed) {
                    return false;
                }
                std::thread::sleep(left.min(LOOK));
            }
        }
        !stopped.load(Ordering::Relaxed)
    }
}
