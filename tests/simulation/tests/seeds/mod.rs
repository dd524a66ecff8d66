//! Which seeds a run takes, as the environment asks for.

use std::hash::{BuildHasher as _, RandomState};
use std::ops::Range;

/// A number from the environment.
pub(crate) fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

/// `PERENNIAL_SEEDS` of them, from zero: the same in every run. Where `PERENNIAL_FRESH` is set they begin at a number
/// that is drawn and printed, which nobody has run before.
pub(crate) fn range(unless_told: u64) -> Range<u64> {
    let count = number("PERENNIAL_SEEDS").unwrap_or(unless_told);
    let first =
        if std::env::var_os("PERENNIAL_FRESH").is_some() { RandomState::new().hash_one(count) >> 16 } else { 0 };
    if first > 0 {
        println!("seeds from {first}");
    }
    first..first + count
}
