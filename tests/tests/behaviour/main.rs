//! What a session does for its callers, over both adapters, at the emulated service.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod accounts;
mod ahead;
mod aws;
mod calls;
mod changes;
mod crowds;
mod endings;
mod foreign_code;
mod leaving;
mod once;
mod programs;
mod reading;
mod refusals;
mod runtimes;
mod shared;
mod times;

use std::time::Duration;

use perennial_core::{Error, Event, Generation, LeaseId, ServiceErrorKind, SessionError};
use perennial_tests::{LONG, World};

/// A little longer than tokens live, unless a test says otherwise.
const EXPIRY: Duration = Duration::from_secs(3601);

/// When renewal is due at the latest, and the old token is good for five minutes yet.
const AT_THE_MARGIN: Duration = Duration::from_secs(3300);

/// Waits until the driver has told of an issue.
fn wait_for_issue(world: &World, lease: LeaseId, count: u64) {
    assert!(world.heard.wait_for_issue(LONG, lease, count), "no issue {count} of {lease}");
}

/// Whether the driver has told of a failed attempt.
fn has_failed(world: &World, lease: LeaseId) -> bool {
    world.heard.count(|event| matches!(event, Event::Failed { lease_id, .. } if *lease_id == lease)) > 0
}

fn generation(credentials: &perennial_core::Credentials, lease_id: LeaseId) -> u64 {
    let generation: Generation = credentials.generation(lease_id);
    generation.get()
}

fn is_service(error: &Error, kind: ServiceErrorKind) -> bool {
    matches!(error, Error::Service(error) if error.kind() == kind)
}

fn is_closed(error: &Error) -> bool {
    matches!(error, Error::Session(SessionError::Closed))
}
