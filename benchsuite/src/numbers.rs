//! Medians, and the formatting of times, sizes and ratios.

/// Returns the median: the middle value, or the mean of the two middle ones; `None` without values.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = values[(values.len() - 1) / 2];
    Some(f64::midpoint(lower, upper))
}

/// Formats seconds; short times as milliseconds.
pub(crate) fn time(seconds: f64) -> String {
    if seconds < 0.01 {
        format!("{:.1} ms", seconds * 1000.0)
    } else if seconds < 0.1 {
        format!("{:.0} ms", seconds * 1000.0)
    } else if seconds < 10.0 {
        format!("{seconds:.2} s")
    } else {
        format!("{seconds:.1} s")
    }
}

/// Formats a range of times in one unit.
pub(crate) fn span(from: f64, to: f64) -> String {
    let (from, to) = (time(from), time(to));
    match (from.split_once(' '), to.split_once(' ')) {
        (Some((number, unit)), Some((_, other))) if unit == other => format!("{number}–{to}"),
        _ => format!("{from} – {to}"),
    }
}

/// Formats bytes as MiB; values at the floor of the measurement as less than that.
pub(crate) fn memory(bytes: f64, floor: f64) -> String {
    const MIB: f64 = 1024.0 * 1024.0;
    if bytes <= floor * 1.1 { format!("< {:.0} MiB", floor * 1.1 / MIB) } else { format!("{:.0} MiB", bytes / MIB) }
}

/// Formats a ratio.
pub(crate) fn ratio(ratio: f64) -> String {
    if ratio < 10.0 { format!("{ratio:.2}") } else { format!("{ratio:.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([]), None);
        assert_eq!(median([3.0]), Some(3.0));
        assert_eq!(median([9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([9.0, 1.0, 2.0, 4.0]), Some(3.0));
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(time(0.004_26), "4.3 ms");
        assert_eq!(time(0.042_6), "43 ms");
        assert_eq!(time(0.426), "0.43 s");
        assert_eq!(time(42.61), "42.6 s");
        assert_eq!(span(0.5, 1.25), "0.50–1.25 s");
        assert_eq!(span(0.05, 1.25), "50 ms – 1.25 s");
        assert_eq!(memory(64.0 * 1024.0 * 1024.0, 9e6), "64 MiB");
        assert_eq!(memory(9.2e6, 9e6), "< 9 MiB");
        assert_eq!(ratio(0.3456), "0.35");
        assert_eq!(ratio(34.56), "35");
    }
}
