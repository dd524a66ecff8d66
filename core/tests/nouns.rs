//! Credentials, errors and connect options: what their methods and texts say, also at the limits.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::error::Error as _;
use std::time::Duration;

use http::StatusCode;
use perennial_core::mqtt::ConnectOptions;
use perennial_core::wire::{Body, BodyBuffer, Number, Object, Text};
use perennial_core::{
    AccessToken, Account, AwsCredentials, Credentials, Error, Generation, Grant, ImportError, LeaseId, Now, Outcome,
    SavedSession, ServiceError, ServiceErrorKind, SessionError, StoreError, StoreErrorKind, Timestamp, TransportError,
    TransportErrorKind, Validity,
};

fn now(seconds: i64) -> Now {
    Now::new(Timestamp::from_unix_seconds(1_700_000_000 + seconds), Duration::from_secs(seconds.unsigned_abs()))
}

fn lasting(seconds: u64) -> Validity {
    Validity::with_lifetime(now(0), Duration::from_secs(seconds))
}

fn granted(access: Validity, aws: Option<Validity>) -> Credentials {
    let grant = Grant {
        access: Some(AccessToken::new("Bearer", "hunter-access", access).unwrap()),
        refresh_token: Some("hunter-refresh".into()),
        aws: aws.map(|validity| AwsCredentials::new("AKIA", "hunter-key", "hunter-session", validity).unwrap()),
        account: Some(Account::new("grower@example.com").with_name("Rosa")),
        grant_type: Some("password"),
        ..Grant::default()
    };
    Credentials::from_grant(grant, None).unwrap()
}

#[test]
fn leases_and_generations_have_readable_names() {
    assert_eq!(LeaseId::ALL.map(|lease_id| lease_id.to_string()), ["access token", "AWS credentials"]);
    assert_eq!((Generation::default().to_string(), Generation::default().get()), ("#0".into(), 0));
}

#[test]
fn credentials_are_valid_until_the_first_of_their_deadlines() {
    let have = granted(lasting(100), Some(lasting(50)));
    assert!(have.are_valid(now(49)) && !have.aws_is_expired(now(49)));
    assert!(have.aws_is_expired(now(50)) && !have.is_expired(now(50)) && !have.are_valid(now(50)));
    let have = granted(lasting(50), Some(lasting(100)));
    assert!(have.is_expired(now(50)) && !have.aws_is_expired(now(50)) && !have.are_valid(now(50)));
    let have = granted(lasting(50), None);
    assert!(have.are_valid(now(49)) && !have.aws_is_expired(now(1_000_000)));
}

#[test]
fn credentials_show_deadlines_and_no_secret() {
    let have = granted(lasting(100), Some(lasting(50)));
    let shown = format!("{have:?} {:?} {:?}", have.access(), have.account());
    assert!(!shown.contains("hunter") && !shown.contains("grower"), "{shown}");
    assert!(shown.starts_with("Credentials { access: AccessToken { validity: Validity {"), "{shown}");
    assert!(shown.ends_with("Account { id: g***@example.com, .. }"), "{shown}");
    assert!(format!("{:?}", have.access()).starts_with("AccessToken { validity: Validity {"));
}

#[test]
fn a_saved_session_shows_provider_and_deadline_and_keeps_its_grant_type() {
    let saved = |validity| SavedSession::new("toy", "here", granted(validity, None));
    assert_eq!(saved(lasting(100)).to_string(), "a session at toy until 2023-11-14T22:15:00Z");
    assert_eq!(saved(Validity::unknown(now(0))).to_string(), "a session at toy of unknown length");
    let read = SavedSession::parse(saved(lasting(100)).to_json().expose().as_bytes(), now(0)).unwrap();
    assert_eq!(read.credentials().grant_type(), Some("password"));
}

#[test]
fn timestamps_add_subtract_and_convert_from_dates() {
    let moment = Timestamp::from_unix_seconds(1_700_000_000);
    assert_eq!(moment.saturating_sub(Duration::from_secs(60)), Timestamp::from_unix_seconds(1_699_999_940));
    let first = Timestamp::from_unix_millis(i64::MIN);
    assert_eq!(first.saturating_sub(Duration::from_secs(1)), first);
    assert_eq!(Timestamp::from(moment.to_utc().unwrap()), moment);
    assert_eq!(first.to_string(), "-9223372036854775808 ms since 1970");
}

#[test]
fn credentials_issued_more_than_a_minute_in_the_future_are_uncertain() {
    let restored = |ahead: i64| {
        let issued_at = Timestamp::from_unix_millis(now(0).wall.unix_millis() + ahead);
        Validity::restored(issued_at, Some(Duration::from_secs(100)), now(0)).is_uncertain()
    };
    assert!(!restored(60_000), "within the tolerance");
    assert!(restored(60_001));
}

