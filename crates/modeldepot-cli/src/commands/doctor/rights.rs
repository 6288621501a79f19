//! Permissions in the models bucket, and the capabilities of the server.

use modeldepot::s3::{Capabilities, ChecksumSupport, CopySupport, UnsignedHeaders, UploadOptions};
use modeldepot::{Error as Depot, ErrorKind, ModelStorage, Probed};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::line::Line;
use super::service::Service;
use super::{within, within_time};
use crate::error::Error;

/// The content of the test object.
const BODY: &[u8] = b"modeldepot doctor\n";

/// How long the whole probe may take: it sends about a hundred requests, a few at a time.
const PROBE: std::time::Duration = std::time::Duration::from_secs(60);

/// Returns the key of the object used to test permissions.
pub(super) fn scratch() -> String {
    format!(".depot/doctor/{}", Uuid::new_v4())
}

/// Returns the commands that need a read permission.
fn needed(action: &str) -> &'static str {
    match action {
        "s3:ListBucket" => "all commands need it, except a pull, show or verify of an exact version",
        _ => "all commands that read need it",
    }
}

/// Runs the checks that only read. Without an object to read, read permission cannot always be determined.
pub(super) async fn reading(service: &Service, mut tell: impl FnMut(Line)) {
    let (client, bucket) = (&service.client, &service.settings.buckets.models);
    let said = |check, action: &'static str, done: Result<(), Error>| match done {
        Ok(()) => Line::good(check, action, "allowed"),
        Err(Error::Depot(Depot::Denied { code, .. })) => {
            Line::bad(check, ErrorKind::Denied, action, format!("denied ({code})"))
                .change(format!("{}; ask for a policy that allows {action}", needed(action)))
        }
        Err(error) => Line::failed(check, action, error, &service.settings),
    };
    let listed = within(client, "list", client.list_objects(bucket, &scratch())).await.map(drop);
    let lists = listed.is_ok();
    tell(said("may list", "s3:ListBucket", listed));
    let got = within(client, "read", client.get_small(bucket, &scratch(), 1024)).await.map(drop);
    tell(match got {
        Err(Error::Depot(Depot::Denied { .. })) if !lists => Line::note(
            "may get",
            "s3:GetObject",
            "unknown without the permission to list; probe the server to find out",
        ),
        got => said("may get", "s3:GetObject", got),
    });
}

/// Reports the server's capabilities as found by an earlier probe, whose result is stored in the bucket.
pub(super) async fn known(service: &Service, mut tell: impl FnMut(Line)) {
    let known = match ModelStorage::open(&service.settings).await {
        Ok(storage) => within(&service.client, "read", storage.last_probe()).await,
        Err(error) => Err(error.into()),
    };
    match known {
        Ok(Some(Probed { capabilities, probed_at, .. })) => {
            lines(&capabilities)
                .into_iter()
                .for_each(|line| tell(line.details(probed_at.iter().map(|at| probed(*at)).collect())));
        }
        Ok(None) => tell(Line::skipped("abilities", "this server was not probed in the last week")),
        Err(error) => tell(Line::failed("abilities", "read the last probe", error, &service.settings)),
    }
}

