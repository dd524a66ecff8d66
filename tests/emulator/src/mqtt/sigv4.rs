//! Checks pre-signed addresses, as AWS IoT does. Written from AWS's description alone and tried on addresses made by
//! botocore: the library under test has no part in it.

use super::access::MqttRefusal;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

const PATH: &str = "/mqtt";

/// Where Navien's broker is, and as what it is known.
const REGION: &str = "us-east-1";
const SERVICE: &str = "iotdevicegateway";

/// How far a client's clock may be ahead.
const SKEW: i64 = 300;

/// The target of a request whose query is signed with version 4, taken apart.
pub(crate) struct Presigned {
    pub(crate) access_key_id: String,
    pub(crate) session_token: String,
    /// `20150830/us-east-1/iotdevicegateway/aws4_request`
    scope: String,
    /// `20150830T123600Z`
    date: String,
    /// The same, in seconds since 1970.
    signed_at: i64,
    expires: i64,
    signature: String,
    /// What was signed: all but the signature, and (AWS IoT's deviation) the session token.
    canonical_query: String,
}

impl Presigned {
    pub(crate) fn read(target: &str) -> Option<Self> {
        let (_, query) = target.split_once('?')?;
        let pairs = query.split('&').map(|pair| {
            let (name, value) = pair.split_once('=')?;
            Some((decoded(name)?, decoded(value)?))
        });
        let mut pairs: Vec<_> = pairs.collect::<Option<_>>()?;
        pairs.sort();
        if pairs.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return None;
        }
        let value = |name| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.clone());
        let right = value("X-Amz-Algorithm")? == "AWS4-HMAC-SHA256" && value("X-Amz-SignedHeaders")? == "host";
        let credential = value("X-Amz-Credential")?;
        // A key id may have slashes in it, the scope always has three.
        let scope_at = credential.rmatch_indices('/').nth(3)?.0;
        let (date, expires) = (value("X-Amz-Date")?, value("X-Amz-Expires")?.parse().ok()?);
        let signed = pairs.iter().filter(|pair| !["X-Amz-Signature", "X-Amz-Security-Token"].contains(&&*pair.0));
        let canonical: Vec<_> = signed.map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        (right && (1..=7 * 24 * 3600).contains(&expires)).then_some(())?;
        Some(Self {
            access_key_id: credential[..scope_at].to_owned(),
            session_token: value("X-Amz-Security-Token").unwrap_or_default(),
            scope: credential[scope_at + 1..].to_owned(),
            signed_at: unix_seconds(&date)?,
            date,
            expires,
            signature: value("X-Amz-Signature")?,
            canonical_query: canonical.join("&"),
        })
    }

    /// Whether it is for this broker, and for the day on which it was signed.
    pub(crate) fn is_for_navien(&self) -> bool {
        self.scope == format!("{}/{REGION}/{SERVICE}/aws4_request", &self.date[..8])
    }

    /// Whether it was signed with this key, for this host.
    pub(crate) fn is_signed_with(&self, secret_key: &str, host: &str) -> bool {
        let body = hex(&Sha256::digest(b""));
        let canonical = format!("GET\n{PATH}\n{}\nhost:{host}\n\nhost\n{body}", self.canonical_query);
        let digest = hex(&Sha256::digest(canonical));
        let text = format!("AWS4-HMAC-SHA256\n{}\n{}\n{digest}", self.date, self.scope);
        let seed = format!("AWS4{secret_key}").into_bytes();
        let key = self.scope.split('/').fold(seed, |key, part| hmac(&key, part));
        hex(&hmac(&key, &text)) == self.signature
    }

    /// Whether it opens a connection at this time.
    pub(crate) fn check_time(&self, unix_seconds: u64) -> Result<(), MqttRefusal> {
        let age = i64::try_from(unix_seconds).unwrap_or(i64::MAX) - self.signed_at;
        match age {
            _ if age < -SKEW => Err(MqttRefusal::TooEarly),
            _ if age > self.expires => Err(MqttRefusal::TooLate),
            _ => Ok(()),
        }
    }
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn encoded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

fn decoded(text: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, tail @ ..] = rest {
        rest = tail;
        bytes.push(match first {
            b'%' => {
                let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
                rest = &tail[2..];
                u8::from_str_radix(digits, 16).ok()?
            }
            byte => *byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Of `20150830T123600Z`, in the Gregorian calendar.
fn unix_seconds(date: &str) -> Option<i64> {
    let digits = date.strip_suffix('Z')?.replacen('T', "", 1);
    if date.len() != 16 || date.as_bytes()[8] != b'T' || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| digits[range].parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    let (hour, minute, second) = (number(8..10)?, number(10..12)?, number(12..14)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Years begin in March here, so that a leap day is the last of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = days + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// Made by botocore, for the library's tests.
    const CASES: &str = include_str!("../../../../core/tests/data/aws_sigv4.tsv");

    #[test]
    fn signatures_of_botocore_are_right_and_no_others() {
        let mut seen = HashSet::new();
        for line in CASES.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<_> = line.split('\t').collect();
            let [endpoint, region, moment, validity, key_id, secret, token, signature, _] = fields[..] else {
                panic!("{} fields", fields.len())
            };
            let moment: i64 = moment.parse().unwrap();
            let date = date_of(moment);
            let credential = format!("{key_id}/{}/{region}/{SERVICE}/aws4_request", &date[..8]);
            let query = format!(
                "/mqtt?X-Amz-Signature={signature}&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}&X-Amz-Date={date}\
                 &X-Amz-Expires={validity}&X-Amz-SignedHeaders=host&X-Amz-Security-Token={}",
                encoded(&credential),
                encoded(token)
            );
            let read = Presigned::read(&query).unwrap();
            assert_eq!((&*read.access_key_id, &*read.session_token, read.signed_at), (key_id, token, moment));
            assert!(read.is_signed_with(secret, endpoint), "{line}");
            assert!(!read.is_signed_with(secret, "another.example"));
            assert!(!read.is_signed_with(&format!("{secret}x"), endpoint));
            seen.insert(signature);
        }
        assert!(seen.len() >= 1000);
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        for (date, seconds) in [
            ("19700101T000000Z", 0),
            ("20150830T123600Z", 1_440_938_160),
            ("20000229T235959Z", 951_868_799),
            ("99991231T235959Z", 253_402_300_799),
        ] {
            assert_eq!(unix_seconds(date), Some(seconds), "{date}");
            assert_eq!(date_of(seconds), date);
        }
        for bad in ["", "20150830T123600", "20151330T123600Z", "2015083TT123600Z", "20150830 123600Z", "é"] {
            assert_eq!(unix_seconds(bad), None, "{bad}");
        }
    }

    /// The HTTP date's crate counts the days for the other direction.
    fn date_of(seconds: i64) -> String {
        let moment = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds.try_into().unwrap());
        let text = httpdate::fmt_http_date(moment);
        let parts: Vec<_> = text.split([' ', ':']).collect();
        let [_, day, month, year, hour, minute, second, _] = parts[..] else { panic!("{text}") };
        let months = "JanFebMarAprMayJunJulAugSepOctNovDec";
        let month = months.find(month).unwrap() / 3 + 1;
        format!("{year}{month:02}{day}T{hour}{minute}{second}Z")
    }
}
