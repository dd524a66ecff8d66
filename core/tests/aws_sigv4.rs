//! Pre-signed MQTT addresses are those of botocore, byte for byte.
#![cfg(feature = "aws")]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::time::Duration;

use perennial_core::aws::Mqtt;
use perennial_core::{AwsCredentials, Now, Timestamp, Validity};
use sha2::{Digest, Sha256};

const CASES: &str = include_str!("data/aws_sigv4.tsv");

#[test]
fn addresses_are_those_of_botocore() {
    let mut compared = 0;
    for line in CASES.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [endpoint, region, moment, validity, key_id, secret, token, signature, digest] = fields[..] else {
            panic!("{} fields: {line}", fields.len());
        };
        let broker = Mqtt::new(endpoint, region).unwrap().with_validity(Duration::from_secs(validity.parse().unwrap()));
        let credentials = AwsCredentials::new(key_id, secret, token, Validity::unknown(Now::default())).unwrap();
        let moment = Timestamp::from_unix_seconds(moment.parse().unwrap());

        let url = broker.presign(&credentials, moment);

        let (_, rest) = url.expose().split_once("&X-Amz-Signature=").unwrap();
        assert_eq!(&rest[..64], signature, "{line}");
        let hashed: String = Sha256::digest(url.expose()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hashed, digest, "{line}");
        compared += 1;
    }
    assert!(compared >= 1000, "only {compared} cases");
}
