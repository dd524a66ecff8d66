//! Suites for what you implement yourself: each case has a name and a reason.

mod case;
pub mod provider;
pub mod store;
pub mod transport;

pub use self::case::{Case, Failure};
