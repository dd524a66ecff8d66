//! Navien's answers, recorded with their values replaced, and the bugs that users of other clients met.
#![cfg(feature = "navien")]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::time::Duration;

use perennial_core::providers::navien::{
    DEFAULT_LIFETIME, Login, Navien, UserInfo, parse_refresh, parse_secured_sign_in, parse_session_refresh,
    parse_sign_in,
};
use perennial_core::{
    Credentials, Error, Exchange, Grant, LeaseId, Now, Provider, Response, SavedSession, ServiceErrorKind, Timestamp,
};

const SIGN_IN: &str = include_str!("data/navien_sign_in.json");
const REFRESH: &str = include_str!("data/navien_refresh.json");
const SESSION_REFRESH: &str = include_str!("data/navien_session_refresh.json");
const SECURED_SIGN_IN: &str = include_str!("data/navien_secured_sign_in.json");
const EMAIL: &str = "grower@example.com";

fn answer(body: &str) -> Response {
    Response::new(body.as_bytes().to_vec().into())
}

fn now(seconds: u64) -> Now {
    let wall = Timestamp::from_unix_seconds(1_763_542_260);
    Now::new(wall.saturating_add(Duration::from_secs(seconds)), Duration::from_secs(seconds))
}

fn signed_in() -> Credentials {
    let grant = parse_sign_in(&answer(SIGN_IN), EMAIL, now(0), now(1)).unwrap();
    Credentials::from_grant(grant, None).unwrap()
}

fn refreshed(seconds: u64) -> Grant {
    parse_refresh(&answer(REFRESH), now(seconds), now(seconds + 1)).unwrap()
}

/// All that a sign-in grants, as text; `None` where it is an error.
fn written(body: &str) -> Option<String> {
    let grant = parse_sign_in(&answer(body), EMAIL, now(0), now(1)).ok()?;
    let credentials = Credentials::from_grant(grant, None)?;
    Some(SavedSession::new("navien", "here", credentials).to_json().expose().to_owned())
}

#[test]
fn an_escape_in_one_token_changes_nothing_for_the_others() {
    let tokens =
        ["eyJ.id-1.sig", "eyJ.access-1.sig", "refresh-1", "ASIAMADEUPKEY0000001", "made/up+secret", "IQoJb3Jp"];
    for token in tokens {
        let (first, rest) = token.split_at(1);
        let escape = format!("\\u{:04x}{rest}", first.as_bytes()[0]);
        let escaped = SIGN_IN.replace(token, &escape);
        assert_ne!(escaped, SIGN_IN);
        assert_eq!(written(&escaped), written(SIGN_IN), "{token}");
        // A value of another type in one field: the others are read as if it were absent.
        let value = SIGN_IN.split('"').find(|value| value.starts_with(token)).unwrap();
        let without = written(&SIGN_IN.replace(&format!("\"{value}\""), "\"\""));
        for nothing in ["null", "7", "true", "[\"x\"]", "{\"x\":1}", "\" \"", "\"\\u0020\""] {
            let body = SIGN_IN.replace(&format!("\"{value}\""), nothing);
            assert_eq!(written(&body), without, "{token}: {nothing}");
        }
        for broken in ["a\u{1}b", "a\nb", "a\\xb", "a\\ud800b"] {
            assert_eq!(written(&SIGN_IN.replace(token, broken)), None, "{token}: {broken:?}");
        }
    }
}

