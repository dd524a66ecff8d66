//! The suite for stores: a correct store passes all cases, with any of its promises, and each fault of a store is found
//! by the cases that are there for it.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod faulty;

use std::time::Duration;

use faulty::Fault::{self, *};
use faulty::{Promises, UnderTest};
use perennial_testing::conformance::store::{self, CASES, StoreUnderTest};

mod expiring_and_notifying {
    perennial_testing::store_conformance!(super::UnderTest::default);
}

#[test]
fn a_store_that_promises_less_passes_too() {
    for (locks_expire, notifies) in [(false, false), (false, true), (true, false)] {
        store::check(|| UnderTest::new(None, Promises { locks_expire, notifies }));
    }
}

/// Every fault, and the cases that have to find it: at least these.
const FAULTS: &[(Fault, &[&str])] = &[
    (
        ReadsAnEmptyRecordForNone,
        &["an_unused_store_reads_as_no_record", "quarantine_moves_the_record_away_and_keeps_it"],
    ),
    (ReadsNoneForAnEmptyRecord, &["an_empty_record_is_not_the_same_as_none"]),
    (EndsARecordAtNul, &["a_record_is_read_back_as_it_was_written"]),
    (KeepsTheTailOfALongerRecord, &["a_record_is_read_back_as_it_was_written"]),
    (CutsRecords, &["a_record_of_one_mebibyte_is_read_back"]),
    (CachesInEachStore, &["every_store_reads_what_one_wrote"]),
    (WritesWhenItIsDropped, &["the_holder_reads_its_own_writes"]),
    (WritesInTwoParts, &["a_reader_sees_the_old_record_or_the_new_one_whole"]),
    (LocksForAll, &["only_one_store_at_a_time_holds_the_lock", "a_lock_waits_no_longer_than_its_timeout_and_is_busy"]),
    (WaitsWithoutEnd, &["a_lock_waits_no_longer_than_its_timeout_and_is_busy"]),
    (TellsUnavailableForBusy, &["a_lock_waits_no_longer_than_its_timeout_and_is_busy"]),
    (AddsTimeouts, &["the_longest_timeout_and_ttl_are_accepted"]),
    (DoesNotWait, &["a_waiting_store_gets_the_lock_when_it_is_released"]),
    (KeepsTheLock, &["a_dropped_guard_releases_the_lock", "a_guard_may_be_used_and_dropped_by_another_thread"]),
    (KeepsTheLockInAPanic, &["a_guard_dropped_by_a_panicking_thread_releases_the_lock"]),
    (ClaimsTooLong, &["a_lock_never_claims_to_last_longer_than_its_ttl"]),
    (ExpiresEarly, &["a_lock_never_claims_to_last_longer_than_its_ttl"]),
    (NeverExpires, &["after_its_ttl_another_store_can_lock"]),
    (MovesUnderALostLock, &["every_operation_of_a_lost_lock_is_lost"]),
    (WritesUnderALostLock, &["every_operation_of_a_lost_lock_is_lost", "a_late_write_is_lost_and_changes_nothing"]),
    (ReleasesTheNextLock, &["a_lost_guard_does_not_release_the_next_lock"]),
    (DeletesForQuarantine, &["quarantine_moves_the_record_away_and_keeps_it"]),
    (HasOnePlaceForQuarantine, &["each_quarantined_record_has_a_place_of_its_own"]),
    (FailsToMoveNothing, &["quarantine_and_retire_without_a_record_do_nothing"]),
    (KeepsRetired, &["clear_writes_and_removes_what_was_retired_and_nothing_else"]),
    (ClearsTheQuarantine, &["clear_writes_and_removes_what_was_retired_and_nothing_else"]),
    (ClearsOnlyWhatIsThere, &["clear_without_retired_records_is_a_write"]),
    (DoesNotReportMoves, &["a_watch_reports_every_write_of_another_store"]),
    (ReportsTooEarly, &["a_watch_reports_every_write_of_another_store"]),
    (KeepsCallbacks, &["a_dropped_watch_reports_nothing_more_and_frees_its_callback"]),
    (CallsUnderItsOwnMutex, &["a_callback_may_read_the_store_and_drop_its_own_watch"]),
    (ShowsTheRecordInDebug, &["no_debug_and_no_error_shows_a_record"]),
    (ShowsTheRecordInErrors, &["no_debug_and_no_error_shows_a_record"]),
    (LosesItsLockInARead, &["a_store_driver_executes_every_command"]),
];

#[test]
fn every_fault_of_a_store_is_found() {
    // Most of them wait for what never comes: all at once.
    std::thread::scope(|scope| {
        for (fault, cases) in FAULTS {
            for case in *cases {
                scope.spawn(move || expect_found(*fault, case));
            }
        }
    });
}

fn expect_found(fault: Fault, case: &str) {
    let promises = Promises { locks_expire: fault != WaitsWithoutEnd, notifies: true };
    let made = || UnderTest::new(Some(fault), promises).with_patience(Duration::from_millis(600));
    let text = std::panic::catch_unwind(|| store::run(case, made)).expect_err(&format!("{case} finds no {fault:?}"));
    let text = text.downcast_ref::<String>().unwrap();
    assert!(text.contains(case) && text.contains("found: ") && text.contains("why:   "), "{text}");
}

#[test]
fn every_case_has_a_reason_and_finds_a_fault() {
    for case in CASES {
        assert!(case.reason.ends_with('.'), "{}", case.name);
        let found = FAULTS.iter().any(|(_, cases)| cases.contains(&case.name));
        // What is left finds the same faults in other circumstances.
        let more =
            ["reading_without_the_lock_does_not_wait_for_it", "many_lockers_get_the_lock_in_turn_and_lose_no_update"];
        assert!(found || more.contains(&case.name), "no fault is found by {}", case.name);
    }
}

#[test]
fn a_store_that_cannot_be_tested_here_is_skipped() {
    struct Skipped;
    impl StoreUnderTest for Skipped {
        type Store = <UnderTest as StoreUnderTest>::Store;
        fn open(&self) -> Self::Store {
            panic!("its server is not installed")
        }
        fn locks_expire(&self) -> bool {
            true
        }
        fn notifies(&self) -> bool {
            true
        }
        fn skipped(&self) -> Option<String> {
            Some("its server is not installed".into())
        }
    }
    store::check(|| Skipped);
}

#[test]
fn what_a_store_says_of_itself_has_to_be_so() {
    let liar = |said: Promises| {
        let made = move || UnderTest::default().that_says(said).with_patience(Duration::from_secs(1));
        store::failures(made).into_iter().map(|failure| failure.case.name).collect::<Vec<_>>()
    };
    let (watch, claim) =
        ("a_watch_reports_every_write_of_another_store", "a_lock_never_claims_to_last_longer_than_its_ttl");
    assert!(liar(Promises { notifies: false, locks_expire: true }).contains(&watch));
    assert!(liar(Promises { notifies: true, locks_expire: false }).contains(&claim));
}
