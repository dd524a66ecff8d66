//! The nouns: what a service grants, what callers use, and the saved form of both.

mod account;
mod aws;
mod lease;
mod secret;
mod time;
mod token;

use std::borrow::Cow;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use ::time::Duration as SignedDuration;
use http::HeaderValue;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

pub use self::account::{Account, same_user};
pub use self::aws::AwsCredentials;
pub use self::lease::{Generation, LeaseId};
pub(crate) use self::secret::ZeroizingBytes;
pub(crate) use self::secret::check_visible;
pub use self::secret::{InvalidToken, MAX_TOKEN, Masked, Secret, check_token, masked};
pub(crate) use self::time::CLOCK_TOLERANCE;
pub use self::time::{Deadline, MAX_LIFETIME, Now, Timestamp, Validity};
pub use self::token::AccessToken;

/// How much is kept of what a service says beside its tokens, in bytes: of its extra fields as JSON, and of what it tells
/// of the account.
pub const MAX_EXTRA: usize = 16 * 1024;

/// See [`Credentials::fingerprint`]. It is compared in this process, and goes nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint(u64);

/// What callers use: immutable, with absolute deadlines. A renewal makes new ones.
#[derive(Clone)]
pub struct Credentials {
    pub(crate) access: AccessToken,
    pub(crate) refresh_token: Option<Secret>,
    pub(crate) id_token: Option<Secret>,
    pub(crate) aws: Option<AwsCredentials>,
    pub(crate) account: Arc<Account>,
    pub(crate) grant_type: Option<Cow<'static, str>>,
    pub(crate) extra: Option<Secret>,
    pub(crate) generations: [Generation; 2],
}

impl Credentials {
    /// The access token.
    pub fn access(&self) -> &AccessToken {
        &self.access
    }

    /// The value of an `Authorization` header with the token's type: `Bearer …`. Built once, marked sensitive.
    pub fn bearer(&self) -> &HeaderValue {
        self.access.typed_header()
    }

    /// The refresh token, if the service gave one.
    pub fn refresh_token(&self) -> Option<&Secret> {
        self.refresh_token.as_ref()
    }

    /// The OpenID Connect ID token, if the service gave one.
    pub fn id_token(&self) -> Option<&Secret> {
        self.id_token.as_ref()
    }

    /// The AWS credentials, if the service gave any.
    pub fn aws(&self) -> Option<&AwsCredentials> {
        self.aws.as_ref()
    }

    /// Whose credentials these are. After a restore it may be partly unknown.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// How the session was begun, where the provider tells ways apart: `password`, say.
    pub fn grant_type(&self) -> Option<&str> {
        self.grant_type.as_deref()
    }

    /// What else the service answered, by its name there: `scope`, say.
    pub fn extra(&self, name: &str) -> Option<serde_json::Value> {
        let mut json = serde_json::Deserializer::from_str(self.extra.as_ref()?.expose());
        One(name).deserialize(&mut json).ok()?
    }

    /// The term of one lease; `None` for AWS where there is no AWS set.
    pub fn validity(&self, lease_id: LeaseId) -> Option<&Validity> {
        match lease_id {
            LeaseId::Access => Some(self.access.validity()),
            LeaseId::Aws => self.aws.as_ref().map(AwsCredentials::validity),
        }
    }

    /// Which issue of a lease this is: name it when the service's API refuses the credentials.
    pub fn generation(&self, lease_id: LeaseId) -> Generation {
        self.generations[lease_id.index()]
    }

    /// When the access token was issued.
    pub fn issued_at(&self) -> Timestamp {
        self.access.validity().issued_at()
    }

