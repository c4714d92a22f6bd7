//! Captures in other forms, and what can go wrong with a file: seeded, so that a finding can be made again.

use std::io::{Read, Write};

use keepscope::capture::Captures;
use keepscope::frame::LinkType;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The byte order of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Little,
    Big,
}

/// A form in which the packets of a capture are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Classic, in this byte order, with nanoseconds or microseconds.
    Pcap(Order, bool),
    /// pcapng in this byte order with this `if_tsresol`.
    Pcapng(Order, u8),
}

pub const FORMS: [Form; 8] = [
    Form::Pcap(Order::Little, false),
    Form::Pcap(Order::Big, false),
    Form::Pcap(Order::Little, true),
    Form::Pcap(Order::Big, true),
    Form::Pcapng(Order::Little, 6),
    Form::Pcapng(Order::Big, 6),
    Form::Pcapng(Order::Little, 9),
    Form::Pcapng(Order::Big, 0x94),
];

/// One packet of a capture, for writing it in another form.
#[derive(Clone)]
pub struct Packet {
    nanos: u64,
    wire_len: u32,
    link: u16,
    data: Vec<u8>,
}

/// The packets of one of `captures/`.
pub fn packets(path: &str) -> Vec<Packet> {
    let mut captures = Captures::open(&[path]).expect("one path");
    let mut packets = Vec::new();
    while let Some(frame) = captures.next_frame() {
        packets.push(Packet {
            nanos: u64::try_from(frame.time.as_nanos()).expect("a time after 1970"),
            wire_len: frame.wire_len,
            link: (0..=u16::MAX).find(|number| LinkType::from_number(*number) == frame.link).unwrap_or(1),
            data: frame.data.to_vec(),
        });
    }
    assert_eq!(captures.problems().filter(|problem| problem.is_damage()).count(), 0, "{path}");
    packets
}

/// A file as pieces that can be moved about: its head, and records or blocks.
#[derive(Clone)]
pub struct Laid {
    pub form: Form,
    pub pieces: Vec<Vec<u8>>,
}

impl Laid {
    pub fn octets(&self) -> Vec<u8> {
        self.pieces.concat()
    }
}

fn u16_of(order: Order, value: u16) -> [u8; 2] {
    if order == Order::Little { value.to_le_bytes() } else { value.to_be_bytes() }
}

fn u32_of(order: Order, value: u32) -> [u8; 4] {
    if order == Order::Little { value.to_le_bytes() } else { value.to_be_bytes() }
}

fn block(order: Order, kind: u32, body: &[u8]) -> Vec<u8> {
    let padding = body.len().next_multiple_of(4) - body.len();
    let length = u32_of(order, u32::try_from(body.len() + padding + 12).expect("a small block"));
    [&u32_of(order, kind)[..], &length, body, &[0; 3][..padding], &length].concat()
}

fn option(order: Order, code: u16, value: &[u8]) -> Vec<u8> {
    let length = u16_of(order, u16::try_from(value.len()).expect("a short value"));
    let padding = value.len().next_multiple_of(4) - value.len();
    [&u16_of(order, code)[..], &length, value, &[0; 3][..padding]].concat()
}

