//! Temporary AWS credentials.

use super::secret::{InvalidToken, Secret, check_token};
use super::time::Validity;

/// Temporary AWS credentials: access key id, secret access key and session token. The three are one set, which is
/// replaced as a whole.
#[derive(Clone, Debug)]
pub struct AwsCredentials {
    access_key_id: Secret,
    secret_access_key: Secret,
    session_token: Secret,
    validity: Validity,
}

impl AwsCredentials {
    /// Credentials of these three parts. An error where one of them is empty, too long, or has characters that a header
    /// cannot carry ([`check_token`](super::check_token)).
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

    /// The access key id: `AWS_ACCESS_KEY_ID`.
    pub fn access_key_id(&self) -> &Secret {
        &self.access_key_id
    }

    /// The secret access key: `AWS_SECRET_ACCESS_KEY`.
    pub fn secret_access_key(&self) -> &Secret {
        &self.secret_access_key
    }

    /// The session token: `AWS_SESSION_TOKEN`.
    pub fn session_token(&self) -> &Secret {
        &self.session_token
    }

    /// When they were issued and when they expire.
    pub fn validity(&self) -> &Validity {
        &self.validity
    }

    pub(crate) fn set_validity(&mut self, validity: Validity) {
        self.validity = validity;
    }
}
