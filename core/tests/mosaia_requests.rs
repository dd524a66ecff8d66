//! The requests to Mosaia, field by field.
#![cfg(feature = "mosaia")]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use http::Method;
use perennial_core::credentials::Validity;
use perennial_core::oauth2::AuthorizationRequest;
use perennial_core::providers::mosaia::{BeginError, ENTROPY, Login, Mosaia, bare_token};
use perennial_core::wire::form_decode;
use perennial_core::{AccessToken, Credentials, Exchange, LeaseId, Now, Provider, Request, Secret};
use serde_json::{Value, json};

fn mosaia() -> Mosaia {
    Mosaia::builder().client_id("my-app").build().unwrap()
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(request.http.body().as_ref()).unwrap()
}

fn form(request: &Request) -> Vec<(String, String)> {
    let body = std::str::from_utf8(request.http.body().as_ref()).unwrap();
    let mut fields: Vec<_> = form_decode(body).map(Option::unwrap).collect();
    fields.sort();
    fields
}

fn access() -> AccessToken {
    AccessToken::new("Bearer", "ey.access", Validity::unknown(Now::default())).unwrap()
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn a_password_signs_in_with_the_programs_id() {
    let request = mosaia().sign_in_request(&Login::password("grower@example.com", "hunter2").unwrap());
    assert_eq!(
        (request.http.method(), request.http.uri().to_string()),
        (&Method::POST, "https://api.mosaia.ai/v1/auth/signin".to_owned())
    );
    assert_eq!(
        body(&request),
        json!({"grant_type": "password", "email": "grower@example.com", "password": "hunter2", "client_id": "my-app"})
    );
}

#[test]
fn a_program_signs_in_with_its_own_id_and_secret() {
    let request = mosaia().sign_in_request(&Login::client("robot", "s3cret").unwrap());
    assert_eq!(request.http.uri(), "https://api.mosaia.ai/v1/auth/signin");
    assert_eq!(body(&request), json!({"grant_type": "client", "client_id": "robot", "client_secret": "s3cret"}));
}

#[test]
fn a_refresh_sends_the_token_and_nothing_else() {
    let token = Secret::from("r-1");
    let request = mosaia().refresh_request(&token);
    assert_eq!(request.http.uri(), "https://api.mosaia.ai/v1/auth/signin");
    assert_eq!(body(&request), json!({"grant_type": "refresh", "refresh_token": "r-1"}));

    let request = mosaia().refresh_oauth(&token).start(Now::default());
    assert_eq!(request.http.uri(), "https://api.mosaia.ai/v1/auth/token");
    assert_eq!(request.http.headers()["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(form(&request), [pair("grant_type", "refresh_token"), pair("refresh_token", "r-1")]);
}

#[test]
fn a_refresh_needs_no_client_id() {
    let nobody = Mosaia::builder().build().unwrap();
    let request = nobody.refresh_oauth(&Secret::from("r-1")).start(Now::default());
    assert_eq!(form(&request), [pair("grant_type", "refresh_token"), pair("refresh_token", "r-1")]);
    assert!(nobody.profile().is_none() && nobody.unversioned_profile().is_none());
}

#[test]
fn an_api_call_carries_the_token() {
    let request = mosaia().self_request(&access());
    assert_eq!(
        (request.http.method(), request.http.uri().to_string()),
        (&Method::GET, "https://api.mosaia.ai/v1/self".to_owned())
    );
    let header = &request.http.headers()["authorization"];
    assert!(header.is_sensitive());
    assert_eq!(header, "Bearer ey.access");
    assert!(request.http.body().as_ref().is_empty());
}

#[test]
fn another_address_and_version_are_used_everywhere() {
    let there = Mosaia::builder().api_url("http://127.0.0.1:9/x/").version("2").client_id("a").build().unwrap();
    let login = Login::client("a", "b").unwrap();
    let token = Secret::from("r");
    let to = |request: Request| request.http.uri().to_string();
    assert_eq!(to(there.sign_in_request(&login)), "http://127.0.0.1:9/x/v2/auth/signin");
    assert_eq!(to(there.refresh_request(&token)), "http://127.0.0.1:9/x/v2/auth/signin");
    assert_eq!(to(there.self_request(&access())), "http://127.0.0.1:9/x/v2/self");
    assert_eq!(to(there.sign_out_request(&access())), "http://127.0.0.1:9/x/v2/auth/signout");
    let now = Now::default();
    assert_eq!(to(there.profile().unwrap().refresh_request(&token, now)), "http://127.0.0.1:9/x/v2/auth/token");
    let unversioned = there.unversioned_profile().unwrap();
    assert_eq!(to(unversioned.refresh_request(&token, now)), "http://127.0.0.1:9/x/auth/token");
    assert_eq!(there.namespace(), "http://127.0.0.1:9/x/v2 a");
}

#[test]
fn a_browser_is_sent_to_the_app_with_comma_joined_scopes() {
    let wanted = AuthorizationRequest::new("http://127.0.0.1:8123/done").scopes(["read", "write"]);
    let mut entropy = [0; ENTROPY];
    entropy.iter_mut().zip(0..).for_each(|(byte, value)| *byte = value);
    let authorization = mosaia().authorize(entropy, &wanted, Now::default()).unwrap();
    let (address, query) = authorization.url().split_once('?').unwrap();
    assert_eq!(address, "https://mosaia.ai/oauth");
    let fields: Vec<_> = form_decode(query).map(Option::unwrap).collect();
    let field = |name: &str| &*fields.iter().find(|(known, _)| known == name).unwrap().1;
    assert_eq!((field("client_id"), field("response_type")), ("my-app", "code"));
    assert_eq!((field("scope"), field("code_challenge_method")), ("read,write", "S256"));
    assert_eq!(field("redirect_uri"), "http://127.0.0.1:8123/done");
    assert_eq!((field("code_challenge").len(), field("state").len()), (43, 43));
    assert_eq!(fields.len(), 7);

    let redirect = format!("http://127.0.0.1:8123/done?code=c-1&state={}", field("state"));
    let mut exchange = mosaia().exchange_code(authorization.into_pending(), &redirect, Now::default()).unwrap();
    let request = exchange.start(Now::default());
    assert_eq!(request.http.uri(), "https://api.mosaia.ai/v1/auth/token");
    let sent = form(&request);
    let names: Vec<_> = sent.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["client_id", "code", "code_verifier", "grant_type", "redirect_uri"]);
    let verifier = &sent[2].1;
    assert_eq!(verifier.len(), 128, "96 random bytes");
    assert!(verifier.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
}

#[test]
fn a_browser_is_not_opened_without_a_client_id() {
    let nobody = Mosaia::builder().build().unwrap();
    let error =
        nobody.authorize([7; ENTROPY], &AuthorizationRequest::new("http://127.0.0.1:1/"), Now::default()).unwrap_err();
    assert_eq!(error, BeginError::NoClientId);
    let error = mosaia().authorize([7; ENTROPY], &AuthorizationRequest::new("nowhere"), Now::default()).unwrap_err();
    assert!(matches!(error, BeginError::AuthorizationRequest(_)));
}

// -- Bugs of other clients.

#[test]
fn bug_a_stale_authorization_went_out_with_sign_ins_and_refreshes() {
    let mosaia = mosaia();
    let have = Credentials::from_grant(bare_token("stale", Now::default()).unwrap(), None).unwrap();
    let token = Secret::from("r");
    let login = Login::password("a@b.example", "x").unwrap();
    let begun =
        mosaia.begin(mosaia.methods(LeaseId::Access)[2], Some(&login), Some(&have)).unwrap().start(Now::default());
    for request in [
        begun,
        mosaia.sign_in_request(&login),
        mosaia.sign_in_request(&Login::client("a", "b").unwrap()),
        mosaia.refresh_request(&token),
        mosaia.refresh_oauth(&token).start(Now::default()),
    ] {
        assert!(!request.http.headers().contains_key("authorization"), "{request:?}");
    }
}

#[test]
fn bug_a_sign_out_put_the_token_into_the_address() {
    let request = mosaia().sign_out_request(&access());
    assert_eq!(
        (request.http.method(), request.http.uri().to_string()),
        (&Method::DELETE, "https://api.mosaia.ai/v1/auth/signout".to_owned())
    );
    assert_eq!(request.http.headers()["authorization"], "Bearer ey.access");
    assert_eq!(body(&request), json!({"token": "ey.access"}));
}

#[test]
fn no_secret_shows_in_debug() {
    let mosaia = mosaia();
    let login = Login::password("grower@example.com", "canary-password").unwrap();
    let secret = Secret::from("canary-refresh");
    let bearing = AccessToken::new("Bearer", "canary-access", Validity::unknown(Now::default())).unwrap();
    let mut said = format!("{:?} {:?}", login, Login::client("a", "canary-secret").unwrap());
    for mut exchange in [
        mosaia.sign_in(&login),
        mosaia.refresh(&secret),
        mosaia.refresh_oauth(&secret),
        mosaia.sign_out_token(&bearing),
    ] {
        let request = exchange.start(Now::default());
        assert!(!request.http.uri().to_string().contains("canary"));
        said += &format!("{exchange:?} {request:?} {:?} {:?}", request.http.headers(), request.http.body());
    }
    let mut check = mosaia.check(&bearing);
    said += &format!("{:?} {:?}", check.start(Now::default()).http.headers(), check);
    assert!(!said.contains("canary") && !said.contains("grower@"), "{said}");
}