    /// The hard deadline of the access token; `None` where the service did not say.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.access.validity().deadline().map(|deadline| deadline.wall)
    }

    /// How long the access token has left: negative once it is past, `None` where unknown.
    pub fn time_until_expiry(&self, now: Now) -> Option<SignedDuration> {
        self.access.validity().deadline().map(|deadline| deadline.until(now))
    }

    /// Whether the access token's hard deadline has passed.
    pub fn is_expired(&self, now: Now) -> bool {
        self.access.validity().is_expired(now)
    }

    /// Whether the access token is so near its deadline that it should be renewed.
    pub fn renewal_due(&self, now: Now) -> bool {
        self.access.validity().renewal_due(now)
    }

    /// The hard deadline of the AWS credentials; `None` where there are none, or nobody said.
    pub fn aws_expires_at(&self) -> Option<Timestamp> {
        self.validity(LeaseId::Aws)?.deadline().map(|deadline| deadline.wall)
    }

    /// How long the AWS credentials have left, as [`Credentials::time_until_expiry`].
    pub fn aws_time_until_expiry(&self, now: Now) -> Option<SignedDuration> {
        self.validity(LeaseId::Aws)?.deadline().map(|deadline| deadline.until(now))
    }

    /// Whether the hard deadline of the AWS credentials has passed. No AWS set: nothing that could expire.
    pub fn aws_is_expired(&self, now: Now) -> bool {
        self.validity(LeaseId::Aws).is_some_and(|validity| validity.is_expired(now))
    }

    /// Whether the AWS credentials are so near their deadline that they should be renewed.
    pub fn aws_renewal_due(&self, now: Now) -> bool {
        self.validity(LeaseId::Aws).is_some_and(|validity| validity.renewal_due(now))
    }

    /// Whether everything that these credentials hold is before its hard deadline. An unknown deadline counts
    /// as usable.
    pub fn are_valid(&self, now: Now) -> bool {
        !self.is_expired(now) && !self.aws_is_expired(now)
    }

    /// Sets the renewal margin of both leases, clamped to a quarter of each lifetime.
    #[must_use]
    pub fn with_margin(self, margin: std::time::Duration) -> Self {
        self.with_validities(|_, validity| validity.with_margin(margin))
    }

    pub(crate) fn with_validities(mut self, change: impl Fn(LeaseId, Validity) -> Validity) -> Self {
        self.access.set_term(change(LeaseId::Access, *self.access.validity()));
        if let Some(aws) = &mut self.aws {
            aws.set_term(change(LeaseId::Aws, *aws.validity()));
        }
        self
    }

    /// These credentials, with the leases of `old` where they are the same: a copy read back from a store moves no
    /// deadline of ours.
    pub(crate) fn reuse_unchanged(mut self, old: Option<&Credentials>) -> Self {
        let Some(old) = old else { return self };
        if self.same_token(LeaseId::Access, old) {
            self.access = old.access.clone();
        }
        if self.same_token(LeaseId::Aws, old) {
            self.aws.clone_from(&old.aws);
        }
        self
    }

    /// Whether this lease is of the same issue as that of `other`.
    pub(crate) fn same_token(&self, lease_id: LeaseId, other: &Credentials) -> bool {
        match lease_id {
            LeaseId::Access => self.access.expose() == other.access.expose(),
            LeaseId::Aws => match (&self.aws, &other.aws) {
                (Some(one), Some(other)) => one.session_token().expose() == other.session_token().expose(),
                (None, None) => true,
                _ => false,
            },
        }
    }

    /// What tells this issue of the access token from every other one.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        let mut hasher = DefaultHasher::new();
        self.access.expose().hash(&mut hasher);
        Fingerprint(hasher.finish())
    }

    /// What tells these tokens from every other ones, a new refresh token beside the same access token too.
    pub(crate) fn fingerprint_of_tokens(&self) -> Fingerprint {
        let mut hasher = DefaultHasher::new();
        self.access.expose().hash(&mut hasher);
        self.refresh_token().map(Secret::expose).hash(&mut hasher);
        Fingerprint(hasher.finish())
    }

    /// Which of two branches of one history goes on: the one that was issued later, and the same one for whoever asks.
    pub(crate) fn is_newer_than(&self, other: &Credentials) -> bool {
        (self.issued_at(), self.access.expose()) > (other.issued_at(), other.access.expose())
    }

    /// Whether both would refresh with the same token.
    pub(crate) fn has_same_refresh_token(&self, other: &Credentials) -> bool {
        self.refresh_token().map(Secret::expose) == other.refresh_token().map(Secret::expose)
    }

    pub(crate) fn extra_json(&self) -> Option<&Secret> {
        self.extra.as_ref()
    }

    pub(crate) fn set_grant_type(&mut self, grant_type: Option<String>) {
        self.grant_type = grant_type.map(Cow::Owned);
    }

    pub(crate) fn set_generation(&mut self, lease_id: LeaseId, generation: Generation) {
        self.generations[lease_id.index()] = generation;
    }
}

/// Reads one field of an object. Nothing is made of the others, which may be secret.
struct One<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for One<'_> {
    type Value = Option<serde_json::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for One<'_> {
    type Value = Option<serde_json::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            if name == self.0 {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// No secrets: deadlines and what is there.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access", &self.access)
            .field("refresh_token", &self.refresh_token)
            .field("id_token", &self.id_token)
            .field("aws", &self.aws)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::Grant;

    fn with(refresh_token: Option<&str>) -> Credentials {
        let access = AccessToken::new("Bearer", "at", Validity::unknown(Now::default())).unwrap();
        let refresh_token = refresh_token.map(Secret::from);
        Credentials::from_grant(Grant { access: Some(access), refresh_token, ..Grant::default() }, None).unwrap()
    }

    #[test]
    fn what_is_said_beside_the_tokens_is_kept_up_to_its_cap_and_the_tokens_whatever_comes_with_them() {
        let granted = |extra: usize, legal: usize| {
            let access = AccessToken::new("Bearer", "at", Validity::unknown(Now::default())).unwrap();
            let account = Account {
                user_id: "u".repeat(5000),
                first_name: "f".repeat(1024),
                status: "s".repeat(1025),
                legal: vec!["l".repeat(legal).into()],
                ..Account::default()
            };
            let extra = Some(Secret::from(format!("{{\"x\":\"{}\"}}", "x".repeat(extra))));
            let refresh_token = Some(Secret::from("rt"));
            let grant =
                Grant { access: Some(access), refresh_token, extra, account: Some(account), ..Grant::default() };
            Credentials::from_grant(grant, Some(&with(None))).unwrap()
        };
        for (extra, legal, kept) in [(MAX_EXTRA - 8, MAX_EXTRA - 4, true), (MAX_EXTRA - 7, MAX_EXTRA - 3, false)] {
            let credentials = granted(extra, legal);
            let account = credentials.account();
            assert_eq!((credentials.extra("x").is_some(), account.legal.len()), (kept, usize::from(kept)));
            assert_eq!((account.user_id.len(), account.first_name.len(), account.status.len()), (5000, 1024, 0));
            assert_eq!(credentials.refresh_token().map(Secret::expose), Some("rt"));
        }
    }

    #[test]
    fn two_refresh_alike_with_the_same_token_or_with_none() {
        let all = [None, Some("rt-1"), Some("rt-2")];
        for one in all {
            for other in all {
                assert_eq!(with(one).has_same_refresh_token(&with(other)), one == other);
            }
        }
    }
}
