//! The pace of attempts, in a session driven by hand: pauses, `Retry-After`, and what callers get meanwhile.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod desk;

use std::time::Duration;

use perennial_core::session::{MAX_BACKOFF_FOREGROUND, MIN_QUIET};
use perennial_core::store::{StoreCommand, StoreReply, StoreRequest};
use perennial_core::wire::Body;
use perennial_core::{
    Error, Input, LeaseId, Policy, Response, Session, SessionError, State, Timestamp, TransportError,
};
use perennial_testing::{Toy, ToyLogin};

use self::desk::{Desk, signed_in, text};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A service's answer: none at all, or a status, headers and a body.
#[derive(Clone, Copy)]
enum Says {
    Nothing,
    Answers(u16, &'static [(&'static str, &'static str)], &'static str),
}

const GRANTS: &str = r#"{"access":"at-9","access_ms":3600000,"refresh":"rt-9","user":"ann@toy.example"}"#;
const GRANTS_AWS: &str = r#"{"aws":["k","s","as-9"],"aws_ms":7200000}"#;

fn says(status: u16) -> Says {
    Says::Answers(status, &[], "")
}

/// One caller asks every second for this time. Each request is answered by its path.
fn ask(desk: &mut Desk, lease_id: LeaseId, span: Duration, answer: impl Fn(&str) -> Says) {
    let end = desk.now.monotonic + span;
    while desk.now.monotonic < end {
        desk.demand(lease_id);
        serve(desk, &answer);
        desk.pass(SECOND);
        serve(desk, &answer);
    }
}

fn serve(desk: &mut Desk, answer: &impl Fn(&str) -> Says) {
    while let Some(perennial_core::session::Timer::RequestDeadline) = desk.session.next_wake().map(|wake| wake.why) {
        let request = desk.requests.last().unwrap();
        let (id, path) = (request.id, request.http.uri().path().to_owned());
        match answer(&path) {
            Says::Nothing => desk.input(Input::Failed(id, TransportError::maybe_sent("reset"))),
            Says::Answers(status, headers, body) => {
                let mut response = Response::new(Body::from(body.as_bytes().to_vec()));
                *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
                for (name, value) in headers {
                    response.headers_mut().insert(*name, value.parse().unwrap());
                }
                desk.input(Input::Response(id, response));
            }
        }
    }
}

fn sent(desk: &Desk, path: &str) -> usize {
    desk.paths().iter().filter(|sent| *sent == path).count()
}

fn obstacle(desk: &Desk, lease_id: LeaseId) -> Option<Error> {
    desk.session.obstacle(lease_id)
}

/// How long callers are told to wait, by their error's `retry_at`.
fn hears(desk: &Desk, lease_id: LeaseId) -> Duration {
    let at: Timestamp = obstacle(desk, lease_id).and_then(|error| error.retry_at()).expect("a moment to come back");
    Duration::try_from(at.since(desk.now.wall)).unwrap()
}

// ---- A login

#[test]
fn a_password_that_is_answered_oddly_is_sent_at_most_three_times_in_an_hour_and_eight_in_a_day() {
    for status in [200, 302, 400, 412, 429, 500, 502] {
        let mut desk = Desk::new(Policy::default());
        ask(&mut desk, LeaseId::Access, HOUR, |_| says(status));
        assert_eq!(sent(&desk, "/sign-in"), 3, "{status}");
        assert_eq!(desk.session.state(), State::SignInRequired, "{status}");
        let error = obstacle(&desk, LeaseId::Access).unwrap();
        let Error::Session(SessionError::SignInRequired { source: Some(_), retry_at: Some(_) }) = error else {
            panic!("{status}: {error:?}");
        };
        assert!(error.is_retryable(), "it is tried again by itself");
        ask(&mut desk, LeaseId::Access, DAY - HOUR, |_| says(status));
        assert_eq!(sent(&desk, "/sign-in"), 8, "{status}");
        // A day later the service works again: nobody had to act.
        ask(&mut desk, LeaseId::Access, HOUR, |_| Says::Answers(200, &[], GRANTS));
        assert_eq!(desk.session.state(), State::Live, "{status}");
    }
}

