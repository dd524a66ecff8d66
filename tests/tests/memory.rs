//! What is left in memory when all is dropped: nothing. A small process does with the core all that can be done with
//! it, over canned answers, and its memory is looked through: first while it holds everything, so that it is known
//! that what is there is found, then after the drop.
//!
//! Not seen here and not promised, see SECURITY.md: what TLS, HTTP and JSON libraries keep in buffers of their own,
//! what is in an address (`http::Uri`), and the numbers that the P-256 library computes with.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use perennial_core::oauth2::Verifier;
use perennial_tests::forgetful::{LENGTH, Needles, Process, Secrets, look_through};

const PROGRAM: &str = env!("CARGO_BIN_EXE_perennial-forgetful");

/// Plays a scene. Some of its secrets are held to its end, others come and go before.
fn forgets(scene: &str, held: &[&str], passing: &[&str], more: impl Fn(Secrets, &mut Needles)) {
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
    let secrets = Secrets::of(u64::from(seed) << 32 | u64::from(std::process::id()));
    let secrets_seed = secrets.seed();
    let mut needles = Needles::default();
    for name in held.iter().chain(passing) {
        needles.add(name, secrets.get(&format!("{scene} {name}")).as_bytes());
    }
    more(secrets, &mut needles);
    let mut process = Process::start(Path::new(PROGRAM), scene, secrets_seed).unwrap();
    let before = look_through(process.id(), &needles).unwrap();
    let unseen: Vec<_> = held.iter().filter(|name| !before.contains(**name)).collect();
    assert!(unseen.is_empty(), "the search does not find what is there: {unseen:?}");
    process.drop_all().unwrap();
    let left = look_through(process.id(), &needles).unwrap();
    assert!(left.is_empty(), "left behind of {scene} (seed {secrets_seed}): {left:?}");
}

#[test]
fn a_session_at_navien_is_forgotten() {
    let held = ["password", "access 2", "refresh 2", "id 1", "AWS id 2", "AWS key 2", "AWS session 2"];
    let passing = ["access 1", "refresh 1", "AWS id 1", "AWS key 1", "AWS session 1"];
    forgets("navien", &held, &passing, |_, _| ());
}

#[test]
fn a_session_at_mosaia_is_forgotten() {
    let held = ["password", "client secret", "access", "refresh", "bare token"];
    forgets("mosaia", &held, &[], |_, _| ());
}

#[test]
fn a_walk_through_the_pages_of_auth0_is_forgotten() {
    forgets("auth0", &["password", "token"], &["session cookie", "other cookie", "form token"], |_, _| ());
}

#[test]
fn a_session_at_settrade_is_forgotten() {
    forgets("settrade", &["access", "refresh", "dispatcher token"], &[], |secrets, needles| {
        needles.add("key", secrets.key("settrade key").as_bytes());
    });
}

#[test]
fn a_session_at_an_oauth_server_is_forgotten() {
    let held = ["password", "client secret", "access", "refresh", "id", "extra", "device code"];
    forgets("oauth", &held, &["code"], |secrets, needles| {
        needles.add("assertion key", secrets.key("oauth assertion key").as_bytes());
        // The second half of the entropy is what the verifier is made of.
        let entropy: [u8; 64] = std::array::from_fn(|n| secrets.get("oauth entropy").as_bytes()[n % LENGTH]);
        let verifier: [u8; 32] = std::array::from_fn(|n| entropy[32 + n]);
        needles.add("verifier", Verifier::new(verifier).expose().as_bytes());
    });
}

#[test]
fn a_session_in_a_file_is_forgotten() {
    forgets("stores", &["password", "access", "refresh", "key"], &[], |_, _| ());
}
