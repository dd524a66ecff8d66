use http::{HeaderMap, StatusCode, Uri, header};
use serde_json::{Value, json};

use super::*;
use crate::credentials::{AccessToken, Account, Now, Timestamp, Validity};
use crate::error::{Error, Outcome, ServiceError, ServiceErrorKind};
use crate::exchange::{Call, Exchange as _, Request, Response, Step};
use crate::grant::Grant;
use crate::store::SavedSession;
use crate::wire::InvalidUrl;

mod tickets;

const APP_ID: &str = "k4XqVmPyh9Lw1TzC";
const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// 1,700,000,000 s after 1970.
const DATE: &str = "Tue, 14 Nov 2023 22:13:20 GMT";

fn now(seconds: i64) -> Now {
    let monotonic = Duration::from_secs(u64::try_from(1_000_000_000 + seconds).unwrap());
    Now::new(Timestamp::from_unix_seconds(1_700_000_000 + seconds), monotonic)
}

fn settrade() -> Settrade {
    Settrade::new("041", "ALGO_EQ").unwrap()
}

fn login() -> Login {
    Login::new(APP_ID, SECRET).unwrap()
}

#[allow(clippy::needless_pass_by_value, reason = "callers read better")]
fn answer(status: u16, body: Value) -> Response {
    text_answer(status, &body.to_string())
}

