//! One level of a bucket: its folders and objects, as a list or as thumbnails.

use axum::extract::{Path, State};
use maud::{Markup, html};
use modeldepot::s3::{Listed, ListedObject};
use modeldepot::{BucketName, ObjectKey, units};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::object::picture_type;
use super::{href_of, known, of_address};
use crate::auth::Scope;
use crate::console::asked::Asked;
use crate::console::page::{Page, Place};
use crate::console::refusal::Result;
use crate::console::shown::shown;
use crate::console::visitor::Visitor;
use crate::console::when::when;
use crate::state::App;

/// Folders and objects on one page.
const ROWS: u16 = 200;

/// The largest picture shown as a thumbnail, in bytes: it is sent in full and scaled by the browser.
const PICTURE: u64 = 4 * 1024 * 1024;

/// Returns true if deleting the object is offered. It is not for versions and modeldepot's records, nor for objects of
/// the models bucket outside the models folder, which belong to someone else.
/// [`modeldepot::ModelStorage::refuse_change`] decides whether an object may be deleted. the same,
/// [`modeldepot::ModelStorage::refuse_change`] decides.
fn may_touch(app: &App, bucket: &BucketName, key: &str) -> bool {
    if bucket != app.storage.bucket() {
        return true;
    }
    let ours = app.storage.prefix().within(key);
    ours.is_some_and(|key| !key.starts_with(".depot/") && key.parse::<ObjectKey>().is_err())
}

/// Returns the URL of an object; with `view`, for display.
fn object_href(bucket: &BucketName, key: &str, view: bool) -> String {
    let path = format!("/buckets/{bucket}/{}", if view { "view" } else { "object" });
    format!("{path}?key={}", utf8_percent_encode(key, NON_ALPHANUMERIC))
}

pub(in crate::console) async fn get(
    State(app): State<App>,
    Path(bucket): Path<String>,
    visitor: Visitor,
    asked: Asked,
) -> Result {
    let bucket = known(&app, &bucket)?;
    // Unchanged: a prefix may end with a space.
    let prefix = asked.raw("prefix").unwrap_or_default();
    let listed = app.storage.client().list_level(&bucket, prefix, asked.get("next"), ROWS).await.map_err(of_address)?;
    let pictures = listed.objects.iter().filter(|object| is_picture(object)).count();
    let as_pictures = match asked.get("as") {
        Some("list") => false,
        Some("pictures") => true,
        _ => pictures * 2 > listed.objects.len(),
    };
    let body = html! {
        div.head {
            div {
                h1 { bdi { (prefix.trim_end_matches('/').rsplit('/').next().filter(|it| !it.is_empty()).map_or_else(|| bucket.to_string(), shown)) } }
                ul.facts {
                    li { "endpoint " code { (app.storage.client().endpoint()) } }
                    li { code { "s3://" (bucket) "/" (shown(prefix)) } }
                }
            }
            @if pictures > 0 {
                @if as_pictures {
                    a.button href=(asked.with(&[("as", Some("list"))])) { "List view" }
                } @else {
                    a.button href=(asked.with(&[("as", Some("pictures"))])) { "Grid view" }
                }
            }
        }
        @if let Some(done) = asked.get("done") { (done_notice(done)) }
        @if listed.folders.is_empty() && listed.objects.is_empty() { (empty(&bucket, prefix)) } @else {
            (content(&app, &bucket, prefix, &listed, as_pictures, &visitor))
            @if let Some(next) = &listed.next {
                nav.pager aria-label="Pages" {
                    span { "There are more objects." }
                    span.links {
                        @if asked.get("next").is_some() { a.button href=(asked.with(&[("next", None)])) { "First" } }
                        a.button rel="next" href=(asked.with(&[("next", Some(next))])) { "Next" }
                    }
                }
            }
        }
        @if visitor.may(Scope::Publish, None) { (upload(&app, &bucket, prefix, &visitor)) }
    };
    let mut page = Page::new(Place::Buckets, format!("{bucket}/{}", shown(prefix)), body).below("Buckets", "/buckets");
    let folders: Vec<&str> = prefix.split_inclusive('/').collect();
    page =
        if folders.is_empty() { page.here(bucket.as_str()) } else { page.below(bucket.as_str(), href_of(&bucket, "")) };
    for (index, folder) in folders.iter().enumerate() {
        let name = shown(folder.trim_end_matches('/'));
        let last = index + 1 == folders.len();
        page = if last { page.here(name) } else { page.below(name, href_of(&bucket, &folders[..=index].concat())) };
    }
    Ok(page)
}

fn done_notice(done: &str) -> Markup {
    html! {
        @match done {
            "deleted" => div.notice role="status" { p { "Deleted." } },
            "uploaded" => div.notice role="status" { p { "Uploaded." } },
            _ => {},
        }
    }
}

