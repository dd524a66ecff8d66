//! The list of all cases, from which the table, the search by name and the tests are made.

/// Makes a `#[test]` of each case of [`conformance::store`](crate::conformance::store), which has an example. Takes a
/// function without parameters that returns a fresh [`StoreUnderTest`](crate::conformance::store::StoreUnderTest); put
/// it in a module of its own:
///
/// ```ignore
/// mod conformance {
///     perennial_testing::store_conformance!(super::fresh_store);
/// }
/// ```
#[macro_export]
macro_rules! store_conformance {
    ($make:expr) => {
        $crate::store_cases!(@all tests ($make));
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! store_cases {
    (@tests ($make:expr) $($module:ident $name:ident $reason:literal)*) => {
        $(
            #[test]
            fn $name() {
                $crate::conformance::store::run(stringify!($name), $make);
            }
        )*
    };
    (@table $($module:ident $name:ident $reason:literal)*) => {
        /// All cases.
        ///
        /// | case | why |
        /// | --- | --- |
        $(#[doc = concat!("| `", stringify!($name), "` | ", $reason, " |")])*
        pub const CASES: &[Case] = &[$(Case { name: stringify!($name), reason: $reason }),*];

        /// The test of the case of this name.
        fn test_of<S: StoreUnderTest>(name: &str) -> Option<fn(&S)> {
            match name {
                $(stringify!($name) => Some($module::$name::<S>),)*
                _ => None,
            }
        }
    };
    (@all $way:ident $(($make:expr))?) => {
        $crate::store_cases! { @$way $(($make))?
            records an_unused_store_reads_as_no_record
                "A session that finds no record signs in. One that finds an error, or an empty record, does not."
            records a_record_is_read_back_as_it_was_written
                "A record is opaque. One that was converted, or has the tail of a longer one, cannot be parsed, and its refresh token is lost."
            records an_empty_record_is_not_the_same_as_none
                "An empty record is damage, which is quarantined and told. Where there is none, nothing happened."
            records a_record_of_one_mebibyte_is_read_back
                "Records may have up to `MAX_RECORD` bytes. A limit below that shows when a service hands out longer tokens, and then the new ones cannot be saved."
            records the_holder_reads_its_own_writes
                "A session writes twice under one lock: that it is about to use the refresh token, and the new tokens."
            records every_store_reads_what_one_wrote
                "Sessions share an account by reading what the others wrote. A store that caches uses up a refresh token twice."
            records reading_without_the_lock_does_not_wait_for_it
                "Sessions start, and hand out valid tokens, while another one renews."
            records a_reader_sees_the_old_record_or_the_new_one_whole
                "Sessions read without the lock. A part of a record is taken for damage, and quarantined."
            locks only_one_store_at_a_time_holds_the_lock
                "Two holders send the same refresh token, and many services end the session of whoever does that."
            locks a_lock_waits_no_longer_than_its_timeout_and_is_busy
                "A session goes on by itself after `Busy`. Any other error is shown to people, and a call that hangs delays every caller."
            locks the_longest_timeout_and_ttl_are_accepted
                "`Duration::MAX` means as long as it takes. Added to a clock it overflows."
            locks a_waiting_store_gets_the_lock_when_it_is_released
                "Who waits adopts what the holder renewed. A store that says `Busy` at once makes sessions come back later instead, with tokens that have ended."
            locks many_lockers_get_the_lock_in_turn_and_lose_no_update
                "A record that is read and written under the lock may be changed by nobody in between."
            locks a_dropped_guard_releases_the_lock
                "Dropping is the only way of releasing: by the end of the drop the lock is free."
            locks a_guard_dropped_by_a_panicking_thread_releases_the_lock
                "A panic of one session must not end the renewals of all the others."
            locks a_guard_may_be_used_and_dropped_by_another_thread
                "Adapters run each operation on a thread that is free, and the guard moves along."
            expiry a_lock_never_claims_to_last_longer_than_its_ttl
                "A session sends the refresh token only if the lock lasts until it has written. A claim that is too long lets two send it."
            expiry after_its_ttl_another_store_can_lock
                "A killed holder of a lock that expires must not lock out the others for good."
            expiry every_operation_of_a_lost_lock_is_lost
                "After `Lost` a session locks and reads again. Any other answer lets it go on as if the record were its own."
            expiry a_late_write_is_lost_and_changes_nothing
                "A holder that was suspended must not overwrite newer tokens with older ones, also where nobody holds the lock by now."
            expiry a_lost_guard_does_not_release_the_next_lock
                "The lock belongs to somebody else by then."
            moves quarantine_moves_the_record_away_and_keeps_it
                "A record that cannot be parsed may be another program's: it must not be read again, and must not be deleted."
            moves each_quarantined_record_has_a_place_of_its_own
                "The second one would delete the first."
            moves quarantine_and_retire_without_a_record_do_nothing
                "Another session may have moved it already."
            moves clear_writes_and_removes_what_was_retired_and_nothing_else
                "After a sign-out no token is left that works. A record that is not understood may be somebody else's, and stays."
            moves clear_without_retired_records_is_a_write
                "Most sign-outs have nothing to remove."
            watches a_watch_reports_every_write_of_another_store
                "A session that watches learns of new tokens, of a sign-out and of a moved record by the call alone. It reads when it is called: by then the change has to be there."
            watches a_dropped_watch_reports_nothing_more_and_frees_its_callback
                "The callback holds what belongs to a session: it would be kept alive for good. Other watches go on."
            watches a_callback_may_read_the_store_and_drop_its_own_watch
                "A session that is called reads, and one that ends drops its watch. Neither may wait for the caller's own locks."
            secrecy no_debug_and_no_error_shows_a_record
                "Both are logged, and a record holds tokens."
            secrecy a_store_driver_executes_every_command
                "This is how sessions use a store. A command under the id of another lock is `Lost`: it comes from a session that has lost its lock since."
        }
    };
}
