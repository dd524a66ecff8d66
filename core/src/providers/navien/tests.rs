use http::{HeaderValue, StatusCode, Uri};
use serde_json::{Value, json};

use super::*;
use crate::credentials::{AccessToken, Account, Timestamp, Validity};
use crate::error::{Error, Outcome, ServiceError, ServiceErrorKind};
use crate::exchange::{Exchange as _, Request, Response, Step};
use crate::grant::Grant;
use crate::wire::InvalidUrl;

const EMAIL: &str = "grower@example.com";

fn now(seconds: u64) -> Now {
    Now::new(
        Timestamp::from_unix_seconds(1_700_000_000).saturating_add(Duration::from_secs(seconds)),
        Duration::from_secs(1000 + seconds),
    )
}

fn answer(status: u16, body: impl Into<String>) -> Response {
    let mut response = Response::new(body.into().into_bytes().into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

#[allow(clippy::needless_pass_by_value, reason = "callers read better")]
fn envelope(code: u16, msg: &str, data: Value) -> String {
    json!({"code": code, "msg": msg, "data": data}).to_string()
}

fn sign_in(response: &Response) -> Result<Grant, ServiceError> {
    parse_sign_in(response, EMAIL, now(0), now(1))
}

fn refresh(response: &Response) -> Result<Grant, ServiceError> {
    parse_refresh(response, now(0), now(1))
}

fn session_refresh(response: &Response) -> Result<Grant, ServiceError> {
    parse_session_refresh(response, now(0), now(1))
}

/// The error of both parsers for an answer: after a sign-in and after a renewal.
fn kinds(status: u16, body: &str) -> [ServiceErrorKind; 2] {
    let response = answer(status, body);
    [sign_in(&response).unwrap_err().kind(), refresh(&response).unwrap_err().kind()]
}

fn credentials(user_id: &str, refresh_token: Option<&str>) -> Credentials {
    let grant = Grant {
        access: Some(AccessToken::new("Bearer", "ey.access", Validity::unknown(now(0))).unwrap()),
        refresh_token: refresh_token.map(Secret::from),
        account: Some(Account::new(user_id)),
        ..Grant::default()
    };
    Credentials::from_grant(grant, None).unwrap()
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(request.http.body().as_ref()).unwrap()
}

const REFUSED: [ServiceErrorKind; 2] = [ServiceErrorKind::InvalidCredentials, ServiceErrorKind::RefreshRefused];
const FAILED: [ServiceErrorKind; 2] = [ServiceErrorKind::Service; 2];

// -- Addresses, methods, requests.

#[test]
fn the_addresses_of_this_crate_pass_their_own_checks() {
    assert_eq!(Navien::default().base_url(), Navien::new(&format!("{BASE_URL}/")).unwrap().base_url());
    #[cfg(feature = "aws")]
    assert_eq!(Navien::mqtt(), crate::aws::Mqtt::new(MQTT_ENDPOINT, MQTT_REGION).unwrap());
}

#[test]
fn a_password_goes_to_https_or_to_this_machine_only() {
    assert!(Navien::new("http://127.0.0.1:8080/api").is_ok());
    assert_eq!(Navien::new("http://example.com").unwrap_err(), InvalidUrl::NotHttps);
}

#[test]
fn requests_carry_the_secret_in_the_body_or_a_sensitive_header() {
    let navien = Navien::new("https://a.example/api/").unwrap();
    let login = Login::new(EMAIL, "pass \"word\"").unwrap();
    let access = AccessToken::new("Bearer", "ey.access", Validity::unknown(now(0))).unwrap();

    let request = navien.sign_in_request(&login);
    assert_eq!(format!("{request:?}"), "POST a.example/api/user/sign-in");
    assert_eq!(body(&request), json!({"userId": EMAIL, "password": "pass \"word\""}));

    let request = navien.refresh_request(&Secret::from("r-1"));
    assert_eq!(format!("{request:?}"), "POST a.example/api/auth/refresh");
    assert_eq!(body(&request), json!({"refreshToken": "r-1"}));
    assert!(!request.http.headers().contains_key("authorization"));

    for (request, path) in [
        (navien.session_refresh_request(EMAIL, &access), "/api/auth/session/refresh"),
        (navien.secured_sign_in_request(EMAIL, &access), "/api/user/secured-sign-in"),
    ] {
        assert_eq!(request.http.uri().path(), path);
        assert_eq!(body(&request), json!({"userId": EMAIL}));
        let header = &request.http.headers()["authorization"];
        assert_eq!(header, "ey.access");
        assert!(header.is_sensitive());
    }
}

#[test]
fn api_calls_carry_the_token_raw_unless_bearer_is_set() {
    let have = credentials(EMAIL, None);
    let header = |navien: &Navien| -> HeaderValue {
        let mut headers = HeaderMap::new();
        navien.authorize(&Call::new(&http::Method::POST, &Uri::default(), now(0).wall), &have, &mut headers);
        headers["authorization"].clone()
    };
    let raw = header(&Navien::default());
    assert_eq!(raw, "ey.access");
    assert!(raw.is_sensitive());
    let bearer = Navien::default().with_authorization(Authorization::Bearer);
    assert_eq!(header(&bearer), "Bearer ey.access");

    // Renewals send the token raw in any case.
    let mut exchange = bearer.begin(Method::SessionRefresh, None, Some(&have)).unwrap();
    assert_eq!(exchange.start(now(0)).http.headers()["authorization"], "ey.access");
}

#[test]
fn a_method_without_its_token_or_login_makes_no_exchange() {
    let navien = Navien::default();
    let login = Login::new("other@example.com", "x").unwrap();
    let begins = |method, login, have: Option<&Credentials>| navien.begin(method, login, have).is_some();

    assert!(!begins(Method::SignIn, None, Some(&credentials(EMAIL, Some("r")))));
    assert!(begins(Method::SignIn, Some(&login), None));
    assert!(!begins(Method::Refresh, Some(&login), Some(&credentials(EMAIL, None))));
    assert!(begins(Method::Refresh, None, Some(&credentials(EMAIL, Some("r")))));
    for method in [Method::SessionRefresh, Method::SecuredSignIn] {
        assert!(!begins(method, Some(&login), None));
        assert!(!begins(method, None, Some(&credentials("", None))));
        assert!(begins(method, None, Some(&credentials(EMAIL, None))));
        assert!(begins(method, Some(&login), Some(&credentials("", None))));
    }
    // Where both are known, the account of the access token counts.
    let mut exchange = navien.begin(Method::SessionRefresh, Some(&login), Some(&credentials(EMAIL, None))).unwrap();
    assert_eq!(body(&exchange.start(now(0))), json!({"userId": EMAIL}));
    assert!(navien.sign_out(&credentials(EMAIL, Some("r"))).is_none());
}

// -- Exchanges.

#[test]
fn lifetimes_run_from_the_moment_of_sending() {
    let mut exchange = Navien::default().refresh(&Secret::from("r-1"));
    exchange.start(now(100));
    let data = json!({"accessToken": "ey.2", "authenticationExpiresIn": 60});
    let step = exchange.receive(answer(200, envelope(200, "", data)), now(125)).unwrap();
    let Step::Done(grant) = step else { panic!("another request") };
    let validity = *grant.access.unwrap().validity();
    assert_eq!(validity.issued_at(), now(100).wall);
    assert_eq!(validity.deadline().unwrap().monotonic, now(160).monotonic);
}

#[test]
fn an_exchange_hides_what_it_sends() {
    let login = Login::new(EMAIL, "hunter2").unwrap();
    let renewal = Navien::default().begin(Method::SessionRefresh, None, Some(&credentials(EMAIL, None))).unwrap();
    assert!(format!("{renewal:?}").contains("SessionRefresh(Caller(***))"), "{renewal:?}");
    for exchange in [Navien::default().sign_in(&login), Navien::default().refresh(&Secret::from("hunter2")), renewal] {
        let shown = format!("{exchange:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("ey.access") && !shown.contains(EMAIL), "{shown}");
    }
}

#[test]
fn an_error_repeats_no_secret_that_the_service_echoes() {
    let mut exchange = Navien::default().sign_in(&Login::new(EMAIL, "hunter2").unwrap());
    exchange.start(now(0));
    let body = envelope(401, "grower@example.com: password hunter2 is wrong", Value::Null);
    let error = exchange.receive(answer(200, body), now(1)).unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("hunter2") && !shown.contains(EMAIL), "{shown}");
    let Error::Service(error) = error else { panic!("{error}") };
    assert_eq!((error.kind(), error.code()), (ServiceErrorKind::InvalidCredentials, Some("401")));
}

// -- Refusals.

#[test]
fn a_rejected_login_is_a_401_or_a_message_that_says_so() {
    for (status, body) in [
        (401, envelope(401, "INVALID_CREDENTIALS", Value::Null)),
        (200, envelope(401, "no", Value::Null)),
        (200, json!({"code": "401"}).to_string()),
        (400, envelope(400, "Invalid e-mail or password", Value::Null)),
        (200, envelope(1001, "UNAUTHORIZED", Value::Null)),
        (403, json!({"message": "unauthorized"}).to_string()),
        (401, String::new()),
        (401, "Unauthorized".to_owned()),
        (404, envelope(401, "no", Value::Null)),
        (401, envelope(200, "SUCCESS", json!({"token": {"accessToken": "ey.1"}}))),
    ] {
        assert_eq!(kinds(status, &body), REFUSED, "{status} {body}");
    }
}

#[test]
fn a_locked_and_a_missing_account_are_different_errors() {
    for (status, code, msg) in [
        (403, 403, "ACCOUNT_LOCKED"),
        (401, 401, "Account locked after too many invalid attempts"),
        (200, 423, "locked"),
    ] {
        let body = envelope(code, msg, Value::Null);
        assert_eq!(kinds(status, &body), [ServiceErrorKind::AccountLocked; 2], "{msg}");
    }
    for (status, code, msg) in
        [(401, 401, "USER_NOT_FOUND"), (404, 404, "User not found"), (200, 404, "This account does not exist")]
    {
        let body = envelope(code, msg, Value::Null);
        let [at_sign_in, at_refresh] = kinds(status, &body);
        assert_eq!(at_sign_in, ServiceErrorKind::UserNotFound, "{msg}");
        assert_eq!(at_refresh, ServiceErrorKind::RefreshRefused, "{msg}");
    }
}

#[test]
fn a_failing_service_rejects_no_login_whatever_it_says() {
    let invalid = |code| envelope(code, "INVALID_CREDENTIALS: account locked, user not found", Value::Null);
    for (status, body) in [
        (500, invalid(401)),
        (502, "<html>unauthorized</html>".to_owned()),
        (503, invalid(401)),
        (200, invalid(500)),
        (401, invalid(503)),
        (400, invalid(599)),
    ] {
        assert_eq!(kinds(status, &body), FAILED, "{status} {body}");
    }
    for (status, code) in [(429, 401), (200, 429), (401, 429)] {
        assert_eq!(kinds(status, &invalid(code)), [ServiceErrorKind::RateLimited { retry_after: None }; 2]);
    }
}

#[test]
fn retry_after_is_obeyed_under_http_200_too() {
    for (status, code) in [(429, 429), (200, 429), (503, 503), (200, 503)] {
        let mut response = answer(status, envelope(code, "slow down", Value::Null));
        response.headers_mut().insert("retry-after", HeaderValue::from_static("7"));
        let error = Error::from(refresh(&response).unwrap_err());
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)), "{status} {code}");
        assert_eq!(error.outcome(), Outcome::NotProcessed);
    }
    for (status, code) in [(403, 0), (400, 400), (500, 500), (200, 500)] {
        let mut response = answer(status, envelope(code, "slow down", Value::Null));
        response.headers_mut().insert("retry-after", HeaderValue::from_static("7"));
        let error = Error::from(sign_in(&response).unwrap_err());
        assert_eq!(
            (error.retry_after(), error.outcome()),
            (Some(Duration::from_secs(7)), Outcome::Indeterminate),
            "{status}"
        );
    }
}