#[test]
fn a_sign_in_grants_everything() {
    let have = signed_in();
    assert_eq!(have.access().expose(), "eyJ.access-1.sig");
    assert_eq!(have.refresh_token().unwrap().expose(), "refresh-1");
    assert_eq!(have.id_token().unwrap().expose(), "eyJ.id-1.sig");
    assert_eq!(have.expires_at(), Some(now(3600).wall));
    let aws = have.aws().unwrap();
    assert_eq!(aws.access_key_id().expose(), "ASIAMADEUPKEY0000001");
    assert_eq!(aws.secret_access_key().expose(), "made/up+secret+key+of+forty+characters01");
    assert_eq!(aws.session_token().expose(), "IQoJb3JpZ2luX2VjMADEUP//session+token==");
    assert_eq!(have.aws_expires_at(), Some(now(3500).wall));

    let account = have.account();
    assert_eq!((account.id.as_str(), account.name.as_str()), (EMAIL, "Rosa Gardner"));
    let user = UserInfo::of(account);
    assert_eq!((user.first_name.as_str(), user.last_name.as_str()), ("Rosa", "Gardner"));
    assert_eq!((user.user_type.as_str(), user.status.as_str()), ("O", "NORMAL"));
    assert_eq!(user.sequence, Some(36001));
    assert_eq!(user.legal[0]["name"], "terms");
    assert_eq!((user.code, user.message.as_str()), (Some(200), "SUCCESS"));
}

#[test]
fn both_leases_are_renewed_300_s_before_their_ends() {
    let have = signed_in();
    assert!(!have.renewal_due(now(3299)) && have.renewal_due(now(3300)));
    assert!(!have.aws_renewal_due(now(3199)) && have.aws_renewal_due(now(3200)));
}

