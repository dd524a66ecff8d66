//! Redis goes away while the service has the one-use token, and the answer comes before Redis is back.

use perennial_core::{Event, LeaseId};
use perennial_emulator::{Endpoint, Fault, Gate};
use perennial_tests::{Subject, both};

use crate::outage::{Outage, Place};
use crate::pair::{AT_THE_MARGIN, BothRenew, Callers, Pair};

both![
    killed_and_empty,
    killed_with_its_data,
    emptied,
    stopped,
    cut_off,
    killed_and_empty_without_a_login,
    emptied_without_a_login,
];

fn killed_and_empty<S: Subject>() {
    outlast::<S>(Outage::KilledAndEmpty, Logins::Kept);
}

fn killed_with_its_data<S: Subject>() {
    outlast::<S>(Outage::KilledWithItsData, Logins::Kept);
}

fn emptied<S: Subject>() {
    outlast::<S>(Outage::Emptied, Logins::Kept);
}

fn stopped<S: Subject>() {
    outlast::<S>(Outage::Stopped, Logins::Kept);
}

fn cut_off<S: Subject>() {
    outlast::<S>(Outage::CutOff, Logins::Kept);
}

/// The new token is all that there is: an older one in the store must not stand against it.
fn killed_and_empty_without_a_login<S: Subject>() {
    outlast::<S>(Outage::KilledAndEmpty, Logins::Forgotten);
}

fn emptied_without_a_login<S: Subject>() {
    outlast::<S>(Outage::Emptied, Logins::Forgotten);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Logins {
    Kept,
    Forgotten,
}

fn outlast<S: Subject>(outage: Outage, logins: Logins) {
    let Some(mut place) = Place::of(outage) else { return };
    // The other one is not due: it could do nothing but take a lock that was lost.
    let pair = Pair::<S>::new(&place, BothRenew::No);
    if logins == Logins::Forgotten {
        pair.members().iter().for_each(|member| member.session.forget_login());
    }
    let callers = Callers::of(&pair);
    let gate = Gate::closed();
    pair.world.emulator.fault(Endpoint::Refresh, Fault::Hold(gate.clone()));
    pair.world.pass(AT_THE_MARGIN);
    assert!(pair.world.wait_for(Endpoint::Refresh, 1));
    place.begin();
    gate.open();
    pair.one.wait_for("not saved", |event| matches!(event, Event::NotSaved { .. }));
    assert!(!pair.one.has_issue(2), "told before it was saved");
    // Two seconds later it is served all the same.
    pair.world.pass_seconds(2);
    assert!(pair.one.heard.wait_for_issue(perennial_tests::LONG, LeaseId::Access, 2));
    assert_eq!(pair.asked(), [1, 1]);

    place.end();
    pair.wait_for_generation(2);
    assert!(callers.end() > 0);
    assert_eq!(pair.asked(), [1, 1]);
    assert_eq!(pair.one.token(), pair.other.token());
    pair.world.pass_seconds(2);
    pair.renewals_are_told();
    // A store that has forgotten may leave a doubt about the token, which a login can do without.
    let doubted = place.forgets() && logins == Logins::Kept && pair.asked() == [2, 1];
    assert!(doubted || pair.asked() == [1, 2], "{:?}", pair.asked());
    pair.is_well();
}
