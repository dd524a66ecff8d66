//! One cell: a fault at one operation, over one adapter.
//!
//! The cell's text is what came of it (see `expected.rs`). Beside that, every cell is checked for the same: the
//! answer came in time, the credentials are ones that the service takes, the session works again after the fault,
//! nothing secret was said, and nothing was sent to where a redirect pointed.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use perennial_core::{Credentials, Error, Event, Need, ServiceErrorKind, SessionError, Term, TransportErrorKind};
use perennial_emulator::{Endpoint, Fault};
use perennial_tests::{LONG, Secrets, Subject, World, everything_said, login, within};

/// The deadline of each request. A busy machine must still manage an exchange within it.
const TIMEOUT: Duration = Duration::from_millis(800);

/// What a busy machine may add to that.
const SLACK: Duration = Duration::from_secs(4);

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The longest pause of ours while somebody asks, and the longest that a service may order.
const OWN_PAUSE: Duration = Duration::from_secs(5);
const ORDERED_PAUSE: Duration = HOUR;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Wire {
    Http,
    Https,
}

/// What a session is doing when the fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    SignIn,
    Refresh,
    Aws,
}

impl Operation {
    pub(crate) const ALL: [Self; 3] = [Self::SignIn, Self::Refresh, Self::Aws];

    fn need(self) -> Need {
        match self {
            Self::SignIn | Self::Refresh => Need::Access,
            Self::Aws => Need::Aws,
        }
    }

    fn endpoint(self) -> Endpoint {
        match self {
            Self::SignIn => Endpoint::SignIn,
            Self::Refresh => Endpoint::Refresh,
            Self::Aws => Endpoint::SessionRefresh,
        }
    }

    /// The rung that does it when nothing goes wrong.
    fn rung(self) -> &'static str {
        match self {
            Self::SignIn => "sign-in",
            Self::Refresh => "refresh",
            Self::Aws => "session refresh",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SignIn => "sign-in",
            Self::Refresh => "refresh",
            Self::Aws => "AWS renewal",
        })
    }
}

type Outcome = Result<Arc<Credentials>, Error>;

/// Plays the cell. An error says which of the checks it did not pass.
pub(crate) fn play<S: Subject>(fault: &Fault, operation: Operation, wire: Wire) -> Result<String, String> {
    let settings = |settings: &mut perennial_emulator::NavienSettings| {
        // One lease ends at a time.
        match operation {
            Operation::SignIn => {}
            Operation::Refresh => settings.aws_lifetime = Some(DAY),
            Operation::Aws => settings.access_lifetime = DAY,
        }
    };
    let world = match wire {
        Wire::Http => World::with(settings),
        Wire::Https => World::https(settings),
    };
    let setup = world.setup().request_timeout(TIMEOUT);
    let session: S = world.try_build(setup).map_err(|error| error.to_string())?;
    let mut cell = Cell { world, session, operation, secrets: Secrets::default(), said: String::new() };
    if operation != Operation::SignIn {
        let first = cell.ask()?.map_err(|error| format!("cannot even begin: {error}"))?;
        cell.secrets.add_credentials(&first);
        cell.listener_has_caught_up()?;
    }
    let events_before = cell.world.heard.all().len();
    let requests_before = cell.world.requests();
    cell.world.emulator.fault_always(operation.endpoint(), fault.clone());
    if operation != Operation::SignIn {
        cell.world.pass(HOUR + Duration::from_secs(1));
    }

    let began = Instant::now();
    let outcome = cell.ask()?;
    let took = began.elapsed();

    let text = cell.describe(&outcome, events_before)?;
    let requests = u32::try_from(cell.world.requests() - requests_before).unwrap_or(u32::MAX);
    if took > TIMEOUT * requests.max(1) + SLACK {
        return Err(format!("{text}, after {took:?}"));
    }
    cell.works_again(outcome).map_err(|wrong| format!("{text}, {wrong}"))?;
    cell.is_discreet()?;
    match cell.world.emulator.trap_requests().len() {
        0 => Ok(text),
        trapped => Err(format!("{text}, {trapped} requests went elsewhere")),
    }
}

struct Cell<S> {
    world: World,
    session: S,
    operation: Operation,
    secrets: Secrets,
    said: String,
}

impl<S: Subject> Cell<S> {
    fn ask(&self) -> Result<Outcome, String> {
        let (session, need) = (self.session.clone(), self.operation.need());
        within(LONG, move || session.credentials(need)).ok_or_else(|| "hangs or panics".to_owned())
    }

    /// The driver tells its callers first and its listener then.
    fn listener_has_caught_up(&self) -> Result<(), String> {
        let renewed = |events: &[Event], lease: Need| {
            events.iter().any(|event| matches!(event, Event::Renewed { need, .. } if *need == lease))
        };
        let both = |events: &[Event]| Need::ALL.iter().all(|lease| renewed(events, *lease));
        let heard = self.world.heard.wait_until(LONG, both);
        heard.then_some(()).ok_or_else(|| "no event tells of the sign-in".to_owned())
    }

