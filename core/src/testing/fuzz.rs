//! What the fuzz targets assert, so that `cargo test` can replay their corpora.

use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use http::{HeaderMap, HeaderValue, header};
use serde::Deserialize;

use super::fleet::{Scenario, run_scenario};
use super::harness::run;
use super::step::Step;
use crate::credentials::{MAX_LIFETIME, RecordOf};
use crate::wire::{Lifetime, MAX_RETRY_AFTER, parse_json, retry_after};
use crate::{Need, Now, Saved, Timestamp};

/// The longest history that is played.
const MOST_STEPS: usize = 200;

fn now() -> Now {
    Now::new(Timestamp::from_unix_seconds(1_700_000_000), Duration::from_secs(1000))
}

/// Any history: no rule is broken, and the same history gives the same outputs.
///
/// # Panics
/// Where a rule is broken.
pub fn session(data: &[u8]) {
    let mut data = Unstructured::new(data);
    let Ok(seed) = u64::arbitrary(&mut data) else { return };
    let Ok(mut steps) = Vec::<Step>::arbitrary(&mut data) else {
        return;
    };
    steps.truncate(MOST_STEPS);
    if let Err(violation) = run(&steps, seed) {
        panic!("{violation}\nseed {seed}, steps {steps:?}");
    }
}

/// Any fleet: no rule is broken.
///
/// # Panics
/// Where a rule is broken.
pub fn fleet(data: &[u8]) {
    let mut data = Unstructured::new(data);
    let Ok(scenario) = Scenario::arbitrary(&mut data) else { return };
    if let Err(violation) = run_scenario(scenario) {
        panic!("{violation}\n{scenario:?}");
    }
}

/// Any bytes as a saved session: what is read is written back the same, within bounds; an error repeats nothing.
///
/// # Panics
/// Where that does not hold.
pub fn saved(data: &[u8]) {
    let now = now();
    // The same as a record of a store: what stands beside the session is kept, too.
    if let Ok(RecordOf::Session { saved, beside }) = RecordOf::parse(data, now) {
        let written = saved.write(&beside);
        match RecordOf::parse(written.as_ref(), now) {
            Ok(RecordOf::Session { saved, beside }) => {
                assert_eq!(written.as_ref(), saved.write(&beside).as_ref(), "written back otherwise");
            }
            other => panic!("a record is not read back: {other:?}"),
        }
    }
    match Saved::parse(data, now) {
        Ok(saved) => {
            let json = saved.to_json();
            let again = Saved::parse(json.expose().as_bytes(), now);
            let again = again.unwrap_or_else(|error| panic!("not read back: {error}"));
            assert_eq!(json.expose(), again.to_json().expose(), "written back otherwise");
            for need in Need::ALL {
                let Some(term) = saved.credentials().term(need) else {
                    continue;
                };
                if let Some(deadline) = term.deadline() {
                    let left = deadline.remaining(now);
                    assert!(left <= MAX_LIFETIME, "{need}: {left:?} left");
                }
            }
            assert!(!saved.credentials().access().expose().is_empty(), "an empty token");
            let shown = format!("{saved:?} {saved}");
            let secret = saved.credentials().access().expose();
            assert!(secret.len() < 12 || !shown.contains(secret), "a token shows");
        }
        Err(error) => {
            let shown = format!("{error:?} {error}");
            let input = String::from_utf8_lossy(data);
            assert!(!repeats(&shown, &input), "the error repeats its input");
        }
    }
}

