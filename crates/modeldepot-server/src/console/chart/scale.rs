//! Scales from values to coordinates, and the numbers on the axes.

/// Larger values are drawn at the edge: their differences would overflow.
const LARGEST: f64 = 1e300;

/// A linear scale from `low..=high` to `start..=end`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) low: f64,
    pub(super) high: f64,
    start: f64,
    end: f64,
}

impl Scale {
    /// Creates a scale that maps the values to `start..=end`. `air` is the share of the range left free on both
    /// sides.
    pub(super) fn over(values: impl Iterator<Item = f64>, air: f64, start: f64, end: f64) -> Scale {
        let bounds = values.map(bounded).fold(None, |found: Option<(f64, f64)>, value| {
            Some(found.map_or((value, value), |(low, high)| (low.min(value), high.max(value))))
        });
        let (low, high) = bounds.unwrap_or((0.0, 1.0));
        let free = if high > low { (high - low) * air } else { (low.abs() * 0.1).max(0.5) };
        Scale { low: low - free, high: high + free, start, end }
    }

    /// Returns the coordinate of a value.
    pub(super) fn place(&self, value: f64) -> f64 {
        let share = (bounded(value) - self.low) / (self.high - self.low);
        self.start + share * (self.end - self.start)
    }

    /// Returns about `wanted` round numbers within the scale, and the decimals they need. With `whole`, integers only.
    pub(super) fn ticks(&self, wanted: u32, whole: bool) -> (Vec<f64>, usize) {
        let rough = (self.high - self.low) / f64::from(wanted.max(1));
        let magnitude = 10f64.powf(rough.log10().floor());
        let mut step = [1.0, 2.0, 5.0, 10.0].map(|it| it * magnitude).into_iter().find(|it| *it >= rough);
        if whole {
            step = step.map(|step| step.max(1.0).round());
        }
        let Some(step) = step.filter(|step| step.is_finite() && *step > 0.0) else { return (Vec::new(), 0) };
        let first = (self.low / step).ceil();
        let ticks = (0..40).map(|index| (first + f64::from(index)) * step).take_while(|tick| *tick <= self.high);
        let decimals = if step >= 1.0 { 0 } else { (-step.log10()).ceil().clamp(0.0, 12.0) as usize };
        // Adding zero turns a rounded -0 into 0.
        (ticks.map(|tick| tick + 0.0).collect(), decimals)
    }
}

fn bounded(value: f64) -> f64 {
    value.clamp(-LARGEST, LARGEST)
}

/// Formats a tick: in full if that is short.
pub(super) fn label(tick: f64, decimals: usize) -> String {
    if tick != 0.0 && (tick.abs() >= 1e6 || (tick.abs() < 1e-4)) {
        format!("{tick:.1e}")
    } else {
        format!("{tick:.decimals$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(values: &[f64], whole: bool) -> Vec<String> {
        let scale = Scale::over(values.iter().copied(), 0.0, 0.0, 100.0);
        let (ticks, decimals) = scale.ticks(5, whole);
        ticks.into_iter().map(|tick| label(tick, decimals)).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks(&[0.0, 1.0], false), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(ticks(&[0.913, 0.951], false), ["0.92", "0.93", "0.94", "0.95"]);
        assert_eq!(ticks(&[1.0, 10.0], true), ["2", "4", "6", "8", "10"]);
        assert_eq!(ticks(&[1.0, 3.0], true), ["1", "2", "3"]);
        assert_eq!(ticks(&[-3.0, 3.0], false), ["-2", "0", "2"]);
    }

    #[test]
    fn hostile_values_have_a_place() {
        for values in [&[f64::MAX, f64::MIN][..], &[0.0], &[1e-310, 0.0], &[]] {
            let scale = Scale::over(values.iter().copied(), 0.05, 0.0, 100.0);
            assert!(scale.ticks(5, false).0.len() <= 40);
            for value in values {
                assert!((0.0..=100.0).contains(&scale.place(*value)), "{values:?}");
            }
        }
    }
}