#[test]
fn a_store_error_has_kind_source_and_retryability() {
    for (kind, words, passes) in [
        (StoreErrorKind::Busy, "the saved session is locked by another process", true),
        (StoreErrorKind::Lost, "the lock on the saved session was lost", true),
        (StoreErrorKind::Unavailable, "the store of the session failed", true),
        (StoreErrorKind::MaybeWritten, "the store of the session failed, perhaps after it had saved", true),
        (StoreErrorKind::TimedOut, "the store of the session did not answer in time", true),
        (StoreErrorKind::Unusable, "the store of the session cannot be used as it is", false),
        (StoreErrorKind::Refused(ImportError::OtherAccount), "the saved session cannot be used here", false),
    ] {
        let error = StoreError::new(kind);
        assert_eq!(error.to_string(), words);
        let error = Error::from(error);
        assert_eq!((error.is_retryable(), error.outcome()), (passes, Outcome::NotProcessed), "{words}");
    }
    let why = |error: &StoreError| error.source().map(ToString::to_string);
    assert_eq!(why(&StoreErrorKind::Busy.into()), None);
    assert_eq!(why(&StoreError::new(StoreErrorKind::Busy).with_source("no reason")), Some("no reason".into()));
    let refused = StoreError::new(StoreErrorKind::Refused(ImportError::OtherAccount));
    assert_eq!(why(&refused), Some(ImportError::OtherAccount.to_string()));
}

#[test]
fn a_transport_error_says_how_far_the_request_got() {
    for (error, kind, outcome) in [
        (TransportError::not_sent("no such host"), TransportErrorKind::NotSent, Outcome::NotProcessed),
        (TransportError::maybe_sent("reset"), TransportErrorKind::MaybeSent, Outcome::Indeterminate),
        (TransportError::new(TransportErrorKind::TimedOut), TransportErrorKind::TimedOut, Outcome::Indeterminate),
        (TransportError::new(TransportErrorKind::TooLarge), TransportErrorKind::TooLarge, Outcome::Indeterminate),
    ] {
        assert_eq!(error.kind(), kind);
        let error = Error::from(error);
        assert!(error.is_retryable());
        assert_eq!(error.outcome(), outcome);
    }
    let source = TransportError::not_sent("no such host");
    assert_eq!(source.source().unwrap().to_string(), "no such host");
}

#[test]
fn a_session_error_is_not_retryable_without_a_time() {
    let error = Error::from(SessionError::SignedOut);
    assert!(!error.is_retryable());
    assert_eq!(error.outcome(), Outcome::Rejected);
    assert_eq!(error.retry_at(), None);
}

#[test]
fn a_service_error_has_one_outcome_and_one_message() {
    let some = Some(Duration::from_secs(1));
    for (kind, outcome, words) in [
        (ServiceErrorKind::InvalidCredentials, Outcome::Rejected, "the service refused the login"),
        (ServiceErrorKind::AccountLocked, Outcome::Rejected, "the account is locked"),
        (ServiceErrorKind::UserNotFound, Outcome::Rejected, "the service knows no such account"),
        (ServiceErrorKind::RefreshRefused, Outcome::Rejected, "the service refused to renew"),
        (ServiceErrorKind::NotGranted, Outcome::Rejected, "the service did not grant what was asked for"),
        (ServiceErrorKind::Unsupported, Outcome::Unsupported, "the service has no such endpoint"),
        (
            ServiceErrorKind::RateLimited { retry_after: some },
            Outcome::NotProcessed,
            "the service asks for fewer requests",
        ),
        (
            ServiceErrorKind::Unavailable { retry_after: Duration::from_secs(1) },
            Outcome::NotProcessed,
            "the service is down for a while",
        ),
        (
            ServiceErrorKind::Malformed { what: "odd" },
            Outcome::Indeterminate,
            "the service's answer was not understood: odd",
        ),
        (ServiceErrorKind::Service, Outcome::Indeterminate, "the service failed"),
    ] {
        let error = ServiceError::new(kind);
        assert_eq!(error.to_string(), words);
        let told = error.with_status(StatusCode::IM_A_TEAPOT).with_code("E7").with_message("no\ttea");
        assert_eq!(told.to_string(), format!("{words} (HTTP 418) [E7]: no tea"));
        let shown = format!("{told:?}");
        assert!(shown.starts_with("ServiceError { kind: ") && shown.contains("status: Some(418)"), "{shown}");
        let passes = !matches!(outcome, Outcome::Rejected | Outcome::Unsupported);
        let error = Error::from(told);
        assert_eq!((error.outcome(), error.is_retryable()), (outcome, passes), "{words}");
    }
}

