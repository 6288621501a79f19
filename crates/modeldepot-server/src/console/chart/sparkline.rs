//! A word-sized chart.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::scale::Scale;

const WIDTH: f64 = 96.0;
const HEIGHT: f64 = 24.0;

/// Draws a metric over the last versions, the latest on the right. Empty for fewer than two values.
pub(in crate::console) fn sparkline(metric: &str, values: &[f64]) -> Markup {
    let (Some(first), Some(last), true) = (values.first(), values.last(), values.len() > 1) else { return html! {} };
    let x = Scale::over([0.0, (values.len() - 1) as f64].into_iter(), 0.0, 3.0, WIDTH - 4.0);
    let y = Scale::over(values.iter().copied(), 0.0, HEIGHT - 4.0, 4.0);
    let mut path = String::new();
    for (index, value) in values.iter().enumerate() {
        let letter = if index == 0 { 'M' } else { 'L' };
        let _ = write!(path, "{letter}{:.1} {:.1}", x.place(index as f64), y.place(*value));
    }
    let label =
        format!("{metric} over {} versions: from {} to {}", values.len(), super::number(*first), super::number(*last));
    html! {
        svg.spark width=(WIDTH) height=(HEIGHT) viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(label) {
            path d=(path) fill="none" stroke-width="1.5" stroke-linejoin="round" {}
            circle cx=(format!("{:.1}", x.place((values.len() - 1) as f64))) cy=(format!("{:.1}", y.place(*last))) r="2.5" {}
        }
    }
}
