//! Frames of any link: what is read of a cut frame is what the whole one says, no segment is longer than what carried
//! it, and every frame is accounted for.

use keepscope::frame::{Frame, FrameId, LinkType};
use keepscope::pipeline::Pipeline;
use keepscope::segment::Segment;
use keepscope::segment::decode::{Decoded, Fragments, Skip, decode, decode_with};
use keepscope::time::{Span, Timestamp};

const LINKS: [u16; 13] = [0, 1, 9, 12, 50, 51, 108, 113, 166, 228, 229, 276, 147];

/// The longest segment: of an offloaded frame, as long as the frame, and otherwise what an IP packet holds.
const MOST_OF_IP: u32 = 65_535;

/// Most places at which a frame is cut.
const CUTS: usize = 160;

fn frame(number: u64, link: u16, fcs_len: u8, data: &[u8], beyond: u32) -> Frame<'_> {
    Frame {
        id: FrameId { capture: 0, number },
        time: Timestamp::default().plus(Span::from_millis(number as i64)),
        interface: 0,
        link: LinkType::from_number(link),
        fcs_len,
        wire_len: u32::try_from(data.len()).expect("short").saturating_add(beyond),
        flags: None,
        names: None,
        data,
    }
}

/// What a cut never changes.
fn always(segment: &Segment) -> impl PartialEq + std::fmt::Debug {
    let Segment { source, destination, seq, ack, flags, window, len, ttl, ip_id, dont_fragment, .. } =
        *segment;
    ((source, destination), (seq, ack, flags, window, len), (ttl, ip_id, dont_fragment))
}

/// Two octets choose the link, the check sequence and what is not captured; then come frames, each with its length
/// before it in one octet but for the last.
pub fn hold(input: &[u8]) {
    let [link, more, rest @ ..] = input else { return };
    let link = LINKS[usize::from(*link) % LINKS.len()];
    let fcs_len = if more & 0x40 == 0 { 0 } else { 4 };
    let beyond = if more & 0x80 == 0 { 0 } else { u32::from(more & 0x3f) << 4 };
    alone(&frame(1, link, fcs_len, rest, beyond));

    let mut pipeline = Pipeline::new(0);
    let (mut rest, mut number) = (rest, 0);
    while let [length, others @ ..] = rest {
        let length = if *length == 255 { others.len() } else { usize::from(*length).min(others.len()) };
        let (data, others) = others.split_at(length);
        number += 1;
        pipeline.frame(&frame(number, link, fcs_len, data, beyond));
        rest = others;
    }
    pipeline.finish();
    let counts = pipeline.counts(0);
    let skipped: u64 = counts.skipped.values().sum();
    assert_eq!(counts.segments + counts.icmp_errors + counts.fragments + skipped, number, "{counts:?}");
}

/// One frame, whole and cut.
fn alone(frame: &Frame<'_>) {
    let whole = decode(frame);
    let with = decode_with(frame, &mut Fragments::default());
    match (&whole, &with) {
        (Decoded::Skipped(Skip::Fragment), _) => {}
        _ => assert_eq!(format!("{whole:?}"), format!("{with:?}")),
    }
    if let Decoded::Segment(segment) = &whole {
        assert!(segment.len <= MOST_OF_IP.max(frame.wire_len), "{segment:?} of {} octets", frame.wire_len);
        assert!(segment.options.window_scale.is_none_or(|scale| scale <= 14));
    }
    for cut in 0..frame.data.len().min(CUTS) {
        let part = decode(&Frame { data: &frame.data[..cut], ..*frame });
        match (&part, &whole) {
            (Decoded::Segment(part), Decoded::Segment(whole)) => {
                assert_eq!(always(part), always(whole), "cut at {cut}");
                assert!(part.first_octet.is_none() || part.first_octet == whole.first_octet, "cut at {cut}");
                if !part.options.incomplete && !whole.options.incomplete {
                    assert_eq!(part.options, whole.options, "cut at {cut}");
                }
            }
            (Decoded::Icmp(part), Decoded::Icmp(whole)) => {
                let parts = |error: &keepscope::segment::IcmpError| {
                    (error.reporter, error.kind, error.source, error.destination, error.seq)
                };
                assert_eq!(parts(part), parts(whole), "cut at {cut}");
            }
            (Decoded::Segment(_) | Decoded::Icmp(_), _) => {
                panic!("cut at {cut} it is {part:?}, whole it is {whole:?}");
            }
            (Decoded::Skipped(_) | Decoded::Waiting, _) => {}
        }
    }
}
