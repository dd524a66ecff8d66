//! Reads the answers of a token endpoint (RFC 6749 §5.1), and what real servers send in place of the standard's form.

use std::time::Duration;

use http::header;

use super::fields::Fields;
use super::grant_type::GrantType;
use super::profile::{FieldCase, Profile};
use super::refusal;
use crate::credentials::{AccessToken, Credentials, Now, Secret, Timestamp, Validity, check_token};
use crate::error::ServiceError;
use crate::exchange::Response;
use crate::grant::Grant;
use crate::wire::{Number, Text};

/// A Unix time above this is in milliseconds: in seconds it would be the year 5138.
const MILLIS_FROM: i64 = 100_000_000_000;

/// Reads the answer to a token request: access token, refresh token and ID token, or the error in it. Lifetimes run
/// from `sent`, when the request was sent; `now` is when the answer came.
///
/// # What makes a grant
///
/// - An error wins over a token in the same body. An empty token counts as absent; so does a refresh token that is left
///   out, and the old one is kept. An unknown token type is an error.
/// - An access token that cannot be used, beside a refresh token, gives a grant without an access token whose
///   [`flaw`](Grant::flaw) says why: the new refresh token must not be lost.
/// - Every other field is kept for [`Credentials::extra`], whole or not at all, while all of them fit into
///   [`MAX_EXTRA`](crate::credentials::MAX_EXTRA) bytes; `scope` becomes one text with single blanks.
/// - A body of more than 256 fields is malformed; so is a token of more than
///   [`MAX_TOKEN`](crate::credentials::MAX_TOKEN) bytes.
///
/// # Errors
///
/// - 429 and 5xx come first, whatever the body says.
/// - A refresh token is rejected ([`RefreshRefused`](crate::ServiceErrorKind::RefreshRefused)) by `invalid_grant` under
///   a 4xx, and by the codes of [`Profile::with_rejection_code`]. Nothing else rejects it: not `invalid_client`, which
///   may be a misconfiguration of an hour, nor a gateway's page.
/// - A code or a login is rejected ([`InvalidCredentials`](crate::ServiceErrorKind::InvalidCredentials)) by
///   `invalid_grant`, `invalid_client` and `access_denied`, so that no password is sent again and again.
/// - `login_required`, `interaction_required`, `consent_required` and `account_selection_required` (OpenID Connect Core
///   §3.1.2.6) mean that a person is needed
///   ([`InteractionRequired`](crate::ServiceErrorKind::InteractionRequired)), whatever the grant.
pub fn parse_token(
    profile: &Profile,
    grant_type: GrantType,
    response: &Response,
    sent: Now,
    now: Now,
) -> Result<Grant, ServiceError> {
    let read = Fields::read(response.body().as_ref(), profile.encoding);
    if let Some(error) = refusal::failure(profile, grant_type, response, read.as_ref(), now) {
        return Err(error);
    }
    let granted = read.and_then(|fields| match &profile.within {
        Some(name) => {
            grant(profile, grant_type, &fields.object(name).ok_or(malformed("no tokens in it"))??, response, sent, now)
        }
        None => grant(profile, grant_type, &fields, response, sent, now),
    });
    granted.map_err(|error| error.with_status(response.status()))
}

/// The scopes that the server said it granted. Empty where it said nothing, which means the scopes that were requested
/// (RFC 6749 §5.1).
pub fn scopes(credentials: &Credentials) -> Vec<String> {
    let scope = credentials.extra("scope");
    let scope = scope.as_ref().and_then(|scope| scope.as_str()).unwrap_or_default();
    scope.split_whitespace().map(str::to_owned).collect()
}

