//! The tests that cross crates: the emulator on one side, both adapters on the other.
//!
//! A test is written once, against [`Subject`], and runs over `perennial-hyper` and `perennial-blocking`
//! ([`both!`]). A [`World`] is an emulator and a clock that both stand still until the test moves them: nothing here
//! sleeps, and a day passes at once. After a move, [`Subject::settle`] waits until the session has done all that it
//! can do at that moment: what is counted then does not depend on how fast anybody is.
//!
//! ```
//! use perennial_core::LeaseId;
//! use perennial_tests::{Hyper, Subject, World};
//! use std::time::Duration;
//!
//! let world = World::new();
//! let session: Hyper = world.connect();
//! world.pass(Duration::from_secs(4000)); // on both sides
//! session.settle();
//! assert_eq!(world.requests(), 3); // the sign-in, and one for each lease
//! let credentials = session.credentials(LeaseId::Access).unwrap();
//! assert!(world.accepts(LeaseId::Access, &credentials));
//! ```

#[cfg(target_os = "linux")]
pub mod forgetful;
mod heard;
mod leaks;
mod subject;
mod subjects;
pub mod tenant;
pub mod tool;
mod watch;
mod world;

pub use heard::Heard;
pub use leaks::{Secrets, everything_said};
pub use subject::{Issues, Link, Subject};
pub use subjects::{Blocking, Hyper};
pub use watch::{LONG, within};
pub use world::{TIMEOUT, World, clock_of, login};

/// Runs each test over both adapters: `hyper::NAME` and `blocking::NAME`.
#[macro_export]
macro_rules! both {
    ($($name:ident),* $(,)?) => {
        mod hyper {
            $(#[test]
            fn $name() {
                super::$name::<$crate::Hyper>();
            })*
        }
        mod blocking {
            $(#[test]
            fn $name() {
                super::$name::<$crate::Blocking>();
            })*
        }
    };
}
