//! Transports that have one fault each: around `perennial-blocking`'s, and one that was written in a hurry.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::time::Duration;

use http::{HeaderValue, StatusCode, Uri};
use perennial_blocking::{HttpTransport, Transport};
use perennial_core::wire::{Body, TransportSecurity};
use perennial_core::{Request, RequestId, Response, TransportError, TransportErrorKind};
use perennial_testing::conformance::transport::{Setup, TransportUnderTest};

/// What is wrong with a transport.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    FollowsRedirects,
    RepeatsWhatFailed,
    NeverSent,
    AlwaysMaybeSent,
    StatusesAreErrors,
    KeepsCookies,
    AddsAHeader,
    DropsTheQuery,
    DropsTheBody,
    DropsHeaders,
    IgnoresTheCap,
    IgnoresTheTimeout,
    TimeoutsAreMaybeSent,
    AsksTheProxy,
    ShowsTheAddress,
    LooksAtNoAddress,
    KnowsNoException,
    RefusesInterimAnswers,
    LosesEarlyAnswers,
    Hurried,
    HurriedAndUnchecked,
}
use Fault::*;

/// `perennial-blocking`'s transport, as the setup wants it.
pub(crate) fn correct(setup: &Setup) -> HttpTransport {
    let transport = HttpTransport::builder().connect_timeout(setup.connect_timeout());
    #[cfg(feature = "tls")]
    let transport = transport.root_certificate_der(setup.root_certificate_der());
    transport.build().unwrap()
}

/// One with this fault.
pub(crate) fn faulty(fault: Fault, setup: &Setup) -> TransportUnderTest {
    let (inner, cookies) = (correct(setup), Mutex::new(None));
    let under_test = match fault {
        Hurried => TransportUnderTest::new(|request| hurried(&request)),
        HurriedAndUnchecked => TransportUnderTest::that_checks(|mut request| {
            TransportSecurity::new().check_request(&mut request)?;
            hurried(&request)
        }),
        LooksAtNoAddress => TransportUnderTest::that_checks(|_| Ok(Response::new(Body::from(b"hello".to_vec())))),
        KnowsNoException => TransportUnderTest::that_checks(move |mut request| {
            request.http.extensions_mut().clear();
            TransportSecurity::new().guard(request, |request| inner.send(request))
        }),
        _ => TransportUnderTest::new(move |request| send(fault, &inner, &cookies, request)),
    };
    under_test.patience(Duration::from_secs(1))
}

fn send(
    fault: Fault,
    inner: &HttpTransport,
    cookies: &Mutex<Option<HeaderValue>>,
    mut request: Request,
) -> Result<Response, TransportError> {
    let uri = request.http.uri().clone();
    match fault {
        DropsTheQuery => *request.http.uri_mut() = changed(&uri, uri.authority().unwrap().as_str(), uri.path()),
        DropsTheBody => *request.http.body_mut() = Body::empty(),
        AddsAHeader => drop(request.http.headers_mut().insert("x-session", HeaderValue::from_static("7"))),
        IgnoresTheCap => request.body_cap = 40 * 1024 * 1024,
        IgnoresTheTimeout => request.timeout = Duration::from_secs(3600),
        KeepsCookies => {
            let kept = cookies.lock().unwrap().clone();
            kept.map(|cookie| request.http.headers_mut().insert("cookie", cookie));
        }
        AsksTheProxy => {
            if let Some(proxy) = std::env::var("http_proxy").ok().and_then(|proxy| proxy.parse::<Uri>().ok()) {
                *request.http.uri_mut() = changed(&uri, proxy.authority().unwrap().as_str(), "/");
            }
        }
        _ => {}
    }
    let again = copy(&request);
    let result = inner.send(request);
    match (fault, result) {
        (FollowsRedirects, Ok(answer)) if answer.status().is_redirection() => {
            let to = answer.headers()["location"].to_str().unwrap().to_owned();
            let mut next = again;
            *next.http.uri_mut() = to.parse().unwrap();
            inner.send(next)
        }
        (RepeatsWhatFailed, Err(_)) => inner.send(again),
        (StatusesAreErrors, Ok(answer)) if answer.status().is_client_error() => {
            Err(TransportError::maybe_sent("the status is an error"))
        }
        (KeepsCookies, Ok(answer)) => {
            *cookies.lock().unwrap() = answer.headers().get("set-cookie").cloned();
            Ok(answer)
        }
        (DropsHeaders, Ok(answer)) => Ok(Response::new(answer.into_body())),
        (LosesEarlyAnswers, Ok(answer)) if answer.status() == StatusCode::TOO_MANY_REQUESTS => {
            Err(TransportError::maybe_sent("the connection was closed"))
        }
        (RefusesInterimAnswers, _) => Err(TransportError::maybe_sent("what was that")),
        (ShowsTheAddress, Err(error)) => Err(TransportError::new(error.kind()).with_source(uri.to_string())),
        (fault, Err(error)) => Err(match (fault, error.kind()) {
            (NeverSent, TransportErrorKind::MaybeSent) => TransportError::new(TransportErrorKind::NotSent),
            (AlwaysMaybeSent, TransportErrorKind::NotSent) | (TimeoutsAreMaybeSent, TransportErrorKind::TimedOut) => {
                TransportError::new(TransportErrorKind::MaybeSent)
            }
            _ => error,
        }),
        (_, answer) => answer,
    }
}

/// The same address elsewhere.
fn changed(uri: &Uri, authority: &str, path: &str) -> Uri {
    format!("{}://{authority}{path}", uri.scheme_str().unwrap()).parse().unwrap()
}

fn copy(request: &Request) -> Request {
    Request {
        id: RequestId::default(),
        http: request.http.clone(),
        timeout: request.timeout,
        body_cap: request.body_cap,
    }
}

/// HTTP/1.1 as it is written in a hurry: what comes until the end is an answer, of which the first lines are the head.
fn hurried(request: &Request) -> Result<Response, TransportError> {
    let (uri, maybe) = (request.http.uri(), |error: std::io::Error| TransportError::maybe_sent(error));
    let address = format!("{}:{}", uri.host().unwrap(), uri.port_u16().unwrap_or(443));
    let mut stream = TcpStream::connect(address).map_err(maybe)?;
    stream.set_read_timeout(Some(request.timeout)).map_err(maybe)?;
    let mut head = format!("{} {} HTTP/1.1\r\nhost: {}\r\n", request.http.method(), uri, uri.authority().unwrap());
    for (name, value) in request.http.headers() {
        head += &format!("{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes()));
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).map_err(maybe)?;
    stream.write_all(request.http.body().as_ref()).map_err(maybe)?;
    let mut answer = Vec::new();
    stream.take(2_000_000).read_to_end(&mut answer).map_err(maybe)?;
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(200);
    let mut response = Response::new(Body::from(body.as_bytes().to_vec()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    Ok(response)
}
