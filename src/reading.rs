//! Captures through the pipeline, on one thread or on two.
//!
//! Owns [`Reading`]: with two threads one reads and decodes batches of frames, and the other follows connections
//! through them. As every batch is followed in order, what comes out is the same to the octet. Uses
//! [`crate::capture`], [`crate::pipeline`] and the event type.
//!
//! A second thread follows nothing where input may pause: each event is then told before more input is waited for.

use std::num::NonZero;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use crate::capture::Captures;
use crate::pipeline::{BATCH, Batch, Decoder, Follower, Pipeline};
use crate::track::event::Event;

/// How many batches may wait to be followed: enough that neither thread waits for a moment's delay of the other.
const WAITING: usize = 3;

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

    /// Reads captures to their end, or until `go_on` says so; it is asked now and then, and told how many frames
    /// were read since. `take` gets the events. What is left to say about connections then is not said yet: see
    /// [`Pipeline::finish`].
    ///
    /// # Errors
    /// The first of `take`, which ends the reading.
    pub fn read<E: Send>(
        self,
        captures: &mut Captures,
        pipeline: &mut Pipeline,
        go_on: impl FnMut(&Captures, usize) -> ControlFlow<()> + Send,
        take: impl FnMut(Event) -> Result<(), E>,
    ) -> Result<(), E> {
        let (decoder, follower) = pipeline.halves();
        let mut input = Input { captures, decoder, go_on, pauses: self == Self::Live };
        let mut output = Output { follower, take };
        if self == Self::Beside {
            input.captures.decompress_beside();
            return beside(input, output);
        }
        let mut batch = Batch::with_capacity(ALONE);
        loop {
            let more = input.fill(&mut batch);
            output.follow(&batch)?;
            if more.is_break() {
                return Ok(());
            }
        }
    }
}

fn beside<E>(
    mut input: Input<'_, impl FnMut(&Captures, usize) -> ControlFlow<()> + Send>,
    mut output: Output<'_, impl FnMut(Event) -> Result<(), E>>,
) -> Result<(), E> {
    let (full, to_follow) = sync_channel(WAITING);
    let (empty, to_fill) = channel();
    thread::scope(|scope| {
        scope.spawn(move || input.hand_over(&full, &to_fill));
        output.take_over(to_follow, &empty)
    })
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

    /// Fills batches until there is no more, or nobody wants more.
    fn hand_over(&mut self, full: &SyncSender<Batch>, to_fill: &Receiver<Batch>) {
        loop {
            let mut batch = to_fill.try_recv().unwrap_or_else(|_| Batch::with_capacity(BATCH));
            let more = self.fill(&mut batch);
            if full.send(batch).is_err() || more.is_break() {
                return;
            }
        }
    }
}

/// The side that follows connections.
struct Output<'a, T> {
    follower: &'a mut Follower,
    take: T,
}

impl<E, T: FnMut(Event) -> Result<(), E>> Output<'_, T> {
    fn follow(&mut self, batch: &Batch) -> Result<(), E> {
        self.follower.follow(batch);
        while let Some(event) = self.follower.poll_event() {
            (self.take)(event)?;
        }
        Ok(())
    }

    /// Follows batches until there are no more.
    fn take_over(&mut self, to_follow: Receiver<Batch>, empty: &Sender<Batch>) -> Result<(), E> {
        for batch in to_follow {
            self.follow(&batch)?;
            // Once the last was read nobody wants it back.
            let _ = empty.send(batch);
        }
        Ok(())
    }
}