    /// The cell's text.
    fn describe(&self, outcome: &Outcome, events_before: usize) -> Result<String, String> {
        let need = self.operation.need();
        let ended = |events: &[Event]| {
            events[events_before..].iter().any(|event| match event {
                Event::Renewed { need: other, .. } => outcome.is_ok() && *other == need,
                Event::Failed { need: other, .. } | Event::Stopped { need: other, .. } => {
                    outcome.is_err() && *other == need
                }
                _ => false,
            })
        };
        if !self.world.heard.wait_until(LONG, ended) {
            return Err("no event tells of it".to_owned());
        }
        let mut way = String::new();
        for event in &self.world.heard.all()[events_before..] {
            match event {
                Event::Fallback { need: other, error, .. } if *other == need => {
                    way += &format!("{} > ", kind(error));
                }
                Event::Renewed { need: other, rung, .. } if *other == need => {
                    let rung = rung.unwrap_or("nobody");
                    way += if way.is_empty() && rung == self.operation.rung() { "ok" } else { rung };
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
        let (access, aws) = match self.operation {
            Operation::SignIn => (HOUR, HOUR),
            Operation::Refresh => (HOUR, DAY),
            Operation::Aws => (DAY, HOUR),
        };
        let show = |name: &str, term: Option<&Term>, usual: Duration| match term.map(Term::lifetime) {
            Some(Some(lifetime)) if lifetime == usual => String::new(),
            Some(Some(lifetime)) => format!(", {name} {lifetime:?}"),
            Some(None) => format!(", {name} of unknown length"),
            None => format!(", no {name}"),
        };
        show("access", credentials.term(Need::Access), access) + &show("AWS", credentials.term(Need::Aws), aws)
    }

    /// With the fault gone and the pause over, the session is as good as new.
    fn works_again(&mut self, outcome: Outcome) -> Result<(), String> {
        self.world.emulator.clear_faults();
        let again = match outcome {
            Ok(credentials) => {
                self.is_right(&credentials)?;
                self.world.pass_seconds(2);
                let (session, need) = (self.session.clone(), self.operation.need());
                within(LONG, move || session.renew(need)).ok_or("renewal hangs")?
            }
            Err(error) => {
                self.said += &everything_said(&error);
                match error.retry_at() {
                    Some(at) => {
                        let pause = at.since(perennial_core::adapter::Clock::now(&self.world.clock).wall);
                        let pause = Duration::try_from(pause).map_err(|_| "tries again in the past")?;
                        let longest = if error.retry_after().is_some() { ORDERED_PAUSE } else { OWN_PAUSE };
                        if pause > longest || pause < Duration::from_secs(1) {
                            return Err(format!("a pause of {pause:?}"));
                        }
                        self.stays_so(&error)?;
                        self.world.pass(pause + Duration::from_millis(1));
                        self.ask()?
                    }
                    None if error.is_retryable() => return Err("does not say when it tries again".to_owned()),
                    None => {
                        self.stays_so(&error)?;
                        let session = self.session.clone();
                        within(LONG, move || session.sign_in(login())).ok_or("sign-in hangs")?
                    }
                }
            }
        };
        match again {
            Ok(credentials) => self.is_right(&credentials),
            Err(error) => Err(format!("then does not work again: {}", kind(&error))),
        }
    }

    /// Whoever asks in the pause, or after the end, gets the same error, and nothing is sent.
    fn stays_so(&self, error: &Error) -> Result<(), String> {
        let before = self.world.requests();
        match self.ask()? {
            Err(other) if kind(&other) == kind(error) && self.world.requests() == before => Ok(()),
            Err(other) => Err(format!("then {}, {} requests", kind(&other), self.world.requests() - before)),
            Ok(_) => Err("then succeeds during the pause".to_owned()),
        }
    }

    fn is_right(&mut self, credentials: &Credentials) -> Result<(), String> {
        self.secrets.add_credentials(credentials);
        self.said += &format!("{credentials:?} {credentials:#?}");
        if self.world.accepts(self.operation.need(), credentials) {
            Ok(())
        } else {
            Err("with credentials that the service refuses".to_owned())
        }
    }

    fn is_discreet(&self) -> Result<(), String> {
        let events = self.world.heard.all();
        let events: String = events.iter().map(|event| format!("{event} {event:?} {event:#?}\n")).collect();
        let said = self.said.clone() + &events + &self.session.debug();
        let sent = self.world.secrets();
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
        }
        .to_owned(),
        Error::Session(SessionError::SignInRequired { source: Some(source) }) => {
            format!("SignInRequired, {}", kind(source))
        }
        Error::Session(error) => format!("{error:?}"),
    }
}
