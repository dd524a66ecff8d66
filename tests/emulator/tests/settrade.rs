//! How the emulated Settrade behaves, seen by a raw client.

// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

use base64ct::{Base64, Encoding};
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use perennial_emulator::{ClockRefusals, Emulator, Endpoint, Fault, SettradeSettings};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const LOGIN: &str = "/api/oam/v1/098/broker-apps/ALGO/login";
const REFRESH: &str = "/api/oam/v1/098/broker-apps/ALGO/refresh-token";
const DISPATCHER: &str = "/api/dispatcher/v3/098/token";
const INFO: &str = "/api/seos/v3/098/accounts/1/account-info";

struct Reply {
    status: u16,
    body: Value,
}

fn ask(emulator: &Emulator, method: &str, path: &str, authorization: Option<&str>, body: &Value) -> Reply {
    let address = emulator.http_url();
    let mut socket = TcpStream::connect(address.trim_start_matches("http://")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let body = body.to_string();
    let authorization = authorization.map_or(String::new(), |value| format!("Authorization: {value}\r\n"));
    let head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{authorization}");
    write!(socket, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply { status, body: serde_json::from_str(body).unwrap() }
}

fn post(emulator: &Emulator, path: &str, body: &Value) -> Reply {
    ask(emulator, "POST", path, None, body)
}

fn get(emulator: &Emulator, path: &str, token: &Value) -> Reply {
    ask(emulator, "GET", path, Some(&format!("Bearer {}", token.as_str().unwrap())), &Value::Null)
}

/// A login, signed so many seconds off.
fn login(seconds: i64) -> Value {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    signed(&(now + 1000 * seconds).to_string())
}

fn signed(timestamp: &str) -> Value {
    let key = SigningKey::from_slice(&Base64::decode_vec(SettradeSettings::APP_SECRET).unwrap()).unwrap();
    let text = format!("{}..{timestamp}", SettradeSettings::APP_ID);
    let signature: Signature = key.sign(text.as_bytes());
    let signature: String = signature.to_der().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    json!({"apiKey": SettradeSettings::APP_ID, "params": "", "signature": signature, "timestamp": timestamp})
}

fn refresh(emulator: &Emulator, token: &Value) -> Reply {
    post(emulator, REFRESH, &json!({"apiKey": SettradeSettings::APP_ID, "refreshToken": token}))
}

fn tokens(emulator: &Emulator) -> Value {
    let reply = post(emulator, LOGIN, &login(0));
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.body
}

#[test]
fn a_signed_login_brings_tokens_that_open_the_api() {
    let emulator = Emulator::builder().start().unwrap();
    let tokens = tokens(&emulator);
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(3600)));
    assert_eq!(get(&emulator, INFO, &tokens["access_token"]).status, 200);
    emulator.advance(Duration::from_secs(3600));
    let refused = get(&emulator, INFO, &tokens["access_token"]);
    assert_eq!((refused.status, &refused.body["code"]), (401, &json!("API-401")));
    assert_eq!((emulator.settrade().logins(), emulator.settrade().refused_calls()), (1, 1));
}

#[test]
fn a_login_with_anything_else_than_the_signed_is_refused() {
    let emulator = Emulator::builder().start().unwrap();
    for (field, value) in [
        ("apiKey", json!("somebody else")),
        ("params", json!("x")),
        ("signature", json!("00")),
        ("signature", login(1)["signature"].clone()),
        ("signature", json!(login(0)["signature"].as_str().unwrap().to_uppercase())),
    ] {
        let mut login = login(0);
        login[field] = value;
        let reply = post(&emulator, LOGIN, &login);
        assert_eq!((reply.status, &reply.body["message"]), (401, &json!("Unauthorized")), "{field}");
    }
    let mut login = login(0);
    login["timestamp"] = json!(1_700_000_000_000_u64);
    assert_eq!(post(&emulator, LOGIN, &login).status, 400, "a number");
    assert_eq!((emulator.settrade().logins(), emulator.settrade().refused_logins()), (0, 5));
}

