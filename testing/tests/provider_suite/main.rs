//! The suite for providers, and the bodies of fuzz targets for one: each fault is found by what is there for it, and a
//! correct provider passes.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod faulty;

use std::panic::catch_unwind;

use faulty::Fault::{self, *};
use faulty::{Weather, login, under_test};
use perennial_testing::conformance::provider::{self, CASES};
use perennial_testing::fuzz;

mod correct {
    perennial_testing::provider_conformance!(|| super::under_test(None));
}

/// Every fault, and the cases that have to find it: at least these.
const FAULTS: &[(Fault, &[&str])] = &[
    (NamesTwoMethodsAlike, &["every_method_has_a_name_of_its_own"]),
    (SignsInFirst, &["methods_are_listed_cheapest_first"]),
    (UnwrapsTheLogin, &["a_method_that_misses_what_it_needs_makes_no_exchange"]),
    (SendsAnEmptyToken, &["a_method_that_misses_what_it_needs_makes_no_exchange"]),
    (SaysThatRefreshingIsFree, &["what_a_method_shows_is_what_it_consumes"]),
    (SaysThatSigningInIsFree, &["what_a_method_shows_is_what_it_consumes"]),
    (SaysThatNothingWasShown, &["a_login_counts_as_shown_once_a_request_carries_it"]),
    (SpeaksHttp, &["every_request_goes_over_https_or_to_this_machine"]),
    (PutsTheTokenIntoTheQuery, &["no_address_holds_a_secret"]),
    (MarksNoHeader, &["the_headers_of_a_call_are_sensitive"]),
    (TakesOutagesForRefusals, &["an_answer_that_works_or_an_outage_refuses_nothing"]),
    (LosesThePassword, &["a_login_is_read_back_as_it_was_written"]),
    (ReadsAnyLogin, &["a_login_is_read_back_as_it_was_written"]),
    (NamesAnotherAccount, &["the_account_of_a_grant_is_that_of_its_login"]),
    (LosesTheRefreshToken, &["a_grant_survives_being_saved", "a_saved_session_goes_on_without_a_login"]),
    (ReadsAnySession, &["what_is_no_saved_session_is_refused"]),
    (ShowsThePassword, &["no_debug_shows_a_secret"]),
    (QuotesTheService, &["no_error_shows_what_the_service_repeats"]),
    (TakesWhatItFinds, &["a_torn_answer_is_no_grant"]),
    (GrantsWithoutATokenInIt, &["an_odd_answer_is_no_grant"]),
    (IgnoresTheStatus, &["an_odd_answer_is_no_grant"]),
    (TakesEveryFailureForARefusal, &["an_odd_answer_refuses_nothing"]),
    (DoesNotHearRetryAfter, &["retry_after_is_heard"]),
    (DropsTheRefreshToken, &["a_refresh_token_is_kept_whatever_comes_beside_it"]),
    (UnwrapsTheAnswer, &["an_odd_answer_is_no_grant", "a_torn_answer_is_no_grant"]),
    (ExpiresAtOnce, &["a_session_signs_in_and_renews", "a_lost_answer_ends_no_session"]),
    (NeverRevokes, &["a_sign_out_has_an_end"]),
];

#[test]
fn every_fault_of_a_provider_is_found() {
    for (fault, cases) in FAULTS {
        for case in *cases {
            let found = catch_unwind(|| provider::run(case, || under_test(Some(*fault))));
            let text = found.expect_err(&format!("{case} finds no {fault:?}"));
            let text = text.downcast_ref::<String>().unwrap();
            assert!(text.contains(case) && text.contains("found: ") && text.contains("why:   "), "{text}");
        }
    }
}

#[test]
fn every_case_has_a_reason_and_finds_a_fault() {
    for case in CASES {
        assert!(case.reason.ends_with('.'), "{}", case.name);
        let found = FAULTS.iter().any(|(_, cases)| cases.contains(&case.name));
        assert!(found, "no fault is found by {}", case.name);
    }
}

#[test]
fn what_a_provider_cannot_do_does_not_apply() {
    provider::run("a_saved_session_goes_on_without_a_login", || under_test(Some(NeedsTheLoginToRefresh)));
}

#[test]
fn seeds_are_histories_that_go_well() {
    let seeds = fuzz::seeds(under_test(None));
    let names: Vec<_> = seeds.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["sign-in", "refresh", "all", "session"]);
    for (name, seed) in &seeds {
        println!("{name}");
        fuzz::answers(&Weather(None), &login(None), seed);
        fuzz::session(&Weather(None), &login(None), seed);
    }
    let refresh = String::from_utf8(seeds[1].1.clone()).unwrap();
    assert!(refresh.starts_with("8\n--\n>1\n--\n200\n") && refresh.contains("refresh-2"), "{refresh}");
}

#[test]
fn every_fault_that_an_answer_shows_is_found() {
    let long = format!("8\n--\n>1\n--\n400\n\n{}", "a".repeat(3000));
    for (fault, data, expected) in [
        (UnwrapsTheAnswer, "8\n--\n>1\n--\n200\n\n[]", "is_object"),
        (QuotesTheService, long.as_str(), "an error as long as the body"),
        (GrantsWithoutATokenInIt, "8\n--\n>1\n--\n200\n\n{}", "a grant of nothing"),
    ] {
        fuzz::answers(&Weather(None), &login(None), data.as_bytes());
        let found = catch_unwind(|| fuzz::answers(&Weather(Some(fault)), &login(None), data.as_bytes()));
        let found = found.expect_err(&format!("{fault:?} is not found"));
        let text = found.downcast_ref::<String>().cloned().unwrap_or_default();
        let text = text + found.downcast_ref::<&str>().copied().unwrap_or_default();
        assert!(text.contains(expected), "{fault:?}: {text}");
    }
}

#[test]
fn a_fault_that_a_history_shows_is_found() {
    let seeds = fuzz::seeds(under_test(None));
    let (_, history) = seeds.last().unwrap();
    let found = catch_unwind(|| fuzz::session(&Weather(Some(ForgetsItsFormat)), &login(None), history));
    let text = found.expect_err("it is not found").downcast_ref::<String>().cloned().unwrap();
    assert!(text.contains("not read back"), "{text}");
}
