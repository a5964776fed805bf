//! Moments as people write them, in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

/// A moment in the Gregorian calendar, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    pub(crate) year: u64,
    pub(crate) month: u64,
    pub(crate) day: u64,
    pub(crate) hour: u64,
    pub(crate) minute: u64,
    pub(crate) second: u64,
    pub(crate) nanosecond: u64,
}

impl Moment {
    /// The moment so many nanoseconds after the Unix epoch.
    pub(crate) fn from_unix_nano(nanoseconds: u64) -> Self {
        let (seconds, nanosecond) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
        let (days, of_day) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = date(days);
        Moment {
            year,
            month,
            day,
            hour: of_day / 3600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
            nanosecond,
        }
    }

    /// A moment of the system's clock; the epoch for those before it.
    pub(crate) fn of(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment::from_unix_nano(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }
}

/// The date of a day since 1970-01-01. Years are counted from March on, so that the leap day is the last of its year; a
/// period of 400 years has 146 097 days.
fn date(days: u64) -> (u64, u64, u64) {
    const PERIOD: u64 = 146_097;
    let days = days + 719_468;
    let (period, of_period) = (days / PERIOD, days % PERIOD);
    let year = (of_period - of_period / 1460 + of_period / 36_524 - of_period / (PERIOD - 1)) / 365;
    let of_year = of_period - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (period * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, (1970, 1, 1)),
            (951_782_400, (2000, 2, 29)),
            (951_868_800, (2000, 3, 1)),
            (1_709_164_800, (2024, 2, 29)),
            (1_735_603_200, (2024, 12, 31)),
            (4_107_542_400, (2100, 3, 1)),
        ] {
            let moment = Moment::from_unix_nano(seconds * 1_000_000_000);
            assert_eq!((moment.year, moment.month, moment.day), expected, "{seconds}");
        }
        let moment = Moment::from_unix_nano(1_700_000_000_123_000_000);
        assert_eq!((moment.hour, moment.minute, moment.second), (22, 13, 20));
        assert_eq!(moment.nanosecond, 123_000_000);
    }
}
