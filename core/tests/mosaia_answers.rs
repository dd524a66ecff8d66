//! Mosaia's answers, in the forms that its own client reads, and the bugs of that client.
#![cfg(feature = "mosaia")]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::time::Duration;

use http::StatusCode;
use perennial_core::oauth2::{AuthorizationRequest, GrantType, parse_token};
use perennial_core::providers::mosaia::{
    Checked, ENTROPY, Login, Mosaia, SignInMethod, parse_refresh, parse_self, parse_sign_in, parse_sign_out,
};
use perennial_core::{
    Credentials, Error, Exchange, Grant, Now, Outcome, Response, Secret, ServiceError, ServiceErrorKind, Step,
    Timestamp,
};
use serde_json::{Value, json};

const NOON: i64 = 1_754_078_400;
const DATE: &str = "Fri, 01 Aug 2025 20:00:00 GMT";

fn now(seconds: u64) -> Now {
    let wall = Timestamp::from_unix_seconds(NOON).saturating_add(Duration::from_secs(seconds));
    Now::new(wall, Duration::from_secs(seconds))
}

#[expect(clippy::needless_pass_by_value, reason = "so that a test says what it answers in one line")]
fn answer(status: u16, body: impl ToString) -> Response {
    let mut response = Response::new(body.to_string().into_bytes().into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

fn dated(mut response: Response, date: &str) -> Response {
    response.headers_mut().insert("date", date.parse().unwrap());
    response
}

fn login() -> Login {
    Login::password("grower@example.com", "hunter2").unwrap()
}

fn mosaia() -> Mosaia {
    Mosaia::builder().client_id("my-app").build().unwrap()
}

/// The tokens, with this `exp`.
fn tokens(exp: &Value) -> Value {
    json!({"access_token": "ey.1", "refresh_token": "r-1", "sub": "user-7", "iat": "1754078400", "exp": exp})
}

fn nested(tokens: &Value) -> Value {
    json!({"data": tokens, "meta": {"x": 1}})
}

fn sign_in(response: &Response) -> Result<Grant, ServiceError> {
    parse_sign_in(response, &login(), now(0), now(1))
}

fn refresh(response: &Response) -> Result<Grant, ServiceError> {
    parse_refresh(response, now(0), now(1))
}

fn oauth_refresh(response: &Response) -> Result<Grant, ServiceError> {
    parse_token(mosaia().profile().unwrap(), GrantType::RefreshToken, response, now(0), now(1))
}

fn lifetime(grant: Grant) -> Option<Duration> {
    grant.access.unwrap().validity().lifetime()
}

fn is_malformed(error: &ServiceError) -> bool {
    matches!(error.kind(), ServiceErrorKind::Malformed { .. })
}

#[test]
fn a_sign_in_grants_tokens_and_says_how_it_was_begun() {
    let answer = dated(answer(200, nested(&tokens(&json!("1754082000")))), DATE);
    let have = Credentials::from_grant(sign_in(&answer).unwrap(), None).unwrap();
    assert_eq!(have.bearer(), "Bearer ey.1");
    assert_eq!(have.refresh_token().unwrap().expose(), "r-1");
    assert_eq!(have.expires_at(), Some(now(3600).wall));
    assert_eq!(have.account().id, "grower@example.com");
    assert_eq!((have.grant_type(), SignInMethod::of(&have)), (Some("password"), Some(SignInMethod::Password)));
    assert_eq!((have.extra("sub"), have.extra("iat")), (Some("user-7".into()), Some("1754078400".into())));
    assert!(!have.renewal_due(now(3299)) && have.renewal_due(now(3300)));

    let robot = Login::client("robot", "s").unwrap();
    let grant = parse_sign_in(&answer, &robot, now(0), now(1)).unwrap();
    assert_eq!((grant.grant_type, grant.account.unwrap().id), (Some("client"), "robot".to_owned()));
}

#[test]
fn a_refresh_changes_neither_how_the_session_was_begun_nor_whose_it_is() {
    let old = Credentials::from_grant(sign_in(&answer(200, nested(&tokens(&Value::Null)))).unwrap(), None).unwrap();
    let bare = json!({"access_token": "ey.2", "refresh_token": null, "sub": "user-7", "exp": 1_754_082_000});
    let have = Credentials::from_grant(refresh(&answer(200, nested(&bare))).unwrap(), Some(&old)).unwrap();
    assert_eq!((have.access().expose(), have.refresh_token().unwrap().expose()), ("ey.2", "r-1"));
    assert_eq!((have.grant_type(), &*have.account().id), (Some("password"), "grower@example.com"));
}

#[test]
fn exp_is_read_in_every_form_and_counted_by_the_services_clock() {
    // The service's clock is an hour behind: the token expires in an hour by that clock.
    let behind = "Fri, 01 Aug 2025 19:00:00 GMT";
    let forms =
        [1_754_078_400_u64, 1_754_078_400_000].map(|exp| [json!(exp), json!(exp.to_string()), json!(exp as f64)]);
    for exp in forms.into_iter().flatten() {
        for grant in [
            sign_in(&dated(answer(200, nested(&tokens(&exp))), behind)),
            refresh(&dated(answer(201, nested(&tokens(&exp))), behind)),
            oauth_refresh(&dated(answer(200, tokens(&exp)), behind)),
        ] {
            assert_eq!(lifetime(grant.unwrap()), Some(Duration::from_secs(3600)), "{exp}");
        }
    }
}

#[test]
fn an_exp_that_makes_no_sense_is_an_unknown_deadline() {
    for odd in [json!(null), json!(0), json!("0"), json!(-5), json!("soon"), json!(""), json!([1]), json!({"a": 1})] {
        assert_eq!(lifetime(sign_in(&answer(200, nested(&tokens(&odd)))).unwrap()), None, "{odd}");
        assert_eq!(lifetime(oauth_refresh(&answer(200, tokens(&odd))).unwrap()), None, "{odd}");
    }
    let mut none = tokens(&Value::Null);
    none.as_object_mut().unwrap().remove("exp");
    assert_eq!(lifetime(sign_in(&answer(200, nested(&none))).unwrap()), None);
    // A year at most.
    let far = sign_in(&answer(200, nested(&tokens(&json!("99999999999999999"))))).unwrap();
    assert_eq!(lifetime(far), Some(Duration::from_secs(366 * 24 * 3600)));
}

#[test]
fn an_exp_in_the_past_by_our_own_clock_alone_is_ignored() {
    let past = nested(&tokens(&json!(NOON - 60)));
    assert_eq!(lifetime(sign_in(&answer(200, &past)).unwrap()), None);
    assert_eq!(lifetime(sign_in(&dated(answer(200, &past), DATE)).unwrap()), Some(Duration::ZERO));
}

#[test]
fn rejections_are_read_in_both_forms() {
    for (status, message, kind) in [
        (401, "Invalid credentials", ServiceErrorKind::InvalidCredentials),
        (400, "Invalid credentials", ServiceErrorKind::InvalidCredentials),
        (401, "no words for it", ServiceErrorKind::InvalidCredentials),
        (404, "User not found", ServiceErrorKind::UserNotFound),
        (403, "Account locked", ServiceErrorKind::AccountLocked),
        (423, "This account is locked.", ServiceErrorKind::AccountLocked),
    ] {
        let error = sign_in(&answer(status, json!({"message": message}))).unwrap_err();
        assert_eq!((error.kind(), error.message()), (kind, Some(message)), "{status} {message}");
        assert_eq!(Error::from(error).outcome(), Outcome::Rejected);
    }
    for (message, kind) in [
        ("Invalid credentials", ServiceErrorKind::InvalidCredentials),
        ("user not found", ServiceErrorKind::UserNotFound),
        ("Account locked", ServiceErrorKind::AccountLocked),
    ] {
        for said in [json!({"message": message, "code": 1}), json!(message)] {
            let body = json!({"data": null, "error": said});
            let error = sign_in(&answer(200, body)).unwrap_err();
            assert_eq!((error.kind(), error.message()), (kind, Some(message)), "{said}");
        }
    }
}

#[test]
fn a_401_without_json_rejects_unless_it_is_a_web_page() {
    for body in ["", "no", "[]"] {
        assert_eq!(sign_in(&answer(401, body)).unwrap_err().kind(), ServiceErrorKind::InvalidCredentials, "{body}");
    }
    for page in ["<html>", " \n<p>no", "\u{feff}<!doctype html>"] {
        assert!(is_malformed(&sign_in(&answer(401, page)).unwrap_err()), "{page}");
    }
}

#[test]
fn a_rejected_refresh_rejects_no_login() {
    for (status, body) in [
        (401, json!({"message": "Unauthorized"})),
        (401, json!({})),
        (400, json!({"message": "Invalid refresh token"})),
        (404, json!({"message": "User not found"})),
        (200, json!({"error": {"message": "Refresh token expired"}})),
    ] {
        assert_eq!(refresh(&answer(status, &body)).unwrap_err().kind(), ServiceErrorKind::RefreshRefused, "{body}");
    }
    let error =
        oauth_refresh(&answer(400, json!({"error": "invalid_grant", "error_description": "gone"}))).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ServiceErrorKind::RefreshRefused, Some("invalid_grant")));
}

