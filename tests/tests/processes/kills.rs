//! Sixteen processes with a login, killed at moments that a seed decides, and replaced.
//!
//! Whoever is killed between sending a one-use token and saving what came for it leaves a mark. The others find it,
//! and sign in rather than show that token a second time.

use std::time::Instant;

use perennial_adapter::SessionBuilder;
use perennial_core::Event;
use perennial_core::providers::navien::Navien;
use perennial_emulator::{Emulator, Endpoint, Fault, Gate, Recorded};
use perennial_tests::tenant::{News, Order, Said, Service};
use perennial_tests::{Heard, LONG, login};

use crate::house::House;
use crate::places::Place;
use crate::{PROCESSES, set_by_environment};

const CELLS: usize = 6;

/// How many are killed while the service has their token and they have no answer.
const KILLED_WAITING: usize = 2;

/// At most so many lines are heard between two kills.
const LINES: usize = 120;

#[test]
fn processes_on_files_that_are_killed_leave_nobody_without_credentials() {
    kill(Place::files(), 20);
}

/// Fewer: a lock in Redis outlives its holder until its lease ends.
#[test]
fn processes_on_redis_that_are_killed_leave_nobody_without_credentials() {
    kill(Place::redis(), 4);
}

fn kill(place: Option<Place>, kills: usize) {
    let Some(place) = place else { return };
    let kills: usize = set_by_environment("PERENNIAL_KILLS", kills);
    let seed: u64 = set_by_environment("PERENNIAL_SEED", 1);
    let mut dice = Dice(seed.max(1));
    let emulator = Emulator::builder().start().unwrap();
    for cell in 0..CELLS {
        move_in(&emulator, &place, cell);
    }
    let mut house = House::full(place, CELLS, Service::Navien(emulator.navien_url()));
    let begun = Instant::now();
    kill_some_who_wait(&mut house, &emulator);
    for _ in 0..kills {
        for _ in 0..dice.below(LINES) {
            house.hear();
        }
        let running = house.crew.running();
        house.replace(running[dice.below(running.len())]);
    }
    // All cells are alive after the last of them.
    let before = house.tally.issued.clone();
    house.hear_until(|tally| (0..CELLS).all(|cell| tally.issued.get(&cell) > before.get(&cell)));
    let tokens = house.come_to_rest();

    let (navien, tally) = (emulator.navien(), &house.tally);
    let lost = tokens.iter().filter(|token| !navien.is_access_valid(token)).count();
    println!(
        "{}: {PROCESSES} processes, {CELLS} cells, seed {seed}: {} killed and replaced, {} refreshes, {} marks found, \
         {} sign-ins for them, {} adoptions, {} reuses, {lost} lost sessions, {:.1} s",
        house.place.name(),
        kills + KILLED_WAITING,
        navien.refreshes(),
        tally.marks_found,
        tally.sign_ins,
        tally.taken_up,
        navien.reuse_detected(),
        begun.elapsed().as_secs_f32()
    );
    assert_eq!((lost, tally.torn, navien.reuse_detected(), navien.refused_refreshes()), (0, 0, 0, 0));
    assert_eq!(tally.groundless, [""; 0], "sign-ins where no mark was found");
    assert!(tally.sign_ins >= 1, "nobody found a mark");
    assert!(navien.sign_ins() <= CELLS + tally.sign_ins);
    assert!(tally.troubles.is_empty(), "{}", house.complaints());
    assert_eq!(house.crew.end().unwrap(), 0, "a process did not end well");
}

/// Signs in and saves it, for all who come later.
fn move_in(emulator: &Emulator, place: &Place, cell: usize) {
    let heard = Heard::default();
    let provider = Navien::new(&emulator.navien_url()).unwrap();
    let setup = SessionBuilder::new(provider).login(login()).store(place.cell(cell)).on_event(heard.listener());
    let session = perennial_blocking::Connector::new().connect(setup).unwrap();
    let saved = |events: &[Event]| events.iter().any(|event| matches!(event, Event::Saved));
    assert!(heard.wait_until(LONG, saved), "the first grant is not saved");
    drop(session);
}

/// Lets all renew, and kills some of those whose token the service has taken while they wait for the answer.
fn kill_some_who_wait(house: &mut House, emulator: &Emulator) {
    let gate = Gate::closed();
    emulator.fault_always(Endpoint::Refresh, Fault::Hold(gate.clone()));
    house.tell_all(Order::Renew);
    let mut waiting = Vec::new();
    while waiting.len() < CELLS {
        let line = house.hear();
        if matches!(line.said, Some(Said::Of(_, News::Asks(_)))) {
            waiting.push(line.process);
        }
    }
    let taken = |requests: &[Recorded]| {
        requests.iter().filter(|request| request.endpoint == Some(Endpoint::Refresh)).count() == CELLS
    };
    assert!(emulator.wait_until(LONG, taken), "the service does not get what was sent");
    waiting.sort_unstable();
    waiting.dedup();
    for process in waiting.into_iter().take(KILLED_WAITING) {
        house.replace(process);
    }
    emulator.clear_faults();
    gate.open();
}

/// Numbers that a seed decides: xorshift.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}
