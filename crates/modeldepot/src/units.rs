//! Sizes, durations and times as people read them.

use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

const DATE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");

/// Returns a number of bytes, in powers of 1000: `138.2 MB`.
pub fn size(bytes: u64) -> String {
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut amount = bytes as f64;
    for unit in ["kB", "MB", "GB", "TB", "PB"] {
        amount /= 1000.0;
        // 999.95 would be printed as 1000.0.
        if amount < 999.95 {
            return format!("{amount:.1} {unit}");
        }
    }
    format!("{:.1} EB", amount / 1000.0)
}

/// Returns a duration: `12 ms`, `1.24 s`, `2 min 05 s`, `1 h 03 min`.
pub fn duration(time: Duration) -> String {
    let millis = time.as_millis();
    let seconds = time.as_secs();
    if millis < 1000 {
        format!("{millis} ms")
    } else if seconds < 60 {
        format!("{:.2} s", time.as_secs_f64())
    } else if seconds < 3600 {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    } else {
        format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60)
    }
}

/// Returns a throughput: `120.5 MB/s`.
pub fn throughput(bytes: u64, time: Duration) -> String {
    let seconds = time.as_secs_f64().max(0.001);
    format!("{}/s", size((bytes as f64 / seconds) as u64))
}

/// Returns a time in UTC: `2025-10-28 18:19:00 UTC`, or `-` when it is unknown.
pub fn date(time: Option<OffsetDateTime>) -> String {
    // The library parses a missing time as the epoch.
    match time {
        Some(time) => {
            time.to_offset(time::UtcOffset::UTC).format(DATE).map_or_else(|_| "-".to_owned(), |date| date + " UTC")
        }
        None => "-".to_owned(),
    }
}

/// Returns roughly how long ago a time was: `3 hours ago`.
pub fn ago(time: OffsetDateTime, now: OffsetDateTime) -> String {
    let seconds = (now - time).whole_seconds();
    let (number, unit) = match seconds {
        ..10 => return "just now".to_owned(),
        10..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        86_400..2_592_000 => (seconds / 86_400, "day"),
        2_592_000..31_536_000 => (seconds / 2_592_000, "month"),
        _ => (seconds / 31_536_000, "year"),
    };
    format!("{} ago", plural(number as usize, unit))
}

/// Returns a number as people read it: whole ones in full, others rounded to six digits, very large and very small ones
/// with a power of ten.
pub fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let size = value.abs();
    if !(1e-4..1e15).contains(&size) {
        return format!("{value:.3e}");
    }
    if value.fract() == 0.0 {
        return format!("{value:.0}");
    }
    let before = size.log10().floor().max(-1.0) as i32 + 1;
    let decimals = usize::try_from(6 - before).unwrap_or(1).clamp(1, 6);
    let text = format!("{value:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Returns `1 file`, `2 files`.
pub fn plural(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let shown: Vec<String> =
            [0, 999, 1000, 1228, 999_949, 999_950, 138_223_288, 5_000_000_000, u64::MAX].map(size).into();
        assert_eq!(shown, ["0 B", "999 B", "1.0 kB", "1.2 kB", "999.9 kB", "1.0 MB", "138.2 MB", "5.0 GB", "18.4 EB"]);
    }

    #[test]
    fn durations() {
        let shown =
            [0, 12, 999, 1000, 1240, 59_990, 59_999, 65_000, 3_780_000].map(|ms| duration(Duration::from_millis(ms)));
        assert_eq!(
            shown,
            ["0 ms", "12 ms", "999 ms", "1.00 s", "1.24 s", "59.99 s", "60.00 s", "1 min 05 s", "1 h 03 min"]
        );
    }

    #[test]
    fn dates() {
        let time = time::macros::datetime!(2025-10-28 20:19:00.455545 +2);
        assert_eq!(date(Some(time)), "2025-10-28 18:19:00 UTC");
        assert_eq!(date(None), "-");
        assert_eq!(ago(time, time + Duration::from_secs(2)), "just now");
        assert_eq!(ago(time, time + Duration::from_secs(3600)), "1 hour ago");
        assert_eq!(ago(time, time + Duration::from_secs(400 * 86_400)), "1 year ago");
    }

    #[test]
    fn numbers_are_short_and_true() {
        let numbers = [0.0, 0.95, 0.975_555_555, 12.5, 1234.5678, 42.0, 1e-7, 1e20, -0.25, 0.001, 0.000_123_456];
        let shown = numbers.map(number);
        let wanted =
            ["0", "0.95", "0.975556", "12.5", "1234.57", "42", "1.000e-7", "1.000e20", "-0.25", "0.001", "0.000123"];
        assert_eq!(shown, wanted);
    }
}
