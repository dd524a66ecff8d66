//! What a session does at the Settrade Open API, over both adapters, at the emulated service.
//!
//! | operation | test |
//! | --- | --- |
//! | login | `a_login_opens_the_api`, `every_form_of_the_secret_signs_in` |
//! | SANDBOX | `sandbox_in_any_case_is_broker_098` |
//! | refresh | `a_token_is_refreshed_before_it_ends`, `a_refresh_answer_without_a_type_keeps_it` |
//! | refresh refused, then login | `a_refused_refresh_falls_to_the_login` |
//! | skew corrected once | `a_wrong_clock_is_corrected_once` |
//! | dispatcher token | `a_ticket_is_fetched_with_the_access_token` |
//! | a ticket for each reconnect | `every_connection_has_a_ticket_of_its_own` |
//! | an API call refused | `a_refused_call_renews_once` |
//! | sign-out | `a_sign_out_is_local_and_at_once` |
//! | save, restore | `a_saved_session_goes_on_without_a_login` |
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "settrade/world.rs"]
#[macro_use]
mod world;

use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::{env, thread};

use http::StatusCode;
use perennial_adapter::{Clock, SessionBuilder, SystemClock};
use perennial_core::providers::settrade::{Login, Settrade};
use perennial_core::{Error, ImportError, ServiceErrorKind, SessionError, SignOut, State};
use perennial_emulator::{ClockRefusals, Emulator, Endpoint, Fault, SettradeSettings};
use perennial_tests::{LONG, Secrets, everything_said};

use world::{OverBlocking, OverHyper, Side, World, dispatcher_token, kind, login, wrong_login};

/// Past the end of an access token.
const EXPIRY: Duration = Duration::from_secs(3601);

/// Inside the margin before it.
const NEAR_THE_END: Duration = Duration::from_secs(3400);

both![
    a_login_opens_the_api,
    a_login_opens_the_api_over_tls,
    sandbox_in_any_case_is_broker_098,
    every_form_of_the_secret_signs_in,
    a_token_is_refreshed_before_it_ends,
    a_refresh_answer_without_a_type_keeps_it,
    a_refused_refresh_falls_to_the_login,
    a_failed_refresh_is_not_swallowed,
    a_lost_answer_to_a_refresh_falls_to_the_login,
    a_wrong_clock_is_corrected_once,
    a_wrong_secret_is_typed_and_tried_once,
    a_wrong_secret_under_a_wrong_clock_is_tried_twice,
    a_refused_clock_is_waited_out,
    eight_callers_make_one_refresh,
    a_refused_call_renews_once,
    a_ticket_is_fetched_with_the_access_token,
    every_connection_has_a_ticket_of_its_own,
    a_ticket_is_made_of_the_renewed_token,
    a_failing_dispatcher_fails_no_login,
    a_dispatcher_without_hosts_is_an_error,
    a_dead_access_token_gets_no_ticket,
    a_sign_out_is_local_and_at_once,
    a_saved_session_goes_on_without_a_login,
    a_saved_session_belongs_to_its_app,
    nothing_secret_is_said,
];

// -- Signing in.

fn a_login_opens_the_api<S: Side>() {
    let world = World::new();
    let session: S = world.connect();
    assert_eq!(world.call(&session), 200);
    let credentials = session.credentials().unwrap();
    assert_eq!(credentials.account().id, SettradeSettings::APP_ID);
    assert!(world.emulator.settrade().is_refresh_valid(credentials.refresh_token().unwrap().expose()));
    assert_eq!((world.emulator.settrade().logins(), world.emulator.requests().len()), (1, 2));
}

fn a_login_opens_the_api_over_tls<S: Side>() {
    let world = World::start(|_| (), Emulator::builder().https());
    let session: S = world.connect();
    assert_eq!(world.call(&session), 200);
    assert!(world.emulator.requests().iter().all(|request| request.tls));
}

