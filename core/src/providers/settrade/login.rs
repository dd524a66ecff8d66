//! The login: an app's id and its signing key.

use std::fmt;

use base64ct::{Base64, Base64Unpadded, Encoding};
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use zeroize::Zeroizing;

use crate::credentials::{Secret, Timestamp, masked};
use crate::wire::{read_login, write_login};

/// The size of a private key of P-256, in bytes.
const SCALAR: usize = 32;

/// The kind of a login that is kept in a store.
const KIND: &str = "settrade-app";

/// The times that have thirteen digits in milliseconds: 2001 to 2286.
const FIRST: Timestamp = Timestamp::from_unix_millis(1_000_000_000_000);
const LAST: Timestamp = Timestamp::from_unix_millis(9_999_999_999_999);

/// A login at Settrade: an app's id and its secret, an ECDSA key that signs.
#[derive(Clone)]
pub struct Login {
    app_id: Box<str>,
    /// Wiped when dropped.
    key: SigningKey,
}

/// Why a login is invalid. The service shows id and secret when an app is made: copy them again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidLogin {
    /// The app's id is empty.
    #[error("the login has no app id")]
    NoAppId,
    /// The app's secret is empty.
    #[error("the login has no app secret")]
    NoAppSecret,
    /// The app's secret is not base64: a character is missing or wrong.
    #[error("the app secret is not base64")]
    NotBase64,
    /// The app's secret does not have the length of a key: part of it is missing, or it is something else.
    #[error("the app secret has not the length of a key")]
    Length,
    /// The app's secret has the right length, but is no private key of P-256.
    #[error("the app secret is not a key")]
    NotAKey,
}

impl Login {
    /// A login with this app id and secret. Blanks at their ends are removed, which get there by copying.
    ///
    /// The secret is the key as base64, with or without padding, in either alphabet. It has 32 bytes, 31 where a zero
    /// in front was left out, or 33 where one was added, as some languages write numbers.
    pub fn new(app_id: &str, app_secret: impl Into<Secret>) -> Result<Self, InvalidLogin> {
        let (app_id, app_secret) = (app_id.trim(), app_secret.into());
        if app_id.is_empty() {
            return Err(InvalidLogin::NoAppId);
        }
        Ok(Self { app_id: app_id.into(), key: key(app_secret.expose())? })
    }

    /// The app's id, which the service also calls its API key. It is no secret.
    pub fn app_id(&self) -> &str {
        &self.app_id
    }

    /// The signature of a sign-in at this time: ECDSA with P-256 and SHA-256 over `"{app_id}.{params}.{timestamp}"`, as
    /// DER in lower-case hexadecimal digits. It is deterministic (RFC 6979).
    pub fn sign(&self, params: &str, at: Timestamp) -> String {
        self.sign_text(&format!("{}.{params}.{}", self.app_id, timestamp(at)))
    }

    /// The login as text, with the secret as the service shows it, in whatever form it was given.
    pub(super) fn write(&self) -> Option<Secret> {
        let scalar = Zeroizing::new(self.key.to_bytes());
        let mut buffer = Zeroizing::new([0; 2 * SCALAR]);
        let app_secret = Base64::encode(&scalar, &mut buffer[..]).ok()?;
        Some(write_login(KIND, &[("app_id", self.app_id()), ("app_secret", app_secret)]))
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let [app_id, app_secret] = read_login(KIND, text, ["app_id", "app_secret"])?;
        Self::new(app_id.expose(), app_secret).ok()
    }

    fn sign_text(&self, text: &str) -> String {
        let signature: Signature = self.key.sign(text.as_bytes());
        signature.to_der().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A time as the service wants it: milliseconds in thirteen digits. One outside their range, which only a wrong clock
/// shows, is clamped: the service then rejects it, and its answer has the right time.
pub(super) fn timestamp(at: Timestamp) -> String {
    at.clamp(FIRST, LAST).unix_millis().to_string()
}

fn key(app_secret: &str) -> Result<SigningKey, InvalidLogin> {
    let text = Zeroizing::new(standard(app_secret.trim()));
    if text.is_empty() {
        return Err(InvalidLogin::NoAppSecret);
    }
    // Check the length before decoding: a text of this length is no key.
    let mut buffer = Zeroizing::new([0; 2 * SCALAR]);
    if Base64Unpadded::encoded_len(&buffer[..]) < text.len() {
        return Err(InvalidLogin::Length);
    }
    let bytes = Base64Unpadded::decode(&text[..], &mut buffer[..]).map_err(|_| InvalidLogin::NotBase64)?;
    let mut scalar = Zeroizing::new([0; SCALAR]);
    match (bytes.len(), bytes) {
        (SCALAR, whole) => scalar.copy_from_slice(whole),
        (31, short) => scalar[1..].copy_from_slice(short),
        (33, [0, whole @ ..]) => scalar.copy_from_slice(whole),
        (33, _) => return Err(InvalidLogin::NotAKey),
        _ => return Err(InvalidLogin::Length),
    }
    SigningKey::from_slice(&scalar[..]).map_err(|_| InvalidLogin::NotAKey)
}

/// Base64 in the standard alphabet, without padding.
fn standard(text: &str) -> Vec<u8> {
    let standard = |byte| match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => other,
    };
    let mut bytes = Vec::with_capacity(text.len());
    bytes.extend(text.trim_end_matches('=').bytes().map(standard));
    bytes
}

/// The masked app id alone.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("app_id", &masked(&self.app_id)).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64Url, Base64UrlUnpadded};

    use super::*;
    use crate::wire::not_quite;

