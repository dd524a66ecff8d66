//! The token files of the Python client, read and written.
#![cfg(feature = "navien")]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::process::Command;
use std::time::Duration;

use perennial_core::providers::navien::{BASE_URL, Navien, write_python, write_python_local};
use perennial_core::{
    AccessToken, Account, AwsCredentials, Credentials, Grant, ImportError, LeaseId, Now, Provider, SavedSession,
    Timestamp, Validity,
};
use serde_json::{Value, json};

/// Version 6.1.1: times without a zone, and no age of the AWS set.
const OLD: &str = include_str!("data/navien_saved_6_1_1.json");
/// Version 9.12: JWTs refreshed 49 minutes after the AWS set was issued.
const NEW: &str = include_str!("data/navien_saved_9_12.json");

/// So many seconds after 2025-11-19T08:51:00Z.
fn now(seconds: i64) -> Now {
    Now::new(Timestamp::from_unix_seconds(1_763_542_260 + seconds), Duration::from_secs(5000))
}

fn read(saved: &str, now: Now) -> Credentials {
    Navien::default().read_saved_session(saved.as_bytes(), now).unwrap().into_credentials()
}

fn edited(saved: &str, edit: impl FnOnce(&mut serde_json::Map<String, Value>)) -> String {
    let mut form: Value = serde_json::from_str(saved).unwrap();
    edit(form.as_object_mut().unwrap());
    form.to_string()
}

#[test]
fn a_file_of_version_6_is_imported() {
    let saved = Navien::default().read_saved_session(OLD.as_bytes(), now(600)).unwrap();
    assert_eq!((saved.provider(), saved.namespace()), ("navien", BASE_URL));
    let have = saved.into_credentials();
    assert_eq!(have.access().expose(), "eyJ.access-1.sig");
    assert_eq!(have.refresh_token().unwrap().expose(), "refresh-1");
    assert_eq!(have.id_token().unwrap().expose(), "eyJ.id-1.sig");
    assert_eq!(have.account().id, "grower@example.com");
    assert!(have.are_valid(now(600)) && !have.renewal_due(now(600)));
    assert!(have.renewal_due(now(3301)));
    // Its AWS set may be older than its JWTs: the deadline is the latest possible, and renewal is due.
    assert_eq!(have.aws_expires_at(), Some(Timestamp::from_unix_millis(1_763_545_760_176)));
    assert!(have.aws_renewal_due(now(600)) && !have.aws_is_expired(now(600)));
}

#[test]
fn a_file_of_version_9_keeps_both_deadlines() {
    let have = read(NEW, now(3000));
    assert_eq!(have.expires_at(), Some(now(2940 + 3600).wall));
    let aws = have.validity(LeaseId::Aws).unwrap();
    assert_eq!(have.aws_expires_at(), Some(Timestamp::from_unix_millis(1_763_545_760_250)));
    assert!(!aws.is_uncertain());
    assert!(!have.renewal_due(now(3000)) && !have.aws_renewal_due(now(3000)));
}

#[test]
fn bug_naive_timestamps_were_read_as_local() {
    let have = read(OLD, now(0));
    assert_eq!(have.issued_at(), Timestamp::from_unix_millis(1_763_542_260_176));
}

#[test]
fn the_zone_of_the_process_does_not_matter() {
    for zone in ["UTC", "America/Los_Angeles", "Asia/Seoul", "XYZ-14"] {
        let run = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "bug_naive_timestamps_were_read_as_local"])
            .env("TZ", zone)
            .output()
            .unwrap();
        assert!(run.status.success(), "TZ={zone}");
        assert!(String::from_utf8_lossy(&run.stdout).contains("1 passed"), "TZ={zone}");
    }
}

