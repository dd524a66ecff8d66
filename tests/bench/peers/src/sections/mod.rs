//! What is measured, one file for each section.

pub(crate) mod ahead;
pub(crate) mod crowd;
pub(crate) mod reading;
pub(crate) mod refused;
pub(crate) mod storm;

use std::time::Duration;

/// The longest that a cell may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

fn millis(time: Duration) -> String {
    if time < Duration::from_millis(10) {
        return format!("{:.1}", time.as_secs_f64() * 1e3);
    }
    let whole = format!("{:.0}", time.as_secs_f64() * 1e3);
    let Some(at) = whole.len().checked_sub(3).filter(|at| *at > 0) else { return whole };
    format!("{},{}", &whole[..at], &whole[at..])
}
