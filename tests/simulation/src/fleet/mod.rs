//! A fleet in virtual time: up to 16 processes with one session each, on one store, at one service that rotates
//! refresh tokens and takes a second use for theft. Everything that can go wrong does, by chance from one seed, and
//! an observer who sees the service and the cell as they are names the rule that is broken.
//!
//! ```
//! use perennial_simulation::fleet;
//!
//! let report = fleet::run(7)?;
//! assert!(report.refreshes + report.sign_ins > 0);
//! # Ok::<(), fleet::FleetViolation>(())
//! ```
//!
//! | file | |
//! | --- | --- |
//! | `world` | the queue of events, and what reaches whom |
//! | `process`, `request`, `event`, `views` | what it remembers between two events |
//! | `keeper`, `store` | operations on the store: slow, failing, hanging; locks that are held or end by themselves |
//! | `network`, `service` | requests: lost, late, refused; a service that notices reuse |
//! | `people` | callers, crashes, clocks, sign-outs, a store that forgets |
//! | `observer` | the rules |
//! | `leaving` | the rule of signing out |
//! | `recovery` | all is well again: is everybody served? |

mod event;
mod failures;
mod keeper;
mod leaving;
mod network;
mod observer;
mod people;
pub(super) mod process;
pub(super) mod random;
mod recovery;
mod report;
mod request;
mod scenario;
pub(super) mod service;
pub(super) mod store;
mod views;
mod world;

pub use self::report::{FleetReport, FleetRule, FleetViolation};
pub use self::scenario::{Level, Lifetime, MOST_PROCESSES, Sabotage, Scenario, StoreKind};
use self::world::{History, World};

/// Runs the fleet of a seed: through its troubles, and until it is well again.
pub fn run(seed: u64) -> Result<FleetReport, FleetViolation> {
    run_scenario(Scenario::of(seed))
}

/// Runs this fleet.
pub fn run_scenario(scenario: Scenario) -> Result<FleetReport, FleetViolation> {
    match World::new(scenario, History::Left).run() {
        Ok(report) => Ok(report),
        // The same again, and this time every event is written down.
        Err(_) => World::new(scenario, History::Kept).run(),
    }
}
