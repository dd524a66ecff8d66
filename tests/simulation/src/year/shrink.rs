//! A small year that breaks the same rule.

use super::rule::YearViolation;
use super::scenario::{DAY, Year};
use super::{Recording, World};

/// The most years that are tried.
const MOST_TRIES: u32 = 600;

/// Makes a year that breaks a rule small: ends it where the rule is broken, leaves faults out, begins it later, as long
/// as the same rule stays broken. Gives what is left, with its history.
pub fn shrink(violation: Box<YearViolation>) -> Box<YearViolation> {
    let mut shrinking = Shrinking { best: violation, tries: 0 };
    shrinking.end_early();
    shrinking.leave_out();
    shrinking.begin_late();
    shrinking.leave_out();
    let best = shrinking.best;
    // The history is that of the small year.
    World::new(&best.year, Recording::History).run().err().unwrap_or(best)
}

struct Shrinking {
    best: Box<YearViolation>,
    tries: u32,
}

impl Shrinking {
    /// Whether this year breaks the rule, too: then it is the best so far.
    fn takes(&mut self, year: &Year) -> bool {
        self.tries += 1;
        if self.tries > MOST_TRIES {
            return false;
        }
        match World::new(year, Recording::Off).run() {
            Err(violation) if violation.rule == self.best.rule => {
                self.best = violation;
                true
            }
            _ => false,
        }
    }

    fn day_of_violation(&self) -> u16 {
        u16::try_from(self.best.at.as_secs() / DAY.as_secs()).unwrap_or(u16::MAX)
    }

    fn end_early(&mut self) {
        let year = self.best.year.clone();
        let days = year.days.start..(self.day_of_violation() + 1).min(year.days.end);
        self.takes(&year.days(days));
    }

    /// Halves, quarters, and at last one fault after another.
    fn leave_out(&mut self) {
        let mut size = self.best.year.faults.len();
        while size > 0 {
            let mut from = 0;
            while from < self.best.year.faults.len() {
                let mut year = self.best.year.clone();
                let to = (from + size).min(year.faults.len());
                year.faults.drain(from..to);
                if !self.takes(&year) {
                    from = to;
                }
            }
            size /= 2;
        }
        self.end_early();
    }

    /// As late as it can: from half of what is left, to a day.
    fn begin_late(&mut self) {
        let mut step = (self.best.year.days.len() / 2).max(1);
        while step > 0 {
            let year = self.best.year.clone();
            let first = year.faults.first().map_or(self.best.at, |fault| fault.at);
            let latest = u16::try_from(first.as_secs() / DAY.as_secs()).unwrap_or(u16::MAX);
            let start = year.days.start.saturating_add(u16::try_from(step).unwrap_or(u16::MAX)).min(latest);
            let end = year.days.end;
            if start <= year.days.start || start >= end || !self.takes(&year.days(start..end)) {
                step /= 2;
            }
        }
    }
}
