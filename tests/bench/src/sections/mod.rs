//! The parts of the report.

pub(crate) mod ahead;
pub(crate) mod authorize;
pub(crate) mod building;
pub(crate) mod machine;
pub(crate) mod parsing;
pub(crate) mod reading;
pub(crate) mod storms;
