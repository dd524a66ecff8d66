//! The answers of a token endpoint: one pure function of a response (RFC 6749 §5.1), for all that is really sent.

use std::time::Duration;

use http::header;

use super::fields::Fields;
use super::profile::{FieldCase, Profile};
use super::refusal;
use crate::credentials::{AccessToken, Credentials, Grant, Now, Secret, Timestamp, Validity, check_token};
use crate::error::ServiceError;
use crate::exchange::Response;
use crate::wire::{Number, Text};

/// Milliseconds and seconds are told apart here: as seconds, this is the year 5138.
const MILLIS_FROM: i64 = 100_000_000_000;

/// What was shown for tokens. It decides what a refusal refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantType {
    /// The code of a redirect.
    AuthorizationCode,
    /// The client's own credentials.
    ClientCredentials,
    /// The code of a device.
    DeviceCode,
    /// A user's password.
    Password,
    /// A refresh token.
    RefreshToken,
}

impl GrantType {
    /// The name in the standard, which is also what [`Credentials::grant_type`] says afterwards.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::ClientCredentials => "client_credentials",
            Self::DeviceCode => "device_code",
            Self::Password => "password",
            Self::RefreshToken => "refresh_token",
        }
    }

    /// Whether a 401 without a word can only mean what was shown.
    pub(super) fn shows_a_login(self) -> bool {
        matches!(self, Self::ClientCredentials | Self::Password)
    }
}

/// Reads the answer to a token request. Lifetimes run from `sent`, the moment at which the request was sent; `now`
/// is when the answer came.
///
/// An error wins over a token in the same body; an empty token is none; an unknown token type is an error. Where an
/// access token that cannot be used stands beside a refresh token, there is a grant without an access token, which
/// says why ([`Grant::flaw`]). A refresh token that is left out stays as it was. What the server says beside is kept for
/// [`Credentials::extra`], `scope` with one blank between two: field by field, each whole or not at all, as long as all of
/// them have room in [`MAX_EXTRA`](crate::credentials::MAX_EXTRA) bytes. No token is lost for them. An object of more than
/// 256 fields is no answer, and a token of more than [`MAX_TOKEN`](crate::credentials::MAX_TOKEN) bytes is none.
///
/// Only `invalid_grant` under a 4xx refuses a refresh token
/// ([`RefreshRefused`](crate::ServiceErrorKind::RefreshRefused)): a client that is refused for an hour, a gateway,
/// a page refuse nobody. Anything else that was shown is refused by `invalid_grant`, `invalid_client` and
/// `access_denied` ([`InvalidCredentials`](crate::ServiceErrorKind::InvalidCredentials)): passwords are not tried
/// over and over. `login_required`, `interaction_required`, `consent_required` and `account_selection_required`
/// (OpenID Connect Core §3.1.2.6) say that a person is needed, whatever was shown
/// ([`InteractionRequired`](crate::ServiceErrorKind::InteractionRequired)). 429 and 5xx win over all of this.
pub fn parse_token(
    profile: &Profile,
    asked: GrantType,
    response: &Response,
    sent: Now,
    now: Now,
) -> Result<Grant, ServiceError> {
    let read = Fields::read(response.body().as_ref(), profile.encoding);
    if let Some(error) = refusal::failure(profile, asked, response, read.as_ref(), now) {
        return Err(error);
    }
    let granted = read.and_then(|fields| match &profile.within {
        Some(name) => {
            grant(profile, asked, &fields.object(name).ok_or(malformed("no tokens in it"))??, response, sent, now)
        }
        None => grant(profile, asked, &fields, response, sent, now),
    });
    granted.map_err(|error| error.with_status(response.status()))
}

/// The scopes that were granted, as far as the server told: where it granted what was asked for, it may tell
/// nothing (RFC 6749 §5.1).
pub fn scopes(credentials: &Credentials) -> Vec<String> {
    let told = credentials.extra("scope");
    let told = told.as_ref().and_then(|scope| scope.as_str()).unwrap_or_default();
    told.split_whitespace().map(str::to_owned).collect()
}

fn grant(
    profile: &Profile,
    asked: GrantType,
    fields: &Fields<'_>,
    response: &Response,
    sent: Now,
    now: Now,
) -> Result<Grant, ServiceError> {
    let names = Spelled { fields, names: profile.names };
    let known = |name: &str| match name {
        "access_token" | "refresh_token" | "id_token" | "token_type" | "expires_in" | "scope" | "error" | "errors" => {
            true
        }
        "accessToken" | "refreshToken" | "idToken" | "tokenType" | "expiresIn" => profile.names == FieldCase::Camel,
        _ => false,
    };
    let grant = Grant {
        refresh_token: names.secret("refresh_token", "refreshToken")?,
        // Nothing is renewed with it: one that cannot be used is no reason to lose the others.
        id_token: names.secret("id_token", "idToken").unwrap_or_default(),
        extra: fields.rest(known, scope(fields).as_deref()),
        // A renewal does not change how a session was begun.
        grant_type: (asked != GrantType::RefreshToken).then(|| asked.as_str()),
        ..Grant::default()
    };
    let access = access(profile, &names, response, sent, now);
    grant.with_access(access.map_err(|error| error.with_status(response.status())))
}