fn text_answer(status: u16, body: &str) -> Response {
    let mut response = Response::new(body.as_bytes().to_vec().into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

fn dated(mut response: Response, date: &'static str) -> Response {
    response.headers_mut().insert(header::DATE, date.parse().unwrap());
    response
}

fn granted() -> Value {
    json!({"token_type": "Bearer", "access_token": "ey.access", "refresh_token": "refresh", "expires_in": 7200})
}

fn sign_in(response: &Response) -> Result<Grant, ServiceError> {
    parse_sign_in(response, APP_ID, now(0), now(1))
}

fn refresh(response: &Response) -> Result<Grant, ServiceError> {
    parse_refresh(response, "Bearer", now(0), now(1))
}

/// The error of both parsers for an answer: after a sign-in and after a renewal.
fn kinds(status: u16, body: &str) -> [ServiceErrorKind; 2] {
    let response = text_answer(status, body);
    [sign_in(&response).unwrap_err().kind(), refresh(&response).unwrap_err().kind()]
}

fn access(token_type: &str) -> AccessToken {
    AccessToken::new(token_type, "ey.access", Validity::with_lifetime(now(0), Duration::from_secs(3600))).unwrap()
}

fn credentials(token_type: &str, app_id: &str) -> Credentials {
    let grant = Grant {
        access: Some(access(token_type)),
        refresh_token: Some("refresh".into()),
        account: Some(Account::new(app_id)),
        ..Grant::default()
    };
    Credentials::from_grant(grant, None).unwrap()
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(request.http.body().as_ref()).unwrap()
}

const REFUSED: [ServiceErrorKind; 2] = [ServiceErrorKind::InvalidCredentials, ServiceErrorKind::RefreshRefused];
const FAILED: [ServiceErrorKind; 2] = [ServiceErrorKind::Service; 2];
const MISSING: [ServiceErrorKind; 2] = [ServiceErrorKind::Unsupported; 2];

// -- Addresses, methods, requests.

#[test]
fn the_addresses_of_this_crate_pass_their_own_checks() {
    for url in [BASE_URL, UAT_URL] {
        assert_eq!(settrade().with_base_url(&format!("{url}/")).unwrap().base_url(), url);
    }
    assert_eq!(settrade().base_url(), BASE_URL);
    assert_eq!(settrade().uat().base_url(), UAT_URL);
}

#[test]
fn sandbox_in_any_case_is_broker_098_in_the_test_environment() {
    for name in ["SANDBOX", "sandbox", " SandBox "] {
        let settrade = Settrade::new(name, "ALGO").unwrap();
        assert_eq!((settrade.base_url(), settrade.broker_id()), (UAT_URL, "098"), "{name}");
    }
    let elsewhere = Settrade::new("SANDBOX", "ALGO").unwrap().with_base_url("http://127.0.0.1:1").unwrap();
    assert_eq!((elsewhere.base_url(), elsewhere.broker_id()), ("http://127.0.0.1:1", "098"));
}

#[test]
fn a_signature_goes_to_https_or_to_this_machine_only() {
    assert!(settrade().with_base_url("http://127.0.0.1:8080").is_ok());
    assert_eq!(settrade().with_base_url("http://example.com").unwrap_err(), InvalidUrl::NotHttps);
}

#[test]
fn brokers_and_apps_cannot_change_the_path() {
    for bad in ["", " ", ".", "..", "a/b", "a?b", "a#b", "a b", "a%2f", "é", "a\r\nb"] {
        assert_eq!(Settrade::new(bad, "ALGO").unwrap_err(), InvalidAppCode::BrokerId, "{bad:?}");
        assert_eq!(Settrade::new("098", bad).unwrap_err(), InvalidAppCode::AppCode, "{bad:?}");
    }
}

#[test]
fn a_sign_in_request_is_signed_for_its_moment() {
    let request = settrade().sign_in_request(&login(), now(0).wall);
    assert_eq!(request.http.method(), http::Method::POST);
    assert_eq!(request.http.uri().to_string(), format!("{BASE_URL}/api/oam/v1/041/broker-apps/ALGO_EQ/login"));
    let signature = login().sign("", now(0).wall);
    assert_eq!(
        body(&request),
        json!({"apiKey": APP_ID, "params": "", "signature": signature, "timestamp": "1700000000000"})
    );
    assert!(!request.http.headers().contains_key(header::AUTHORIZATION));
}

#[test]
fn a_refresh_request_names_the_app() {
    let request = settrade().refresh_request(APP_ID, &"refresh".into());
    assert_eq!(request.http.uri().to_string(), format!("{BASE_URL}/api/oam/v1/041/broker-apps/ALGO_EQ/refresh-token"));
    assert_eq!(body(&request), json!({"apiKey": APP_ID, "refreshToken": "refresh"}));
    assert!(!request.http.headers().contains_key(header::AUTHORIZATION));
}

#[test]
fn every_request_has_a_deadline() {
    let requests = [
        settrade().sign_in_request(&login(), now(0).wall),
        settrade().refresh_request(APP_ID, &"refresh".into()),
        settrade().ticket_request(&access("Bearer")),
    ];
    for request in requests {
        assert_eq!(request.timeout, crate::exchange::REQUEST_TIMEOUT, "{request:?}");
    }
}

#[test]
fn api_calls_carry_the_type_of_the_token() {
    let mut headers = HeaderMap::new();
    settrade().authorize(
        &Call::new(&http::Method::GET, &Uri::default(), now(0).wall),
        &credentials("Bearer", APP_ID),
        &mut headers,
    );
    assert_eq!(headers[header::AUTHORIZATION], "Bearer ey.access");
    assert!(headers[header::AUTHORIZATION].is_sensitive());
}

#[test]
fn a_session_belongs_to_an_app_at_a_broker_at_an_address() {
    let namespace = |broker, app| Settrade::new(broker, app).unwrap().namespace();
    assert_ne!(namespace("098", "A"), namespace("098", "B"));
    assert_ne!(namespace("097", "A"), namespace("098", "A"));
    assert_ne!(namespace("098", "A"), namespace("SANDBOX", "A"));
}

#[test]
fn a_refresh_needs_a_refresh_token_and_an_app() {
    let have = credentials("Bearer", APP_ID);
    assert!(settrade().begin(Method::Refresh, None, Some(&have)).is_some());
    assert!(settrade().begin(Method::Refresh, None, Some(&credentials("Bearer", ""))).is_none());
    assert!(settrade().begin(Method::Refresh, Some(&login()), Some(&credentials("Bearer", ""))).is_some());
    assert!(settrade().begin(Method::Refresh, Some(&login()), None).is_none());
    assert!(settrade().begin(Method::SignIn, None, Some(&have)).is_none());
    assert!(settrade().begin(Method::SignIn, Some(&login()), None).is_some());
}

#[test]
fn there_is_one_lease_and_no_revocation() {
    assert_eq!(settrade().methods(LeaseId::Access), [Method::Refresh, Method::SignIn]);
    assert!(settrade().methods(LeaseId::Aws).is_empty());
    assert_eq!(settrade().consumes(Method::Refresh), Consumes::RefreshToken);
    assert_eq!(settrade().consumes(Method::SignIn), Consumes::LoginAttempt);
    assert!(settrade().sign_out(&credentials("Bearer", APP_ID)).is_none());
    assert_eq!(settrade().margin(), Duration::from_secs(300));
}

// -- Grants.

#[test]
fn a_sign_in_answer_is_read_whole() {
    let grant = sign_in(&answer(200, granted())).unwrap();
    let access = grant.access.unwrap();
    assert_eq!((access.expose(), access.token_type()), ("ey.access", "Bearer"));
    assert_eq!(access.validity().lifetime(), Some(Duration::from_secs(7200)));
    assert_eq!(access.validity().issued_at(), now(0).wall);
    assert_eq!(access.validity().margin(), MARGIN);
    assert_eq!(grant.refresh_token.unwrap().expose(), "refresh");
    assert_eq!(grant.account.unwrap().id, APP_ID);
}

#[test]
fn a_refresh_answer_may_leave_out_the_type_and_the_refresh_token() {
    let response = answer(200, json!({"access_token": "ey.new", "expires_in": 60}));
    let grant = parse_refresh(&response, "Basic", now(0), now(1)).unwrap();
    assert_eq!(grant.access.as_ref().unwrap().token_type(), "Basic");
    assert!(grant.refresh_token.is_none() && grant.account.is_none());
    let old = credentials("Basic", APP_ID);
    let kept = Credentials::from_grant(grant, Some(&old)).unwrap();
    assert_eq!((kept.refresh_token().unwrap().expose(), kept.account().id.as_str()), ("refresh", APP_ID));
}

#[test]
fn a_session_refreshes_with_the_type_that_it_has() {
    let have = credentials("Basic", APP_ID);
    let mut exchange = settrade().begin(Method::Refresh, None, Some(&have)).unwrap();
    exchange.start(now(0));
    let step = exchange.receive(answer(200, json!({"access_token": "ey.new"})), now(1)).unwrap();
    let Step::Done(grant) = step else { panic!("{step:?}") };
    assert_eq!(grant.access.unwrap().typed_header(), "Basic ey.new");
}

#[test]
fn a_lifetime_is_read_in_every_form_and_has_a_default() {
    let lifetime = |expires_in: Value| {
        let mut body = granted();
        body["expires_in"] = expires_in;
        sign_in(&answer(200, body)).unwrap().access.unwrap().validity().lifetime().unwrap()
    };
    for hour in [json!(3600), json!("3600"), json!(3600.0), json!(0), json!(-1), json!(null), json!("soon")] {
        assert_eq!(lifetime(hour.clone()), Duration::from_secs(3600), "{hour}");
    }
    assert_eq!(lifetime(json!(1e300)), crate::credentials::MAX_LIFETIME);
}

#[test]
fn an_answer_without_usable_tokens_is_an_error() {
    // With a refresh token, it would be a grant with a flaw.
    let malformed = |mut body: Value| {
        body.as_object_mut().map(|body| body.remove("refresh_token"));
        sign_in(&answer(200, body)).unwrap_err().kind()
    };
    for field in ["", " ", "a\r\nb"] {
        let mut body = granted();
        body["access_token"] = json!(field);
        assert!(matches!(malformed(body), ServiceErrorKind::Malformed { .. }), "{field:?}");
    }
    for body in [json!({}), json!([]), json!(null), json!({"token_type": "Bearer"}), json!({"access_token": 5})] {
        assert!(matches!(malformed(body.clone()), ServiceErrorKind::Malformed { .. }), "{body}");
    }
    let mut body = granted();
    body["token_type"] = json!("mac");
    assert_eq!(malformed(body), ServiceErrorKind::Malformed { what: "an unknown type of token" });
    for text in ["", "{", "<html>hotel</html>", r#"{"access_token":"a","access_token":"b"}"#] {
        let error = sign_in(&text_answer(200, text)).unwrap_err();
        assert!(matches!(error.kind(), ServiceErrorKind::Malformed { .. }), "{text}");
        assert_eq!(error.status(), Some(StatusCode::OK));
    }
}

#[test]
fn an_error_wins_over_a_token_in_the_same_body() {
    let mut body = granted();
    body["code"] = json!("API-401");
    body["message"] = json!("Invalid signature");
    assert_eq!(sign_in(&answer(200, body.clone())).unwrap_err().kind(), ServiceErrorKind::InvalidCredentials);
    body["code"] = json!(401);
    assert_eq!(sign_in(&answer(200, body.clone())).unwrap_err().kind(), ServiceErrorKind::InvalidCredentials);
    for code in [json!("0"), json!(200), json!("SUCCESS"), json!(null)] {
        body["code"] = code;
        assert!(sign_in(&answer(200, body.clone())).is_ok(), "{body}");
    }
}

#[test]
fn a_duplicate_error_code_grants_nothing() {
    for code in [r#""E-401""#, r#""0""#, "null"] {
        let body = format!(r#"{{"code":{code},"code":{code},"access_token":"ey.access"}}"#);
        let error = sign_in(&text_answer(200, &body)).unwrap_err();
        assert!(matches!(error.kind(), ServiceErrorKind::Malformed { .. }), "{body}");
    }
}

/// Half of a surrogate pair stands for no character (RFC 8259 §8.2).
#[test]
fn a_refusal_whose_message_is_no_text_grants_nothing() {
    let body =
        |code: &str| format!(r#"{{{code}"access_token":"ey.access","refresh_token":"refresh","message":"\ud800"}}"#);
    let refused = sign_in(&text_answer(200, &body(r#""code":"E-401","#))).unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (ServiceErrorKind::Service, Some("E-401")));
    let refused = sign_in(&text_answer(200, &body(r#""code":"\udc00","#))).unwrap_err();
    assert!(matches!(refused.kind(), ServiceErrorKind::Malformed { .. }), "{refused:?}");
    // No error code here: an unreadable message must not cost the token that the service rotated.
    for code in ["", r#""code":0,"#] {
        assert_eq!(refresh(&text_answer(200, &body(code))).unwrap().refresh_token.unwrap().expose(), "refresh");
    }
}

// -- Refusals.

#[test]
fn a_failed_refresh_is_an_error() {
    // The service's own client ignores it and goes on with the dead token.
    let refused = json!({"code": "OAM-401", "message": "Invalid refresh token"});
    let error = refresh(&answer(401, refused)).unwrap_err();
    assert_eq!(error.kind(), ServiceErrorKind::RefreshRefused);
    assert_eq!((error.code(), error.message()), (Some("OAM-401"), Some("Invalid refresh token")));
    assert_eq!(Error::from(error).outcome(), Outcome::Rejected);
}

#[test]
fn a_wrong_login_a_locked_account_and_a_missing_app_are_different_errors() {
    assert_eq!(kinds(401, ""), REFUSED);
    assert_eq!(kinds(401, r#"{"code":"API-401","message":"Unauthorized"}"#), REFUSED);
    assert_eq!(kinds(400, r#"{"code":"E1","message":"Invalid signature"}"#), REFUSED);
    assert_eq!(kinds(400, r#"{"code":4001,"message":"api key is incorrect"}"#), REFUSED);
    assert_eq!(
        kinds(404, r#"{"code":"404","message":"Broker app not found"}"#),
        [ServiceErrorKind::UserNotFound, ServiceErrorKind::RefreshRefused]
    );
    assert_eq!(kinds(403, r#"{"code":"E2","message":"app is LOCKED"}"#)[0], ServiceErrorKind::AccountLocked);
    assert_eq!(
        kinds(403, r#"{"code":"E3","message":"forbidden"}"#),
        [ServiceErrorKind::Service, ServiceErrorKind::RefreshRefused]
    );
    assert_eq!(kinds(403, "forbidden"), FAILED);
    assert_eq!(kinds(400, r#"{"code":"E4","message":"bad request"}"#), FAILED);
    assert_eq!(kinds(404, r#"{"code":"404","message":"no such route"}"#), MISSING);
    assert_eq!(kinds(405, ""), MISSING);
    assert!(kinds(404, "<html>Not Found").iter().all(|kind| matches!(kind, ServiceErrorKind::Malformed { .. })));
}

#[test]
fn transient_failures_reject_no_login_and_no_token() {
    for status in [500, 502, 503, 504] {
        assert_eq!(kinds(status, r#"{"code":"401","message":"invalid, unauthorized"}"#), FAILED, "{status}");
    }
    assert_eq!(kinds(429, "")[1], ServiceErrorKind::RateLimited { retry_after: None });
    let page = ServiceErrorKind::Malformed { what: "a web page in place of JSON" };
    assert_eq!(kinds(401, "<html>hotel: invalid room</html>"), [page; 2]);
    for status in [301, 302, 303, 307, 308] {
        assert!(matches!(kinds(status, "")[0], ServiceErrorKind::Malformed { .. }), "{status}");
    }
}

#[test]
fn retry_after_is_obeyed_whatever_it_comes_with() {
    for (status, outcome) in [(429, Outcome::NotProcessed), (503, Outcome::NotProcessed), (500, Outcome::Indeterminate)]
    {
        let mut busy = answer(status, json!({"code": "E", "message": "slow down"}));
        busy.headers_mut().insert("retry-after", http::HeaderValue::from_static("90000"));
        let error = Error::from(sign_in(&busy).unwrap_err());
        assert_eq!((error.retry_after(), error.outcome()), (Some(Duration::from_secs(86_400)), outcome), "{status}");
    }
    let mut forbidden = answer(403, json!({"message": "slow down"}));
    forbidden.headers_mut().insert("retry-after", http::HeaderValue::from_static("7"));
    assert_eq!(Error::from(sign_in(&forbidden).unwrap_err()).retry_after(), Some(Duration::from_secs(7)));
}

#[test]
fn a_refused_clock_is_no_refused_login() {
    for message in ["Timestamp is out of range", "request TIME STAMP", "check your clock"] {
        let body = json!({"code": "E", "message": message}).to_string();
        assert_eq!(kinds(401, &body)[0], ServiceErrorKind::Service, "{message}");
    }
    // These words may mean either. A wrong clock was corrected before this error counts.
    let open = r#"{"code":"E","message":"Invalid signature or timestamp"}"#;
    assert_eq!(kinds(401, open)[0], ServiceErrorKind::InvalidCredentials);
}

#[test]
fn a_services_message_is_masked_where_it_may_be_secret() {
    let token = "eyJhbGciOiJFUzI1NiJ9.e30.c2ln";
    let body = json!({"code": token, "message": format!("token {token} is\u{1b}[2J invalid")});
    let error = refresh(&answer(401, body)).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("eyJ"), "{error}");
    assert_eq!(error.message(), Some("token *** is[2J invalid"));
}

// -- The clock.

const SILENT: &str = r#"{"code":"E","message":"unauthorized"}"#;
const TELLING: &str = r#"{"code":"E","message":"invalid timestamp"}"#;

fn clock(status: u16, body: &str, ahead: i64) -> bool {
    server_clock(&dated(text_answer(status, body), DATE), now(ahead)).is_some()
}

#[test]
fn a_rejection_is_blamed_on_the_clock_where_the_clock_is_wrong() {
    for ahead in [-1000, -31, 31, 1_000_000_000] {
        assert!(clock(401, SILENT, ahead) && clock(403, SILENT, ahead) && clock(400, TELLING, ahead), "{ahead}");
    }
    for ahead in [-30, -3, 3, 30] {
        assert!(!clock(401, SILENT, ahead) && clock(401, TELLING, ahead), "{ahead}");
    }
    for ahead in [-2, 0, 2] {
        assert!(!clock(401, TELLING, ahead), "{ahead}");
    }
    for (status, body) in
        [(400, SILENT), (404, TELLING), (429, TELLING), (500, TELLING), (200, TELLING), (401, "<html>timestamp")]
    {
        assert!(!clock(status, body, 1000), "{status}");
    }
    assert_eq!(server_clock(&text_answer(401, TELLING), now(1000)), None, "there is no Date");
    assert_eq!(server_clock(&dated(text_answer(401, TELLING), "soon"), now(1000)), None);
}

#[test]
fn a_wrong_clock_is_corrected_by_the_date_once() {
    let mut exchange = settrade().sign_in(&login());
    assert_eq!(body(&exchange.start(now(5000)))["timestamp"], "1700005000000");
    let step = exchange.receive(dated(text_answer(401, SILENT), DATE), now(5001)).unwrap();
    let Step::Send(request) = step else { panic!("{step:?}") };
    assert_eq!(body(&request)["timestamp"], "1700000000000");
    assert_eq!(body(&request)["signature"], login().sign("", now(0).wall));
    // Rejected again: it was not the clock.
    let error = exchange.receive(dated(text_answer(401, SILENT), DATE), now(5002)).unwrap_err();
    assert_eq!(error.outcome(), Outcome::Rejected);
    // A new start may correct the clock again.
    exchange.start(now(6000));
    assert!(matches!(exchange.receive(dated(text_answer(401, SILENT), DATE), now(6001)), Ok(Step::Send(_))));
}

#[test]
fn lifetimes_run_by_this_machines_clock_even_where_it_is_wrong() {
    let mut exchange = settrade().sign_in(&login());
    exchange.start(now(5000));
    exchange.receive(dated(text_answer(401, TELLING), DATE), now(5010)).unwrap();
    let Step::Done(grant) = exchange.receive(answer(200, granted()), now(5020)).unwrap() else { panic!() };
    let validity = *grant.access.unwrap().validity();
    assert_eq!(validity.issued_at(), now(5010).wall);
    assert_eq!(validity.deadline().unwrap().remaining(now(5010)), Duration::from_secs(7200));
}

#[test]
fn a_refused_refresh_is_not_tried_again_by_another_clock() {
    let mut exchange = settrade().refresh(APP_ID, &"refresh".into(), "Bearer");
    exchange.start(now(5000));
    let error = exchange.receive(dated(text_answer(401, TELLING), DATE), now(5001)).unwrap_err();
    assert_eq!(error.outcome(), Outcome::Rejected);
}

// -- Saving, hiding.

#[test]
fn a_saved_session_keeps_the_app_and_the_type_of_the_token() {
    let saved = SavedSession::new(NAME, settrade().namespace(), credentials("Basic", APP_ID)).to_json();
    let read = settrade().read_saved_session(saved.expose().as_bytes(), now(60)).unwrap();
    let have = read.credentials();
    assert_eq!((have.access().token_type(), have.account().id.as_str()), ("Basic", APP_ID));
    assert!(settrade().begin(Method::Refresh, None, Some(have)).is_some());
}

#[test]
fn nothing_secret_shows() {
    let have = credentials("Bearer", APP_ID);
    let text = format!(
        "{:?} {:?} {:?} {:?} {:?} {:?}",
        login(),
        settrade().sign_in(&login()),
        settrade().refresh(APP_ID, &"refresh-me".into(), "Bearer"),
        settrade().mqtt(&have),
        have,
        settrade().sign_in_request(&login(), now(0).wall),
    );
    assert!(text.contains("SignIn(***)") && text.contains("Refresh(***)"), "{text}");
    for secret in [APP_ID, SECRET, "refresh-me", "ey.access", &login().sign("", now(0).wall)] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}
