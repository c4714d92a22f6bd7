//! tshark reads what the simulator writes, and has nothing to complain of.

use keepscope::simulate::host::{Action, EndSpec, HostChange, HostSide};
use keepscope::simulate::profile::Profile;
use keepscope::simulate::tap::{TapLink, TapPlace, TapSpec};
use keepscope::simulate::world::World;
use keepscope::time::Span;

use crate::common::{has, run, scratch, text};
use crate::oracle::write;
use crate::worlds::{host, prober, two_linux};

/// Ten connections with handshakes, data, probes, answers, resets and closes; or nothing but SYNs that do not get
/// far enough, and the ICMP errors about them.
fn world(v6: bool, link: TapLink, in_reach: bool) -> World {
    let [one, other] = if v6 { ["2001:db8::1", "2001:db8::2"] } else { ["192.0.2.1", "198.51.100.1"] };
    let mut spec = two_linux(prober(7, 3, 4), EndSpec::default());
    spec.client = host(one, "linux");
    spec.server = host(other, "windows-10-1709");
    let connection = spec.connections.remove(0);
    for port in 40_000..40_010 {
        let mut connection = connection.clone();
        connection.client_port = port;
        connection.opens = Span::from_millis(i64::from(port - 40_000) * 10);
        let octets = 1 + u32::from(port % 7) * 900;
        connection
            .server
            .actions
            .push((Span::from_secs(5), Action::Send { octets, every: None, until: None }));
        if port % 3 == 0 {
            connection.client.actions.push((Span::from_secs(15), Action::Close));
        }
        spec.connections.push(connection);
    }
    spec.server.changes.push((Span::from_secs(40), HostChange::PowerOff));
    spec.server.changes.push((Span::from_secs(45), HostChange::PowerOn));
    let router = |last: u8| if v6 { format!("2001:db8:ffff::{last:x}") } else { format!("203.0.113.{last}") };
    spec.links[0].routers = (1..=20).map(|last| router(last).parse().unwrap()).collect();
    if !in_reach {
        spec.client.profile = Some(Profile { ttl: 7, ..Profile::of(spec.client.stack) });
    }
    spec.taps = vec![TapSpec { place: TapPlace::Host(HostSide::Client), link }];
    let mut world = World::new(spec, Vec::new()).unwrap();
    world.run_for(Span::from_secs(120));
    world
}

#[test]
fn tshark_has_nothing_to_complain_of() {
    if !has("tshark") {
        return;
    }
    let folder = scratch("simulate-tshark");
    let kinds = [
        (false, TapLink::Raw, true),
        (true, TapLink::Ethernet, true),
        (false, TapLink::Ethernet, false),
        (true, TapLink::Raw, false),
    ];
    for (index, (v6, link, in_reach)) in kinds.into_iter().enumerate() {
        let mut world = world(v6, link, in_reach);
        let frames: Vec<_> = std::iter::from_fn(|| world.poll_frame()).collect();
        assert!(frames.len() > 100);
        for suffix in ["pcapng", "pcap"] {
            let path = folder.join(format!("{index}.{suffix}"));
            write(&frames, &path);
            let checks = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"];
            let bad = "_ws.malformed || tcp.checksum.status == 0 || ip.checksum.status == 0 \
                       || icmp.checksum.status == 0 || icmpv6.checksum.status == 0 || _ws.expert.severity == error";
            let complaints = run("tshark", &[&["-r", text(&path), "-Y", bad][..], &checks].concat());
            assert_eq!(complaints, "", "{}", path.display());
            let fields = ["-r", text(&path), "-T", "fields", "-e", "frame.time_epoch"];
            let times = run("tshark", &fields);
            let ours = frames.iter().map(|frame| frame.time.to_string()).collect::<Vec<_>>();
            assert_eq!(times.lines().collect::<Vec<_>>(), ours, "{}", path.display());
        }
    }
}
