//! `modeldepot s3`: operations on plain buckets and objects.

use std::io;
use std::path::{Path, PathBuf};

use futures_util::StreamExt as _;
use modeldepot::advice::Advice;
use modeldepot::s3::{PresignedMethod, UploadOptions};
use modeldepot::{Change, ModelStorage, S3Client, SourceError};
use serde_json::json;

use super::{Context, rfc3339};
use crate::args::{CpArgs, S3Address, S3Command};
use crate::error::Error;
use crate::ui::{DIM, Table, clean, date, plural, size, styled};

pub(crate) async fn run(command: S3Command, cx: &Context<'_>) -> Result<(), Error> {
    let storage = ModelStorage::open(cx.settings).await?;
    let client = storage.client().clone();
    // Only the verbs for versions may change objects of a published version.
    let refuse = async |address: &S3Address, change, force| match force {
        true => Ok(()),
        false => storage.refuse_change(&address.bucket, &address.key, change).await.map_err(guarded),
    };
    match command {
        S3Command::Mb { address } => make(&client, &address, cx).await,
        S3Command::Ls { address: None } => buckets(&client, cx).await,
        S3Command::Ls { address: Some(address) } => list(&client, &address, cx).await,
        S3Command::Cp(args) => copy(&storage, args, cx).await,
        S3Command::Stat { address } => stat(&client, &address, cx).await,
        S3Command::Rm { address, force } => {
            refuse(&address, Change::Delete, force).await?;
            // A server answers the same whether or not there was an object. A login that may only delete is not told.
            let existed = match client.object_exists(&address.bucket, &address.key).await {
                Ok(existed) => existed,
                Err(modeldepot::Error::Denied { .. }) => true,
                Err(error) => return Err(error.into()),
            };
            if existed {
                client.delete_object(&address.bucket, &address.key).await?;
            }
            if cx.ui.json {
                return cx.ui.answer_json(&json!({"deleted": existed.then(|| address.to_string())}));
            }
            match existed {
                true => cx.ui.answer(format_args!("deleted {address}")),
                false => cx.ui.answer(format_args!("nothing to delete: {address} does not exist")),
            }
        }
        S3Command::Url { address, expires, put, force } => {
            if put {
                refuse(&address, Change::Store, force).await?;
                if !force {
                    storage.check_upload_urls().await.map_err(Error::UploadUrl)?;
                }
            }
            let method = if put { PresignedMethod::Put } else { PresignedMethod::Get };
            let url = client.presign(&address.bucket, &address.key, method, expires.0).await?;
            if cx.ui.json {
                let method = if put { "PUT" } else { "GET" };
                return cx.ui.answer_json(&json!({"url": url, "method": method, "expires_in": expires.0.as_secs()}));
            }
            cx.ui.answer(url)
        }
        S3Command::Exists { address } => {
            let exists = if address.key.is_empty() {
                client.bucket_exists(&address.bucket).await?
            } else {
                client.object_exists(&address.bucket, &address.key).await?
            };
            if cx.ui.json {
                cx.ui.answer_json(&json!({"exists": exists}))?;
            } else {
                cx.ui.answer(exists)?;
            }
            if exists { Ok(()) } else { Err(Error::Absent) }
        }
    }
}

async fn make(client: &S3Client, address: &S3Address, cx: &Context<'_>) -> Result<(), Error> {
    if !address.key.is_empty() {
        let message = format!("`{address}` is not just a bucket");
        return Err(Error::Usage { message, hint: "buckets have no folders; use `/` in keys instead" });
    }
    let made = client.create_bucket(&address.bucket).await?;
    if cx.ui.json {
        return cx.ui.answer_json(&json!({"bucket": address.bucket, "created": made}));
    }
    cx.ui.answer(format_args!("{address} {}", if made { "created" } else { "exists" }))
}

/// Lists only the buckets of the project, not all buckets of the account.
async fn buckets(client: &S3Client, cx: &Context<'_>) -> Result<(), Error> {
    let mut answer = Vec::new();
    for bucket in cx.settings.buckets.all() {
        let exists = client.bucket_exists(bucket).await?;
        if cx.ui.json {
            answer.push(json!({"bucket": bucket, "exists": exists}));
        } else {
            let missing = if exists { String::new() } else { styled(DIM, "  (missing: `modeldepot init` creates it)") };
            cx.ui.answer(format_args!("s3://{bucket}{missing}"))?;
        }
    }
    if cx.ui.json { cx.ui.answer_json(&answer) } else { Ok(()) }
}

