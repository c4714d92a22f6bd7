//! The secret that both sides know, and what is made of it.
//!
//! Owns [`Secret`], the proof of a handshake and the keys of a session. HMAC-SHA-256 (RFC 2104, FIPS 180-4) by the
//! crates hmac and sha2, compared in constant time. Uses [`SessionId`].

use std::fmt;

use hmac::digest::array::Array;
use hmac::digest::{FixedOutput, KeyInit, Update};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use super::message::SessionId;

/// Octets of a whole HMAC.
pub const WHOLE: usize = 32;

/// Octets of a tag, its first.
pub const TAG: usize = 16;

/// Fewest octets of a secret: whoever sees a handshake may try secrets on it at leisure.
pub const SHORTEST: usize = 8;

/// Most octets of a secret.
pub const LONGEST: usize = 1024;

/// Octets of a block of SHA-256.
const BLOCK: usize = 64;

/// What both sides know.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

/// A text that is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// Too easily guessed.
    #[error("a secret of {0} octets is too short: at least {SHORTEST}; try: openssl rand -hex 16")]
    TooShort(usize),
    /// No secret is that long.
    #[error("a secret of more than {LONGEST} octets is no secret")]
    TooLong,
}

impl Secret {
    /// A secret of [`SHORTEST`] to [`LONGEST`] octets; white space at its ends, as files have it, does not count.
    ///
    /// # Errors
    /// If it is too short or too long.
    pub fn new(text: &[u8]) -> Result<Secret, SecretError> {
        let text = text.trim_ascii();
        match text.len() {
            0..SHORTEST => Err(SecretError::TooShort(text.len())),
            SHORTEST..=LONGEST => Ok(Secret(text.to_vec())),
            _ => Err(SecretError::TooLong),
        }
    }

    /// No secret, for programs on one host.
    pub fn none() -> Secret {
        Secret(Vec::new())
    }

    /// Whether there is one.
    pub fn is_some(&self) -> bool {
        !self.0.is_empty()
    }

    /// What a client says to show that it knows the secret, of the octets of hello and challenge.
    pub(super) fn proof(&self, transcript: &[u8]) -> [u8; WHOLE] {
        self.derived("proof", transcript).0
    }

    /// Whether a proof is right.
    pub(super) fn proves(&self, transcript: &[u8], proof: &[u8; WHOLE]) -> bool {
        labelled(&self.0, "proof", transcript).verify_slice(proof).is_ok()
    }

    /// The keys of a session.
    pub(super) fn keys(&self, transcript: &[u8]) -> Keys {
        Keys {
            to_server: self.derived("to server", transcript),
            to_client: self.derived("to client", transcript),
            join: self.derived("join", transcript),
            session: self.derived("session", transcript),
        }
    }

    fn derived(&self, label: &str, transcript: &[u8]) -> Key {
        Key(labelled(&self.0, label, transcript).finalize_fixed().into())
    }
}

impl fmt::Debug for Secret {
    /// Without it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_some() { "Secret(…)" } else { "Secret(none)" })
    }
}

/// The keys of one session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Keys {
    pub(super) to_server: Key,
    pub(super) to_client: Key,
    pub(super) join: Key,
    session: Key,
}

impl Keys {
    /// The name of the session: as unpredictable as the random octets of both sides, and never the same again.
    pub(super) fn session(&self) -> SessionId {
        SessionId(self.session.tag(&[]))
    }
}

/// One key.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Key([u8; WHOLE]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// The whole HMAC of some octets.
    pub(super) fn whole(&self, parts: &[&[u8]]) -> [u8; WHOLE] {
        over(&self.0, parts).finalize_fixed().into()
    }

    /// Whether a whole HMAC is right.
    pub(super) fn is_whole(&self, parts: &[&[u8]], whole: &[u8; WHOLE]) -> bool {
        over(&self.0, parts).verify_slice(whole).is_ok()
    }

    /// The tag of some octets.
    pub(super) fn tag(&self, parts: &[&[u8]]) -> [u8; TAG] {
        let mut tag = [0; TAG];
        tag.iter_mut().zip(self.whole(parts)).for_each(|(to, from)| *to = from);
        tag
    }

    /// Whether a tag is right.
    pub(super) fn is_tag(&self, parts: &[&[u8]], tag: &[u8; TAG]) -> bool {
        over(&self.0, parts).verify_truncated_left(tag).is_ok()
    }
}

fn labelled(key: &[u8], label: &str, transcript: &[u8]) -> Hmac<Sha256> {
    over(key, &[b"keepscope partner 1: ", label.as_bytes(), &[0], transcript])
}

/// RFC 2104: a key is filled up with zeros to a block, a longer one is hashed before.
fn over(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut block = [0; BLOCK];
    if key.len() <= BLOCK {
        block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    } else {
        block.iter_mut().zip(Sha256::digest(key)).for_each(|(to, from)| *to = from);
    }
    let mut mac = Hmac::<Sha256>::new(&Array::from(block));
    parts.iter().for_each(|part| Update::update(&mut mac, part));
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(octets: &[u8]) -> String {
        octets.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    /// RFC 4231 §4.3, §4.6 and §4.7.
    #[test]
    fn it_is_hmac_sha_256() {
        let of = |key: &[u8], data: &[u8]| {
            let whole: [u8; WHOLE] = over(key, &[data]).finalize_fixed().into();
            hex(&whole)
        };
        assert_eq!(
            of(b"Jefe", b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            of(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
        let tag = Key([0; WHOLE]);
        assert_eq!(tag.tag(&[b"ab", b"c"])[..], tag.whole(&[b"abc"])[..TAG]);
        assert!(tag.is_tag(&[b"abc"], &tag.tag(&[b"abc"])));
        assert!(!tag.is_tag(&[b"abd"], &tag.tag(&[b"abc"])));
    }

    #[test]
    fn secrets_have_a_length_and_are_not_shown() {
        assert_eq!(Secret::new(b"  1234567\n"), Err(SecretError::TooShort(7)));
        assert_eq!(Secret::new(&[b'x'; 1025]), Err(SecretError::TooLong));
        let secret = Secret::new(b"correct horse\n").unwrap();
        assert_eq!(secret, Secret::new(b"correct horse").unwrap());
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert!(secret.is_some() && !Secret::none().is_some());
    }

    #[test]
    fn every_key_is_another() {
        let keys = Secret::new(b"correct horse").unwrap().keys(b"transcript");
        assert!(
            keys.to_server != keys.to_client && keys.join != keys.to_client && keys.join != keys.to_server
        );
        assert!(keys != Secret::new(b"correct horse").unwrap().keys(b"transcribt"));
        assert!(keys != Secret::none().keys(b"transcript"));
    }
}
