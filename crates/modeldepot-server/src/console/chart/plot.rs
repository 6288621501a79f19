//! The plot: grid, axes, lines and the best point.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::scale::{Scale, label};
use super::{Chart, Line, X};
use crate::console::shown::short;

pub(super) const WIDTH: f64 = 600.0;
pub(super) const HEIGHT: f64 = 270.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 44.0;
/// The greatest width of a letter in a label, and the least space between two labels.
const LETTER: f64 = 7.2;
const GAP: f64 = 8.0;

/// The light colors, for files without a stylesheet. The stylesheet repeats them and adds the dark ones.
pub(super) const COLORS: [&str; 5] = ["#1d6fb8", "#c2570c", "#177a4c", "#9b3fa8", "#806200"];

/// The two scales.
pub(super) struct Frame {
    pub(super) x: Scale,
    pub(super) y: Scale,
}

impl Frame {
    pub(super) fn of(chart: &Chart, lines: &[Line]) -> Frame {
        let points = || lines.iter().flat_map(|line| line.points.iter().copied());
        let x = Scale::over(points().map(|point| point.0), air(&chart.x), LEFT, WIDTH - RIGHT);
        let y = Scale::over(points().map(|point| point.1), 0.06, HEIGHT - BOTTOM, TOP);
        Frame { x, y }
    }
}

fn air(x: &X) -> f64 {
    match x {
        X::Numbers(_) => 0.01,
        X::Names(..) => 0.03,
    }
}

pub(super) fn svg(chart: &Chart, lines: &[Line]) -> Markup {
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(said(chart, lines)) {
            (inner(chart, lines))
        }
    }
}

/// Returns a sentence that describes the chart, for screen readers.
pub(super) fn said(chart: &Chart, lines: &[Line]) -> String {
    let mut text = format!("{}: {} over {}.", chart.title, chart.y_name, chart.x.name());
    for line in lines {
        let (Some(first), Some(last)) = (line.points.first(), line.points.last()) else { continue };
        let _ = write!(text, " {} from {} to {}", short(&line.name, 48), super::number(first.1), super::number(last.1));
        if let Some(best) = line.best {
            let _ = write!(text, ", {} {}", chart.x.best(), chart.x.at(best));
        }
        text.push('.');
    }
    text
}

pub(super) fn inner(chart: &Chart, lines: &[Line]) -> Markup {
    let frame = Frame::of(chart, lines);
    let (left, right, bottom) = (LEFT, WIDTH - RIGHT, HEIGHT - BOTTOM);
    let (ys, decimals) = frame.y.ticks(5, false);
    html! {
        g.grid stroke="#e3e3de" stroke-width="1" {
            @for y in &ys { line x1=(left) x2=(right) y1=(at(frame.y.place(*y))) y2=(at(frame.y.place(*y))) {} }
        }
        g.ticks fill="#5d605a" font-size="11" {
            @for y in &ys {
                text x=(left - 8.0) y=(at(frame.y.place(*y))) dy="0.35em" text-anchor="end" { (label(*y, decimals)) }
            }
            @for (index, (x, text)) in ticks(&chart.x, &frame.x, lines).into_iter().rev().enumerate() {
                @let (x, anchor) = anchored(frame.x.place(x), &text);
                // On narrow screens, where letters are larger, every second label is hidden.
                text.minor[index % 2 == 1] x=(at(x)) y=(bottom + 17.0) text-anchor=(anchor) { (text) }
            }
            text.axis x=(f64::midpoint(left, right)) y=(HEIGHT - 6.0) text-anchor="middle" { (chart.x.name()) }
        }
        line.base x1=(left) x2=(right) y1=(bottom) y2=(bottom) stroke="#8b8e87" stroke-width="1" {}
        @for line in lines { (best(line, &frame, bottom)) }
        @for line in lines { (stroke(line, &frame)) }
    }
}

fn stroke(line: &Line, frame: &Frame) -> Markup {
    let color = COLORS[line.color % COLORS.len()];
    let place = |point: &(f64, f64)| (at(frame.x.place(point.0)), at(frame.y.place(point.1)));
    let mut path = String::new();
    for (index, point) in line.points.iter().enumerate() {
        let (x, y) = place(point);
        let _ = write!(path, "{}{x} {y}", if index == 0 { 'M' } else { 'L' });
    }
    html! {
        path class={ "line c" (line.color) } d=(path) fill="none" stroke=(color) stroke-width="2"
            stroke-linejoin="round" stroke-dasharray=[line.dashed.then_some("5 4")] {}
        @if line.points.len() <= 40 {
            g class={ "dots c" (line.color) } fill=(color) {
                @for (x, y) in line.points.iter().map(place) { circle cx=(x) cy=(y) r="2.4" {} }
            }
        }
    }
}