#[test]
fn a_missing_endpoint_is_unsupported() {
    for (status, body) in [
        (404, String::new()),
        (404, envelope(404, "NOT_FOUND", Value::Null)),
        (404, json!({"message": "invalid path"}).to_string()),
        (405, envelope(405, "unauthorized method", Value::Null)),
        (501, String::new()),
        (200, envelope(404, "Not Found", Value::Null)),
    ] {
        assert_eq!(kinds(status, &body), [ServiceErrorKind::Unsupported; 2], "{status} {body}");
    }
}

#[test]
fn a_web_page_under_404_is_no_missing_endpoint() {
    for status in [404, 405, 501] {
        for error in [sign_in(&answer(status, "<html>Not Found</html>")), refresh(&answer(status, "<html>"))] {
            assert!(matches!(error.unwrap_err().kind(), ServiceErrorKind::Malformed { .. }), "{status}");
        }
    }
}

#[test]
fn a_403_without_a_reason_rejects_no_login() {
    let body = envelope(403, "FORBIDDEN", Value::Null);
    assert_eq!(kinds(403, &body), [ServiceErrorKind::Service, ServiceErrorKind::RefreshRefused]);
    let gateway = json!({"message": "Forbidden"}).to_string();
    assert_eq!(kinds(403, &gateway), FAILED);
}

