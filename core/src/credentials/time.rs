//! Time as a value: callers pass it in, and nothing in this crate reads a clock.

use std::fmt;
use std::time::Duration;

use time::format_description::well_known::{Rfc2822, Rfc3339};
use time::{Date, Month, OffsetDateTime, Time, UtcDateTime};

/// The longest lifetime that is believed: 366 days. A longer one is cut, so that nothing is valid for ever by mistake.
pub const MAX_LIFETIME: Duration = Duration::from_secs(366 * 24 * 3600);

/// The largest share of a lifetime that a renewal margin may take: a quarter. Otherwise short-lived credentials would
/// be renewed all the time.
const MARGIN_SHARE: u32 = 4;

/// By how much the clocks of two machines may differ without being taken for wrong.
pub(crate) const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);

/// The time by both clocks of a machine. Every call that depends on time takes it.
///
/// There are two clocks because each one fails: the monotonic clock stops while a machine is suspended, and the wall
/// clock can be set back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// The wall clock.
    pub wall: Timestamp,
    /// The monotonic clock, counted from any fixed moment such as the start of the process. It is never saved.
    pub monotonic: Duration,
}

impl Now {
    /// The time by both clocks.
    pub const fn new(wall: Timestamp, monotonic: Duration) -> Self {
        Self { wall, monotonic }
    }
}

/// A time of the wall clock, in whole milliseconds since the Unix epoch (1970).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the Unix epoch.
    pub const fn from_unix_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From seconds since the Unix epoch.
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    pub const fn unix_millis(self) -> i64 {
        self.0
    }

    /// The time `by` later, at most the last one that can be expressed.
    pub fn saturating_add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(millis(by)))
    }

    /// The time `by` earlier, at least the first one that can be expressed.
    pub fn saturating_sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(millis(by)))
    }

    /// How long after `earlier` this is. Negative where it is before.
    pub fn since(self, earlier: Self) -> time::Duration {
        time::Duration::milliseconds(self.0.saturating_sub(earlier.0))
    }

    /// The time as a UTC date; `None` outside the years that can be expressed.
    pub fn to_utc(self) -> Option<UtcDateTime> {
        UtcDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000).ok()
    }

    /// Reads an HTTP date in each of its three formats (RFC 9110 §5.6.7). A year of two digits, which the RFC 850
    /// format has, is one from 1970 to 2069.
    pub fn parse_http_date(text: &str) -> Option<Self> {
        let text = text.trim();
        let preferred = OffsetDateTime::parse(text, &Rfc2822).ok();
        preferred.or_else(|| obsolete_http_date(text)).map(Self::from)
    }

    /// Reads an ISO 8601 date and time. Without a zone it is UTC, never local time.
    pub fn parse_iso8601(text: &str) -> Option<Self> {
        let text = text.trim();
        let (_, clock) = text.split_at_checked(10)?;
        let zoned = clock.contains(['Z', 'z', '+', '-']);
        let text = if zoned { text.replacen(' ', "T", 1) } else { format!("{}Z", text.replacen(' ', "T", 1)) };
        OffsetDateTime::parse(&text, &Rfc3339).ok().map(Self::from)
    }
}

/// `Sunday, 06-Nov-94 08:49:37 GMT` (RFC 850) and `Sun Nov  6 08:49:37 1994` (asctime), which is GMT, too.
fn obsolete_http_date(text: &str) -> Option<OffsetDateTime> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let words: Vec<_> = text.split_ascii_whitespace().take(6).collect();
    let (day, month, year, clock) = match words[..] {
        [weekday, date, clock, "GMT"] if weekday.ends_with(',') => {
            let (day, rest) = date.split_once('-')?;
            let (month, year) = rest.split_once('-')?;
            let year = number(year, 2)?;
            (day, month, if year < 70 { 2000 + year } else { 1900 + year }, clock)
        }
        [_, month, day, clock, year] => (day, month, number(year, 4)?, clock),
        _ => return None,
    };
    let (_, month) = MONTHS.into_iter().zip(1..).find(|(name, _)| *name == month)?;
    let date = Date::from_calendar_date(year, Month::try_from(month).ok()?, small(day)?).ok()?;
    let (hour, rest) = clock.split_once(':')?;
    let (minute, second) = rest.split_once(':')?;
    // A leap second is written as 60.
    let time = Time::from_hms(small(hour)?, small(minute)?, small(second)?.min(59)).ok()?;
    Some(date.with_time(time).assume_utc())
}

