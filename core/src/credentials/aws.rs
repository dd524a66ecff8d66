//! Temporary AWS credentials.

use super::secret::{InvalidToken, Secret, check_token};
use super::time::Validity;

/// Temporary AWS credentials, under AWS's own names. The three are one set: they are replaced together or not
/// at all.
#[derive(Clone, Debug)]
pub struct AwsCredentials {
    access_key_id: Secret,
    secret_access_key: Secret,
    session_token: Secret,
    validity: Validity,
}

impl AwsCredentials {
    /// Checks the three parts: each must be a token that a header could carry.
    pub fn new(
        access_key_id: &str,
        secret_access_key: &str,
        session_token: &str,
        validity: Validity,
    ) -> Result<Self, InvalidToken> {
        for part in [access_key_id, secret_access_key, session_token] {
            check_token(part)?;
        }
        Ok(Self {
            access_key_id: access_key_id.into(),
            secret_access_key: secret_access_key.into(),
            session_token: session_token.into(),
            validity,
        })
    }

    /// `AWS_ACCESS_KEY_ID`.
    pub fn access_key_id(&self) -> &Secret {
        &self.access_key_id
    }

    /// `AWS_SECRET_ACCESS_KEY`.
    pub fn secret_access_key(&self) -> &Secret {
        &self.secret_access_key
    }

    /// `AWS_SESSION_TOKEN`.
    pub fn session_token(&self) -> &Secret {
        &self.session_token
    }

    /// From when to when they run.
    pub fn validity(&self) -> &Validity {
        &self.validity
    }

    pub(crate) fn set_term(&mut self, validity: Validity) {
        self.validity = validity;
    }
}
