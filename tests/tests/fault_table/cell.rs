//! One cell: a fault at one operation, over one adapter.
//!
//! The cell's text is what came of it (see `expected.rs`). Beside that, every cell is checked for the same: an answer
//! came, the credentials are ones that the service takes, the session works again after the fault,
//! nothing secret was said, and nothing was sent to where a redirect pointed.

use std::marker::PhantomData;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial_adapter::{Clock, SessionBuilder};
use perennial_core::wire::MAX_RETRY_AFTER;
use perennial_core::{
    Credentials, Error, Event, LeaseId, Provider, ServiceErrorKind, SessionError, TransportErrorKind, Validity,
};
use perennial_emulator::{Emulator, Fault, Recorded};
use perennial_tests::{Heard, LONG, Secrets, TIMEOUT, clock_of, everything_said, within};

use crate::adapters::Side;
use crate::services::{Before, HOUR, Hurried, Operation, Place, Service};

/// Where a lifetime is told by its end, in whole seconds, it is so much shorter or longer.
const ROUNDING: Duration = Duration::from_secs(1);

/// The longest pause of ours while somebody asks, and the longest that a service may order.
const OWN_PAUSE: Duration = Duration::from_secs(5);
const ORDERED_PAUSE: Duration = MAX_RETRY_AFTER;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Wire {
    Http,
    Https,
}

/// Whether requests to the endpoint that is struck run into their deadline.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    Short,
    Long,
}

type Outcome = Result<Arc<Credentials>, Error>;

/// Plays the cell. An error says which of the checks it did not pass.
pub(crate) fn play<S: Service, H: Side<S::Provider>>(
    fault: &Fault,
    operation: &'static Operation,
    wire: Wire,
    patience: Patience,
) -> Result<String, String> {
    let builder = match wire {
        Wire::Http => Emulator::builder(),
        Wire::Https => Emulator::builder().https(),
    };
    let emulator = S::emulated(builder, operation).still().start().map_err(|error| error.to_string())?;
    let hurried = Arc::new(Mutex::new(Hurried::None));
    let place = Place { clock: clock_of(&emulator), emulator, heard: Heard::default(), hurried };
    let setup = SessionBuilder::new(S::provider(&place.emulator, TIMEOUT))
        .request_timeout(TIMEOUT)
        .clock(place.clock.clone())
        .on_event(place.heard.listener())
        .seed(1);
    let setup = match S::login() {
        Some(login) => setup.login(login),
        None => setup,
    };
    let session = H::build(place.link(), setup).map_err(|error| error.to_string())?;
    let place = Arc::new(place);
    let mut cell: Cell<S, H> =
        Cell { place, session, operation, secrets: Secrets::default(), said: String::new(), service: PhantomData };
    if operation.session == Before::SignedIn {
        let first = match S::login() {
            Some(_) => cell.ask()?,
            None => cell.sign_in()?,
        };
        let first = first.map_err(|error| format!("cannot even begin: {error}"))?;
        cell.secrets.add_credentials(&first);
        cell.listener_has_caught_up()?;
    }
    let events_before = cell.place.heard.all().len();
    cell.place.emulator.fault_always(operation.endpoint, fault.clone());
    cell.place.hurry(match patience {
        Patience::Long => Hurried::None,
        Patience::Short if fault.strikes_before_reading() => Hurried::All,
        Patience::Short => Hurried::To(operation.endpoint),
    });
    if operation.session == Before::SignedIn {
        cell.place.pass(HOUR + Duration::from_secs(1));
    }
    let outcome = cell.ask()?;
    let text = cell.describe(&outcome, events_before)?;
    cell.place.hurry(Hurried::None);
    cell.service_has_caught_up(fault)?;
    cell.works_again(outcome, fault.executes()).map_err(|wrong| format!("{text}, {wrong}"))?;
    cell.is_discreet()?;
    match cell.place.emulator.trap_requests().len() {
        0 => Ok(text),
        trapped => Err(format!("{text}, {trapped} requests went elsewhere")),
    }
}

struct Cell<S, H> {
    place: Arc<Place>,
    session: H,
    operation: &'static Operation,
    secrets: Secrets,
    said: String,
    service: PhantomData<S>,
}

impl<S: Service, H: Side<S::Provider>> Cell<S, H> {
    fn ask(&self) -> Result<Outcome, String> {
        let (session, lease_id) = (self.session.clone(), self.operation.lease_id);
        within(LONG, move || session.credentials(lease_id)).ok_or_else(|| "hangs or panics".to_owned())
    }