#[test]
fn a_login_of_another_time_is_refused() {
    let emulator = Emulator::builder().start().unwrap();
    for seconds in [-90, 90] {
        let reply = post(&emulator, LOGIN, &login(seconds));
        assert_eq!((reply.status, &reply.body["message"]), (401, &json!("Timestamp is out of range")));
    }
    assert_eq!(post(&emulator, LOGIN, &signed("17")).status, 401, "not thirteen digits");
    emulator.settrade().configure(|settings| settings.clock_refusals = ClockRefusals::Silent);
    assert_eq!(post(&emulator, LOGIN, &login(90)).body["message"], "Unauthorized");
    emulator.skew(90);
    assert_eq!(post(&emulator, LOGIN, &login(90)).status, 200);
    assert_eq!(emulator.settrade().refused_clocks(), 4);
}

#[test]
fn a_refresh_token_used_twice_ends_the_session() {
    let emulator = Emulator::builder().start().unwrap();
    let first = tokens(&emulator);
    let second = refresh(&emulator, &first["refresh_token"]).body;
    assert_eq!(get(&emulator, INFO, &second["access_token"]).status, 200);
    assert_eq!(refresh(&emulator, &first["refresh_token"]).status, 401);
    assert_eq!(refresh(&emulator, &second["refresh_token"]).status, 401);
    assert_eq!(get(&emulator, INFO, &second["access_token"]).status, 401);
    let settrade = emulator.settrade();
    assert_eq!((settrade.refreshes(), settrade.refused_refreshes(), settrade.reuse_detected()), (1, 2, 1));
}

#[test]
fn a_refresh_token_belongs_to_its_app() {
    let emulator = Emulator::builder().start().unwrap();
    let tokens = tokens(&emulator);
    let body = json!({"apiKey": "another", "refreshToken": tokens["refresh_token"]});
    assert_eq!(post(&emulator, REFRESH, &body).status, 401);
    assert_eq!(refresh(&emulator, &tokens["refresh_token"]).status, 200);
}

#[test]
fn a_refresh_answer_may_leave_out_the_type() {
    let settings = SettradeSettings { refresh_answer_omits_token_type: true, ..SettradeSettings::default() };
    let emulator = Emulator::builder().settrade(settings).start().unwrap();
    let tokens = tokens(&emulator);
    assert!(refresh(&emulator, &tokens["refresh_token"]).body.get("token_type").is_none());
}

#[test]
fn a_dispatcher_token_is_good_for_one_connection_while_its_session_lives() {
    let emulator = Emulator::builder().start().unwrap();
    let settrade = emulator.settrade();
    let tokens = tokens(&emulator);
    let dispatch = || {
        let reply = get(&emulator, DISPATCHER, &tokens["access_token"]);
        assert_eq!((reply.status, &reply.body["hosts"]), (200, &json!(["127.0.0.1"])));
        reply.body["token"].as_str().unwrap().to_owned()
    };
    let (first, second) = (dispatch(), dispatch());
    assert_ne!(first, second);
    assert!(settrade.admit(&first) && !settrade.admit(&first) && !settrade.admit("another"));
    emulator.advance(Duration::from_secs(3600));
    assert!(!settrade.admit(&second));
    assert_eq!((settrade.dispatcher_tokens(), settrade.admitted(), settrade.not_admitted()), (2, 1, 3));
    assert_eq!(get(&emulator, DISPATCHER, &tokens["access_token"]).status, 401);
}

#[test]
fn another_broker_or_app_is_not_there() {
    let emulator = Emulator::builder().start().unwrap();
    for path in [LOGIN.replace("098", "041"), LOGIN.replace("ALGO", "OTHER")] {
        let reply = post(&emulator, &path, &login(0));
        assert_eq!((reply.status, &reply.body["message"]), (404, &json!("Broker app not found")));
    }
    assert_eq!(ask(&emulator, "GET", LOGIN, None, &Value::Null).status, 405);
}

#[test]
fn faults_strike_settrade_too() {
    let emulator = Emulator::builder().start().unwrap();
    emulator.fault(Endpoint::SettradeLogin, Fault::json(401, &json!({"code": "E", "message": "scripted"})));
    assert_eq!(post(&emulator, LOGIN, &login(0)).body["message"], "scripted");
    assert_eq!(post(&emulator, LOGIN, &login(0)).status, 200);
    assert_eq!(emulator.requests_to(Endpoint::SettradeLogin).len(), 2);
}
