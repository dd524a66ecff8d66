//! What the fuzz targets assert, over their committed seeds: no fuzzer is needed to keep what one has found.

#![allow(clippy::disallowed_methods, reason = "core does no I/O; its tests read their seeds")]

use std::path::Path;

use perennial_core::testing::fuzz;

fn replay(target: &str, assert: fn(&[u8])) {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut replayed = 0;
    for entry in std::fs::read_dir(&seeds).expect("the seeds are committed") {
        let path = entry.expect("a seed").path();
        if path.extension().is_some_and(|extension| extension == "seed") {
            assert(&std::fs::read(&path).expect("a seed"));
            replayed += 1;
        }
    }
    assert!(replayed > 2, "no seeds in {}", seeds.display());
}

#[test]
fn the_seeds_of_session_break_no_rule() {
    replay("session", fuzz::session);
}

#[test]
fn the_seeds_of_fleet_break_no_rule() {
    replay("fleet", fuzz::fleet);
}

#[test]
fn the_seeds_of_saved_are_read_or_refused() {
    replay("saved", fuzz::saved);
}

#[test]
fn the_seeds_of_retry_after_are_bounded() {
    replay("retry_after", fuzz::retry);
}

#[test]
fn the_seeds_of_lifetime_are_bounded() {
    replay("lifetime", fuzz::lifetime);
}

#[cfg(feature = "navien")]
#[test]
fn the_seeds_of_navien_answer_are_read_or_refused() {
    replay("navien_answer", fuzz::navien_answer);
}

#[cfg(feature = "mosaia")]
#[test]
fn the_seeds_of_mosaia_answer_are_read_or_refused() {
    replay("mosaia_answer", fuzz::mosaia_answer);
}

#[cfg(feature = "settrade")]
#[test]
fn the_seeds_of_settrade_answer_are_read_or_refused() {
    replay("settrade_answer", fuzz::settrade_answer);
}

#[cfg(feature = "oauth")]
#[test]
fn the_seeds_of_oauth_answer_are_read_or_refused() {
    replay("oauth_answer", fuzz::oauth_answer);
}

#[cfg(feature = "auth0")]
#[test]
fn the_seeds_of_auth0_page_are_read_or_refused() {
    replay("auth0_page", fuzz::auth0_page);
}
