//! What `doctor` finds, as a page.

use axum::extract::State;
use maud::{Markup, html};
use modeldepot::units;

use super::page::{Page, Place};
use super::refusal::{Result, ticked};
use super::shown::shown;
use super::when::when;
use crate::doctor::{Check, Findings, Outcome};
use crate::state::App;

pub(super) async fn get(State(app): State<App>) -> Result {
    let found = match &app.service.doctor {
        Some(doctor) => Some(doctor.examine().await),
        None => None,
    };
    let body = html! {
        div.head {
            div {
                h1 { "Health" }
                @if let Some(found) = &found { ul.facts { (verdict(found)) li { "tried " (when(Some(found.at))) } } }
            }
            a.button href="/health" { "Try again" }
        }
        @match &found {
            Some(found) => ul.checks { @for check in &found.checks { (line(check)) } },
            None => div.empty {
                h2 { "This service was started without a doctor" }
                p { code { "modeldepot doctor" } " tries the same from a terminal." }
            },
        }
    };
    Ok(Page::new(Place::Health, "Health", body))
}

fn verdict(found: &Findings) -> Markup {
    let bad = found.checks.iter().filter(|check| check.outcome == Outcome::Bad).count();
    html! {
        @if bad == 0 {
            li { b.good { "All is well" } }
        } @else {
            li { b.bad { (bad) " of " (found.checks.len()) " checks failed" } }
        }
    }
}

fn line(check: &Check) -> Markup {
    let (mark, class, word) = match check.outcome {
        Outcome::Good => ("✓", "good", "good: "),
        Outcome::Bad => ("✗", "bad", "failed: "),
        Outcome::Note => ("!", "warn", "worth knowing: "),
        Outcome::Skipped => ("–", "muted", "not tried: "),
    };
    html! {
        li {
            span class={ "mark " (class) } { span aria-hidden="true" { (mark) } span.sr { (word) } }
            b { (check.name) }
            div.said {
                @if !check.tried.is_empty() { span.muted { (ticked(&check.tried)) ": " } }
                (ticked(&check.found))
                @if !check.details.is_empty() {
                    ul { @for detail in &check.details { li { (shown(&squeezed(detail))) } } }
                }
                @if let Some(change) = &check.change { p { b { "What to do: " } (ticked(change)) } }
            }
            @if check.took.as_millis() >= 100 { span.muted.nowrap { (units::duration(check.took)) } }
        }
    }
}

/// Returns a line of a terminal with dots where it was aligned there.
fn squeezed(line: &str) -> String {
    line.split("  ").map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}
