//! Captures made of others: moved in time, seen from elsewhere, with packets missing.

use std::path::{Path, PathBuf};

use crate::common::Pcap;

/// Record header and Ethernet header.
const IP: usize = 30;
const CLIENT: [u8; 4] = [192, 0, 2, 2];

fn word(record: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(record[at..at + 4].try_into().expect("four octets"))
}

pub fn micros(record: &[u8]) -> i64 {
    i64::from(word(record, 0)) * 1_000_000 + i64::from(word(record, 4))
}

pub fn set_micros(record: &mut [u8], micros: i64) {
    let parts = [micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000)];
    for (at, part) in [0, 4].into_iter().zip(parts) {
        record[at..at + 4].copy_from_slice(&u32::try_from(part).expect("a time").to_ne_bytes());
    }
}

/// Whether the client of the lab sent it.
pub fn is_from_client(record: &[u8]) -> bool {
    record[IP + 12..IP + 16] == CLIENT
}

/// The capture as the other end of the path sees it: a router further, `way` microseconds away, by a clock that
/// is `ahead`.
pub fn from_the_server(mut pcap: Pcap, way: i64, ahead: i64) -> Pcap {
    for record in &mut pcap.records {
        let sign = if is_from_client(record) { 1 } else { -1 };
        let time = micros(record) + ahead + sign * way;
        set_micros(record, time);
        record[IP + 8] = record[IP + 8].checked_add_signed(-(sign as i8)).expect("a time to live");
    }
    pcap.records.sort_by_key(|record| micros(record));
    pcap
}

/// Without the packets at these places, which count from 1 as frames do.
pub fn without(mut pcap: Pcap, frames: &[usize]) -> Pcap {
    let mut number = 0;
    pcap.records.retain(|_| {
        number += 1;
        !frames.contains(&number)
    });
    pcap
}

/// With every time since the first packet this many times as long.
pub fn stretched(mut pcap: Pcap, factor: i64) -> Pcap {
    let first = micros(&pcap.records[0]);
    for record in &mut pcap.records {
        let time = first + (micros(record) - first) * factor;
        set_micros(record, time);
    }
    pcap
}

/// With something of the client's end changed: its last octet of address, and its port.
pub fn translated(mut pcap: Pcap, address: u8, port: u16) -> Pcap {
    for record in &mut pcap.records {
        let (at, tcp) = if is_from_client(record) { (IP + 12, IP + 20) } else { (IP + 16, IP + 22) };
        record[at + 3] = address;
        record[tcp..tcp + 2].copy_from_slice(&port.to_be_bytes());
    }
    pcap
}

pub fn save(folder: &Path, name: &str, pcap: &Pcap) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, pcap.octets()).expect("a file");
    path
}
