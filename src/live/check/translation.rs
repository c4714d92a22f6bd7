//! Connections that this host itself translates: behind a published port of a container, or to the address of a service.
//!
//! Owns [`Translations`]: what leaves a socket has other ends on the wire then, and what comes for it, too. The kernel
//! tells in nf_conntrack of /proc/net (net/netfilter/nf_conntrack_standalone.c, `ct_seq_show`), to who may administer the
//! network, where it was built to do so; otherwise nothing is known.

use std::collections::HashMap;

use crate::segment::{Endpoint, Segment};

/// Of the calling thread's namespace.
const TABLE: &str = "/proc/thread-self/net/nf_conntrack";

/// A socket's end and its peer's.
pub type Ends = (Endpoint, Endpoint);

/// Which ends connections have on the wire, where they are others than the socket's.
#[derive(Clone, Debug, Default)]
pub struct Translations(HashMap<Ends, Ends>);

impl Translations {
    /// Those of the namespace in which the caller is; none where the kernel does not tell.
    pub fn read() -> Self {
        // The kernel has no such file, or shows it to others.
        Self::of(&std::fs::read_to_string(TABLE).unwrap_or_default())
    }

    fn of(text: &str) -> Self {
        let mut all = HashMap::new();
        for ((from, to), (back_from, back_to)) in text.lines().filter_map(entry) {
            if (from, to) != (back_to, back_from) {
                // Who connects has the first pair at its socket; who accepts, the second.
                all.insert((from, to), (back_to, back_from));
                all.insert((back_from, back_to), (to, from));
            }
        }
        Self(all)
    }

    /// The ends on the wire of a connection with these ends.
    pub fn on_wire(&self, ends: Ends) -> Ends {
        self.0.get(&ends).copied().unwrap_or(ends)
    }
}

/// A segment as the socket gets it that has `ends`, and `wire` on the wire; as it is if it is not for it.
pub(super) fn arrived(segment: &Segment, ends: Ends, wire: Ends) -> Segment {
    let mut segment = *segment;
    if (segment.destination, segment.source) == wire {
        (segment.destination, segment.source) = ends;
    }
    segment
}

/// Both ways of a TCP connection, each from and to.
fn entry(line: &str) -> Option<(Ends, Ends)> {
    line.split_whitespace().find(|word| *word == "tcp")?;
    let values = |key: &str| -> Vec<&str> {
        line.split_whitespace().filter_map(|word| word.strip_prefix(key)).collect()
    };
    let (sources, destinations) = (values("src="), values("dst="));
    let (from, to) = (values("sport="), values("dport="));
    let end = |addresses: &[&str], ports: &[&str], way: usize| {
        let address: std::net::IpAddr = addresses.get(way)?.parse().ok()?;
        Some(Endpoint { address, port: ports.get(way)?.parse().ok()? })
    };
    let both = |way| Some((end(&sources, &from, way)?, end(&destinations, &to, way)?));
    Some((both(0)?, both(1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(text: &str) -> Endpoint {
        let parsed: std::net::SocketAddr = text.parse().unwrap();
        Endpoint { address: parsed.ip(), port: parsed.port() }
    }

    #[test]
    fn both_ends_of_what_is_translated_are_known() {
        let text = "ipv4     2 tcp      6 431999 ESTABLISHED src=192.0.2.1 dst=203.0.113.10 sport=40000 dport=80 \
                    src=192.0.2.2 dst=192.0.2.1 sport=8080 dport=40000 [ASSURED] mark=0 zone=0 use=2\n\
                    ipv4     2 tcp      6 431999 ESTABLISHED src=192.0.2.1 dst=192.0.2.2 sport=40001 dport=80 \
                    src=192.0.2.2 dst=192.0.2.1 sport=80 dport=40001 [ASSURED] mark=0 use=2\n\
                    ipv6     10 tcp      6 9 ESTABLISHED src=2001:db8::1 dst=2001:db8::2 sport=1 dport=2 [UNREPLIED]\n\
                    ipv4     2 udp      17 29 src=192.0.2.1 dst=192.0.2.9 sport=5 dport=53 src=192.0.2.3 \
                    dst=192.0.2.1 sport=53 dport=5\nnonsense tcp src=x dst=y sport=1 dport=2 src= dst= sport= dport=\n";
        let known = Translations::of(text);
        assert_eq!(known.0.len(), 2);
        let (ours, virtual_, real) = (end("192.0.2.1:40000"), end("203.0.113.10:80"), end("192.0.2.2:8080"));
        assert_eq!(known.on_wire((ours, virtual_)), (ours, real));
        // The end that accepted it, were it a socket of this host.
        assert_eq!(known.on_wire((real, ours)), (virtual_, ours));
        let plain = (end("192.0.2.1:40001"), end("192.0.2.2:80"));
        assert_eq!(known.on_wire(plain), plain);
    }
}
