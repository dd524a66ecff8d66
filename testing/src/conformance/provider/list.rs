//! The list of all cases, from which the table, the search by name and the tests are made.

/// Makes a `#[test]` of each case of [`conformance::provider`](crate::conformance::provider), which has an example.
/// Takes a function or closure without parameters that returns a fresh
/// [`ProviderUnderTest`](crate::conformance::provider::ProviderUnderTest); put it in a module of its own:
///
/// ```ignore
/// mod conformance {
///     perennial_testing::provider_conformance!(super::my_provider);
/// }
/// ```
#[macro_export]
macro_rules! provider_conformance {
    ($make:expr) => {
        $crate::provider_cases!(@all tests ($make));
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! provider_cases {
    (@tests ($make:expr) $($module:ident $name:ident $reason:literal)*) => {
        $(
            #[test]
            fn $name() {
                $crate::conformance::provider::run(stringify!($name), $make);
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
        fn test_of<P: Provider>(name: &str) -> Option<fn(&mut ProviderUnderTest<P>)> {
            match name {
                $(stringify!($name) => Some($module::$name::<P>),)*
                _ => None,
            }
        }
    };
    (@all $way:ident $(($make:expr))?) => {
        $crate::provider_cases! { @$way $(($make))?
            methods every_method_has_a_name_of_its_own
                "Names stand in logs and events, and the provider's in every saved session: two that are the same cannot be told apart, and one that changes loses what was saved."
            methods methods_are_listed_cheapest_first
                "A session tries them in this order. A login before a refresh sends the password every hour, and services lock accounts."
            methods a_method_that_misses_what_it_needs_makes_no_exchange
                "Sessions start without a login, and services leave refresh tokens out. `None` leads to the next method; a panic or an empty token is a failed attempt."
            methods what_a_method_shows_is_what_it_consumes
                "By `consumes` a session knows what it may repeat. A rotated refresh token that is said to cost nothing is sent twice, which ends the session at services that notice (RFC 9700 §4.14.2)."
            methods a_login_counts_as_shown_once_a_request_carries_it
                "An attempt that has shown a person's login is counted, so that no account is locked."
            requests every_request_goes_over_https_or_to_this_machine
                "Requests carry passwords and tokens (RFC 6749 §3.2). Transports refuse anything else, and the account never signs in."
            requests no_address_holds_a_secret
                "Addresses stand in the logs of servers and proxies (RFC 6750 §5.3)."
            requests the_headers_of_a_call_are_sensitive
                "HTTP clients log headers that are not marked, and these hold tokens."
            requests an_answer_that_works_or_an_outage_refuses_nothing
                "A refusal makes the session renew. Where each answer of an API that is down is one, a service that suffers gets a storm of renewals besides."
            logins a_login_is_read_back_as_it_was_written
                "A login that is kept in a store is all that a process has after a restart. One that is read otherwise signs in as somebody else, or not at all."
            logins the_account_of_a_grant_is_that_of_its_login
                "A saved session whose account is another one than the login's is not taken up."
            logins a_grant_survives_being_saved
                "After a restart everything comes from the saved session: a token or a deadline that is lost there costs a sign-in."
            logins what_is_no_saved_session_is_refused
                "Files get torn, and other programs write to the same place."
            secrecy no_debug_shows_a_secret
                "Providers, logins, grants, sessions and events are logged."
            secrecy no_error_shows_what_the_service_repeats
                "Services quote what they were sent in their errors, and errors are logged."
            answers a_torn_answer_is_no_grant
                "A part of an answer may hold half a token."
            answers an_odd_answer_is_no_grant
                "Gateways, captive portals and broken servers answer in a service's place. What is taken for a grant displaces tokens that work."
            answers an_odd_answer_refuses_nothing
                "A refused login is never sent again, and after a refused refresh token the session signs in. A gateway's page, a 5xx or a redirect says neither."
            answers retry_after_is_heard
                "A service that asks for a pause is left alone for as long (RFC 9110 §10.2.3, RFC 6585 §4). Who comes back earlier is locked out."
            answers a_refresh_token_is_kept_whatever_comes_beside_it
                "The old refresh token may be spent. The new one must not be dropped because the access token beside it cannot be used."
            sessions a_session_signs_in_and_renews
                "This is what it is for."
            sessions a_saved_session_goes_on_without_a_login
                "Many programs never have one: a person signed in once, in a browser. Everything that a renewal needs has to be in the saved session."
            sessions a_lost_answer_ends_no_session
                "An answer that is lost may have spent the refresh token. The session must not show it again, and must find another way."
            sessions a_sign_out_has_an_end
                "Whoever signs out waits for it. What the service does not answer must not hold it up for good."
        }
    };
}
