//! What OAuth 2 servers answer, and what browsers come back with.

use http::Uri;

use super::answers::check_answer;
use crate::check::{check_error, check_grant, check_hidden, check_silent, clock, outcome, received, shown, with_error};
use perennial_core::Error;
use perennial_core::credentials::{Now, Secret};
use perennial_core::exchange::{Exchange as _, Step};
use perennial_core::oauth2::{
    AuthorizationRequest, ClientAuth, Discovery, FieldCase, GrantType, IssuerInRedirect, Metadata,
    PendingAuthorization, Profile, ResponseEncoding, Rotation, Verifier, parse_device, parse_metadata,
    parse_revocation, parse_token,
};
use perennial_core::wire::is_safe;
use perennial_core::{Polled, PollingExchange as _};

const ISSUER: &str = "https://a.example";
const CLIENT_SECRET: &str = "CANARY-client-s3cret";

fn plain() -> Profile {
    Profile::new("https://a.example/token", "client").expect("it is a profile")
}

fn profile(choice: u8) -> Profile {
    match choice % 4 {
        0 => plain(),
        1 => plain().with_response_encoding(ResponseEncoding::Form),
        2 => plain().with_field_case(FieldCase::Camel).with_response_wrapper("data").with_absolute_expiry("exp"),
        _ => plain()
            .with_token_type("mac", "MAC")
            .with_rejection_code("bad_refresh_token")
            .with_rotation(Rotation::Reusable),
    }
}

