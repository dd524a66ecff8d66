//! What a provider answered.

use super::{AccessToken, Account, AwsCredentials, Need, Secret};

/// What one exchange brought, parsed. What the service left out is `None`, and stays as it was.
#[derive(Clone, Debug, Default)]
pub struct Grant {
    /// A new access token.
    pub access: Option<AccessToken>,
    /// A new refresh token; `None` means that the old one stays.
    pub refresh_token: Option<Secret>,
    /// A new ID token.
    pub id_token: Option<Secret>,
    /// A new AWS set, complete.
    pub aws: Option<AwsCredentials>,
    /// Whose credentials they are.
    pub account: Option<Account>,
    /// How the session was begun, where that decides how it goes on. A renewal leaves it out.
    pub begun_by: Option<&'static str>,
    /// What else the service answered: a JSON object.
    pub extra: Option<Secret>,
}

impl Grant {
    /// Whether it renews this lease.
    pub fn covers(&self, need: Need) -> bool {
        match need {
            Need::Access => self.access.is_some(),
            Need::Aws => self.aws.is_some(),
        }
    }
}