#[test]
fn times_are_read_in_every_form() {
    for text in [
        "2025-11-19T08:51:00",
        "2025-11-19T08:51:00Z",
        "2025-11-19 08:51:00.000000",
        "2025-11-19T08:51:00+00:00",
        "2025-11-19T17:51:00.000+09:00",
        "2025-11-18T23:51:00-09:00",
    ] {
        let saved = edited(OLD, |form| drop(form.insert("issued_at".into(), json!(text))));
        assert_eq!(read(&saved, now(0)).issued_at(), now(0).wall, "{text}");
    }
}

#[test]
fn a_time_of_issue_that_is_missing_unreadable_or_in_the_future_is_due_at_once() {
    for issued_at in [json!(null), json!(""), json!("yesterday"), json!(1_763_542_260), json!("2025-11-19T12:00:00Z")] {
        let saved = edited(OLD, |form| drop(form.insert("issued_at".into(), issued_at.clone())));
        let have = read(&saved, now(0));
        assert!(have.renewal_due(now(0)) && have.aws_renewal_due(now(0)), "{issued_at}");
        // Valid until then, and by the monotonic clock for no longer than its lifetime.
        assert!(have.are_valid(now(0)), "{issued_at}");
        let deadline = have.validity(LeaseId::Access).unwrap().deadline().unwrap();
        assert!(deadline.monotonic <= Duration::from_secs(5000 + 3600), "{issued_at}");
    }
    let saved = edited(OLD, |form| drop(form.remove("issued_at")));
    assert!(read(&saved, now(0)).renewal_due(now(0)));
}

#[test]
fn an_unknown_aws_deadline_stays_unknown() {
    for odd in [json!(null), json!(0), json!("")] {
        let saved = edited(NEW, |form| {
            drop(form.insert("authorization_expires_in".into(), odd.clone()));
        });
        let have = read(&saved, now(3000));
        assert!(have.aws().is_some());
        assert_eq!(have.aws_expires_at(), None, "{odd}");
        assert!(!have.aws_is_expired(now(1_000_000)));
    }
}

#[test]
fn both_key_styles_are_read_and_the_one_with_a_value_counts() {
    let camel = json!({
        "accessToken": "", "access_token": "ey.1", "refreshToken": "r-1", "authenticationExpiresIn": 0,
        "authentication_expires_in": 60, "issuedAt": "2025-11-19T08:51:00Z", "accessKeyId": null,
        "access_key_id": "k", "secretKey": "s", "sessionToken": "t",
    });
    let have = read(&camel.to_string(), now(0));
    assert_eq!(have.access().expose(), "ey.1");
    assert_eq!(have.refresh_token().unwrap().expose(), "r-1");
    assert_eq!(have.expires_at(), Some(now(60).wall));
    assert_eq!(have.aws().unwrap().access_key_id().expose(), "k");
    assert_eq!(have.account().id, "");
}

#[test]
fn an_incomplete_aws_set_is_left_out_and_empty_tokens_are_absent() {
    let saved = edited(OLD, |form| {
        form.insert("session_token".into(), json!(null));
        form.insert("refresh_token".into(), json!(""));
    });
    let have = read(&saved, now(0));
    assert!(have.aws().is_none() && have.refresh_token().is_none());
}

