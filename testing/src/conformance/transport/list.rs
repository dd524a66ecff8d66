//! The list of all cases, from which the table, the search by name and the tests are made.

/// Makes a `#[test]` of each case of [`conformance::transport`](crate::conformance::transport), which has examples.
/// Takes a function or closure from a [`Setup`](crate::conformance::transport::Setup) to a
/// [`TransportUnderTest`](crate::conformance::transport::TransportUnderTest); put it in a module of its own:
///
/// ```ignore
/// mod conformance {
///     perennial_testing::transport_conformance!(super::my_transport);
/// }
/// ```
#[macro_export]
macro_rules! transport_conformance {
    ($make:expr) => {
        $crate::transport_cases!(@all tests ($make));
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! transport_cases {
    (@tests ($make:expr) $($module:ident $name:ident $reason:literal)*) => {
        $(
            #[test]
            fn $name() {
                $crate::conformance::transport::run_in(module_path!(), stringify!($name), $make);
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
        fn test_of(name: &str) -> Option<fn(&Rig<'_>)> {
            match name {
                $(stringify!($name) => Some($module::$name),)*
                _ => None,
            }
        }
    };
    (@all $way:ident $(($make:expr))?) => {
        $crate::transport_cases! { @$way $(($make))?
            requests the_request_arrives_as_it_was_built
                "Method, target, headers and body are the provider's: services sign them, compare them, and refuse what was re-encoded. A body without its length is refused by many (RFC 9110 §8.6)."
            requests no_header_is_added_that_matters
                "A credential or a cookie that the provider did not ask for goes to somebody whom it was not meant for."
            requests no_cookie_is_kept
                "Cookies are the provider's to read and to send. A jar of the transport's mixes the accounts of all sessions."
            requests nothing_is_sent_again
                "A refresh token that works once is spent by the first sending. The second one looks like theft, and ends the session (RFC 9700 §4.14.2)."
            requests no_connection_is_used_twice
                "Only on a fresh connection is it certain that nothing was sent: one that was kept may be closed in the meantime (RFC 9112 §9.3.1)."
            requests a_redirect_is_an_answer
                "A redirect that is followed takes password and token to whatever address an answer names (RFC 9110 §15.4). The provider judges it."
            requests only_https_leaves_this_machine
                "In the clear, whoever is on the way reads the password. Nothing may be looked up, connected to or sent (RFC 6749 §3.2)."
            requests a_host_that_was_named_is_spoken_to_in_the_clear
                "The exception was stated in front of the transport, for a private network. It is not the transport's to refuse."
            requests a_port_that_is_none_is_not_sent_to
                "`:80800` that is taken for the usual port sends the password to whoever listens there."
            environment no_proxy_of_the_environment_is_asked
                "HTTP clients take `HTTP_PROXY` by themselves, and would send the password to it. A proxy is used where it was given on purpose."
            answers an_answer_of_every_status_is_an_answer
                "What a status means is the provider's: a 400 tells that the refresh token is dead, a 503 when to come back. As an error of the transport both are an outage."
            answers an_answer_arrives_with_all_its_headers
                "`Retry-After`, `Date` and every `Set-Cookie` are read (RFC 9110 §10.2.3, §6.6.1). None of them is shown in `Debug`: cookies are tokens."
            answers a_body_is_read_to_its_end
                "A body ends by its length, by its last chunk, or with the connection (RFC 9112 §6.3). What belongs to the next answer is not read."
            answers an_interim_answer_is_passed_over
                "Any number of 1xx answers may come before the answer (RFC 9110 §15.2). Taken for the answer, they lose a token."
            answers interim_answers_have_an_end
                "Interim answers without an end hold a renewal for as long as the peer likes."
            answers an_early_answer_is_heard
                "A service that has too much to do answers 429 before it reads, and hangs up. Its `Retry-After` was meant for whoever sends."
            odd what_is_odd_and_clear_is_taken
                "Old servers and proxies write HTTP that looks odd and has one meaning (RFC 9112 §2.2). To refuse it ends an account that works elsewhere."
            odd what_is_not_http_is_maybe_sent
                "The request was sent, whatever came back. `NotSent` repeats it, and a part of the garbage taken for an answer is judged by the provider."
            odd a_length_with_two_meanings_is_maybe_sent
                "Lengths that contradict each other cut one answer into another (RFC 9112 §6.3, §11.2)."
            odd a_head_without_an_end_is_given_up
                "Headers without an end fill the memory: the cap on bodies does not stop them."
            odd a_compressed_answer_is_refused
                "Nothing is asked for but `identity` (RFC 9110 §12.5.3). What unpacks by itself has no cap, and what does not unpack is taken for garbage of the service's."
            odd a_switch_of_protocols_is_refused
                "Nobody asked for another protocol (RFC 9110 §15.2.2), and what follows is no answer."
            answers a_body_above_its_cap_is_too_large
                "An answer without an end fills the memory. `TooLarge` says that the request was carried out."
            failures a_torn_answer_is_maybe_sent
                "Half an answer may be valid JSON and hold half a token. The session has to know that the answer was lost."
            failures what_never_connected_is_not_sent
                "After `NotSent` the session tries again at once, with a one-use token too: it is not spent."
            failures a_handshake_that_fails_is_not_sent
                "Nothing of the request leaves before the handshake is over, so nothing is spent."
            failures a_connection_that_closes_after_the_request_is_maybe_sent
                "The service may have spent the refresh token. `NotSent` would send it a second time, and end the session at services that notice."
            failures a_connection_that_hangs_is_not_sent
                "Who gives up connecting early can say that nothing was sent, and the session tries again."
            failures the_deadline_is_for_the_whole_request
                "Callers wait for a renewal, and a store's lock is held for it. A timeout that starts anew with every byte lets a slow peer hold both."
            failures no_error_shows_a_secret
                "Errors are logged, with their sources. Addresses, headers and bodies hold codes, tokens and passwords."
        }
    };
}
