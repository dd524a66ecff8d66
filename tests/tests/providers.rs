//! The suite for providers, for those that are built in: at the emulator, over a loopback connection for each request,
//! and OAuth 2 at a service of a few lines.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::collections::BTreeSet;
use std::time::{Duration, UNIX_EPOCH};

use perennial_blocking::{HttpTransport, Transport};
use perennial_core::oauth2::{ClientAuth, Profile};
use perennial_core::providers;
use perennial_core::providers::auth0::Auth0;
use perennial_core::providers::mosaia::Mosaia;
use perennial_core::providers::navien::Navien;
use perennial_core::providers::oauth2::OAuth2;
use perennial_core::providers::settrade::Settrade;
use perennial_core::wire::{Body, form_decode};
use perennial_core::{Now, Provider, Request, Response};
use perennial_emulator::{Auth0Settings, Clock, Emulator, MosaiaSettings, NavienSettings, SettradeSettings};
use perennial_testing::conformance::provider::{ProviderUnderTest, START};
use perennial_testing::fuzz;

/// An emulator whose clock stands where the suite's begins.
fn emulator() -> Emulator {
    let start = UNIX_EPOCH + Duration::from_millis(u64::try_from(START.wall.unix_millis()).unwrap());
    Emulator::builder().clock(Clock::still_at(start)).start().unwrap()
}

/// Sends each request to the emulator, by the suite's clock.
fn answers(emulator: Emulator) -> impl FnMut(&Request, Now) -> Response + Send + 'static {
    let transport = HttpTransport::new();
    move |request, now| {
        let passed = now.monotonic.saturating_sub(START.monotonic);
        emulator.advance(passed.saturating_sub(emulator.clock().elapsed()));
        let copy = Request {
            id: request.id,
            http: request.http.clone(),
            timeout: Duration::from_secs(60),
            body_cap: request.body_cap,
        };
        transport.send(copy).unwrap()
    }
}

fn navien() -> ProviderUnderTest<Navien> {
    let emulator = emulator();
    let provider = Navien::new(&emulator.navien_url()).unwrap();
    let login = providers::navien::Login::new(NavienSettings::EMAIL, NavienSettings::PASSWORD).unwrap();
    ProviderUnderTest::new(provider, login, answers(emulator)).secrets([NavienSettings::PASSWORD])
}

fn mosaia_for_a_person() -> ProviderUnderTest<Mosaia> {
    let emulator = emulator();
    let provider = Mosaia::builder()
        .api_url(&emulator.mosaia_url())
        .app_url(&emulator.mosaia_url())
        .client_id(MosaiaSettings::CLIENT_ID)
        .build()
        .unwrap();
    let login = providers::mosaia::Login::password(MosaiaSettings::EMAIL, MosaiaSettings::PASSWORD).unwrap();
    ProviderUnderTest::new(provider, login, answers(emulator)).secrets([MosaiaSettings::PASSWORD])
}

fn mosaia_for_a_client() -> ProviderUnderTest<Mosaia> {
    let emulator = emulator();
    let (id, secret) = (MosaiaSettings::CLIENT_ID, MosaiaSettings::CLIENT_SECRET);
    let provider = Mosaia::builder()
        .api_url(&emulator.mosaia_url())
        .app_url(&emulator.mosaia_url())
        .client_id(id)
        .build()
        .unwrap();
    let login = providers::mosaia::Login::client(id, secret).unwrap();
    ProviderUnderTest::new(provider, login, answers(emulator)).secrets([secret])
}

fn auth0() -> ProviderUnderTest<Auth0> {
    let emulator = emulator();
    let provider = Auth0::builder(&emulator.auth0_url()).auth_url(&emulator.auth0_auth_url()).build().unwrap();
    let login = providers::auth0::Login::new(Auth0Settings::EMAIL, Auth0Settings::PASSWORD).unwrap();
    ProviderUnderTest::new(provider, login, answers(emulator)).secrets([Auth0Settings::PASSWORD])
}

