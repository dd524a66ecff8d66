//! Canned answers, a session driven by hand over them, and what is held at the end.

use std::any::Any;
use std::error::Error;
use std::time::Duration;

use http::{HeaderValue, StatusCode};
use perennial_core::store::StoreDriver;
use perennial_core::wire::Body;
use perennial_core::{Exchange, Input, Now, Output, Provider, Request, Response, Session, Step, Timestamp};
use perennial_core::{Polled, PollingExchange};

/// What a scene holds at its end.
pub(crate) type Held = Result<Vec<Box<dyn Any>>, Box<dyn Error>>;

/// A moment of a run, on both clocks.
pub(crate) fn now(seconds: u64) -> Now {
    let wall = Timestamp::from_unix_seconds(1_700_000_000).saturating_add(Duration::from_secs(seconds));
    Now::new(wall, Duration::from_secs(1000 + seconds))
}

/// An answer with these pieces as its body, which stands in one wiped buffer.
pub(crate) fn answer(status: u16, body: &[&str]) -> Response {
    let mut response = Response::new(wiped(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    response
}

/// The same as a page that sets a cookie, or leads elsewhere.
pub(crate) fn with(mut response: Response, name: &'static str, value: &[&str]) -> Response {
    if let Ok(value) = HeaderValue::from_maybe_shared(wiped(value).bytes()) {
        response.headers_mut().append(name, value);
    }
    response
}

fn wiped(pieces: &[&str]) -> Body {
    // Exactly as long as needed: growing would leave copies behind.
    let mut bytes = Vec::with_capacity(pieces.iter().map(|piece| piece.len()).sum());
    pieces.iter().for_each(|piece| bytes.extend_from_slice(piece.as_bytes()));
    Body::from(bytes)
}

/// Drives a session until it sleeps, as `core/examples/by_hand.rs` does. Everything that comes by is formatted, too.
pub(crate) fn drive<P: Provider>(
    session: &mut Session<P>,
    keeper: Option<&mut StoreDriver>,
    service: &dyn Fn(&Request) -> Response,
    now: Now,
) -> Result<(), Box<dyn Error>> {
    let mut keeper = keeper;
    loop {
        let output = session.poll_output();
        drop(format!("{output:?}"));
        match output {
            Output::Send(request) => {
                let answer = service(&request);
                session.handle_input(Input::Response(request.id, answer), now);
            }
            Output::Store(op) => {
                let keeper = keeper.as_mut().ok_or("there is no store")?;
                session.handle_input(Input::Store(op.id, keeper.execute(op)), now);
            }
            Output::Event(event) => drop(event.to_string()),
            Output::Cancel(_) => {}
            Output::Sleep(_) => return Ok(()),
        }
    }
}

/// Drives one exchange to its end.
pub(crate) fn run<X: Exchange>(
    mut exchange: X,
    service: &dyn Fn(&Request) -> Response,
) -> Result<X::Output, perennial_core::Error> {
    let mut request = exchange.start(now(0));
    loop {
        match exchange.receive(service(&request), now(1))? {
            Step::Send(next) => request = next,
            Step::Done(output) => return Ok(output),
        }
    }
}

/// Polls until the person has acted.
pub(crate) fn poll<X: PollingExchange>(
    mut exchange: X,
    service: &dyn Fn(&Request) -> Response,
) -> Result<X::Output, perennial_core::Error> {
    loop {
        let request = exchange.request(now(1));
        if let Polled::Ready(output) = exchange.receive(service(&request), now(1))? {
            return Ok(output);
        }
    }
}

/// The path that a request asks for.
pub(crate) fn path(request: &Request) -> &str {
    request.http.uri().path()
}
