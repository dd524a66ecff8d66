//! What a session does at Mosaia, over both adapters, at the emulated service.
//!
//! | operation of the service's own client | test |
//! | --- | --- |
//! | configuration | `settings_are_explicit_and_come_from_the_environment_too` |
//! | `sign_in_with_password` | `a_password_signs_in`, `refusals_are_typed` |
//! | `sign_in_with_client` | `a_programs_secret_signs_in` |
//! | `refresh` by how the session was begun | `what_a_password_began_is_refreshed_where_it_began`, `what_a_secret_began_is_refreshed_where_it_began`, `what_a_browser_began_is_refreshed_at_the_token_endpoint` |
//! | `refresh_token`, `refresh_oauth_token` | `a_given_token_is_refreshed_without_a_session` |
//! | `sign_out` | `a_sign_out_is_told_to_the_service`, `a_given_token_is_signed_out_without_a_session` |
//! | `OAuth.get_authorization_url_and_code_verifier`, `authenticate_with_code_and_verifier` | `a_browser_signs_in_there_and_back`, `a_browser_that_brings_a_no_signs_nobody_in`, `a_code_is_good_for_its_own_sign_in_only` |
//! | `api_key` alone | `a_bare_token_makes_a_session` |
//! | `session`, an API call | `an_api_call_tells_what_a_token_is_worth`, `a_refused_call_renews_once` |
//!
//! What it does not have: saving (`how_a_session_was_begun_survives_saving`), the second place of refreshes
//! (`a_missing_place_of_refreshes_is_remembered`), one renewal for all (`a_rotated_token_is_never_used_again`), every
//! form of an end (`every_form_of_an_end_is_understood`).
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod begins;
mod goes_on;
mod place;
mod without;

/// Runs each test over both adapters: `NAME::hyper` and `NAME::blocking`.
macro_rules! both_sides {
    ($($name:ident),* $(,)?) => {
        mod over_hyper {
            $(#[test]
            fn $name() {
                super::$name::<crate::place::OverHyper>();
            })*
        }
        mod over_blocking {
            $(#[test]
            fn $name() {
                super::$name::<crate::place::OverBlocking>();
            })*
        }
    };
}
pub(crate) use both_sides;
