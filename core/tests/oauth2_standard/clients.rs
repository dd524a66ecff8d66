//! Client authentication, where secrets may stand, and revocation.

use http::header;
use perennial_core::oauth2::{ClientAuth, ParameterTarget, Profile, ScopeSeparator};
use perennial_core::{AccessToken, Credentials, Error, Exchange, Secret, Step, Validity};

use super::*;

fn names(request: &Request) -> Vec<String> {
    form(request).into_iter().map(|(name, _)| name).collect()
}

#[test]
fn client_authentication_is_as_stated_and_never_probed() {
    let secret = || Secret::from("s");
    for (auth, in_header, in_body) in [
        (ClientAuth::None, false, vec!["client_id"]),
        (ClientAuth::SecretBasic(secret()), true, vec![]),
        (ClientAuth::SecretPost(secret()), false, vec!["client_id", "client_secret"]),
    ] {
        let profile = profile().with_client_auth(auth);
        let mut exchange = profile.refresh(&Secret::from("rt"));
        let request = exchange.start(now(0));
        assert_eq!(request.http.headers().contains_key(header::AUTHORIZATION), in_header);
        assert_eq!(names(&request)[2..], in_body);
        // After a rejection the exchange ends: the secret is not sent in another form.
        let refused = answer(401, r#"{"error":"invalid_client"}"#);
        assert!(matches!(exchange.receive(refused, now(1)), Err(Error::Service(_))));
    }
}

#[test]
fn basic_form_encodes_id_and_secret_first() {
    let profile = Profile::new("https://auth.example/token", "my app:1").unwrap();
    let profile = profile.with_client_auth(ClientAuth::SecretBasic(Secret::from("p%ss w=ö")));
    let request = profile.client_credentials_request::<&str>(&[], now(0));
    let header = &request.http.headers()[header::AUTHORIZATION];
    // Base64 of `my+app%3A1:p%25ss+w%3D%C3%B6`.
    assert_eq!(header, "Basic bXkrYXBwJTNBMTpwJTI1c3MrdyUzRCVDMyVCNg==");
    assert!(header.is_sensitive());
}

#[test]
fn tokens_and_secrets_never_stand_in_a_query() {
    let profile = profile()
        .with_client_auth(ClientAuth::SecretPost(Secret::from("hunter2")))
        .with_revocation_endpoint("https://auth.example/revoke")
        .unwrap();
    let held = credentials("hunter3", Some("hunter4"));
    let mut revocation = profile.revoke(&held).unwrap();
    for request in [
        profile.refresh_request(&Secret::from("hunter4"), now(0)),
        profile.client_credentials_request(&["read"], now(0)),
        profile.legacy_password_request("ada", &Secret::from("hunter5"), &["read"], now(0)),
        profile.device_token_request(&Secret::from("hunter6"), now(0)),
        revocation.start(now(0)),
    ] {
        assert!(!request.http.uri().to_string().contains("hunter"));
        assert_eq!(request.http.method(), "POST");
        assert!(request.http.uri().query().is_none());
    }
}

#[test]
fn a_refresh_names_no_client_where_the_profile_says_so() {
    let request = profile().with_clientless_refresh().refresh_request(&Secret::from("rt"), now(0));
    assert_eq!(names(&request), ["grant_type", "refresh_token"]);
    let request = profile().refresh_request(&Secret::from("rt"), now(0));
    assert_eq!(names(&request), ["grant_type", "refresh_token", "client_id"]);
}

#[test]
fn scopes_parameters_and_resources_go_where_they_belong() {
    let profile = profile()
        .with_scope_separator(ScopeSeparator::Comma)
        .with_parameter(ParameterTarget::Token, "audience", "api")
        .unwrap()
        .with_parameter(ParameterTarget::Authorization, "prompt", "consent")
        .unwrap()
        .with_resource("https://one.example/")
        .unwrap()
        .with_resource("urn:two")
        .unwrap();
    let request = profile.client_credentials_request(&["a", "b"], now(0));
    assert_eq!(field(&request, "scope").unwrap(), "a,b");
    assert_eq!(field(&request, "audience").unwrap(), "api");
    assert_eq!(field(&request, "prompt"), None);
    let resources: Vec<_> = form(&request).into_iter().filter(|(name, _)| name == "resource").collect();
    assert_eq!(resources.len(), 2);
}

#[test]
fn an_error_repeats_nothing_that_was_sent() {
    let profile = profile().with_client_auth(ClientAuth::SecretPost(Secret::from("swordfish")));
    let mut exchange = profile.legacy_password("ada", &Secret::from("opensesame"), &["read"]);
    exchange.start(now(0));
    for echo in ["swordfish", "opensesame"] {
        let told = format!(r#"{{"error":"x-{echo}","error_description":"{echo} is wrong"}}"#);
        let error = exchange.receive(answer(400, told), now(1)).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(echo));
    }
}

fn credentials(access: &str, refresh: Option<&str>) -> Credentials {
    let grant = Grant {
        access: Some(AccessToken::new("Bearer", access, Validity::unknown(now(0))).unwrap()),
        refresh_token: refresh.map(Secret::from),
        ..Grant::default()
    };
    Credentials::from_grant(grant, None).unwrap()
}

#[test]
fn signing_out_revokes_the_refresh_token_then_the_access_token() {
    let profile = profile().with_revocation_endpoint("https://auth.example/revoke").unwrap();
    let mut exchange = profile.revoke(&credentials("at", Some("rt"))).unwrap();
    let first = exchange.start(now(0));
    assert_eq!(
        (field(&first, "token").unwrap(), field(&first, "token_type_hint").unwrap()),
        ("rt".into(), "refresh_token".into())
    );
    let Step::Send(second) = exchange.receive(answer(200, ""), now(1)).unwrap() else { panic!("one request") };
    assert_eq!(
        (field(&second, "token").unwrap(), field(&second, "token_type_hint").unwrap()),
        ("at".into(), "access_token".into())
    );
    assert!(matches!(exchange.receive(answer(200, "unknown token"), now(2)), Ok(Step::Done(()))));

    let mut exchange = profile.revoke(&credentials("at", None)).unwrap();
    assert_eq!(field(&exchange.start(now(0)), "token").unwrap(), "at");
    assert!(matches!(exchange.receive(answer(204, ""), now(2)), Ok(Step::Done(()))));
}

#[test]
fn the_second_token_is_revoked_even_where_the_first_is_not() {
    let profile = profile().with_revocation_endpoint("https://auth.example/revoke").unwrap();
    let mut exchange = profile.revoke(&credentials("at", Some("rt"))).unwrap();
    exchange.start(now(0));
    assert!(matches!(exchange.receive(answer(503, ""), now(1)), Ok(Step::Send(_))));
    let error = exchange.receive(answer(200, ""), now(2)).unwrap_err();
    assert!(matches!(error, Error::Service(error) if error.status().unwrap() == 503));

    let mut exchange = profile.revoke(&credentials("at", None)).unwrap();
    exchange.start(now(0));
    let ends_by_itself = answer(400, r#"{"error":"unsupported_token_type"}"#);
    assert!(matches!(exchange.receive(ends_by_itself, now(1)), Ok(Step::Done(()))));
}
