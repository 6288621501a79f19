//! The project's buckets and their objects.

mod object;
mod objects;

use axum::extract::State;
use axum::http::StatusCode;
use maud::html;
use modeldepot::{BucketName, Error, ErrorKind};

use super::href;
use super::page::{Page, Place};
use super::refusal::{Refusal, Result, with_code};
use super::shown::shown;
use crate::problem::Problem;
use crate::state::App;

pub(super) use self::object::{delete, get as fetch, upload, view};
pub(super) use self::objects::get;

pub(super) async fn list(State(app): State<App>) -> Result {
    let settings = &app.service.settings;
    let mut rows = Vec::new();
    for bucket in settings.buckets.all() {
        let what = match settings.buckets.setting(bucket) {
            Some("S3_BUCKET_MODELS") => "Trained models",
            Some("S3_BUCKET_IMAGES") => "Images of the data set",
            _ => "Other data",
        };
        let state = match app.storage.client().list_level(bucket, "", None, 1).await {
            Ok(listed) if listed.folders.is_empty() && listed.objects.is_empty() => html! { "empty" },
            Ok(_) => html! { span.good { "available" } },
            Err(error) => html! { span.bad { (with_code(&error.to_string())) } },
        };
        rows.push((bucket, what, state));
    }
    let body = html! {
        div.head { div { h1 { "Buckets" } } }
        div.scroll {
            table {
                thead { tr { th scope="col" { "Bucket" } th scope="col" { "Holds" } th scope="col" { "State" } } }
                tbody {
                    @for (bucket, what, state) in &rows {
                        tr { th scope="row" { a href=(href_of(bucket, "")) { (bucket) } } td { (what) } td { (state) } }
                    }
                }
            }
        }
    };
    Ok(Page::new(Place::Buckets, "Buckets", body))
}

/// Returns the bucket if it is one of the project's: the console gives no access to other buckets of the S3 account.
fn known(app: &App, bucket: &str) -> Result<BucketName> {
    let all = app.service.settings.buckets.all();
    all.iter().copied().find(|known| known.as_str() == bucket).cloned().ok_or_else(|| {
        let names: Vec<String> = all.iter().map(|name| format!("`{name}`")).collect();
        let problem = Problem::new(ErrorKind::NotFound, format!("`{}` is not a bucket of this project", shown(bucket)));
        Refusal(problem.hint(format!("its buckets are {}", names.join(", "))))
    })
}

/// Turns S3's refusal of a malformed request into an error about the address, which anyone can write.
fn of_address(error: Error) -> Refusal {
    let refused = match &error {
        Error::Other(error) => error.code().is_some_and(|code| {
            // Some servers have their own codes, such as `XMinioInvalidObjectName`.
            code.contains("Invalid") || ["KeyTooLongError", "HTTP 400", "the request could not be made"].contains(&code)
        }),
        _ => false,
    };
    if !refused {
        return error.into();
    }
    let mut problem = Problem::from(&error).status(StatusCode::BAD_REQUEST).hint("use a link in the list of objects");
    problem.kind = ErrorKind::Invalid;
    Refusal(problem)
}

fn href_of(bucket: &BucketName, prefix: &str) -> String {
    let path = format!("/buckets/{bucket}");
    if prefix.is_empty() { path } else { href::query(&path, &[("prefix", prefix)]) }
}
