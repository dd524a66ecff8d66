//! What is remembered of a year to draw it.

use std::time::Duration;

use super::scenario::DAYS;
use super::standing::Standing;

/// What is remembered of a year.
#[derive(Clone, Debug, Default)]
pub(super) struct Diary {
    /// Nothing is remembered.
    is_closed: bool,
    /// How it stood, one after another.
    pub(super) spells: Vec<Spell>,
    /// The renewals of each day.
    pub(super) renewals: Vec<u32>,
    pub(super) marks: Vec<Mark>,
}

/// A time in which it stood so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spell {
    pub(super) from: Duration,
    pub(super) until: Duration,
    pub(super) standing: Standing,
}

/// Something at a moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) at: Duration,
    pub(super) what: Marked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marked {
    SignIn,
    Person,
    Fault,
    Waited,
    Failed,
}

impl Diary {
    pub(super) fn closed() -> Self {
        Self { is_closed: true, ..Self::default() }
    }

    pub(super) fn open() -> Self {
        Self { renewals: vec![0; usize::from(DAYS) + 1], ..Self::default() }
    }

    /// It stood so until now.
    pub(super) fn turn(&mut self, standing: Standing, now: Duration) {
        if self.is_closed {
            return;
        }
        let from = self.spells.last().map_or(Duration::ZERO, |spell| spell.until);
        if from < now {
            self.spells.push(Spell { from, until: now, standing });
        }
    }

    pub(super) fn mark(&mut self, what: Marked, at: Duration) {
        if !self.is_closed {
            self.marks.push(Mark { at, what });
        }
    }

    pub(super) fn renewed(&mut self, at: Duration) {
        let day = usize::try_from(at.as_secs() / 86_400).unwrap_or(0);
        if let Some(renewals) = self.renewals.get_mut(day) {
            *renewals += 1;
        }
    }
}
