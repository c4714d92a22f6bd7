//! Whoever else may connect: other programs, forgers, the slow, the silent and the many. Nothing hangs, nothing is
//! amplified, and those who know the secret get in all the same.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use keepscope::partner::VERSION;
use keepscope::partner::client::{Client, ClientError, Options, Told};
use keepscope::partner::codec::Opening;
use keepscope::partner::message::Refusal;
use keepscope::partner::secret::Secret;
use keepscope::time::{Span, Timestamp};

use crate::Responding;
use crate::near::{Near, all_that_comes, random, secret, uptime};

/// Says something and hears all there is to hear, until the other side closes.
fn say(address: SocketAddr, octets: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).expect("a connection");
    // It may be closed before all is said.
    let _ = stream.write_all(octets);
    all_that_comes(&mut stream)
}

#[test]
fn other_programs_hear_nothing_and_are_closed() {
    let mut responding = Responding::new(&[]);
    let begin = uptime();
    let random: Vec<u8> = (0..40).flat_map(|_| random()).collect();
    let said: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\nHost: example.net\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        &random,
        // A length that is allowed, and then noise; oversized.
        &[&[1, 254][..], &random[..510]].concat(),
    ];
    for octets in said {
        assert!(say(responding.address, octets).is_empty(), "{octets:?}");
        let line = responding.told("turned_away");
        // Random octets may begin like a length, and then not be enough of them.
        let why = line["why"].as_str().expect("why");
        assert!(["strange", "too_slow"].contains(&why), "{line}");
    }
    // Nothing at all.
    assert!(say(responding.address, b"").is_empty());
    assert_eq!(responding.told("turned_away")["why"], "said_nothing");
    assert!(uptime() - begin >= Duration::from_secs(5));
    // A message too long inside of a session that never began, and a version that is not spoken.
    let hello = Opening::Hello { version: 9, nonce: [1; 32] }.encode();
    let heard = say(responding.address, hello.octets());
    let refused = Opening::Refused { refusal: Refusal::Version, version: VERSION }.encode();
    assert_eq!(heard, refused.octets());
    Near::at(responding.address).bye();
}

#[test]
fn who_does_not_know_the_secret_learns_that_and_nothing_else() {
    let mut responding = Responding::new(&[]);
    let address = responding.address;
    let open = move || TcpStream::connect(address).expect("a connection");
    let wrong = Secret::new(b"battery staple").expect("a secret");
    for (secret, error) in [(wrong, ClientError::WrongSecret), (Secret::none(), ClientError::SecretWanted)] {
        assert_eq!(Near::open(secret, Options::default(), open).err(), Some(error));
    }
    assert_eq!(responding.told("turned_away")["why"], "secret");
    // A client that is sent away by the missing secret leaves by itself.
    assert_eq!(responding.told("turned_away")["why"], "left");
    // And a recording of one who knew it.
    let mut client = Client::new(secret(), Options::default(), random(), Timestamp::from_nanos(0));
    let mut stream = open();
    let mut said = Vec::new();
    let mut octets = [0; 700];
    while client.welcome().is_none() {
        while let Some(octets) = client.poll_octets() {
            stream.write_all(&octets).expect("written");
            said.extend(octets);
        }
        let count = std::io::Read::read(&mut stream, &mut octets).expect("octets");
        client.on_octets(Timestamp::from_nanos(0), &octets[..count]);
    }
    responding.told("session_opened");
    let heard = say(address, &said);
    assert!(heard.len() <= said.len(), "{} for {}", heard.len(), said.len());
    assert_eq!(responding.told("turned_away")["why"], "secret");
}

