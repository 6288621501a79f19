//! The health page: results of `doctor`.

use axum::extract::State;
use axum::response::Redirect;
use maud::{Markup, html};
use modeldepot::units;

use super::page::{Page, Place};
use super::refusal::{Result, with_code};
use super::shown::shown;
use super::visitor::Visitor;
use super::when::when;
use crate::auth::{Publisher, Scope};
use crate::doctor::{Check, Findings, Outcome};
use crate::state::App;

/// Shows checks that do not write, and the results of the last probe.
pub(super) async fn get(State(app): State<App>, visitor: Visitor) -> Result {
    let Some(doctor) = &app.service.doctor else {
        let body = html! {
            div.head { div { h1 { "Health" } } }
            div.empty {
                h2 { "Health checks are not available in this service" }
                p { code { "modeldepot doctor" } " runs the same checks from a terminal." }
            }
        };
        return Ok(Page::new(Place::Health, "Health", body));
    };
    let found = doctor.look().await;
    let body = html! {
        div.head {
            div {
                h1 { "Health" }
                ul.facts { (verdict(&found)) li { "checked " (when(Some(found.at))) } }
            }
            a.button href="/health" { "Check again" }
        }
        ul.checks { @for check in &found.checks { (line(check)) } }
        @if !app.service.gate.read_only { (probe(doctor.probed().as_deref(), &visitor)) }
    };
    Ok(Page::new(Place::Health, "Health", body))
}

/// Runs the checks that write, and shows the page again.
pub(super) async fn post(State(app): State<App>, _: Publisher) -> Redirect {
    if let Some(doctor) = app.service.doctor.clone() {
        // A canceled probe would leave its objects behind.
        let _ = tokio::spawn(async move { doctor.probe().await }).await;
    }
    Redirect::to("/health#probe")
}

fn probe(found: Option<&Findings>, visitor: &Visitor) -> Markup {
    html! {
        section aria-labelledby="probe" {
            h2 id="probe" { "Probe" }
            p.hint {
                "Tests permissions and server capabilities. Writes small objects under " code { ".depot/" }
                " and deletes them again."
            }
            @match found {
                Some(found) => {
                    ul.facts { (verdict(found)) li { "probed " (when(Some(found.at))) } }
                    ul.checks { @for check in &found.checks { (line(check)) } }
                }
                None => p.muted { "Not probed since the service started. A time above is that of the last push or probe that tested the server." },
            }
            @if visitor.may(Scope::Publish, None) {
                form method="post" action="/health/probe" {
                    (visitor.token())
                    button { "Probe now" }
                }
            }
        }
    }
}

fn verdict(found: &Findings) -> Markup {
    let count = |outcome| found.checks.iter().filter(|check| check.outcome == outcome).count();
    let (bad, notes) = (count(Outcome::Bad), count(Outcome::Note));
    html! {
        @if bad == 0 && notes == 0 {
            li { b.good { "All checks passed" } }
        } @else if bad == 0 {
            li { b.good { "No check failed" } }
            li { b.warn { (modeldepot::units::plural(notes, "note")) } }
        } @else {
            li { b.bad { (bad) " of " (found.checks.len()) " checks failed" } }
        }
    }
}

fn line(check: &Check) -> Markup {
    let (mark, class, word) = match check.outcome {
        Outcome::Good => ("✓", "good", "good: "),
        Outcome::Bad => ("✗", "bad", "failed: "),
        Outcome::Note => ("!", "warn", "note: "),
        Outcome::Skipped => ("–", "muted", "skipped: "),
    };
    html! {
        li {
            span class={ "mark " (class) } { span aria-hidden="true" { (mark) } span.sr { (word) } }
            b { (check.name) }
            div.said {
                @if !check.tried.is_empty() { span.muted { (with_code(&check.tried)) ": " } }
                (with_code(&check.found))
                @if !check.details.is_empty() {
                    ul { @for detail in &check.details { li { (shown(&squeezed(detail))) } } }
                }
                @if let Some(change) = &check.change { p { b { "What to do: " } (with_code(change)) } }
            }
            @if check.took.as_millis() >= 100 { span.muted.nowrap { (units::duration(check.took)) } }
        }
    }
}

/// Replaces the spaces that align a line in a terminal with dots.
fn squeezed(line: &str) -> String {
    line.split("  ").map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}