#[test]
fn a_password_without_any_answer_is_retried_while_somebody_waits() {
    let mut desk = Desk::new(Policy::default());
    ask(&mut desk, LeaseId::Access, 10 * MINUTE, |_| Says::Nothing);
    assert!(sent(&desk, "/sign-in") > 100, "{}", sent(&desk, "/sign-in"));
    assert_eq!(desk.session.state(), State::Waiting);
}

#[test]
fn a_login_given_by_sign_in_is_tried_at_once() {
    let mut desk = Desk::new(Policy::default());
    ask(&mut desk, LeaseId::Access, HOUR, |_| says(412));
    desk.session.sign_in(ToyLogin::new("ann@toy.example", "other"), desk.now);
    desk.drain();
    assert_eq!(sent(&desk, "/sign-in"), 4);
    desk.grant(1);
    assert_eq!(desk.token(), Some("at-1"));
}

#[test]
fn refreshes_go_on_while_the_login_is_paused() {
    let mut desk = signed_in(Policy::default());
    desk.pass(HOUR);
    ask(&mut desk, LeaseId::Access, HOUR, |path| if path == "/refresh" { says(503) } else { says(412) });
    assert!(sent(&desk, "/refresh") > 10);
    assert_eq!(sent(&desk, "/sign-in"), 1 + 3, "the first one, and three for the failures");
    ask(&mut desk, LeaseId::Access, 2 * MINUTE, |path| match path {
        "/refresh" => Says::Answers(200, &[], GRANTS),
        _ => says(412),
    });
    assert_eq!(desk.session.state(), State::Live);
}

// ---- A store that several sessions use

/// Carries out a session's operations on a store with this record.
fn keep(desk: &mut Desk, shelf: &mut Option<Body>) {
    while !desk.ops.is_empty() {
        for StoreRequest { id, command, .. } in std::mem::take(&mut desk.ops) {
            let stored = match command {
                StoreCommand::Read => StoreReply::Read(shelf.clone()),
                StoreCommand::Lock { .. } => StoreReply::Locked { record: shelf.clone(), remaining: None },
                StoreCommand::Write { record, .. } => {
                    *shelf = Some(record);
                    StoreReply::Done
                }
                _ => StoreReply::Done,
            };
            desk.input(Input::Store(id, Ok(stored)));
        }
    }
}

fn ask_with(desk: &mut Desk, shelf: &mut Option<Body>, span: Duration, answer: impl Fn(&str) -> Says) {
    let end = desk.now.monotonic + span;
    while desk.now.monotonic < end {
        desk.demand(LeaseId::Access);
        keep(desk, shelf);
        serve(desk, &answer);
        keep(desk, shelf);
        desk.pass(SECOND);
        keep(desk, shelf);
        serve(desk, &answer);
        keep(desk, shelf);
    }
}

fn process(password: &str, seed: u64, started: Duration) -> Desk {
    let login = ToyLogin::new("ann@toy.example", password);
    let mut desk = Desk::of(Session::new(Toy, login, Policy::default(), seed).with_store());
    desk.now.wall = desk.now.wall.saturating_add(started);
    desk
}