/// Any two header values as `Retry-After` and `Date`: bounded, and the same twice.
///
/// # Panics
/// Where that does not hold.
pub fn retry(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let mut headers = HeaderMap::new();
    for name in [header::RETRY_AFTER, header::DATE] {
        if let Some(Ok(value)) = parts.next().map(HeaderValue::from_bytes) {
            headers.insert(name, value);
        }
    }
    let wait = retry_after(&headers, now());
    assert!(wait.is_none_or(|wait| wait <= MAX_RETRY_AFTER), "{wait:?}");
    let given = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    if let Some(Ok(seconds)) = given.map(str::parse::<u16>)
        && given.is_some_and(|text| !text.starts_with('+'))
    {
        assert_eq!(wait, Some(Duration::from_secs(seconds.into()).min(MAX_RETRY_AFTER)));
    }
    assert_eq!(wait, retry_after(&headers, now()));
}

/// Any JSON as a lifetime: unknown, or more than nothing and at most a year; an error repeats nothing.
///
/// # Panics
/// Where that does not hold.
pub fn lifetime(data: &[u8]) {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        expires_in: Lifetime,
    }
    let check = |lifetime: Lifetime| {
        if let Some(lifetime) = lifetime.0 {
            assert!(!lifetime.is_zero() && lifetime <= MAX_LIFETIME, "{lifetime:?}");
        }
    };
    if let Ok(lifetime) = parse_json::<Lifetime>(data) {
        check(lifetime);
    }
    match parse_json::<Answer>(data) {
        Ok(answer) => check(answer.expires_in),
        Err(error) => {
            let shown = format!("{error:?} {error}");
            assert!(!repeats(&shown, &String::from_utf8_lossy(data)), "the error repeats its input");
        }
    }
}

/// Any status and body as an answer of Navien: a grant is whole and within bounds, an error shows no more of the
/// body than the service's own words, cut. The first byte chooses the endpoint, the next two the status.
///
/// # Panics
/// Where that does not hold.
#[cfg(feature = "navien")]
pub fn navien_answer(data: &[u8]) {
    use crate::providers::navien::{parse_refresh, parse_secured_sign_in, parse_session_refresh, parse_sign_in};

    answer(data, |endpoint, response, now| match endpoint % 4 {
        0 => parse_sign_in(response, "ann@example.com", now, now),
        1 => parse_refresh(response, now, now),
        2 => parse_session_refresh(response, now, now),
        _ => parse_secured_sign_in(response, "ann@example.com", now, now),
    });
}

/// The same for Mosaia.
///
/// # Panics
/// Where that does not hold.
#[cfg(feature = "mosaia")]
pub fn mosaia_answer(data: &[u8]) {
    use crate::providers::mosaia::{Login, parse_refresh, parse_sign_in};

    let Ok(login) = Login::password("ann@example.com", "correct horse") else { return };
    answer(data, |endpoint, response, now| match endpoint % 2 {
        0 => parse_sign_in(response, &login, now, now),
        _ => parse_refresh(response, now, now),
    });
}

/// The same for Settrade.
///
/// # Panics
/// Where that does not hold.
#[cfg(feature = "settrade")]
pub fn settrade_answer(data: &[u8]) {
    use crate::providers::settrade::{parse_refresh, parse_sign_in};

    answer(data, |endpoint, response, now| match endpoint % 2 {
        0 => parse_sign_in(response, "app", now, now),
        _ => parse_refresh(response, "Bearer", now, now),
    });
}

/// The same for a token endpoint of OAuth 2, by three profiles.
///
/// # Panics
/// Where that does not hold.
#[cfg(feature = "oauth")]
pub fn oauth_answer(data: &[u8]) {
    use crate::oauth::{Encoding, GrantType, Names, Profile, parse_token};

    let Ok(profile) = Profile::new("https://a.example/token", "client") else { return };
    answer(data, |endpoint, response, now| {
        let profile = match endpoint % 3 {
            0 => profile,
            1 => profile.with_encoding(Encoding::Form),
            _ => profile.with_names(Names::Camel).with_answers_within("data").with_absolute_expiry("exp"),
        };
        let asked = if endpoint & 0x80 == 0 { GrantType::RefreshToken } else { GrantType::AuthorizationCode };
        parse_token(&profile, asked, response, now, now)
    });
}

