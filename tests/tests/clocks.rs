//! The wall clock of a real process jumps, under libfaketime: years ahead, years back, and ahead alone as after a
//! suspend. Over both adapters, at the emulated service, on a file.
//!
//! Needs Debian's `faketime`. It stands between a program and the C library, so it moves what the driver of a session
//! sees (`SystemTime`), and not the coarse clock of its readers, which on Linux is read from the kernel. Each test runs
//! with the clock that programs have by default, where the driver is made to look before anybody reads, and with one
//! whose readers take the exact wall clock, as they do on other systems, where the readers come first.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use std::{env, fs, process, thread};

use perennial_emulator::{Emulator, Endpoint, Fault, Gate, NavienSettings};
use perennial_tests::LONG;
use perennial_tests::tenant::{AdapterName, ClockName, Crew, News, Order, Orders, Said, Service, StorePlace};

const YEARS_AHEAD: &str = "+10y";
const YEARS_BACK: &str = "-10y";
const AS_IT_IS: &str = "+0";

macro_rules! everywhere {
    ($($name:ident),* $(,)?) => {
        mod hyper {
            $(#[test]
            fn $name() {
                super::everywhere(super::AdapterName::Hyper, super::$name);
            })*
        }
        mod blocking {
            $(#[test]
            fn $name() {
                super::everywhere(super::AdapterName::Blocking, super::$name);
            })*
        }
    };
}

everywhere![
    a_clock_that_is_set_years_ahead_causes_one_renewal,
    a_clock_that_is_set_back_lets_no_token_live_longer,
    after_a_suspend_nobody_is_served_what_is_over,
    a_clock_that_jumps_during_a_renewal_loses_nothing,
    a_machine_that_starts_in_the_past_gets_over_it,
];

fn everywhere(adapter: AdapterName, test: fn(&Machine)) {
    let Some(library) = libfaketime() else { return };
    thread::scope(|scope| {
        for clock in [ClockName::System, ClockName::Library] {
            let machine = Machine { adapter, clock, library: library.clone() };
            scope.spawn(move || test(&machine));
        }
    });
}

fn a_clock_that_is_set_years_ahead_causes_one_renewal(machine: &Machine) {
    let mut world = machine.start(AS_IT_IS);
    let first = world.token();
    world.set_ahead(YEARS_AHEAD);
    let second = world.token();
    assert!(first != second);
    world.is_well(&second);
    assert_eq!(world.asked(), [1, 1]);
    // Asked again and again: nothing is wrong with what came.
    for _ in 0..20 {
        assert!(world.token() == second);
    }
    world.end([1, 1]);
}

/// The monotonic clock goes on.
fn a_clock_that_is_set_back_lets_no_token_live_longer(machine: &Machine) {
    // The first token lives for three seconds, and nothing comes after it before the clock is set.
    let gate = Gate::closed();
    let mut world = machine.start_at(AS_IT_IS, |emulator| {
        let field = "authenticationExpiresIn".to_owned();
        emulator.fault_always(Endpoint::SignIn, Fault::Lifetime { field, json: 3.into() });
        emulator.fault(Endpoint::Refresh, Fault::Hold(gate.clone()));
    });
    world.set(YEARS_BACK);
    gate.open();
    world.hear_until(|heard| heard.issued.contains(&2));
    if world.clock == ClockName::System {
        // Its readers are in the present, where what was issued in the past is over.
        world.set_ahead(AS_IT_IS);
    }
    let second = world.token();
    assert_eq!(world.emulator.navien().newest_access(NavienSettings::EMAIL).as_ref(), Some(&second));
    world.is_well(&second);
    assert_eq!(world.asked()[0], 1);
    assert_eq!(world.crew.end().unwrap(), 0, "the process did not end well");
}

fn after_a_suspend_nobody_is_served_what_is_over(machine: &Machine) {
    let mut world = machine.start(AS_IT_IS);
    let first = world.token();
    world.emulator.advance(Duration::from_secs(7200));
    assert!(!world.emulator.navien().is_access_valid(&first));
    world.set_ahead("+2h");
    let second = world.token();
    world.is_well(&second);
    world.end([1, 1]);
}

fn a_clock_that_jumps_during_a_renewal_loses_nothing(machine: &Machine) {
    let mut world = machine.start(AS_IT_IS);
    let gate = Gate::closed();
    world.emulator.fault(Endpoint::Refresh, Fault::Hold(gate.clone()));
    world.crew.tell(world.process, Order::Renew).unwrap();
    let sent = world
        .emulator
        .wait_until(LONG, |requests| requests.iter().any(|request| request.endpoint == Some(Endpoint::Refresh)));
    assert!(sent);
    world.set(YEARS_AHEAD);
    gate.open();
    // What came is over by this clock, and is told as that; the token that came with it is not lost.
    world.hear_until(|heard| heard.issued.contains(&2));
    world.crew.tell(world.process, Order::Stop).unwrap();
    world.hear_until(|heard| heard.stopped);
    let token = world.token();
    world.is_well(&token);
    assert_eq!(world.asked()[0], 1, "it signed in");
}

/// Without a battery a clock begins in the past, and is set when the network is there.
fn a_machine_that_starts_in_the_past_gets_over_it(machine: &Machine) {
    if machine.clock == ClockName::System {
        return; // its readers would not be in the past
    }
    let mut world = machine.start("-50y");
    let first = world.token();
    world.is_well(&first);
    world.set_ahead(AS_IT_IS);
    let second = world.token();
    world.is_well(&second);
    world.end([1, 1]);
}

