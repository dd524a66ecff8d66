//! The suite for transports: a correct transport passes all cases, and each fault of one is found by the cases that are
//! there for it.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod faulty;

use std::panic::catch_unwind;

use faulty::Fault::{self, *};
use faulty::{correct, faulty};
use perennial_blocking::Transport;
use perennial_testing::conformance::transport::{self, CASES, TransportUnderTest};

#[test]
fn a_correct_transport_passes() {
    transport::check(|setup| {
        let transport = correct(setup);
        TransportUnderTest::new(move |request| transport.send(request))
    });
}

/// Every fault, and the cases that have to find it: at least these.
const FAULTS: &[(Fault, &[&str])] = &[
    (FollowsRedirects, &["a_redirect_is_an_answer"]),
    (RepeatsWhatFailed, &["nothing_is_sent_again", "a_torn_answer_is_maybe_sent"]),
    (NeverSent, &["a_connection_that_closes_after_the_request_is_maybe_sent", "what_is_not_http_is_maybe_sent"]),
    (
        AlwaysMaybeSent,
        &[
            "what_never_connected_is_not_sent",
            "a_handshake_that_fails_is_not_sent",
            "a_connection_that_hangs_is_not_sent",
        ],
    ),
    (StatusesAreErrors, &["an_answer_of_every_status_is_an_answer"]),
    (KeepsCookies, &["no_cookie_is_kept"]),
    (AddsAHeader, &["no_header_is_added_that_matters"]),
    (DropsTheQuery, &["the_request_arrives_as_it_was_built"]),
    (DropsTheBody, &["the_request_arrives_as_it_was_built"]),
    (DropsHeaders, &["an_answer_arrives_with_all_its_headers", "a_redirect_is_an_answer"]),
    (IgnoresTheCap, &["a_body_above_its_cap_is_too_large"]),
    (IgnoresTheTimeout, &["the_deadline_is_for_the_whole_request"]),
    (TimeoutsAreMaybeSent, &["the_deadline_is_for_the_whole_request"]),
    (ShowsTheAddress, &["no_error_shows_a_secret", "a_torn_answer_is_maybe_sent"]),
    (LooksAtNoAddress, &["only_https_leaves_this_machine", "a_port_that_is_none_is_not_sent_to"]),
    (KnowsNoException, &["a_host_that_was_named_is_spoken_to_in_the_clear"]),
    (RefusesInterimAnswers, &["an_interim_answer_is_passed_over"]),
    (LosesEarlyAnswers, &["an_early_answer_is_heard"]),
    (
        Hurried,
        &[
            "the_request_arrives_as_it_was_built",
            "no_connection_is_used_twice",
            "an_answer_arrives_with_all_its_headers",
            "a_body_is_read_to_its_end",
            "an_interim_answer_is_passed_over",
            "interim_answers_have_an_end",
            "what_is_odd_and_clear_is_taken",
            "what_is_not_http_is_maybe_sent",
            "a_length_with_two_meanings_is_maybe_sent",
            "a_head_without_an_end_is_given_up",
            "a_compressed_answer_is_refused",
            "a_torn_answer_is_maybe_sent",
            "a_handshake_that_fails_is_not_sent",
        ],
    ),
    (HurriedAndUnchecked, &["a_switch_of_protocols_is_refused", "a_compressed_answer_is_refused"]),
];

#[test]
fn every_fault_of_a_transport_is_found() {
    // Some of them wait for what never comes: all at once.
    std::thread::scope(|scope| {
        for (fault, cases) in FAULTS {
            for case in *cases {
                scope.spawn(move || expect_found(*fault, case));
            }
        }
    });
}

fn expect_found(fault: Fault, case: &str) {
    let found = catch_unwind(|| transport::run(case, move |setup| faulty(fault, setup)));
    let text = found.expect_err(&format!("{case} finds no {fault:?}"));
    let text = text.downcast_ref::<String>().unwrap();
    assert!(text.contains(case) && text.contains("found: ") && text.contains("why:   "), "{text}");
}

/// In a test of its own, which the case runs again in another process.
#[test]
fn a_transport_that_asks_the_proxy_of_the_environment_is_found() {
    let found = catch_unwind(|| {
        transport::run("no_proxy_of_the_environment_is_asked", |setup| faulty(AsksTheProxy, setup));
    });
    let text = found.expect_err("the proxy is not found");
    let text = text.downcast_ref::<String>().unwrap();
    assert!(text.contains("connected to"), "{text}");
}

#[test]
fn every_case_has_a_reason_and_finds_a_fault() {
    for case in CASES {
        assert!(case.reason.ends_with('.'), "{}", case.name);
        let found = FAULTS.iter().any(|(_, cases)| cases.contains(&case.name));
        assert!(found || case.name == "no_proxy_of_the_environment_is_asked", "no fault is found by {}", case.name);
    }
}