/// Tries each action separately.
pub(super) async fn rights(service: &Service, key: &str, mut tell: impl FnMut(Line)) -> bool {
    let (client, bucket) = (&service.client, &service.settings.buckets.models);
    let told = |check, action: &'static str, needed: &str, done: Result<(), Error>| match done {
        Ok(()) => Line::good(check, action, "allowed"),
        Err(Error::Depot(Depot::Denied { code, .. })) => {
            Line::bad(check, ErrorKind::Denied, action, format!("denied ({code})")).change(format!(
                "{needed}; ask for a policy that allows {}",
                action.split(',').next().unwrap_or(action)
            ))
        }
        Err(error) => Line::failed(check, action, error, &service.settings),
    };
    let listed = within(client, "list", client.list_objects(bucket, key)).await.map(drop);
    let lists = listed.is_ok();
    tell(told("may list", "s3:ListBucket", needed("s3:ListBucket"), listed));

    let put = within(client, "store", client.put_small(bucket, key, BODY.into(), "text/plain")).await;
    let wrote = put.is_ok();

    // For a missing object, servers only answer 404 to a caller who may read and list.
    let cannot_tell =
        |done: &Result<(), Error>| !wrote && !lists && matches!(done, Err(Error::Depot(Depot::Denied { .. })));
    let read = |check, done: Result<(), Error>| {
        if cannot_tell(&done) {
            return Line::note(check, "s3:GetObject", "unknown without an object to read or the permission to list");
        }
        told(check, "s3:GetObject", needed("s3:GetObject"), done)
    };
    let got = within(client, "read", client.get_small(bucket, key, 1024)).await.and_then(|got| match got {
        Some(bytes) if bytes != BODY => Err(Error::Untrue("the object came back with different content".to_owned())),
        None if wrote => Err(Error::Untrue("the object that was just stored does not exist".to_owned())),
        _ => Ok(()),
    });
    // A key without write permission is right for hosts that only pull.
    let read_only = lists && got.is_ok() && matches!(put, Err(Error::Depot(Depot::Denied { .. })));
    let written = |check, action, needed: &str, done: Result<(), Error>| match done {
        Err(Error::Depot(Depot::Denied { code, .. })) if read_only => {
            Line::note(check, action, format!("denied ({code})"))
        }
        done => told(check, action, needed, done),
    };
    tell(written("may put", "s3:PutObject", "required for push, not for pull", put));
    tell(read("may get", got));

    let head = match within(client, "look at", client.get_object_metadata(bucket, key)).await {
        Err(Error::Depot(Depot::ObjectNotFound { .. })) if !wrote => Ok(()),
        head => head.map(drop),
    };
    tell(read("may head", head));

    let begun = within(client, "begin an upload", client.begin_multipart_upload(bucket, key)).await;
    let parts = match begun {
        Ok(id) => match within(client, "abort", client.abort_multipart_upload(bucket, key, &id)).await {
            Err(Error::Depot(Depot::Denied { code, .. })) => {
                let line = Line::bad(
                    "may send parts",
                    ErrorKind::Denied,
                    "s3:AbortMultipartUpload",
                    format!("denied ({code})"),
                );
                Some(line.change("failed pushes leave parts behind; ask for a policy that allows it"))
            }
            aborted => {
                Some(written("may send parts", "s3:PutObject, in parts", "required to push large files", aborted))
            }
        },
        Err(error) => {
            Some(written("may send parts", "s3:PutObject, in parts", "required to push large files", Err(error)))
        }
    };

    let uploaded = if wrote { Some(upload(service, key).await) } else { None };

    let deleted = within(client, "delete", client.delete_object(bucket, key)).await;
    let leftover = if wrote && deleted.is_err() { format!(" (`{key}` could not be deleted)") } else { String::new() };
    let needed = format!("required to release the lease of a push, and by `rm` and `gc`{leftover}");
    tell(written("may delete", "s3:DeleteObject", &needed, deleted));
    parts.into_iter().chain(uploaded).for_each(&mut tell);
    if read_only {
        tell(Line::note("access", "read and write", "reads work; writes are refused").change(
            "a read-only key is enough to pull and verify; push, rm and gc need s3:PutObject and s3:DeleteObject",
        ));
    }
    wrote
}

/// Uploads a file as a push does: the signature does not cover its bytes, so that they are read once.
async fn upload(service: &Service, key: &str) -> Line {
    const CHECK: &str = "payload";
    const TRIED: &str = "upload with an unsigned payload";
    let (client, bucket) = (&service.client, &service.settings.buckets.models);
    let file = tempfile::NamedTempFile::new().and_then(|file| std::fs::write(&file, BODY).map(|()| file));
    let file = match file.map_err(Error::io("create a file in", std::env::temp_dir())) {
        Ok(file) => file,
        Err(error) => return Line::failed(CHECK, TRIED, error, &service.settings),
    };
    let options = UploadOptions::default();
    match within(client, "upload", client.upload_file(file.path(), bucket, key, &options, |_| {})).await {
        Ok(_) => Line::good(CHECK, TRIED, "accepted: push reads each file once"),
        Err(Error::Depot(Depot::Denied { .. })) => {
            Line::bad(CHECK, ErrorKind::Denied, TRIED, "refused: push does not work with this server")
                .change("allow unsigned payloads (a policy may forbid them by s3:x-amz-content-sha256)")
        }
        Err(error) => Line::failed(CHECK, TRIED, error, &service.settings),
    }
}