/// Writes packets in a form.
pub fn lay_out(packets: &[Packet], form: Form) -> Laid {
    let link = packets.first().map_or(1, |packet| packet.link);
    let pieces = match form {
        Form::Pcap(order, nanos) => {
            let magic = if nanos { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
            let words = [0, 0, 262_144, u32::from(link)].map(|word| u32_of(order, word)).concat();
            let version = [u16_of(order, 2), u16_of(order, 4)].concat();
            let head = [&u32_of(order, magic)[..], &version, &words].concat();
            let record = |packet: &Packet| {
                let part = packet.nanos % 1_000_000_000;
                let part = if nanos { part } else { part / 1_000 };
                let fields = [packet.nanos / 1_000_000_000, part, packet.data.len() as u64];
                let fields = fields.map(|field| u32_of(order, u32::try_from(field).expect("32 bits")));
                [&fields.concat()[..], &u32_of(order, packet.wire_len), &packet.data].concat()
            };
            std::iter::once(head).chain(packets.iter().map(record)).collect()
        }
        Form::Pcapng(order, resolution) => {
            let version = [u16_of(order, 1), u16_of(order, 0)].concat();
            let section = [&u32_of(order, 0x1a2b_3c4d)[..], &version, &[0xff; 8]].concat();
            let options = [option(order, 2, b"eth0"), option(order, 9, &[resolution]), vec![0; 4]].concat();
            let interface = [&u16_of(order, link)[..], &[0; 2], &u32_of(order, 262_144), &options].concat();
            let per_second: u128 = if resolution & 0x80 != 0 {
                1 << (resolution & 0x7f)
            } else {
                10_u128.pow(resolution.into())
            };
            let record = |packet: &Packet| {
                let units = u128::from(packet.nanos) * per_second / 1_000_000_000;
                let units = u64::try_from(units).expect("64 bits");
                let length = u32::try_from(packet.data.len()).expect("a short packet");
                let words = [0, (units >> 32) as u32, units as u32, length, packet.wire_len];
                let fixed = words.map(|word| u32_of(order, word)).concat();
                let padding = packet.data.len().next_multiple_of(4) - packet.data.len();
                // Every third packet has options.
                let options = [option(order, 2, &u32_of(order, 0)), vec![0; 4]].concat();
                let options = if packet.data.len() % 3 == 0 { &options[..] } else { &[] };
                block(order, 6, &[&fixed, &packet.data[..], &[0; 3][..padding], options].concat())
            };
            let statistics = block(order, 5, &[0; 12]);
            let mut pieces = vec![block(order, 0x0a0d_0d0a, &section), block(order, 1, &interface)];
            pieces.extend(packets.iter().map(record));
            pieces.push(statistics);
            pieces
        }
    };
    Laid { form, pieces }
}

/// What is done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Nothing.
    None,
    /// One to three octets anywhere are other ones.
    Anywhere,
    /// One octet in the first 64, where the heads are.
    FileHead,
    /// One octet in the head of a record or block.
    RecordHead,
    /// A length in the head of a record or block is another one.
    Length,
    /// The last octets of a block, where its length stands again.
    Trailer,
    /// The file ends anywhere.
    CutAnywhere,
    /// The file ends in the head of a record or right before or after it.
    CutInHead,
    /// A piece stands there again.
    Repeated,
    /// A piece is missing, be it the file's head.
    Removed,
    /// Two pieces have changed places.
    Swapped,
    /// A piece of another file stands there.
    Foreign,
    /// Zeros up to the end from somewhere on.
    Zeros,
    /// Noise after the end.
    Noise,
    /// Other blocks between the packets: a simple packet, an obsolete one, a name, a custom one, an unknown
    /// one, another section, another interface.
    OtherBlocks,
}

pub const DAMAGES: [Damage; 15] = [
    Damage::None,
    Damage::Anywhere,
    Damage::FileHead,
    Damage::RecordHead,
    Damage::Length,
    Damage::Trailer,
    Damage::CutAnywhere,
    Damage::CutInHead,
    Damage::Repeated,
    Damage::Removed,
    Damage::Swapped,
    Damage::Foreign,
    Damage::Zeros,
    Damage::Noise,
    Damage::OtherBlocks,
];