fn access(
    profile: &Profile,
    names: &Spelled<'_, '_>,
    response: &Response,
    sent: Now,
    now: Now,
) -> Result<AccessToken, ServiceError> {
    let lifetime = match names.lifetime() {
        None => absolute(profile, names.fields, response, now),
        told => told,
    };
    let validity = lifetime.map_or_else(|| Validity::unknown(sent), |lifetime| Validity::with_lifetime(sent, lifetime));
    let token = names.text("access_token", "accessToken")?;
    let token = token.get().ok_or(malformed("no access token"))?;
    let access = AccessToken::new(token_type(profile, names)?, token, validity);
    access.map_err(|_| malformed("an access token that is too long or has odd characters"))
}

/// `Bearer` in any case, or no type at all; any other by profile only.
fn token_type<'p>(profile: &'p Profile, names: &Spelled<'_, '_>) -> Result<&'p str, ServiceError> {
    let unknown = || malformed("an unknown token type");
    let told = names.text("token_type", "tokenType")?;
    let Some(told) = told.get().map(str::trim) else {
        let odd = |name| names.fields.raw(name).is_some_and(|json| json != "null" && !json.starts_with('"'));
        return if odd("token_type") || odd("tokenType") { Err(unknown()) } else { Ok("Bearer") };
    };
    if let Some(known) = profile.token_types.iter().find(|known| known.told.eq_ignore_ascii_case(told)) {
        return Ok(&known.sent_as);
    }
    if told.eq_ignore_ascii_case("bearer") { Ok("Bearer") } else { Err(unknown()) }
}

/// By an absolute end, which is corrected for the server's clock. One that is past by our own clock alone proves
/// nothing.
fn absolute(profile: &Profile, fields: &Fields<'_>, response: &Response, now: Now) -> Option<Duration> {
    let told: Number = serde_json::from_str(fields.raw(profile.expiry.as_deref()?)?).ok()?;
    let told = told.value().filter(|told| *told > 0)?;
    let end = if told > MILLIS_FROM { Timestamp::from_unix_millis(told) } else { Timestamp::from_unix_seconds(told) };
    let date = response.headers().get(header::DATE).and_then(|date| Timestamp::parse_http_date(date.to_str().ok()?));
    match Duration::try_from(end.since(date.unwrap_or(now.wall))) {
        Ok(lifetime) => Some(lifetime),
        Err(_) => date.map(|_| Duration::ZERO),
    }
}

/// Scopes in any form: a text with blanks or commas, an array of texts.
fn scope(fields: &Fields<'_>) -> Option<String> {
    let json = fields.raw("scope")?;
    let mut scope = String::with_capacity(json.len());
    let mut add = |words: &Text<'_>| {
        let words = words.get().unwrap_or_default().split(|c: char| c == ',' || c.is_whitespace());
        for word in words.filter(|word| !word.is_empty()) {
            if !scope.is_empty() {
                scope.push(' ');
            }
            scope.push_str(word);
        }
    };
    if json.starts_with('[') {
        serde_json::from_str::<Vec<Text<'_>>>(json).ok()?.iter().for_each(add);
    } else {
        add(&fields.text("scope").ok()?);
    }
    (!scope.is_empty()).then_some(scope)
}

/// Fields under the standard's names, or under those of the profile.
struct Spelled<'f, 'a> {
    fields: &'f Fields<'a>,
    names: FieldCase,
}

impl<'f> Spelled<'f, '_> {
    fn text(&self, snake: &str, camel: &str) -> Result<Text<'f>, ServiceError> {
        if self.names == FieldCase::Camel {
            let text = self.fields.text(camel)?;
            if text.get().is_some() {
                return Ok(text);
            }
        }
        self.fields.text(snake)
    }

    /// `None` where it is absent or blank: the old one stays.
    fn secret(&self, snake: &str, camel: &str) -> Result<Option<Secret>, ServiceError> {
        let text = self.text(snake, camel)?;
        let Some(token) = text.get() else { return Ok(None) };
        check_token(token).map_err(|_| malformed("a token that is too long or has odd characters"))?;
        Ok(Some(Secret::from(token)))
    }

    fn lifetime(&self) -> Option<Duration> {
        let camel = (self.names == FieldCase::Camel).then(|| self.fields.lifetime("expiresIn")).flatten();
        camel.or_else(|| self.fields.lifetime("expires_in"))
    }
}

fn malformed(what: &'static str) -> ServiceError {
    ServiceError::malformed(what)
}