fn sandbox_in_any_case_is_broker_098<S: Side>() {
    let world = World::new();
    for name in ["SANDBOX", "sandbox"] {
        let provider = world.at(name, SettradeSettings::APP_CODE);
        let session: S = world.connect_with(world.stranger(provider).login(login()));
        assert_eq!(world.call(&session), 200);
    }
    let path = world.emulator.requests()[0].path.clone();
    assert_eq!(path, "/api/oam/v1/098/broker-apps/ALGO/login");
}

fn every_form_of_the_secret_signs_in<S: Side>() {
    let world = World::new();
    // The default secret: as it is, unpadded between blanks, with a zero in front (33 bytes).
    let padded = SettradeSettings::APP_SECRET;
    let signed = "AEJ1bGIgaW4gdGhlIGdyb3VuZCB0aWxsIHNwcmluZyEh";
    for form in [padded.to_owned(), format!(" {}\n", padded.trim_end_matches('=')), signed.to_owned()] {
        let login = Login::new(SettradeSettings::APP_ID, form).unwrap();
        let session: S = world.connect_with(world.stranger(world.provider()).login(login));
        assert_eq!(world.call(&session), 200);
    }
}

fn a_wrong_secret_is_typed_and_tried_once<S: Side>() {
    let world = World::new();
    let session: S = world.build(world.stranger(world.provider()).login(wrong_login()));
    for _ in 0..5 {
        let error = session.credentials().unwrap_err();
        assert_eq!(kind(&error), ServiceErrorKind::InvalidCredentials);
        assert!(!error.is_retryable());
        world.pass(EXPIRY);
        session.settle();
    }
    assert_eq!((world.requests_to(Endpoint::SettradeLogin), session.state()), (1, State::SignInRequired));
    session.sign_in(login()).unwrap();
    assert_eq!(world.call(&session), 200);
}

// -- The clock.

fn a_wrong_clock_is_corrected_once<S: Side>() {
    for (refusals, skew) in [(ClockRefusals::Named, 5000), (ClockRefusals::Silent, -5000)] {
        let world = World::with(|settings| settings.clock_refusals = refusals);
        world.emulator.skew(skew);
        let session: S = world.connect();
        assert_eq!(world.call(&session), 200);
        assert_eq!(world.requests_to(Endpoint::SettradeLogin), 2);
        assert_eq!((world.emulator.settrade().refused_clocks(), world.emulator.settrade().logins()), (1, 1));
        // By this machine's clock the token lives an hour, whatever the service's says.
        let left = session.credentials().unwrap().time_until_expiry(world.clock.now()).unwrap();
        assert_eq!(left.whole_seconds(), 3600);
    }
}

fn a_wrong_secret_under_a_wrong_clock_is_tried_twice<S: Side>() {
    let world = World::with(|settings| settings.clock_refusals = ClockRefusals::Silent);
    world.emulator.skew(5000);
    let session: S = world.build(world.stranger(world.provider()).login(wrong_login()));
    assert_eq!(kind(&session.credentials().unwrap_err()), ServiceErrorKind::InvalidCredentials);
    assert_eq!(world.requests_to(Endpoint::SettradeLogin), 2);
    assert_eq!(world.emulator.settrade().refused_logins(), 1);
}

fn a_refused_clock_is_waited_out<S: Side>() {
    let world = World::new();
    world.emulator.skew(5000);
    // Its clock is not told, so nothing can be corrected.
    world.emulator.fault(Endpoint::SettradeLogin, Fault::Date(String::new()));
    let session: S = world.build(world.setup());
    let error = session.credentials().unwrap_err();
    assert!(error.is_retryable() && kind(&error) == ServiceErrorKind::Service, "{error}");
    world.pass(Duration::from_secs(10));
    assert_eq!(session.credentials().map(|_| world.call(&session)).unwrap(), 200);
}

// -- Renewing.

