//! The sign-in in a browser: the authorization URL, and which redirects are accepted.

use perennial_core::oauth2::{
    AuthorizationError, AuthorizationRequest, AuthorizeError, ErrorCode, InvalidPending, IssuerInRedirect,
    ParameterTarget, PendingAuthorization, ScopeSeparator, Verifier,
};
use perennial_core::{Exchange, Secret};

use super::*;

const REDIRECT_URI: &str = "http://127.0.0.1:8123/done";

fn browser() -> Profile {
    profile().with_authorization_endpoint("https://auth.example/authorize?tenant=1").unwrap()
}

fn begin(profile: &Profile) -> (Vec<(String, String)>, PendingAuthorization) {
    let wanted = AuthorizationRequest::new(REDIRECT_URI).scopes(["read", "write"]);
    let authorization = profile.authorize(entropy::<64>(), &wanted, now(0)).unwrap();
    (query(authorization.url()), authorization.into_pending())
}

fn query(url: &str) -> Vec<(String, String)> {
    form_decode(url.split_once('?').unwrap().1).map(Option::unwrap).collect()
}

fn value(query: &[(String, String)], name: &str) -> String {
    let found: Vec<_> = query.iter().filter(|(known, _)| known == name).collect();
    assert_eq!(found.len(), 1, "{name}");
    found[0].1.clone()
}

/// Bytes that all differ from the one before.
fn entropy<const N: usize>() -> [u8; N] {
    std::array::from_fn(|n| u8::try_from(n % 251).unwrap())
}

/// A redirect with the right state and these parameters.
fn redirect(rest: &str) -> (PendingAuthorization, String) {
    let (query, pending) = begin(&browser());
    (pending, format!("{REDIRECT_URI}?state={}{rest}", value(&query, "state")))
}

fn refused(rest: &str) -> AuthorizationError {
    let (pending, redirect) = redirect(rest);
    pending.exchange_code(&redirect, now(1)).unwrap_err()
}

#[test]
fn the_challenge_is_s256_always_and_never_plain() {
    let (query, pending) = begin(&browser());
    assert_eq!(value(&query, "code_challenge_method"), "S256");
    let request =
        pending.exchange_code(&format!("code=c&state={}", value(&query, "state")), now(1)).unwrap().start(now(1));
    let verifier = Verifier::parse(&field(&request, "code_verifier").unwrap()).unwrap();
    assert_eq!(verifier.challenge(), value(&query, "code_challenge"));
    assert_ne!(verifier.expose(), verifier.challenge());
    assert!(!query.iter().any(|(_, value)| value == verifier.expose()));
}

#[test]
fn a_verifier_has_43_to_128_characters() {
    for (url, length) in [
        (browser().authorize(entropy::<64>(), &AuthorizationRequest::new(REDIRECT_URI), now(0)), 43),
        (browser().authorize(entropy::<128>(), &AuthorizationRequest::new(REDIRECT_URI), now(0)), 128),
    ] {
        let authorization = url.unwrap();
        let state = value(&query(authorization.url()), "state");
        let pending = authorization.into_pending();
        let request = pending.exchange_code(&format!("code=c&state={state}"), now(1)).unwrap().start(now(1));
        assert_eq!(field(&request, "code_verifier").unwrap().len(), length);
    }
}

#[test]
fn the_address_has_each_parameter_once_and_keeps_the_endpoints_own() {
    let profile = browser()
        .with_scope_separator(ScopeSeparator::Comma)
        .with_parameter(ParameterTarget::Authorization, "prompt", "consent")
        .unwrap()
        .with_resource("https://api.example/")
        .unwrap();
    let (query, _) = begin(&profile);
    for (name, wanted) in [
        ("tenant", "1"),
        ("response_type", "code"),
        ("client_id", "app"),
        ("redirect_uri", REDIRECT_URI),
        ("scope", "read,write"),
        ("prompt", "consent"),
        ("resource", "https://api.example/"),
    ] {
        assert_eq!(value(&query, name), wanted);
    }
    let twice = AuthorizationRequest::new(REDIRECT_URI).parameter("state", "mine");
    assert_eq!(browser().authorize(entropy::<64>(), &twice, now(0)).unwrap_err(), AuthorizeError::Repeated);
}

#[test]
fn a_sign_in_needs_an_endpoint_and_an_absolute_redirect_uri() {
    let begin = |profile: Profile, uri: &str| {
        profile.authorize(entropy::<64>(), &AuthorizationRequest::new(uri), now(0)).unwrap_err()
    };
    assert_eq!(begin(profile(), REDIRECT_URI), AuthorizeError::NoEndpoint);
    for bad in ["", "/done", "https://a.example/#x", "https://a.example/ x"] {
        assert_eq!(begin(browser(), bad), AuthorizeError::RedirectUri, "{bad}");
    }
    assert!(browser().authorize(entropy::<64>(), &AuthorizationRequest::new("com.example.app:/done"), now(0)).is_ok());
}

