//! One object of a bucket: fetched, shown if it is a picture, stored, deleted.
//!
//! Whoever may write to a bucket chooses what lies in it. Nothing of it may run here: what is shown is one of few kinds of
//! picture, under a policy that forbids everything else; all the rest is sent to be saved.

use axum::body::Body;
use axum::extract::{Multipart, Path, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Redirect, Response};

use super::asked::Asked;
use super::buckets::{href_of, known};
use super::refusal::{Refusal, Result};
use super::visitor::{MayDelete, MayPublish};
use crate::routes::files::disposition;
use crate::staging;
use crate::state::App;
use modeldepot::Change;
use modeldepot::s3::UploadOptions;

/// The most objects that one form deletes.
const MOST: usize = 1000;

/// Returns the media type of a picture that browsers show and that can hold no script, by the ending of its name.
pub(super) fn picture_type(key: &str) -> Option<&'static str> {
    let (_, ending) = key.rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "bmp" => "image/bmp",
        _ => return None,
    })
}

/// Sends an object to be saved.
pub(super) async fn get(State(app): State<App>, Path(bucket): Path<String>, asked: Asked) -> Result<Response> {
    send(&app, &bucket, &asked, false).await
}

/// Sends a picture to be shown.
pub(super) async fn view(State(app): State<App>, Path(bucket): Path<String>, asked: Asked) -> Result<Response> {
    send(&app, &bucket, &asked, true).await
}

async fn send(app: &App, bucket: &str, asked: &Asked, view: bool) -> Result<Response> {
    let bucket = known(app, bucket)?;
    let key = asked.raw("key").unwrap_or_default();
    if key.is_empty() {
        return Err(Refusal::invalid("no object is named", "follow a link in the bucket's list"));
    }
    let object = app.storage.client().open_object(&bucket, key).await?;
    let size = object.metadata().size;
    let (media_type, way) = match picture_type(key).filter(|_| view) {
        Some(picture) => (picture, "inline"),
        None => ("application/octet-stream", "attachment"),
    };
    let name = key.trim_end_matches('/').rsplit('/').next().unwrap_or(key);
    let headers = [
        (header::CONTENT_TYPE, media_type.to_owned()),
        (header::CONTENT_LENGTH, size.to_string()),
        (header::CONTENT_DISPOSITION, disposition(way, name)),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox".to_owned()),
        (header::CACHE_CONTROL, "private, no-cache".to_owned()),
    ];
    Ok((headers, Body::from_stream(object.stream(0..size))).into_response())
}

/// Deletes objects.
pub(super) async fn delete(
    State(app): State<App>,
    Path(bucket): Path<String>,
    may: MayDelete,
    body: axum::body::Bytes,
) -> Result<Redirect> {
    let form = Asked::parse(&body);
    may.prove(form.get("csrf"))?;
    let bucket = known(&app, &bucket)?;
    let keys: Vec<&str> = form.raw_all("key").filter(|key| !key.is_empty()).collect();
    if keys.is_empty() || keys.len() > MOST {
        return Err(Refusal::invalid(format!("{} objects are chosen", keys.len()), "tick those to delete, up to 1000"));
    }
    for key in &keys {
        app.storage.refuse_change(&bucket, key, Change::Delete).await?;
    }
    for key in &keys {
        app.storage.client().delete_object(&bucket, key).await?;
    }
    Ok(back(&bucket, form.raw("prefix").unwrap_or_default(), "deleted"))
}

/// Stores files.
pub(super) async fn upload(
    State(app): State<App>,
    Path(bucket): Path<String>,
    may: MayPublish,
    mut form: Multipart,
) -> Result<Redirect> {
    let bucket = known(&app, &bucket)?;
    let (mut may, mut prefix, mut stored) = (Some(may), String::new(), 0);
    while let Some(field) = form.next_field().await.map_err(broken)? {
        match field.name().unwrap_or_default() {
            "csrf" => {
                let csrf = field.text().await.map_err(broken)?;
                may.take().map(|may| may.prove(Some(&csrf))).transpose()?;
            }
            "prefix" => prefix = field.text().await.map_err(broken)?,
            "file" => {
                // The token comes first: nothing is stored for a page that is not ours.
                may.take().map(|may| may.prove(None)).transpose()?;
                let name =
                    field.file_name().unwrap_or_default().rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
                if name.is_empty() || matches!(name.as_str(), "." | "..") {
                    continue;
                }
                let key = format!("{prefix}{name}");
                app.storage.refuse_change(&bucket, &key, Change::Store).await?;
                let folder = staging::folder(&app).await?;
                let staged = folder.path().join("object");
                staging::write(&app, &staged, field, |error| broken(error).0).await?;
                let options = UploadOptions::default();
                app.storage.client().upload_file(&staged, &bucket, &key, &options, |_| {}).await?;
                stored += 1;
            }
            _ => {}
        }
    }
    if stored == 0 {
        return Err(Refusal::invalid("no file was sent", "choose files first"));
    }
    Ok(back(&bucket, &prefix, "uploaded"))
}

fn back(bucket: &modeldepot::BucketName, prefix: &str, done: &str) -> Redirect {
    let to = href_of(bucket, prefix);
    Redirect::to(&format!("{to}{}done={done}", if to.contains('?') { '&' } else { '?' }))
}

fn broken(error: axum::extract::multipart::MultipartError) -> Refusal {
    Refusal::invalid(format!("the upload broke off: {}", error.body_text()), "send it again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pictures_that_hold_no_script_are_shown() {
        assert_eq!(picture_type("a/b.JPG"), Some("image/jpeg"));
        for other in ["a.svg", "a.html", "a", "jpg", "a.png/x"] {
            assert_eq!(picture_type(other), None, "{other}");
        }
    }
}
