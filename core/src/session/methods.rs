//! Which methods of a lease may be tried.

/// What is known of the methods of a lease since its last success. They go by their position among the provider's
/// methods for the lease.
#[derive(Debug, Default)]
pub(super) struct Methods {
    refused: Positions,
    answer_lost: Positions,
    faltered_once: Positions,
    faltered_twice: Positions,
}

/// Whether a method may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Open,
    /// It sent a one-use token and got no answer: it comes last.
    AnswerLost,
    /// It was refused: it is left out.
    Refused,
}

/// A set of positions, the first 32.
#[derive(Clone, Copy, Debug, Default)]
struct Positions(u32);

impl Positions {
    fn contains(self, position: usize) -> bool {
        self.0 & (1 << position) != 0
    }

    fn insert(&mut self, position: usize) {
        self.0 |= 1 << position;
    }

    /// Whether it was there.
    fn remove(&mut self, position: usize) -> bool {
        let was = self.contains(position);
        self.0 &= !(1 << position);
        was
    }
}

impl Methods {
    pub(super) fn standing(&self, position: usize) -> Standing {
        match () {
            () if self.refused.contains(position) => Standing::Refused,
            () if self.answer_lost.contains(position) => Standing::AnswerLost,
            () => Standing::Open,
        }
    }

    pub(super) fn refuse(&mut self, position: usize) {
        self.refused.insert(position);
    }

    /// What was refused is no less refused because an answer is missing.
    pub(super) fn lose_answer(&mut self, position: usize) {
        self.answer_lost.insert(position);
    }

    /// It may be tried again. Whether it was refused, or its answer lost.
    pub(super) fn open(&mut self, position: usize) -> bool {
        self.refused.remove(position) | self.answer_lost.remove(position)
    }

    /// Nobody knows what became of an attempt. One such failure may be chance; with the second in a row the method
    /// counts as failing.
    pub(super) fn falter(&mut self, position: usize) {
        if self.faltered_once.contains(position) {
            self.faltered_twice.insert(position);
        }
        self.faltered_once.insert(position);
    }

    pub(super) fn is_failing(&self, position: usize) -> bool {
        self.faltered_twice.contains(position)
    }

    /// A new login: what was refused to the old one, by the methods that show it, may be granted now.
    pub(super) fn new_login(&mut self, shows_login: u32) {
        self.refused.0 &= !shows_login;
        (self.faltered_once, self.faltered_twice) = Default::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standings(methods: &Methods) -> [Standing; 4] {
        [0, 1, 2, 3].map(|position| methods.standing(position))
    }

    #[test]
    fn each_method_is_lost_and_refused_by_itself() {
        use Standing::{AnswerLost, Open, Refused};
        let mut methods = Methods::default();
        for _ in 0..2 {
            methods.lose_answer(1);
            methods.refuse(2);
            assert_eq!(standings(&methods), [Open, AnswerLost, Refused, Open]);
        }
        methods.refuse(1);
        methods.lose_answer(2);
        assert_eq!(standings(&methods), [Open, Refused, Refused, Open], "a refusal outweighs a lost answer");
        assert!(methods.open(1) && !methods.open(1), "both are gone at once");
        assert_eq!(standings(&methods), [Open, Open, Refused, Open]);
    }

    #[test]
    fn a_new_login_opens_the_methods_that_show_it_and_ends_every_count() {
        let mut methods = Methods::default();
        methods.refuse(0);
        methods.refuse(3);
        methods.lose_answer(1);
        methods.falter(2);
        methods.falter(2);
        assert!(methods.is_failing(2));
        methods.new_login(1 << 3);
        assert_eq!(standings(&methods), [Standing::Refused, Standing::AnswerLost, Standing::Open, Standing::Open]);
        methods.falter(2);
        assert!(!methods.is_failing(2), "counted anew");
    }
}
