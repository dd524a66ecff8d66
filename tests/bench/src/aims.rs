//! What was aimed at, beside what was measured.

use std::cmp::Ordering;
use std::fmt;

/// Some aims, printed as a table.
#[derive(Debug, Default)]
pub struct Aims(Vec<Aim>);

#[derive(Debug)]
struct Aim {
    what: String,
    unit: &'static str,
    measured: f64,
    at_most: f64,
}

impl Aims {
    /// Notes what came of an aim: `measured` was to be `at_most` this.
    pub fn note(&mut self, what: impl Into<String>, unit: &'static str, measured: f64, at_most: f64) {
        self.0.push(Aim { what: what.into(), unit, measured, at_most });
    }
}

/// A table in Markdown.
impl fmt::Display for Aims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| aim | measured | at most | |\n| --- | ---: | ---: | --- |")?;
        for Aim { what, unit, measured, at_most } in &self.0 {
            let verdict = match measured.partial_cmp(at_most) {
                None => "not measured",
                Some(Ordering::Greater) => "**missed**",
                Some(_) => "met",
            };
            writeln!(f, "| {what} | {measured:.1} {unit} | {at_most:.1} {unit} | {verdict} |")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_its_limit_is_said_to_be_missed() {
        let mut aims = Aims::default();
        aims.note("one", "ns", 2.0, 2.0);
        aims.note("other", "ms", 2.1, 2.0);
        let table = aims.to_string();
        assert!(table.contains("| one | 2.0 ns | 2.0 ns | met |"), "{table}");
        assert!(table.contains("| other | 2.1 ms | 2.0 ms | **missed** |"), "{table}");
    }
}
