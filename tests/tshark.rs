//! Every capture in `captures/`, frame by frame, against tshark.
//!
//! tshark knows a keepalive by one rule (SEQ one below the highest seen, no or one octet), its answer by
//! another. Where we differ from it, the frame and its neighbours must show why: see [`Reason`].

mod common;
#[path = "tshark/compare.rs"]
mod compare;

use std::collections::BTreeMap;
use std::path::Path;

use common::{capture_path, has, indexed};
use compare::{Reason, compare};

/// Every capture in which the two differ: why, and in how many frames.
const DIFFERENCES: &[(&str, &[(Reason, usize)])] = &[
    ("any.pcap", &[(Reason::Copy, 6)]),
    ("any_sll.pcap", &[(Reason::Copy, 4)]),
    ("between_data.pcap", &[(Reason::WindowChanged, 3)]),
    ("both.pcap", &[(Reason::Crossing, 4)]),
    ("crossing.pcap", &[(Reason::Crossing, 3)]),
    ("icmp_unreachable.pcap", &[(Reason::IcmpError, 3)]),
    ("midstream.pcap", &[(Reason::NextUnknown, 6)]),
    ("midstream_silent.pcap", &[(Reason::NextUnknown, 3)]),
    ("nat.pcap", &[(Reason::Reset, 1)]),
    ("no_data.pcap", &[(Reason::WindowChanged, 1)]),
    ("one_octet_between_keepalives.pcap", &[(Reason::OctetNotAcknowledged, 6)]),
    ("one_octet_writes.pcap", &[(Reason::OctetNotAcknowledged, 8)]),
    ("reordered.pcap", &[(Reason::Overtaken, 2)]),
    ("reset_by_peer.pcap", &[(Reason::Reset, 1)]),
    ("snaplen54.pcap", &[(Reason::OptionsCut, 6)]),
    ("two_interfaces.pcapng", &[(Reason::Copy, 6)]),
    ("window_probes_then_keepalives.pcap", &[(Reason::ZeroWindowProbe, 4)]),
    ("wrap.pcap", &[(Reason::NextIsZero, 4)]),
    // tshark hits the first probe by accident: SEQ 0xffffffff is one below its "unset", 0.
    ("wrap_midstream.pcap", &[(Reason::FirstOfDirection, 1), (Reason::NextUnknown, 4)]),
    ("zero_window.pcap", &[(Reason::ZeroWindowProbe, 4)]),
    ("zero_window_keepalive.pcap", &[(Reason::WindowClosed, 3)]),
];

#[test]
fn every_difference_from_tshark_has_its_reason() {
    if !has("tshark") {
        return;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let mut expected: BTreeMap<&str, &[(Reason, usize)]> = DIFFERENCES.iter().copied().collect();
    let mut wrong = Vec::new();
    let mut agreed = 0;
    for file in indexed(&folder) {
        let seen = compare(&capture_path(&file));
        agreed += seen.agreed;
        wrong.extend(seen.mismatches.iter().map(|line| format!("{file}: {line}")));
        let mut found: BTreeMap<Reason, usize> = BTreeMap::new();
        for difference in &seen.differences {
            match difference.reason {
                Some(reason) => *found.entry(reason).or_default() += 1,
                None => wrong.push(format!("{file}: {difference}")),
            }
        }
        let expected: BTreeMap<Reason, usize> =
            expected.remove(file.as_str()).unwrap_or_default().iter().copied().collect();
        if found != expected {
            wrong.push(format!("{file}: expected {expected:?}, found {found:?} in"));
            wrong.extend(seen.differences.iter().map(|difference| format!("  {difference}")));
        }
    }
    wrong.extend(expected.keys().map(|file| format!("{file} is not in the index")));
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(agreed > 100, "tshark and we agree on {agreed} probes only");
}