fn a_token_is_refreshed_before_it_ends<S: Side>() {
    let world = World::new();
    let session: S = world.connect();
    let before = session.credentials().unwrap();
    let after = session.next_issue_after(|| world.pass(NEAR_THE_END));
    let settrade = world.emulator.settrade();
    assert!(settrade.is_access_valid(before.access().expose()), "nobody had to wait");
    assert_ne!(before.access().expose(), after.access().expose());
    assert_ne!(before.refresh_token().unwrap().expose(), after.refresh_token().unwrap().expose());
    assert_eq!((settrade.logins(), settrade.refreshes(), world.call(&session)), (1, 1, StatusCode::OK));
}

fn a_refresh_answer_without_a_type_keeps_it<S: Side>() {
    let world = World::with(|settings| {
        settings.refresh_answer_omits_token_type = true;
        "Basic".clone_into(&mut settings.token_type);
    });
    let session: S = world.connect();
    world.pass(EXPIRY);
    assert_eq!(world.call(&session), 200);
    assert_eq!(session.credentials().unwrap().access().token_type(), "Basic");
    assert_eq!(world.emulator.settrade().refreshes(), 1);
}

fn a_refused_refresh_falls_to_the_login<S: Side>() {
    let world = World::new();
    let session: S = world.connect();
    world.emulator.settrade().revoke_refresh();
    world.pass(EXPIRY);
    assert_eq!(world.call(&session), 200);
    let settrade = world.emulator.settrade();
    assert_eq!((settrade.refused_refreshes(), settrade.logins()), (1, 2));
}

/// The service's own client goes on with the dead token as if nothing were.
fn a_failed_refresh_is_not_swallowed<S: Side>() {
    let world = World::new();
    let session: S = world.connect();
    session.forget_login();
    world.emulator.settrade().revoke_refresh();
    world.pass(EXPIRY);
    let Error::Session(SessionError::SignInRequired { source: Some(source), .. }) = session.credentials().unwrap_err()
    else {
        panic!("there is nothing left to try")
    };
    assert_eq!(kind(&source), ServiceErrorKind::RefreshRefused);
    // What merely failed is said too, and passes.
    let session: S = world.connect();
    world.emulator.fault(Endpoint::SettradeRefresh, Fault::status(429));
    world.pass(EXPIRY);
    assert!(session.credentials().unwrap_err().is_retryable());
    world.pass(Duration::from_secs(60));
    assert_eq!(world.call(&session), 200);
}

fn a_lost_answer_to_a_refresh_falls_to_the_login<S: Side>() {
    let world = World::new();
    let session: S = world.connect();
    world.emulator.fault(Endpoint::SettradeRefresh, Fault::LostAnswer);
    world.pass(EXPIRY);
    assert_eq!(world.call(&session), 200);
    let settrade = world.emulator.settrade();
    // The spent token is not shown again: the service would take it for stolen.
    assert_eq!((settrade.logins(), settrade.refreshes(), settrade.reuse_detected()), (2, 1, 0));
}

/// The service's own client makes eight, and the session is lost.
fn eight_callers_make_one_refresh<S: Side>() {
    let world = World::new();
    let session: S = world.connect();
    world.pass(EXPIRY);
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let session = session.clone();
            thread::spawn(move || session.credentials().unwrap().access().expose().to_owned())
        })
        .collect();
    let mut tokens: Vec<_> = callers.into_iter().map(|caller| caller.join().unwrap()).collect();
    tokens.dedup();
    assert_eq!((tokens.len(), world.requests_to(Endpoint::SettradeRefresh)), (1, 1));
    assert_eq!((world.call(&session), world.emulator.settrade().reuse_detected()), (StatusCode::OK, 0));
}

