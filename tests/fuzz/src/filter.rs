//! Filter expressions: what is shown of one reads as the same, and a refusal is plain text.

use keepscope::analysis::Outcome;
use keepscope::analysis::filter::{Amounts, Filter, Quantity, Subject};
use keepscope::segment::Endpoint;
use keepscope::time::Timestamp;
use keepscope::track::event::{Mark, Opened, Start};

struct Known {
    opened: Opened,
    outcome: Option<Outcome>,
    amount: Option<i64>,
}

impl Subject for Known {
    fn opened(&self) -> &Opened {
        &self.opened
    }

    fn number(&self) -> Option<u64> {
        self.amount.map(|_| 17)
    }

    fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    fn amounts(&self) -> Option<&dyn Amounts> {
        self.amount.is_some().then_some(self)
    }
}

impl Amounts for Known {
    fn amount(&self, _: Quantity) -> Option<i64> {
        self.amount
    }

    fn stack(&self) -> Option<&str> {
        Some("linux")
    }
}

fn connections() -> Vec<Known> {
    let end = |address: &str, port| Endpoint { address: address.parse().expect("an address"), port };
    let first = Mark { frame: Default::default(), time: Timestamp::default() };
    let four = Opened {
        client: end("192.0.2.1", 40_000),
        server: end("198.51.100.7", 443),
        start: Start::Seen,
        first,
    };
    let six = Opened { client: end("2001:db8::1", 443), server: end("2001:db8::2", 80), ..four };
    let mut known = Vec::new();
    for opened in [four, six] {
        for outcome in [None, Some(Outcome::Alive), Some(Outcome::Reset), Some(Outcome::NoKeepalive)] {
            for amount in [None, Some(0), Some(7), Some(i64::MAX), Some(i64::MIN)] {
                known.push(Known { opened, outcome, amount });
            }
        }
    }
    known
}

/// The input is the expression.
pub fn hold(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let filter: Filter = match text.parse() {
        Ok(filter) => filter,
        Err(error) => {
            let told = error.to_string();
            assert!(!told.is_empty() && super::is_plain(&told), "{told:?}");
            return;
        }
    };
    let shown = filter.to_string();
    let again: Filter =
        shown.parse().unwrap_or_else(|error| panic!("{text:?} is shown as {shown:?}: {error}"));
    assert_eq!(again, filter, "{text:?} is shown as {shown:?}");
    assert_eq!(again.to_string(), shown);

    // What its conditions demand holds for all that pass: they are filters themselves.
    let conditions: Vec<String> = filter.conditions().iter().map(ToString::to_string).collect();
    let demand: Filter =
        conditions.join(" ").parse().unwrap_or_else(|error| panic!("{conditions:?}: {error}"));
    for known in connections() {
        let passes = filter.passes(&known);
        assert_eq!(passes, again.passes(&known));
        if passes {
            assert!(filter.may_pass(&known.opened), "{shown}: its ends alone ruled it out");
            assert!(demand.passes(&known), "{shown} demands {conditions:?}");
        }
    }
}
