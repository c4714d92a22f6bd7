//! What the standards ask of keepalives.
//!
//! Owns the requirements, in our own words. Uses nothing of the crate.

/// One requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// As the standard numbers it, or made from its section where it does not.
    pub id: &'static str,
    /// What it asks, in our own words.
    pub text: &'static str,
    /// Where it stands.
    pub source: &'static str,
}

impl Requirement {
    /// All requirements.
    pub fn all() -> &'static [Requirement] {
        ALL
    }

    /// The requirement of that id.
    pub fn named(id: &str) -> Option<&'static Requirement> {
        ALL.iter().find(|requirement| requirement.id.eq_ignore_ascii_case(id))
    }
}

const RFC9293: &str = "RFC 9293 section 3.8.4";

const fn rfc9293(id: &'static str, text: &'static str) -> Requirement {
    Requirement { id, text, source: RFC9293 }
}

const ALL: &[Requirement] = &[
    rfc9293("MAY-5", "An implementation may have keepalives."),
    rfc9293("MUST-24", "The application can turn them on or off for each connection."),
    rfc9293("MUST-25", "They are off by default."),
    rfc9293(
        "MUST-26",
        "A probe is sent only while no sent data waits for its acknowledgement and neither data nor an ACK came within the interval.",
    ),
    rfc9293("MUST-27", "The interval can be configured."),
    rfc9293("MUST-28", "The interval is by default no less than two hours."),
    rfc9293("MUST-29", "One unanswered probe alone must not be read as a dead connection."),
    rfc9293("SHLD-12", "A probe should carry no data."),
    rfc9293("MAY-6", "It may be configurable to send one octet of garbage, for peers that need it."),
    Requirement {
        id: "RFC9293-ANSWER",
        text: "A segment that is not acceptable, as every probe is, is answered with an ACK of what is expected next, unless it is a reset.",
        source: "RFC 9293 section 3.10.7.4",
    },
    Requirement {
        id: "RFC7323-TSOPT",
        text: "Once timestamps are negotiated, every segment but a reset must carry them.",
        source: "RFC 7323 section 3.2",
    },
    Requirement {
        id: "RFC7323-MISSING",
        text: "A segment without the negotiated timestamps should be dropped without an answer and must not end the connection.",
        source: "RFC 7323 section 3.2",
    },
    Requirement {
        id: "RFC7323-PAWS",
        text: "A segment with an old timestamp is dropped and answered with an ACK.",
        source: "RFC 7323 section 5",
    },
    Requirement {
        id: "RFC5961-ACK",
        text: "A segment whose ACK lies before SND.UNA - MAX.SND.WND or after SND.NXT is discarded and answered with an ACK.",
        source: "RFC 5961 section 5.2",
    },
    Requirement {
        id: "RFC5961-LIMIT",
        text: "Such answers should be limited in number.",
        source: "RFC 5961 section 7",
    },
    Requirement {
        id: "RFC2883-DSACK",
        text: "The answer to data that was received before may report it with a D-SACK block.",
        source: "RFC 2883",
    },
    Requirement {
        id: "RFC6864-ID",
        text: "The identification of a datagram that must not be fragmented may have any value.",
        source: "RFC 6864",
    },
];
