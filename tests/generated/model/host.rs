//! What one of the two hosts knows.

use super::{BASE, SEC, Time};

#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) start: u64,
    pub(super) len: u32,
    pub(super) fin: bool,
    pub(super) syn: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Host {
    pub(super) open: bool,
    pub(super) dead: bool,
    pub(super) established: bool,
    pub(super) una: u64,
    pub(super) next: u64,
    pub(super) written: u64,
    pub(super) closing: bool,
    pub(super) fin_at: Option<u64>,
    pub(super) sent: Vec<Sent>,
    pub(super) peer_window: u32,
    pub(super) received: Option<u64>,
    pub(super) fin_received: bool,
    pub(super) unread: u32,
    pub(super) reading: bool,
    pub(super) advertised_zero: bool,
    pub(super) advertised_edge: u64,
    pub(super) heard: Time,
    pub(super) probes_out: u32,
    pub(super) step: Time,
    pub(super) probe_at: Option<Time>,
    pub(super) rto: Time,
    pub(super) backoff: u32,
    pub(super) resend_at: Option<Time>,
    pub(super) recovering: u64,
    pub(super) persist_at: Option<Time>,
    pub(super) persist_backoff: u32,
    pub(super) ack_at: Option<Time>,
    pub(super) unacked: u32,
    pub(super) last_limited: Time,
    pub(super) ip_id: u16,
    pub(super) latest_stamp: u32,
    pub(super) opened_at: Time,
    pub(super) isn: u64,
}

impl Host {
    pub(super) fn new(isn: u32, room: u32) -> Self {
        let isn = BASE + u64::from(isn);
        Host {
            open: false,
            dead: false,
            established: false,
            una: isn,
            next: isn,
            written: isn + 1,
            closing: false,
            fin_at: None,
            sent: Vec::new(),
            peer_window: room,
            received: None,
            fin_received: false,
            unread: 0,
            reading: true,
            advertised_zero: false,
            advertised_edge: 0,
            heard: 0,
            probes_out: 0,
            step: 0,
            probe_at: None,
            rto: SEC,
            backoff: 0,
            resend_at: None,
            recovering: 0,
            persist_at: None,
            persist_backoff: 0,
            ack_at: None,
            unacked: 0,
            last_limited: -SEC,
            ip_id: 100,
            latest_stamp: 0,
            opened_at: 0,
            isn,
        }
    }

    pub(super) fn waits(&self) -> bool {
        self.una < self.next
    }
}