#[test]
fn an_error_wins_over_a_token_in_the_same_body() {
    for falsy in [json!(null), json!(false), json!(0), json!(""), json!({}), json!([])] {
        let mut body = nested(&tokens(&Value::Null));
        body["error"] = falsy;
        assert!(sign_in(&answer(200, body)).is_ok());
    }
    for truthy in [json!(true), json!(1), json!("x"), json!({"message": null}), json!(["x"])] {
        let mut body = nested(&tokens(&Value::Null));
        body["error"] = truthy;
        let error = sign_in(&answer(200, &body)).unwrap_err();
        assert_eq!(error.kind(), ServiceErrorKind::Service, "{body}");
    }
}

#[test]
fn transient_failures_reject_no_login_and_no_token() {
    let invalid = json!({"message": "Invalid credentials: account locked"});
    for (status, body) in [
        (500, invalid.to_string()),
        (502, "<html>invalid</html>".to_owned()),
        (503, invalid.to_string()),
        (429, invalid.to_string()),
        (401, "<html>captive portal</html>".to_owned()),
        (403, json!({"message": "forbidden by a gateway"}).to_string()),
        (307, invalid.to_string()),
        (200, "<html>hotel</html>".to_owned()),
        (200, String::new()),
        (200, "{\"data\":{\"access_token\":\"ey".to_owned()),
        (200, json!({"error": {"message": "database is down"}}).to_string()),
    ] {
        for error in [sign_in(&answer(status, &body)), refresh(&answer(status, &body))] {
            let error = Error::from(error.unwrap_err());
            assert!(
                matches!(error.outcome(), Outcome::Indeterminate | Outcome::NotProcessed),
                "{status} {body}: {error}"
            );
            assert!(!error.to_string().contains('<'), "{error}");
        }
    }
    for status in [404, 405, 501] {
        let error = sign_in(&answer(status, json!({"message": "Cannot POST /v1/auth/signin"}))).unwrap_err();
        assert_eq!(error.kind(), ServiceErrorKind::Unsupported);
        assert!(is_malformed(&sign_in(&answer(status, "<html>Cannot POST</html>")).unwrap_err()), "a gateway's page");
    }
}

