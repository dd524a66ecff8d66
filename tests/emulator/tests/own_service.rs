//! A service of one's own, with the emulator's faults, recording and clock around it.

// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

use perennial_emulator::{Clock, Emulator, Endpoint, Fault, Request, Response, Service};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const TOKEN: Endpoint = Endpoint::Custom("token");
const API: Endpoint = Endpoint::Custom("api");
const HOUR: Duration = Duration::from_secs(3600);

/// Gives a token to whoever asks, good for an hour.
struct TokenService {
    clock: Clock,
    /// The tokens, by their number, and when they expire.
    issued: Mutex<Vec<Duration>>,
}

impl Service for TokenService {
    fn endpoint(&self, path: &str) -> Option<Endpoint> {
        [("/token", TOKEN), ("/api", API)].iter().find(|known| known.0 == path).map(|known| known.1)
    }

    fn respond(&self, endpoint: Endpoint, request: &Request) -> Response {
        let mut issued = self.issued.lock().unwrap();
        if endpoint == TOKEN {
            issued.push(self.clock.elapsed() + HOUR);
            return Response::json(200, &json!({"access_token": (issued.len() - 1).to_string(), "expires_in": 3600}));
        }
        let number = request.header("authorization").and_then(|token| token.strip_prefix("Bearer ")?.parse().ok());
        let is_valid =
            number.and_then(|number: usize| issued.get(number)).is_some_and(|end| self.clock.elapsed() < *end);
        Response::json(if is_valid { 200 } else { 401 }, &json!({}))
    }
}

fn start() -> (Emulator, Arc<TokenService>) {
    let clock = Clock::still();
    let own = Arc::new(TokenService { clock: clock.clone(), issued: Mutex::default() });
    (Emulator::builder().clock(clock).service(own.clone()).start().unwrap(), own)
}

/// The status and the body; 0 if no answer came.
fn ask(emulator: &Emulator, path: &str, authorization: &str) -> (u16, String) {
    let mut socket = TcpStream::connect(emulator.url().trim_start_matches("http://")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nHost: e\r\nConnection: close\r\nAuthorization: {authorization}\r\n\r\n");
    socket.write_all(head.as_bytes()).unwrap();
    let mut reply = Vec::new();
    let _ = socket.read_to_end(&mut reply);
    let reply = String::from_utf8_lossy(&reply).into_owned();
    let status = reply.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, reply.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

fn token(emulator: &Emulator) -> Value {
    serde_json::from_str(&ask(emulator, "/token", "").1).unwrap()
}

#[test]
fn its_tokens_expire_by_the_emulators_clock() {
    let (emulator, _) = start();
    let shown = format!("Bearer {}", token(&emulator)["access_token"].as_str().unwrap());
    assert_eq!(ask(&emulator, "/api", &shown).0, 200);
    emulator.advance(HOUR);
    assert_eq!(ask(&emulator, "/api", &shown).0, 401);
}

#[test]
fn faults_strike_its_endpoints_one_by_one() {
    let (emulator, own) = start();
    emulator.fault(TOKEN, Fault::status(503));
    emulator.fault(TOKEN, Fault::LostAnswer);
    emulator.fault(TOKEN, Fault::MissingField("expires_in".to_owned()));
    emulator.fault(TOKEN, Fault::WrongTypes);
    emulator.fault(TOKEN, Fault::EmptyTokens);
    assert_eq!(ask(&emulator, "/api", "").0, 401, "it has no fault");
    assert_eq!((ask(&emulator, "/token", "").0, own.issued.lock().unwrap().len()), (503, 0), "it was not asked");
    assert_eq!((ask(&emulator, "/token", "").0, own.issued.lock().unwrap().len()), (0, 1), "it has performed it");
    assert_eq!(token(&emulator), json!({"access_token": "1"}));
    assert_eq!(token(&emulator), json!({"access_token": 1, "expires_in": [3600]}));
    assert_eq!(token(&emulator), json!({"access_token": "", "expires_in": 3600}));
    assert_eq!(token(&emulator), json!({"access_token": "4", "expires_in": 3600}), "the script has been played");

    emulator.fault_always(API, Fault::status(429));
    assert_eq!([0, 1].map(|_| ask(&emulator, "/api", "").0), [429, 429]);
    assert_eq!(ask(&emulator, "/token", "").0, 200);
}

#[test]
fn its_requests_are_recorded_and_their_secrets_are_for_assertions_only() {
    let (emulator, _) = start();
    emulator.fault(API, Fault::LostAnswer);
    ask(&emulator, "/api?code=hidden-code", "Bearer hidden-token");
    ask(&emulator, "/nowhere", "");
    let recorded = emulator.requests_to(API).remove(0);
    assert_eq!(recorded.header("authorization"), Some("Bearer hidden-token"));
    assert_eq!((recorded.path.as_str(), recorded.route()), ("/api?code=hidden-code", "/api"));
    assert_eq!((recorded.endpoint, recorded.fault, recorded.status), (Some(API), Some("lost answer"), None));
    let shown = format!("{recorded:?}");
    assert!(shown.contains("/api?…") && shown.contains("Authorization") && !shown.contains("hidden"), "{shown}");
    assert_eq!(emulator.requests().iter().map(|request| request.endpoint).collect::<Vec<_>>(), [Some(API), None]);
}

#[test]
fn it_comes_before_the_built_in_services_which_go_on() {
    struct Greeting;
    impl Service for Greeting {
        fn endpoint(&self, path: &str) -> Option<Endpoint> {
            (path == "/home").then_some(Endpoint::Custom("greeting"))
        }

        fn respond(&self, _: Endpoint, _: &Request) -> Response {
            Response::new(200, "text/plain", "hello").with_header("X-Greeting", "hello")
        }
    }

    let emulator = Emulator::builder().service(Greeting).start().unwrap();
    assert_eq!(ask(&emulator, "/home", ""), (200, "hello".to_owned()));
    assert_eq!(ask(&emulator, "/api/me", "").0, 401, "that is the site with Auth0's pages");
    assert_eq!(emulator.paths().endpoint("/home"), Some(Endpoint::Custom("greeting")));
    assert_eq!(emulator.paths().endpoint("/api/me"), Some(Endpoint::Auth0Api));
}

#[test]
fn a_panic_in_it_is_answered_and_the_emulator_goes_on() {
    struct Broken;
    impl Service for Broken {
        fn endpoint(&self, path: &str) -> Option<Endpoint> {
            (path == "/broken").then_some(Endpoint::Custom("broken"))
        }

        fn respond(&self, _: Endpoint, _: &Request) -> Response {
            panic!("this service is broken, as the test wants it")
        }
    }

    let emulator = Emulator::builder().service(Broken).start().unwrap();
    for _ in 0..2 {
        assert_eq!(ask(&emulator, "/broken", "").0, 500);
    }
    assert_eq!(emulator.requests()[1].status, Some(500));
}
