//! What Perennial costs, measured beside the limits of the machine in the same run: clocks of two runs are not
//! comparable, ratios within one are.

pub mod aims;
pub mod latency;
pub mod measure;
pub mod service;