#[test]
fn retry_after_is_obeyed_whatever_it_comes_with() {
    for (status, outcome) in [(429, Outcome::NotProcessed), (503, Outcome::NotProcessed), (403, Outcome::Indeterminate)]
    {
        let mut busy = answer(status, json!({"message": "slow down"}));
        busy.headers_mut().insert("retry-after", http::HeaderValue::from_static("7"));
        for error in [sign_in(&busy), refresh(&busy)] {
            let error = Error::from(error.unwrap_err());
            assert_eq!((error.retry_after(), error.outcome()), (Some(Duration::from_secs(7)), outcome), "{status}");
        }
    }
}

#[test]
fn an_answer_without_a_token_is_an_error() {
    for data in [
        json!(null),
        json!({}),
        json!([]),
        json!("ey.1"),
        json!({"access_token": ""}),
        json!({"access_token": " "}),
        json!({"access_token": null}),
        json!({"access_token": 1}),
        json!({"access_token": ["ey.1"]}),
        json!({"access_token": "a\r\nb"}),
        json!({"access_token": "é"}),
        json!({"access_token": "a", "refresh_token": "\u{0}"}),
        json!({"access_token": "a", "token_type": "mac"}),
    ] {
        assert!(is_malformed(&sign_in(&answer(200, nested(&data))).unwrap_err()), "{data}");
        assert!(is_malformed(&refresh(&answer(200, nested(&data))).unwrap_err()), "{data}");
    }
    // Tokens outside of `data` do not count.
    assert!(sign_in(&answer(200, tokens(&Value::Null))).is_err());
    assert!(oauth_refresh(&answer(200, nested(&tokens(&Value::Null)))).is_err());
}

