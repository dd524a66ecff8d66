//! Waiting and waking end to end, under shuttle: the real handle, driver and locks of both kinds of adapter, a
//! service in the same process, a clock that is moved by hand, and a scheduler that stops threads wherever they touch
//! what others touch. A hang is a deadlock there, and fails.
//!
//! ```text
//! RUSTFLAGS="--cfg shuttle" cargo test --release -p perennial-schedules --target-dir target/shuttle -- --nocapture
//! ```
//!
//! | variable | what it says |
//! | --- | --- |
//! | `PERENNIAL_SCHEDULES` | how many schedules a story gets; 100 by default |
//! | `PERENNIAL_SEED` | where the schedulers begin; a run with the same seed is the same run |
//! | `PERENNIAL_SCHEDULE` | the file that a failure named: this one schedule again. Name the test, too |
//!
//! Without `--cfg shuttle` this crate is empty.

#![cfg(shuttle)]
#![allow(clippy::unwrap_used, reason = "a panic in here is a failed test")]

mod cell;
mod explore;
mod service;
mod subject;

pub use cell::{Cell, Mood};
pub use explore::explore;
pub use service::Desk;
pub use subject::{Executor, Subject, Tasks, Threads};