    fn sign_in(&self) -> Result<Outcome, String> {
        let (place, session) = (self.place.clone(), self.session.clone());
        within(LONG, move || S::sign_in(&place, &session)).ok_or_else(|| "sign-in hangs".to_owned())
    }

    /// The driver tells its callers first and its listener then.
    fn listener_has_caught_up(&self) -> Result<(), String> {
        let renewed = |events: &[Event], lease: LeaseId| {
            events.iter().any(|event| matches!(event, Event::Renewed { lease_id, .. } if *lease_id == lease))
        };
        let provider = S::provider(&self.place.emulator, TIMEOUT);
        let has = |lease: &&LeaseId| !provider.methods(**lease).is_empty();
        let both = |events: &[Event]| LeaseId::ALL.iter().filter(has).all(|lease| renewed(events, *lease));
        let heard = self.place.heard.wait_until(LONG, both);
        heard.then_some(()).ok_or_else(|| "no event tells of the sign-in".to_owned())
    }

    /// Whoever gives up on an answer may be faster than a service that performs what it was asked.
    fn service_has_caught_up(&self, fault: &Fault) -> Result<(), String> {
        let endless = ["stall in", "drip"].iter().any(|word| fault.name().starts_with(word));
        let performed = |requests: &[Recorded]| {
            let mut struck = requests.iter().filter(|request| request.fault == Some(fault.name())).peekable();
            struck.peek().is_some() && struck.all(|request| request.status.is_some())
        };
        let caught_up = !endless || self.place.emulator.wait_until(LONG, performed);
        caught_up.then_some(()).ok_or_else(|| "the service performs nothing".to_owned())
    }

    /// The cell's text.
    fn describe(&self, outcome: &Outcome, events_before: usize) -> Result<String, String> {
        let lease_id = self.operation.lease_id;
        let ended = |events: &[Event]| {
            events[events_before..].iter().any(|event| match event {
                Event::Renewed { lease_id: other, .. } => outcome.is_ok() && *other == lease_id,
                Event::Failed { lease_id: other, .. } | Event::Exhausted { lease_id: other, .. } => {
                    outcome.is_err() && *other == lease_id
                }
                _ => false,
            })
        };
        if !self.place.heard.wait_until(LONG, ended) {
            return Err("no event tells of it".to_owned());
        }
        let mut way = String::new();
        for event in &self.place.heard.all()[events_before..] {
            match event {
                Event::Fallback { lease_id: other, error, .. } if *other == lease_id => {
                    way += &format!("{} > ", kind(error));
                }
                Event::Renewed { lease_id: other, method, .. } if *other == lease_id => {
                    let method = method.unwrap_or("nobody");
                    way += if way.is_empty() && method == self.operation.method { "ok" } else { method };
                    way += if outcome.is_err() { " > " } else { "" };
                    break;
                }
                _ => {}
            }
        }
        Ok(match outcome {
            Ok(credentials) => way + &self.lifetimes(credentials),
            Err(error) if error.is_retryable() => way + &kind(error),
            // The way is the error once more.
            Err(error) => "stops: ".to_owned() + &kind(error),
        })
    }

    /// What is unusual about the lifetimes.
    fn lifetimes(&self, credentials: &Credentials) -> String {
        let show = |name: &str, validity: Option<&Validity>, usual: Duration| match validity.map(Validity::lifetime) {
            Some(Some(lifetime)) if lifetime == usual => String::new(),
            // Told as an end, in whole seconds.
            Some(Some(lifetime)) if S::ROUNDS && lifetime.abs_diff(usual) <= ROUNDING => String::new(),
            Some(Some(lifetime)) => format!(", {name} {lifetime:?}"),
            Some(None) => format!(", {name} of unknown length"),
            None => format!(", no {name}"),
        };
        let aws = |usual| show("AWS", credentials.validity(LeaseId::Aws), usual);
        show("access", credentials.validity(LeaseId::Access), self.operation.access)
            + &self.operation.aws.map(aws).unwrap_or_default()
    }