    /// The key of RFC 6979 appendix A.2.5.
    const RFC_KEY: [u8; SCALAR] = [
        0xC9, 0xAF, 0xA9, 0xD8, 0x45, 0xBA, 0x75, 0x16, 0x6B, 0x5C, 0x21, 0x57, 0x67, 0xB1, 0xD6, 0x93, 0x4E, 0x50,
        0xC3, 0xDB, 0x36, 0xE8, 0x9B, 0x12, 0x7B, 0x8A, 0x62, 0x2B, 0x12, 0x0F, 0x67, 0x21,
    ];

    fn read(bytes: &[u8]) -> Result<Login, InvalidLogin> {
        Login::new("app", Base64::encode_string(bytes))
    }

    fn refused(app_secret: &str) -> InvalidLogin {
        Login::new("app", app_secret).unwrap_err()
    }

    fn signature(login: &Login) -> String {
        login.sign("", Timestamp::from_unix_millis(1_588_136_696_131))
    }

    #[test]
    fn signatures_are_those_of_rfc_6979() {
        let (r, s) = (
            "00efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
            "00f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
        );
        let login = read(&RFC_KEY).unwrap();
        assert_eq!(login.sign_text("sample"), format!("30460221{r}0221{s}"));
        assert_eq!(signature(&login), login.sign_text("app..1588136696131"));
    }

    #[test]
    fn a_secret_is_read_in_every_form() {
        // Bytes that differ between the two alphabets, and lengths that need padding.
        let mut whole = [0xFB; SCALAR];
        whole[1] = 0xFF;
        let wanted = signature(&read(&whole).unwrap());
        let signed: Vec<_> = [&[0][..], &whole].concat();
        let padded = Base64::encode_string(&whole);
        for text in [
            Base64::encode_string(&signed),
            padded.trim_end_matches('=').to_owned(),
            Base64Url::encode_string(&whole),
            Base64UrlUnpadded::encode_string(&whole),
            format!(" \t{padded}\r\n"),
            format!(" {} ", padded.trim_end_matches('=')),
        ] {
            assert_eq!(signature(&Login::new(" app ", text.as_str()).unwrap()), wanted, "{text}");
        }
    }

    #[test]
    fn a_secret_of_31_bytes_is_the_same_number_with_a_zero_in_front() {
        let short = [7; SCALAR - 1];
        let wanted = signature(&read(&[&[0][..], &short].concat()).unwrap());
        assert_eq!(signature(&read(&short).unwrap()), wanted);
        assert_eq!(signature(&read(&[&[0, 0][..], &short].concat()).unwrap()), wanted);
    }

    #[test]
    fn an_invalid_secret_is_refused_when_the_login_is_made() {
        assert_eq!(Login::new(" ", "x").unwrap_err(), InvalidLogin::NoAppId);
        for empty in ["", " \n", "=="] {
            assert_eq!(refused(empty), InvalidLogin::NoAppSecret, "{empty:?}");
        }
        for odd in ["not base64!", "\u{e9}\u{e9}", "AAEC AwQF", "A", "AA=A"] {
            assert_eq!(refused(odd), InvalidLogin::NotBase64, "{odd:?}");
        }
        let refused = |bytes: &[u8]| read(bytes).unwrap_err();
        for wrong in [1, 16, 30, 34, 48, 64, 65, 10_000] {
            assert_eq!(refused(&vec![7; wrong]), InvalidLogin::Length, "{wrong}");
        }
        assert_eq!(refused(&[0; SCALAR]), InvalidLogin::NotAKey);
        assert_eq!(refused(&[0xFF; SCALAR]), InvalidLogin::NotAKey);
        assert_eq!(refused(&[7; SCALAR + 1]), InvalidLogin::NotAKey);
    }

    #[test]
    fn a_timestamp_always_has_thirteen_digits() {
        for (millis, wanted) in [
            (1_588_136_696_131, "1588136696131"),
            (0, "1000000000000"),
            (i64::MIN, "1000000000000"),
            (i64::MAX, "9999999999999"),
        ] {
            assert_eq!(timestamp(Timestamp::from_unix_millis(millis)), wanted);
        }
    }

    #[test]
    fn a_login_hides_in_debug() {
        let login = read(&RFC_KEY).unwrap();
        assert_eq!(format!("{login:?}"), "Login { app_id: a***, .. }");
    }

    #[test]
    fn a_kept_login_signs_the_same() {
        for bytes in [&RFC_KEY[..], &[7; SCALAR - 1], &[&[0][..], &RFC_KEY].concat()] {
            let login = Login::new("app\"%", Base64::encode_string(bytes)).unwrap();
            let text = login.write().unwrap();
            let again = Login::read(text.expose()).unwrap();
            assert_eq!((again.app_id(), signature(&again)), (login.app_id(), signature(&login)));
            assert_eq!(format!("{again:?} {text:?}"), format!("{login:?} Secret(***)"));
        }
    }

    #[test]
    fn a_damaged_kept_login_is_none() {
        let text = read(&RFC_KEY).unwrap().write().unwrap();
        let text = text.expose();
        assert!(Login::read(text).is_some());
        for odd in not_quite(text) {
            assert!(Login::read(&odd).is_none(), "{odd:.200}");
        }
        let whole = Base64::encode_string(&RFC_KEY);
        let zero = Base64::encode_string(&[0; SCALAR]);
        for (there, other) in [(&whole[..], ""), (&whole, "x"), (&whole, &zero), (":\"app\"", ":\" \"")] {
            assert!(Login::read(&text.replace(there, other)).is_none(), "{other:?}");
        }
    }

    #[test]
    fn a_secret_of_up_to_86_characters_is_decoded_and_a_longer_one_is_not() {
        assert!(matches!(refused(&"!".repeat(86)), InvalidLogin::NotBase64));
        assert!(matches!(refused(&"!".repeat(87)), InvalidLogin::Length));
    }
}
