//! Conditions on the two ends of a connection, as they can be told from one packet of it.
//!
//! Owns the instructions for [`Filter::Ends`](super::Filter::Ends). A packet may go either way, so each end that is named
//! is compared with source and destination. What a packet does not show (ports in a later fragment) rules nothing out:
//! whatever could belong to such a connection is kept.

use super::program::{Label, Program};
use super::{Address, DESTINATION, DESTINATION_PORT, SOURCE, SOURCE_PORT};
use crate::analysis::filter::{Condition, End};

/// Ends with a segment whose addresses and ports are in memory.
pub(super) fn segment<A: Address>(program: &mut Program, conditions: &[Condition]) {
    for condition in conditions {
        one::<A>(program, condition.negated, &condition.any);
    }
    program.keep();
}

/// Ends with a packet of which only the addresses are in memory.
pub(super) fn fragment<A: Address>(program: &mut Program, conditions: &[Condition]) {
    for condition in conditions {
        if condition.negated {
            // An address alone may not be excluded where it was named with a port.
            let any: Vec<End> = condition.any.iter().copied().filter(|end| end.port.is_none()).collect();
            one::<A>(program, true, &any);
        } else if condition.any.iter().all(|end| end.network.is_some()) {
            let any: Vec<End> = condition.any.iter().map(|end| End { port: None, ..*end }).collect();
            one::<A>(program, false, &any);
        }
    }
    program.keep();
}

/// Drops the packet if the condition does not hold, and goes on if it does.
fn one<A: Address>(program: &mut Program, negated: bool, any: &[End]) {
    let holds = program.label();
    for end in any {
        for (address, port) in [(SOURCE, SOURCE_PORT), (DESTINATION, DESTINATION_PORT)] {
            let other = program.label();
            if !compare::<A>(program, end, (address, port), other) {
                continue;
            }
            if negated {
                program.drop();
            } else {
                program.go(holds);
            }
            program.place(other);
        }
    }
    if !negated {
        program.drop();
    }
    program.place(holds);
}

/// Goes to `other` if an end is not this one. False, without any instruction, if it never is in this IP version.
fn compare<A: Address>(program: &mut Program, end: &End, (address, port): (u32, u32), other: Label) -> bool {
    let words = match &end.network {
        Some(network) => match A::masked(network) {
            Some(words) => words,
            None => return false,
        },
        None => Vec::new(),
    };
    for ((word, mask), place) in words.into_iter().zip(address..).filter(|((_, mask), _)| *mask != 0) {
        program.load(place);
        if mask != u32::MAX {
            program.and(mask);
        }
        program.unless_equal(word, other);
    }
    if let Some(wanted) = end.port {
        program.load(port);
        program.unless_equal(u32::from(wanted), other);
    }
    true
}