/// Any answer of a token endpoint by four profiles, and of a revocation endpoint. The first byte chooses the profile
/// and what was asked for, the next two the status, the fourth the clocks.
///
/// # Panics
/// Where it is not read as it should be.
pub(super) fn oauth_answer(data: &[u8]) {
    let Some(answer) = received(data) else { return };
    let (profile, now) = (profile(answer.endpoint), answer.now);
    let asked = match (answer.endpoint >> 2) % 6 {
        0 => GrantType::RefreshToken,
        1 => GrantType::AuthorizationCode,
        2 => GrantType::ClientCredentials,
        3 => GrantType::DeviceCode,
        4 => GrantType::Password,
        _ => {
            return match parse_revocation(&profile, &answer.response, now) {
                Ok(()) => {}
                Err(error) => check_error(&error, answer.body),
            };
        }
    };
    check_answer(&answer, r#""error":"server_error""#, |response| parse_token(&profile, asked, response, now, now));
}

/// Any answer of a device endpoint, and any of the token endpoint to the poll after it: what a person is shown can be
/// shown, and opens nothing but https; polls are neither too fast nor for ever. Between the two stands the byte 255.
///
/// # Panics
/// Where that does not hold.
pub(super) fn oauth_device(data: &[u8]) {
    let mut answers = data.split(|byte| *byte == 0xff);
    let Some(answer) = answers.next().and_then(received) else { return };
    let (profile, now) = (profile(answer.endpoint), answer.now);
    let authorization = match parse_device(&profile, &answer.response, now, now) {
        Ok(authorization) => authorization,
        Err(error) => return check_error(&error, answer.body),
    };
    assert!(answer.response.status().is_success(), "a code with {}", answer.response.status());
    if let Some(refused) = with_error(&answer.response, answer.body, r#""error":"server_error""#) {
        assert!(parse_device(&profile, &refused, now, now).is_err(), "a code in spite of an error");
    }
    let code = authorization.user_code();
    assert!(!code.trim().is_empty() && code.chars().count() <= 64 && !code.chars().any(char::is_control), "{code:?}");
    for uri in [Some(authorization.verification_uri()), authorization.verification_uri_complete()].into_iter().flatten()
    {
        assert!(uri.parse::<Uri>().is_ok_and(|uri| is_safe(&uri)), "{uri} may be opened");
    }
    let bounds = std::time::Duration::from_millis(1)..=std::time::Duration::from_secs(300);
    assert!(bounds.contains(&authorization.interval()), "{:?}", authorization.interval());
    assert!(authorization.expires_at().since(now.wall) <= time::Duration::days(366), "a code for ever");
    let shown = format!("{authorization:?}");
    assert!(
        code.len() < 8 || authorization.verification_uri().contains(code) || !shown.contains(code),
        "the code shows"
    );

    let mut poll = authorization.poll();
    for answer in answers.take(8).filter_map(received) {
        poll.request(answer.now);
        let before = authorization.interval();
        match poll.receive(answer.response, answer.now) {
            Ok(Polled::Ready(grant)) => return check_grant(&grant, answer.now),
            Ok(Polled::Pending(pause)) => {
                assert!(pause >= before && authorization.interval() >= before, "faster than it was asked to");
                assert!(pause <= perennial_core::wire::MAX_RETRY_AFTER, "{pause:?}");
            }
            Err(Error::Service(error)) => return check_error(&error, answer.body),
            Err(error) => panic!("no answer of a service: {error}"),
        }
    }
}

/// Any answer as a server's metadata: it is of the issuer that was asked, with endpoints that are safe.
///
/// # Panics
/// Where that does not hold.
pub(super) fn oauth_metadata(data: &[u8]) {
    let Some(answer) = received(data) else { return };
    let read = || parse_metadata(ISSUER, &answer.response, answer.now);
    let write = |metadata: &Metadata| format!("{metadata:?}");
    let said = read();
    match &said {
        Ok(metadata) => {
            assert!(answer.response.status().is_success(), "metadata with {}", answer.response.status());
            assert_eq!(metadata.issuer(), ISSUER);
            let endpoints = [
                metadata.token_endpoint(),
                metadata.authorization_endpoint(),
                metadata.revocation_endpoint(),
                metadata.device_endpoint(),
            ];
            assert!(endpoints.into_iter().flatten().all(|endpoint| is_safe(endpoint.uri())), "{endpoints:?}");
            match metadata.profile("client", ClientAuth::None) {
                Ok(profile) => assert_eq!(Some(profile.token_endpoint()), metadata.token_endpoint()),
                Err(_) => assert!(metadata.token_endpoint().is_none(), "a server without a profile"),
            }
        }
        Err(error) => check_error(error, answer.body),
    }
    assert_eq!(outcome(&said, write), outcome(&read(), write));
    // By the exchange it is found, or asked for in one other place.
    let Ok(mut discovery) = Discovery::new(ISSUER) else { return };
    discovery.start(answer.now);
    match discovery.receive(answer.response.clone(), answer.now) {
        Ok(Step::Done(_)) => assert!(said.is_ok()),
        Ok(Step::Send(request)) => assert!(said.is_err() && is_safe(request.http.uri())),
        Err(error) => assert!(said.is_err() && shown(&error).len() < 3000),
    }
}

fn pending(now: Now) -> PendingAuthorization {
    let profile = plain()
        .with_authorization_endpoint("https://a.example/authorize")
        .expect("it is an endpoint")
        .with_issuer(ISSUER, IssuerInRedirect::Optional)
        .with_client_auth(ClientAuth::SecretPost(Secret::from(CLIENT_SECRET)));
    let authorization = profile.authorize([7; 64], &AuthorizationRequest::new("http://127.0.0.1:8123/done"), now);
    authorization.expect("it can be begun").into_pending()
}

/// Any text as what a browser comes back with: a code only where the state is ours, in time, with no error beside it;
/// what is told shows nothing but words.
///
/// # Panics
/// Where that does not hold.
pub(super) fn oauth_redirect(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let now = clock(0);
    // Our state, which nobody can guess, in place of a word that can be written in a seed.
    let exported = pending(now).export();
    let state =
        exported.expose().split("\"state\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a state");
    let ours = text.replace("STATE", state);
    let owned = pending(now).matches(&ours);
    match pending(now).exchange_code(&ours, now) {
        Ok(mut exchange) => {
            assert!(owned, "a code that was not for us");
            assert_eq!(exchange.grant_type(), GrantType::AuthorizationCode);
            let request = exchange.start(now);
            assert_eq!(request.http.uri(), "https://a.example/token");
            let form = std::str::from_utf8(request.http.body().as_ref()).expect("a form is text");
            let fields: Option<Vec<_>> = perennial_core::wire::form_decode(form).collect();
            let fields = fields.expect("a form of text");
            let code = fields.iter().find(|(name, _)| name == "code").map(|(_, code)| code.as_str());
            assert!(code.is_some_and(|code| perennial_core::credentials::check_token(code).is_ok()), "an odd code");
            check_hidden(&format!("{exchange:?} {request:?}"), &[code.unwrap_or_default(), CLIENT_SECRET], &[]);
            // An error wins, and nothing is there twice.
            for more in ["error=access_denied", "code=x", "iss=https://b.example"] {
                assert!(
                    pending(now)
                        .exchange_code(&format!("{}&{more}", ours.trim().split('#').next().unwrap_or_default()), now)
                        .is_err(),
                    "{more}"
                );
            }
            let late = Now::new(now.wall.saturating_add(perennial_core::oauth2::PENDING_LIFETIME), now.monotonic);
            assert!(pending(now).exchange_code(&ours, late).is_err(), "a code that came too late");
        }
        Err(error) => {
            let shown = shown(&error);
            assert!(shown.len() < 4000 && !shown.contains(state), "{} bytes of error", shown.len());
            assert!(!error.to_string().chars().any(char::is_control), "an error with control characters");
        }
    }
}

/// Any text as a sign-in that was exported: it is of this server and client, in time, and is exported again the same. A
/// text that is a verifier has a challenge.
///
/// # Panics
/// Where that does not hold.
pub(super) fn oauth_pending(data: &[u8]) {
    let Some((clocks, data)) = data.split_first() else { return };
    let (Ok(text), now) = (std::str::from_utf8(data), clock(*clocks)) else { return };
    let profile = plain().with_issuer(ISSUER, IssuerInRedirect::Optional);
    match PendingAuthorization::restore(&profile, Secret::from(text), now) {
        Ok(pending) => {
            let left = pending.expires_at().since(now.wall);
            assert!(left.is_positive() && left <= time::Duration::minutes(10), "{left} left");
            check_hidden(&format!("{pending:?}"), &[pending.redirect_uri()], &[]);
            let exported = pending.export();
            let again =
                PendingAuthorization::restore(&profile, Secret::from(exported.expose()), now).expect("it is read back");
            assert!(again.export().expose() == exported.expose(), "exported otherwise");
            assert_eq!(
                PendingAuthorization::restore(&plain(), exported, now).err(),
                Some(perennial_core::oauth2::InvalidPending::OtherProfile)
            );
        }
        Err(error) => check_silent(error),
    }
    match Verifier::parse(text) {
        Ok(verifier) => {
            assert_eq!(verifier.expose(), text);
            assert_eq!(verifier.challenge().len(), 43);
            check_hidden(&format!("{verifier:?}"), &[text], &[]);
        }
        Err(error) => check_silent(error),
    }
}
