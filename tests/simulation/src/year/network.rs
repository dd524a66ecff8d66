//! Requests: slow, lost, refused.

use std::time::Duration;

use http::{StatusCode, header};
use time::format_description::well_known::Rfc2822;

use super::scenario::{Down, MINUTE, Sabotage};
use super::state::{Answering, End, Event, Flight, Kind};
use super::world::World;
use crate::fleet::service::{Steps, Work, serial_of};
use perennial_core::wire::Body;
use perennial_core::{Input, Now, Request, RequestId, Timestamp, TransportError, TransportErrorKind};
use perennial_testing::{Asked, Service as Reader};

impl World<'_> {
    pub(super) fn send(&mut self, request: &Request) {
        let Some(asked) = Reader::read(request) else { return };
        self.note(|| format!("  it sends {:?}: {}", request.id, name_of(&asked)));
        self.mix_bytes(request.http.body().as_ref());
        self.observe_send(&asked);
        if matches!(asked, Asked::SignIn { .. }) {
            self.report.sign_ins += 1;
        }
        let (id, timeout) = (request.id, request.timeout);
        let doomed_until = self.now + timeout;
        let goes_on = self.flight.is_some() && matches!(asked, Asked::Ticket { .. });
        let kind = match self.flight.take() {
            Some(flight) if goes_on => flight.kind,
            _ => Kind::of(&asked),
        };
        self.flight = Some(Flight { id, kind, goes_on, is_doomed: false, doomed_until, is_broken: false });
        if self.now < self.down_until {
            return self.fail(id, timeout);
        }
        let there = self.random.millis(10, 150);
        let back = self.random.millis(10, 150);
        if self.lost_left > 0 {
            self.lost_left -= 1;
            self.doom();
            drop(self.work(&asked, there));
            let (delay, kind) = match self.random.below(3) {
                0 => (timeout, TransportErrorKind::TimedOut),
                1 => (there + back, TransportErrorKind::TooLarge),
                _ => (there + back, TransportErrorKind::MaybeSent),
            };
            return self.deliver(id, delay, Answering { delivery: Err(kind), end: End::Unknown });
        }
        let answer = self.work(&asked, there);
        let mut delay = there + back;
        if self.slow_left > 0 {
            self.slow_left -= 1;
            delay += self.slow;
            self.doom();
        }
        if self.year.is(Sabotage::ForgetsFlight) && self.random.one_in(20) {
            let error = TransportError::new(TransportErrorKind::NotSent);
            self.deliver(id, delay + MINUTE, answer);
            return self.deny_sending(id, error);
        }
        self.deliver(id, delay, answer);
    }

    /// The session is told that nothing was sent, and the request is on its way.
    fn deny_sending(&mut self, id: RequestId, error: TransportError) {
        let now = self.told_now();
        if let Some(session) = &mut self.session {
            session.handle_input(Input::Failed(id, error), now);
        }
    }

    fn doom(&mut self) {
        self.disturb(Duration::ZERO);
        if let Some(flight) = &mut self.flight {
            flight.is_doomed = true;
        }
    }

    fn deliver(&mut self, id: RequestId, delay: Duration, answer: Answering) {
        if self.year.is(Sabotage::NoDeadlines) && matches!(answer.delivery, Err(TransportErrorKind::TimedOut)) {
            return;
        }
        let incarnation = self.incarnation;
        self.after(delay, Event::Answers { incarnation, id, answer: Box::new(answer) });
    }

    /// A service that is down.
    fn fail(&mut self, id: RequestId, timeout: Duration) {
        let soon = self.random.millis(10, 300);
        let failed = |kind, end| Answering { delivery: Err(kind), end };
        match self.down {
            Down::Unreachable => self.deliver(id, soon, failed(TransportErrorKind::NotSent, End::Unprocessed)),
            Down::Breaking => self.deliver(id, soon, failed(TransportErrorKind::MaybeSent, End::Unknown)),
            Down::Silent => self.deliver(id, timeout, failed(TransportErrorKind::TimedOut, End::Unknown)),
            Down::Failing => {
                let answer = self.answering(StatusCode::INTERNAL_SERVER_ERROR, Vec::new(), End::Unknown);
                self.deliver(id, soon, answer);
            }
            Down::Page => {
                let answer = self.answering(StatusCode::OK, b"<html>".to_vec(), End::Unknown);
                self.deliver(id, soon, answer);
            }
            Down::Busy => {
                let limited = self.random.one_in(2);
                let status = if limited { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::SERVICE_UNAVAILABLE };
                let mut answer = self.answering(status, Vec::new(), End::Unprocessed);
                let rest = Duration::from_secs(1 + self.random.below(600));
                self.rest_until = self.rest_until.max(self.now + soon + rest);
                self.disturb(rest);
                self.after(soon + rest, Event::Turn);
                self.ask_for_rest(&mut answer, rest);
                self.deliver(id, soon, answer);
            }
        }
    }

    /// In seconds, or as a date by the service's own clock.
    fn ask_for_rest(&mut self, answer: &mut Answering, rest: Duration) {
        let dated = self.random.one_in(2);
        let then = self.service_clock().saturating_add(rest);
        let text = if dated { http_date(then) } else { rest.as_secs().to_string() };
        if let (Ok(response), Ok(value)) = (&mut answer.delivery, text.parse()) {
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
    }

    fn service_clock(&self) -> Timestamp {
        let truth = crate::fleet::process::Clock::default().read(self.now).wall;
        Timestamp::from_unix_millis(truth.unix_millis().saturating_add(self.skew))
    }

    fn answering(&self, status: StatusCode, body: Vec<u8>, end: End) -> Answering {
        let mut response = http::Response::new(Body::from(body));
        *response.status_mut() = status;
        let failed = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        if failed && let Ok(value) = http_date(self.service_clock()).parse() {
            response.headers_mut().insert(header::DATE, value);
        }
        Answering { delivery: Ok(response), end }
    }

    /// The service does its work when the request reaches it.
    fn work(&mut self, asked: &Asked, there: Duration) -> Answering {
        let steps = if self.random.one_in(16) { Steps::Two } else { Steps::One };
        let sent: Now = self.real_now();
        match self.service.work(asked, steps, self.now + there) {
            Work::Granted { serial, answer } => {
                self.observe_issue(serial, sent);
                self.answering(StatusCode::OK, serde_json::to_vec(&answer).unwrap_or_default(), End::Granted)
            }
            Work::Half(answer) => {
                self.answering(StatusCode::OK, serde_json::to_vec(&answer).unwrap_or_default(), End::Half)
            }
            Work::SignedOut => self.answering(StatusCode::OK, b"{}".to_vec(), End::Unprocessed),
            Work::Refused | Work::Reuse => self.answering(StatusCode::UNAUTHORIZED, Vec::new(), End::Refused),
        }
    }

    // ---- Answers

    pub(super) fn answer(&mut self, id: RequestId, answer: Answering) {
        let Answering { mut delivery, mut end } = answer;
        if let Some(flight) = &self.flight
            && flight.id == id
        {
            if flight.is_broken {
                (delivery, end) = (Err(TransportErrorKind::MaybeSent), End::Unknown);
            }
            if end != End::Half {
                self.observe_end(end);
            }
        }
        self.note(|| match &delivery {
            Ok(response) => format!("  it hears of {id:?}: HTTP {} ({end:?})", response.status().as_u16()),
            Err(kind) => format!("  it hears of {id:?}: {kind:?}"),
        });
        self.tell(match delivery {
            Ok(response) => Input::Response(id, response),
            Err(kind) => Input::Failed(id, TransportError::new(kind)),
        });
    }

    pub(super) fn cancel(&mut self, id: RequestId) {
        self.note(|| format!("  it cancels {id:?}"));
        if self.flight.as_ref().is_some_and(|flight| flight.id == id) {
            self.observe_end(End::Unknown);
        }
    }

    /// Its process will not learn what became of it.
    pub(super) fn forget_flight(&mut self) {
        if self.flight.is_some() {
            self.observe_end(End::Unknown);
        }
    }
}

fn name_of(asked: &Asked) -> String {
    match asked {
        Asked::Refresh { token } => format!("refresh with {}", serial_of(token)),
        Asked::AwsRefresh { token } => format!("AWS refresh with {}", serial_of(token)),
        Asked::SignIn { .. } => "sign-in".into(),
        Asked::Ticket { .. } => "the second half".into(),
        Asked::SignOut { .. } => "sign-out".into(),
    }
}

fn http_date(at: Timestamp) -> String {
    let text = at.to_utc().and_then(|at| time::OffsetDateTime::from(at).format(&Rfc2822).ok());
    text.unwrap_or_default().replace("+0000", "GMT")
}
