//! What was heard, counted.

use std::collections::{BTreeMap, BTreeSet};

use perennial_tests::tenant::{Line, Mark, News, Said};

/// What was heard so far.
#[derive(Default)]
pub struct Tally {
    pub ready: BTreeSet<usize>,
    pub stopped: BTreeSet<usize>,
    /// Issues, by cell.
    pub issued: BTreeMap<usize, u64>,
    /// Issues of others that were taken up.
    pub taken_up: u64,
    /// How often a lock was taken and a mark found.
    pub marks_found: usize,
    pub sign_ins: usize,
    /// Sign-ins where the lock had not shown a mark.
    pub groundless: Vec<String>,
    pub torn: usize,
    /// What sessions or callers complained of.
    pub troubles: Vec<String>,
    pub failures: Vec<String>,
    /// Access tokens, by process and cell, since they were last asked for.
    pub held: BTreeMap<Seat, String>,
    found: BTreeMap<Seat, Mark>,
}

/// One session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seat {
    pub process: usize,
    pub cell: usize,
}

impl Tally {
    pub fn note(&mut self, line: Line) {
        let process = line.process;
        match line.said {
            // It was killed.
            None => {}
            Some(Said::Ready) => _ = self.ready.insert(process),
            Some(Said::Stopped) => _ = self.stopped.insert(process),
            Some(Said::Of(cell, news)) => self.note_news(Seat { process, cell }, news),
        }
    }

    fn note_news(&mut self, seat: Seat, news: News) {
        match news {
            News::Locked(mark) => {
                self.marks_found += usize::from(mark == Mark::Sent);
                self.found.insert(seat, mark);
            }
            News::Writes(_) => {}
            News::Torn => self.torn += 1,
            News::Asks(method) if method == "sign-in" => {
                self.sign_ins += 1;
                let found = self.found.get(&seat);
                if found != Some(&Mark::Sent) {
                    self.groundless.push(format!("{seat:?} after {found:?}"));
                }
            }
            News::Asks(_) => {}
            News::Issued(_) => *self.issued.entry(seat.cell).or_default() += 1,
            News::TookUp(_) => self.taken_up += 1,
            News::Trouble(text) => self.troubles.push(format!("{seat:?}: {text}")),
            News::Failed(text) => self.failures.push(format!("{seat:?}: {text}")),
            News::Holds(token) => _ = self.held.insert(seat, token),
        }
    }

    pub fn issued_in_all(&self) -> u64 {
        self.issued.values().sum()
    }
}
