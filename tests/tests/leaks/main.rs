//! No secret shows: not in any type, not in what any answer of any service makes of it, not in the log.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

#[path = "../fault_table/adapters.rs"]
#[allow(dead_code, reason = "the fault table uses the rest")]
mod adapters;
mod canary;
mod echoes;
mod hostile;
mod listening;
mod never;
mod probe;
mod shown;
mod types;
