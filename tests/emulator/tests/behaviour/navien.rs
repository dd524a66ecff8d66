//! The service's own rules, without faults.

use crate::client::*;
use perennial_emulator::{Emulator, EndpointSet, NavienSettings, Refusals, Rotation};
use serde_json::{Value, json};
use std::time::Duration;

const EMAIL: &str = NavienSettings::EMAIL;

fn start(change: impl FnOnce(&mut NavienSettings)) -> Emulator {
    let mut settings = NavienSettings::default();
    change(&mut settings);
    Emulator::builder().navien(settings).start().unwrap()
}

#[test]
fn a_sign_in_answers_with_everything_and_looks_like_the_real_one() {
    let emulator = start(|_| {});
    let reply = ask(&emulator, SIGN_IN, None, &login());
    assert_eq!(reply.header("content-type").as_deref(), Some("application/json"));
    assert_eq!(reply.length(), reply.body().len());
    assert!((4_000..6_500).contains(&reply.body().len()), "{}", reply.body().len());

    let answer = reply.json();
    assert_eq!(answer["code"], 200);
    let data = &answer["data"];
    for field in ["userType", "userFirstName", "userLastName", "userStatus"] {
        assert!(data["userInfo"][field].is_string(), "{field}");
    }
    assert!(data["userInfo"]["userSeq"].is_number());
    assert!(data["legal"].is_array());
    let token = &data["token"];
    for field in ["idToken", "accessToken", "refreshToken", "accessKeyId", "secretKey", "sessionToken"] {
        assert!(!text(token, field).is_empty(), "{field}");
    }
    assert_eq!(token["authenticationExpiresIn"], 3600);
    assert_eq!(token["authorizationExpiresIn"], 3600);
    assert_eq!(text(token, "accessToken").split('.').count(), 3);
}

#[test]
fn an_absent_aws_lifetime_is_absent() {
    let emulator = start(|settings| settings.aws_lifetime = None);
    let token = sign_in(&emulator);
    assert!(token.get("authorizationExpiresIn").is_none());
    assert!(token.get("sessionToken").is_some());
}

#[test]
fn a_token_works_raw_and_as_bearer_for_its_own_account_only() {
    let emulator = start(|_| {});
    let token = sign_in(&emulator);
    let access = text(&token, "accessToken");
    assert_eq!(call(&emulator, access), 200);
    assert_eq!(call(&emulator, &format!("Bearer {access}")), 200);
    assert_eq!(call(&emulator, "unknown"), 401);
    assert_eq!(call(&emulator, text(&token, "idToken")), 401);
    let other = json!({"offset": 0, "count": 20, "userId": "other@example.com"});
    assert_eq!(ask(&emulator, DEVICE_LIST, Some(access), &other).status(), 403);
}

#[test]
fn tokens_age_with_the_servers_clock() {
    let settings = NavienSettings {
        access_lifetime: Duration::from_secs(100),
        aws_lifetime: Some(Duration::from_secs(200)),
        ..NavienSettings::default()
    };
    let emulator = Emulator::builder().navien(settings).still().start().unwrap();
    let navien = emulator.navien();
    let token = sign_in(&emulator);
    let access = text(&token, "accessToken");
    let aws =
        || navien.is_aws_valid(text(&token, "accessKeyId"), text(&token, "secretKey"), text(&token, "sessionToken"));
    emulator.advance(Duration::from_secs(50));
    assert!(navien.is_access_valid(access));
    emulator.advance(Duration::from_secs(50));
    assert!(!navien.is_access_valid(access));
    assert_eq!(call(&emulator, access), 401);
    assert!(aws());
    emulator.advance(Duration::from_secs(100));
    assert!(!aws());
    assert!(navien.is_refresh_valid(text(&token, "refreshToken")));
}