async fn list(client: &S3Client, address: &S3Address, cx: &Context<'_>) -> Result<(), Error> {
    let objects = client.list_objects(&address.bucket, &address.key).await?;
    if cx.ui.json {
        let objects: Vec<_> = objects
            .iter()
            .map(|object| {
                let modified = rfc3339(object.modified);
                json!({"key": object.key, "size": object.size, "etag": object.etag, "modified": modified})
            })
            .collect();
        return cx.ui.answer_json(&objects);
    }
    if objects.is_empty() {
        cx.ui.note(format_args!("no objects under {address}"));
        return Ok(());
    }
    let mut table = Table::new(&["MODIFIED", "SIZE>", "KEY"]);
    let total = objects.iter().map(|object| object.size).fold(0, u64::saturating_add);
    let count = objects.len();
    for object in objects {
        table.row([date(object.modified), size(object.size), clean(&object.key).into_owned()]);
    }
    table.lines().iter().try_for_each(|line| cx.ui.answer(line))?;
    cx.ui.note(styled(DIM, format_args!("{}, {}", plural(count, "object"), size(total))));
    Ok(())
}

/// Adds --force to the hint of a refused change.
fn guarded(error: modeldepot::Error) -> Error {
    match error.advice(None) {
        Some(Advice::DeleteVersion { .. } | Advice::LeaveRecord) => Error::Guarded(error),
        _ => error.into(),
    }
}

async fn copy(storage: &ModelStorage, args: CpArgs, cx: &Context<'_>) -> Result<(), Error> {
    let client = storage.client();
    let refused = |message: String| Error::Usage { message, hint: "write addresses as `s3://BUCKET/KEY`" };
    let address = |text: &str| text.parse::<S3Address>().map_err(|rule| refused(format!("`{text}`: {rule}")));
    match (S3Address::is_meant(&args.from), S3Address::is_meant(&args.to)) {
        (false, true) => {
            let to = address(&args.to)?;
            upload(storage, args, to, cx).await
        }
        (true, false) => {
            if args.content_type.is_some() || !args.meta.is_empty() || args.force {
                let message = "--content-type, --meta and --force apply only when copying to an object";
                return Err(refused(message.to_owned()));
            }
            let from = S3Address::with_key(&args.from).map_err(|rule| refused(format!("`{}`: {rule}", args.from)))?;
            match args.to.as_str() {
                STDIO => print(client, &from, cx).await,
                to => download(client, &from, PathBuf::from(to), cx).await,
            }
        }
        (true, true) => Err(refused("both sides are objects; copy through a file".to_owned())),
        (false, false) => Err(refused("neither side is an object".to_owned())),
    }
}

/// Stands for stdin as a source and stdout as a destination.
const STDIO: &str = "-";

async fn upload(storage: &ModelStorage, args: CpArgs, mut to: S3Address, cx: &Context<'_>) -> Result<(), Error> {
    let (client, from) = (storage.client(), Path::new(&args.from));
    if args.from == STDIO && (to.key.is_empty() || to.key.ends_with('/')) {
        let message = format!("`{to}` names no object, and stdin has no file name to use");
        return Err(Error::Usage { message, hint: "name the object: `s3://BUCKET/KEY`" });
    }
    if to.key.is_empty() || to.key.ends_with('/') {
        let name = from.file_name().and_then(|name| name.to_str());
        to.key.push_str(name.ok_or_else(|| SourceError::NotUtf8 { path: from.to_owned() })?);
    }
    if !args.force {
        storage.refuse_change(&to.bucket, &to.key, Change::Store).await.map_err(guarded)?;
    }
    let mut options = UploadOptions::default().metadata(args.meta.into_iter().collect());
    options.content_type = args.content_type;
    let spooled = if args.from == STDIO { Some(spool().await?) } else { None };
    let from = spooled.as_ref().map_or(from, |file| file.path());
    let bar = cx.ui.bar("copying");
    // A missing or unreadable file is reported by the upload.
    let total = from.metadata().map_or(0, |found| found.len());
    let stored = client.upload_file(from, &to.bucket, &to.key, &options, bar.bytes(total)).await?;
    let pace = bar.pace(stored.size);
    drop(bar);
    if cx.ui.json {
        return cx.ui.answer_json(&json!({"to": to.to_string(), "size": stored.size, "etag": stored.etag}));
    }
    cx.ui.answer(format_args!("{} -> {to} ({} in {pace})", args.from, size(stored.size)))
}

