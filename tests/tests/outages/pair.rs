//! Two sessions on one Redis.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use perennial_adapter::SessionBuilder;
use perennial_core::providers::navien::Navien;
use perennial_core::{Event, LeaseId, Policy};
use perennial_emulator::Endpoint;
use perennial_tests::{Heard, Issues, LONG, Subject, TIMEOUT, World, within};

use crate::outage::Place;

/// When renewal is due, and the old token is good for five minutes yet.
pub const AT_THE_MARGIN: Duration = Duration::from_secs(3300);

const LAST_MINUTE: Duration = Duration::from_secs(60);

pub struct Pair<S> {
    pub world: World,
    pub one: Member<S>,
    pub other: Member<S>,
}

pub struct Member<S> {
    pub session: S,
    pub heard: Heard,
}

impl<S: Subject> Member<S> {
    fn new(world: &World, setup: SessionBuilder<Navien>) -> Self {
        let heard = Heard::default();
        let session = world.connect_with(setup.on_event(heard.listener()));
        Self { session, heard }
    }

    pub fn wait_for(&self, what: &str, wanted: impl Fn(&Event) -> bool) {
        let heard = self.heard.wait_until(LONG, |events| events.iter().any(&wanted));
        assert!(heard, "no event \"{what}\" among {:?}", self.heard.all());
    }

    pub fn has_issue(&self, generation: u64) -> bool {
        self.heard.wait_for_issue(Duration::ZERO, LeaseId::Access, generation)
    }

    pub fn token(&self) -> String {
        self.session.credentials(LeaseId::Access).unwrap().access().expose().to_owned()
    }
}

impl<S: Subject> Pair<S> {
    /// Both signed in, by one sign-in. Both renew at the margin, or only the one.
    pub fn new(place: &Place, both_renew: BothRenew) -> Self {
        let world = World::new();
        let setup = || world.setup().store(place.store());
        let one = Member::<S>::new(&world, setup());
        one.wait_for("saved", |event| matches!(event, Event::Saved));
        let other = match both_renew {
            BothRenew::Yes => setup(),
            BothRenew::No => setup().policy(Policy::default().margin(LAST_MINUTE).request_timeout(TIMEOUT)),
        };
        let other = Member::<S>::new(&world, other);
        // Whatever is out at the store when the clock moves far would be late.
        one.session.settle();
        other.session.settle();
        assert_eq!(world.requests(), 1);
        Self { world, one, other }
    }

    pub fn members(&self) -> [&Member<S>; 2] {
        [&self.one, &self.other]
    }

    /// Time passes in small steps until both have this generation: long enough for all pauses to be over. What one
    /// tells the other through Redis takes its own time.
    pub fn wait_for_generation(&self, generation: u64) {
        for _ in 0..40 {
            self.members().iter().for_each(|member| member.session.settle());
            if self.members().iter().all(|member| member.has_issue(generation)) {
                return;
            }
            self.world.pass(Duration::from_secs(3));
        }
        let there = self.members().iter().all(|member| member.heard.wait_for_issue(LONG, LeaseId::Access, generation));
        let heard = self.members().map(|member| member.heard.all());
        assert!(there, "not both come to generation {generation}: {heard:#?}");
    }

    /// What one renews the other hears of: it is not due itself, and asks nobody.
    pub fn renewals_are_told(&self) {
        let before = self.asked();
        let mut issues = self.other.session.renewals(LeaseId::Access);
        let renewed = self.one.session.renew(LeaseId::Access).unwrap();
        let taken = thread::spawn(move || issues.next().unwrap());
        for _ in 0..100 {
            if taken.is_finished() {
                break;
            }
            // A session that has just looked looks again a moment later.
            self.world.pass_for(&self.other.session, Duration::from_secs(1));
        }
        let taken = within(LONG, move || taken.join().unwrap()).expect("the other session hears of it");
        assert_eq!(taken.access().expose(), renewed.access().expose());
        assert_eq!(self.asked().iter().sum::<usize>(), before.iter().sum::<usize>() + 1);
    }

    /// Nothing was shown twice or refused, and both hold what the service takes.
    pub fn is_well(&self) {
        let navien = self.world.emulator.navien();
        assert_eq!((navien.reuse_detected(), navien.refused_refreshes(), navien.refused_sign_ins()), (0, 0, 0));
        assert_eq!(self.one.token(), self.other.token());
        assert!(navien.is_access_valid(&self.one.token()));
    }

    /// How often the service was asked: sign-ins, refreshes.
    pub fn asked(&self) -> [usize; 2] {
        [Endpoint::SignIn, Endpoint::Refresh].map(|endpoint| self.world.requests_to(endpoint))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum BothRenew {
    Yes,
    No,
}

/// Callers who ask both sessions all the time.
pub struct Callers {
    ends: Arc<AtomicBool>,
    served: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Callers {
    pub fn of<S: Subject>(pair: &Pair<S>) -> Self {
        let sessions = pair.members().map(|member| member.session.clone());
        let (ends, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (end, count) = (Arc::clone(&ends), Arc::clone(&served));
        let thread = thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                for session in &sessions {
                    assert!(
                        session.at_once(LeaseId::Access).is_some_and(|served| served.is_ok()),
                        "not served at once"
                    );
                    count.fetch_add(1, Ordering::Relaxed);
                }
                thread::park_timeout(Duration::from_millis(2));
            }
        });
        Self { ends, served, thread }
    }

    /// How often they were served, at once, without one exception.
    pub fn end(self) -> u64 {
        self.ends.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        within(LONG, move || self.thread.join()).expect("nobody waits").expect("all are served");
        self.served.load(Ordering::Relaxed)
    }
}
