//! What a store in a file does, by name.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "../support/mod.rs"]
mod support;

mod asides;
mod dangers;
#[cfg(feature = "encrypted")]
mod encrypted;
mod locks;
mod privacy;
mod records;
