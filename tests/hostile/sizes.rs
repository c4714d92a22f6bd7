//! Lengths that lie, and input that is small and wants much: time and memory stay bounded.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::common::packets::{ACK, From, Tcp, ipv4, pcap_header, record};
use crate::common::{block, scratch, text};

/// More than a run needs that holds nothing it need not: the program itself takes about 20 MiB, and a build
/// without optimisation somewhat more.
const MEMORY_KIB: u64 = 160 * 1024;
/// Longer than a busy machine takes for any of these.
const PATIENCE: Duration = Duration::from_secs(120);

/// The exit code, output and messages of a run that must stay within memory and time.
#[expect(clippy::disallowed_methods, reason = "a child's memory can only be looked at now and again")]
fn bounded(path: &Path) -> (Option<i32>, String, String) {
    // A pipe that nobody empties would stop it.
    let (out, complaint) = (path.with_extension("out"), path.with_extension("err"));
    let mut child = Command::new(env!("CARGO_BIN_EXE_keepscope"))
        .args(["analyze", "--quiet", "--all", text(path)])
        .stdout(File::create(&out).expect("a file"))
        .stderr(File::create(&complaint).expect("a file"))
        .spawn()
        .expect("keepscope runs");
    let begun = Instant::now();
    let mut most = 0;
    // The high-water mark can only be read while the process is there.
    while child.try_wait().expect("a child").is_none() {
        most = most.max(high_water(&child));
        if begun.elapsed() > PATIENCE || most > MEMORY_KIB {
            let _ = child.kill();
            panic!("{}: {most} KiB after {:?}", path.display(), begun.elapsed());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let code = child.wait().expect("it ended").code();
    let said = |path: PathBuf| std::fs::read_to_string(path).expect("UTF-8");
    (code, said(out), said(complaint))
}

/// `VmHWM` of a child in KiB; 0 when it is gone.
fn high_water(child: &Child) -> u64 {
    let mut status = String::new();
    let Ok(mut file) = File::open(format!("/proc/{}/status", child.id())) else { return 0 };
    if file.read_to_string(&mut status).is_err() {
        return 0;
    }
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).unwrap_or(0)
}

fn write(folder: &str, octets: &[u8]) -> PathBuf {
    let path = scratch(&format!("hostile_{folder}")).join("capture");
    std::fs::write(&path, octets).expect("a file");
    path
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

fn section() -> Vec<u8> {
    block(0x0a0d_0d0a, &[words(&[0x1a2b_3c4d, 1]), vec![0xff; 8]].concat())
}

/// An interface description with a name.
fn interface(name: &[u8]) -> Vec<u8> {
    let length = u16::try_from(name.len()).expect("a name").to_ne_bytes();
    let padding = vec![0; name.len().next_multiple_of(4) - name.len()];
    let head = [&words(&[1, 0])[..], &2_u16.to_ne_bytes(), &length].concat();
    block(1, &[&head[..], name, &padding, &[0; 4]].concat())
}

fn packet() -> Vec<u8> {
    let frame = Tcp::new(From::Client, ACK, 1, 1).frame();
    let length = frame.len() as u32;
    let padding = vec![0; frame.len().next_multiple_of(4) - frame.len()];
    block(6, &[words(&[0, 0x0006_0000, 1, length, length]), frame, padding].concat())
}

#[test]
fn a_length_of_four_gigabytes_is_not_believed() {
    let pcap = [pcap_header(), words(&[1, 1, u32::MAX, u32::MAX]), vec![0; 100]].concat();
    let pcapng = [section(), words(&[6, u32::MAX - 3]), vec![0; 100]].concat();
    let largest = [section(), words(&[1, 16 << 20]), vec![0; 100]].concat();
    for (name, octets, says) in [
        ("record", pcap, "claims 4294967295"),
        ("block", pcapng, "claims 4294967292"),
        ("largest", largest, "ends inside"),
    ] {
        let (code, _, complaint) = bounded(&write(name, &octets));
        assert_eq!(code, Some(2), "{name}: {complaint}");
        assert!(complaint.contains(says), "{name}: {complaint}");
    }
}

#[test]
fn a_million_interfaces_are_not_kept() {
    let many = [section(), interface(b"eth0").repeat(1_000_000), packet()].concat();
    let (code, out, complaint) = bounded(&write("interfaces", &many));
    assert_eq!(code, Some(0), "{complaint}");
    assert!(out.contains("1 packet, 1 TCP segment"), "{out}");
    assert!(complaint.contains("more than 65536 interfaces"), "{complaint}");
    // So many sections with one each, and few with names of 60 kB.
    let sections = [section(), interface(b"eth0")].concat().repeat(300_000);
    let long = [section(), interface(&[b'n'; 60_000]).repeat(5_000)].concat();
    for (name, head) in [("sections", sections), ("names", long)] {
        let (code, out, complaint) = bounded(&write(name, &[head, packet()].concat()));
        assert_eq!(code, Some(0), "{name}: {complaint}");
        assert!(out.contains("1 packet, 1 TCP segment"), "{name}: {out}");
    }
}

#[test]
fn statistics_of_interfaces_that_are_not_there_take_no_room() {
    let drops = [&5_u16.to_ne_bytes()[..], &8_u16.to_ne_bytes(), &7_u64.to_ne_bytes(), &[0; 4]].concat();
    let climbing =
        (0..60_000_u32).flat_map(|index| block(5, &[&words(&[index * 65_000, 0, 0])[..], &drops].concat()));
    let octets = [section(), interface(b"eth0"), climbing.collect(), packet()].concat();
    let (code, out, complaint) = bounded(&write("statistics", &octets));
    assert_eq!(code, Some(0), "{complaint}");
    assert!(out.contains("1 packet, 1 TCP segment"), "{out}");
}

/// A compressor of each kind that writes to a file.
fn compressor(kind: &str, file: File) -> Box<dyn Write> {
    match kind {
        "gzip" => Box::new(flate2::write::GzEncoder::new(file, flate2::Compression::fast())),
        "zstd" => Box::new(zstd::stream::write::Encoder::new(file, 1).expect("zstd").auto_finish()),
        _ => Box::new(liblzma::write::XzEncoder::new(file, 0)),
    }
}

#[test]
fn what_decompresses_to_a_gigabyte_is_streamed() {
    let folder = scratch("hostile_bombs");
    let head = [section(), interface(b"eth0")].concat();
    // A name resolution block that nobody needs, of 8 MiB.
    let empty = block(4, &vec![0; 8 << 20]);
    for kind in ["gzip", "zstd", "xz"] {
        let path = folder.join(kind);
        let mut out = compressor(kind, File::create(&path).expect("a file"));
        out.write_all(&head).expect("written");
        // xz is slow to write in a build without optimisation.
        for _ in 0..if kind == "xz" { 16 } else { 128 } {
            out.write_all(&empty).expect("written");
        }
        out.write_all(&packet()).expect("written");
        drop(out);
        let size = std::fs::metadata(&path).expect("a file").len();
        assert!(size < 8 << 20, "{kind}: {size} octets");
        let (code, out, complaint) = bounded(&path);
        assert_eq!(code, Some(0), "{kind}: {complaint}");
        assert!(out.contains("1 packet, 1 TCP segment"), "{kind}: {out}");
    }
}

#[test]
fn a_window_of_gigabytes_is_refused() {
    // A zstd frame without a content size whose window is 2^41 octets, then a raw block of 4 octets.
    let zstd = [&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 31 << 3][..], &[4 << 3 | 1, 0, 0], &[0; 4]].concat();
    let (code, _, complaint) = bounded(&write("window", &zstd));
    assert_eq!(code, Some(2));
    assert!(complaint.contains("memory"), "{complaint}");
}

#[test]
fn lengths_in_headers_that_lie_are_counted_and_passed_over() {
    let tcp = Tcp::new(From::Client, ACK, 1, 1).frame();
    let changed = |at: usize, octets: &[u8]| {
        let mut frame = tcp.clone();
        frame[at..at + octets.len()].copy_from_slice(octets);
        frame
    };
    // IPv6 with extension headers that go on and on: each names destination options as the next.
    let mut chain = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd, 0x60, 0, 0, 0, 0xff, 0xff, 60, 64];
    chain.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1].repeat(2));
    chain.extend([60, 0, 1, 4, 0, 0, 0, 0].repeat(8_000));
    let frames = [
        // The header of IP says more than there is, less than its own length, or that it is 60 octets long.
        changed(16, &[0xff, 0xff]),
        changed(16, &[0, 19]),
        changed(14, &[0x4f]),
        changed(14, &[0x41]),
        // The header of TCP says that it is shorter than it can be, or longer than the packet.
        changed(46, &[0x10]),
        changed(46, &[0xf0]),
        chain,
        // Tunnels in tunnels.
        (0..60).fold(tcp[14..].to_vec(), |inner, _| {
            ipv4(4, 64, [192, 0, 2, 1], [192, 0, 2, 2], &inner)[14..].to_vec()
        }),
    ];
    let mut octets = pcap_header();
    for (index, frame) in frames.iter().enumerate() {
        octets.extend(record(1_700_000_000 + index as u32, 0, frame));
    }
    octets.extend(record(1_700_000_100, 0, &tcp));
    let (code, out, complaint) = bounded(&write("headers", &octets));
    assert_eq!(code, Some(0), "{complaint}");
    assert!(out.contains(&format!("{} packets", frames.len() + 1)), "{out}");
}

#[test]
fn four_tuples_chosen_to_collide_cost_no_more_than_others() {
    // The same low bits everywhere: what a weak hash would put into one bucket.
    let mut octets = pcap_header();
    let count = 60_000_u32;
    for index in 0..count {
        let mut frame = Tcp::new(From::Client, 2, index, 0).frame();
        frame[26..30].copy_from_slice(&(index << 12 | 0x0a00_0001).to_be_bytes());
        frame[34..36].copy_from_slice(&(((index >> 4) as u16) << 8 | 1).to_be_bytes());
        octets.extend(record(1_700_000_000, index, &frame));
    }
    let path = write("tuples", &octets);
    let (code, out, complaint) = bounded(&path);
    assert_eq!(code, Some(0), "{complaint}");
    assert!(
        out.contains(&format!("{count} packets, {count} TCP segments")),
        "{}",
        &out[..200.min(out.len())]
    );
}