#[test]
fn skew_changes_what_the_server_says_and_not_how_tokens_age() {
    let emulator = start(|_| {});
    let token = sign_in(&emulator);
    emulator.skew(-10 * 365 * 24 * 3600);
    assert_eq!(call(&emulator, text(&token, "accessToken")), 200);
    let date = ask(&emulator, SIGN_IN, None, &login()).header("date").unwrap();
    let year: u32 = date.split(' ').nth(3).unwrap().parse().unwrap();
    emulator.skew(0);
    let date = ask(&emulator, SIGN_IN, None, &login()).header("date").unwrap();
    let this_year: u32 = date.split(' ').nth(3).unwrap().parse().unwrap();
    assert!((9..=11).contains(&(this_year - year)), "{year} {this_year}");
    for skew in [i64::MIN, i64::MAX] {
        emulator.skew(skew);
        assert_eq!(ask(&emulator, SIGN_IN, None, &login()).status(), 200);
    }
}

#[test]
fn a_refresh_rotates_and_reuse_ends_the_session() {
    let emulator = start(|_| {});
    let navien = emulator.navien();
    let first = sign_in(&emulator);
    let reply = refresh(&emulator, &first["refreshToken"]);
    let second = reply.data();
    assert_eq!(second["authenticationExpiresIn"], 3600);
    assert!(second.get("sessionToken").is_none());
    assert_ne!(first["refreshToken"], second["refreshToken"]);
    assert_ne!(first["accessToken"], second["accessToken"]);
    assert_eq!(call(&emulator, text(&second, "accessToken")), 200);
    assert_eq!(navien.live_sessions(EMAIL), 1);

    let reuse = refresh(&emulator, &first["refreshToken"]);
    assert_eq!((reuse.status(), reuse.json()["code"].clone()), (401, json!(401)));
    assert_eq!((navien.reuse_detected(), navien.refreshes(), navien.refused_refreshes()), (1, 1, 1));
    assert_eq!(navien.live_sessions(EMAIL), 0);
    assert_eq!(call(&emulator, text(&second, "accessToken")), 401);
    assert_eq!(refresh(&emulator, &second["refreshToken"]).status(), 401);
    // A new sign-in is a new session.
    assert_eq!(call(&emulator, text(&sign_in(&emulator), "accessToken")), 200);
}

#[test]
fn gentler_services_can_be_had() {
    let emulator = start(|settings| settings.rotation = Rotation::RotatingLenient);
    let first = sign_in(&emulator);
    let second = refresh(&emulator, &first["refreshToken"]).data();
    assert_eq!(refresh(&emulator, &first["refreshToken"]).status(), 401);
    assert_eq!(refresh(&emulator, &second["refreshToken"]).status(), 200);

    let emulator = start(|settings| settings.rotation = Rotation::Fixed);
    let first = sign_in(&emulator);
    let second = refresh(&emulator, &first["refreshToken"]).data();
    assert_eq!(first["refreshToken"], second["refreshToken"]);
    assert_eq!(refresh(&emulator, &first["refreshToken"]).status(), 200);
}

#[test]
fn a_refresh_answer_can_leave_fields_out_or_bring_aws_credentials() {
    let emulator = start(|settings| {
        settings.refresh_answer_omits_refresh_token = true;
        settings.refresh_answer_omits_id_token = true;
        settings.refresh_answer_with_aws = true;
    });
    let token = sign_in(&emulator);
    for _ in 0..2 {
        let data = refresh(&emulator, &token["refreshToken"]).data();
        assert!(data.get("refreshToken").is_none() && data.get("idToken").is_none());
        assert!(data["accessToken"].is_string() && data["sessionToken"].is_string());
    }
}

#[test]
fn aws_credentials_are_renewed_by_session_refresh_and_secured_sign_in() {
    let emulator = start(|_| {});
    let token = sign_in(&emulator);
    let access = text(&token, "accessToken");
    let body = json!({"userId": EMAIL});
    let flat = ask(&emulator, SESSION_REFRESH, Some(access), &body).data();
    let nested = ask(&emulator, SECURED_SIGN_IN, Some(access), &body).data();
    assert!(nested["userInfo"].is_object() && nested["legal"].is_array());
    for aws in [&flat, &nested["token"]] {
        let (id, key, session) = (text(aws, "accessKeyId"), text(aws, "secretKey"), text(aws, "sessionToken"));
        assert!(emulator.navien().is_aws_valid(id, key, session));
        assert!(aws.get("accessToken").is_none() && aws["authorizationExpiresIn"] == 3600);
    }
    assert_eq!(ask(&emulator, SESSION_REFRESH, None, &body).status(), 401);
    assert_eq!((emulator.navien().session_refreshes(), emulator.navien().secured_sign_ins()), (1, 1));
}

