//! Thins out lines with more points than pixels.

use super::Line;

/// The most points drawn of a line. A chart is about six hundred pixels wide.
const MOST: usize = 500;

/// Returns a line with at most [`MOST`] points: the lowest and highest of each section, so that no peak is lost, and
/// always the best.
pub(super) fn thinned(line: &Line) -> Line {
    if line.points.len() <= MOST {
        return line.clone();
    }
    let stretch = line.points.len().div_ceil(MOST / 2 - 1);
    let mut points = Vec::with_capacity(MOST + 1);
    for part in line.points.chunks(stretch) {
        let lowest = part.iter().enumerate().min_by(|a, b| a.1.1.total_cmp(&b.1.1)).map(|(index, _)| index);
        let highest = part.iter().enumerate().max_by(|a, b| a.1.1.total_cmp(&b.1.1)).map(|(index, _)| index);
        let best = line.best.and_then(|best| part.iter().position(|point| point.0 == best));
        let mut kept: Vec<usize> = [lowest, highest, best].into_iter().flatten().collect();
        kept.sort_unstable();
        kept.dedup();
        points.extend(kept.into_iter().map(|index| part[index]));
    }
    Line { points, ..line.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_keeps_its_peaks() {
        let mut points: Vec<(f64, f64)> = (0..100_000).map(|x| (f64::from(x), 1.0)).collect();
        points[77_777].1 = 9.0;
        points[5].1 = -9.0;
        let best = Some(123.0);
        let line = thinned(&Line { name: String::new(), color: 0, dashed: false, points, best });
        assert!(line.points.len() <= MOST + 1);
        assert!(line.points.contains(&(77_777.0, 9.0)) && line.points.contains(&(5.0, -9.0)));
        assert!(line.points.contains(&(123.0, 1.0)));
        assert!(line.points.is_sorted_by(|a, b| a.0 < b.0));
    }
}
