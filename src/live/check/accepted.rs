//! Which socket accepted which connection.
//!
//! Owns [`by_listener`]. Pure. The tables do not tell, but the kernel gives a connection to the socket that fits it best
//! (net/ipv4/inet_hashtables.c, `__inet_lookup_listener` and `compute_score`), and lets no connection of its own choice
//! leave from a port that is bound. What was accepted before the listener was opened anew counts as its own.

use super::diag::Connection;

/// For each listener the connections that it accepted, by their places. Where several fit as well (SO_REUSEPORT), those
/// that share a holder with the connection have it, or all of them if none does; `share` says of two inodes whether
/// some process holds both.
pub fn by_listener(
    listeners: &[Connection],
    connections: &[Connection],
    share: impl Fn(u32, u32) -> bool,
) -> Vec<Vec<usize>> {
    let mut accepted = vec![Vec::new(); listeners.len()];
    for (place, connection) in connections.iter().enumerate() {
        let scores: Vec<Option<u8>> = listeners.iter().map(|listener| score(listener, connection)).collect();
        let Some(best) = scores.iter().flatten().max() else { continue };
        let fits = |score: &Option<u8>| score.as_ref() == Some(best);
        let pairs = || listeners.iter().zip(&scores).filter(|(_, score)| fits(score));
        let shared = pairs().any(|(listener, _)| share(listener.inode, connection.inode));
        for ((listener, score), list) in listeners.iter().zip(&scores).zip(&mut accepted) {
            if fits(score) && (!shared || share(listener.inode, connection.inode)) {
                list.push(place);
            }
        }
    }
    accepted
}

/// How well a listener fits a connection; nothing if it does not.
fn score(listener: &Connection, connection: &Connection) -> Option<u8> {
    let (asked, came) = (listener.local, connection.local);
    let is_bound = listener.interface != 0;
    let wildcard = asked.address.is_unspecified();
    let family = asked.address.is_ipv4() == came.address.is_ipv4();
    // The wildcard of IPv6 takes IPv4, too.
    let takes = match wildcard {
        true => family || (came.address.is_ipv4() && !listener.only_v6),
        false => asked.address == came.address,
    };
    let interface = !is_bound || listener.interface == connection.interface;
    (asked.port == came.port && takes && interface)
        .then(|| u8::from(is_bound) * 4 + u8::from(!wildcard) * 2 + u8::from(family))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::Endpoint;

    fn end(address: &str, port: u16) -> Endpoint {
        Endpoint { address: address.parse().unwrap(), port }
    }

    fn listener(address: &str, inode: u32) -> Connection {
        let any = end("0.0.0.0", 0);
        Connection { state: super::super::diag::LISTEN, inode, ..Connection::between(end(address, 80), any) }
    }

    fn connection(address: &str, port: u16) -> Connection {
        Connection { inode: 9, ..Connection::between(end(address, port), end("198.51.100.2", 4000)) }
    }

    #[test]
    fn the_socket_that_fits_best_accepted_it() {
        let only_v6 = Connection { only_v6: true, ..listener("::", 4) };
        let bound = Connection { interface: 3, ..listener("0.0.0.0", 5) };
        let through = |interface| Connection { interface, ..connection("192.0.2.1", 80) };
        let cases = [
            (vec![listener("0.0.0.0", 1), listener("192.0.2.1", 2)], connection("192.0.2.1", 80), vec![1]),
            (vec![listener("0.0.0.0", 1), listener("192.0.2.1", 2)], connection("192.0.2.3", 80), vec![0]),
            (vec![listener("::", 1), listener("0.0.0.0", 2)], connection("192.0.2.1", 80), vec![1]),
            (vec![listener("::", 1)], connection("192.0.2.1", 80), vec![0]),
            (vec![only_v6.clone()], connection("192.0.2.1", 80), vec![]),
            (vec![only_v6], connection("2001:db8::1", 80), vec![0]),
            (vec![listener("0.0.0.0", 1)], connection("2001:db8::1", 80), vec![]),
            (vec![listener("0.0.0.0", 1)], connection("192.0.2.1", 81), vec![]),
            (vec![listener("0.0.0.0", 1), bound.clone()], through(3), vec![1]),
            (vec![listener("0.0.0.0", 1), bound], through(0), vec![0]),
        ];
        for (number, (listeners, connection, wanted)) in cases.into_iter().enumerate() {
            let accepted = by_listener(&listeners, &[connection], |_, _| false);
            let found: Vec<usize> = (0..listeners.len()).filter(|one| !accepted[*one].is_empty()).collect();
            assert_eq!(found, wanted, "{number}");
        }
    }

    #[test]
    fn of_several_at_one_port_the_one_of_the_same_process_accepted_it() {
        let listeners = [listener("0.0.0.0", 1), listener("0.0.0.0", 2)];
        let connections = [connection("192.0.2.1", 80)];
        let shared = by_listener(&listeners, &connections, |listener, _| listener == 2);
        assert_eq!(shared, [vec![], vec![0]]);
        let unknown = by_listener(&listeners, &connections, |_, _| false);
        assert_eq!(unknown, [vec![0], vec![0]]);
    }
}