/// What a test runs on.
struct Machine {
    adapter: AdapterName,
    clock: ClockName,
    library: PathBuf,
}

/// A service, and a process whose clock is in our hands.
struct World {
    emulator: Emulator,
    clock: ClockName,
    directory: PathBuf,
    crew: Crew,
    process: usize,
    heard: Heard,
}

#[derive(Default)]
struct Heard {
    ready: bool,
    stopped: bool,
    issued: Vec<u64>,
    held: Vec<String>,
    failures: Vec<String>,
    troubles: Vec<String>,
}

impl Machine {
    /// The process holds its first credentials when this returns. Its wall clock goes as `clock` says.
    fn start(&self, clock: &str) -> World {
        self.start_at(clock, |_| ())
    }

    /// The same, at a service that was told something before.
    fn start_at(&self, clock: &str, tell: impl FnOnce(&Emulator)) -> World {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("clocks-{}-{number}", process::id()));
        // Of a process that was killed, perhaps, and had this number.
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        let emulator = Emulator::builder().start().unwrap();
        tell(&emulator);
        let orders = Orders {
            adapter: self.adapter,
            service: Service::Navien(emulator.navien_url()),
            store: StorePlace::Files(directory.join("store")),
            cells: 1,
            request_timeout: LONG,
            clock: self.clock,
        };
        let crew = Crew::of(env!("CARGO_BIN_EXE_perennial-tenant"));
        let mut world = World { emulator, clock: self.clock, directory, crew, process: 0, heard: Heard::default() };
        world.set(clock);
        let file = world.clock_file();
        let environment = [
            ("LD_PRELOAD", self.library.to_str().unwrap()),
            ("FAKETIME_TIMESTAMP_FILE", file.to_str().unwrap()),
            ("FAKETIME_NO_CACHE", "1"),
            // Whoever sets a clock, and whoever closes a lid, moves the wall clock alone.
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ];
        world.process = world.crew.start(&orders, &environment).unwrap();
        world.hear_until(|heard| heard.ready);
        world
    }
}

impl World {
    fn clock_file(&self) -> PathBuf {
        self.directory.join("clock")
    }

    /// Sets the clock of the process.
    fn set(&self, clock: &str) {
        let next = self.directory.join("clock.next");
        fs::write(&next, format!("{clock}\n")).unwrap();
        fs::rename(next, self.clock_file()).unwrap();
    }

    /// The same, past the end of what is held. Where readers do not see that, the driver looks before they ask.
    fn set_ahead(&mut self, clock: &str) {
        self.set(clock);
        if self.clock == ClockName::System {
            self.heard.troubles.clear();
            self.crew.tell(self.process, Order::Look).unwrap();
            self.hear_until(|heard| heard.troubles.iter().any(|trouble| trouble == "access token: expired"));
        }
    }

    /// What a caller gets now.
    fn token(&mut self) -> String {
        self.heard.held.clear();
        self.heard.failures.clear();
        self.crew.tell(self.process, Order::Show).unwrap();
        self.hear_until(|heard| !heard.held.is_empty() || !heard.failures.is_empty());
        assert_eq!(self.heard.failures, [""; 0], "a caller got an error");
        self.heard.held[0].clone()
    }

    fn hear_until(&mut self, condition: impl Fn(&Heard) -> bool) {
        while !condition(&self.heard) {
            let line = self.crew.hear().expect("the process says something");
            match line.said.expect("the process goes on") {
                Said::Ready => self.heard.ready = true,
                Said::Stopped => self.heard.stopped = true,
                Said::Of(_, News::Issued(generation)) => self.heard.issued.push(generation),
                Said::Of(_, News::Holds(token)) => self.heard.held.push(token),
                Said::Of(_, News::Failed(error)) => self.heard.failures.push(error),
                Said::Of(_, News::Trouble(text)) => self.heard.troubles.push(text),
                Said::Of(..) => {}
            }
        }
    }

    /// The service takes it, and saw nothing twice.
    fn is_well(&self, token: &str) {
        let navien = self.emulator.navien();
        assert!(navien.is_access_valid(token));
        assert_eq!((navien.reuse_detected(), navien.refused_refreshes(), navien.refused_sign_ins()), (0, 0, 0));
    }

    /// How often the service was asked: sign-ins, refreshes.
    fn asked(&self) -> [usize; 2] {
        [Endpoint::SignIn, Endpoint::Refresh].map(|endpoint| self.emulator.requests_to(endpoint).len())
    }

    fn end(mut self, asked: [usize; 2]) {
        assert_eq!(self.asked(), asked);
        assert_eq!(self.crew.end().unwrap(), 0, "the process did not end well");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Where Debian has it. `None` where it is not installed: said aloud, and an error where it has to be.
fn libfaketime() -> Option<PathBuf> {
    let places = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib"];
    let files = places.map(|place| Path::new(place).join("faketime/libfaketimeMT.so.1"));
    let found = files.into_iter().find(|file| file.exists());
    if found.is_none() {
        let required = env::var_os("PERENNIAL_REQUIRE_CLIENTS").is_some_and(|value| value == "1");
        assert!(!required, "libfaketime is required and not installed");
        eprintln!("SKIPPED: libfaketime is not installed (apt-get install faketime)");
    }
    found
}