fn settrade() -> ProviderUnderTest<Settrade> {
    let emulator = emulator();
    let provider = Settrade::new("098", SettradeSettings::APP_CODE).unwrap();
    let provider = provider.with_base_url(&emulator.settrade_url()).unwrap();
    let login = providers::settrade::Login::new(SettradeSettings::APP_ID, SettradeSettings::APP_SECRET).unwrap();
    ProviderUnderTest::new(provider, login, answers(emulator)).secrets([SettradeSettings::APP_SECRET])
}

/// A server that rotates its refresh tokens, and refuses one that comes twice.
fn oauth2_server() -> impl FnMut(&Request, Now) -> Response + Send + 'static {
    let (mut issued, mut live) = (0, BTreeSet::new());
    move |request, _| {
        let body = String::from_utf8(request.http.body().as_ref().to_vec()).unwrap();
        let fields: Vec<_> = form_decode(&body).collect::<Option<_>>().unwrap();
        let field = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.to_string());
        let refused = |status: u16, error: &str| {
            let mut response = Response::new(Body::from(format!(r#"{{"error":"{error}"}}"#).into_bytes()));
            *response.status_mut() = status.try_into().unwrap();
            response
        };
        if request.http.uri().path() == "/revoke" {
            return Response::new(Body::empty());
        }
        let known = match field("grant_type").unwrap().as_str() {
            "password" => field("password").is_some_and(|password| password == "correct-horse"),
            "client_credentials" => true,
            "refresh_token" => field("refresh_token").is_some_and(|token| live.remove(&token)),
            _ => return refused(400, "unsupported_grant_type"),
        };
        if !known {
            return refused(400, "invalid_grant");
        }
        issued += 1;
        if field("grant_type").unwrap() == "client_credentials" {
            let token = format!(r#"{{"access_token":"access-{issued}","token_type":"bearer","expires_in":600}}"#);
            return Response::new(Body::from(token.into_bytes()));
        }
        live.insert(format!("refresh-{issued}"));
        let tokens = format!(
            r#"{{"access_token":"access-{issued}","token_type":"Bearer","expires_in":3600,"refresh_token":"refresh-{issued}","scope":"a b"}}"#
        );
        Response::new(Body::from(tokens.into_bytes()))
    }
}

fn oauth2_for_a_person() -> ProviderUnderTest<OAuth2> {
    let profile = Profile::new("https://auth.example/token", "my-app").unwrap();
    let profile = profile.with_client_auth(ClientAuth::SecretBasic("client-secret".into()));
    let profile = profile.with_revocation_endpoint("https://auth.example/revoke").unwrap();
    let login = providers::oauth2::Login::legacy_password("ann@example.com", "correct-horse").unwrap();
    ProviderUnderTest::new(OAuth2::new(profile), login, oauth2_server()).secrets(["correct-horse"])
}

fn oauth2_for_a_client() -> ProviderUnderTest<OAuth2> {
    let profile = Profile::new("https://auth.example/token", "my-app").unwrap();
    let profile = profile.with_client_auth(ClientAuth::SecretPost("client-secret".into()));
    let login = providers::oauth2::Login::client_credentials();
    ProviderUnderTest::new(OAuth2::new(profile), login, oauth2_server()).secrets(["client-secret"])
}

/// The suite in a module of its own, and the fuzz targets' bodies over what the service answers.
macro_rules! suite {
    ($($name:ident)+) => {
        $(
            mod $name {
                perennial_testing::provider_conformance!(super::$name);

                #[test]
                fn what_the_service_answers_is_a_corpus() {
                    super::keeps_its_promises(stringify!($name), super::$name());
                }
            }
        )+
    };
}

suite! { navien mosaia_for_a_person mosaia_for_a_client auth0 settrade oauth2_for_a_person oauth2_for_a_client }

fn keeps_its_promises<P: Provider>(of: &str, under_test: ProviderUnderTest<P>) {
    let (provider, login) = (under_test.provider().clone(), under_test.login().clone());
    for (name, seed) in fuzz::seeds(under_test) {
        println!("{of}, {name}");
        fuzz::answers(&provider, &login, &seed);
        fuzz::session(&provider, &login, &seed);
    }
}
