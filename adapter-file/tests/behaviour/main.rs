//! The store in one process.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "../support/mod.rs"]
mod support;

#[cfg(feature = "encrypted")]
mod encrypted;
mod locks;
mod privacy;
mod quarantine;
mod records;
mod unsafe_files;
