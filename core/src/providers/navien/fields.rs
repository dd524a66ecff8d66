//! The fields of an answer: strict about tokens, lenient about how everything else is written.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::credentials::{AccessToken, AwsCredentials, InvalidToken, Secret, Validity, check_token};
use crate::wire::Lifetime;

use super::settings::DEFAULT_LIFETIME;
use crate::wire::{AnyText, Number, Text};

/// The `token` object, under the service's camelCase keys and the snake_case ones of saved files. Where both are
/// present, the camelCase one counts unless it is empty.
///
/// `T` is how tokens are read: [`Text`], or [`UnescapedStr`](crate::wire::UnescapedStr) for the fast path.
#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "T: AnyText + Deserialize<'de>"))]
pub(super) struct Tokens<T> {
    #[serde(rename = "idToken")]
    id_token: T,
    #[serde(rename = "id_token")]
    id_token_: T,
    #[serde(rename = "accessToken")]
    access_token: T,
    #[serde(rename = "access_token")]
    access_token_: T,
    #[serde(rename = "refreshToken")]
    refresh_token: T,
    #[serde(rename = "refresh_token")]
    refresh_token_: T,
    #[serde(rename = "accessKeyId")]
    access_key_id: T,
    #[serde(rename = "access_key_id")]
    access_key_id_: T,
    #[serde(rename = "secretKey")]
    secret_key: T,
    #[serde(rename = "secret_key")]
    secret_key_: T,
    #[serde(rename = "sessionToken")]
    session_token: T,
    #[serde(rename = "session_token")]
    session_token_: T,
    #[serde(rename = "authenticationExpiresIn")]
    authentication_expires_in: Lifetime,
    #[serde(rename = "authentication_expires_in")]
    authentication_expires_in_: Lifetime,
    #[serde(rename = "authorizationExpiresIn")]
    authorization_expires_in: Lifetime,
    #[serde(rename = "authorization_expires_in")]
    authorization_expires_in_: Lifetime,
}

/// How much of an AWS set an answer has.
pub(super) enum Aws<'a> {
    /// Nothing.
    Absent,
    /// One or two of the three parts, which are useless without the others.
    Incomplete,
    /// All three parts.
    Complete(AwsParts<'a>),
}

/// The three parts of an AWS set, under the service's names.
pub(super) struct AwsParts<'a> {
    access_key_id: &'a str,
    secret_key: &'a str,
    session_token: &'a str,
}

impl AwsParts<'_> {
    pub(super) fn build(&self, validity: Validity) -> Result<AwsCredentials, InvalidToken> {
        AwsCredentials::new(self.access_key_id, self.secret_key, self.session_token, validity)
    }
}

impl<T: AnyText> Tokens<T> {
    /// The access token; `None` where it is absent or empty.
    pub(super) fn access_token(&self, validity: Validity) -> Option<Result<AccessToken, InvalidToken>> {
        let token = either(&self.access_token, &self.access_token_)?;
        Some(AccessToken::new("Bearer", token, validity))
    }

    pub(super) fn refresh_token(&self) -> Result<Option<Secret>, InvalidToken> {
        secret(either(&self.refresh_token, &self.refresh_token_))
    }

    pub(super) fn id_token(&self) -> Result<Option<Secret>, InvalidToken> {
        secret(either(&self.id_token, &self.id_token_))
    }

    pub(super) fn aws(&self) -> Aws<'_> {
        let access_key_id = either(&self.access_key_id, &self.access_key_id_);
        let secret_key = either(&self.secret_key, &self.secret_key_);
        let session_token = either(&self.session_token, &self.session_token_);
        match (access_key_id, secret_key, session_token) {
            (None, None, None) => Aws::Absent,
            (Some(access_key_id), Some(secret_key), Some(session_token)) => {
                Aws::Complete(AwsParts { access_key_id, secret_key, session_token })
            }
            _ => Aws::Incomplete,
        }
    }

    /// The access token's lifetime; an hour where the service names none.
    pub(super) fn access_lifetime(&self) -> Duration {
        let named = self.authentication_expires_in.0.or(self.authentication_expires_in_.0);
        named.unwrap_or(DEFAULT_LIFETIME)
    }

    /// The lifetime of the AWS credentials; `None` where the service names none.
    pub(super) fn aws_lifetime(&self) -> Option<Duration> {
        self.authorization_expires_in.0.or(self.authorization_expires_in_.0)
    }
}

fn either<'t, T: AnyText>(camel: &'t T, snake: &'t T) -> Option<&'t str> {
    camel.text().or_else(|| snake.text())
}

fn secret(token: Option<&str>) -> Result<Option<Secret>, InvalidToken> {
    let Some(token) = token else { return Ok(None) };
    check_token(token)?;
    Ok(Some(Secret::from(token)))
}

/// The `userInfo` object.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct User<'a> {
    #[serde(borrow, alias = "userType")]
    pub(super) user_type: Text<'a>,
    #[serde(borrow, alias = "userFirstName")]
    pub(super) user_first_name: Text<'a>,
    #[serde(borrow, alias = "userLastName")]
    pub(super) user_last_name: Text<'a>,
    #[serde(borrow, alias = "userStatus")]
    pub(super) user_status: Text<'a>,
    #[serde(alias = "userSeq")]
    pub(super) user_seq: Number,
}

/// The `legal` array as it is; nothing where it is no array.
#[derive(Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Legal<'a>(#[serde(borrow)] Option<&'a RawValue>);

impl<'a> Legal<'a> {
    pub(super) fn array(&self) -> Option<&'a RawValue> {
        self.0.filter(|legal| legal.get().starts_with('['))
    }
}
