//! What a session does for its callers, over both adapters, at the emulated service.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod accounts;
mod ahead;
mod aws;
mod crowds;
mod endings;
mod readers;
mod refusals;
mod runtimes;
mod shared;
mod times;

use std::time::Duration;

use perennial_core::{Error, Event, Generation, Need, ServiceErrorKind, SessionError};
use perennial_tests::{LONG, World};

/// A little longer than tokens live, unless a test says otherwise.
const EXPIRY: Duration = Duration::from_secs(3601);

/// When renewal is due at the latest, and the old token is good for five minutes yet.
const AT_THE_MARGIN: Duration = Duration::from_secs(3300);

/// Waits until the driver has told of an issue.
fn wait_for_issue(world: &World, lease: Need, count: u64) {
    assert!(world.heard.wait_for_issue(LONG, lease, count), "no issue {count} of {lease}");
}

/// Waits until the driver has told of a failed attempt.
fn wait_for_failure(world: &World, lease: Need) {
    let failed = |event: &Event| matches!(event, Event::Failed { need, .. } if *need == lease);
    assert!(world.heard.wait_until(LONG, |events| events.iter().any(failed)), "no failure of {lease}");
}

/// Waits until the driver has told that a lease ran out.
fn wait_for_expiry(world: &World, lease: Need) {
    let expired = |event: &Event| matches!(event, Event::Expired { need } if *need == lease);
    assert!(world.heard.wait_until(LONG, |events| events.iter().any(expired)), "{lease} does not expire");
}

fn generation(credentials: &perennial_core::Credentials, need: Need) -> u64 {
    let generation: Generation = credentials.generation(need);
    generation.get()
}

fn is_service(error: &Error, kind: ServiceErrorKind) -> bool {
    matches!(error, Error::Service(error) if error.kind() == kind)
}

fn is_closed(error: &Error) -> bool {
    matches!(error, Error::Session(SessionError::Closed))
}
