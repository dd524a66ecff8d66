//! Reading valid credentials allocates nothing.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::time::Duration;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use perennial_core::LeaseId;
use perennial_tests::{Subject, World, both};

both![reading_allocates_nothing, authorizing_allocates_nothing];

/// By the system's clock, as in earnest.
fn connect<S: Subject>(world: &World) -> S {
    world.connect_with(world.setup().clock(perennial_adapter::SystemClock))
}

/// Does it a thousand times. What a thread needs to begin with is its own, and not counted.
fn allocates_nothing(what: &str, mut command: impl FnMut()) {
    command();
    let counted = allocation_counter::measure(|| (0..1000).for_each(|_| command()));
    assert_eq!(counted.count_total, 0, "{what}: {counted:?}");
    // The counter counts.
    assert_eq!(allocation_counter::measure(|| drop(Box::new(1_u8))).count_total, 1);
}

fn reading_allocates_nothing<S: Subject>() {
    let world = World::new();
    let session: S = connect(&world);
    for lease_id in LeaseId::ALL {
        allocates_nothing("a handle", || {
            let held = session.current(lease_id).unwrap();
            assert!(!held.access().expose().is_empty());
            assert!(session.at_once(lease_id).unwrap().unwrap().aws().is_some());
            assert!(session.is_authenticated());
        });
        // No task to make either, where the adapter has tasks: only threads ask this way here.
        if S::NAME == "blocking" {
            allocates_nothing("a handle with a least life", || {
                session.credentials_with(lease_id, Duration::from_secs(1)).unwrap();
            });
        }
    }
}

fn authorizing_allocates_nothing<S: Subject>() {
    let world = World::new();
    let session: S = connect(&world);
    // A map that has had an entry has its room.
    let mut headers = HeaderMap::new();
    allocates_nothing("a handle", || assert!(session.authorize_at_once(&mut headers).unwrap().is_ok()));
    let value = headers.get(AUTHORIZATION).unwrap();
    let held = session.current(LeaseId::Access).unwrap();
    assert!(value.is_sensitive());
    // Not copied: the very bytes that were built when the token came.
    assert!(held.bearer().as_bytes().as_ptr_range().contains(&value.as_bytes().as_ptr()));
}