fn small(text: &str) -> Option<u8> {
    number(text, 2).and_then(|number| number.try_into().ok())
}

/// A number of at most `most` digits, and nothing else.
fn number(text: &str, most: usize) -> Option<i32> {
    let plain = text.len() <= most && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

impl From<OffsetDateTime> for Timestamp {
    fn from(moment: OffsetDateTime) -> Self {
        // Four-digit years fit an i64 of milliseconds many times over.
        Self(i64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000_000)).unwrap_or(i64::MAX))
    }
}

impl From<UtcDateTime> for Timestamp {
    fn from(moment: UtcDateTime) -> Self {
        OffsetDateTime::from(moment).into()
    }
}

/// RFC 3339 in UTC.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_utc().and_then(|moment| moment.format(&Rfc3339).ok()) {
            Some(text) => f.write_str(&text),
            None => write!(f, "{} ms since 1970", self.0),
        }
    }
}

/// A deadline in both clocks. It is past once one of them has reached it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// In the wall clock.
    pub wall: Timestamp,
    /// In the monotonic clock.
    pub monotonic: Duration,
}

impl Deadline {
    /// The deadline `delay` after `start`.
    pub fn after(start: Now, delay: Duration) -> Self {
        Self { wall: start.wall.saturating_add(delay), monotonic: start.monotonic.saturating_add(delay) }
    }

    /// Whether one of the clocks has reached the deadline.
    pub fn is_past(&self, now: Now) -> bool {
        now.wall >= self.wall || now.monotonic >= self.monotonic
    }

    /// How long is left by the clock that reaches it first; zero once it is past.
    pub fn remaining(&self, now: Now) -> Duration {
        let wall = Duration::try_from(self.wall.since(now.wall)).unwrap_or_default();
        wall.min(self.monotonic.saturating_sub(now.monotonic))
    }

    /// How long is left by the clock that reaches it first; negative once it is past.
    pub fn until(&self, now: Now) -> time::Duration {
        let monotonic = signed(self.monotonic).saturating_sub(signed(now.monotonic));
        self.wall.since(now.wall).min(monotonic)
    }
}

/// When credentials were issued, when they expire, and when they are due for renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    issued_at: Timestamp,
    lifetime: Option<Duration>,
    deadline: Option<Deadline>,
    margin: Duration,
    uncertain: bool,
}

impl Validity {
    /// Valid for `lifetime`, at most [`MAX_LIFETIME`]. `start` is when the request was sent: counted from the answer
    /// the lifetime would be too long by the network's delay.
    pub fn with_lifetime(start: Now, lifetime: Duration) -> Self {
        let lifetime = lifetime.min(MAX_LIFETIME);
        Self {
            issued_at: start.wall,
            lifetime: Some(lifetime),
            deadline: Some(Deadline::after(start, lifetime)),
            margin: Duration::ZERO,
            uncertain: false,
        }
    }

    /// Valid from `start` with an unknown deadline: used until the service's API rejects it.
    pub fn unknown(start: Now) -> Self {
        Self { issued_at: start.wall, lifetime: None, deadline: None, margin: Duration::ZERO, uncertain: false }
    }

    /// The validity of credentials that were saved and read back. The monotonic clock of the time is lost, so the
    /// deadline is at most `lifetime` from `now`, whatever the wall clock did in between. If `issued_at` is more than a
    /// minute in the future, a clock was wrong then or is now: the validity is [uncertain](Self::uncertain).
    pub fn restored(issued_at: Timestamp, lifetime: Option<Duration>, now: Now) -> Self {
        let deadline = lifetime.map(|lifetime| {
            let lifetime = lifetime.min(MAX_LIFETIME);
            let wall = issued_at.saturating_add(lifetime);
            let left = Duration::try_from(wall.since(now.wall)).unwrap_or_default().min(lifetime);
            Deadline { wall, monotonic: now.monotonic.saturating_add(left) }
        });
        let uncertain = issued_at > now.wall.saturating_add(CLOCK_TOLERANCE);
        Self { issued_at, lifetime, deadline, margin: Duration::ZERO, uncertain }
    }

