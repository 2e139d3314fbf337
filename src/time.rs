//! Packet time: the only clock between capture and sinks.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment of packet time, in nanoseconds since the Unix epoch.
///
/// There is no `now()`: a capture hands timestamps in, and every stage behind it takes time as an argument, so that
/// a replay is a live run.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    pub const MAX: Self = Self(u64::MAX);
    pub const ZERO: Self = Self(0);

    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Midnight in UTC of a day from 1970 on, written as `2026-11-24`.
    pub fn of_date(text: &str) -> Option<Self> {
        let is_written = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        let mut parts = text.splitn(3, '-').map(str::parse::<u64>);
        let (year, month, day) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
        let days = days_from_civil(year, month, day).filter(|_| is_written)?;
        Some(Self::from_secs(days * 86_400))
    }

    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// The time from `earlier` to `self`, zero where `earlier` is the later one.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    /// Saturates: a capture may carry any timestamp, and the end of time is as good as what lies behind it.
    fn add(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(nanos))
    }
}

/// A duration written as its nanoseconds.
pub mod nanos {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        count(*duration).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_nanos)
    }

    fn count(duration: Duration) -> u64 {
        u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
    }

    /// The same for one that may be missing.
    pub mod maybe {
        use super::{Deserialize, Deserializer, Duration, Serialize, Serializer, count};

        pub fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
            duration.map(count).serialize(serializer)
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
            Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_nanos))
        }
    }
}

/// RFC 3339 in UTC with nine digits of the second: `2026-11-24T10:00:00.000000001Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second_of_day) = (self.as_secs() / 86_400, self.as_secs() % 86_400);
        let (year, month, day) = civil_from_days(days);
        let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
        let nanos = self.0 % 1_000_000_000;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z")
    }
}

impl FromStr for Timestamp {
    type Err = String;

    /// Reads what `Display` writes, with or without a fraction of the second.
    fn from_str(text: &str) -> Result<Self, String> {
        parse(text).ok_or_else(|| format!("{text:?} is no time in UTC, such as 2026-01-12T05:00:00Z"))
    }
}

fn parse(text: &str) -> Option<Timestamp> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let is_written = clock.len() == 8 && (1..=9).contains(&fraction.len());
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts =
        clock.split(':').map(|part| part.parse::<u64>().ok().filter(|_| part.len() == 2 && is_digits(part)));
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let is_a_clock = is_written && is_digits(fraction) && hour < 24 && minute < 60 && second < 60;
    let nanos: u64 = format!("{fraction:0<9}").parse().ok().filter(|_| is_a_clock)?;
    let of_day = (hour * 3600 + minute * 60 + second) * 1_000_000_000 + nanos;
    Timestamp::of_date(date)?.as_nanos().checked_add(of_day).map(Timestamp::from_nanos)
}

/// The times of the first and the last of several things.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Span {
    pub first: Timestamp,
    pub last: Timestamp,
}

impl Span {
    pub const fn at(at: Timestamp) -> Self {
        Self { first: at, last: at }
    }

    /// The span of what both cover and what lies between.
    pub fn join(self, other: Self) -> Self {
        Self { first: self.first.min(other.first), last: self.last.max(other.last) }
    }

    pub const fn duration(self) -> Duration {
        self.last.since(self.first)
    }
}

/// Days since 1970-01-01 to year, month and day of the proleptic Gregorian calendar (Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms", `civil_from_days`), for dates from the epoch on.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// The inverse of [`civil_from_days`] (the same source, `days_from_civil`); none for what is no date.
fn days_from_civil(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (shifted_year, shifted_month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let (era, year_of_era) = (shifted_year / 400, shifted_year % 400);
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    (civil_from_days(days) == (year, month, day)).then_some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_shown_in_rfc_3339() {
        assert_eq!(Timestamp::ZERO.to_string(), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(Timestamp::from_nanos(951_827_696_789_000_001).to_string(), "2000-02-29T12:34:56.789000001Z");
        assert_eq!(Timestamp::from_secs(1_735_689_599).to_string(), "2024-12-31T23:59:59.000000000Z");
        assert_eq!(Timestamp::MAX.to_string(), "2554-07-21T23:34:33.709551615Z");
    }

    #[test]
    fn a_date_is_its_midnight_and_nothing_else_is_one() {
        for date in ["1970-01-01", "2000-02-29", "2024-12-31", "2026-11-24"] {
            assert_eq!(Timestamp::of_date(date).unwrap().to_string(), format!("{date}T00:00:00.000000000Z"));
        }
        for other in ["1969-12-31", "2026-02-29", "2026-13-01", "2026-1-1", "2026-11-24T", "2026-11", "+026-11-24"] {
            assert_eq!(Timestamp::of_date(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_shown_is_read_back() {
        for nanos in [0, 951_827_696_789_000_001, 1_735_689_599_000_000_000, u64::MAX] {
            let at = Timestamp::from_nanos(nanos);
            assert_eq!(at.to_string().parse(), Ok(at));
        }
        assert_eq!("2000-02-29T12:34:56Z".parse(), Ok(Timestamp::from_secs(951_827_696)));
        assert_eq!("2000-02-29T12:34:56.5Z".parse(), Ok(Timestamp::from_nanos(951_827_696_500_000_000)));
        for text in
            ["", "2000-02-29", "2000-02-29T12:34:56", "2000-13-01T00:00:00Z", "2000-01-01T0:0:0.Z", "+1-1-1T1:1:1Z"]
        {
            assert!(
                text.parse::<Timestamp>().unwrap_err().ends_with("is no time in UTC, such as 2026-01-12T05:00:00Z")
            );
        }
    }

    #[test]
    fn spans_join_to_what_covers_both() {
        let [early, late] = [10, 20].map(|secs| Span::at(Timestamp::from_secs(secs)));
        assert_eq!(late.join(early), early.join(late));
        assert_eq!(early.join(late).duration(), Duration::from_secs(10));
    }

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        assert_eq!(Timestamp::MAX + Duration::MAX, Timestamp::MAX);
        assert_eq!(Timestamp::ZERO - Duration::from_secs(1), Timestamp::ZERO);
        assert_eq!(Timestamp::from_secs(1).since(Timestamp::from_secs(2)), Duration::ZERO);
    }
}
