//! What a provider answered.

use super::{AccessToken, Account, AwsCredentials, LeaseId, Secret};
use crate::error::ServiceError;

/// What one exchange brought, parsed. What the service left out is `None`, and stays as it was.
#[derive(Clone, Debug, Default)]
pub struct Grant {
    /// A new access token.
    pub access: Option<AccessToken>,
    /// A new refresh token; `None` means that the old one stays. [Checked](super::check_token) by whoever makes a grant, as
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
    /// What else the service answered: a JSON object of [`MAX_EXTRA`](super::MAX_EXTRA) bytes at most. A larger one is
    /// left out by [`Credentials::from_grant`](super::Credentials::from_grant).
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
