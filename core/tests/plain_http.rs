//! Plain http on a trusted network: allowed to a named host, and nowhere else.
#![cfg(all(feature = "auth0", feature = "mosaia", feature = "navien", feature = "oauth2", feature = "settrade"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use perennial_core::oauth2::{ClientAuth, Discovery, InvalidProfile, Profile, parse_device};
use perennial_core::providers::{auth0, mosaia, navien, settrade};
use perennial_core::wire::InvalidUrl;
use perennial_core::{Error, Exchange, Now, Request, Response, Secret, Step, TransportSecurity};

fn keycloak() -> TransportSecurity {
    TransportSecurity::new().plain_http_to("keycloak").unwrap()
}

/// The address of a request that the rules allow.
fn sent(mut request: Request) -> String {
    keycloak().check_request(&mut request).unwrap();
    assert!(TransportSecurity::new().check_address(request.http.uri()).is_err());
    request.http.uri().to_string()
}

fn json(text: &str) -> Response {
    Response::new(text.as_bytes().to_vec().into())
}

#[test]
fn all_endpoints_of_a_profile_may_be_at_a_named_host() {
    let token = "http://keycloak:8080/token";
    assert_eq!(Profile::new(token, "app").unwrap_err(), InvalidProfile::Url(InvalidUrl::NotHttps));
    let profile = Profile::new_under(token, "app", &keycloak())
        .and_then(|profile| Ok(profile.with_authorization_endpoint("http://keycloak:8080/auth")?))
        .and_then(|profile| Ok(profile.with_revocation_endpoint("http://keycloak:8080/revoke")?))
        .and_then(|profile| Ok(profile.with_device_endpoint("http://keycloak:8080/device")?))
        .unwrap();
    assert_eq!(sent(profile.refresh_request(&Secret::from("r"), Now::default())), token);
    let elsewhere = profile.clone().with_device_endpoint("http://hydra/device");
    assert_eq!(elsewhere.unwrap_err(), InvalidUrl::NotHttps);

    // The page that a person opens obeys the same rules.
    let shown = |profile: &Profile, page: &str| {
        let answer = format!(r#"{{"device_code":"d","user_code":"u","verification_uri":"{page}","expires_in":60}}"#);
        parse_device(profile, &json(&answer), Now::default(), Now::default()).is_ok()
    };
    assert!(shown(&profile, "http://keycloak:8080/device"));
    assert!(!shown(&profile, "http://hydra/device"));
    assert!(!shown(&Profile::new("https://a.example/token", "app").unwrap(), "http://keycloak:8080/device"));
}

#[test]
fn discovered_endpoints_may_be_at_a_named_host() {
    let issuer = "http://keycloak:8080/realms/x";
    assert_eq!(Discovery::new(issuer).unwrap_err(), InvalidUrl::NotHttps);
    let found = |endpoint: &str| -> Result<Profile, Error> {
        let mut discovery = Discovery::new_under(issuer, &keycloak()).unwrap();
        assert!(sent(discovery.start(Now::default())).starts_with("http://keycloak:8080/.well-known/"));
        let document = format!(r#"{{"issuer":"{issuer}","token_endpoint":"{endpoint}"}}"#);
        let mut step = discovery.receive(json(&document), Now::default())?;
        if let Step::Send(_) = step {
            // The other well-known path has the same document.
            step = discovery.receive(json(&document), Now::default())?;
        }
        let Step::Done(metadata) = step else { panic!("{step:?}") };
        Ok(metadata.profile("app", ClientAuth::None).unwrap())
    };
    let profile = found("http://keycloak:8080/realms/x/token").unwrap();
    assert_eq!(profile.token_endpoint().to_string(), "http://keycloak:8080/realms/x/token");
    assert!(profile.with_revocation_endpoint("http://keycloak:8080/revoke").is_ok());
    assert!(found("http://hydra/token").is_err());
}

#[test]
fn every_provider_can_be_at_a_named_host() {
    let (at, security) = ("http://keycloak:8080/api", &keycloak());

    assert_eq!(navien::Navien::new(at).unwrap_err(), InvalidUrl::NotHttps);
    let navien = navien::Navien::new_under(at, security).unwrap();
    let login = navien::Login::new("grower@example.com", "canary").unwrap();
    assert!(sent(navien.sign_in(&login).start(Now::default())).starts_with(at));

    let settrade = || settrade::Settrade::new("098", "ALGO").unwrap();
    assert_eq!(settrade().with_base_url(at).unwrap_err(), InvalidUrl::NotHttps);
    let settrade = settrade().with_base_url_under(at, security).unwrap();
    let login = settrade::Login::new("app", "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=").unwrap();
    assert!(sent(settrade.sign_in(&login).start(Now::default())).starts_with(at));

    let mosaia = || mosaia::Mosaia::builder().client_id("app").api_url(at).app_url("http://keycloak:8080");
    assert_eq!(mosaia().build().unwrap_err(), mosaia::InvalidSettings::ApiUrl(InvalidUrl::NotHttps));
    let mosaia = mosaia().security(security).build().unwrap();
    let login = mosaia::Login::password("grower@example.com", "canary").unwrap();
    assert!(sent(mosaia.sign_in(&login).start(Now::default())).starts_with(at));

    let auth0 = || auth0::Auth0::builder("http://keycloak:8080").auth_url("http://keycloak:8081");
    assert_eq!(auth0().build().unwrap_err(), auth0::InvalidSettings::BaseUrl(InvalidUrl::NotHttps));
    let auth0 = auth0().security(security).build().unwrap();
    let login = auth0::Login::new("grower@example.com", "canary").unwrap();
    let mut walk = auth0.sign_in(&login);
    assert!(sent(walk.start(Now::default())).starts_with("http://keycloak:8080/"));
    let redirected = |to: &str| {
        let mut answer = Response::default();
        *answer.status_mut() = http::StatusCode::FOUND;
        answer.headers_mut().insert("location", to.parse().unwrap());
        answer
    };
    let Ok(Step::Send(next)) = walk.receive(redirected("http://keycloak:8081/u/login?state=s"), Now::default()) else {
        panic!("it goes on there");
    };
    assert!(sent(next).starts_with("http://keycloak:8081/u/login"));
    let mut walk = auth0.sign_in(&login);
    walk.start(Now::default());
    assert!(walk.receive(redirected("http://keycloak:8082/u/login?state=s"), Now::default()).is_err());
}
