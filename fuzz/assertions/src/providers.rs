//! Whole providers, with the bodies that users' own targets have.

use perennial_core::Provider;
use perennial_core::oauth2::Profile;
use perennial_core::providers::auth0::{self, Auth0};
use perennial_core::providers::mosaia::{self, Mosaia};
use perennial_core::providers::navien::{self, Navien};
use perennial_core::providers::oauth2::{self, OAuth2};
use perennial_core::providers::settrade::{self, Settrade};
use perennial_testing::fuzz;

/// A valid private key of P-256.
const KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

const USER: &str = "ann@example.com";

/// What is done with a provider, whichever it is.
trait With {
    fn run<P: Provider>(&self, provider: &P, login: &P::Login);
}

/// The first byte chooses the provider.
fn with(choice: u8, run: &impl With) {
    let right = "these settings are right";
    match choice % 6 {
        0 => run.run(&Navien::default(), &navien::Login::new(USER, "correct horse").expect(right)),
        1 => {
            let mosaia = Mosaia::builder().client_id("app").build().expect(right);
            run.run(&mosaia, &mosaia::Login::password(USER, "correct horse").expect(right));
        }
        2 => run.run(&Auth0::angel_studios(), &auth0::Login::new(USER, "correct horse").expect(right)),
        3 => {
            let settrade = Settrade::new("098", "ALGO").expect(right);
            run.run(&settrade, &settrade::Login::new("app", KEY).expect(right));
        }
        4 => run.run(&oauth2(), &oauth2::Login::legacy_password(USER, "correct horse").expect(right)),
        _ => run.run(&oauth2(), &oauth2::Login::client_credentials()),
    }
}

fn oauth2() -> OAuth2 {
    let profile = Profile::new("https://auth.example/token", "app").expect("an address");
    OAuth2::new(profile.with_revocation_endpoint("https://auth.example/revoke").expect("an address"))
}

struct Answers<'a>(&'a [u8]);

impl With for Answers<'_> {
    fn run<P: Provider>(&self, provider: &P, login: &P::Login) {
        fuzz::answers(provider, login, self.0);
    }
}

struct Session<'a>(&'a [u8]);

impl With for Session<'_> {
    fn run<P: Provider>(&self, provider: &P, login: &P::Login) {
        fuzz::session(provider, login, self.0);
    }
}

/// Any answers for every exchange of every provider.
///
/// # Panics
/// Where a promise is broken.
pub(super) fn provider_answers(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else { return };
    with(*choice, &Answers(data));
}

/// Any history of a session with every provider.
///
/// # Panics
/// Where a promise is broken.
pub(super) fn provider_session(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else { return };
    with(*choice, &Session(data));
}