#[test]
fn the_slow_have_no_more_time_than_others() {
    let mut responding = Responding::new(&[]);
    let hello = Opening::Hello { version: VERSION, nonce: [1; 32] }.encode();
    let mut stream = TcpStream::connect(responding.address).expect("a connection");
    let begin = uptime();
    // Slower than five seconds for all of it; it is closed before.
    stream.set_read_timeout(Some(Duration::from_millis(150))).expect("a time-out");
    let closed = hello.octets().iter().any(|octet| {
        let written = stream.write_all(&[*octet]);
        let waits = |error: &std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
        written.is_err() || !std::io::Read::read(&mut stream, &mut [0]).as_ref().is_err_and(waits)
    });
    assert!(closed && all_that_comes(&mut stream).is_empty());
    assert!(uptime() - begin >= Duration::from_secs(5));
    assert_eq!(responding.told("turned_away")["why"], "too_slow");
}

/// A value of /proc/PID/status in KiB.
fn memory(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[test]
fn a_thousand_connections_without_a_word_cost_little() {
    let responding = Responding::new(&[]);
    let id = responding.program.id();
    let files = || std::fs::read_dir(format!("/proc/{id}/fd")).expect("its descriptors").count();
    let (memory_before, files_before) = (memory(id), files());
    let mut silent = std::collections::VecDeque::new();
    for count in 0..1_000 {
        silent.push_back(TcpStream::connect(responding.address).expect("a connection"));
        // Those were sent away long ago; this process may have few descriptors.
        if silent.len() > 400 {
            let mut oldest: TcpStream = silent.pop_front().expect("one");
            assert!(all_that_comes(&mut oldest).is_empty(), "{count}");
        }
    }
    // Who knows the secret gets in at once.
    let begin = uptime();
    let mut near = Near::at(responding.address);
    let mut tested = near.join(1);
    tested.arm();
    assert!(uptime() - begin < Duration::from_secs(5));
    // Visitors, those that are being closed, and the two.
    assert!(files() <= files_before + 64 + 64 + 2, "{} of {files_before}", files());
    let grown = memory(id).saturating_sub(memory_before);
    assert!(grown < 8 * 1024, "{grown} KiB");
    for mut one in silent {
        assert!(all_that_comes(&mut one).is_empty());
    }
    near.bye();
    responding.program.signal("TERM");
    let ended = responding.program.end();
    let summary = ended.last_line();
    let turned = |why: &str| summary["turned_away"][why].as_u64().unwrap_or(0);
    assert_eq!(turned("displaced") + turned("said_nothing") + turned("left"), 1_000, "{summary}");
    // No line for each of them.
    assert!(ended.out.lines().count() < 300, "{}", ended.out.lines().count());
}

#[test]
fn a_message_that_is_too_long_ends_the_session_and_no_other() {
    let mut responding = Responding::new(&[]);
    let mut other = Near::at(responding.address);
    let mut near = Near::at(responding.address);
    let mut tested = near.join(1);
    near.control.write_all(&[255; 4096]).expect("written");
    assert!(matches!(near.next(), Told::Failed(_)));
    assert!(all_that_comes(&mut tested.stream).is_empty());
    assert_eq!(responding.told("session_over")["reason"], "nonsense");
    let mut tested = other.join(1);
    tested.arm();
    other.bye();
}

/// What a client does when what it found is no partner.
#[test]
fn other_servers_are_recognised() {
    let serve = |said: &'static [u8]| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
        let address = listener.local_addr().expect("an address");
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let mut hello = [0; 45];
                let _ = std::io::Read::read_exact(&mut stream, &mut hello);
                let _ = stream.write_all(said);
            }
        });
        address
    };
    let http = serve(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let nothing = serve(b"");
    let open = |address| move || TcpStream::connect(address).expect("a connection");
    let found = Near::open(secret(), Options::default(), open(http)).err();
    assert!(matches!(found, Some(ClientError::NotPartner(_))), "{found:?}");
    let found = Near::open(secret(), Options::default(), open(nothing)).err();
    assert_eq!(found, Some(ClientError::ClosedEarly));
    // One that listens and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
    let options = Options { handshake: Span::from_millis(300), ..Options::default() };
    let found = Near::open(secret(), options, open(silent.local_addr().expect("an address"))).err();
    assert!(matches!(found, Some(ClientError::SaysNothing(_))), "{found:?}");
}
