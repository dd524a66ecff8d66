//! The buffer, short lives, lives of unknown length, wrong clocks.

use std::time::Duration;

use perennial_core::Event;

use crate::sides::{Side, both};
use crate::{DAY, HOUR, World, generation, login};

both![
    a_long_token_is_renewed_an_hour_before_its_end,
    a_short_token_is_used_and_not_hammered,
    a_token_without_an_end_serves_until_it_is_refused,
    the_sites_wrong_clock_does_no_harm,
];

fn a_long_token_is_renewed_an_hour_before_its_end<S: Side>() {
    let world = World::new();
    let session: S = world.connect();
    for _ in 0..20 {
        world.pass_for(&session, HOUR);
        assert_eq!(generation(&session.credentials().unwrap()), 1);
    }
    assert_eq!(world.emulator.auth0().sign_ins(), 1);
    // 23 of 24 hours: nobody asks, and nobody has to wait.
    let renewed = session.next_issue_after(|| world.pass(3 * HOUR));
    assert_eq!(generation(&renewed), 2);
    let expired = |event: &Event| matches!(event, Event::Expired { .. });
    assert_eq!((world.heard.count(expired), world.emulator.auth0().sign_ins()), (0, 2));

    // Another buffer, another moment.
    let site = world.site().refresh_buffer(6 * HOUR).build().unwrap();
    let session = S::build(world.link(), world.setup_at(site).login(login())).unwrap();
    session.credentials().unwrap();
    assert_eq!(generation(&session.next_issue_after(|| world.pass(18 * HOUR))), 2);
}

fn a_short_token_is_used_and_not_hammered<S: Side>() {
    let world = World::with(|settings| settings.token_lifetime = Duration::from_secs(600));
    let session: S = world.connect();
    for _ in 0..7 {
        world.pass_for(&session, Duration::from_secs(60));
        assert_eq!(generation(&session.credentials().unwrap()), 1);
    }
    assert_eq!(world.emulator.auth0().sign_ins(), 1);
    assert_eq!(generation(&session.next_issue_after(|| world.pass(Duration::from_secs(31)))), 2);
}

fn a_token_without_an_end_serves_until_it_is_refused<S: Side>() {
    let world = World::with(|settings| {
        settings.token_with_exp = false;
        settings.token_lifetime = 1000 * DAY;
    });
    let session: S = world.connect();
    world.pass_for(&session, 300 * DAY);
    let held = session.credentials().unwrap();
    assert_eq!((held.expires_at(), generation(&held)), (None, 1));
    assert!(world.accepts(&held));
    session.rejected(&held);
    assert_eq!(generation(&session.credentials().unwrap()), 2);
}

fn the_sites_wrong_clock_does_no_harm<S: Side>() {
    for skew in [-1_000_000, 1_000_000] {
        let world = World::new();
        world.emulator.skew(skew);
        let session: S = world.connect();
        world.pass_for(&session, 20 * HOUR);
        assert_eq!(generation(&session.credentials().unwrap()), 1);
        world.pass(5 * HOUR);
        assert!(world.accepts(&session.credentials().unwrap()));
        assert_eq!(world.emulator.auth0().sign_ins(), 2);
    }
}