#[test]
fn a_rejected_login_is_sent_once_by_all_processes_on_a_store_and_not_again_after_a_restart() {
    let mut shelf = None;
    let mut sign_ins = 0;
    for seed in 0..16 {
        let mut desk = process("wrong", seed, SECOND * 30 * seed as u32);
        ask_with(&mut desk, &mut shelf, 20 * SECOND, |_| says(401));
        sign_ins += sent(&desk, "/sign-in");
        assert_eq!(desk.session.state(), State::SignInRequired);
        let error = obstacle(&desk, LeaseId::Access).unwrap();
        assert!(error.to_string().contains("refused the login"), "{error}");
    }
    assert_eq!(sign_ins, 1);
    let record = text(shelf.as_ref().unwrap());
    assert!(!record.contains("wrong") && record.contains("invalid_credentials"), "{record}");
    // Another login is sent, and its grant replaces the recorded failure.
    let mut right = process("right", 99, HOUR);
    ask_with(&mut right, &mut shelf, 2 * SECOND, |_| Says::Answers(200, &[], GRANTS));
    assert_eq!(right.session.state(), State::Live);
    assert!(!text(shelf.as_ref().unwrap()).contains("failures"));
}

#[test]
fn a_password_that_is_answered_oddly_is_counted_over_restarts_and_processes() {
    let mut shelf = None;
    let mut sign_ins = 0;
    for minute in 0..60 {
        let mut desk = process("pass", minute, MINUTE * minute as u32);
        ask_with(&mut desk, &mut shelf, 50 * SECOND, |_| says(412));
        sign_ins += sent(&desk, "/sign-in");
        assert!(obstacle(&desk, LeaseId::Access).is_some());
    }
    assert_eq!(sign_ins, 3);
}

#[test]
fn callers_hear_of_a_rejected_login_once_the_store_has_it() {
    let mut desk = process("wrong", 1, SECOND);
    desk.demand(LeaseId::Access);
    desk.store(Ok(StoreReply::Read(None)));
    desk.locked(None);
    let told = desk.session.failures(LeaseId::Access).0;
    desk.answer(401, "");
    assert_eq!(desk.session.failures(LeaseId::Access).0, told, "not before it is saved");
    assert!(obstacle(&desk, LeaseId::Access).is_none(), "callers wait so long");
    let record = text(&desk.written());
    assert!(record.contains("invalid_credentials"), "{record}");
    desk.store(Ok(StoreReply::Done));
    assert!(desk.session.failures(LeaseId::Access).0 > told);
    // If the store cannot be written, callers do not wait for ever.
    let mut stuck = process("wrong", 1, SECOND);
    stuck.demand(LeaseId::Access);
    stuck.store(Ok(StoreReply::Read(None)));
    stuck.locked(None);
    stuck.answer(401, "");
    stuck.pass(MINUTE);
    assert!(obstacle(&stuck, LeaseId::Access).is_some());
}

#[test]
fn retry_after_is_obeyed_by_every_process_on_the_store() {
    let mut shelf = None;
    let busy = |_: &str| Says::Answers(429, &[("retry-after", "600")], "");
    let mut first = process("pass", 1, Duration::ZERO);
    ask_with(&mut first, &mut shelf, 2 * SECOND, busy);
    assert_eq!(first.requests.len(), 1);
    for seed in 2..10 {
        let mut desk = process("pass", seed, 30 * SECOND * seed as u32);
        ask_with(&mut desk, &mut shelf, 20 * SECOND, busy);
        assert_eq!(desk.requests.len(), 0);
        let left = hears(&desk, LeaseId::Access);
        assert!(left < 10 * MINUTE && left > 4 * MINUTE, "{left:?}");
    }
    let mut later = process("pass", 20, 10 * MINUTE);
    ask_with(&mut later, &mut shelf, 5 * SECOND, |_| Says::Answers(200, &[], GRANTS));
    assert_eq!(later.session.state(), State::Live);
}

