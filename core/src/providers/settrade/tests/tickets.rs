//! Connect options for MQTT, from a ticket of Settrade's dispatcher. Each is for one connection.

use http::Method;

use super::*;
use crate::mqtt::ConnectOptions;

fn ticket(body: Value) -> Result<ConnectOptions, ServiceError> {
    ticket_at(&settrade(), body)
}

fn ticket_at(settrade: &Settrade, body: Value) -> Result<ConnectOptions, ServiceError> {
    settrade.parse_ticket(&answer(200, body), &access("Bearer"), now(1))
}

#[test]
fn a_ticket_is_requested_with_the_access_token() {
    let mut exchange = settrade().mqtt(&credentials("Bearer", APP_ID));
    let request = exchange.start(now(0));
    assert_eq!(request.http.method(), Method::GET);
    assert_eq!(request.http.uri().to_string(), format!("{BASE_URL}/api/dispatcher/v3/041/token"));
    assert_eq!(request.http.headers()[header::AUTHORIZATION], "Bearer ey.access");
    assert!(request.http.headers()[header::AUTHORIZATION].is_sensitive());
    let hosts = json!({"hosts": ["mqtt.example", "other.example"], "token": "ey.dispatch"});
    let step = exchange.receive(answer(200, hosts), now(1)).unwrap();
    let Step::Done(ticket) = step else { panic!("{step:?}") };
    assert_eq!((ticket.host(), ticket.deadline), ("mqtt.example:443", Some(now(3600).wall)));
}

#[test]
fn a_duplicate_error_code_brings_no_ticket() {
    let body = r#"{"code":"E-1","code":"E-1","hosts":["mqtt.example"],"token":"ey.dispatch"}"#;
    let response = text_answer(200, body);
    let error = settrade().parse_ticket(&response, &access("Bearer"), now(1)).unwrap_err();
    assert!(matches!(error.kind(), ServiceErrorKind::Malformed { .. }), "{error}");
}

#[test]
fn a_ticket_suits_newer_and_older_brokers() {
    let parts = ticket(json!({"hosts": ["mqtt.example"], "token": "ey.dispatch"})).unwrap();
    assert_eq!(parts.url.expose(), "wss://mqtt.example:443/api/dispatcher/v3/041/mqtt");
    assert_eq!(parts.subprotocol, "mqtt");
    assert_eq!(parts.headers[header::AUTHORIZATION], "Bearer ey.dispatch");
    assert!(parts.headers[header::AUTHORIZATION].is_sensitive());
    assert_eq!(parts.user_name.as_deref(), Some("ALGO_EQ"));
    assert_eq!(parts.password.unwrap().expose(), "ey.dispatch");
    assert_eq!((parts.protocol_level, parts.clean_session, parts.keep_alive.as_secs()), (4, true, 30));
}

#[test]
fn a_dispatcher_without_hosts_is_an_error() {
    for body in [
        json!({"token": "t"}),
        json!({"hosts": [], "token": "t"}),
        json!({"hosts": null, "token": "t"}),
        json!({"hosts": [""], "token": "t"}),
        json!({"hosts": [null], "token": "t"}),
    ] {
        let kind = ticket(body.clone()).unwrap_err().kind();
        assert_eq!(kind, ServiceErrorKind::Malformed { what: "no hosts" }, "{body}");
    }
    for token in [json!(null), json!(""), json!("a\r\nb"), json!(7)] {
        assert!(ticket(json!({"hosts": ["a.example"], "token": token})).is_err());
    }
}

#[test]
fn a_host_is_a_name_with_or_without_a_port() {
    let url = |host: &str| ticket(json!({"hosts": [host], "token": "t"})).map(|parts| parts.url.expose().to_owned());
    for (good, wanted) in [
        ("a.example", "wss://a.example:443/"),
        (" a.example ", "wss://a.example:443/"),
        ("a.example:8443", "wss://a.example:8443/"),
        ("192.0.2.7", "wss://192.0.2.7:443/"),
        // The service is not on this machine: no plain connection.
        ("127.0.0.1", "wss://127.0.0.1:443/"),
    ] {
        assert!(url(good).unwrap().starts_with(wanted), "{good}");
    }
    for bad in [
        "a/b",
        "a@b",
        "u:p@a.example",
        "wss://a.example",
        "a.example/",
        "a?b",
        "a#b",
        "a b",
        "a..b",
        "-a",
        "a:",
        "a:x",
        "a:70000",
        "a:1:2",
        "a\r\nb",
        "é.example",
        ".",
    ] {
        assert!(url(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn a_broker_on_this_machine_needs_no_tls() {
    let here = settrade().with_base_url("http://127.0.0.1:9").unwrap();
    let url = |host: &str| ticket_at(&here, json!({"hosts": [host], "token": "t"})).unwrap().url.expose().to_owned();
    assert!(url("127.0.0.1:1883").starts_with("ws://127.0.0.1:1883/api/"));
    assert!(url("a.example").starts_with("wss://a.example:443/api/"));
}

#[test]
fn a_rejected_access_token_is_refresh_refused() {
    let response = answer(401, json!({"code": "API-401", "message": "Unauthorized"}));
    let error = settrade().parse_ticket(&response, &access("Bearer"), now(1)).unwrap_err();
    assert_eq!(error.kind(), ServiceErrorKind::RefreshRefused);
}