#[test]
fn a_redirect_is_read_as_uri_as_path_or_as_query() {
    for prefix in [&format!("{REDIRECT_URI}?"), "/done?", "?", "", "com.example.app:/done?"] {
        let (query, pending) = begin(&browser());
        let redirect = format!("{prefix}code=c%2F1&state={}#top", value(&query, "state"));
        assert!(pending.matches(&redirect), "{prefix}");
        let request = pending.exchange_code(&redirect, now(1)).unwrap().start(now(1));
        assert_eq!(format!("{request:?}"), "POST auth.example/token");
        assert_eq!(field(&request, "code").unwrap(), "c/1");
        assert_eq!(field(&request, "redirect_uri").unwrap(), REDIRECT_URI);
        assert_eq!(field(&request, "grant_type").unwrap(), "authorization_code");
    }
}

#[test]
fn state_is_checked_before_code_or_error() {
    let state = value(&begin(&browser()).0, "state");
    for foreign in [
        "code=c".to_owned(),
        "error=access_denied".to_owned(),
        "code=c&state=".to_owned(),
        "error=access_denied&state=x".to_owned(),
        format!("code=c&state={}", &state[1..]),
        format!("code=c&state={state}x"),
        format!("code=c&state={state}&state={state}"),
        format!("code=c&State={state}"),
    ] {
        let pending = begin(&browser()).1;
        assert!(!pending.matches(&foreign));
        assert_eq!(pending.exchange_code(&foreign, now(1)).unwrap_err(), AuthorizationError::State, "{foreign}");
    }
    // A forged redirect does not even learn that the sign-in has expired.
    assert_eq!(begin(&browser()).1.exchange_code("code=c&state=x", now(9999)).unwrap_err(), AuthorizationError::State);
}

#[test]
fn a_repeated_parameter_is_refused() {
    for rest in ["&code=a&code=b", "&code=a&iss=x&iss=x", "&error=a&error=b", "&code=a&x=1&x=2"] {
        assert_eq!(refused(rest), AuthorizationError::Repeated, "{rest}");
    }
}

#[test]
fn a_present_issuer_must_match_and_a_promised_one_must_be_present() {
    let issuer = "https://auth.example";
    let told = |profile: &Profile, rest: &str| {
        let (query, pending) = begin(profile);
        pending.exchange_code(&format!("code=c&state={}{rest}", value(&query, "state")), now(1)).map(drop)
    };
    let optional = browser().with_issuer(issuer, IssuerInRedirect::Optional);
    let promised = browser().with_issuer(issuer, IssuerInRedirect::Promised);
    let right = "&iss=https%3A%2F%2Fauth.example";
    assert_eq!(told(&optional, right), Ok(()));
    assert_eq!(told(&promised, right), Ok(()));
    assert_eq!(told(&optional, ""), Ok(()));
    assert_eq!(told(&promised, ""), Err(AuthorizationError::IssuerInRedirect));
    for wrong in ["&iss=https%3A%2F%2Fevil.example", "&iss=https%3A%2F%2Fauth.example%2F", "&iss="] {
        assert_eq!(told(&optional, wrong), Err(AuthorizationError::IssuerInRedirect), "{wrong}");
        assert_eq!(told(&promised, wrong), Err(AuthorizationError::IssuerInRedirect), "{wrong}");
    }
    // The profile names no issuer: then a named one cannot be verified.
    assert_eq!(told(&browser(), right), Err(AuthorizationError::IssuerInRedirect));
    // An error from another issuer is refused too.
    let (query, pending) = begin(&promised);
    let forged = format!("error=access_denied&iss=https%3A%2F%2Fevil.example&state={}", value(&query, "state"));
    assert_eq!(pending.exchange_code(&forged, now(1)).unwrap_err(), AuthorizationError::IssuerInRedirect);
}

#[test]
fn a_pending_authorization_expires() {
    let (pending, late) = redirect("&code=c");
    assert_eq!(pending.exchange_code(&late, now(600)).unwrap_err(), AuthorizationError::Expired);
    let (pending, in_time) = redirect("&code=c");
    assert!(pending.exchange_code(&in_time, now(599)).is_ok());
    let (query, pending) = begin(&browser().with_pending_lifetime(Duration::from_secs(5)));
    let late = format!("code=c&state={}", value(&query, "state"));
    assert_eq!(pending.exchange_code(&late, now(5)).unwrap_err(), AuthorizationError::Expired);
}

#[test]
fn an_error_response_has_a_typed_code_a_cleaned_message_and_a_uri() {
    let AuthorizationError::Refused(refusal) = refused(
        "&error=access_denied&error_description=the+person%1b%5b2J+said+no&error_uri=https%3A%2F%2Fauth.example%2Fwhy&code=c",
    ) else {
        panic!("an error wins over a code")
    };
    assert_eq!((refusal.code(), refusal.name()), (ErrorCode::AccessDenied, "access_denied"));
    assert_eq!(refusal.description(), Some("the person[2J said no"));
    assert_eq!(refusal.uri(), Some("https://auth.example/why"));
    let AuthorizationError::Refused(refusal) = refused("&error=login_required&error_uri=javascript%3Aalert(1)") else {
        panic!("an error is a refusal")
    };
    assert_eq!((refusal.code(), refusal.uri()), (ErrorCode::InteractionRequired, None));
}

