//! One account for a year, in virtual time: a session, its store, its service, its callers with the rhythm of a day,
//! and what goes wrong in a year: outages, lost answers, clocks, suspends, refusals, new passwords, restarts.
//!
//! A year is a list of faults. The seed makes the list; whoever replays a year may leave faults out, and a year that
//! breaks a rule is made small before it is shown.
//!
//! ```
//! use perennial_simulation::year::{self, Year};
//!
//! let report = year::run(&Year::of(7).days(0..30)).expect("no rule is broken");
//! assert!(report.renewals > 0);
//! ```
//!
//! | file | |
//! | --- | --- |
//! | `scenario` | the year: who has the account, and the faults |
//! | `world` | the queue of events, and the session in the midst of it |
//! | `state` | what it remembers between two events |
//! | `faults` | what a fault does, and what people do about it |
//! | `network`, `store` | requests and operations: slow, lost, refused |
//! | `callers` | who asks for credentials, and what becomes of that |
//! | `observer` | the rules |
//! | `standing`, `accounting` | whether there are valid credentials, and if not, whose fault that is |
//! | `shrink` | a small year that breaks the same rule |
//! | `picture` | a year as a drawing |

mod accounting;
mod callers;
mod diary;
mod faults;
mod network;
mod observer;
mod picture;
mod report;
mod rule;
mod scenario;
mod shrink;
mod standing;
mod state;
mod store;
mod world;

pub use self::picture::draw;
pub use self::report::YearReport;
pub use self::rule::{YearRule, YearViolation};
pub use self::scenario::{Account, DAYS, Down, Fault, Sabotage, Trouble, Year};
pub use self::shrink::shrink;
pub use self::standing::Standing;
use self::world::{Recording, World};

/// Runs a year.
pub fn run(year: &Year) -> Result<YearReport, Box<YearViolation>> {
    match World::new(year, Recording::Off).run() {
        Ok(lived) => Ok(lived.report),
        // The same again, and this time every event is written down.
        Err(_) => World::new(year, Recording::History).run().map(|lived| lived.report),
    }
}
