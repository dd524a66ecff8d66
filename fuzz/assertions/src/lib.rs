//! What the fuzz targets assert, so that `cargo test` can replay their corpora.
//!
//! Each takes any bytes. It returns where they are read as they should be, and panics where a promise is broken: no
//! panic of the parser, no secret in an error, numbers within bounds, tokens that a header can carry, what is written
//! read back the same, an error before a token, the same answer twice.

mod answers;
mod auth0;
mod check;
mod oauth;
mod providers;
mod saved;
mod wire;

use arbitrary::{Arbitrary, Unstructured};

use perennial_simulation::fleet::{Scenario, run_scenario};
use perennial_testing::{Step, run};

/// The longest history that is played.
const MOST_STEPS: usize = 200;

/// A fuzz target: its name, and what it asserts of any bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// As `cargo fuzz list` has it.
    pub name: &'static str,
    /// Panics where a promise is broken.
    pub assert: fn(&[u8]),
}

macro_rules! targets {
    ($($name:literal => $assert:path,)*) => {
        /// All of them.
        pub const TARGETS: &[Target] = &[$(Target { name: $name, assert: $assert },)*];
    };
}

targets! {
    "session" => session,
    "fleet" => fleet,
    "provider_answers" => providers::provider_answers,
    "provider_session" => providers::provider_session,
    "saved" => saved::saved,
    "record" => saved::record,
    "saved_python" => saved::saved_python,
    "saved_jwt" => saved::saved_jwt,
    "kept_login" => wire::kept_login,
    "key" => answers::key,
    "json_value" => wire::json_value,
    "retry_after" => wire::retry,
    "moment" => wire::moment,
    "address" => wire::address,
    "form" => wire::form,
    "navien_answer" => answers::navien_answer,
    "mosaia_answer" => answers::mosaia_answer,
    "settrade_answer" => answers::settrade_answer,
    "settrade_ticket" => answers::settrade_ticket,
    "oauth_answer" => oauth::oauth_answer,
    "oauth_device" => oauth::oauth_device,
    "oauth_metadata" => oauth::oauth_metadata,
    "oauth_redirect" => oauth::oauth_redirect,
    "oauth_pending" => oauth::oauth_pending,
    "auth0_page" => auth0::auth0_page,
    "auth0_walk" => auth0::auth0_walk,
    "auth0_location" => auth0::location,
    "auth0_cookies" => auth0::cookies,
    "jwt" => answers::jwt,
    "presign" => answers::presign,
}

/// Runs the target of this name on an input.
///
/// # Panics
/// Where a promise is broken, or there is no such target.
pub fn check(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    let target = target.unwrap_or_else(|| panic!("no fuzz target {name}"));
    (target.assert)(data);
}

/// Any history: no rule is broken, and the same history gives the same outputs.
///
/// # Panics
/// Where a rule is broken.
fn session(data: &[u8]) {
    let mut data = Unstructured::new(data);
    let Ok(seed) = u64::arbitrary(&mut data) else { return };
    let Ok(mut steps) = Vec::<Step>::arbitrary(&mut data) else {
        return;
    };
    steps.truncate(MOST_STEPS);
    if let Err(violation) = run(&steps, seed) {
        panic!("{violation}\nseed {seed}, steps {steps:?}");
    }
}

/// Any fleet: no rule is broken.
///
/// # Panics
/// Where a rule is broken.
fn fleet(data: &[u8]) {
    let mut data = Unstructured::new(data);
    let Ok(scenario) = Scenario::arbitrary(&mut data) else { return };
    if let Err(violation) = run_scenario(scenario) {
        panic!("{violation}\n{scenario:?}");
    }
}
