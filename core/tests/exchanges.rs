//! Whole exchanges of each provider, and the errors of environments that describe none.
#![cfg(all(feature = "auth0", feature = "mosaia", feature = "navien", feature = "oauth2", feature = "settrade"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::time::Duration;

use perennial_core::oauth2::Profile;
use perennial_core::providers::{auth0, mosaia, navien, oauth2, settrade};
use perennial_core::{
    AccessToken, Account, Credentials, Error, Exchange, FromEnv, Grant, LeaseId, Now, Provider, Response, Step,
    Timestamp, Validity,
};

fn now() -> Now {
    Now::new(Timestamp::from_unix_seconds(1_700_000_000), Duration::from_secs(5))
}

fn answer(status: u16, body: &str) -> Response {
    let mut response = Response::new(body.as_bytes().to_vec().into());
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
    response
}

fn access() -> AccessToken {
    AccessToken::new("Bearer", "ey.hunter2", Validity::with_lifetime(now(), Duration::from_secs(3600))).unwrap()
}

fn held(user_id: &str) -> Credentials {
    let grant = Grant {
        access: Some(access()),
        refresh_token: Some("refresh-1".into()),
        account: Some(Account::new(user_id)),
        ..Grant::default()
    };
    Credentials::from_grant(grant, None).unwrap()
}

