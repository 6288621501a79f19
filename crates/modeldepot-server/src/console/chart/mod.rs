//! Charts: lines over epochs or versions, as SVG.
//!
//! A chart is drawn the same way for two uses: in a page, where the stylesheet sets the theme's colors, and as a
//! stand-alone file, which has its own. `docs/decisions/2026-11-24-charts.md` explains why no crate draws it.

mod file;
mod plot;
mod scale;
mod sparkline;
mod thin;

use maud::{Markup, html};

pub(super) use self::sparkline::sparkline;
use self::thin::thinned;
use super::shown::{number, short, shown};

/// The most rows in the table of values below a chart.
const TABLE: usize = 400;

/// A line chart.
pub(super) struct Chart {
    /// Its id in the page: letters, digits and `-`.
    pub(super) id: &'static str,
    pub(super) title: String,
    /// The horizontal axis.
    pub(super) x: X,
    /// The title of the vertical axis.
    pub(super) y_name: String,
    pub(super) lines: Vec<Line>,
    /// The URL of the chart as a file.
    pub(super) href: String,
}

/// The kind of horizontal axis.
pub(super) enum X {
    /// Numbers, with the axis title.
    Numbers(&'static str),
    /// Names at 0, 1, 2, …, with the axis title.
    Names(&'static str, Vec<String>),
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) name: String,
    /// The index of its color, one of five.
    pub(super) color: usize,
    pub(super) dashed: bool,
    /// Points in ascending order of x; all finite.
    pub(super) points: Vec<(f64, f64)>,
    /// The x value of the best point.
    pub(super) best: Option<f64>,
}

impl X {
    fn name(&self) -> &'static str {
        match self {
            X::Numbers(name) | X::Names(name, _) => name,
        }
    }

    /// Returns the name of the best point.
    fn best(&self) -> &'static str {
        match self {
            X::Numbers("epoch") => "best epoch",
            X::Numbers(_) | X::Names(..) => "best at",
        }
    }

    /// Returns the label of an x value.
    fn at(&self, x: f64) -> String {
        match self {
            X::Numbers(_) => number(x),
            X::Names(_, names) => names.get(x as usize).map_or_else(|| number(x), |name| shown(name)),
        }
    }
}

impl Chart {
    /// Returns true if there is nothing to draw.
    pub(super) fn is_empty(&self) -> bool {
        self.lines.iter().all(|line| line.points.is_empty())
    }

    /// Returns the figure: legend, plot, download links, and the values as a table.
    pub(super) fn figure(&self) -> Markup {
        let lines: Vec<Line> = self.lines.iter().map(thinned).collect();
        let caption = format!("{}-caption", self.id);
        html! {
            figure.chart id=(self.id) aria-labelledby=(caption) {
                figcaption {
                    span.title id=(caption) { (self.title) }
                    span.downloads {
                        a href=(self.href) download { "SVG" }
                        " "
                        button.link type="button" data-png=(self.href) data-name=(self.id) hidden { "PNG" }
                    }
                }
                @if lines.len() > 1 || lines.iter().any(|line| line.best.is_some()) { (self.legend(&lines)) }
                div.plot data-chart=(self.readings(&lines)) data-x=(self.x.name()) data-label=(self.title) {
                    (plot::svg(self, &lines))
                }
                (self.table(&lines))
            }
        }
    }

    fn legend(&self, lines: &[Line]) -> Markup {
        html! {
            ul.legend {
                @for line in lines {
                    li {
                        (key(line))
                        bdi { (short(&line.name, 48)) }
                        @if let Some(best) = line.best { span.muted { (self.x.best()) " " (self.x.at(best)) } }
                    }
                }
            }
        }
    }

    /// Returns the values for the script that shows those under the pointer: JSON for an attribute.
    fn readings(&self, lines: &[Line]) -> String {
        let frame = plot::Frame::of(self, lines);
        let mut xs: Vec<f64> = lines.iter().flat_map(|line| line.points.iter().map(|point| point.0)).collect();
        xs.sort_by(f64::total_cmp);
        xs.dedup();
        let values = |line: &Line| -> Vec<Option<(f64, f64)>> {
            let mut points = line.points.iter().peekable();
            let at = |x: &f64| {
                while points.next_if(|point| point.0 < *x).is_some() {}
                points.next_if(|point| point.0 == *x).map(|point| point.1)
            };
            xs.iter().map(at).map(|y| Some((y?, frame.y.place(y?).round()))).collect()
        };
        let json = serde_json::json!({
            "width": plot::WIDTH,
            "x": xs.iter().map(|x| self.x.at(*x)).collect::<Vec<_>>(),
            "at": xs.iter().map(|x| (frame.x.place(*x) * 10.0).round() / 10.0).collect::<Vec<_>>(),
            "lines": lines.iter().map(|line| serde_json::json!({
                "name": short(&line.name, 48),
                "color": line.color,
                "values": values(line).into_iter()
                    .map(|found| found.map(|(y, place)| (number(y), place))).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
        });
        json.to_string()
    }

    fn table(&self, lines: &[Line]) -> Markup {
        let mut xs: Vec<f64> = lines.iter().flat_map(|line| line.points.iter().map(|point| point.0)).collect();
        xs.sort_by(f64::total_cmp);
        xs.dedup();
        let value = |line: &Line, x: f64| {
            let found = line.points.binary_search_by(|point| point.0.total_cmp(&x));
            found.map_or_else(|_| "–".to_owned(), |index| number(line.points[index].1))
        };
        html! {
            details.values {
                summary { "Values of " (self.title) }
                div.scroll tabindex="0" role="region" aria-label={ "Values of " (self.title) } {
                    table {
                        thead { tr {
                            th scope="col" { (self.x.name()) }
                            @for line in lines { th.number scope="col" { bdi { (short(&line.name, 48)) } } }
                        } }
                        tbody {
                            @for x in xs.iter().take(TABLE) { tr {
                                th scope="row" { (self.x.at(*x)) }
                                @for line in lines { td.number { (value(line, *x)) } }
                            } }
                        }
                    }
                }
                @if xs.len() > TABLE { p.muted { "The first " (TABLE) " of " (xs.len()) "." } }
            }
        }
    }

    /// Returns the chart as a stand-alone file, in light colors on white.
    pub(super) fn file(&self) -> String {
        let lines: Vec<Line> = self.lines.iter().map(thinned).collect();
        file::svg(self, &lines)
    }
}

/// Returns the sample stroke of a line for the legend.
fn key(line: &Line) -> Markup {
    html! {
        svg.key width="22" height="10" aria-hidden="true" focusable="false" {
            line x1="1" y1="5" x2="21" y2="5" class={ "line c" (line.color) } stroke-width="2.5"
                stroke-dasharray=[line.dashed.then_some("4 3")] {}
        }
    }
}
