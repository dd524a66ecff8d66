//! What the emulator promises, seen from a socket: a raw client of a few lines, no HTTP library in between.

// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

mod client;
mod faults;
mod navien;
mod server;