#[test]
fn other_codes_are_failures_of_the_service() {
    for (status, body) in [
        (400, envelope(400, "BAD_REQUEST", Value::Null)),
        (400, envelope(200, "SUCCESS", Value::Null)),
        (409, String::new()),
        (200, json!({"code": "OK", "data": {"token": {"accessToken": "ey.1"}}}).to_string()),
        (200, json!({"code": -1, "data": "x"}).to_string()),
        (200, json!({"code": 0, "data": [1]}).to_string()),
    ] {
        assert_eq!(kinds(status, &body), FAILED, "{status} {body}");
    }
}

#[test]
fn pages_and_truncated_bodies_reject_nothing() {
    for (status, body) in [
        (200, "<html>invalid</html>"),
        (401, "<html>unauthorized</html>"),
        (403, " <!doctype html>unauthorized"),
        (200, r#"{"code":401,"msg":"inval"#),
        (200, ""),
        (200, "null"),
        (200, "[]"),
        (200, r#"[401,"unauthorized"]"#),
        (307, r#"{"code":401}"#),
    ] {
        for kind in kinds(status, body) {
            assert!(matches!(kind, ServiceErrorKind::Malformed { .. }), "{status} {body}: {kind:?}");
        }
    }
}

#[test]
fn an_error_wins_over_tokens_in_the_same_body() {
    let data = json!({"accessToken": "ey.1", "token": {"accessToken": "ey.1"}});
    assert_eq!(kinds(200, &envelope(401, "", data.clone())), REFUSED);
    assert_eq!(kinds(401, &envelope(200, "", data)), REFUSED);
}

#[test]
fn a_rejection_counts_even_where_the_data_is_broken() {
    let twice =
        r#"{"code":401,"data":{"accessToken":"a","accessToken":"b","token":{"accessToken":"a","accessToken":"b"}}}"#;
    assert_eq!(kinds(200, twice), REFUSED);
}

// -- Grants.

#[test]
fn a_success_is_read_in_every_form() {
    for body in [
        r#"{"code":200,"msg":"SUCCESS","data":{"token":{"accessToken":"ey.1"}}}"#,
        r#"{"code":"200","data":{"token":{"accessToken":"ey.1"}}}"#,
        r#"{"code":200.0,"data":{"tokens":{"accessToken":"ey.1"}}}"#,
        r#"{"data":{"token":{"accessToken":"ey.1"},"userInfo":null,"legal":null}}"#,
        r#"{"code":null,"data":{"token":{"access_token":"ey.1"},"userInfo":[],"legal":"x","unknown":{"a":[1]}}}"#,
        "\u{feff}{\"data\":{\"token\":{\"accessToken\":\"\",\"access_token\":\"ey.1\"}}}",
        r#"{"data":{"token":null,"tokens":{"accessToken":"ey\u002e1"},"userInfo":{"userSeq":"x","userType":7}}}"#,
    ] {
        for status in [200, 201] {
            let grant = sign_in(&answer(status, body)).unwrap();
            assert_eq!(grant.access.unwrap().expose(), "ey.1", "{body}");
            assert_eq!(grant.account.unwrap().id, EMAIL);
        }
    }
}

#[test]
fn a_success_without_a_usable_token_is_malformed() {
    for data in [
        json!(null),
        json!([]),
        json!("x"),
        json!({}),
        json!({"token": null, "accessToken": null}),
        json!({"token": "ey.1", "accessToken": 1}),
        json!({"token": ["ey.1"], "accessToken": ["ey.1"]}),
        json!({"token": {"accessToken": ""}, "accessToken": ""}),
        json!({"token": {"accessToken": "  "}, "accessToken": "  "}),
        json!({"token": {"accessToken": "a\r\nb"}, "accessToken": "a\r\nb"}),
        json!({"token": {"accessToken": "é"}, "accessToken": "é"}),
        json!({"token": {"accessToken": "a", "refreshToken": "\u{0}"}, "accessToken": "a", "refreshToken": "\u{0}"}),
    ] {
        for kind in kinds(200, &envelope(200, "SUCCESS", data.clone())) {
            assert!(matches!(kind, ServiceErrorKind::Malformed { .. }), "{data}: {kind:?}");
        }
    }
}

#[test]
fn duplicate_keys_are_refused() {
    for body in [
        r#"{"code":200,"code":200,"data":{"accessToken":"a","token":{"accessToken":"a"}}}"#,
        r#"{"data":{"accessToken":"a","accessToken":"b","token":{"accessToken":"a","accessToken":"b"}}}"#,
        r#"{"data":{"accessToken":"a","token":{"accessToken":"a"}},"data":{"accessToken":"a"}}"#,
    ] {
        for kind in kinds(200, body) {
            assert!(matches!(kind, ServiceErrorKind::Malformed { .. }), "{body}: {kind:?}");
        }
    }
}

#[test]
fn lifetimes_that_make_no_sense_get_the_default() {
    for odd in [json!(null), json!(0), json!(-5), json!("soon"), json!("NaN"), json!("")] {
        let data = json!({
            "accessToken": "ey.1", "authenticationExpiresIn": odd,
            "accessKeyId": "k", "secretKey": "s", "sessionToken": "t", "authorizationExpiresIn": odd,
        });
        let grant = refresh(&answer(200, envelope(200, "", data))).unwrap();
        let lifetime = grant.access.unwrap().validity().lifetime();
        assert_eq!(lifetime, Some(DEFAULT_LIFETIME), "{odd}");
        assert_eq!(grant.aws.unwrap().validity().lifetime(), None, "{odd}");
    }
}

#[test]
fn an_incomplete_aws_set_is_left_out() {
    let half = json!({"accessToken": "ey.1", "accessKeyId": "k", "secretKey": "s", "sessionToken": ""});
    let response = answer(200, envelope(200, "", half));
    let grant = refresh(&response).unwrap();
    assert!(grant.access.is_some() && grant.aws.is_none());
    let grant = session_refresh(&response).unwrap();
    assert!(grant.access.is_some() && grant.aws.is_none(), "a token is not thrown away because of it");
    assert!(matches!(grant.flaw.unwrap().kind(), ServiceErrorKind::Malformed { .. }));
    let half = answer(200, envelope(200, "", json!({"accessKeyId": "k"})));
    assert!(matches!(session_refresh(&half).unwrap_err().kind(), ServiceErrorKind::Malformed { .. }));

    let none = answer(200, envelope(200, "", json!({"authorizationExpiresIn": 3500})));
    assert_eq!(session_refresh(&none).unwrap_err().kind(), ServiceErrorKind::NotGranted);
}

#[test]
fn renewing_aws_credentials_moves_no_other_deadline_unless_jwts_come_with_them() {
    let mut data = json!({"accessKeyId": "k", "secretKey": "s", "sessionToken": "t", "authenticationExpiresIn": 60});
    let grant = session_refresh(&answer(200, envelope(200, "", data.clone()))).unwrap();
    assert!(grant.aws.is_some());
    assert!(grant.access.is_none() && grant.refresh_token.is_none() && grant.account.is_none());
    data["accessToken"] = json!("ey.1");
    data["refreshToken"] = json!("r\n");
    let grant = session_refresh(&answer(200, envelope(200, "", data))).unwrap();
    assert_eq!(grant.access.unwrap().validity().lifetime(), Some(Duration::from_secs(60)));
    assert!(grant.aws.is_some() && grant.refresh_token.is_none(), "an odd token is no reason to lose the others");
}