fn a_refused_call_renews_once<S: Side>() {
    let world = World::new();
    let session: S = world.connect();
    world.pass(Duration::from_secs(120));
    world.emulator.settrade().revoke_access();
    let refused = session.credentials().unwrap();
    assert_eq!(world.call(&session), 401);
    session.next_issue_after(|| (0..100).for_each(|_| session.rejected(&refused)));
    session.rejected(&refused);
    assert_eq!(world.call(&session), 200);
    session.settle();
    assert_eq!(world.requests_to(Endpoint::SettradeRefresh), 1);
}

// -- Tickets.

fn a_ticket_is_fetched_with_the_access_token<S: Side>() {
    let world = World::with(|settings| settings.hosts = vec!["mqtt.example".to_owned(), "other.example".to_owned()]);
    let session: S = world.connect();
    assert_eq!(world.requests_to(Endpoint::SettradeDispatcher), 0, "it is fetched when it is needed");
    let ticket = world.ticket(&session).unwrap();
    assert_eq!(ticket.host(), "mqtt.example:443");
    assert_eq!(ticket.deadline, session.credentials().unwrap().expires_at());
    assert_eq!(ticket.url.expose(), "wss://mqtt.example:443/api/dispatcher/v3/098/mqtt");
    assert_eq!((ticket.subprotocol, ticket.user_name.as_deref()), ("mqtt", Some(SettradeSettings::APP_CODE)));
    assert!(world.emulator.settrade().admit(ticket.password.unwrap().expose()));
}

fn every_connection_has_a_ticket_of_its_own<S: Side>() {
    let world = World::new();
    let session: S = world.connect();
    let settrade = world.emulator.settrade();
    let first = dispatcher_token(world.ticket(&session).unwrap());
    let second = dispatcher_token(world.ticket(&session).unwrap());
    assert!(settrade.admit(&first) && !settrade.admit(&first), "a ticket is good for one connection");
    assert!(settrade.admit(&second));
    assert_eq!((settrade.dispatcher_tokens(), settrade.admitted()), (2, 2));
}

fn a_ticket_is_made_of_the_renewed_token<S: Side>() {
    let world = World::new();
    let session: S = world.connect();
    let before = world.ticket(&session).unwrap();
    session.next_issue_after(|| world.pass(NEAR_THE_END));
    let after = world.ticket(&session).unwrap();
    assert!(after.deadline > before.deadline);
    world.pass(Duration::from_secs(300));
    assert!(!world.emulator.settrade().admit(&dispatcher_token(before)), "it ended with its access token");
    assert!(world.emulator.settrade().admit(&dispatcher_token(after)));
}

fn a_failing_dispatcher_fails_no_login<S: Side>() {
    let world = World::new();
    world.emulator.fault_always(Endpoint::SettradeDispatcher, Fault::status(502));
    let session: S = world.connect();
    let error = world.ticket(&session).unwrap_err();
    assert!(error.is_retryable() && kind(&error) == ServiceErrorKind::Service);
    assert_eq!(world.call(&session), 200);
    world.emulator.clear_faults();
    assert!(world.ticket(&session).is_ok());
}

fn a_dispatcher_without_hosts_is_an_error<S: Side>() {
    for hosts in [vec![], vec!["somewhere/else".to_owned()], vec!["user@mqtt.example".to_owned()]] {
        let world = World::with(|settings| settings.hosts = hosts);
        let session: S = world.connect();
        let error = world.ticket(&session).unwrap_err();
        assert!(matches!(kind(&error), ServiceErrorKind::Malformed { .. }), "{error}");
    }
}

fn a_dead_access_token_gets_no_ticket<S: Side>() {
    let world = World::new();
    let session: S = world.connect();
    world.pass(Duration::from_secs(120));
    world.emulator.settrade().revoke_access();
    assert_eq!(kind(&world.ticket(&session).unwrap_err()), ServiceErrorKind::RefreshRefused);
    session.next_issue_after(|| session.rejected(&session.credentials().unwrap()));
    assert!(world.ticket(&session).is_ok());
}

// -- Ending, saving.

