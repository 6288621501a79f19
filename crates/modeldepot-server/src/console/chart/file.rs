//! A chart as a stand-alone file.

use maud::{Render as _, html};

use super::plot::{COLORS, HEIGHT, WIDTH, inner, said};
use super::{Chart, Line};
use crate::console::shown::short;

/// Returns the height of the title and the legend.
fn head(lines: usize) -> f64 {
    if lines > 1 { 30.0 + 18.0 * lines.div_ceil(2) as f64 } else { 30.0 }
}

/// Returns the SVG document.
pub(super) fn svg(chart: &Chart, lines: &[Line]) -> String {
    let head = head(lines.len());
    let height = HEIGHT + head;
    let document = html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox={ "0 0 " (WIDTH) " " (height) } width=(WIDTH) height=(height)
            font-family="system-ui, -apple-system, 'Segoe UI', Roboto, Arial, sans-serif" role="img" {
            title { (said(chart, lines)) }
            rect width=(WIDTH) height=(height) fill="#ffffff" {}
            text x="14" y="22" font-size="14" font-weight="600" fill="#1b1c1a" { (chart.title) }
            @if lines.len() > 1 {
                @for (index, line) in lines.iter().enumerate() {
                    @let (x, y) = (14.0 + 293.0 * (index % 2) as f64, 42.0 + 18.0 * (index / 2) as f64);
                    line x1=(x) x2=(x + 20.0) y1=(y - 4.0) y2=(y - 4.0) stroke=(COLORS[line.color % COLORS.len()])
                        stroke-width="2.5" stroke-dasharray=[line.dashed.then_some("4 3")] {}
                    text x=(x + 27.0) y=(y) font-size="11" fill="#1b1c1a" { (short(&line.name, 40)) }
                }
            }
            g transform={ "translate(0 " (head) ")" } { (inner(chart, lines)) }
        }
    };
    document.render().into_string()
}
