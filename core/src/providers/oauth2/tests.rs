use super::*;
use crate::credentials::{AccessToken, Now, Secret, Validity};
use crate::exchange::{Call, Exchange as _, Step};
use crate::grant::Grant;
use crate::oauth2::{ClientAuth, GrantType, IssuerInRedirect};

fn profile() -> Profile {
    Profile::new("https://a.example/token", "app").unwrap()
}

fn held(refresh_token: Option<&str>) -> Credentials {
    let grant = Grant {
        access: Some(AccessToken::new("Bearer", "at-1", Validity::unknown(Now::default())).unwrap()),
        refresh_token: refresh_token.map(Secret::from),
        ..Grant::default()
    };
    Credentials::from_grant(grant, None).unwrap()
}

#[test]
fn a_method_without_its_token_or_login_makes_no_exchange() {
    let (provider, login) = (OAuth2::new(profile()), Login::client_credentials());
    let begins = |method, login, have: &Credentials| provider.begin(method, login, Some(have)).is_some();
    assert!(begins(Method::Refresh, None, &held(Some("rt"))));
    assert!(!begins(Method::Refresh, Some(&login), &held(None)));
    assert!(begins(Method::SignIn, Some(&login), &held(None)));
    assert!(!begins(Method::SignIn, None, &held(Some("rt"))));
    assert!(provider.methods(LeaseId::Aws).is_empty());
}

#[test]
fn a_refresh_token_works_once_unless_the_profile_says_otherwise() {
    assert_eq!(OAuth2::new(profile()).consumes(Method::Refresh), Consumes::RefreshToken);
    let reusable = OAuth2::new(profile().with_rotation(Rotation::Reusable));
    assert_eq!(reusable.consumes(Method::Refresh), Consumes::Nothing);
    assert_eq!(reusable.consumes(Method::SignIn), Consumes::LoginAttempt);
}

#[test]
fn a_session_is_bound_to_server_and_client() {
    assert_eq!(OAuth2::new(profile()).namespace(), "https://a.example/token app");
    let named = OAuth2::new(profile().with_issuer("https://a.example", IssuerInRedirect::Optional));
    assert_eq!(named.namespace(), "https://a.example app");
}

#[test]
fn a_token_goes_into_a_header_and_never_into_a_query() {
    let mut headers = http::HeaderMap::new();
    OAuth2::new(profile()).authorize(
        &Call::new(&http::Method::GET, &http::Uri::default(), Now::default().wall),
        &held(None),
        &mut headers,
    );
    assert_eq!(headers["authorization"], "Bearer at-1");
    assert!(headers["authorization"].is_sensitive());
}

#[test]
fn a_session_remembers_how_it_was_begun() {
    for (login, grant_type) in [
        (Login::client_credentials(), GrantType::ClientCredentials),
        (Login::legacy_password("ada", "x").unwrap(), GrantType::Password),
    ] {
        let mut exchange = OAuth2::new(profile()).begin(Method::SignIn, Some(&login), None).unwrap();
        exchange.start(Now::default());
        let answer = http::Response::new(br#"{"access_token":"at"}"#.to_vec().into());
        let Step::Done(grant) = exchange.receive(answer, Now::default()).unwrap() else { panic!("another request") };
        assert_eq!(grant.grant_type, Some(grant_type.as_str()));
    }
}

#[test]
fn signing_out_needs_an_endpoint() {
    assert!(OAuth2::new(profile()).sign_out(&held(Some("rt"))).is_none());
    let revoking = profile().with_revocation_endpoint("https://a.example/revoke").unwrap();
    assert!(OAuth2::new(revoking).sign_out(&held(Some("rt"))).is_some());
}

#[test]
fn nothing_secret_shows() {
    let profile = profile().with_client_auth(ClientAuth::SecretBasic(Secret::from("hunter2")));
    let login = Login::legacy_password("ada@a.example", "hunter3").unwrap();
    let provider = OAuth2::new(profile);
    let exchange = provider.begin(Method::SignIn, Some(&login), None);
    let refresh = provider.begin(Method::Refresh, None, Some(&held(Some("hunter4"))));
    let shown = format!("{provider:?} {login:?} {exchange:?} {refresh:?}");
    assert!(!shown.contains("hunter") && !shown.contains("ada@"), "{shown}");
}
