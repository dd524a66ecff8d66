//! Suites for what you implement yourself: each case has a name and a reason.

pub mod store;
