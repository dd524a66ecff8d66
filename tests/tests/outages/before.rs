//! Redis is away when renewal is due.

use perennial_core::{Error, Event, LeaseId, StoreErrorKind};
use perennial_tests::{Subject, both};

use crate::outage::{Outage, Place};
use crate::pair::{AT_THE_MARGIN, BothRenew, Callers, Pair};

both![killed_and_empty, killed_with_its_data, emptied, stopped, cut_off];

fn killed_and_empty<S: Subject>() {
    outlast::<S>(Outage::KilledAndEmpty);
}

fn killed_with_its_data<S: Subject>() {
    outlast::<S>(Outage::KilledWithItsData);
}

fn emptied<S: Subject>() {
    outlast::<S>(Outage::Emptied);
}

fn stopped<S: Subject>() {
    outlast::<S>(Outage::Stopped);
}

fn cut_off<S: Subject>() {
    outlast::<S>(Outage::CutOff);
}

fn outlast<S: Subject>(outage: Outage) {
    let Some(mut place) = Place::of(outage) else { return };
    let pair = Pair::<S>::new(&place, BothRenew::Yes);
    let callers = Callers::of(&pair);
    place.begin();
    pair.world.pass(AT_THE_MARGIN);
    if place.is_away() {
        for member in pair.members() {
            member.wait_for("the store fails", |event| matches!(event, Event::Failed { method: "store", .. }));
            let error = member.session.renew(LeaseId::Access).unwrap_err();
            assert!(is_passing(&error), "{error}");
        }
        // Nobody renews on a guess.
        assert_eq!(pair.world.requests(), 1);
    }
    place.end();
    pair.wait_for_generation(2);
    // Where the store has forgotten, somebody may have used the token: it is not shown again.
    assert_eq!(pair.asked(), if place.forgets() { [2, 0] } else { [1, 1] });
    let went_back = |event: &Event| matches!(event, Event::StoreRegressed);
    let said: usize = pair.members().iter().map(|member| member.heard.count(went_back)).sum();
    assert_eq!(said, usize::from(place.forgets()));
    assert!(callers.end() > 0);
    pair.world.pass_seconds(2);
    pair.renewals_are_told();
    pair.is_well();
}

fn is_passing(error: &Error) -> bool {
    matches!(error, Error::Store(error) if error.kind() == StoreErrorKind::Unavailable) && error.is_retryable()
}