    /// The validity with the deadline recomputed for `issued_at` by our own clock. [`issued_at`](Self::issued_at)
    /// itself is by the clock of whoever requested the credentials, and is kept.
    pub(crate) fn issued_by_our_clock(self, issued_at: Timestamp, now: Now) -> Self {
        Self { issued_at: self.issued_at, ..Self::restored(issued_at, self.lifetime, now) }
    }

    /// The validity with the deadline recomputed by our own clock alone, for credentials of this age at `moment`.
    pub(crate) fn of_age(self, age: Duration, moment: Now) -> Self {
        let deadline = self.lifetime.map(|lifetime| Deadline::after(moment, lifetime.saturating_sub(age)));
        Self { deadline, uncertain: false, ..self }
    }

    /// The age, by the clock that shows the higher one. `None` where it is uncertain.
    pub(crate) fn age(&self, now: Now) -> Option<Duration> {
        let age = match (self.lifetime, self.deadline) {
            (Some(lifetime), Some(deadline)) => lifetime.saturating_sub(deadline.remaining(now)),
            _ => Duration::try_from(now.wall.since(self.issued_at)).unwrap_or_default(),
        };
        Some(age).filter(|_| !self.uncertain)
    }

    /// Marks the age as uncertain: the deadline is only an upper bound, and renewal is due at once.
    #[must_use]
    pub fn uncertain(mut self) -> Self {
        self.uncertain = true;
        self
    }

    /// Sets how long before the deadline renewal is due, at most a quarter of the lifetime.
    #[must_use]
    pub fn with_margin(mut self, margin: Duration) -> Self {
        self.margin = self.lifetime.map_or(margin, |lifetime| margin.min(lifetime / MARGIN_SHARE));
        self
    }

    /// When the credentials were issued, by the wall clock of whoever requested them.
    pub fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// The lifetime from [`issued_at`](Self::issued_at); `None` where the service did not say.
    pub fn lifetime(&self) -> Option<Duration> {
        self.lifetime
    }

    /// When the credentials expire; `None` where the service did not say.
    pub fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    /// How long before the deadline renewal is due.
    pub fn margin(&self) -> Duration {
        self.margin
    }

    /// Whether the age could not be proven when the credentials were imported.
    pub fn is_uncertain(&self) -> bool {
        self.uncertain
    }

    /// Whether the deadline has passed. An unknown one never has.
    pub fn is_expired(&self, now: Now) -> bool {
        self.deadline.is_some_and(|deadline| deadline.is_past(now))
    }

