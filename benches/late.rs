//! How late probes leave that are due at evenly spread times, what that costs, and what unrelated packets cost.
//!
//!     cargo bench --bench late
//!
//! Needs CAP_NET_RAW; everything stays on the loopback. Not a criterion benchmark: what matters is how a
//! distribution ends, not its mean.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use keepscope::analysis::filter::Filter as Expression;
use keepscope::live::filter::Filter;
use keepscope::live::system::{Need, OpenError, Options, System};
use keepscope::live::wire::{Arrival, Connect, Wire};
use keepscope::segment::decode::{Decoded, decode};
use keepscope::segment::encode::Outbound;
use keepscope::segment::{Flags, Options as TcpOptions, Segment};
use keepscope::time::{Span, Timestamp};
use rustix::time::{ClockId, clock_gettime};
use socket2::{Domain, Protocol, Socket, Type};

/// Probes of a run.
const PROBES: u16 = 1000;

/// Packets of somebody else that are sent for one measurement.
const UNRELATED: u32 = 100_000;

/// Measurements of which the median counts.
const ROUNDS: usize = 15;

/// The rate for which their cost is told, packets a second.
const RATE: f64 = 100_000.0;

fn main() {
    // Opening a system gives up the rights of its thread.
    for spacing in [Span::from_millis(1), Span::from_micros(100)] {
        match on_a_thread(move || late(spacing)) {
            Ok(()) => {}
            Err(error) => return println!("SKIPPED: {error}"),
        }
    }
    println!(
        "\nwhat a packet of somebody else costs in addition to its own way over the loopback, beside us"
    );
    let port: Expression = "port:9".parse().expect("an expression");
    let port = Filter::ends(port.conditions());
    for (name, filter, others) in [
        ("probing one peer", Filter::Peers(vec![(Ipv4Addr::LOCALHOST, 9).into()]), Protocol::UDP),
        ("watching small segments", Filter::SmallTcp, Protocol::UDP),
        ("watching all TCP", Filter::Tcp, Protocol::UDP),
        ("watching one port", port.clone(), Protocol::UDP),
        ("watching one port, beside TCP on others", port, Protocol::TCP),
    ] {
        // In turn, so that a machine whose speed drifts still gives the difference.
        let mut more: Vec<f64> =
            (0..ROUNDS).map(|_| cost(Some(filter.clone()), others) - cost(None, others)).collect();
        more.sort_unstable_by(f64::total_cmp);
        let more = more[ROUNDS / 2];
        println!(
            "  {name}: {more:.0} ns, {:.1} % of a core at {RATE:.0} packets/s",
            more * RATE / 1e9 * 100.0
        );
    }
}

fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::spawn(work).join().expect("no panic")
}

fn open(filter: Filter) -> Result<System, OpenError> {
    System::open(&Options {
        interfaces: vec!["lo".to_owned()],
        sniff: Need::Required,
        send: Need::Required,
        filter,
        ..Options::default()
    })
}

/// Nanoseconds of processor time that this thread has used.
fn processor_time() -> i64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

fn segment(arrival: &Arrival<'_>) -> Option<Segment> {
    match arrival {
        Arrival::Frame(frame) => match decode(frame) {
            Decoded::Segment(segment) => Some(segment),
            _ => None,
        },
        _ => None,
    }
}

/// Sends probes at even distances beside a connection, and tells by the kernel's stamps how late they left.
fn late(spacing: Span) -> Result<(), OpenError> {
    let mut system = open(Filter::Peers(Vec::new()))?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
    let peer = listener.local_addr().expect("an address");
    system.connect(&Connect { peer, source: None }).expect("an attempt");
    let mut handshake = Vec::new();
    while handshake.len() < 3 {
        handshake.extend(segment(&system.next(None).expect("a segment")));
    }
    let (syn, last) = (&handshake[0], &handshake[2]);
    let start = system.now().plus(Span::from_millis(20));
    let due = |number: u16| start.plus(spacing.times(i64::from(number)));
    let mut left: Vec<Option<Timestamp>> = vec![None; usize::from(PROBES)];
    let (before, mut next) = (processor_time(), 0);
    let end = due(PROBES).plus(Span::from_millis(100));
    loop {
        let until = if next < PROBES { due(next) } else { end };
        let arrival = system.next(Some(until)).expect("a world that goes on");
        if matches!(arrival, Arrival::Deadline) {
            if next == PROBES {
                break;
            }
            let probe = Outbound {
                source: syn.source,
                destination: syn.destination,
                seq: syn.seq,
                ack: last.ack,
                flags: Flags::ACK,
                window: last.window,
                options: TcpOptions { timestamps: last.options.timestamps, ..TcpOptions::default() },
                payload: b"\0",
                ttl: 64,
                // Zero would be replaced.
                ip_id: next + 1,
                dont_fragment: true,
            };
            system.send(&probe).expect("a packet that leaves");
            next += 1;
        } else if let Some(seen) = segment(&arrival).filter(|seen| seen.source == syn.source)
            && let Some(place) = seen.ip_id.and_then(|id| left.get_mut(usize::from(id.checked_sub(1)?)))
        {
            *place = Some(seen.time);
        }
    }
    let used = processor_time() - before;
    let mut lateness: Vec<i64> = (0..PROBES)
        .zip(left)
        .map(|(number, left)| left.expect("seen").since(due(number)).as_nanos())
        .collect();
    lateness.sort_unstable();
    let at = |share: usize| lateness[(lateness.len() - 1) * share / 1000] / 1000;
    println!(
        "{PROBES} probes, one every {} us: late by p50 {} us, p99 {} us, max {} us; {} us of processor time each, {:.1} % of a core",
        spacing.as_nanos() / 1000,
        at(500),
        at(990),
        at(1000),
        used / 1000 / i64::from(PROBES),
        100.0 * used as f64 / end.since(start).as_nanos() as f64,
    );
    Ok(())
}

/// Nanoseconds of processor time that a packet of somebody else takes on its way over the loopback, all of it
/// spent by the thread that sends; beside a filter or nobody.
fn cost(filter: Option<Filter>, protocol: Protocol) -> f64 {
    on_a_thread(move || {
        let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        let sender = Socket::new(Domain::IPV4, Type::RAW, Some(protocol)).expect("rights");
        sender.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a peer");
        let port = receiver.local_addr().expect("an address").port().to_be_bytes();
        // Nobody reads or answers them: UDP that does not fit is thrown away, and so is a RST of no connection.
        let mut packet = vec![0; 8 + 64];
        packet[..4].copy_from_slice(&[port[0], port[1], port[0], port[1]]);
        if protocol == Protocol::TCP {
            packet[12..14].copy_from_slice(&[0x50, 0x04]);
        } else {
            packet[5] = 8 + 64;
        }
        let system = filter.map(|filter| open(filter).expect("rights"));
        let before = processor_time();
        for _ in 0..UNRELATED {
            let _ = sender.send(&packet);
        }
        let used = processor_time() - before;
        drop(system);
        used as f64 / f64::from(UNRELATED)
    })
}
