//! Probes of any numbers, written and read.

use super::*;

/// Random numbers, the same for each seed (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        // Any length in bits is as likely as any other.
        let bits = mixed >> 58;
        (mixed ^ (mixed >> 31)) >> bits
    }

    fn some<T>(&mut self, value: T) -> Option<T> {
        (self.next() & 1 == 0).then_some(value)
    }

    fn is(&mut self) -> bool {
        self.next() & 1 == 0
    }

    fn mark(&mut self) -> Mark {
        Mark {
            frame: FrameId { capture: self.next() as u32, number: self.next() },
            time: Timestamp::from_nanos(self.next() as i64),
        }
    }

    fn timestamps(&mut self) -> Option<TcpTimestamps> {
        let timestamps = TcpTimestamps { value: self.next() as u32, echo: self.next() as u32 };
        self.some(timestamps)
    }

    fn span(&mut self) -> Span {
        Span::from_nanos(self.next() as i64)
    }

    fn address(&mut self) -> IpAddr {
        let bits = (u128::from(self.next()) << 64) | u128::from(self.next());
        if self.is() { IpAddr::V6(bits.into()) } else { IpAddr::V4((bits as u32).into()) }
    }

    fn kind(&mut self) -> AnswerKind {
        let code = self.next() as u8;
        let kinds = [
            AnswerKind::Ack,
            AnswerKind::Data,
            AnswerKind::Reset,
            AnswerKind::Icmp(IcmpKind::PacketTooBig),
            AnswerKind::Icmp(IcmpKind::Unreachable(code)),
            AnswerKind::Icmp(IcmpKind::TimeExceeded(code)),
            AnswerKind::Icmp(IcmpKind::ParameterProblem(code)),
        ];
        kinds[(self.next() % 7) as usize]
    }

    fn answer(&mut self) -> Option<Answer> {
        let address = self.address();
        let corrects = self.next() as u32;
        let answer = Answer {
            probe: self.next() as u32,
            kind: self.kind(),
            at: self.mark(),
            rtt: self.span(),
            ttl: self.next() as u8,
            dsack: self.is(),
            window_changed: self.is(),
            timestamps: self.timestamps(),
            reporter: self.some(address),
            corrects: self.some(corrects),
        };
        self.some(answer)
    }

    fn record(&mut self) -> ProbeRecord {
        let flight = InFlight { octets: self.next(), below_una: self.is() };
        let (silence, quiet, lag) = (self.span(), self.span(), self.next() as i64);
        let (id, id_before, octet, window) =
            (self.next() as u16, self.next() as u16, self.next() as u8, self.next() as u16);
        ProbeRecord {
            event: self.next() as u32,
            segment: ProbeSegment {
                prober: if self.is() { Party::Client } else { Party::Server },
                at: self.mark(),
                seq: SeqNum(self.next() as u32),
                ack: SeqNum(self.next() as u32),
                octets: self.next() as u8,
                silence: self.some(silence),
                quiet: self.some(quiet),
                run: self.next() as u32,
                ttl: self.next() as u8,
                timestamps: self.timestamps(),
                ip_id: self.some(id),
                ip_id_before: self.some(id_before),
                dont_fragment: self.is(),
                psh: self.is(),
                octet: self.some(octet),
                window: self.next() as u16,
                window_before: self.some(window),
                ack_lag: self.some(lag),
                in_flight: self.some(flight),
            },
            basis: BASES[(self.next() % 6) as usize],
            answer: self.answer(),
        }
    }
}

/// Whatever the numbers are, also those that no packet has.
#[test]
fn what_is_read_is_what_was_written() {
    let mut random = Random(1);
    for _ in 0..200 {
        let records: Vec<ProbeRecord> = (0..50).map(|_| random.record()).collect();
        let (mut octets, mut before) = (Vec::new(), Numbers::default());
        for (index, record) in records.iter().enumerate() {
            // Some get their answer later.
            match &record.answer {
                Some(answer) if index % 2 == 0 => {
                    let start = octets.len();
                    let waiting = ProbeRecord { answer: None, ..record.clone() };
                    let mut last = write(&waiting, &before, &mut octets);
                    octets.truncate(start);
                    write_answered(&mut last, answer, &before, &mut octets);
                    before = last;
                }
                _ => before = write(record, &before, &mut octets),
            }
        }
        let (mut rest, mut before) = (octets.as_slice(), Numbers::default());
        for record in &records {
            read(&mut rest, &mut before);
            assert_eq!(before.record(), *record);
        }
        assert!(rest.is_empty());
    }
}

#[test]
fn numbers_are_taken_as_they_were_put() {
    let edges = (0..64).flat_map(|bits| [(1_u64 << bits) - 1, 1 << bits]).chain([u64::MAX]);
    for number in edges {
        for after in [0, 1, 9] {
            let mut octets = Vec::new();
            put(number, |octet| octets.push(octet));
            octets.extend(vec![0xff; after]);
            let mut rest = octets.as_slice();
            assert_eq!((take(&mut rest), rest.len()), (number, after), "{number} and {after}");
        }
    }
}

#[test]
fn octets_that_end_too_early_end_nothing_else() {
    for octets in [&[][..], &[0xff], &[0xff; 40], &[0x80; 11]] {
        let mut rest = octets;
        read(&mut rest, &mut Numbers::default());
        assert!(rest.len() < octets.len() || octets.is_empty());
    }
}