#[test]
fn retry_after_from_another_session_ends_when_a_person_has_signed_in_there() {
    let mut shelf = None;
    let busy = |_: &str| Says::Answers(429, &[("retry-after", "6000")], "");
    let (mut there, mut here) = (process("pass", 1, Duration::ZERO), process("pass", 2, Duration::ZERO));
    ask_with(&mut there, &mut shelf, 2 * SECOND, busy);
    ask_with(&mut here, &mut shelf, 2 * SECOND, busy);
    assert_eq!((here.requests.len(), here.session.state()), (0, State::Waiting));
    there.session.sign_in(ToyLogin::new("ann@toy.example", "pass"), there.now);
    ask_with(&mut there, &mut shelf, 2 * SECOND, |_| Says::Answers(200, &[], GRANTS));
    assert!(!text(shelf.as_ref().unwrap()).contains("not_before"));
    here.input(Input::StoreChanged);
    ask_with(&mut here, &mut shelf, 2 * SECOND, busy);
    assert!(here.session.state() == State::Live && obstacle(&here, LeaseId::Aws).is_none());
    here.session.renew(LeaseId::Access, here.now);
    ask_with(&mut here, &mut shelf, 2 * SECOND, |_| Says::Answers(200, &[], GRANTS));
    assert_eq!(here.requests.len(), 1);
}

// ---- Answers without a grant

#[test]
fn after_an_answer_without_a_grant_the_pause_grows_to_minutes_whoever_waits() {
    for (status, body) in [(400, ""), (412, ""), (200, "<html>"), (200, "{"), (307, "")] {
        let mut desk = Desk::of(Session::new(Toy, None, Policy::default(), 7));
        restore_expired(&mut desk);
        ask(&mut desk, LeaseId::Access, HOUR, |_| Says::Answers(status, &[], body));
        let asked = desk.requests.len();
        assert!((10..=60).contains(&asked), "{status} {body}: {asked}");
        ask(&mut desk, LeaseId::Access, 6 * MINUTE, |_| Says::Answers(200, &[], GRANTS));
        assert_eq!(desk.session.state(), State::Live, "{status} {body}");
    }
}

/// A saved session whose access token has expired, without a login.
fn restore_expired(desk: &mut Desk) {
    let saved = signed_in(Policy::default()).session.export().unwrap();
    desk.now = perennial_core::Now::new(desk.now.wall.saturating_add(3 * HOUR), desk.now.monotonic);
    let saved = perennial_core::SavedSession::parse(saved.to_json().expose().as_bytes(), desk.now).unwrap();
    desk.session.import(saved, desk.now).unwrap();
    desk.drain();
}

#[test]
fn a_failing_service_is_asked_every_five_seconds_while_somebody_waits() {
    let mut desk = Desk::of(Session::new(Toy, None, Policy::default(), 7));
    restore_expired(&mut desk);
    ask(&mut desk, LeaseId::Access, 10 * MINUTE, |_| says(503));
    assert!(desk.requests.len() > 100, "{}", desk.requests.len());
    assert!(hears(&desk, LeaseId::Access) <= MAX_BACKOFF_FOREGROUND);
}

// ---- Retry-After

#[test]
fn a_429_means_a_minute_and_retry_after_is_obeyed_up_to_a_day() {
    let quiet = |headers| {
        let mut desk = Desk::of(Session::new(Toy, None, Policy::default(), 7));
        restore_expired(&mut desk);
        ask(&mut desk, LeaseId::Access, SECOND, |_| Says::Answers(429, headers, ""));
        assert_eq!(desk.requests.len(), 1);
        hears(&desk, LeaseId::Access) + SECOND
    };
    assert_eq!(quiet(&[]), MIN_QUIET);
    assert_eq!(quiet(&[("retry-after", "7200")]), 2 * HOUR);
    assert_eq!(quiet(&[("retry-after", "999999")]), DAY);
}

#[test]
fn retry_after_of_one_lease_holds_for_the_other() {
    let mut desk = signed_in(Policy::default());
    desk.session.renew(LeaseId::Access, desk.now);
    desk.pass(SECOND);
    serve(&mut desk, &|_| Says::Answers(429, &[("retry-after", "600")], ""));
    let asked = desk.requests.len();
    desk.session.renew(LeaseId::Aws, desk.now);
    desk.pass(599 * SECOND);
    assert_eq!(desk.requests.len(), asked);
    assert_eq!(
        desk.session.pause(LeaseId::Aws).and_then(|error| error.retry_at()),
        Some(desk.now.wall.saturating_add(SECOND))
    );
    desk.pass(SECOND);
    assert_eq!(desk.requests.len(), asked + 1);
}