#[test]
fn duplicate_keys_are_refused() {
    for body in [
        r#"{"data":{"access_token":"a","access_token":"b"}}"#,
        r#"{"data":{"access_token":"a"},"data":{"access_token":"b"}}"#,
        r#"{"error":null,"error":null,"data":{"access_token":"a"}}"#,
    ] {
        assert!(is_malformed(&sign_in(&answer(200, body)).unwrap_err()), "{body}");
    }
}

#[test]
fn a_sign_out_succeeds_where_the_token_is_gone_afterwards() {
    for (status, body) in [
        (204, String::new()),
        (200, String::new()),
        (200, "{}".to_owned()),
        (200, json!({"data": {"ok": true}, "error": null}).to_string()),
        (401, json!({"message": "Unauthorized"}).to_string()),
        (200, json!({"error": {"message": "Token expired"}}).to_string()),
    ] {
        assert!(parse_sign_out(&answer(status, &body), now(0)).is_ok(), "{status} {body}");
    }
    for (status, body) in [(500, ""), (200, "<html>"), (404, "{}"), (403, "{}"), (401, "<html>hotel")] {
        assert!(parse_sign_out(&answer(status, body), now(0)).is_err(), "{status} {body}");
    }
}

#[test]
fn an_api_call_tells_whom_the_token_speaks_for() {
    let told = parse_self(&answer(200, json!({"data": {"user": {"id": "u"}}, "meta": {}})), now(0)).unwrap();
    assert_eq!(told, Checked::Accepted(json!({"user": {"id": "u"}})));
    assert_eq!(parse_self(&answer(401, json!({"message": "Unauthorized"})), now(0)).unwrap(), Checked::Refused);
    for (status, body) in [(200, "{}"), (200, ""), (500, "{}"), (401, "<html>hotel"), (200, r#"{"data":[1]}"#)] {
        assert!(parse_self(&answer(status, body), now(0)).is_err(), "{status} {body}");
    }
}

#[test]
fn errors_do_not_repeat_what_was_sent() {
    let mosaia = mosaia();
    let mut exchange = mosaia.sign_in(&Login::password("grower@example.com", "open sesame").unwrap());
    exchange.start(now(0));
    let echo = json!({"message": "Invalid credentials: grower@example.com with open sesame"});
    let Err(Error::Service(error)) = exchange.receive(answer(401, &echo), now(1)) else { panic!("granted") };
    assert_eq!((error.kind(), error.message()), (ServiceErrorKind::InvalidCredentials, None));
    let error =
        sign_in(&answer(401, json!({"message": "Invalid grower@example.com eyJhbGciOiJIUzI1NiJ9"}))).unwrap_err();
    assert_eq!(error.message(), Some("Invalid *** ***"));
}

// -- A refresh at two endpoints.

fn send(step: Result<Step, Error>) -> String {
    match step {
        Ok(Step::Send(request)) => request.http.uri().path().to_owned(),
        other => panic!("no request: {other:?}"),
    }
}

fn done(step: Result<Step, Error>) -> Grant {
    match step {
        Ok(Step::Done(grant)) => grant,
        other => panic!("no grant: {other:?}"),
    }
}

#[test]
fn a_refresh_asks_the_other_endpoint_where_the_first_is_missing() {
    for (missing, body) in [404, 405, 501].into_iter().flat_map(|status| [(status, "{}"), (status, "<html>")]) {
        let mut exchange = mosaia().refresh_oauth(&Secret::from("r"));
        assert_eq!(exchange.start(now(0)).http.uri().path(), "/v1/auth/token");
        assert_eq!(send(exchange.receive(answer(missing, body), now(1))), "/auth/token");
        let granted = dated(answer(200, tokens(&json!(NOON + 3601))), "Fri, 01 Aug 2025 20:00:01 GMT");
        let grant = done(exchange.receive(granted, now(2)));
        assert_eq!(grant.grant_type, Some("oauth"));
        // Lifetimes run from the request that was answered.
        assert_eq!(grant.access.unwrap().validity().deadline().unwrap().wall, now(3601).wall);
    }
    let mut exchange = mosaia().refresh_oauth(&Secret::from("r"));
    exchange.start(now(0));
    send(exchange.receive(answer(404, "{}"), now(1)));
    let Err(error) = exchange.receive(answer(404, "{}"), now(2)) else { panic!("granted") };
    assert_eq!(error.outcome(), Outcome::Unsupported);
}

#[test]
fn a_refresh_that_may_have_been_processed_is_not_sent_to_the_other_endpoint() {
    for (status, body) in [(500, "{}"), (503, ""), (400, r#"{"error":"invalid_grant"}"#), (200, "<html>"), (401, "{}")]
    {
        let mut exchange = mosaia().refresh_oauth(&Secret::from("r"));
        exchange.start(now(0));
        assert!(exchange.receive(answer(status, body), now(1)).is_err(), "{status} {body}");
    }
}

// -- Bugs of the service's own client.

#[test]
fn bug_every_sign_in_error_became_unknown_error_occurred() {
    let error = sign_in(&answer(401, json!({"message": "Invalid credentials"}))).unwrap_err();
    assert_eq!(error.to_string(), "the service refused the login (HTTP 401): Invalid credentials");
}

#[test]
fn bug_a_code_exchange_raised_after_the_service_had_used_the_code() {
    let mosaia = mosaia();
    let wanted = AuthorizationRequest::new("http://127.0.0.1:1/").scopes(["read"]);
    let authorization = mosaia.authorize([7; ENTROPY], &wanted, now(0)).unwrap();
    let state = authorization.url().split("state=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    let redirect = format!("?code=c&state={state}");
    let mut exchange = mosaia.exchange_code(authorization.into_pending(), &redirect, now(0)).unwrap();
    exchange.start(now(0));
    let grant = done(exchange.receive(dated(answer(200, tokens(&json!("1754082000"))), DATE), now(1)));
    let have = Credentials::from_grant(grant, None).unwrap();
    assert_eq!(SignInMethod::of(&have), Some(SignInMethod::OAuth));
    assert_eq!((have.account().id.as_str(), have.expires_at()), ("user-7", Some(now(3600).wall)));
}

#[test]
fn bug_a_refresh_after_a_sign_in_raised() {
    let grant = sign_in(&answer(200, nested(&tokens(&Value::Null)))).unwrap();
    let mut exchange = mosaia().refresh(&grant.refresh_token.unwrap());
    exchange.start(now(0));
    assert!(done(exchange.receive(answer(200, nested(&tokens(&Value::Null))), now(1))).access.is_some());
}

#[test]
fn bug_seconds_were_read_as_milliseconds_and_so_always_expired() {
    let granted = sign_in(&dated(answer(200, nested(&tokens(&json!("1754082000")))), DATE)).unwrap();
    let have = Credentials::from_grant(granted, None).unwrap();
    assert!(!have.is_expired(now(1)) && have.is_expired(now(3600)));
}

#[test]
fn bug_an_expired_session_called_the_production_host() {
    let there = Mosaia::builder().api_url("http://127.0.0.1:9").app_url("http://127.0.0.1:9").build().unwrap();
    let token = Secret::from("r");
    let mut hosts = vec![there.sign_in(&login()).start(now(0)), there.refresh(&token).start(now(0))];
    let mut oauth = there.refresh_oauth(&token);
    hosts.push(oauth.start(now(0)));
    let Ok(Step::Send(second)) = oauth.receive(answer(404, "{}"), now(0)) else { panic!("no second place") };
    hosts.push(second);
    assert!(hosts.iter().all(|request| request.http.uri().authority().unwrap() == "127.0.0.1:9"), "{hosts:?}");
}