#[test]
fn a_services_message_is_cut_and_cleaned_at_its_limits() {
    let said =
        |text: &str| ServiceError::new(ServiceErrorKind::Service).with_message(text).message().map(str::to_owned);
    assert_eq!(said(" \r\n\t"), None);
    assert_eq!(said(&"x".repeat(300)), Some("x".repeat(200)));
    assert_eq!(said("short1 abcdefghijklmno1"), Some("short1 ***".into()), "sixteen letters with a digit are opaque");
    assert_eq!(said("abcdefghijklmn1"), Some("abcdefghijklmn1".into()), "fifteen are not");
    assert_eq!(said("abcdefghijklmnop"), Some("abcdefghijklmnop".into()), "nor a long word");
    assert_eq!(said("mail a@b now"), Some("mail *** now".into()));
    assert_eq!(said("a\u{202e}b \u{7}c\u{feff}"), Some("ab c".into()));
    let echo = ServiceError::new(ServiceErrorKind::Service).with_code("pw").with_message("your pass  word is");
    let kept = echo.clone().without_echo(["", "other"]);
    assert_eq!((kept.code(), kept.message()), (Some("pw"), Some("your pass word is")));
    assert_eq!(echo.clone().without_echo(["pass \t word"]).message(), None);
    assert_eq!(echo.clone().without_echo(["pass word"]).code(), Some("pw"));
    assert_eq!(echo.without_echo(["pw"]).code(), None);
}

#[test]
fn connect_options_use_the_keep_alive_that_was_set() {
    let options = ConnectOptions::new("wss://a.example/mqtt").unwrap().with_keep_alive(Duration::from_secs(9));
    assert_eq!(options.keep_alive, Duration::from_secs(9));
}

#[cfg(feature = "aws")]
#[test]
fn a_broker_shows_its_endpoint_and_region() {
    let broker = perennial_core::aws::Mqtt::new("ABC.iot.example", "eu-west-1").unwrap();
    assert_eq!((broker.endpoint(), broker.region()), ("abc.iot.example", "eu-west-1"));
}

#[test]
fn a_body_buffer_shows_its_fill_and_implements_write() {
    use std::io::Write as _;
    let mut buffer = BodyBuffer::new(5);
    buffer.write_all(b"hunt").unwrap();
    buffer.flush().unwrap();
    assert_eq!(format!("{buffer:?}"), "BodyBuffer(4 of 5 bytes)");
    assert!(buffer.write_all(b"er").is_err());
    assert_eq!(format!("{:?}", Body::from(b"hunter".to_vec())), "Body(6 bytes)");
}

#[test]
fn a_lenient_type_names_what_it_expects_for_types_that_json_lacks() {
    use serde::Deserialize as _;
    use serde::de::IntoDeserializer as _;
    use serde::de::value::{BytesDeserializer, Error};
    fn bytes() -> BytesDeserializer<'static, Error> {
        b"x".as_slice().into_deserializer()
    }
    let wanted = |error: Error| error.to_string();
    assert!(wanted(Text::deserialize(bytes()).err().unwrap()).ends_with("expected a text"));
    assert!(wanted(Number::deserialize(bytes()).err().unwrap()).ends_with("expected a whole number"));
    assert!(wanted(Object::<String>::deserialize(bytes()).err().unwrap()).ends_with("expected an object"));
}

#[test]
fn a_lifetime_is_read_from_any_kind_of_number() {
    use perennial_core::wire::Lifetime;
    use serde::Deserialize as _;
    use serde::de::IntoDeserializer as _;
    use serde::de::value::{BoolDeserializer, Error, I64Deserializer};
    let five: I64Deserializer<Error> = 5_i64.into_deserializer();
    assert_eq!(Lifetime::deserialize(five).unwrap().0, Some(Duration::from_secs(5)));
    let odd: BoolDeserializer<Error> = true.into_deserializer();
    let told = Lifetime::deserialize(odd).err().unwrap().to_string();
    assert_eq!(told, "invalid type: boolean `true`, expected a number of seconds");
}

#[test]
fn a_base_url_shows_its_address_in_debug() {
    let base = perennial_core::wire::BaseUrl::parse("https://a.example/x/").unwrap();
    assert_eq!(format!("{base:?} {}", base.as_str()), "https://a.example/x https://a.example/x");
}

#[test]
fn an_address_without_a_host_is_refused() {
    use perennial_core::wire::{BaseUrl, InvalidUrl};
    for odd in ["https://:443", "https://:443/x", "a.example"] {
        assert_eq!(BaseUrl::parse(odd).err(), Some(InvalidUrl::NotAUrl), "{odd}");
    }
}