/// Chance that can be repeated.
pub struct Dice(ChaCha8Rng);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// From 0 to below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.0.next_u64() % limit.max(1) as u64).expect("less than a size")
    }

    fn octet(&mut self) -> u8 {
        self.0.next_u64() as u8
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// A damaged file; `foreign` is another one in the same form.
pub fn damaged(laid: &Laid, foreign: &Laid, damage: Damage, dice: &mut Dice) -> Vec<u8> {
    let mut laid = laid.clone();
    let count = laid.pieces.len();
    match damage {
        Damage::Repeated => {
            let piece = laid.pieces[dice.below(count)].clone();
            laid.pieces.insert(dice.below(count + 1), piece);
        }
        Damage::Removed => {
            laid.pieces.remove(dice.below(count));
        }
        Damage::Swapped => laid.pieces.swap(dice.below(count), dice.below(count)),
        Damage::Foreign => {
            let piece = foreign.pieces[dice.below(foreign.pieces.len())].clone();
            laid.pieces.insert(dice.below(count + 1), piece);
        }
        Damage::OtherBlocks => {
            for _ in 0..3 {
                let piece = other_block(laid.form, dice);
                laid.pieces.insert(1 + dice.below(laid.pieces.len()), piece);
            }
        }
        Damage::RecordHead => {
            let piece = &mut laid.pieces[dice.below(count)];
            let at = dice.below(piece.len().min(32));
            piece[at] = dice.octet();
        }
        Damage::Length => {
            let at = dice.below(count);
            change_length(&mut laid, at, dice);
        }
        Damage::Trailer => {
            let piece = &mut laid.pieces[dice.below(count)];
            let at = piece.len() - 1 - dice.below(4);
            piece[at] = dice.octet();
        }
        _ => {}
    }
    let mut octets = laid.octets();
    let length = octets.len();
    match damage {
        Damage::Anywhere => {
            for _ in 0..=dice.below(3) {
                octets[dice.below(length)] = dice.octet();
            }
        }
        Damage::FileHead => octets[dice.below(64.min(length))] = dice.octet(),
        Damage::CutAnywhere => octets.truncate(dice.below(length)),
        Damage::CutInHead => {
            let before: usize = laid.pieces[..dice.below(count)].iter().map(Vec::len).sum();
            octets.truncate((before + dice.below(30)).saturating_sub(2));
        }
        Damage::Zeros => {
            let from = dice.below(length);
            octets[from..].fill(0);
        }
        Damage::Noise => (0..=dice.below(64)).for_each(|_| octets.push(dice.octet())),
        _ => {}
    }
    octets
}

/// Another length in a record or block: a little more, a little less, none, or as much as there can be.
fn change_length(laid: &mut Laid, piece: usize, dice: &mut Dice) {
    let (order, fields): (Order, &[usize]) = match laid.form {
        Form::Pcap(order, _) => (order, if piece == 0 { &[16] } else { &[8, 12] }),
        Form::Pcapng(order, _) => (order, &[4, 20, 24]),
    };
    let octets = &mut laid.pieces[piece];
    let at = dice.pick(fields);
    let Some(field) = octets.get_mut(at..at + 4) else { return };
    let old: [u8; 4] = field.try_into().expect("four octets");
    let old = if order == Order::Little { u32::from_le_bytes(old) } else { u32::from_be_bytes(old) };
    let changes = [
        old.wrapping_add(1),
        old.wrapping_sub(1),
        old.wrapping_add(4),
        old.wrapping_sub(4),
        old.wrapping_add(16),
        0,
        8,
        12,
        262_144,
        262_145,
        u32::MAX,
        u32::MAX - 3,
        0x8000_0000,
        1 << 24,
    ];
    field.copy_from_slice(&u32_of(order, dice.pick(&changes)));
}

fn other_block(form: Form, dice: &mut Dice) -> Vec<u8> {
    let Form::Pcapng(order, _) = form else {
        // A record without octets, which is allowed.
        let Form::Pcap(order, _) = form else { return Vec::new() };
        return [1_700_000_000, 5, 0, 60].map(|word| u32_of(order, word)).concat();
    };
    let data = [0x45; 60];
    let words = |words: &[u32]| words.iter().flat_map(|word| u32_of(order, *word)).collect::<Vec<u8>>();
    match dice.below(8) {
        0 => block(order, 3, &[words(&[60]), data.to_vec()].concat()),
        1 => {
            let numbers = [u16_of(order, 0), u16_of(order, 3)].concat();
            block(order, 2, &[numbers, words(&[0x0006_0a24, 7, 60, 60]), data.to_vec()].concat())
        }
        2 => block(order, 4, &[0; 4]),
        3 => block(order, 0x0bad, &words(&[32_473, 7, 7])),
        4 => block(order, 0x7fff_1234, &data),
        5 => {
            let link = [u16_of(order, 1), u16_of(order, 0)].concat();
            block(order, 1, &[link, words(&[96])].concat())
        }
        6 => {
            let link = [u16_of(order, 1), u16_of(order, 0)].concat();
            let offset = if order == Order::Little { 9_i64.to_le_bytes() } else { 9_i64.to_be_bytes() };
            let options = [option(order, 9, &[3]), option(order, 14, &offset), vec![0; 4]];
            block(order, 1, &[link, words(&[0]), options.concat()].concat())
        }
        _ => {
            let turned = if order == Order::Little { Order::Big } else { Order::Little };
            let version = [u16_of(turned, 1), u16_of(turned, 0)].concat();
            let section = [&u32_of(turned, 0x1a2b_3c4d)[..], &version, &[0xff; 8]].concat();
            let link = [u16_of(turned, 101), u16_of(turned, 0)].concat();
            let interface = [&link[..], &u32_of(turned, 0)].concat();
            [block(turned, 0x0a0d_0d0a, &section), block(turned, 1, &interface)].concat()
        }
    }
}

/// What can go wrong with compressed octets: one of them is another one, or the file ends.
pub fn damage_packed(octets: &mut Vec<u8>, dice: &mut Dice) {
    let at = dice.below(octets.len());
    if dice.below(2) == 0 {
        octets.truncate(at);
    } else {
        octets[at] = dice.octet();
    }
}

/// What can be decompressed of a damaged file.
pub fn gunzip(octets: &[u8]) -> Vec<u8> {
    let mut decoder = flate2::bufread::GzDecoder::new(octets);
    let (mut all, mut octet) = (Vec::new(), [0]);
    while let Ok(1) = decoder.read(&mut octet) {
        all.push(octet[0]);
    }
    all
}

/// The octets in gzip.
pub fn gzip(octets: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(octets).expect("memory");
    encoder.finish().expect("memory")
}
