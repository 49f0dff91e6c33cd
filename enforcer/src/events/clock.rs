//! Kernel time to wall time.

use jiff::Timestamp;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// Turns `CLOCK_BOOTTIME` readings of the kernel programs into wall-clock time.
///
/// Holds the difference of the two clocks, so that one batch of events is converted by one
/// measurement and keeps its order even while NTP steps the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Wall clock minus boot time, nanoseconds.
    offset_ns: i64,
}

impl Clock {
    /// Measures the difference now. Take a new one with each sweep: NTP moves the wall clock.
    #[must_use]
    pub fn now() -> Self {
        let before = boottime_ns();
        let wall = nanoseconds(clock_gettime(ClockId::Realtime));
        let after = boottime_ns();
        // Half of what passed between the two readings, as neither is the moment of the other.
        let boot = before + (after - before) / 2;
        Self::with_offset(wall - boot.cast_signed())
    }

    /// A clock with a known difference, wall clock minus boot time, in nanoseconds.
    #[must_use]
    pub const fn with_offset(offset_ns: i64) -> Self {
        Self { offset_ns }
    }

    /// Wall-clock time of a `CLOCK_BOOTTIME` reading in nanoseconds.
    ///
    /// A reading that no clock gives (beyond the year 9999) becomes the last representable moment.
    #[must_use]
    pub fn wall(self, boottime_ns: u64) -> Timestamp {
        let ns = i128::from(boottime_ns) + i128::from(self.offset_ns);
        Timestamp::from_nanosecond(ns).unwrap_or(if ns < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        })
    }
}

/// `CLOCK_BOOTTIME` in nanoseconds: the clock of the kernel programs, which runs during suspend.
#[must_use]
pub fn boottime_ns() -> u64 {
    nanoseconds(clock_gettime(ClockId::Boottime)).cast_unsigned()
}

fn nanoseconds(time: Timespec) -> i64 {
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Clock, boottime_ns};

    #[test]
    fn now_is_now() {
        let before = Timestamp::now();
        let converted = Clock::now().wall(boottime_ns());
        let off = converted.duration_since(before).as_millis_f64().abs();
        assert!(off < 1000.0, "{converted} is {off} ms from {before}");
    }

    #[test]
    fn every_reading_has_a_time() {
        let clock = Clock::with_offset(1_700_000_000_000_000_000);
        assert_eq!(clock.wall(5).as_nanosecond(), 1_700_000_000_000_000_005);
        assert_eq!(
            Clock::with_offset(i64::MIN).wall(0).as_nanosecond(),
            i128::from(i64::MIN)
        );
        assert!(clock.wall(u64::MAX) > clock.wall(5));
    }
}
