//! An object of a bucket: download, display of pictures, upload, delete.
//!
//! Objects are untrusted. Nothing in them may run here: only a few kinds of picture are displayed, under a policy that
//! forbids everything else; all other objects are sent as downloads.

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Redirect, Response};
use modeldepot::s3::{UploadOptions, disposition};
use modeldepot::{BucketName, Change, creatable};

use super::{href_of, known, of_address};
use crate::auth::{Deleter, Publisher};
use crate::console::asked::Asked;
use crate::console::refusal::{Refusal, Result};
use crate::form::{Form, Part, Texts};
use crate::log::Note;
use crate::staging::Staged;
use crate::state::App;

/// The most objects deleted with one form.
const MOST: usize = 1000;

/// Returns the media type of a picture that browsers display and that cannot contain scripts, by its file extension.
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

/// Sends an object as a download.
pub(in crate::console) async fn get(
    State(app): State<App>,
    Path(bucket): Path<String>,
    asked: Asked,
) -> Result<Response> {
    send(&app, &bucket, &asked, false).await
}

/// Sends a picture for display.
pub(in crate::console) async fn view(
    State(app): State<App>,
    Path(bucket): Path<String>,
    asked: Asked,
) -> Result<Response> {
    send(&app, &bucket, &asked, true).await
}

async fn send(app: &App, bucket: &str, asked: &Asked, view: bool) -> Result<Response> {
    let bucket = known(app, bucket)?;
    let key = asked.raw("key").unwrap_or_default();
    if key.is_empty() {
        return Err(Refusal::invalid("no object was specified", "use a link in the list of objects"));
    }
    let object = app.storage.client().open_object(&bucket, key).await.map_err(of_address)?;
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
pub(in crate::console) async fn delete(
    State(app): State<App>,
    Path(bucket): Path<String>,
    _: Deleter,
    note: Note,
    body: axum::body::Bytes,
) -> Result<Redirect> {
    let form = Asked::parse(&body);
    let bucket = known(&app, &bucket)?;
    let keys: Vec<&str> = form.raw_all("key").filter(|key| !key.is_empty()).collect();
    if keys.is_empty() || keys.len() > MOST {
        return Err(Refusal::invalid(
            format!("{} objects are selected", keys.len()),
            "select 1 to 1000 objects to delete",
        ));
    }
    keys.iter().for_each(|key| note.key(key));
    for key in &keys {
        app.storage.refuse_change(&bucket, key, Change::Delete).await?;
    }
    for key in &keys {
        app.storage.client().delete_object(&bucket, key).await?;
    }
    Ok(back(&bucket, form.raw("prefix").unwrap_or_default(), "deleted"))
}

/// The text fields of an upload form.
const TEXTS: Texts = &[("prefix", 1024)];

/// The most files in one form.
const MOST_FILES: usize = 1000;

/// Stores files.
pub(in crate::console) async fn upload(
    State(app): State<App>,
    Path(bucket): Path<String>,
    by: Publisher,
    note: Note,
    request: Request,
) -> Result<Redirect> {
    let bucket = known(&app, &bucket)?;
    let mut form = Form::of(request, TEXTS).await?;
    let (mut prefix, mut parts, mut sent) = (String::new(), 0, 0);
    while let Some(part) = form.next().await? {
        let file = match part {
            Part::Text(_, text) => {
                prefix = text;
                continue;
            }
            Part::File(file) => file,
        };
        // Files without a name count as well: browsers send one if no file was chosen, but never many.
        parts += 1;
        if parts > MOST_FILES {
            return Err(Refusal::invalid(format!("there are more than {MOST_FILES} files"), "send fewer at once"));
        }
        let name = file.name().rsplit(['/', '\\']).next().unwrap_or_default();
        if name.is_empty() || matches!(name, "." | "..") {
            continue;
        }
        sent += 1;
        let key = format!("{prefix}{name}");
        // Checked before the bytes are read.
        creatable(&key)?;
        note.key(&key);
        app.storage.refuse_change(&bucket, &key, Change::Store).await?;
        let mut staged = Staged::new(&app.service.staging, by.0.who.name(), None).await?;
        let local = staged.path("object");
        staged.write(&local, file).await?;
        let options = UploadOptions::default();
        let _turn = app.service.staging.publish().await;
        app.storage.client().upload_file(&local, &bucket, &key, &options, |_| {}).await?;
    }
    if sent == 0 {
        return Err(Refusal::invalid("no file was sent", "choose files first"));
    }
    Ok(back(&bucket, &prefix, "uploaded"))
}

fn back(bucket: &BucketName, prefix: &str, done: &str) -> Redirect {
    let to = href_of(bucket, prefix);
    Redirect::to(&format!("{to}{}done={done}", if to.contains('?') { '&' } else { '?' }))
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