fn a_sign_out_is_local_and_at_once<S: Side>() {
    let world = World::new();
    let session: S = world.connect();
    session.sign_out(SignOut::KeepLogin).unwrap();
    assert!(matches!(session.credentials(), Err(Error::Session(SessionError::SignedOut))));
    assert!(session.export().is_none());
    assert_eq!((world.emulator.requests().len(), session.state()), (1, State::SignedOut));
    session.sign_in(login()).unwrap();
    assert_eq!(world.call(&session), 200);
}

fn a_saved_session_goes_on_without_a_login<S: Side>() {
    let world = World::new();
    let saved = world.connect::<S>().export().unwrap().to_json();
    let session: S = world.build(world.stranger(world.provider()).import(saved.expose()));
    assert_eq!((world.call(&session), world.emulator.settrade().logins()), (StatusCode::OK, 1));
    assert!(world.ticket(&session).is_ok());
    // A refresh names the app, which the save knows.
    world.pass(EXPIRY);
    assert_eq!(world.call(&session), 200);
    assert_eq!((world.emulator.settrade().logins(), world.emulator.settrade().refreshes()), (1, 1));
}

fn a_saved_session_belongs_to_its_app<S: Side>() {
    let world = World::new();
    let saved = world.connect::<S>().export().unwrap().to_json();
    let refused = |setup: SessionBuilder<Settrade>| match S::build(world.link(), setup.import(saved.expose())) {
        Err(Error::Session(SessionError::SavedSession(error))) => error,
        other => panic!("{:?}", other.err()),
    };
    for provider in [world.at("098", "OTHER"), world.at("041", SettradeSettings::APP_CODE)] {
        assert_eq!(refused(world.stranger(provider)), ImportError::OtherProvider);
    }
    let another = Login::new("another app", SettradeSettings::APP_SECRET).unwrap();
    assert_eq!(refused(world.setup().login(another)), ImportError::OtherAccount);
}

fn nothing_secret_is_said<S: Side>() {
    let world = World::new();
    let session: S = world.connect();
    let mut secrets = Secrets::default();
    secrets.add(SettradeSettings::APP_SECRET);
    secrets.add(SettradeSettings::APP_ID);
    secrets.add_credentials(&session.credentials().unwrap());
    let ticket = world.ticket(&session).unwrap();
    let mut said = format!("{ticket:?}");
    said += &format!("{ticket:?}");
    secrets.add(ticket.password.as_ref().unwrap().expose());
    // The service repeats what it was sent.
    let token = session.credentials().unwrap().refresh_token().unwrap().expose().to_owned();
    let echo = serde_json::json!({"code": token, "message": format!("token {token} is invalid")});
    world.emulator.fault(Endpoint::SettradeRefresh, Fault::json(401, &echo));
    session.forget_login();
    world.pass(EXPIRY);
    said += &everything_said(&session.credentials().unwrap_err());
    world.heard.wait_until(LONG, |events| events.len() >= 3);
    for event in world.heard.all() {
        said += &format!("{event} {event:?}");
    }
    assert_eq!(secrets.shown_in(&said), None, "{said}");
}

// -- Against the published client.

#[test]
fn the_signature_is_the_published_clients() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let home = root.join("target/clients/settrade");
    // Written last by the installer: without it the installation is not whole.
    if !home.join("installed.txt").exists() {
        let missing = "the Python client is not installed (run tests/clients/install.sh)";
        assert!(env::var_os("PERENNIAL_REQUIRE_CLIENTS").is_none_or(|value| value != "1"), "{missing}");
        eprintln!("SKIPPED: settrade/signature.py: {missing}");
        return;
    }
    let at = SystemClock.now().wall;
    let text = format!("{}..{}", SettradeSettings::APP_ID, at.unix_millis());
    let output = Command::new(home.join("bin/python"))
        .arg(root.join("tests/clients/settrade/signature.py"))
        .args([SettradeSettings::APP_SECRET, &text, &login().sign("", at)])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
