//! AWS signature version 4: the canonical form of a request, and its signature.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::credentials::Timestamp;

/// The SHA-256 of an empty body.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The last part of every credential scope.
const TERMINATOR: &str = "aws4_request";

/// Signs requests to one service in one region at one time.
pub(super) struct Signer<'a> {
    /// `20150830T123600Z`
    timestamp: String,
    region: &'a str,
    service: &'a str,
}

impl<'a> Signer<'a> {
    /// `now` must lie in the years 0 to 9999: the format has four digits for the year.
    pub(super) fn new(now: Timestamp, region: &'a str, service: &'a str) -> Self {
        Self { timestamp: timestamp(now), region, service }
    }

    /// The time in AWS's format.
    pub(super) fn timestamp(&self) -> &str {
        &self.timestamp
    }

    fn date(&self) -> &str {
        &self.timestamp[..8]
    }

    /// The credential scope: date, region and service.
    pub(super) fn scope(&self) -> String {
        [self.date(), self.region, self.service, TERMINATOR].join("/")
    }

    /// Signs a `GET` without a body, whose only signed header is `host`. `query` must be in canonical form: encoded and
    /// sorted by name.
    pub(super) fn sign_get(&self, secret: &str, host: &str, path: &str, query: &str) -> [u8; 32] {
        let canonical = Sha256::new()
            .chain_update("GET\n")
            .chain_update(path)
            .chain_update("\n")
            .chain_update(query)
            .chain_update("\nhost:")
            .chain_update(host)
            .chain_update("\n\nhost\n")
            .chain_update(EMPTY)
            .finalize();
        let mut text = format!("AWS4-HMAC-SHA256\n{}\n{}\n", self.timestamp, self.scope());
        push_hex(&mut text, &canonical);
        let key = self.key(secret);
        *hmac(&key[..], &text)
    }

    /// The signing key, derived from the secret for date, region and service.
    fn key(&self, secret: &str) -> Zeroizing<[u8; 32]> {
        let mut seed = Zeroizing::new(Vec::with_capacity(4 + secret.len()));
        seed.extend_from_slice(b"AWS4");
        seed.extend_from_slice(secret.as_bytes());
        [self.region, self.service, TERMINATOR].iter().fold(hmac(&seed, self.date()), |key, part| hmac(&key[..], part))
    }
}

fn hmac(key: &[u8], text: &str) -> Zeroizing<[u8; 32]> {
    // RFC 2104: a key longer than a block is hashed, a shorter one padded.
    let mut block = Zeroizing::new([0; 64]);
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let mut mac = Hmac::<Sha256>::new((&*block).into());
    mac.update(text.as_bytes());
    Zeroizing::new(mac.finalize().into_bytes().into())
}

fn timestamp(now: Timestamp) -> String {
    let Some(moment) = now.to_utc() else {
        return "19700101T000000Z".to_owned();
    };
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        moment.year(),
        u8::from(moment.month()),
        moment.day(),
        moment.hour(),
        moment.minute(),
        moment.second()
    )
}

/// Appends bytes in lower-case hex.
pub(super) fn push_hex(to: &mut String, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        to.push(char::from(HEX[usize::from(byte >> 4)]));
        to.push(char::from(HEX[usize::from(byte & 15)]));
    }
}
