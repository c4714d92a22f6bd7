//! What must hold for any input, one module for each thing that takes some: it gets octets, and panics where a
//! rule is broken. That nothing else panics is the least of it.
//!
//! libFuzzer drives them through `targets/`, and `tests/fuzz_smoke.rs` drives the same code, on the stable
//! toolchain, with the seeds and a fixed number of mutations of them.

pub mod analyze;
pub mod audit;
pub mod decode;
pub mod filter;
pub mod machine;
pub mod options;
pub mod partner;
pub mod reader;
pub mod scenario;
pub mod tracker;

/// Runs the rules of a target by its name; false if there is none.
pub fn hold(target: &str, input: &[u8]) -> bool {
    let hold = match target {
        "analyze" => analyze::hold,
        "audit" => audit::hold,
        "decode" => decode::hold,
        "filter" => filter::hold,
        "machine" => machine::hold,
        "options" => options::hold,
        "partner" => partner::hold,
        "reader" => reader::hold,
        "scenario" => scenario::hold,
        "tracker" => tracker::hold,
        _ => return false,
    };
    hold(input);
    true
}

/// Whether a text could change what a terminal shows beyond its own words.
pub fn is_plain(text: &str) -> bool {
    text.chars().all(|letter| letter == '\n' || !letter.is_control())
}
