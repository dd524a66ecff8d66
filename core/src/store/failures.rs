//! Failures in a store's record, so that every process on the store knows of them, also after a restart.

use siphasher::sip::SipHasher24;
use std::hash::Hasher;

use serde::{Deserialize, Serialize};

use crate::credentials::{Secret, Timestamp};

/// What went wrong at the service: part of a session's record, or a record of its own before the first sign-in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failures {
    /// The end of the service's `Retry-After`, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) not_before: Option<i64>,
    /// The service's last answer to a login that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) login: Option<LoginFailure>,
}

/// The service's answer to one login that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LoginFailure {
    pub(crate) of: LoginDigest,
    pub(crate) answer: LoginAnswer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LoginAnswer {
    /// The login was rejected.
    Refused(Refusal),
    /// The answer was neither a grant nor a rejection.
    Odd {
        /// How many such answers came in a row.
        count: u32,
        /// The login is not sent again before this time, in Unix milliseconds.
        not_before: i64,
    },
}

/// Why a login was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Refusal {
    InvalidCredentials,
    AccountLocked,
    UserNotFound,
    InteractionRequired,
    /// A reason that this version does not know.
    #[serde(other)]
    Other,
}

/// Identifies a login without revealing it: a keyed hash (SipHash-2-4 with the salt as key), cut to 24 bits. Whoever
/// has the record can test guesses against it; one wrong guess in 17 million matches as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LoginDigest {
    salt: [u64; 2],
    digest: u32,
}

impl LoginDigest {
    pub(crate) fn new(login: &Secret, salt: [u64; 2]) -> Self {
        let mut hasher = SipHasher24::new_with_keys(salt[0], salt[1]);
        hasher.write(login.expose().as_bytes());
        // The lowest 24 bits: they fit.
        let digest = (hasher.finish() & 0x00ff_ffff) as u32;
        Self { salt, digest }
    }

    pub(crate) fn is_of(&self, login: &Secret) -> bool {
        *self == Self::new(login, self.salt)
    }
}

impl Failures {
    /// Whether the service refused this login, as the provider writes it.
    pub(crate) fn refuses(&self, login: &Secret) -> bool {
        let told = self.login.as_ref().filter(|told| told.of.is_of(login));
        told.is_some_and(|told| matches!(told.answer, LoginAnswer::Refused(_)))
    }

    /// The same, as they are when a login has brought a grant.
    #[must_use]
    pub(crate) fn without_login(self) -> Self {
        Self { login: None, ..self }
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// When the service's `Retry-After` ends.
    pub(crate) fn not_before(&self) -> Option<Timestamp> {
        self.not_before.map(Timestamp::from_unix_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_matches_its_own_login_and_reveals_nothing_of_it() {
        let login = Secret::from("ann: correct horse battery");
        let digest = LoginDigest::new(&login, [7, 9]);
        assert!(digest.is_of(&login) && !digest.is_of(&Secret::from("ann: correct horse batterz")));
        assert_ne!(digest.digest, LoginDigest::new(&login, [8, 9]).digest, "another salt, another digest");
        let text = format!("{digest:?} {}", serde_json::to_string(&digest).expect("numbers"));
        assert!(!text.contains("horse"), "{text}");
    }

    /// The test vector of the SipHash paper (Aumasson and Bernstein, appendix A), cut to 24 bits: records are read by
    /// other builds than those that wrote them.
    #[test]
    fn the_digest_is_siphash_2_4() {
        let bytes: Vec<u8> = (0..15).collect();
        let salt = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        let login = Secret::from(std::str::from_utf8(&bytes).expect("ASCII"));
        assert_eq!(LoginDigest::new(&login, salt).digest, 0x00be_45e5);
    }

    #[test]
    fn failures_read_back_the_same_and_an_unknown_reason_is_still_a_rejection() {
        let of = LoginDigest::new(&Secret::from("x"), [1, u64::MAX]);
        for answer in [LoginAnswer::Refused(Refusal::AccountLocked), LoginAnswer::Odd { count: 3, not_before: -5 }] {
            let failures = Failures { not_before: Some(17), login: Some(LoginFailure { of, answer }) };
            let text = serde_json::to_string(&failures).expect("numbers and words");
            assert_eq!(serde_json::from_str::<Failures>(&text).expect("the same"), failures);
        }
        let newer: LoginAnswer = serde_json::from_str(r#"{"refused":"on_a_sunday"}"#).expect("a refusal");
        assert_eq!(newer, LoginAnswer::Refused(Refusal::Other));
        assert!(Failures::default().is_empty());
    }
}