fn grant(
    profile: &Profile,
    grant_type: GrantType,
    fields: &Fields<'_>,
    response: &Response,
    sent: Now,
    now: Now,
) -> Result<Grant, ServiceError> {
    let names = FieldNames { fields, names: profile.names };
    let known = |name: &str| match name {
        "access_token" | "refresh_token" | "id_token" | "token_type" | "expires_in" | "scope" | "error" | "errors" => {
            true
        }
        "accessToken" | "refreshToken" | "idToken" | "tokenType" | "expiresIn" => profile.names == FieldCase::Camel,
        _ => false,
    };
    let grant = Grant {
        refresh_token: names.secret("refresh_token", "refreshToken")?,
        // No renewal needs the ID token: one that cannot be used is no reason to lose the others.
        id_token: names.secret("id_token", "idToken").unwrap_or_default(),
        extra: fields.rest(known, scope(fields).as_deref()),
        // A refresh does not change how the session was begun.
        grant_type: (grant_type != GrantType::RefreshToken).then(|| grant_type.as_str()),
        ..Grant::default()
    };
    let access = access(profile, &names, response, sent, now);
    grant.with_access(access.map_err(|error| error.with_status(response.status())))
}

fn access(
    profile: &Profile,
    names: &FieldNames<'_, '_>,
    response: &Response,
    sent: Now,
    now: Now,
) -> Result<AccessToken, ServiceError> {
    let lifetime = match names.lifetime() {
        None => absolute(profile, names.fields, response, now),
        relative => relative,
    };
    let validity = lifetime.map_or_else(|| Validity::unknown(sent), |lifetime| Validity::with_lifetime(sent, lifetime));
    let token = names.text("access_token", "accessToken")?;
    let token = token.get().ok_or(malformed("no access token"))?;
    let access = AccessToken::new(token_type(profile, names)?, token, validity);
    access.map_err(|_| malformed("an access token that is too long or has odd characters"))
}

/// The word to send in front of the token: `Bearer` for that type in any case, and where there is no type. Any other
/// type must be stated by the profile.
fn token_type<'p>(profile: &'p Profile, names: &FieldNames<'_, '_>) -> Result<&'p str, ServiceError> {
    let unknown = || malformed("an unknown token type");
    let named = names.text("token_type", "tokenType")?;
    let Some(named) = named.get().map(str::trim) else {
        let odd = |name| names.fields.raw(name).is_some_and(|json| json != "null" && !json.starts_with('"'));
        return if odd("token_type") || odd("tokenType") { Err(unknown()) } else { Ok("Bearer") };
    };
    if let Some(known) = profile.token_types.iter().find(|known| known.named.eq_ignore_ascii_case(named)) {
        return Ok(&known.sent_as);
    }
    if named.eq_ignore_ascii_case("bearer") { Ok("Bearer") } else { Err(unknown()) }
}

/// The lifetime from an absolute end, counted from the answer's own `Date` so that a wrong clock here does no harm.
/// Without a `Date`, an end in the past is ignored: it may be our clock that is wrong.
fn absolute(profile: &Profile, fields: &Fields<'_>, response: &Response, now: Now) -> Option<Duration> {
    let end: Number = serde_json::from_str(fields.raw(profile.expiry.as_deref()?)?).ok()?;
    let end = end.value().filter(|end| *end > 0)?;
    let end = if end > MILLIS_FROM { Timestamp::from_unix_millis(end) } else { Timestamp::from_unix_seconds(end) };
    let date = response.headers().get(header::DATE).and_then(|date| Timestamp::parse_http_date(date.to_str().ok()?));
    match Duration::try_from(end.since(date.unwrap_or(now.wall))) {
        Ok(lifetime) => Some(lifetime),
        Err(_) => date.map(|_| Duration::ZERO),
    }
}

/// The scopes joined by single blanks, from any form that servers send: a text with blanks or commas, or an array.
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

/// Looks up fields under the standard's names, and under camelCase ones first where the profile says so.
struct FieldNames<'f, 'a> {
    fields: &'f Fields<'a>,
    names: FieldCase,
}

impl<'f> FieldNames<'f, '_> {
    fn text(&self, snake: &str, camel: &str) -> Result<Text<'f>, ServiceError> {
        if self.names == FieldCase::Camel {
            let text = self.fields.text(camel)?;
            if text.get().is_some() {
                return Ok(text);
            }
        }
        self.fields.text(snake)
    }

    /// `None` where it is absent or blank: the old token is kept.
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
