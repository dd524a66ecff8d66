//! The pieces of work that Perennial's speed is measured by: the benchmarks take their time, this crate's program
//! counts their instructions.

pub mod answers;
pub mod limits;
pub mod linear;
pub mod work;