fn best(line: &Line, frame: &Frame, bottom: f64) -> Markup {
    let found = line.best.and_then(|best| line.points.iter().find(|point| point.0 == best));
    let Some(point) = found else { return html! {} };
    let (x, y) = (at(frame.x.place(point.0)), at(frame.y.place(point.1)));
    html! {
        g class={ "best c" (line.color) } fill="none" stroke=(COLORS[line.color % COLORS.len()]) {
            line x1=(x) x2=(x) y1=(TOP) y2=(bottom) stroke-width="1" stroke-dasharray="2 3" {}
            circle cx=(x) cy=(y) r="6" stroke-width="1.6" {}
        }
    }
}

/// Returns the tick labels of the horizontal axis: as many as fit.
fn ticks(x: &X, scale: &Scale, lines: &[Line]) -> Vec<(f64, String)> {
    match x {
        X::Numbers(_) => {
            let whole = lines.iter().flat_map(|line| &line.points).all(|point| point.0.fract() == 0.0);
            let (ticks, decimals) = scale.ticks(8, whole);
            ticks.into_iter().map(|tick| (tick, label(tick, decimals))).collect()
        }
        X::Names(_, names) => {
            // Only versions with a point get a label: from right to left, each one that leaves room for the next.
            let mut places: Vec<usize> =
                lines.iter().flat_map(|line| &line.points).map(|point| point.0 as usize).collect();
            places.sort_unstable();
            places.dedup();
            let (mut shown, mut free) = (Vec::new(), f64::INFINITY);
            for index in places.into_iter().rev() {
                let text = short(names.get(index).map_or("", |name| name), 18);
                let (begin, end) = span(scale.place(index as f64), &text);
                if end + GAP <= free {
                    shown.push((index as f64, text));
                    free = begin;
                }
            }
            shown.reverse();
            shown
        }
    }
}

/// Returns where a label below a place begins and ends.
fn span(place: f64, text: &str) -> (f64, f64) {
    let width = text.chars().count() as f64 * LETTER;
    match anchored(place, text) {
        (end, "end") => (end - width, end),
        (begin, "start") => (begin, begin + width),
        (middle, _) => (middle - width / 2.0, middle + width / 2.0),
    }
}

/// Returns the position and anchor of a label, so that it is not cut off at the edges.
fn anchored(place: f64, text: &str) -> (f64, &'static str) {
    let half = text.chars().count() as f64 * LETTER / 2.0;
    if place + half > WIDTH {
        (WIDTH - 2.0, "end")
    } else if place < half {
        (2.0, "start")
    } else {
        (place, "middle")
    }
}

/// Rounds a coordinate to a tenth.
fn at(place: f64) -> f64 {
    (place * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_below_a_chart_have_points_and_do_not_overlap() {
        let names: Vec<String> =
            ["1.0", "20261127_095204", "20261127_095311", "2.0", "2.1", "latest"].map(str::to_owned).to_vec();
        for present in 1..(1u32 << names.len()) {
            let has = |index: &usize| present & (1 << index) != 0;
            let points: Vec<(f64, f64)> = (0..names.len()).filter(has).map(|index| (index as f64, 0.5)).collect();
            let line = Line { name: "m".to_owned(), color: 0, dashed: false, points: points.clone(), best: None };
            let scale = Scale::over(points.iter().map(|point| point.0), 0.03, LEFT, WIDTH - RIGHT);
            let shown = ticks(&X::Names("version", names.clone()), &scale, &[line]);
            assert_eq!(shown.last().unwrap().0, points.last().unwrap().0, "the last one is shown");
            assert!(shown.iter().all(|(x, _)| points.iter().any(|point| point.0 == *x)), "{shown:?}");
            let spans: Vec<_> = shown.iter().map(|(x, text)| span(scale.place(*x), text)).collect();
            assert!(spans.windows(2).all(|two| two[0].1 < two[1].0), "{shown:?} {spans:?}");
        }
    }
}