// ---- Missing endpoints

#[test]
fn a_missing_endpoint_is_retried_where_there_is_no_other_method() {
    for status in [404, 405, 501] {
        let mut desk = Desk::of(Session::new(Toy, None, Policy::default(), 7));
        restore_expired(&mut desk);
        ask(&mut desk, LeaseId::Access, 10 * MINUTE, |_| says(status));
        assert_ne!(desk.session.state(), State::SignInRequired, "{status}");
        ask(&mut desk, LeaseId::Access, 6 * MINUTE, |_| Says::Answers(200, &[], GRANTS));
        assert_eq!(desk.session.state(), State::Live, "{status}");
    }
}

#[test]
fn an_endpoint_that_was_missing_is_looked_for_again_after_minutes() {
    let mut desk = signed_in(Policy::default());
    let refresh_is_missing = |path: &str| match path {
        "/refresh" => says(404),
        "/aws-refresh" => Says::Answers(200, &[], GRANTS_AWS),
        _ => Says::Answers(200, &[], GRANTS),
    };
    for (pause, refreshes) in [(MINUTE, 1), (MINUTE, 1), (5 * MINUTE, 2), (5 * MINUTE, 2), (6 * MINUTE, 3)] {
        desk.pass(pause);
        desk.session.renew(LeaseId::Access, desk.now);
        desk.drain();
        serve(&mut desk, &refresh_is_missing);
        assert_eq!(sent(&desk, "/refresh"), refreshes, "{:?}", desk.paths());
    }
}

#[test]
fn an_endpoint_that_has_worked_is_not_taken_for_missing() {
    let mut desk = signed_in(Policy::default());
    let renew = |desk: &mut Desk, status, body: &'static str| {
        desk.pass(10 * MINUTE);
        desk.session.renew(LeaseId::Aws, desk.now);
        desk.drain();
        serve(desk, &move |path: &str| {
            if path == "/aws-refresh" { Says::Answers(status, &[], body) } else { Says::Answers(200, &[], GRANTS) }
        });
    };
    renew(&mut desk, 200, GRANTS_AWS);
    renew(&mut desk, 404, "");
    renew(&mut desk, 200, GRANTS_AWS);
    assert_eq!(sent(&desk, "/aws-refresh"), 3);
}

// ---- Liveness

#[test]
fn a_method_that_keeps_failing_is_followed_by_the_next_one() {
    for broken in
        [Says::Nothing, says(502), says(400), Says::Answers(200, &[], "<html>"), Says::Answers(200, &[], "{}")]
    {
        let mut desk = signed_in(Policy::default());
        // The access token is renewed, the AWS credentials expire.
        let answer = move |path: &str| match path {
            "/aws-refresh" => broken,
            "/refresh" => Says::Answers(200, &[], GRANTS),
            _ => Says::Answers(
                200,
                &[],
                r#"{"access":"at-8","access_ms":3600000,"refresh":"rt-8","aws":["k","s","as-8"],"aws_ms":7200000,"user":"ann@toy.example"}"#,
            ),
        };
        let start = desk.now.monotonic;
        let mut without = Duration::ZERO;
        while desk.now.monotonic < start + 6 * HOUR {
            ask(&mut desk, LeaseId::Aws, SECOND, answer);
            if desk.session.credentials(LeaseId::Aws, desk.now).is_none() {
                without += SECOND;
            }
        }
        assert!(without <= 15 * SECOND, "{without:?}: {:?}", desk.paths());
    }
}

#[test]
fn a_password_is_not_sent_for_a_failing_method_while_valid_credentials_are_held() {
    let mut desk = signed_in(Policy::default());
    let answer = |path: &str| if path == "/aws-refresh" { says(502) } else { Says::Answers(200, &[], GRANTS) };
    desk.session.renew(LeaseId::Aws, desk.now);
    ask(&mut desk, LeaseId::Aws, 10 * MINUTE, answer);
    assert_eq!(sent(&desk, "/sign-in"), 1, "{:?}", desk.paths());
}

