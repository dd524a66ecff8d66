//! Credentials: access tokens, refresh tokens and AWS credentials, when they expire, and when they are due for renewal.
//! How they are saved is in [`store`](crate::store).

mod account;
mod aws;
mod extra;
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

pub use self::account::{Account, same_account};
pub use self::aws::AwsCredentials;
pub use self::extra::MAX_EXTRA;
pub(crate) use self::extra::within_limit;
pub use self::lease::{Generation, LeaseId};
pub(crate) use self::secret::ZeroizingBytes;
pub(crate) use self::secret::check_visible;
pub use self::secret::{InvalidToken, MAX_TOKEN, Secret, check_token, masked};
pub(crate) use self::time::CLOCK_TOLERANCE;
pub use self::time::{Deadline, MAX_LIFETIME, Now, Timestamp, Validity};
pub use self::token::AccessToken;

/// A hash that identifies tokens, see [`Credentials::fingerprint`]. It is compared in this process alone and never
/// saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint(u64);

/// The credentials of a session: access token, refresh token, ID token, AWS credentials, account. They are immutable
/// and have absolute deadlines; a renewal makes new ones.
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

    /// The value of an `Authorization` header, `Bearer …` or with another token type. It is built once and marked
    /// sensitive.
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

    /// The account that the credentials belong to. After an import it may be partly unknown.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// How the session was begun, if the provider says so: `password`, for instance.
    pub fn grant_type(&self) -> Option<&str> {
        self.grant_type.as_deref()
    }

    /// A further field of the service's answer, by its name there: `scope`, for instance. `None` where it is absent or
    /// was too large to keep.
    pub fn extra(&self, name: &str) -> Option<serde_json::Value> {
        extra::field(self.extra.as_ref()?.expose(), name)
    }

    /// When a lease was issued and when it expires. `None` for AWS credentials where there are none.
    pub fn validity(&self, lease_id: LeaseId) -> Option<&Validity> {
        match lease_id {
            LeaseId::Access => Some(self.access.validity()),
            LeaseId::Aws => self.aws.as_ref().map(AwsCredentials::validity),
        }
    }

    /// The generation of a lease: name it to the session when the service's API rejects the credentials.
    pub fn generation(&self, lease_id: LeaseId) -> Generation {
        self.generations[lease_id.index()]
    }

    /// When the access token was issued, by the wall clock of whoever requested it.
    pub fn issued_at(&self) -> Timestamp {
        self.access.validity().issued_at()
    }

    /// When the access token expires, by the wall clock. `None` where the service did not say.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.access.validity().deadline().map(|deadline| deadline.wall)
    }

    /// How long the access token is still valid: negative once it has expired, `None` where its deadline is unknown.
    pub fn time_until_expiry(&self, now: Now) -> Option<SignedDuration> {
        self.access.validity().deadline().map(|deadline| deadline.until(now))
    }

    /// Whether the access token has expired. One with an unknown deadline never has.
    pub fn is_expired(&self, now: Now) -> bool {
        self.access.validity().is_expired(now)
    }

    /// Whether the access token is within the renewal margin of its deadline.
    pub fn renewal_due(&self, now: Now) -> bool {
        self.access.validity().renewal_due(now)
    }

    /// When the AWS credentials expire, by the wall clock. `None` where there are none, or the service did not say.
    pub fn aws_expires_at(&self) -> Option<Timestamp> {
        self.validity(LeaseId::Aws)?.deadline().map(|deadline| deadline.wall)
    }

    /// How long the AWS credentials are still valid, as [`time_until_expiry`](Self::time_until_expiry).
    pub fn aws_time_until_expiry(&self, now: Now) -> Option<SignedDuration> {
        self.validity(LeaseId::Aws)?.deadline().map(|deadline| deadline.until(now))
    }

    /// Whether the AWS credentials have expired. `false` where there are none.
    pub fn aws_is_expired(&self, now: Now) -> bool {
        self.validity(LeaseId::Aws).is_some_and(|validity| validity.is_expired(now))
    }

    /// Whether the AWS credentials are within the renewal margin of their deadline. `false` where there are none.
    pub fn aws_renewal_due(&self, now: Now) -> bool {
        self.validity(LeaseId::Aws).is_some_and(|validity| validity.renewal_due(now))
    }

    /// Whether nothing in these credentials has expired. An unknown deadline counts as valid.
    pub fn are_valid(&self, now: Now) -> bool {
        !self.is_expired(now) && !self.aws_is_expired(now)
    }

    /// Sets the renewal margin of both leases, clamped to a quarter of each lifetime.
    #[must_use]
    pub fn with_margin(self, margin: std::time::Duration) -> Self {
        self.with_validities(|_, validity| validity.with_margin(margin))
    }

    pub(crate) fn with_validities(mut self, change: impl Fn(LeaseId, Validity) -> Validity) -> Self {
        self.access.set_validity(change(LeaseId::Access, *self.access.validity()));
        if let Some(aws) = &mut self.aws {
            aws.set_validity(change(LeaseId::Aws, *aws.validity()));
        }
        self
    }

    /// These credentials, with the access token and AWS set of `old` where they are the same. A copy that was read back
    /// from a store then keeps the deadlines that this process measured itself.
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

    /// Whether both have the same token for this lease.
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

    /// A hash of the access token.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        let mut hasher = DefaultHasher::new();
        self.access.expose().hash(&mut hasher);
        Fingerprint(hasher.finish())
    }

    /// A hash of access token and refresh token.
    pub(crate) fn fingerprint_of_tokens(&self) -> Fingerprint {
        let mut hasher = DefaultHasher::new();
        self.access.expose().hash(&mut hasher);
        self.refresh_token().map(Secret::expose).hash(&mut hasher);
        Fingerprint(hasher.finish())
    }

    /// Whether these were issued later than `other`. Where both were issued at the same time the tokens decide, so that
    /// every process chooses the same ones.
    pub(crate) fn is_newer_than(&self, other: &Credentials) -> bool {
        (self.issued_at(), self.access.expose()) > (other.issued_at(), other.access.expose())
    }

    /// Whether both have the same refresh token, or none.
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

/// Deadlines, and which parts are there. No secrets.
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
    fn extra_fields_are_dropped_above_their_cap_and_tokens_are_kept() {
        for (length, kept) in [(MAX_EXTRA - 8, true), (MAX_EXTRA - 7, false)] {
            let access = AccessToken::new("Bearer", "at", Validity::unknown(Now::default())).unwrap();
            let extra = Some(Secret::from(format!("{{\"x\":\"{}\"}}", "x".repeat(length))));
            let grant =
                Grant { access: Some(access), refresh_token: Some(Secret::from("rt")), extra, ..Grant::default() };
            let credentials = Credentials::from_grant(grant, Some(&with(None))).unwrap();
            assert_eq!(credentials.extra("x").is_some(), kept);
            assert_eq!(credentials.refresh_token().map(Secret::expose), Some("rt"));
        }
    }

    #[test]
    fn has_same_refresh_token_is_true_for_equal_tokens_or_none() {
        let all = [None, Some("rt-1"), Some("rt-2")];
        for one in all {
            for other in all {
                assert_eq!(with(one).has_same_refresh_token(&with(other)), one == other);
            }
        }
    }
}
