//! What the emulated Mosaia promises, seen from a socket; and the service's own published client judges it.

// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

#[allow(dead_code, reason = "the raw client of another program of tests, of which this needs a part")]
#[path = "../behaviour/client.rs"]
mod client;
mod published;
mod rules;