/// Copies stdin to a temporary file: parts need checksums before they are sent, and may be sent again after a failure.
async fn spool() -> Result<tempfile::NamedTempFile, Error> {
    let copied = tokio::task::spawn_blocking(|| {
        let mut file = tempfile::Builder::new().prefix("modeldepot-stdin-").tempfile()?;
        io::copy(&mut io::stdin().lock(), file.as_file_mut())?;
        Ok(file)
    });
    copied.await.map_err(io::Error::from).flatten().map_err(Error::io("copy stdin to", std::env::temp_dir()))
}

/// Writes an object to stdout as it arrives.
async fn print(client: &S3Client, from: &S3Address, cx: &Context<'_>) -> Result<(), Error> {
    if cx.ui.json {
        let message = "--json cannot be combined with the destination `-`".to_owned();
        return Err(Error::Usage { message, hint: "copy to a file, or omit --json" });
    }
    let object = client.open_object(&from.bucket, &from.key).await?;
    let mut stream = std::pin::pin!(object.stream(0..object.metadata().size));
    while let Some(bytes) = stream.next().await {
        cx.ui.answer_bytes(&bytes?)?;
    }
    Ok(())
}

async fn download(client: &S3Client, from: &S3Address, mut to: PathBuf, cx: &Context<'_>) -> Result<(), Error> {
    if to.is_dir() {
        to.push(from.key.rsplit('/').find(|segment| !segment.is_empty()).unwrap_or_default());
    }
    let bar = cx.ui.bar("copying");
    let total = client.get_object_metadata(&from.bucket, &from.key).await?.size;
    let bytes = client.download_file(&from.bucket, &from.key, &to, bar.bytes(total)).await?;
    let pace = bar.pace(bytes);
    drop(bar);
    if cx.ui.json {
        return cx.ui.answer_json(&json!({"from": from.to_string(), "to": to, "size": bytes}));
    }
    cx.ui.answer(format_args!("{from} -> {} ({} in {pace})", to.display(), size(bytes)))
}

async fn stat(client: &S3Client, address: &S3Address, cx: &Context<'_>) -> Result<(), Error> {
    if address.key.is_empty() {
        if !client.bucket_exists(&address.bucket).await? {
            return Err(modeldepot::Error::bucket_not_found(address.bucket.clone(), client.endpoint()).into());
        }
        if cx.ui.json {
            return cx.ui.answer_json(&json!({"bucket": address.bucket}));
        }
        return cx.ui.answer(format_args!("{address} exists"));
    }
    let found = client.get_object_metadata(&address.bucket, &address.key).await?;
    if cx.ui.json {
        return cx.ui.answer_json(&json!({
            "bucket": address.bucket,
            "key": address.key,
            "size": found.size,
            "etag": found.etag,
            "modified": rfc3339(found.modified),
            "content_type": found.content_type,
            "metadata": found.metadata,
            "crc64nvme": found.crc64nvme,
        }));
    }
    let field = |name: &str, value: &str| {
        cx.ui.answer(format_args!("{} {}", styled(DIM, format_args!("{:<13}", clean(name))), clean(value)))
    };
    field("address", &address.to_string())?;
    field("size", &format!("{} ({} bytes)", size(found.size), found.size))?;
    field("modified", &date(found.modified))?;
    field("content type", found.content_type.as_deref().unwrap_or("-"))?;
    field("etag", &found.etag)?;
    if let Some(crc64nvme) = &found.crc64nvme {
        field("crc64nvme", crc64nvme)?;
    }
    for (key, value) in &found.metadata {
        field(key, value)?;
    }
    Ok(())
}
