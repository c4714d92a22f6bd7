//! Captures through the pipeline, on one thread or on two.
//!
//! Owns [`Reading`]: with two threads one reads and decodes batches of frames and takes the events, and the other follows
//! connections through them. As every batch is followed in order, what comes out is the same to the octet. Uses
//! [`crate::capture`], [`crate::pipeline`] and the event type.
//!
//! A second thread follows nothing where input may pause: each event is then told before more input is waited for.

use std::iter;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::capture::Captures;
use crate::pipeline::{Batch, Decoder, Follower, Pipeline};
use crate::track::event::Event;

/// How many batches may wait to be followed: enough that neither thread waits for a moment's delay of the other.
const WAITING: usize = 3;

/// How many sheets may wait to be taken: all that there are, so that the thread that reads is never waited for by the one
/// that it waits for. (One is with either, while as many wait to be followed as may.)
const SHEETS: usize = WAITING + 2;

/// How many events are handed over at once after the end of the input: what is said of connections then takes more memory
/// than they did.
const LAST_WORDS: usize = 512;

/// Frames to a batch on one thread: few enough that they stay in the nearest cache.
const ALONE: usize = 64;

/// How captures are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// On one thread, from input that may pause: what has come is followed before more is waited for.
    Live,
    /// On one thread, from files.
    Alone,
    /// On two threads, from files.
    Beside,
}

impl Reading {
    /// How to read files on so many threads; on as many as there are processors for this program where nothing
    /// was said. More than two are not used.
    pub fn of_files(threads: Option<NonZero<usize>>) -> Self {
        let threads = threads.or_else(|| thread::available_parallelism().ok());
        if threads.is_some_and(|threads| threads.get() > 1) { Self::Beside } else { Self::Alone }
    }

    /// Reads captures to their end, or until `go_on` says so, and says the last words then; `go_on` is asked now and
    /// then, and told how many frames were read since. `take` gets the events.
    ///
    /// # Errors
    /// The first of `take`, which ends the reading.
    pub fn read<E>(
        self,
        captures: &mut Captures,
        pipeline: &mut Pipeline,
        go_on: impl FnMut(&Captures, usize) -> ControlFlow<()>,
        take: impl FnMut(Event) -> Result<(), E>,
    ) -> Result<(), E> {
        let (decoder, follower) = pipeline.halves();
        let input = Input { captures, decoder, go_on, pauses: self == Self::Live };
        if self == Self::Beside {
            input.captures.decompress_beside();
            return beside(input, follower, take);
        }
        alone(input, follower, take)
    }
}

fn alone<E>(
    mut input: Input<'_, impl FnMut(&Captures, usize) -> ControlFlow<()>>,
    follower: &mut Follower,
    mut take: impl FnMut(Event) -> Result<(), E>,
) -> Result<(), E> {
    let mut batch = Batch::with_capacity(ALONE);
    let mut more = ControlFlow::Continue(());
    while more.is_continue() {
        more = input.fill(&mut batch);
        follower.follow(&batch);
        while let Some(event) = follower.poll_event() {
            take(event)?;
        }
    }
    input.decoder.finish();
    follower.finish();
    iter::from_fn(|| follower.poll_event()).try_for_each(take)
}

/// The thread that follows connections has most to do. So the other one not only reads, it also takes the events of each
/// batch once that comes back.
fn beside<E>(
    mut input: Input<'_, impl FnMut(&Captures, usize) -> ControlFlow<()>>,
    follower: &mut Follower,
    mut take: impl FnMut(Event) -> Result<(), E>,
) -> Result<(), E> {
    let (full, to_follow) = sync_channel(WAITING);
    let (followed, back) = sync_channel(SHEETS);
    thread::scope(|scope| {
        scope.spawn(move || follow_all(follower, to_follow, &followed));
        let mut free: Vec<Batch> = Vec::new();
        let mut more = ControlFlow::Continue(());
        while more.is_continue() {
            for Sheet { batch, events } in back.try_iter() {
                events.into_iter().try_for_each(&mut take)?;
                free.extend(batch);
            }
            let mut batch = free.pop().unwrap_or_default();
            more = input.fill(&mut batch);
            // Nobody takes it only where following failed, and then the scope ends as that did.
            if full.send(batch).is_err() {
                break;
            }
        }
        input.decoder.finish();
        drop(full);
        back.into_iter().flat_map(|sheet| sheet.events).try_for_each(take)
    })
}

/// Follows connections through batches until there are no more, and says the last words.
fn follow_all(follower: &mut Follower, to_follow: Receiver<Batch>, followed: &SyncSender<Sheet>) {
    for batch in to_follow {
        follower.follow(&batch);
        let events = iter::from_fn(|| follower.poll_event()).collect();
        if followed.send(Sheet { batch: Some(batch), events }).is_err() {
            return;
        }
    }
    follower.finish();
    loop {
        let events: Vec<Event> = iter::from_fn(|| follower.poll_event()).take(LAST_WORDS).collect();
        let is_last = events.is_empty();
        if followed.send(Sheet { batch: None, events }).is_err() || is_last {
            return;
        }
    }
}

/// What comes back from the thread that follows: frames that were read, and what was said of them.
struct Sheet {
    /// Nothing after the last of them.
    batch: Option<Batch>,
    events: Vec<Event>,
}

/// The side that reads.
struct Input<'a, G> {
    captures: &'a mut Captures,
    decoder: &'a mut Decoder,
    go_on: G,
    /// Whether a frame may be long in coming.
    pauses: bool,
}

impl<G: FnMut(&Captures, usize) -> ControlFlow<()>> Input<'_, G> {
    /// Fills a batch with the next frames; breaks where they are the last.
    fn fill(&mut self, batch: &mut Batch) -> ControlFlow<()> {
        batch.clear();
        while !batch.is_full() {
            if self.pauses && !batch.is_empty() && !self.captures.has_next_at_hand() {
                break;
            }
            let Some(frame) = self.captures.next_frame() else { return ControlFlow::Break(()) };
            self.decoder.read(&frame, batch);
        }
        (self.go_on)(self.captures, batch.len())
    }
}
