//! What boxes do: the rules of their firewalls.

use crate::lab::{Lab, run};

/// A NAT, which answers by itself for what it forgot.
pub const NAT: [&str; 3] = [
    "add table ip nat",
    "add chain ip nat post { type nat hook postrouting priority srcnat ; }",
    "add rule ip nat post oifname right masquerade",
];

/// The same with a new port for every mapping.
pub const NAT_OF_RANDOM_PORTS: [&str; 3] =
    [NAT[0], NAT[1], "add rule ip nat post oifname right masquerade random"];

/// Nothing that is addressed to the box itself is answered.
pub const SILENT_ITSELF: [&str; 3] = [
    "add table inet own",
    "add chain inet own in { type filter hook input priority 0 ; }",
    "add rule inet own in iifname right meta l4proto tcp drop",
];

/// Makes a box a NAT that answers nothing by itself.
pub fn silent_nat(lab: &Lab, number: usize) {
    lab.rules(number, &NAT);
    lab.rules(number, &SILENT_ITSELF);
}

/// Makes it a firewall that lets connections begin from inside only, takes no part in what it did not see begin, and does
/// `otherwise` with packets that it does not know.
pub fn strict(lab: &Lab, number: usize, otherwise: &str) {
    run(&lab.boxes[number], "sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0");
    lab.rules(
        number,
        &[
            "add table inet f",
            "add chain inet f forward { type filter hook forward priority 0 ; }",
            &format!("add rule inet f forward ct state invalid {otherwise}"),
            "add rule inet f forward iifname right ct state new drop",
        ],
    );
}
