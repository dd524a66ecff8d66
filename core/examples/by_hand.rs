//! Drives the core by hand over a bare `TcpStream`: no adapter, no runtime, no HTTP library.
//!
//! ```sh
//! cargo run -p perennial-core --example by_hand
//! ```
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is the part that does the I/O")]

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Instant, SystemTime};

use perennial_core::providers::navien::{Login, Navien};
use perennial_core::{Input, Need, Now, Output, Policy, Request, Response, Session, Timestamp};
use perennial_core::{TransportError, TransportErrorKind};
use perennial_emulator::{Emulator, NavienSettings};

fn main() -> Result<(), Box<dyn Error>> {
    let service = Emulator::builder().start()?;
    let provider = Navien::new(&service.navien_url())?;
    let login = Login::new(NavienSettings::EMAIL, NavienSettings::PASSWORD)?;
    let start = Instant::now();
    let now = || Now::new(Timestamp::from(time::OffsetDateTime::from(SystemTime::now())), start.elapsed());

    let mut session = Session::new(provider, login, Policy::default(), 1);
    session.demand(Need::Access, now());
    let wake = loop {
        match session.poll_output() {
            Output::Send(request) => match send(&request) {
                Ok(response) => session.handle_input(Input::Response(request.id, response), now()),
                Err(failure) => session.handle_input(Input::Failed(request.id, failure), now()),
            },
            Output::Cancel(_) => {} // `send` is over before anything could be cancelled
            Output::Store(op) => unreachable!("{op:?}: this session has no store"),
            Output::Event(event) => println!("{event}"),
            Output::Sleep(wake) => break wake,
        }
    };
    let credentials = session.credentials(Need::Access, now()).ok_or("the service granted nothing")?;
    println!("signed in as {}; asleep until {wake:?}", credentials.account().full_name());
    Ok(())
}

/// One request over plain HTTP. A transport for production also speaks TLS and keeps a total deadline.
fn send(request: &Request) -> Result<Response, TransportError> {
    let not_sent = |error| TransportError::new(TransportErrorKind::NotSent).with_source(error);
    let maybe_sent = |error| TransportError::new(TransportErrorKind::MaybeSent).with_source(error);
    let (head, body) = (&request.http, request.http.body().as_ref());
    let authority = head.uri().authority().map_or("", |authority| authority.as_str());

    let mut stream = TcpStream::connect(authority).map_err(not_sent)?;
    let _ = stream.set_read_timeout(Some(request.timeout));
    let mut text =
        format!("{} {} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n", head.method(), head.uri().path());
    text += &format!("content-length: {}\r\n", body.len());
    for (name, value) in head.headers() {
        text += &format!("{name}: {}\r\n", value.to_str().unwrap_or_default());
    }
    stream.write_all(text.as_bytes()).and_then(|()| stream.write_all(b"\r\n")).map_err(maybe_sent)?;
    stream.write_all(body).map_err(maybe_sent)?;

    let mut answer = Vec::new();
    stream.take(request.body_cap as u64).read_to_end(&mut answer).map_err(maybe_sent)?;
    let torn = || TransportError::new(TransportErrorKind::MaybeSent).with_source("the answer is torn");
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").ok_or_else(torn)?;
    let status = answer.get(9..12).and_then(|status| std::str::from_utf8(status).ok()).ok_or_else(torn)?;
    let mut response = Response::new(answer[end + 4..].to_vec().into());
    *response.status_mut() = status.parse().map_err(|_| torn())?;
    Ok(response)
}