#[test]
fn the_old_endpoint_set_lacks_two_endpoints() {
    let emulator = start(|settings| settings.endpoint_set = EndpointSet::Old);
    let token = sign_in(&emulator);
    for path in [SESSION_REFRESH, SECURED_SIGN_IN] {
        let reply = ask(&emulator, path, Some(text(&token, "accessToken")), &json!({"userId": EMAIL}));
        assert_eq!(reply.status(), 404);
    }
    assert_eq!(refresh(&emulator, &token["refreshToken"]).status(), 200);
}

#[test]
fn logins_are_refused_by_status_or_in_the_envelope() {
    let wrong = json!({"userId": EMAIL, "password": "wrong"});
    for (refusals, status) in [(Refusals::Status, 401), (Refusals::Envelope, 200)] {
        let emulator = start(|settings| settings.refusals = refusals);
        let reply = ask(&emulator, SIGN_IN, None, &wrong);
        assert_eq!((reply.status(), reply.json()["code"].clone()), (status, json!(401)));
        assert_eq!(refresh(&emulator, &json!("unknown")).status(), status);
        // API calls are refused by status either way.
        assert_eq!(call(&emulator, "unknown"), 401);
    }
}

#[test]
fn accounts_can_be_added_locked_and_given_another_password() {
    let emulator = start(|_| {});
    let navien = emulator.navien();
    let status = |email: &str, password: &str| {
        ask(&emulator, SIGN_IN, None, &json!({"userId": email, "password": password})).status()
    };
    navien.add_account("other@example.com", "one");
    assert_eq!(status("other@example.com", "one"), 200);
    navien.lock_account("other@example.com");
    assert_eq!(status("other@example.com", "one"), 403);
    navien.unlock_account("other@example.com");
    navien.change_password("other@example.com", "two");
    assert_eq!(status("other@example.com", "one"), 401);
    assert_eq!(status("other@example.com", "two"), 200);
    assert_eq!((navien.sign_ins(), navien.refused_sign_ins()), (2, 2));
}

#[test]
fn revoking_is_for_one_account_and_one_kind() {
    let emulator = start(|_| {});
    let navien = emulator.navien();
    navien.add_account("other@example.com", "one");
    let other = json!({"userId": "other@example.com", "password": "one"});
    let other: Value = ask(&emulator, SIGN_IN, None, &other).data()["token"].clone();
    let token = sign_in(&emulator);
    assert_eq!(navien.newest_access(EMAIL).as_deref(), token["accessToken"].as_str());

    navien.revoke_access(EMAIL);
    assert!(!navien.is_access_valid(text(&token, "accessToken")));
    assert!(navien.is_refresh_valid(text(&token, "refreshToken")));
    navien.revoke_refresh(EMAIL);
    assert!(!navien.is_refresh_valid(text(&token, "refreshToken")));
    assert_eq!(navien.live_sessions(EMAIL), 1);
    navien.revoke_session(EMAIL);
    assert_eq!(navien.live_sessions(EMAIL), 0);
    assert!(navien.is_access_valid(text(&other, "accessToken")));
    // Revoked is not spent: nobody stole anything.
    assert_eq!(refresh(&emulator, &token["refreshToken"]).status(), 401);
    assert_eq!(navien.reuse_detected(), 0);
}

#[test]
fn what_is_no_proper_request_is_told_so() {
    let emulator = start(|_| {});
    assert_eq!(ask(&emulator, "/elsewhere", None, &json!({})).status(), 404);
    assert_eq!(ask(&emulator, SIGN_IN, None, &json!({})).status(), 400);
    assert_eq!(ask(&emulator, SIGN_IN, None, &json!({"userId": 1, "password": []})).status(), 400);
}
