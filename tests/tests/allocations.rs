//! Reading valid credentials allocates nothing.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use perennial_core::Need;
use perennial_tests::{Subject, World, both};

both![reading_allocates_nothing];

fn reading_allocates_nothing<S: Subject>() {
    let world = World::new();
    // By the system's clock, as in earnest.
    let setup = world.setup().clock(perennial_core::adapter::SystemClock);
    let session: S = world.connect_with(setup);
    for need in Need::ALL {
        // What a thread needs to begin with is its own.
        assert!(session.at_once(need).unwrap().is_ok());
        let read = || {
            for _ in 0..1000 {
                let held = session.current(need).unwrap();
                assert!(!held.access().expose().is_empty());
                assert!(session.at_once(need).unwrap().unwrap().aws().is_some());
                assert!(session.is_authenticated());
            }
        };
        let counted = allocation_counter::measure(read);
        assert_eq!(counted.count_total, 0, "{need}: {counted:?}");
    }
    // The counter counts.
    assert_eq!(allocation_counter::measure(|| drop(Box::new(1_u8))).count_total, 1);
}
