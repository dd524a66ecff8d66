//! Discovery and metadata (RFC 8414, OpenID Connect Discovery).

use perennial_core::oauth2::{AuthorizationRequest, AuthorizeError, ClientAuth, Discovery, InvalidProfile, Metadata};
use perennial_core::{Error, Exchange, Step};

use super::*;

const ISSUER: &str = "https://auth.example/realms/one";

fn document(more: &str) -> String {
    format!(
        r#"{{"issuer":"{ISSUER}","token_endpoint":"https://auth.example/token",
        "authorization_endpoint":"https://auth.example/authorize"{more}}}"#
    )
}

fn asked(discovery: &mut Discovery) -> String {
    discovery.start(now(0)).http.uri().to_string()
}

fn discover(status: u16, body: &str) -> Result<Step<Metadata>, Error> {
    let mut discovery = Discovery::new(ISSUER).unwrap();
    discovery.start(now(0));
    discovery.receive(answer(status, body), now(1))
}

fn found(body: &str) -> Metadata {
    match discover(200, body).unwrap() {
        Step::Done(metadata) => metadata,
        _ => panic!("not taken"),
    }
}

#[test]
fn both_well_known_paths_are_asked() {
    let mut discovery = Discovery::new(ISSUER).unwrap();
    assert_eq!(asked(&mut discovery), "https://auth.example/.well-known/oauth-authorization-server/realms/one");
    for nothing in [answer(404, ""), answer(200, "<html>single page"), answer(403, "{}"), answer(302, "")] {
        let mut discovery = Discovery::new(ISSUER).unwrap();
        discovery.start(now(0));
        let Step::Send(second) = discovery.receive(nothing, now(1)).unwrap() else { panic!("not asked again") };
        assert_eq!(second.http.uri(), "https://auth.example/realms/one/.well-known/openid-configuration");
        assert!(matches!(discovery.receive(answer(200, document("")), now(2)), Ok(Step::Done(_))));
    }
    let mut bare = Discovery::new("https://auth.example/").unwrap();
    assert_eq!(asked(&mut bare), "https://auth.example/.well-known/oauth-authorization-server");
    let Step::Send(second) = bare.receive(answer(404, ""), now(1)).unwrap() else { panic!("not asked again") };
    assert_eq!(second.http.uri(), "https://auth.example/.well-known/openid-configuration");
    assert!(bare.receive(answer(404, ""), now(2)).is_err());
}

#[test]
fn a_server_that_is_down_is_not_asked_elsewhere() {
    for status in [429, 500, 503] {
        assert!(matches!(discover(status, ""), Err(Error::Service(_))), "{status}");
    }
}

#[test]
fn the_issuer_must_match_character_by_character() {
    for other in [
        "https://evil.example",
        "https://auth.example/realms/one/",
        "https://auth.example",
        "HTTPS://auth.example/realms/one",
    ] {
        let Err(Error::Service(error)) = discover(200, &document("").replace(ISSUER, other)) else {
            panic!("{other} is taken")
        };
        assert!(is_malformed(&error));
    }
    assert!(Discovery::new("http://auth.example").is_err());
    assert!(Discovery::new("https://auth.example?x=1").is_err());
}

#[test]
fn metadata_makes_a_profile() {
    let metadata = found(&document(
        r#","revocation_endpoint":"https://auth.example/revoke","device_authorization_endpoint":"https://auth.example/device",
        "authorization_response_iss_parameter_supported":true,"code_challenge_methods_supported":["S256","plain"],
        "token_endpoint_auth_methods_supported":["none"],"grant_types_supported":["authorization_code"]"#,
    ));
    assert!(metadata.promises_issuer());
    assert_eq!(metadata.client_auth_methods(), Some(&["none".to_owned()][..]));
    assert_eq!(metadata.scopes(), None);
    let profile = metadata.profile("app", ClientAuth::None).unwrap();
    assert_eq!(profile.issuer(), Some(ISSUER));
    assert_eq!(profile.token_endpoint().uri(), "https://auth.example/token");
    assert_eq!(profile.revocation_endpoint().unwrap().uri(), "https://auth.example/revoke");
    assert_eq!(profile.device_endpoint().unwrap().uri(), "https://auth.example/device");
    assert!(profile.authorize([7; 64], &AuthorizationRequest::new("http://127.0.0.1/x"), now(0)).is_ok());
}

#[test]
fn a_server_without_s256_gets_no_sign_in_in_a_browser() {
    let metadata = found(&document(r#","code_challenge_methods_supported":["plain"]"#));
    let profile = metadata.profile("app", ClientAuth::None).unwrap();
    let begun = profile.authorize([7; 64], &AuthorizationRequest::new("http://127.0.0.1/x"), now(0));
    assert_eq!(begun.unwrap_err(), AuthorizeError::NoS256);
}

#[test]
fn an_endpoint_that_is_not_https_is_refused() {
    for endpoint in ["token_endpoint", "authorization_endpoint"] {
        let body = document("").replace(&format!("\"{endpoint}\":\"https"), &format!("\"{endpoint}\":\"http"));
        // The document at the other path may be right.
        assert!(matches!(discover(200, &body), Ok(Step::Send(_))), "{endpoint}");
    }
    let none = found(&format!(r#"{{"issuer":"{ISSUER}"}}"#));
    assert_eq!(none.profile("app", ClientAuth::None).unwrap_err(), InvalidProfile::NoTokenEndpoint);
}