    /// With the fault gone and the pause over, the session is as good as new.
    fn works_again(&mut self, outcome: Outcome, spent: bool) -> Result<(), String> {
        self.place.emulator.clear_faults();
        let again = match outcome {
            Ok(credentials) => {
                self.is_right(&credentials)?;
                self.place.pass(Duration::from_secs(2));
                let (session, lease_id) = (self.session.clone(), self.operation.lease_id);
                within(LONG, move || session.renew(lease_id)).ok_or("renewal hangs")?
            }
            Err(error) => {
                self.said += &everything_said(&error);
                match error.retry_at() {
                    Some(at) => {
                        let pause = at.since(self.place.clock.now().wall);
                        let pause = Duration::try_from(pause).map_err(|_| "tries again in the past")?;
                        let ordered = error.retry_after().is_some() || kind(&error) == "RateLimited";
                        let longest = if ordered { ORDERED_PAUSE } else { OWN_PAUSE };
                        if pause > longest || pause < Duration::from_secs(1) {
                            return Err(format!("a pause of {pause:?}"));
                        }
                        self.stays_so(&error)?;
                        self.place.pass(pause + Duration::from_millis(1));
                        self.ask()?
                    }
                    None if error.is_retryable() => return Err("does not say when it tries again".to_owned()),
                    None => {
                        self.stays_so(&error)?;
                        self.sign_in()?
                    }
                }
            }
        };
        // What is left of a one-use token that the service has spent, and no login: a person.
        let lost = matches!(&again, Err(Error::Session(SessionError::SignInRequired { source: Some(_), .. })));
        let again = if lost && spent && S::login().is_none() { self.sign_in()? } else { again };
        match again {
            Ok(credentials) => self.is_right(&credentials),
            Err(error) => Err(format!("then does not work again: {}", kind(&error))),
        }
    }

    /// Whoever asks in the pause, or after the end, gets the same error, and nothing is sent.
    fn stays_so(&self, error: &Error) -> Result<(), String> {
        let before = self.place.requests();
        match self.ask()? {
            Err(other) if kind(&other) == kind(error) && self.place.requests() == before => Ok(()),
            Err(other) => Err(format!("then {}, {} requests", kind(&other), self.place.requests() - before)),
            Ok(_) => Err("then succeeds during the pause".to_owned()),
        }
    }

    fn is_right(&mut self, credentials: &Credentials) -> Result<(), String> {
        self.secrets.add_credentials(credentials);
        self.said += &format!("{credentials:?} {credentials:#?}");
        if S::accepts(&self.place.emulator, self.operation.lease_id, credentials) {
            Ok(())
        } else {
            Err("with credentials that the service refuses".to_owned())
        }
    }

    fn is_discreet(&self) -> Result<(), String> {
        let events = self.place.heard.all();
        let events: String = events.iter().map(|event| format!("{event} {event:?} {event:#?}\n")).collect();
        let said = self.said.clone() + &events + &self.session.debug();
        let mut sent = Secrets::default();
        S::secrets(&self.place.emulator, &mut sent);
        for request in self.place.emulator.requests() {
            request.header("authorization").into_iter().for_each(|token| sent.add(token));
            let body = request.json().unwrap_or_default();
            let tokens = ["refreshToken", "refresh_token"].map(|name| body[name].as_str());
            tokens.into_iter().flatten().for_each(|token| sent.add(token));
        }
        match self.secrets.shown_in(&said).or_else(|| sent.shown_in(&said)) {
            Some(secret) => Err(format!("a secret shows: {secret}")),
            None => Ok(()),
        }
    }
}

/// Family and kind of an error.
fn kind(error: &Error) -> String {
    match error {
        Error::Service(error) => match error.kind() {
            ServiceErrorKind::RateLimited { retry_after: None } => "RateLimited".to_owned(),
            ServiceErrorKind::RateLimited { retry_after: Some(after) } => format!("RateLimited {after:?}"),
            ServiceErrorKind::Unavailable { retry_after } => format!("Unavailable {retry_after:?}"),
            ServiceErrorKind::Malformed { .. } => "Malformed".to_owned(),
            kind => format!("{kind:?}"),
        },
        Error::Transport(error) => match error.kind() {
            TransportErrorKind::NotSent => "not sent",
            TransportErrorKind::MaybeSent => "maybe sent",
            TransportErrorKind::TimedOut => "timed out",
            TransportErrorKind::TooLarge => "too large",
            kind => panic!("{kind:?} is not known here"),
        }
        .to_owned(),
        Error::Store(error) => format!("{:?}", error.kind()),
        Error::Session(SessionError::SignInRequired { source: Some(source), .. }) => {
            format!("SignInRequired, {}", kind(source))
        }
        Error::Session(error) => format!("{error:?}"),
        error => panic!("{error:?} is not known here"),
    }
}
