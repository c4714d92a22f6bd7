//! Packets that nobody in his senses sends.

use std::collections::BTreeMap;

use crate::conntrack::{from, with_syn_options};
use crate::flows::{Plan, Sent};

/// Flows by chance: mostly a handshake, then whatever comes near the window or not near it at all.
pub fn random_plan(name: &'static str, seed: u64) -> Plan {
    let mut random = Random(seed.max(1));
    let rounds = 14;
    let flows: Vec<Vec<Option<Sent>>> = (0..120).map(|_| random.flow(rounds)).collect();
    let names = (0..flows.len()).map(|index| format!("flow {index}")).collect();
    let mut sysctls: BTreeMap<String, i64> = BTreeMap::from([("net.ipv4.icmp_ratelimit".to_owned(), 0)]);
    for (timeout, seconds) in [
        ("timeout_established", 9000),
        ("timeout_syn_sent", 610),
        ("timeout_syn_recv", 550),
        ("timeout_fin_wait", 500),
        ("timeout_close_wait", 470),
        ("timeout_last_ack", 440),
        ("timeout_time_wait", 390),
        ("timeout_close", 320),
        ("timeout_max_retrans", 290),
        ("timeout_unacknowledged", 280),
        ("loose", 1),
    ] {
        sysctls.insert(format!("net.netfilter.nf_conntrack_tcp_{timeout}"), seconds);
    }
    Plan {
        name,
        sysctls,
        nat: Some("masquerade"),
        input: None,
        invalid: None,
        opens: None,
        rounds: vec![0.0; rounds],
        names,
        flows,
    }
}

/// A generator that is the same everywhere (xorshift64*, Vigna 2016).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }

    fn of<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    fn flow(&mut self, rounds: usize) -> Vec<Option<Sent>> {
        // What each end sends next.
        let mut next = [1000_u32, 5000];
        let opens = self.below(10) < 8;
        let mut flow = Vec::new();
        if opens {
            let mut syn = from("client", "S", 1000, 0);
            let mut answer = from("server", "SA", 5000, 1001);
            with_syn_options(&mut syn);
            with_syn_options(&mut answer);
            flow.extend([Some(syn), Some(answer)]);
            next = [1001, 5001];
        }
        while flow.len() < rounds {
            let packet = (self.below(10) > 0).then(|| self.packet(&mut next, opens || !flow.is_empty()));
            flow.push(packet);
        }
        flow
    }

    /// Only the client begins, so that no two connections want the same ends.
    fn packet(&mut self, next: &mut [u32; 2], begun: bool) -> Sent {
        let who = if begun { self.below(2) as usize } else { 0 };
        let (own, peer) = (next[who], next[1 - who]);
        let seq = own
            .wrapping_add_signed(self.of(&[0, 0, 0, 0, -1, -1, -1, 1, -100, -100_000, 70_000, 10_000_000]));
        let ack = peer.wrapping_add_signed(self.of(&[0, 0, 0, 0, 0, 0, -1, 1, 1000, -100_000]));
        let flags = self
            .of(&["A", "A", "A", "A", "A", "PA", "PA", "FA", "FA", "R", "RA", "S", "SA", "P", "SF", "FAU"]);
        let mut sent = from(["client", "server"][who], flags, seq, ack);
        sent.window = self.of(&[502, 502, 502, 0, 64_240]);
        if flags == "PA" {
            sent.octets = self.of(&[1, 10, 100]);
        }
        if flags == "S" || flags == "SA" {
            with_syn_options(&mut sent);
        }
        if self.below(20) == 0 {
            sent.ttl = 1;
        }
        // Most of what lies at its place was meant.
        if seq == own && self.below(4) > 0 {
            let numbers = u32::from(flags.contains('F')) + u32::from(flags.contains('S'));
            next[who] = own.wrapping_add(u32::from(sent.octets) + numbers);
        }
        sent
    }
}
