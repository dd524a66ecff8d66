//! The parts of the report.

pub(crate) mod building;
pub(crate) mod machine;
pub(crate) mod parsing;
