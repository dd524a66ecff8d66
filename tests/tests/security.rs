//! The rules of sending stand in front of every transport, over both adapters.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::error::Error as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use http::{HeaderMap, HeaderName, HeaderValue};
use perennial_adapter::SessionBuilder;
use perennial_blocking as blocking;
use perennial_core::oauth2::Profile;
use perennial_core::providers::navien::{Login, Navien};
use perennial_core::providers::oauth2::{self, OAuth2};
use perennial_core::wire::{Body, InvalidUrl};
use perennial_core::{
    Error, Exchange, LeaseId, Now, Request, Response, Secret, Step, TransportError, TransportErrorKind,
    TransportSecurity,
};
use perennial_emulator::{Emulator, NavienSettings};
use perennial_hyper as hyper;

const TOKEN: &str = r#"{"access_token":"canary","token_type":"Bearer","expires_in":3600}"#;

/// A transport that does whatever it is told, and notes what that was.
#[derive(Clone, Default)]
struct Careless {
    answers_with: HeaderMap,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Careless {
    fn answering_with(name: &'static str, value: &'static str) -> Self {
        let header = (HeaderName::from_static(name), HeaderValue::from_static(value));
        Self { answers_with: HeaderMap::from_iter([header]), ..Self::default() }
    }

    fn carry_out(&self, request: &Request) -> Response {
        self.asked.lock().unwrap().push(format!("{} {:?}", request.http.uri(), request.http.headers()));
        let mut response = Response::new(Body::from(TOKEN.as_bytes().to_vec()));
        response.headers_mut().extend(self.answers_with.clone());
        response
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl blocking::Transport for Careless {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        Ok(self.carry_out(&request))
    }
}

impl hyper::Transport for Careless {
    fn send(&self, request: Request) -> Pin<Box<dyn Future<Output = Result<Response, TransportError>> + Send>> {
        let response = self.carry_out(&request);
        Box::pin(async { Ok(response) })
    }
}

/// One request to this address, and its answer as it is.
struct Once(&'static str);

impl Exchange for Once {
    type Output = Response;

    fn start(&mut self, _now: Now) -> Request {
        let request = http::Request::post(self.0).header("authorization", "Bearer canary");
        Request::new(request.body(Body::from(b"password=canary".to_vec())).unwrap())
    }

    fn receive(&mut self, response: Response, _now: Now) -> Result<Step<Response>, Error> {
        Ok(Step::Done(response))
    }
}

/// The same over both adapters, under these rules.
fn over_both(transport: &Careless, security: &TransportSecurity, at: &'static str) -> [Result<Response, Error>; 2] {
    let threads = blocking::Connector::over(transport.clone()).security(security.clone());
    let tasks = hyper::Connector::over(transport.clone()).security(security.clone());
    [threads.run(Once(at)), runtime().block_on(tasks.run(Once(at)))]
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn transport_error(error: &Error) -> &TransportError {
    match error {
        Error::Transport(error) => error,
        error => panic!("{error:?}"),
    }
}

fn why(error: &Error) -> Option<InvalidUrl> {
    let error = transport_error(error);
    assert_eq!(error.kind(), TransportErrorKind::NotSent);
    error.source()?.downcast_ref().copied()
}

#[test]
fn no_transport_is_asked_to_send_in_the_clear_or_to_another_port() {
    for (at, expected) in [
        ("http://keycloak:8080/token", InvalidUrl::NotHttps),
        ("https://a.example:80800/token", InvalidUrl::Port),
        ("https://user:pw@a.example/token", InvalidUrl::Extra),
    ] {
        let transport = Careless::default();
        for refused in over_both(&transport, &TransportSecurity::new(), at) {
            assert_eq!(why(&refused.unwrap_err()), Some(expected), "{at}");
        }
        assert!(transport.asked().is_empty(), "{at}");
    }
    let transport = Careless::default();
    let security = TransportSecurity::new().plain_http_to("keycloak").unwrap();
    assert!(over_both(&transport, &security, "http://keycloak:8080/token").iter().all(Result::is_ok));
    assert_eq!(transport.asked().len(), 2);
}

#[test]
fn a_session_hears_why_nothing_is_sent() {
    let security = TransportSecurity::new().plain_http_to("keycloak").unwrap();
    let setup = || {
        let profile = Profile::new_under("http://keycloak:8080/token", "app", &security).unwrap();
        let login = oauth2::Login::legacy_password("ada", Secret::from("canary")).unwrap();
        SessionBuilder::new(OAuth2::new(profile)).login(login)
    };
    let transport = Careless::default();
    let by_threads = blocking::Connector::over(transport.clone()).connect(setup()).unwrap_err();
    let by_tasks = runtime().block_on(hyper::Connector::over(transport.clone()).connect(setup())).unwrap_err();
    for refused in [by_threads, by_tasks] {
        assert_eq!(why(&refused), Some(InvalidUrl::NotHttps));
    }
    assert!(transport.asked().is_empty());

    let threads = blocking::Connector::over(transport.clone()).security(security.clone());
    assert!(threads.connect(setup()).is_ok());
    let tasks = hyper::Connector::over(transport.clone()).security(security.clone());
    assert!(runtime().block_on(tasks.connect(setup())).is_ok());
    assert_eq!(transport.asked().len(), 2);
}

#[test]
fn what_any_transport_brings_uninvited_is_refused() {
    for (name, value) in
        [("content-encoding", "gzip"), ("transfer-encoding", "gzip, chunked"), ("transfer-encoding", "x")]
    {
        let transport = Careless::answering_with(name, value);
        for refused in over_both(&transport, &TransportSecurity::new(), "https://a.example/token") {
            assert_eq!(transport_error(&refused.unwrap_err()).kind(), TransportErrorKind::MaybeSent, "{name}: {value}");
        }
    }
}

#[test]
fn no_header_shows_whatever_carried_it() {
    let transport = Careless::answering_with("set-cookie", "session=canary");
    for answer in over_both(&transport, &TransportSecurity::new(), "https://a.example/token") {
        let answer = answer.unwrap();
        assert_eq!(answer.headers()["set-cookie"], "session=canary");
        assert!(!format!("{answer:?}").contains("canary"), "{answer:?}");
    }
    let asked = transport.asked();
    assert!(asked.len() == 2 && asked.iter().all(|asked| !asked.contains("canary")), "{asked:?}");
}

/// `127.1` is how some write `127.0.0.1`: the machine knows, the rules do not.
#[test]
fn a_service_without_tls_is_used_where_its_host_is_named_twice() {
    let service = Emulator::builder().start().unwrap();
    let at = service.navien_url().replace("127.0.0.1", "127.1");
    assert_eq!(Navien::new(&at).unwrap_err(), InvalidUrl::NotHttps);

    let security = TransportSecurity::new().plain_http_to("127.1").unwrap();
    let setup = || {
        let login = Login::new(NavienSettings::EMAIL, NavienSettings::PASSWORD).unwrap();
        SessionBuilder::new(Navien::new_under(&at, &security).unwrap()).login(login)
    };
    let refused = blocking::Connector::new().connect(setup()).unwrap_err();
    assert_eq!(why(&refused), Some(InvalidUrl::NotHttps));
    let session = blocking::Connector::new().security(security.clone()).connect(setup()).unwrap();
    assert!(session.current(LeaseId::Access).is_some());

    let runtime = runtime();
    let refused = runtime.block_on(hyper::Connector::new().connect(setup())).unwrap_err();
    assert_eq!(why(&refused), Some(InvalidUrl::NotHttps));
    let session = runtime.block_on(hyper::Connector::new().security(security.clone()).connect(setup())).unwrap();
    assert!(session.current(LeaseId::Access).is_some());
}
