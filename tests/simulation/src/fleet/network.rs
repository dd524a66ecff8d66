//! Requests and their answers: each may be lost, late, or come from a service that is not well.

use std::time::Duration;

use http::{StatusCode, header};

use super::event::Event;
use super::process::{Flight, Leaving};
use super::request::{Answering, Bad, End, Fate, Sent};
use super::scenario::Level;
use super::service::{Steps, Work, serial_of};
use super::world::World;
use perennial_core::wire::Body;
use perennial_core::{Input, Request, RequestId, Response, TransportError, TransportErrorKind};
use perennial_testing::{Asked, Service as Reader};

impl World {
    pub(super) fn send(&mut self, process: usize, request: &Request) {
        let Some(asked) = Reader::read(request) else { return };
        self.note(process, || format!("SENDS {:?} {asked:?}, for {:?}", request.id, request.timeout));
        self.count_request(process);
        let index = self.requests.len();
        let (id, renews) = (request.id, !matches!(asked, Asked::SignOut { .. }));
        let goes_on = matches!(asked, Asked::Ticket { .. });
        let state = &mut self.processes[process];
        let session = state.session.as_ref();
        let sent = Sent {
            process,
            incarnation: state.incarnation,
            id,
            token: match &asked {
                Asked::Refresh { token } => serial_of(token),
                _ => 0,
            },
            asked,
            had_login: session.is_some_and(perennial_core::Session::may_show_login),
            end: End::Open,
            ended_at: Duration::ZERO,
            excuse: None,
            fate: Fate::Answered,
        };
        self.requests.push(sent);
        match state.flight.as_mut().filter(|_| goes_on) {
            Some(flight) => (flight.id, flight.last) = (id, index),
            None => {
                let (orphaned, halted) = (false, false);
                state.flight = Some(Flight { id, first: index, last: index, renews, orphaned, halted });
            }
        }
        self.observe_send(process, index);
        self.travel(index, request.timeout);
    }

    /// Decides what becomes of a request.
    fn travel(&mut self, index: usize, timeout: Duration) {
        let level = self.scenario.service_trouble;
        let there = if level != Level::Never && !self.is_well && self.random.one_in(10) {
            self.random.between(Duration::ZERO, timeout * 9 / 10)
        } else {
            self.random.millis(2, 150)
        };
        let troubled = self.service_down || self.random.per_mille(level.share(60, 400));
        if self.is_well || !troubled {
            return self.go(index, there, Fate::Answered);
        }
        match self.random.below(11) {
            0 => self.fail_after(index, there, TransportErrorKind::NotSent),
            1 => self.fail_after(index, there, TransportErrorKind::MaybeSent),
            2 if !self.service_down => {
                self.go(index, there, Fate::Unanswered);
                let more = self.random.millis(1, 500);
                self.fail_after(index, there + more, TransportErrorKind::MaybeSent);
            }
            3 if !self.service_down => {
                self.go(index, there, Fate::Unanswered);
                self.fail_after(index, timeout, TransportErrorKind::TimedOut);
            }
            4 => {
                // It arrives when nobody waits any more.
                let late = timeout + self.random.about(Duration::from_secs(20));
                self.go(index, late, Fate::Unanswered);
                self.fail_after(index, timeout, TransportErrorKind::TimedOut);
            }
            // A broken adapter says nothing.
            5 => self.requests[index].fate = Fate::Nowhere,
            6 if !self.service_down => self.go(index, there, Fate::Worked(Bad::Error)),
            7 if !self.service_down => self.go(index, there, Fate::Worked(Bad::Page)),
            8 => self.go(index, there, Fate::Turned(Bad::Busy)),
            9 if !self.service_down && self.random.one_in(3) => self.go(index, there, Fate::Turned(Bad::Refused)),
            10 => self.go(index, there, Fate::Turned(Bad::Down)),
            _ => self.go(index, there, Fate::Turned(Bad::Error)),
        }
    }

    fn go(&mut self, index: usize, delay: Duration, fate: Fate) {
        self.requests[index].fate = fate;
        self.after(delay, Event::Arrives { request: index });
    }

    fn fail_after(&mut self, index: usize, delay: Duration, kind: TransportErrorKind) {
        let end = match kind {
            TransportErrorKind::NotSent => End::Unprocessed,
            _ => End::Unknown,
        };
        if self.requests[index].fate == Fate::Answered {
            self.requests[index].fate = Fate::Nowhere;
        }
        self.send_answer(index, delay, Answering { delivery: Err(kind), end: Some(end) });
    }

    fn send_answer(&mut self, index: usize, delay: Duration, answer: Answering) {
        let Sent { process, incarnation, .. } = self.requests[index];
        let answer = Box::new(answer);
        self.after(delay, Event::Answers { process, incarnation, request: index, answer });
    }