// ---- Rejected by the API

#[test]
fn a_rejected_generation_is_handed_to_nobody() {
    let mut desk = signed_in(Policy::default());
    let mut number = 1;
    for _ in 0..200 {
        let held = desk.session.held().unwrap().clone();
        let generation = held.generation(LeaseId::Access);
        desk.session.rejected(LeaseId::Access, generation, desk.now);
        desk.drain();
        assert!(desk.session.credentials(LeaseId::Access, desk.now).is_none());
        for _ in 0..3000 {
            desk.demand(LeaseId::Access);
            if let Some(perennial_core::session::Timer::RequestDeadline) = desk.session.next_wake().map(|wake| wake.why)
            {
                number += 1;
                desk.grant(number);
            }
            if let Some(served) = desk.session.credentials(LeaseId::Access, desk.now) {
                assert_ne!(served.generation(LeaseId::Access), generation);
                break;
            }
            if obstacle(&desk, LeaseId::Access).is_some() {
                break;
            }
            desk.pass(SECOND / 10);
        }
        if let Some(error) = obstacle(&desk, LeaseId::Access) {
            assert!(
                matches!(error, Error::Session(SessionError::CredentialsRejected { retry_at: Some(_) })),
                "{error:?}"
            );
            return;
        }
    }
    panic!("its renewal is never delayed");
}

#[test]
fn a_caller_waits_for_a_new_token_after_a_rejection_within_a_minute_if_that_is_short() {
    let mut desk = signed_in(Policy::default());
    desk.pass(20 * SECOND);
    for number in 2..4 {
        let generation = desk.session.held().unwrap().generation(LeaseId::Access);
        desk.session.rejected(LeaseId::Access, generation, desk.now);
        desk.drain();
        desk.demand(LeaseId::Access);
        assert!(obstacle(&desk, LeaseId::Access).is_none(), "callers wait: a new one is due at once, or in a second");
        desk.pass(2 * SECOND);
        desk.grant(number);
        assert!(desk.token().is_some());
    }
}

#[test]
fn a_generation_accepted_for_a_minute_resets_the_count_of_rejections() {
    let mut desk = signed_in(Policy::default());
    let refuse = |desk: &mut Desk| {
        let generation = desk.session.held().unwrap().generation(LeaseId::Access);
        desk.session.rejected(LeaseId::Access, generation, desk.now);
        desk.drain();
    };
    for number in 2..6 {
        refuse(&mut desk);
        desk.pass(20 * SECOND);
        desk.grant(number);
    }
    // Ten hours without a rejection.
    for number in 10..20 {
        desk.pass(HOUR - 5 * MINUTE);
        desk.grant(number);
    }
    let asked = desk.requests.len();
    desk.pass(5 * SECOND);
    refuse(&mut desk);
    assert_eq!(desk.requests.len(), asked + 1, "renewed at once");
}

#[test]
fn callers_get_an_error_at_once_while_every_method_fails() {
    for status in [500, 503, 400, 412] {
        let mut desk = signed_in(Policy::default());
        desk.pass(3 * HOUR);
        for second in 0..600 {
            let told = desk.session.failures(LeaseId::Access).0;
            ask(&mut desk, LeaseId::Access, SECOND, |_| says(status));
            let heard = obstacle(&desk, LeaseId::Access).is_some() || desk.session.failures(LeaseId::Access).0 != told;
            assert!(heard, "{status}: after {second} s: {:?} {:?}", desk.session, desk.events);
        }
        ask(&mut desk, LeaseId::Access, 6 * MINUTE, |_| Says::Answers(200, &[], GRANTS));
        assert_eq!(desk.session.state(), State::Live, "{status}");
    }
}
