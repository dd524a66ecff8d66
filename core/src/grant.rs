//! What a provider answered.

use std::borrow::Cow;
use std::sync::Arc;

use crate::credentials::{AccessToken, Account, AwsCredentials, Credentials, LeaseId, MAX_EXTRA, Secret};
use crate::error::ServiceError;

/// What one exchange brought, parsed. What the service left out is `None`, and stays as it was.
#[derive(Clone, Debug, Default)]
pub struct Grant {
    /// A new access token.
    pub access: Option<AccessToken>,
    /// A new refresh token; `None` means that the old one stays. [Checked](crate::credentials::check_token) by whoever makes a grant, as
    /// every other token is.
    pub refresh_token: Option<Secret>,
    /// A new ID token.
    pub id_token: Option<Secret>,
    /// A new AWS set, complete.
    pub aws: Option<AwsCredentials>,
    /// Whose credentials they are.
    pub account: Option<Account>,
    /// How the session was begun, where that decides how it goes on. A renewal leaves it out.
    pub grant_type: Option<&'static str>,
    /// What else the service answered: a JSON object of [`MAX_EXTRA`](crate::credentials::MAX_EXTRA) bytes at most. A larger one is
    /// left out by [`Credentials::from_grant`](crate::Credentials::from_grant).
    pub extra: Option<Secret>,
    /// Why what was asked for is not among it, where something else is: an access token that cannot be used, beside a
    /// new refresh token. That one has replaced the token before it, which works no more: keep it, and refresh with it.
    /// A session does so by itself, and tells the attempt as failed with this.
    pub flaw: Option<ServiceError>,
}

impl Grant {
    /// With this access token. Where it cannot be used, only if something else came that must not be lost.
    #[allow(dead_code, reason = "used by some of the services")]
    pub(crate) fn with_access(mut self, access: Result<AccessToken, ServiceError>) -> Result<Self, ServiceError> {
        match access {
            Ok(access) => self.access = Some(access),
            Err(flaw) if self.refresh_token.is_none() && self.aws.is_none() => return Err(flaw),
            Err(flaw) => self.flaw = Some(flaw),
        }
        Ok(self)
    }

    /// With this AWS set. Where it cannot be used, only if something else came that must not be lost.
    #[cfg(feature = "navien")]
    pub(crate) fn with_aws(mut self, aws: Result<AwsCredentials, ServiceError>) -> Result<Self, ServiceError> {
        match aws {
            Ok(aws) => self.aws = Some(aws),
            Err(flaw) if self.refresh_token.is_none() && self.access.is_none() => return Err(flaw),
            Err(flaw) => self.flaw = Some(flaw),
        }
        Ok(self)
    }

    /// Whether it renews this lease.
    pub fn covers(&self, lease_id: LeaseId) -> bool {
        match lease_id {
            LeaseId::Access => self.access.is_some(),
            LeaseId::Aws => self.aws.is_some(),
        }
    }
}

impl Credentials {
    /// From a grant, keeping from `old` what the grant leaves out: a refresh token that was not rotated, an AWS
    /// set that was not renewed (with its old deadline), what is known of the account. `None` where neither has
    /// an access token.
    ///
    /// Tokens are kept, whatever comes with them: what a service says beside is left out where it is more than
    /// [`MAX_EXTRA`], so that a store has room for the rest.
    pub fn from_grant(grant: Grant, old: Option<&Credentials>) -> Option<Self> {
        let account = match (grant.account, old) {
            (Some(account), _) => Arc::new(account.within(MAX_EXTRA)),
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
                Some(extra) => Some(extra).filter(|extra| extra.expose().len() <= MAX_EXTRA),
                None => old.and_then(|old| old.extra.clone()),
            },
            generations: old.map_or_else(Default::default, |old| old.generations),
        })
    }
}
