//! Sixteen real processes on one store, over both adapters: they behave like one session, also while they are killed.
//!
//! `PERENNIAL_ROTATIONS=10000 cargo test -p perennial-tests --test processes -- --nocapture` is the long run.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]
#![allow(unreachable_pub, reason = "modules of one test")]

#[path = "../oauth_server/adapters.rs"]
#[allow(dead_code, reason = "a part of it is used here")]
mod adapters;
#[path = "../oauth_server/browser.rs"]
#[allow(dead_code, reason = "a part of it is used here")]
mod browser;
mod house;
mod kills;
mod places;
#[path = "../../../adapter-redis/tests/server/mod.rs"]
mod redis;
mod rotations;
#[path = "../oauth_server/server.rs"]
#[allow(dead_code, reason = "a part of it is used here")]
mod server;
mod tally;

use std::fmt::Debug;
use std::str::FromStr;

/// How many there are: half of them over each adapter.
const PROCESSES: usize = 16;

/// A number that whoever runs the tests may set.
fn set_by_environment<N: FromStr>(name: &str, default: N) -> N
where
    N::Err: Debug,
{
    std::env::var(name).map_or(default, |value| value.parse().unwrap_or_else(|error| panic!("{name}: {error:?}")))
}
