//! Suites for what you implement yourself: each case has a name and a reason.

mod case;
pub mod store;

pub use self::case::{Case, Failure};