    /// Whether renewal is due: the margin has been reached, or the age is uncertain. With an unknown deadline it is
    /// never due by time.
    pub fn renewal_due(&self, now: Now) -> bool {
        self.uncertain || self.deadline.is_some_and(|deadline| deadline.remaining(now) <= self.margin)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn signed(duration: Duration) -> time::Duration {
    time::Duration::try_from(duration).unwrap_or(time::Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Now {
        Now::new(Timestamp::from_unix_seconds(1_000_000 + seconds), Duration::from_secs(50 + seconds.unsigned_abs()))
    }

    #[test]
    fn the_earlier_clock_ends_a_deadline() {
        let deadline = Deadline::after(at(0), Duration::from_secs(100));
        assert!(!deadline.is_past(at(99)));
        assert!(deadline.is_past(at(100)));
        // While suspended only the wall clock runs. After the wall clock was set back the monotonic one counts.
        assert!(deadline.is_past(Now { monotonic: at(1).monotonic, ..at(100) }));
        assert!(deadline.is_past(Now { wall: Timestamp::from_unix_seconds(0), ..at(100) }));
        assert_eq!(deadline.until(at(130)), time::Duration::seconds(-30));
        assert_eq!(deadline.remaining(at(130)), Duration::ZERO);
    }

    #[test]
    fn imported_credentials_outlive_neither_their_deadline_nor_their_lifetime() {
        let issued = Timestamp::from_unix_seconds(1_000_000);
        let validity = Validity::restored(issued, Some(Duration::from_secs(100)), at(40));
        assert_eq!(validity.deadline().unwrap().remaining(at(40)), Duration::from_secs(60));
        // The wall clock was set back by a year meanwhile.
        let past = Now { wall: Timestamp::from_unix_seconds(1_000), ..at(40) };
        let validity = Validity::restored(issued, Some(Duration::from_secs(100)), past);
        assert_eq!(validity.deadline().unwrap().remaining(past), Duration::from_secs(100));
    }

    #[test]
    fn a_margin_never_takes_more_than_a_quarter_of_the_lifetime() {
        let margin = |lifetime| {
            Validity::with_lifetime(at(0), Duration::from_secs(lifetime)).with_margin(Duration::from_secs(300)).margin()
        };
        assert_eq!(margin(3600), Duration::from_secs(300));
        assert_eq!(margin(300), Duration::from_secs(75));
        assert_eq!(margin(0), Duration::ZERO);
    }

    #[test]
    fn lifetimes_are_cut_at_a_year() {
        assert_eq!(Validity::with_lifetime(at(0), Duration::MAX).lifetime(), Some(MAX_LIFETIME));
        for issued_at in [at(1).wall, at(100_000_000).wall, Timestamp(i64::MAX)] {
            let validity = Validity::restored(issued_at, Some(Duration::MAX), at(0));
            assert_eq!(validity.deadline().unwrap().remaining(at(0)), MAX_LIFETIME, "issued at {issued_at}");
        }
    }

    #[test]
    fn a_time_without_a_zone_is_utc() {
        let zoned = Timestamp::parse_iso8601("2025-11-02T03:04:05.250000+02:00").unwrap();
        let naive = Timestamp::parse_iso8601("2025-11-02T01:04:05.250000").unwrap();
        assert_eq!(zoned, naive);
        assert_eq!(naive.to_string(), "2025-11-02T01:04:05.25Z");
        assert_eq!(Timestamp::parse_iso8601("2025-11-02 01:04:05.25"), Some(naive));
        for odd in ["", "yesterday", "2025-11-02", "2025-13-02T01:04:05", "2025-11-02T01:04:05+99:99", "é025-11-02T0"]
        {
            assert_eq!(Timestamp::parse_iso8601(odd), None, "{odd}");
        }
    }

    #[test]
    fn http_dates_are_read_in_each_form() {
        let date = Some(Timestamp::from_unix_seconds(784_111_777));
        for form in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            " Sun Nov 6 08:49:37 1994\t",
        ] {
            assert_eq!(Timestamp::parse_http_date(form), date, "{form}");
        }
        let year = |text: &str| Timestamp::parse_http_date(text)?.to_utc().map(UtcDateTime::year);
        assert_eq!(year("Wednesday, 31-Dec-69 23:59:60 GMT"), Some(2069));
        assert_eq!(year("Thursday, 01-Jan-70 00:00:00 GMT"), Some(1970));
        assert_eq!(year("Tue Feb 29 00:00:00 2028"), Some(2028));
        for odd in [
            "soon",
            "",
            "7",
            "Sunday, 06-Nov-94 08:49:37",
            "Sunday, 06-Nov-94 08:49:37 CET",
            "Sunday 06-Nov-94 08:49:37 GMT",
            "Sunday, 06-Nov-1994 08:49:37 GMT",
            "Sunday, 31-Feb-94 08:49:37 GMT",
            "Sunday, 06-nov-94 08:49:37 GMT",
            "Sunday, 06-Nov-94 8:49 GMT",
            "Sunday, +6-Nov-94 08:49:37 GMT",
            "Sunday, 06-Nov--4 08:49:37 GMT",
            "Sun Nov  6 08:49:37 94 GMT",
            "Sun Nov  6 24:00:00 1994",
            "Sun Nov  6 08:49:37 -994",
            "Sun Nov 006 08:49:37 1994",
            "Sun Nov  6 08:49:37 1994 GMT",
        ] {
            assert_eq!(Timestamp::parse_http_date(odd), None, "{odd}");
        }
    }
}
