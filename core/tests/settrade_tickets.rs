//! MQTT connect options of both services that offer MQTT: one type for both.
#![cfg(all(feature = "aws", feature = "navien", feature = "settrade"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::time::Duration;

use perennial_core::mqtt::ConnectOptions;
use perennial_core::providers::navien::{MQTT_ENDPOINT, Navien};
use perennial_core::providers::settrade::Settrade;
use perennial_core::{
    AccessToken, AwsCredentials, Credentials, Exchange, Grant, Now, Response, Step, Timestamp, Validity,
};

fn now() -> Now {
    Now::new(Timestamp::from_unix_seconds(1_700_000_000), Duration::from_secs(5))
}

fn validity(seconds: u64) -> Validity {
    Validity::with_lifetime(now(), Duration::from_secs(seconds))
}

fn credentials(aws: Option<AwsCredentials>) -> Credentials {
    let access = AccessToken::new("Bearer", "ey.access", validity(3600)).unwrap();
    Credentials::from_grant(Grant { access: Some(access), aws, ..Grant::default() }, None).unwrap()
}

/// What a program does with connect options, whatever the service.
fn open(options: &ConnectOptions) -> (String, usize, bool) {
    assert!(!format!("{options:?}").contains("ey."));
    assert_eq!((options.subprotocol, options.protocol_level, options.clean_session), ("mqtt", 4, true));
    (options.url.expose().to_owned(), options.headers.len(), options.password.is_some())
}

#[test]
fn naviens_connect_options_are_made_from_the_aws_credentials() {
    let aws = AwsCredentials::new("AKIA", "key", "ey.session", validity(900)).unwrap();
    let have = credentials(Some(aws.clone()));
    let options = Navien::default().connect_options(&have, now().wall).unwrap();
    assert_eq!((options.host(), options.deadline), (MQTT_ENDPOINT, have.aws_expires_at()));
    let (url, headers, password) = open(&options);
    assert_eq!(url, Navien::mqtt().presign(&aws, now().wall).expose());
    assert_eq!((headers, password), (0, false));
}

#[test]
fn there_are_no_connect_options_without_aws_credentials() {
    assert!(Navien::default().connect_options(&credentials(None), now().wall).is_none());
    let unknown = AwsCredentials::new("AKIA", "key", "session", Validity::unknown(now())).unwrap();
    let options = Navien::default().connect_options(&credentials(Some(unknown)), now().wall).unwrap();
    assert_eq!(options.deadline, None);
}

#[test]
fn settrades_connect_options_are_fetched() {
    let have = credentials(None);
    let mut exchange = Settrade::new("SANDBOX", "ALGO").unwrap().mqtt(&have);
    assert_eq!(exchange.start(now()).http.uri().path(), "/api/dispatcher/v3/098/token");
    let answer = br#"{"hosts":["mqtt.example"],"token":"ey.dispatch"}"#;
    let Step::Done(options) = exchange.receive(Response::new(answer.to_vec().into()), now()).unwrap() else { panic!() };
    assert_eq!((options.host(), options.deadline), ("mqtt.example:443", have.expires_at()));
    let (url, headers, password) = open(&options);
    assert_eq!(url, "wss://mqtt.example:443/api/dispatcher/v3/098/mqtt");
    assert_eq!((headers, password), (1, true));
}
