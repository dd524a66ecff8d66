//! Redis goes away, forgets, hangs or is cut off while two sessions share an account through it.
//!
//! | | before a renewal | while the service has the token |
//! | --- | --- | --- |
//! | killed, back without its data | one signs in, since nobody knows what became of the token | what came is served, and saved later |
//! | killed, back with its data | one refreshes | the same |
//! | emptied | one signs in | the same |
//! | stopped, and goes on | one refreshes | the same |
//! | cut off | one refreshes | the same |
//!
//! Valid credentials are served all the time, nobody asks the service without the store, and the other session takes
//! up what the one got.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]
#![allow(unreachable_pub, reason = "modules of one test")]

mod before;
mod during;
mod outage;
mod pair;
#[path = "../../../adapter-redis/tests/server/mod.rs"]
mod redis;
mod wire;
