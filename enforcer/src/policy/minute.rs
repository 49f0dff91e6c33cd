use std::fmt;

use jiff::{Timestamp, civil::Date, tz::TimeZone};

/// A minute of UTC, counted from 1970-01-01T00:00Z: as finely as policies change by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minute(pub i64);

impl Minute {
    /// The minute that `at` is in.
    #[must_use]
    pub fn of(at: Timestamp) -> Self {
        Self(at.as_second().div_euclid(60))
    }

    /// The first minute of a day.
    #[must_use]
    pub fn start_of(day: Date) -> Self {
        let start = day.to_zoned(TimeZone::UTC);
        start.map_or(Self(i64::MAX), |start| Self::of(start.timestamp()))
    }

    /// The first moment of the minute; the end of time where there is none.
    #[must_use]
    pub fn timestamp(self) -> Timestamp {
        let second = self.0.saturating_mul(60);
        Timestamp::from_second(second).unwrap_or(Timestamp::MAX)
    }

    /// The day that the minute is in.
    #[must_use]
    pub fn date(self) -> Date {
        self.timestamp().to_zoned(TimeZone::UTC).date()
    }
}

impl fmt::Display for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.timestamp().to_zoned(TimeZone::UTC);
        let (date, time) = (at.date(), at.time());
        write!(f, "{date}T{:02}:{:02}Z", time.hour(), time.minute())
    }
}