/// Any bytes as a sign-in page of Auth0: no panic, and an error message of bounded length.
///
/// # Panics
/// Where that does not hold.
#[cfg(feature = "auth0")]
pub fn auth0_page(data: &[u8]) {
    use crate::providers::auth0::{Page, parse_refusal};

    let page = Page::read(data);
    let _ = (page.state(), page.csrf_token());
    let response = http::Response::new(crate::wire::Body::from(data.to_vec()));
    if let Some(error) = parse_refusal(&response, now()) {
        check_error(&error, &[]);
    }
}

#[cfg(any(feature = "navien", feature = "oauth", feature = "settrade"))]
fn answer(data: &[u8], parse: impl FnOnce(u8, &crate::Response, Now) -> Result<crate::Grant, crate::ServiceError>) {
    let [endpoint, high, low, body @ ..] = data else { return };
    let mut response = http::Response::new(crate::wire::Body::from(body.to_vec()));
    // Mostly 200, or nothing would be parsed.
    let status = u16::from_be_bytes([*high, *low]);
    let status = if status < 1000 { status } else { 200 };
    if let Ok(status) = http::StatusCode::from_u16(status) {
        *response.status_mut() = status;
    }
    match parse(*endpoint, &response, now()) {
        Ok(grant) => {
            assert!(response.status().is_success(), "granted with {}", response.status());
            check_grant(&grant);
        }
        Err(error) => check_error(&error, body),
    }
}

#[cfg(any(feature = "navien", feature = "oauth", feature = "settrade"))]
fn check_grant(grant: &crate::Grant) {
    assert!(grant.access.is_some() || grant.aws.is_some(), "a grant of nothing");
    let access = grant.access.as_ref().map(|access| *access.term());
    let aws = grant.aws.as_ref().map(|aws| *aws.term());
    for term in [access, aws].into_iter().flatten() {
        let left = term.deadline().map(|deadline| deadline.remaining(now()));
        assert!(left.is_none_or(|left| left <= MAX_LIFETIME), "{left:?} left");
    }
    if let Some(access) = &grant.access {
        assert!(!access.expose().trim().is_empty(), "an empty token");
    }
    if let Some(aws) = &grant.aws {
        let parts = [aws.access_key_id(), aws.secret_access_key(), aws.session_token()];
        assert!(parts.iter().all(|part| !part.expose().trim().is_empty()), "half of an AWS set");
    }
    for token in [&grant.refresh_token, &grant.id_token].into_iter().flatten() {
        assert!(crate::credentials::check_token(token.expose()).is_ok(), "a token that no header can carry");
    }
}

#[cfg(any(feature = "auth0", feature = "navien", feature = "oauth", feature = "settrade"))]
fn check_error(error: &crate::ServiceError, body: &[u8]) {
    let shown = format!("{error:?} {error}");
    assert!(shown.chars().count() < 1500, "an error as long as the body");
    assert!(!error.to_string().chars().any(char::is_control), "an error with control characters");
    let words = [error.code(), error.message()].into_iter().flatten().count();
    let input = String::from_utf8_lossy(body);
    assert!(words > 0 || !repeats(&shown, &input), "the error repeats the body");
}

/// Whether a text shows a piece of the input that is too long to be chance, and is not a word of ours.
fn repeats(shown: &str, input: &str) -> bool {
    const PIECE: usize = 16;
    let ours = "Malformed { what: \"not UTF-8\" } it is damaged or not a saved session: ServiceError kind status \
        code message None a field is missing or of another type a token that a header cannot carry no format \
        version newer than this program reads JSON of another shape broken JSON a web page in place of JSON \
        the service's answer was not understood: empty";
    let letters: Vec<char> = input.chars().collect();
    letters.windows(PIECE).any(|piece| {
        let piece: String = piece.iter().collect();
        shown.contains(&piece) && !ours.contains(&piece)
    })
}
