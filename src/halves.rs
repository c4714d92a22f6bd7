//! The same work on the parts of a whole, on two threads.
//!
//! Owns [`halves`]. Knows nothing of what the work is.

use std::panic::resume_unwind;
use std::thread;

/// Works on the two halves of `things`, the second on a thread of its own if there may be more than one, and returns
/// what came of them in their order.
pub(crate) fn halves<T: Sync, R: Send>(
    threads: usize,
    things: &[T],
    work: impl Fn(&[T]) -> R + Sync,
) -> [R; 2] {
    let (first, second) = things.split_at(things.len() / 2);
    if threads < 2 || first.is_empty() {
        return [work(first), work(second)];
    }
    thread::scope(|scope| {
        let beside = scope.spawn(|| work(second));
        let first = work(first);
        match beside.join() {
            Ok(second) => [first, second],
            Err(panic) => resume_unwind(panic),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_and_the_order_is_kept() {
        for count in [0, 1, 2, 3, 100] {
            let things: Vec<u32> = (0..count).collect();
            for threads in [1, 2] {
                let twice =
                    halves(threads, &things, |part| part.iter().map(|one| one * 2).collect::<Vec<_>>());
                assert_eq!(twice.concat(), (0..count).map(|one| one * 2).collect::<Vec<_>>());
            }
        }
    }
}
