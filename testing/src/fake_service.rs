//! A service whose answers a test writes down.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use perennial_core::wire::Body;
use perennial_core::{Request, Response, TransportError, TransportErrorKind};

/// A service whose answers the test writes down: for the next request, for the next request to a path, or for all
/// requests to a path. It records the requests. Clones are the same service. No socket is opened, and a request for
/// which no answer was written down is answered with 404.
///
/// By hand, with a session of core's:
///
/// ```
/// use perennial_core::oauth2::Profile;
/// use perennial_core::providers::oauth2::{Login, OAuth2};
/// use perennial_core::{Input, LeaseId, Now, Output, Policy, Session, TransportErrorKind};
/// use perennial_testing::{FakeAnswer, FakeService};
///
/// let service = FakeService::new()
///     .then(FakeAnswer::failed(TransportErrorKind::NotSent)) // the first request finds nobody
///     .always("/token", FakeAnswer::json(200, r#"{"access_token":"at-1","token_type":"Bearer","expires_in":60}"#));
///
/// let provider = OAuth2::new(Profile::new("https://auth.example/token", "my-app")?);
/// let login = Login::legacy_password("ann", "correct horse")?;
/// let (mut session, mut now) = (Session::new(provider, login, Policy::default(), 7), Now::default());
/// session.demand(LeaseId::Access, now);
/// while session.credentials(LeaseId::Access, now).is_none() {
///     match session.poll_output() {
///         Output::Send(request) => {
///             let input = match service.send(&request) {
///                 Ok(response) => Input::Response(request.id, response),
///                 Err(failure) => Input::Failed(request.id, failure),
///             };
///             session.handle_input(input, now);
///         }
///         Output::Sleep(wake) => {
///             now = Now::new(now.wall, wake.expect("it tries again").at); // the clock is turned by hand
///             session.handle_input(Input::Wake, now);
///         }
///         _ => {}
///     }
/// }
/// let requests = service.requests();
/// assert_eq!(requests.len(), 2);
/// assert_eq!(requests[1].path, "/token");
/// assert!(requests[1].text().contains("username=ann"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Over an adapter it is a transport of three lines, and with the adapter's `ManualClock` (feature `test-util`) a day
/// passes in a moment:
///
/// ```
/// use std::time::Duration;
///
/// use perennial_blocking::core::{Request, Response, TransportError};
/// use perennial_blocking::oauth2::Profile;
/// use perennial_blocking::providers::oauth2::{Login, OAuth2};
/// use perennial_blocking::{Connector, ManualClock, SessionBuilder, Transport};
/// use perennial_testing::{FakeAnswer, FakeService};
///
/// struct Fake(FakeService);
///
/// impl Transport for Fake {
///     fn send(&self, request: Request) -> Result<Response, TransportError> {
///         self.0.send(&request)
///     }
/// }
///
/// let token = |name| FakeAnswer::json(200, format!(r#"{{"access_token":"{name}","expires_in":3600}}"#));
/// let service = FakeService::new().at("/token", token("today")).at("/token", token("tomorrow"));
/// let provider = OAuth2::new(Profile::new("https://auth.example/token", "my-app")?);
/// let clock = ManualClock::default();
/// let login = Login::client_credentials();
/// let session =
///     Connector::over(Fake(service)).connect(SessionBuilder::new(provider).login(login).clock(clock.clone()))?;
/// assert_eq!(session.credentials()?.access().expose(), "today");
///
/// clock.advance(Duration::from_secs(24 * 3600));
/// session.settle(); // until everything that is due by now has been done
/// assert_eq!(session.credentials()?.access().expose(), "tomorrow");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Where a service has sockets, TLS, a clock and state of its own, take `perennial-emulator`.
#[derive(Clone, Default)]
pub struct FakeService(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    next: VecDeque<FakeAnswer>,
    at: BTreeMap<String, VecDeque<FakeAnswer>>,
    always: BTreeMap<String, FakeAnswer>,
    requests: Vec<FakeRequest>,
}

/// What becomes of a request: an answer, or a failure of the transport.
#[derive(Clone)]
pub struct FakeAnswer(Result<Response, TransportErrorKind>);

/// A request as it arrived. Its fields may hold secrets; `Debug` shows method and path.
#[derive(Clone)]
#[non_exhaustive]
pub struct FakeRequest {
    /// The method.
    pub method: Method,
    /// The path, without the query.
    pub path: String,
    /// The query, as it was sent; empty if there is none.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl FakeService {
    /// A service that answers 404 to everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an answer for one request, to whatever path. These answers are given in the order in which they were added;
    /// a request whose path has an answer by [`at`](Self::at) takes that one first.
    pub fn then(self, answer: FakeAnswer) -> Self {
        self.state().next.push_back(answer);
        self
    }

    /// Adds an answer for one request to this path (without the query). The answers of a path are given in the order in
    /// which they were added.
    pub fn at(self, path: &str, answer: FakeAnswer) -> Self {
        self.state().at.entry(path.to_owned()).or_default().push_back(answer);
        self
    }