fn is_picture(object: &ListedObject) -> bool {
    picture_type(&object.key).is_some() && object.size <= PICTURE
}

fn content(
    app: &App,
    bucket: &BucketName,
    prefix: &str,
    listed: &Listed,
    as_pictures: bool,
    visitor: &Visitor,
) -> Markup {
    let name = |key: &str| shown(key.strip_prefix(prefix).unwrap_or(key));
    let (pictures, others): (Vec<&ListedObject>, Vec<&ListedObject>) =
        listed.objects.iter().partition(|object| as_pictures && is_picture(object));
    html! {
        form method="post" action={ "/buckets/" (bucket) "/delete" } {
            (visitor.token())
            input type="hidden" name="prefix" value=(prefix);
            @if !listed.folders.is_empty() || !others.is_empty() {
                div.scroll.below tabindex="0" role="region" aria-label="Folders and objects" {
                    table {
                        thead { tr {
                            th.tick scope="col" { span.sr { "Choose" } }
                            th scope="col" { "Name" }
                            th.number scope="col" { "Size" }
                            th.optional scope="col" { "Last modified" }
                        } }
                        tbody {
                            @for folder in &listed.folders {
                                tr {
                                    td.tick {}
                                    th scope="row" { a href=(href_of(bucket, folder)) { bdi { (name(folder)) } } }
                                    td.number { span.muted { "–" } }
                                    td.optional {}
                                }
                            }
                            @for object in &others {
                                tr {
                                    td.tick { @if visitor.may(Scope::Delete, None) { (tick(app, bucket, &object.key, &name(&object.key))) } }
                                    th scope="row" { a href=(object_href(bucket, &object.key, false)) download { bdi { (name(&object.key)) } } }
                                    td.number title={ (object.size) " bytes" } { (units::size(object.size)) }
                                    td.optional { (when(object.modified)) }
                                }
                            }
                        }
                    }
                }
            }
            @if !pictures.is_empty() {
                ul.thumbs {
                    @for object in &pictures {
                        li {
                            a.picture href=(object_href(bucket, &object.key, true)) {
                                img src=(object_href(bucket, &object.key, true)) alt=(name(&object.key)) loading="lazy" width="200" height="130";
                            }
                            div.what {
                                @if visitor.may(Scope::Delete, None) { (tick(app, bucket, &object.key, &name(&object.key))) }
                                span { bdi { (name(&object.key)) } br; span.muted { (units::size(object.size)) } }
                            }
                        }
                    }
                }
            }
            @if visitor.may(Scope::Delete, None) && listed.objects.iter().any(|object| may_touch(app, bucket, &object.key)) {
                p { button.danger data-confirm="Delete the selected objects?" { "Delete selected" } }
            } @else if bucket == app.storage.bucket() && !listed.objects.is_empty() {
                p.hint { (undeleted(app, prefix)) }
            }
        }
    }
}

/// Explains why deleting is not offered in a folder of the models bucket.
fn undeleted(app: &App, folder: &str) -> String {
    let depot = app.storage.prefix();
    match depot.within(folder) {
        Some(_) => "Files of a version are deleted with the version, on its page.".to_owned(),
        None => format!("The models of this service are in {depot}: objects outside it cannot be selected here."),
    }
}

fn tick(app: &App, bucket: &BucketName, key: &str, name: &str) -> Markup {
    html! {
        @if may_touch(app, bucket, key) {
            input type="checkbox" name="key" value=(key) aria-label={ "Choose " (name) };
        }
    }
}

fn upload(app: &App, bucket: &BucketName, prefix: &str, visitor: &Visitor) -> Markup {
    html! {
        section.upload aria-labelledby="upload" {
            h2 id="upload" { "Upload" }
            @if bucket == app.storage.bucket() {
                p { a href="/publish" { "Publish a model" } " instead: the list of models shows only files that belong to a version." }
            } @else {
                form method="post" action={ "/buckets/" (bucket) "/upload" } enctype="multipart/form-data" data-upload {
                    (visitor.token())
                    input type="hidden" name="prefix" value=(prefix);
                    div.drop data-drop {
                        label for="files" { "Files for " code { (bucket) "/" (shown(prefix)) } }
                        input id="files" type="file" name="file" multiple required;
                        p.hint data-drop-hint hidden { "or drop them here" }
                        ul.chosen data-chosen {}
                    }
                    p { button.primary { "Upload" } }
                    div.progress hidden { progress max="1" value="0" aria-labelledby="upload" {} p role="status" aria-live="polite" {} }
                }
            }
        }
    }
}

fn empty(bucket: &BucketName, prefix: &str) -> Markup {
    html! {
        div.empty {
            @if prefix.is_empty() {
                h2 { "Bucket " code { (bucket) } " is empty" }
            } @else {
                h2 { "No objects under this prefix" }
                p { a href=(href_of(bucket, "")) { "Back to the bucket" } }
            }
        }
    }
}