    /// A request reaches the service, whatever became of its process.
    pub(super) fn arrive(&mut self, index: usize) {
        self.report.requests += 1;
        let (fate, process) = (self.requests[index].fate, self.requests[index].process);
        let bad = match fate {
            Fate::Turned(bad) => {
                self.note(process, || format!("the service answers {bad:?}"));
                return self.answer_badly(index, bad);
            }
            Fate::Worked(bad) => Some(bad),
            Fate::Answered | Fate::Unanswered | Fate::Nowhere => None,
        };
        let steps = if self.random.one_in(8) { Steps::Two } else { Steps::One };
        let work = self.service.work(&self.requests[index].asked, steps, self.now);
        self.note(process, || format!("the service {} ({fate:?})", work.name()));
        if !matches!(work, Work::Reuse) {
            self.observe_spent(index);
        }
        let (status, body, end) = match work {
            Work::Granted { serial, answer } => {
                self.count_grant(index);
                (StatusCode::OK, serde_json::to_vec(&answer).unwrap_or_default(), Some(End::Granted(serial)))
            }
            Work::Half(answer) => (StatusCode::OK, serde_json::to_vec(&answer).unwrap_or_default(), None),
            Work::SignedOut => (StatusCode::OK, b"{}".to_vec(), Some(End::Unprocessed)),
            Work::Refused => (StatusCode::UNAUTHORIZED, Vec::new(), Some(End::Refused)),
            Work::Reuse => {
                self.observe_reuse(index);
                (StatusCode::UNAUTHORIZED, Vec::new(), Some(End::Refused))
            }
        };
        match (fate, bad) {
            (_, Some(bad)) => self.answer_badly(index, bad),
            (Fate::Answered, None) => {
                let delay = self.random.millis(2, 150);
                let mut response = http::Response::new(Body::from(body));
                *response.status_mut() = status;
                self.send_answer(index, delay, Answering { delivery: Ok(response), end });
            }
            _ => {}
        }
    }

    fn answer_badly(&mut self, index: usize, bad: Bad) {
        let (status, end, after) = match bad {
            Bad::Error => (StatusCode::INTERNAL_SERVER_ERROR, End::Unknown, None),
            Bad::Busy => (StatusCode::TOO_MANY_REQUESTS, End::Unprocessed, Some(self.random.below(20))),
            Bad::Down => (StatusCode::SERVICE_UNAVAILABLE, End::Unprocessed, Some(1 + self.random.below(30))),
            Bad::Refused => (StatusCode::UNAUTHORIZED, End::Refused, None),
            Bad::Page => (StatusCode::OK, End::Unknown, None),
        };
        let page = if bad == Bad::Page { b"<html>".to_vec() } else { Vec::new() };
        let mut response = http::Response::new(Body::from(page));
        *response.status_mut() = status;
        if let Some(value) = after.and_then(|seconds| seconds.to_string().parse().ok()) {
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        let delay = self.random.millis(2, 150);
        self.send_answer(index, delay, Answering { delivery: Ok(response), end: Some(end) });
    }

    fn count_grant(&mut self, index: usize) {
        match self.requests[index].asked {
            Asked::Refresh { .. } => self.report.refreshes += 1,
            Asked::SignIn { .. } => self.report.sign_ins += 1,
            _ => {}
        }
    }

    // ---- Answers

    pub(super) fn answer(&mut self, process: usize, index: usize, answer: Answering) {
        let Answering { delivery, end } = answer;
        let id = self.requests[index].id;
        self.note(process, || format!("hears of {id:?}: {}", name_of(&delivery, end)));
        let mine = self.processes[process].flight.filter(|flight| flight.last == index);
        if let Some(flight) = mine
            && let Some(end) = end
        {
            // What came before a last request that failed was carried out.
            let late = flight.first != flight.last && end == End::Unprocessed;
            let first = &mut self.requests[flight.first];
            (first.end, first.ended_at) = (if late { End::Unknown } else { end }, self.now);
            self.processes[process].flight = None;
            self.observe_end(process, flight, end);
            if let Ok(response) = &delivery {
                self.observe_response(process, flight, response, end);
            }
        }
        let input = match delivery {
            Ok(response) => Input::Response(id, response),
            Err(kind) => Input::Failed(id, TransportError::new(kind)),
        };
        self.tell(process, input);
    }

    pub(super) fn cancel(&mut self, process: usize, id: RequestId) {
        self.note(process, || format!("cancels {id:?}"));
        if let Some(flight) = self.processes[process].flight.take_if(|flight| flight.id == id) {
            self.requests[flight.first].forget(self.now);
        }
    }

    /// A driver goes, and another comes: what was in flight is given up, and so is the lock.
    pub(super) fn change_driver(&mut self, process: usize) {
        self.note(process, || "its driver goes, and another comes".into());
        self.drop_keeper(process, Leaving::Orderly);
        let flight = self.processes[process].flight.take();
        if let Some(flight) = flight {
            self.requests[flight.first].forget(self.now);
        }
        self.command(process, |session, now| {
            session.handle_input(Input::StoreGone, now);
            if let Some(flight) = flight {
                let error = TransportError::new(TransportErrorKind::MaybeSent);
                session.handle_input(Input::Failed(flight.id, error), now);
            }
        });
    }
}

impl Work {
    fn name(&self) -> String {
        match self {
            Work::Granted { serial, .. } => format!("grants {serial}"),
            Work::Half(_) => "wants another request".into(),
            Work::SignedOut => "signs out".into(),
            Work::Refused => "REFUSES".into(),
            Work::Reuse => "SEES A REUSE".into(),
        }
    }
}

fn name_of(delivery: &Result<Response, TransportErrorKind>, end: Option<End>) -> String {
    match delivery {
        Ok(response) => format!("HTTP {} ({end:?})", response.status().as_u16()),
        Err(kind) => format!("{kind:?}"),
    }
}