#[test]
fn missing_fields_of_an_account_have_defaults() {
    let bare = answer(r#"{"data":{"token":{"accessToken":"ey.1"}}}"#);
    let account = parse_sign_in(&bare, EMAIL, now(0), now(1)).unwrap().account.unwrap();
    assert_eq!(account.name, "");
    let user = UserInfo::of(&account);
    assert_eq!((user.sequence, user.legal.len()), (None, 0));
    assert_eq!((user.code, user.message.as_str()), (Some(200), "SUCCESS"));
}

#[test]
fn a_secured_sign_in_brings_aws_credentials_and_the_account() {
    let grant = parse_secured_sign_in(&answer(SECURED_SIGN_IN), EMAIL, now(5), now(6)).unwrap();
    assert!(grant.covers(LeaseId::Aws) && !grant.covers(LeaseId::Access));
    assert_eq!(grant.aws.unwrap().validity().issued_at(), now(5).wall);
    assert_eq!(UserInfo::of(&grant.account.unwrap()).first_name, "Rosa");
}

#[test]
fn a_session_refresh_replaces_the_whole_aws_set_and_nothing_else() {
    let grant = parse_session_refresh(&answer(SESSION_REFRESH), now(3200), now(3201)).unwrap();
    let have = Credentials::from_grant(grant, Some(&signed_in())).unwrap();
    assert_eq!(have.aws().unwrap().access_key_id().expose(), "ASIAMADEUPKEY0000002");
    assert_eq!(have.aws_expires_at(), Some(now(6700).wall));
    assert_eq!(have.expires_at(), Some(now(3600).wall));
    assert_eq!(UserInfo::of(have.account()).first_name, "Rosa");
}

// -- Bugs that users of other clients met.

#[test]
fn bug_a_refresh_answer_without_a_refresh_token_wiped_the_stored_one() {
    let grant = refreshed(3300);
    assert!(grant.refresh_token.is_none());
    let have = Credentials::from_grant(grant, Some(&signed_in())).unwrap();
    assert_eq!(have.access().expose(), "eyJ.access-2.sig");
    assert_eq!(have.refresh_token().unwrap().expose(), "refresh-1");
    assert_eq!(have.account().id, EMAIL);

    // An empty one counts as absent.
    let empty = answer(r#"{"code":200,"data":{"accessToken":"ey.3","refreshToken":"","idToken":""}}"#);
    let grant = parse_refresh(&empty, now(0), now(1)).unwrap();
    assert!(grant.refresh_token.is_none() && grant.id_token.is_none());
}

#[test]
fn bug_the_aws_deadline_moved_3400_s_late_by_refresh_save_and_load() {
    let navien = Navien::default();
    let have = Credentials::from_grant(refreshed(3400), Some(&signed_in())).unwrap();
    assert_eq!(have.aws_expires_at(), Some(now(3500).wall));

    let saved = SavedSession::new(navien.name(), navien.namespace(), have).to_json();
    let later = now(3450);
    let have = navien.read_saved_session(saved.expose().as_bytes(), later).unwrap().into_credentials();
    assert_eq!(have.aws_expires_at(), Some(now(3500).wall));
    assert_eq!(have.expires_at(), Some(now(7000).wall));
    assert!(!have.validity(LeaseId::Aws).unwrap().is_uncertain());
}

#[test]
fn bug_a_missing_aws_deadline_was_treated_as_valid_for_ever() {
    let body = SESSION_REFRESH.replace("\"authorizationExpiresIn\": 3500", "\"authorizationExpiresIn\": 0");
    let grant = parse_session_refresh(&answer(&body), now(0), now(1)).unwrap();
    let validity = *grant.aws.unwrap().validity();
    // Valid with an unknown deadline: none is made up.
    assert_eq!((validity.deadline(), validity.lifetime()), (None, None));
    assert!(!validity.is_expired(now(1_000_000)));
}

#[test]
fn bug_a_300_s_token_was_expired_the_moment_it_was_issued() {
    let short = answer(r#"{"code":200,"data":{"accessToken":"ey.1","authenticationExpiresIn":300}}"#);
    let have = Credentials::from_grant(parse_refresh(&short, now(0), now(1)).unwrap(), None).unwrap();
    assert!(!have.renewal_due(now(1)) && !have.is_expired(now(299)));
    assert!(have.renewal_due(now(225)) && have.is_expired(now(300)));
}

#[test]
fn bug_a_success_without_data_was_accepted_with_an_empty_token() {
    for body in [r#"{"code":200}"#, r#"{"code":200,"data":{}}"#, r#"{"code":200,"data":{"token":{}}}"#] {
        let error = parse_sign_in(&answer(body), EMAIL, now(0), now(1)).unwrap_err();
        assert!(matches!(error.kind(), ServiceErrorKind::Malformed { .. }), "{body}");
        let error = parse_refresh(&answer(body), now(0), now(1)).unwrap_err();
        assert!(matches!(error.kind(), ServiceErrorKind::Malformed { .. }), "{body}");
        assert!(Error::from(error).is_retryable());
    }
}

#[test]
fn bug_a_307_carried_the_password_to_another_host() {
    let login = Login::new(EMAIL, "hunter2").unwrap();
    for status in [301, 302, 303, 307, 308] {
        let mut exchange = Navien::default().sign_in(&login);
        exchange.start(now(0));
        let mut response = answer("");
        *response.status_mut() = status.try_into().unwrap();
        let elsewhere = "https://elsewhere.example/api/v2.1/user/sign-in".parse().unwrap();
        response.headers_mut().insert("location", elsewhere);
        // An error, and no second request.
        let error = exchange.receive(response, now(1)).unwrap_err();
        assert!(error.is_retryable(), "{status}");
    }
}

#[test]
fn a_refresh_without_a_lifetime_lives_an_hour() {
    let bare = answer(r#"{"data":{"accessToken":"ey.1"}}"#);
    let grant = parse_refresh(&bare, now(0), now(1)).unwrap();
    assert_eq!(grant.access.unwrap().validity().lifetime(), Some(DEFAULT_LIFETIME));
}

#[test]
fn a_renewal_that_brings_no_aws_set_and_the_same_access_token_grants_nothing() {
    let held = signed_in();
    let token = held.access().expose();
    // One of the endpoints has the tokens in an object of their own.
    let tokens = format!(r#""accessToken":"{token}","accessKeyId":"ASIA1""#);
    let body = format!(r#"{{"code":200,"data":{{{tokens},"token":{{{tokens}}}}}}}"#);
    let navien = Navien::default();
    for method in navien.methods(LeaseId::Aws).iter().take(2) {
        let mut exchange = navien.begin(*method, None, Some(&held)).unwrap();
        exchange.start(now(9));
        let Err(Error::Service(error)) = exchange.receive(answer(&body), now(10)) else {
            panic!("{method:?} grants something");
        };
        assert_eq!(error.kind(), ServiceErrorKind::Malformed { what: "an incomplete AWS set" });
    }
}
