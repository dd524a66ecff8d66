//! All tenants of a run, and what was heard of them.

use std::time::{Duration, Instant};

use perennial_adapter::{Clock, SystemClock};
use perennial_core::SavedSession;
use perennial_tests::LONG;
use perennial_tests::tenant::{AdapterName, ClockName, Crew, Line, Order, Orders, Service};

use crate::PROCESSES;
use crate::places::Place;
use crate::tally::{Seat, Tally};

/// Longer than a whole run may go on without coming to its end.
const RUN: Duration = Duration::from_secs(1800);

pub struct House {
    pub place: Place,
    pub cells: usize,
    pub crew: Crew,
    pub tally: Tally,
    /// By number of the process.
    adapters: Vec<AdapterName>,
    service: Service,
    end: Instant,
}

impl House {
    /// Sixteen processes, ready to go.
    pub fn full(place: Place, cells: usize, service: Service) -> Self {
        let crew = Crew::of(env!("CARGO_BIN_EXE_perennial-tenant"));
        let end = Instant::now() + RUN;
        let mut house = Self { place, cells, crew, tally: Tally::default(), adapters: Vec::new(), service, end };
        for number in 0..PROCESSES {
            house.take_in(if number % 2 == 0 { AdapterName::Hyper } else { AdapterName::Blocking });
        }
        house.hear_until(|tally| tally.ready.len() == PROCESSES);
        house
    }

    /// One more process, over this adapter.
    pub fn take_in(&mut self, adapter: AdapterName) -> usize {
        let orders = Orders {
            adapter,
            service: self.service.clone(),
            store: self.place.stores(),
            cells: self.cells,
            request_timeout: self.place.request_timeout(),
            clock: ClockName::System,
        };
        let process = self.crew.start(&orders, &[]).unwrap();
        self.adapters.push(adapter);
        process
    }

    /// Kills a process, and takes another in for it.
    pub fn replace(&mut self, process: usize) {
        self.crew.kill(process).unwrap();
        let other = self.take_in(self.adapters[process]);
        self.crew.tell(other, Order::Renew).unwrap();
    }

    pub fn tell_all(&mut self, order: Order) {
        self.crew.tell_all(order).unwrap();
    }

    /// The next line, noted. Nobody may get an error, at any time.
    pub fn hear(&mut self) -> Line {
        assert!(Instant::now() < self.end, "the run does not come to its end");
        let line = self.crew.hear().unwrap_or_else(|| panic!("nobody says anything: {}", self.complaints()));
        let ended = line.said.is_none() && self.crew.running().contains(&line.process);
        assert!(!ended, "process {} has ended by itself: {}", line.process, self.complaints());
        self.tally.note(line.clone());
        assert!(self.tally.failures.is_empty(), "somebody was not served: {}", self.complaints());
        line
    }

    pub fn hear_until(&mut self, condition: impl Fn(&Tally) -> bool) {
        while !condition(&self.tally) {
            self.hear();
        }
    }

    /// All leave off, and then hold what is saved. The token of each cell.
    pub fn come_to_rest(&mut self) -> Vec<String> {
        let running = self.crew.running();
        self.tally.stopped.clear();
        self.tell_all(Order::Stop);
        self.hear_until(|tally| running.iter().all(|process| tally.stopped.contains(process)));
        let saved: Vec<String> = (0..self.cells).map(|cell| self.saved_token(cell)).collect();
        let seat = |process: usize| (0..self.cells).map(move |cell| Seat { process, cell });
        let seats: Vec<Seat> = running.iter().copied().flat_map(seat).collect();
        let end = Instant::now() + LONG;
        loop {
            self.tally.held.clear();
            // What a session finds when it looks, it has by the next time at the latest.
            self.tell_all(Order::Look);
            self.tell_all(Order::Show);
            self.hear_until(|tally| tally.held.len() == seats.len());
            let late: Vec<_> = seats.iter().filter(|seat| self.tally.held[*seat] != saved[seat.cell]).collect();
            if late.is_empty() {
                return saved;
            }
            assert!(Instant::now() < end, "these do not hold what is saved: {late:?}");
        }
    }

    fn saved_token(&self, cell: usize) -> String {
        let saved = SavedSession::parse(self.place.record(cell).as_ref(), SystemClock.now()).unwrap();
        saved.credentials().access().expose().to_owned()
    }

    pub fn complaints(&self) -> String {
        format!("failures {:?}, troubles {:?}", self.tally.failures, self.tally.troubles)
    }
}
