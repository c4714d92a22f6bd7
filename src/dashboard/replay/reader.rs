//! The thread that reads captures for the screen.
//!
//! Hands batches over a bounded channel: it waits where the screen is slower, and no memory but that of the
//! screen grows. Impure: reads files.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;

use crate::capture::Captures;
use crate::dashboard::message::Message;
use crate::dashboard::store::feed::{Batch, Feed};
use crate::report::CaptureReport;

/// Segments and events in a batch: enough that handing over costs nothing, few enough that the first are on the
/// screen at once.
const BATCH: usize = 16_384;

/// Frames between two looks at whether anybody still wants them.
const LOOK: u64 = 4_096;

/// Reads captures as source number so and so, until they end or `stop` is set.
pub fn read(
    source: u64,
    paths: &[PathBuf],
    hash_seed: u64,
    stop: &Arc<AtomicBool>,
    out: &SyncSender<Message>,
) {
    let give = |batch: Batch| out.send(Message::Batch(source, Box::new(batch))).is_ok();
    if let Some(problem) = paths.iter().find_map(|path| unreadable(path)) {
        let _ = out.send(Message::Failed(source, problem));
        return;
    }
    match Captures::open(paths) {
        Ok(captures) => run(captures, hash_seed, &|| stop.load(Ordering::Relaxed), give),
        Err(error) => {
            let _ = out.send(Message::Failed(source, error.to_string()));
        }
    }
}

/// Reads to the end, or until `stop` or `give` says that nobody wants more.
pub fn run(
    mut captures: Captures,
    hash_seed: u64,
    stop: &dyn Fn() -> bool,
    mut give: impl FnMut(Batch) -> bool,
) {
    let mut feed = Feed::new(hash_seed);
    let mut frames = 0_u64;
    while let Some(frame) = captures.next_frame() {
        feed.frame(&frame);
        frames += 1;
        if feed.waiting() >= BATCH && !give(filled(&mut feed, &captures)) {
            return;
        }
        if frames.is_multiple_of(LOOK) && stop() {
            return;
        }
    }
    feed.finish();
    let mut batch = filled(&mut feed, &captures);
    batch.captures = Some(CaptureReport::of(&captures, feed.pipeline()));
    give(batch);
}

fn filled(feed: &mut Feed, captures: &Captures) -> Batch {
    let mut batch = feed.take();
    let (mut read, mut total) = (0, Some(0));
    for progress in captures.progress() {
        read += progress.octets_read;
        total = total.zip(progress.octets_total).map(|(sum, octets)| sum + octets);
    }
    (batch.reading.octets, batch.reading.octets_total) = (read, total);
    batch
}

/// Why a path cannot be shown: what can be read only once cannot, as it is read again for an export.
pub fn unreadable(path: &Path) -> Option<String> {
    let shown = path.display();
    if path.as_os_str() == "-" {
        return Some(
            "standard input can be read only once; save it first (tcpdump -w FILE) and name the file"
                .to_owned(),
        );
    }
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() => {
            std::fs::File::open(path).err().map(|error| format!("{shown}: {error}"))
        }
        Ok(_) => Some(format!("{shown}: this is no file; name a pcap or pcapng file")),
        Err(error) => Some(format!("{shown}: {error}")),
    }
}
