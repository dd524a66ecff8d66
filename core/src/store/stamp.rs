//! When a record was written, and how old its leases were then.
//!
//! Machines that share a store may have different clocks. So a record holds how old its leases were when it was
//! written: an age, measured by one clock, is right for every other clock too.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::credentials::{CLOCK_TOLERANCE, Credentials, LeaseId, Now, Timestamp};

/// The time of writing and the ages of the leases then, in milliseconds by the writer's clock.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct WriteStamp {
    at: i64,
    /// Absent where the age was uncertain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    access_age: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aws_age: Option<u64>,
}

impl WriteStamp {
    /// The stamp for these credentials, written now.
    pub(crate) fn now(credentials: &Credentials, now: Now) -> Self {
        let age = |lease_id| {
            let age = credentials.validity(lease_id)?.age(now)?;
            Some(u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
        };
        Self { at: now.wall.unix_millis(), access_age: age(LeaseId::Access), aws_age: age(LeaseId::Aws) }
    }

    /// Whether the writer's clock must differ from ours: by ours, the record was written in the future, or before our
    /// last read, which found an older record. A minute is tolerated.
    pub(crate) fn is_by_another_clock(&self, looked_at: Now, now: Now) -> bool {
        self.at() > now.wall.saturating_add(CLOCK_TOLERANCE)
            || self.at().saturating_add(CLOCK_TOLERANCE) < looked_at.wall
    }

    /// The credentials of the record, with deadlines by the writer's clock. For a writer whose clock agrees with ours.
    pub(crate) fn rebased_on_writer(&self, credentials: Credentials, now: Now) -> Credentials {
        let at = self.at();
        credentials.with_validities(|lease_id, validity| match self.age(lease_id) {
            Some(age) => validity.issued_by_our_clock(at.saturating_sub(age), now),
            None => validity,
        })
    }

    /// The credentials of the record, with deadlines by our clock, whatever the writer's is. The record was written
    /// after `looked_at`, when it was not yet there, so the credentials are taken for as old as they were then: an
    /// upper bound.
    pub(crate) fn rebased_on_read(&self, credentials: Credentials, looked_at: Now) -> Credentials {
        credentials.with_validities(|lease_id, validity| match self.age(lease_id) {
            Some(age) => validity.of_age(age, looked_at),
            None => validity,
        })
    }

    fn at(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.at)
    }

    fn age(&self, lease_id: LeaseId) -> Option<Duration> {
        let age = match lease_id {
            LeaseId::Access => self.access_age,
            LeaseId::Aws => self.aws_age,
        };
        age.map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AccessToken, Grant, Validity};

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(seconds: i64) -> Now {
        let monotonic = Duration::from_secs(seconds.unsigned_abs());
        Now::new(Timestamp::from_unix_seconds(1_700_000_000 + seconds), monotonic)
    }

    /// A machine whose wall clock is two hours behind.
    fn behind(seconds: i64) -> Now {
        let now = at(seconds);
        Now { wall: now.wall.saturating_sub(2 * HOUR), ..now }
    }

    fn granted(validity: Validity) -> Credentials {
        let access = AccessToken::new("Bearer", "token", validity).expect("a token");
        Credentials::from_grant(Grant { access: Some(access), ..Grant::default() }, None).expect("a grant")
    }

    fn left(credentials: &Credentials, now: Now) -> Duration {
        credentials.access().validity().deadline().expect("a deadline").remaining(now)
    }

    #[test]
    fn a_record_from_the_future_or_before_the_last_read_shows_another_clock() {
        let by = |now| WriteStamp::now(&granted(Validity::with_lifetime(now, HOUR)), now);
        assert!(!by(at(100)).is_by_another_clock(at(90), at(110)));
        assert!(!by(at(50)).is_by_another_clock(at(90), at(110)), "clocks differ by so little");
        assert!(!by(at(170)).is_by_another_clock(at(90), at(110)), "a minute ahead");
        assert!(!by(at(30)).is_by_another_clock(at(90), at(110)), "a minute behind");
        assert!(by(behind(100)).is_by_another_clock(at(90), at(110)));
        assert!(by(at(100)).is_by_another_clock(behind(90), behind(110)));
    }

    #[test]
    fn credentials_of_another_clock_are_aged_from_the_last_read() {
        for (written, read) in [(at as fn(i64) -> Now, behind as fn(i64) -> Now), (behind, at)] {
            let credentials = granted(Validity::with_lifetime(written(0), HOUR));
            // Written 200 s after they were issued, found 20 s later, 50 s after the last read.
            let record = WriteStamp::now(&credentials, written(200));
            let dated = record.rebased_on_read(credentials, read(170));
            assert_eq!(left(&dated, read(220)), HOUR - Duration::from_secs(250));
            assert!(!dated.renewal_due(read(220)));
        }
    }

    #[test]
    fn a_writer_whose_wall_clock_was_set_back_writes_the_age_of_its_monotonic_clock() {
        let credentials = granted(Validity::with_lifetime(at(0), HOUR));
        let (later, read) = (behind(600), behind(650));
        let dated = WriteStamp::now(&credentials, later).rebased_on_writer(credentials, read);
        assert_eq!(left(&dated, read), HOUR - Duration::from_secs(650));
        assert!(!dated.renewal_due(read));
        assert_eq!(dated.issued_at(), at(0).wall, "issued_at stays: records are ordered by it");
    }

    #[test]
    fn an_uncertain_age_stays_uncertain() {
        let credentials = granted(Validity::with_lifetime(at(0), HOUR).uncertain());
        let record = WriteStamp::now(&credentials, at(10));
        assert_eq!(record.age(LeaseId::Access), None);
        assert!(record.rebased_on_read(credentials, behind(0)).renewal_due(behind(1)));
    }

    #[test]
    fn an_age_beyond_the_lifetime_is_expired() {
        let record = WriteStamp { at: i64::MIN, access_age: Some(u64::MAX), aws_age: None };
        let credentials = granted(Validity::with_lifetime(at(0), HOUR));
        assert_eq!(left(&record.rebased_on_read(credentials.clone(), at(10)), at(10)), Duration::ZERO);
        assert_eq!(left(&record.rebased_on_writer(credentials, at(10)), at(10)), Duration::ZERO);
    }
}