    /// Gives this answer to every request to this path for which there is none by [`at`](Self::at) or
    /// [`then`](Self::then). Called again for the same path, it replaces the answer.
    pub fn always(self, path: &str, answer: FakeAnswer) -> Self {
        self.state().always.insert(path.to_owned(), answer);
        self
    }

    /// Carries out a request, as a transport does.
    pub fn send(&self, request: &Request) -> Result<Response, TransportError> {
        let uri = request.http.uri();
        let mut state = self.state();
        state.requests.push(FakeRequest {
            method: request.http.method().clone(),
            path: uri.path().to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
            headers: request.http.headers().clone(),
            body: request.http.body().as_ref().to_vec(),
        });
        let first = state.at.get_mut(uri.path()).and_then(VecDeque::pop_front);
        let answer = first.or_else(|| state.next.pop_front()).or_else(|| state.always.get(uri.path()).cloned());
        answer.unwrap_or_else(|| FakeAnswer::new(404, "text/plain", "")).0.map_err(TransportError::new)
    }

    /// As [`send`](Self::send), for tests in which no request fails on its way:
    /// [`ProviderUnderTest`](crate::conformance::provider::ProviderUnderTest) takes a function like this.
    ///
    /// # Panics
    ///
    /// If the answer is a [`FakeAnswer::failed`].
    pub fn answer(&self, request: &Request) -> Response {
        self.send(request).unwrap_or_else(|failure| panic!("{request:?} fails: {failure}"))
    }

    /// All requests so far, in the order of arrival.
    pub fn requests(&self) -> Vec<FakeRequest> {
        self.state().requests.clone()
    }

    /// How many answers of [`then`](Self::then) and [`at`](Self::at) were not given yet.
    pub fn waiting(&self) -> usize {
        let state = self.state();
        state.next.len() + state.at.values().map(VecDeque::len).sum::<usize>()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FakeAnswer {
    /// An answer with a body of whatever type.
    ///
    /// # Panics
    ///
    /// Where the status or the type cannot stand in an answer.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut response = Response::new(Body::from(body.into()));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or_else(|_| panic!("{status} is no status"));
        Self(Ok(response)).with_header(CONTENT_TYPE.as_str(), content_type)
    }

    /// An answer of JSON.
    pub fn json(status: u16, body: impl Into<String>) -> Self {
        Self::new(status, "application/json", body.into())
    }

    /// No answer: the request fails with this error of the transport.
    pub fn failed(kind: TransportErrorKind) -> Self {
        Self(Err(kind))
    }

    /// One more header.
    ///
    /// # Panics
    ///
    /// Where it cannot stand in an answer.
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        let pair = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_str(value).ok());
        let (name, value) = pair.unwrap_or_else(|| panic!("`{name}` is no header, or has another value"));
        if let Ok(response) = &mut self.0 {
            response.headers_mut().append(name, value);
        }
        self
    }
}

impl FakeRequest {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON, if it is JSON.
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

impl fmt::Debug for FakeService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeService").field("requests", &self.state().requests).finish_non_exhaustive()
    }
}

/// Of an answer its status only.
impl fmt::Debug for FakeAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Ok(response) => write!(f, "FakeAnswer({})", response.status()),
            Err(kind) => write!(f, "FakeAnswer({kind:?})"),
        }
    }
}

impl fmt::Debug for FakeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(service: &FakeService, path: &str) -> Result<u16, TransportErrorKind> {
        let mut http = http::Request::new(Body::from(b"{\"canary\":1}".to_vec()));
        *http.uri_mut() = format!("https://a.example{path}").parse().expect("an address");
        let answer = service.send(&Request::new(http));
        answer.map(|answer| answer.status().as_u16()).map_err(|failure| failure.kind())
    }

    #[test]
    fn what_waits_for_a_path_comes_before_what_waits_for_any() {
        let of = |status| FakeAnswer::new(status, "text/plain", "");
        let service = FakeService::new()
            .always("/a", of(204))
            .then(of(500))
            .then(FakeAnswer::failed(TransportErrorKind::TimedOut))
            .at("/a", of(201));
        assert_eq!(service.waiting(), 3);
        let got = ["/a?canary=1", "/b", "/a", "/a", "/b"].map(|path| asked(&service, path));
        assert_eq!(got, [Ok(201), Ok(500), Err(TransportErrorKind::TimedOut), Ok(204), Ok(404)]);
        let requests = service.requests();
        assert_eq!((requests.len(), service.waiting(), requests[0].query.as_str()), (5, 0, "canary=1"));
        assert_eq!(requests[0].json(), Some(serde_json::json!({ "canary": 1 })));
        let shown = format!("{service:?} {:?}", of(204));
        assert!(shown.contains("GET /a") && !shown.contains("canary"), "{shown}");
    }
}
