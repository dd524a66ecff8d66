//! The result of an exchange.

use std::borrow::Cow;
use std::sync::Arc;

use crate::credentials::{AccessToken, Account, AwsCredentials, Credentials, LeaseId, Secret, within_limit};
use crate::error::ServiceError;

/// The credentials that one exchange brought: access token, refresh token, ID token, AWS credentials. What the service
/// left out is `None`, and what is held already is kept.
#[derive(Clone, Debug, Default)]
pub struct Grant {
    /// A new access token.
    pub access: Option<AccessToken>,
    /// A new refresh token; `None` means that the old one is kept. Whoever makes the grant must have
    /// [checked](crate::credentials::check_token) it, like every other token.
    pub refresh_token: Option<Secret>,
    /// A new ID token.
    pub id_token: Option<Secret>,
    /// New AWS credentials, as a complete set.
    pub aws: Option<AwsCredentials>,
    /// The account that the credentials belong to.
    pub account: Option<Account>,
    /// How the session was begun, for providers whose renewal depends on it. A renewal leaves it `None`.
    pub grant_type: Option<&'static str>,
    /// Further fields of the service's answer, as a JSON object of at most [`MAX_EXTRA`](crate::credentials::MAX_EXTRA) bytes.
    /// [`Credentials::from_grant`](super::Credentials::from_grant) drops a larger one.
    pub extra: Option<Secret>,
    /// Why the requested credentials are missing although others came: for instance an access token that cannot be
    /// used, beside a new refresh token. The new refresh token must be kept, because the old one is spent. A session
    /// does that by itself, and reports the attempt as failed with this error.
    pub flaw: Option<ServiceError>,
}

impl Grant {
    /// Adds the access token. If it cannot be used, the error becomes the [flaw](Self::flaw) of a grant that has
    /// something else to keep, or else the result.
    pub fn with_access(mut self, access: Result<AccessToken, ServiceError>) -> Result<Self, ServiceError> {
        match access {
            Ok(access) => self.access = Some(access),
            Err(flaw) if self.refresh_token.is_none() && self.aws.is_none() => return Err(flaw),
            Err(flaw) => self.flaw = Some(flaw),
        }
        Ok(self)
    }

    /// Adds the AWS set. If it cannot be used, the error becomes the flaw of a grant that has something else to keep,
    /// or else the result.
    #[cfg(feature = "navien")]
    pub(crate) fn with_aws(mut self, aws: Result<AwsCredentials, ServiceError>) -> Result<Self, ServiceError> {
        match aws {
            Ok(aws) => self.aws = Some(aws),
            Err(flaw) if self.refresh_token.is_none() && self.access.is_none() => return Err(flaw),
            Err(flaw) => self.flaw = Some(flaw),
        }
        Ok(self)
    }

    /// Whether it has new credentials for this lease.
    pub fn covers(&self, lease_id: LeaseId) -> bool {
        match lease_id {
            LeaseId::Access => self.access.is_some(),
            LeaseId::Aws => self.aws.is_some(),
        }
    }
}

impl Credentials {
    /// Credentials from a grant, with what the grant leaves out taken from `old`: a refresh token that was not rotated,
    /// AWS credentials that were not renewed (with their old deadline), the account. `None` where neither has an access
    /// token.
    ///
    /// Extra fields of more than [`MAX_EXTRA`](crate::credentials::MAX_EXTRA) bytes are dropped, so that a store has room for the tokens.
    pub fn from_grant(grant: Grant, old: Option<&Credentials>) -> Option<Self> {
        let account = match (grant.account, old) {
            (Some(account), _) => Arc::new(account.within_limits()),
            (None, Some(old)) => Arc::clone(&old.account),
            (None, None) => Arc::default(),
        };
        Some(Self {
            access: grant.access.or_else(|| old.map(|old| old.access.clone()))?,
            refresh_token: grant.refresh_token.or_else(|| old.and_then(|old| old.refresh_token.clone())),
            id_token: grant.id_token.or_else(|| old.and_then(|old| old.id_token.clone())),
            aws: grant.aws.or_else(|| old.and_then(|old| old.aws.clone())),
            account,
            grant_type: grant.grant_type.map(Cow::Borrowed).or_else(|| old.and_then(|old| old.grant_type.clone())),
            extra: match grant.extra {
                Some(extra) => within_limit(Some(extra)),
                None => old.and_then(|old| old.extra.clone()),
            },
            generations: old.map_or_else(Default::default, |old| old.generations),
        })
    }
}