#[test]
fn a_sign_out_at_mosaia_ends_in_an_empty_grant() {
    let mosaia = mosaia::Mosaia::builder().client_id("my-app").build().unwrap();
    let mut exchange = mosaia.sign_out_token(&access());
    exchange.start(now());
    let ended = exchange.receive(answer(204, ""), now());
    assert!(matches!(ended, Ok(Step::Done(grant)) if grant.access.is_none() && grant.refresh_token.is_none()));
    let mut exchange = mosaia.sign_out_token(&access());
    exchange.start(now());
    let failed = exchange.receive(answer(500, r#"{"error":"no ey.hunter2"}"#), now()).unwrap_err();
    assert!(!format!("{failed} {failed:?}").contains("hunter2"));
}

#[test]
fn a_check_at_mosaia_tells_whom_a_token_belongs_to() {
    let mosaia = mosaia::Mosaia::builder().client_id("my-app").build().unwrap();
    let check = |response: Response| {
        let mut check = mosaia.check(&access());
        assert_eq!(check.start(now()).http.headers()["authorization"], "Bearer ey.hunter2");
        check.receive(response, now())
    };
    let accepted = check(answer(200, r#"{"data":{"id":"user-7"}}"#));
    assert!(
        matches!(&accepted, Ok(Step::Done(mosaia::Checked::Accepted(data))) if data["id"] == "user-7"),
        "{accepted:?}"
    );
    let refused = check(answer(401, r#"{"error":"expired"}"#));
    assert!(matches!(refused, Ok(Step::Done(mosaia::Checked::Refused))));
    for odd in ["[]", "7", "null"] {
        assert!(check(answer(200, odd)).is_err(), "{odd}");
    }
    let failed = check(answer(500, r#"{"error":"no ey.hunter2"}"#)).unwrap_err();
    assert!(!format!("{failed} {failed:?}").contains("hunter2"));
}

#[test]
fn naviens_aws_methods_name_the_account_and_repeat_no_token() {
    let navien = navien::Navien::default();
    let login = navien::Login::new("login@example.com", "pass").unwrap();
    for (method, path) in [(0, "/api/v2.1/auth/session/refresh"), (1, "/api/v2.1/user/secured-sign-in")] {
        for (user_id, named) in [("grower@example.com", "grower@example.com"), ("", "login@example.com")] {
            let method = navien.methods(LeaseId::Aws)[method];
            let mut exchange = navien.begin(method, Some(&login), Some(&held(user_id))).unwrap();
            let request = exchange.start(now());
            assert_eq!(request.http.uri().path(), path);
            assert!(String::from_utf8_lossy(request.http.body().as_ref()).contains(named));
            let failed = exchange.receive(answer(500, r#"{"code":500,"msg":"no ey.hunter2"}"#), now()).unwrap_err();
            assert!(matches!(failed, Error::Service(_)) && !format!("{failed} {failed:?}").contains("hunter2"));
            assert!(navien.begin(method, None, Some(&held(""))).is_none(), "nobody knows whose token it is");
        }
    }
}

#[test]
fn a_revocation_runs_to_its_end_as_an_exchange_of_a_session() {
    let profile = Profile::new("https://auth.example/token", "app")
        .unwrap()
        .with_revocation_endpoint("https://auth.example/revoke")
        .unwrap();
    let mut exchange = oauth2::OAuth2::new(profile).sign_out(&held("")).unwrap();
    assert_eq!(exchange.start(now()).http.uri().path(), "/revoke");
    assert!(matches!(exchange.receive(answer(200, ""), now()), Ok(Step::Send(_))));
    assert!(matches!(exchange.receive(answer(200, ""), now()), Ok(Step::Done(grant)) if grant.access.is_none()));
}

/// The error where these variables are set: which one is wrong, and why.
fn wrong<P: FromEnv>(variables: &[(&str, &str)]) -> String {
    let lookup = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    P::from_env(&lookup).err().unwrap().to_string()
}

#[test]
fn an_invalid_address_in_the_environment_is_refused_with_its_reason() {
    let cannot = |name: &str, what: &str| format!("the environment variable {name} cannot be used: {what}");
    for (url, what) in [
        ("nowhere", "it is not a URL with a host"),
        ("http://a.example", "it is not https: http is for this machine, and for hosts named by `plain_http_to`"),
        ("https://a.example:80800", "it has a port that is none"),
        ("https://user@a.example", "it has something in it that has no place there: a user name, a query, a fragment"),
    ] {
        assert_eq!(wrong::<navien::Navien>(&[("NAVIEN_BASE_URL", url)]), cannot("NAVIEN_BASE_URL", what));
        let settrade = [("SETTRADE_BROKER_ID", "098"), ("SETTRADE_APP_CODE", "ALGO"), ("SETTRADE_BASE_URL", url)];
        assert_eq!(wrong::<settrade::Settrade>(&settrade), cannot("SETTRADE_BASE_URL", what));
        let oauth2 = [("OAUTH_TOKEN_URL", url), ("OAUTH_CLIENT_ID", "app")];
        assert_eq!(wrong::<oauth2::OAuth2>(&oauth2), cannot("OAUTH_TOKEN_URL", what));
        for name in ["MOSAIA_API_URL", "MOSAIA_APP_URL"] {
            assert_eq!(wrong::<mosaia::Mosaia>(&[(name, url)]), cannot(name, what));
        }
        for name in ["ANGEL_BASE_URL", "ANGEL_AUTH_URL"] {
            assert_eq!(wrong::<auth0::Auth0>(&[(name, url)]), cannot(name, what));
        }
    }
    assert_eq!(
        wrong::<mosaia::Mosaia>(&[("MOSAIA_VERSION", "1/2")]),
        cannot("MOSAIA_VERSION", "it is no plain word like 1")
    );
}

#[test]
fn an_invalid_app_secret_in_the_environment_is_refused_with_its_reason() {
    for (secret, what) in [
        ("not base64!", "it is not base64"),
        ("AAECAw==", "it has not the length of a key"),
        ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "it is not a key"),
    ] {
        let variables = [
            ("SETTRADE_BROKER_ID", "098"),
            ("SETTRADE_APP_CODE", "ALGO"),
            ("SETTRADE_APP_ID", "app-1"),
            ("SETTRADE_APP_SECRET", secret),
        ];
        let told = wrong::<settrade::Settrade>(&variables);
        assert_eq!(told, format!("the environment variable SETTRADE_APP_SECRET cannot be used: {what}"));
    }
}

#[test]
fn another_site_uses_the_cookie_names_that_were_set() {
    let site = auth0::Auth0::builder("https://tv.example").cookie_names(["one", "two"]).state_cookie("three");
    let site = site.build().unwrap();
    assert_eq!(site.cookie_names().collect::<Vec<_>>(), ["one", "two"]);
}