/// Probes the server's capabilities, and reports how modeldepot works around missing ones.
pub(super) async fn abilities(service: &Service, mut tell: impl FnMut(Line)) {
    let probed = match ModelStorage::open(&service.settings).await {
        Ok(storage) => within_time(PROBE, &service.client, "probe", storage.probe()).await,
        Err(error) => Err(error.into()),
    };
    let Probed { capabilities, .. } = match probed {
        Ok(probed) => probed,
        Err(error) => return tell(Line::failed("create", "probe the server", error, &service.settings)),
    };
    lines(&capabilities).into_iter().for_each(&mut tell);
}

fn lines(found: &Capabilities) -> Vec<Line> {
    let create = "create an object from 16 writers";
    let checksum = "upload with a wrong checksum";
    let copy = "copy a part within the server";
    vec![
        if found.create_if_absent {
            Line::good("create", create, "exactly one succeeds: the server prevents conflicting pushes")
        } else {
            Line::note(
                "create",
                create,
                "the condition is ignored or unreliable: only leases prevent conflicting pushes",
            )
            .change("do not suspend a push for more than 10 minutes: it could overwrite another; `verify` detects that")
        },
        match found.crc64nvme {
            ChecksumSupport::Verified => Line::good("CRC64NVME", checksum, "refused: damage in transit is detected"),
            ChecksumSupport::Ignored => Line::note(
                "CRC64NVME",
                checksum,
                "accepted: the server does not check it; pull still verifies every digest",
            ),
            _ => Line::note(
                "CRC64NVME",
                checksum,
                "not supported: parts are sent without it; pull still verifies every digest",
            ),
        },
        match found.part_copy {
            CopySupport::Checked => {
                Line::good("part copy", copy, "works, and a wrong checksum of the object is refused")
            }
            CopySupport::Hashed => Line::good("part copy", copy, "works, and the response has the MD5 of the copy"),
            CopySupport::Unchecked => {
                Line::note("part copy", copy, "works, but copies cannot be verified: push sends all data")
            }
            CopySupport::None => Line::note("part copy", copy, "not supported: push sends all data"),
            _ => Line::note("part copy", copy, "not tested yet: the first push that could use it tests it"),
        },
        upload_urls(found.unsigned_headers),
    ]
}

fn probed(at: OffsetDateTime) -> String {
    format!("probed at {}", at.format(&Rfc3339).unwrap_or_default())
}

/// Reports what the holder of an upload URL can do with it.
fn upload_urls(found: UnsignedHeaders) -> Line {
    const CHECK: &str = "upload URLs";
    const TRIED: &str = "copy another object with an upload URL";
    match found {
        UnsignedHeaders::Refused => Line::good(CHECK, TRIED, "refused: the URL permits only that upload"),
        UnsignedHeaders::Ignored => Line::good(CHECK, TRIED, "not copied: the URL permits only that upload"),
        UnsignedHeaders::Obeyed => Line::note(
            CHECK,
            TRIED,
            "not copied, but anyone with such a URL can also set metadata and permissions of that object",
        ),
        UnsignedHeaders::Copied => {
            Line::note(CHECK, TRIED, "copied: anyone with an upload URL can copy any object that your key can read")
                .change(
                    "update the server, or use a key that can read nothing else; modeldepot does not sign such URLs",
                )
        }
        _ => {
            Line::note(CHECK, TRIED, "not tested: the server accepts no presigned URLs, so none are signed for uploads")
        }
    }
}
