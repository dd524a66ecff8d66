//! The device flow (RFC 8628).

use perennial_core::oauth2::{DeviceAuthorization, DevicePoll};
use perennial_core::{Error, Exchange, Polled, PollingExchange, Step};

use super::*;

const STARTED: &str = r#"{"device_code":"dc-1","user_code":"WDJB-MJHT","verification_uri":"https://auth.example/device",
    "verification_uri_complete":"https://auth.example/device?user_code=WDJB-MJHT","expires_in":60}"#;

fn device() -> Profile {
    profile().with_device_endpoint("https://auth.example/device/code").unwrap()
}

fn start(body: &str) -> Result<DeviceAuthorization, Error> {
    let mut exchange = device().device(&["read", "write"]).unwrap();
    let request = exchange.start(now(0));
    assert_eq!(format!("{request:?}"), "POST auth.example/device/code");
    assert_eq!(field(&request, "scope").unwrap(), "read write");
    assert_eq!(field(&request, "client_id").unwrap(), "app");
    match exchange.receive(answer(200, body), now(1))? {
        Step::Done(authorization) => Ok(authorization),
        _ => panic!("one request"),
    }
}

fn poll() -> DevicePoll {
    let mut poll = start(STARTED).unwrap().poll();
    let request = poll.request(now(1));
    assert_eq!(field(&request, "device_code").unwrap(), "dc-1");
    assert_eq!(field(&request, "grant_type").unwrap(), "urn:ietf:params:oauth:grant-type:device_code");
    poll
}

fn pause(poll: &mut DevicePoll, status: u16, body: &str) -> Duration {
    match poll.receive(answer(status, body), now(2)).unwrap() {
        Polled::Pending(pause) => pause,
        _ => panic!("{status} {body} ends it"),
    }
}

const PENDING: &str = r#"{"error":"authorization_pending"}"#;

#[test]
fn a_device_shows_a_code_and_an_address() {
    let authorization = start(STARTED).unwrap();
    assert_eq!(authorization.user_code(), "WDJB-MJHT");
    assert_eq!(authorization.verification_uri(), "https://auth.example/device");
    assert!(authorization.verification_uri_complete().unwrap().ends_with("WDJB-MJHT"));
    assert_eq!(authorization.expires_at(), now(60).wall);
    assert!(!format!("{authorization:?} {:?}", authorization.poll()).contains("dc-1"));
    assert!(profile().device(&["read"]).is_none());
}

#[test]
fn it_polls_every_5_seconds_unless_the_server_names_an_interval() {
    assert_eq!(pause(&mut poll(), 400, PENDING), Duration::from_secs(5));
    for (told, seconds) in [("7", 7), ("\"7\"", 7), ("0", 5), ("null", 5), ("-1", 5), ("1e18", 300)] {
        let body = STARTED.replace("\"expires_in\":60", &format!("\"expires_in\":6000,\"interval\":{told}"));
        let mut poll = start(&body).unwrap().poll();
        poll.request(now(1));
        assert_eq!(pause(&mut poll, 400, PENDING), Duration::from_secs(seconds), "{told}");
    }
}

#[test]
fn slow_down_adds_5_seconds_for_good() {
    let authorization = start(STARTED).unwrap();
    let mut poll = authorization.poll();
    poll.request(now(1));
    assert_eq!(pause(&mut poll, 400, r#"{"error":"slow_down"}"#), Duration::from_secs(10));
    assert_eq!(pause(&mut poll, 400, PENDING), Duration::from_secs(10));
    assert_eq!(pause(&mut poll, 400, r#"{"error":"slow_down"}"#), Duration::from_secs(15));
    // It holds for the next poll with this code too.
    assert_eq!(pause(&mut authorization.poll(), 400, PENDING), Duration::from_secs(15));
}

#[test]
fn a_failing_server_is_asked_again() {
    assert_eq!(pause(&mut poll(), 503, "<html>"), Duration::from_secs(5));
    assert_eq!(pause(&mut poll(), 500, r#"{"error":"access_denied"}"#), Duration::from_secs(5));
    let mut busy = answer(429, "");
    busy.headers_mut().insert("retry-after", http::HeaderValue::from_static("30"));
    assert!(
        matches!(poll().receive(busy, now(2)).unwrap(), Polled::Pending(pause) if pause == Duration::from_secs(30))
    );
}

#[test]
fn any_other_error_ends_it() {
    for (status, body, kind) in [
        (400, r#"{"error":"access_denied"}"#, ServiceErrorKind::InvalidCredentials),
        (400, r#"{"error":"authorization_declined"}"#, ServiceErrorKind::InvalidCredentials),
        (400, r#"{"error":"consent_required"}"#, ServiceErrorKind::InteractionRequired),
        (400, r#"{"error":"expired_token"}"#, ServiceErrorKind::NotGranted),
        (400, r#"{"error":"invalid_grant"}"#, ServiceErrorKind::InvalidCredentials),
        (400, r#"{"error":"something_new"}"#, ServiceErrorKind::Service),
        (400, "{}", ServiceErrorKind::Service),
    ] {
        let Error::Service(error) = poll().receive(answer(status, body), now(2)).unwrap_err() else { panic!("{body}") };
        assert_eq!(error.kind(), kind, "{body}");
    }
    let Error::Service(error) = poll().receive(answer(400, "<html>"), now(2)).unwrap_err() else { panic!("a page") };
    assert!(is_malformed(&error));
}

#[test]
fn a_code_expires_by_our_own_clock() {
    let Error::Service(error) = poll().receive(answer(400, PENDING), now(55)).unwrap_err() else { panic!("too late") };
    assert_eq!((error.kind(), error.code()), (ServiceErrorKind::NotGranted, Some("expired_token")));
    assert!(matches!(poll().receive(answer(400, PENDING), now(54)), Ok(Polled::Pending(_))));
}

#[test]
fn an_approved_device_is_a_grant() {
    let body = r#"{"access_token":"at","refresh_token":"rt","expires_in":60}"#;
    let Polled::Ready(grant) = poll().receive(answer(200, body), now(2)).unwrap() else { panic!("not done") };
    assert_eq!(grant.grant_type, Some("device_code"));
    assert_eq!(grant.access.unwrap().expose(), "at");
}

#[test]
fn an_answer_that_could_mislead_a_person_is_refused() {
    for (old, new) in [
        ("https://auth.example/device\"", "javascript:alert(1)\""),
        ("https://auth.example/device\"", "http://auth.example/device\""),
        ("https://auth.example/device?", "http://auth.example/device?"),
        ("\"WDJB-MJHT\"", "\"\\u001b[2J\""),
        ("\"WDJB-MJHT\"", "\"\""),
        ("\"dc-1\"", "\"\""),
        ("\"dc-1\"", "\"a\\nb\""),
        ("verification_uri\"", "other\""),
    ] {
        let Err(Error::Service(error)) = start(&STARTED.replace(old, new)) else { panic!("{new} is taken") };
        assert!(is_malformed(&error), "{new}");
    }
    assert!(start(&STARTED.replace("verification_uri\"", "verification_url\"")).is_ok());
}
