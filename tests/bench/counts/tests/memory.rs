//! What one signed-in session takes in memory, over the tokens that it holds.

use perennial_core::providers::navien::Navien;
use perennial_core::{Account, Credentials, Session, State};
use perennial_counts::answers::{NAVIEN_TOKEN_BYTES, navien_refresh};
use perennial_counts::work::{self, Machine};

/// The most that a session may take over its tokens, in bytes: what it takes now, and a little.
const MOST: i64 = 1_650;

/// What is allocated for a session, itself included.
fn bytes(make: impl FnOnce() -> Machine) -> i64 {
    let mut kept = None;
    let counted = allocation_counter::measure(|| kept = Some(Box::new(make())));
    // Seconds are the test's own.
    let own = size_of::<Machine>() - size_of::<Session<Navien>>();
    counted.bytes_current - i64::try_from(own).expect("small")
}

fn over_tokens(bytes: i64) -> i64 {
    bytes - i64::try_from(NAVIEN_TOKEN_BYTES).expect("small")
}

#[test]
fn a_signed_in_session_takes_little_over_its_tokens() {
    let signed_in = over_tokens(bytes(work::signed_in));
    println!("| bytes of one signed-in session | |\n| --- | ---: |");
    println!("| its tokens | {NAVIEN_TOKEN_BYTES} |");
    println!("| over its tokens | {signed_in} |");
    println!("| of that: the session itself | {} |", size_of::<Session<Navien>>());
    println!("| of that: its credentials | {} |", size_of::<Credentials>());
    println!("| of that: its account | {} |", size_of::<Account>());
    assert!(signed_in <= MOST, "{signed_in} bytes");
}

#[test]
fn renewals_leave_nothing_behind() {
    let renewed = |times| {
        bytes(|| {
            let (mut machine, answer) = (work::signed_in(), navien_refresh());
            for _ in 0..times {
                machine.renew(&answer);
            }
            assert_eq!(machine.session.state(), State::Live);
            machine
        })
    };
    assert_eq!(renewed(0), renewed(1));
    assert_eq!(renewed(1), renewed(20));
}