#[test]
fn an_error_response_that_repeats_the_state_does_not_show_it() {
    // A state without a digit does not look like a token.
    let begin = || browser().authorize([7; 64], &AuthorizationRequest::new(REDIRECT_URI), now(0)).unwrap();
    let state = value(&query(begin().url()), "state");
    assert!(!state.contains(|c: char| c.is_ascii_digit()));
    for echo in ["error", "error=access_denied&error_description", "error=access_denied&error_uri"] {
        let redirect = format!("?state={state}&{echo}=https%3A%2F%2Fa.example%2F{state}");
        let error = begin().into_pending().exchange_code(&redirect, now(1)).unwrap_err();
        assert!(matches!(error, AuthorizationError::Refused(_)), "{error}");
        assert!(!format!("{error:?} {error}").contains(&state[..32]), "{echo}");
    }
}

#[test]
fn a_redirect_without_a_usable_code_is_malformed() {
    for rest in ["", "&code=", "&code=a%0d%0ab", "&code=%00", "&code=%ff", "&code=%C3%A9"] {
        assert!(matches!(refused(rest), AuthorizationError::Malformed { .. }), "{rest}");
    }
    for odd in ["", "/done", "https://a.example/", &"x=".repeat(100_000)] {
        let error = begin(&browser()).1.exchange_code(odd, now(1)).unwrap_err();
        assert!(matches!(error, AuthorizationError::Malformed { .. }));
    }
}

#[test]
fn a_pending_authorization_is_restored_between_two_web_requests() {
    let profile = browser().with_issuer("https://auth.example", IssuerInRedirect::Optional);
    let (query, pending) = begin(&profile);
    let exported = pending.export();
    let pending = PendingAuthorization::restore(&profile, exported, now(100)).unwrap();
    assert_eq!(pending.expires_at(), now(600).wall);
    let redirect = format!("code=c&state={}", value(&query, "state"));
    let request = pending.exchange_code(&redirect, now(101)).unwrap().start(now(101));
    let verifier = Verifier::parse(&field(&request, "code_verifier").unwrap()).unwrap();
    assert_eq!(verifier.challenge(), value(&query, "code_challenge"));
}

#[test]
fn a_pending_authorization_records_issuer_token_endpoint_and_client() {
    let profile = browser().with_issuer("https://auth.example", IssuerInRedirect::Optional);
    let other_endpoint = Profile::new("https://evil.example/token", "app").unwrap();
    let other_client = Profile::new("https://auth.example/token", "other").unwrap();
    for other in [
        browser(),
        browser().with_issuer("https://evil.example", IssuerInRedirect::Optional),
        other_endpoint.with_issuer("https://auth.example", IssuerInRedirect::Optional),
        other_client.with_issuer("https://auth.example", IssuerInRedirect::Optional),
    ] {
        let exported = begin(&profile).1.export();
        assert_eq!(PendingAuthorization::restore(&other, exported, now(1)).unwrap_err(), InvalidPending::OtherProfile);
    }
}

#[test]
fn a_damaged_or_late_export_is_refused() {
    let exported = || begin(&browser()).1.export();
    assert_eq!(PendingAuthorization::restore(&browser(), exported(), now(600)).unwrap_err(), InvalidPending::Expired);
    let text = exported().expose().to_owned();
    for damaged in [
        "",
        "{}",
        "[]",
        "null",
        &text[1..],
        &text.replace("\"pending\":1", "\"pending\":2"),
        &text.replace("verifier", "v"),
    ] {
        let restored = PendingAuthorization::restore(&browser(), Secret::from(damaged), now(1));
        assert_eq!(restored.unwrap_err(), InvalidPending::Malformed, "{damaged}");
    }
    // Setting the clock back does not extend it.
    let early = Now { wall: Timestamp::from_unix_seconds(1_600_000_000), ..now(0) };
    let restored = PendingAuthorization::restore(&browser(), exported(), early).unwrap();
    assert_eq!(restored.expires_at(), early.wall.saturating_add(Duration::from_secs(600)));
}

#[test]
fn nothing_secret_shows() {
    let (query, pending) = begin(&browser());
    let state = value(&query, "state");
    let shown = format!(
        "{pending:?} {:?}",
        browser().authorize(entropy::<64>(), &AuthorizationRequest::new(REDIRECT_URI), now(0)).unwrap()
    );
    let exchange = pending.exchange_code(&format!("code=hunter2&state={state}"), now(1)).unwrap();
    let shown = format!("{shown} {exchange:?}");
    assert!(!shown.contains(&state) && !shown.contains("hunter2"), "{shown}");
}