#[test]
fn a_file_that_is_no_session_is_refused() {
    for (saved, what) in [
        ("", "it is empty"),
        ("[]", "no format version"),
        ("{}", "no access token"),
        (r#"{"access_token":""}"#, "no access token"),
        (r#"{"access_token":"a\nb"}"#, "a token that is too long or has odd characters"),
        (r#"{"access_token":"a","access_token":"b"}"#, "a field is of another type, or there twice"),
    ] {
        let error = Navien::default().read_saved_session(saved.as_bytes(), now(0)).unwrap_err();
        assert_eq!(error, ImportError::Malformed { what }, "{saved}");
    }
}

#[test]
fn perennials_own_format_is_read_too() {
    let navien = Navien::new("https://a.example/api").unwrap();
    let own = SavedSession::new("navien", "https://a.example/api", read(NEW, now(3000))).to_json();
    let saved = navien.read_saved_session(own.expose().as_bytes(), now(3000)).unwrap();
    assert_eq!(saved.namespace(), "https://a.example/api");
    assert_eq!(saved.credentials().account().id, "grower@example.com");

    let newer = Navien::default().read_saved_session(br#"{"perennial":99,"access_token":"a"}"#, now(0));
    assert_eq!(newer.unwrap_err(), ImportError::Newer { version: 99 });
}

// -- Written for the Python client.

/// Credentials that were issued so many seconds before now(0), with lifetimes in seconds.
fn issued(access: [i64; 2], aws: Option<[i64; 2]>) -> Credentials {
    let validity =
        |[ago, seconds]: [i64; 2]| Validity::with_lifetime(now(-ago), Duration::from_secs(seconds.unsigned_abs()));
    let grant = Grant {
        access: Some(AccessToken::new("Bearer", "eyJ.access-1.sig", validity(access)).unwrap()),
        aws: aws.map(|aws| AwsCredentials::new("AKIA", "key/+", "session==", validity(aws)).unwrap()),
        account: Some(Account::new("grower@example.com")),
        ..Grant::default()
    };
    Credentials::from_grant(grant, None).unwrap()
}

fn form(credentials: &Credentials) -> Value {
    serde_json::from_str(write_python(credentials).expose()).unwrap()
}

#[test]
fn the_written_file_has_the_keys_and_values_of_the_python_client() {
    let mut wanted: Value = serde_json::from_str(OLD).unwrap();
    wanted["issued_at"] = json!("2025-11-19T08:51:00.176Z");
    assert_eq!(form(&read(OLD, now(600))), wanted);

    let without_aws = form(&issued([0, 3600], None));
    for (key, value) in [
        ("id_token", json!("")),
        ("refresh_token", json!("")),
        ("authentication_expires_in", json!(3600)),
        ("access_key_id", json!(null)),
        ("authorization_expires_in", json!(null)),
        ("issued_at", json!("2025-11-19T08:51:00Z")),
    ] {
        assert_eq!(without_aws[key], value, "{key}");
    }
    assert!(without_aws.get("aws_credentials_issued_at").is_none());
}

#[test]
fn the_written_file_reads_back_the_same() {
    for saved in [OLD, NEW] {
        let have = read(saved, now(3000));
        let again = read(write_python(&have).expose(), now(3000));
        assert_eq!(again.access().expose(), have.access().expose());
        assert_eq!(again.refresh_token().unwrap().expose(), have.refresh_token().unwrap().expose());
        assert_eq!(again.id_token().unwrap().expose(), have.id_token().unwrap().expose());
        let parts = |have: &Credentials| {
            let aws = have.aws().unwrap();
            [aws.access_key_id(), aws.secret_access_key(), aws.session_token()].map(|part| part.expose().to_owned())
        };
        assert_eq!(parts(&again), parts(&have));
        assert_eq!(again.account(), have.account());
        same_deadlines(&again, &have);
        assert_eq!(again.aws_renewal_due(now(3000)), have.aws_renewal_due(now(3000)));
        // A second round changes nothing.
        assert_eq!(write_python(&again).expose(), write_python(&have).expose());
    }
}

/// Checks that deadlines are the same to the second, and never later.
fn same_deadlines(again: &Credentials, have: &Credentials) {
    for lease_id in LeaseId::ALL {
        let end = |of: &Credentials| Some(of.validity(lease_id)?.deadline()?.wall);
        match (end(again), end(have)) {
            (Some(again), Some(have)) => {
                let early = have.since(again);
                assert!((0..1000).contains(&early.whole_milliseconds()), "{lease_id}: {early} early");
            }
            (again, have) => assert_eq!(again, have, "{lease_id}"),
        }
    }
}

#[test]
fn both_deadlines_are_kept_whichever_lease_is_older() {
    for (access, aws) in [
        ([0, 3600], Some([0, 3600])),
        ([0, 3600], Some([2940, 3500])),
        ([2940, 3600], Some([0, 3500])),
        ([0, 3600], Some([9000, 3600])),
        ([0, 3600], Some([3600, 3600])),
        ([0, 1], Some([0, 1])),
        ([100_000, 3600], None),
    ] {
        let have = issued(access, aws);
        same_deadlines(&read(write_python(&have).expose(), now(0)), &have);
        // A version that knows one time of issue alone finds the same two deadlines.
        let old = edited(write_python(&have).expose(), |form| drop(form.remove("aws_credentials_issued_at")));
        same_deadlines(&read(&old, now(0)), &have);
    }
}

#[test]
fn a_lifetime_of_zero_is_written_as_one_second_and_not_as_unknown() {
    let have = issued([0, 0], Some([0, 0]));
    let form = form(&have);
    assert_eq!(form["authentication_expires_in"], 1);
    assert_eq!(form["authorization_expires_in"], 1);
    assert!(read(&form.to_string(), now(1)).is_expired(now(1)));
}

#[test]
fn an_unknown_deadline_is_written_as_such_and_an_unknown_lifetime_of_the_token_as_an_hour() {
    let unknown = edited(NEW, |form| drop(form.insert("authorization_expires_in".into(), json!(null))));
    let have = read(&unknown, now(3000));
    let written = form(&have);
    assert_eq!(written["authorization_expires_in"], json!(null));
    let again = read(&written.to_string(), now(3000));
    assert!(again.aws().is_some() && again.aws_expires_at().is_none());
    assert!(!again.aws_renewal_due(now(3000)));

    let access = AccessToken::new("Bearer", "ey.1", Validity::unknown(now(0))).unwrap();
    let have = Credentials::from_grant(Grant { access: Some(access), ..Grant::default() }, None).unwrap();
    assert_eq!(form(&have)["authentication_expires_in"], 3600);
}

#[test]
fn a_file_for_local_time_has_times_without_a_zone() {
    let have = issued([0, 3600], None);
    let moment = |hours| {
        let file = write_python_local(&have, hours * 3600);
        serde_json::from_str::<Value>(file.expose()).unwrap()["issued_at"].clone()
    };
    assert_eq!(moment(0), "2025-11-19T08:51:00");
    assert_eq!(moment(9), "2025-11-19T17:51:00");
    assert_eq!(moment(-10), "2025-11-18T22:51:00");
    // Read as UTC it seems too old or too young. Either way renewal is due at once, and its hour is not exceeded.
    for hours in [9, -10] {
        let file = write_python_local(&have, hours * 3600);
        let read = read(file.expose(), now(0));
        assert!(read.renewal_due(now(0)), "{hours}");
        assert!(
            read.validity(LeaseId::Access).unwrap().deadline().unwrap().remaining(now(0)) <= Duration::from_secs(3600)
        );
    }
}

#[test]
fn a_time_of_issue_outside_the_calendar_is_written_as_a_date_that_python_has() {
    for millis in [i64::MIN, -62_135_596_800_001, 253_402_300_800_000, i64::MAX] {
        let issued = Now::new(Timestamp::from_unix_millis(millis), Duration::ZERO);
        let validity = Validity::with_lifetime(issued, Duration::from_secs(3600));
        let access = AccessToken::new("Bearer", "ey.1", validity).unwrap();
        let have = Credentials::from_grant(Grant { access: Some(access), ..Grant::default() }, None).unwrap();
        for file in [write_python(&have), write_python_local(&have, 14 * 3600), write_python_local(&have, -12 * 3600)] {
            let moment = serde_json::from_str::<Value>(file.expose()).unwrap()["issued_at"].clone();
            let moment = Timestamp::parse_iso8601(moment.as_str().unwrap());
            assert!(moment.is_some(), "{millis}: {}", file.expose());
        }
    }
}

#[test]
fn the_written_file_hides_in_debug() {
    assert_eq!(format!("{:?}", write_python(&read(OLD, now(0)))), "Secret(***)");
}
