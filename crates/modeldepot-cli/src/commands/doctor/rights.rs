//! What the login may do in the models bucket, and what the server can do.

use modeldepot::s3::{Capabilities, ChecksumSupport, CopySupport, UnsignedHeaders};
use modeldepot::{Error as Depot, ErrorKind, ModelStorage, Probed};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::line::Line;
use super::service::Service;
use super::{within, within_time};
use crate::error::Error;

/// What is written to find out whether it can be.
const BODY: &[u8] = b"modeldepot doctor\n";

/// How long the whole probe may take: it is some hundred requests, a few at a time.
const PROBE: std::time::Duration = std::time::Duration::from_secs(60);

/// Returns the name of the object that the permissions are tried with.
pub(super) fn scratch() -> String {
    format!(".depot/doctor/{}", Uuid::new_v4())
}

/// Returns what needs a permission to read.
fn needed(action: &str) -> &'static str {
    match action {
        "s3:ListBucket" => "all commands need it, except a pull, show or verify of an exact version",
        _ => "all commands that read need it",
    }
}

/// Tries what only reads. Without an object to read, whether objects may be read cannot always be told.
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

/// Tells what the server can do as far as an earlier probe found out, whose result is kept in the bucket.
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

/// Tries each action by itself.
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

    // For a missing object, servers answer 404 only with the permission to read and to list.
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
    // For hosts that only pull, a key that may not write is the right one.
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

    let deleted = within(client, "delete", client.delete_object(bucket, key)).await;
    let leftover = if wrote && deleted.is_err() { format!(" (`{key}` could not be deleted)") } else { String::new() };
    let needed = format!("required to release the lease of a push, and by `rm` and `gc`{leftover}");
    tell(written("may delete", "s3:DeleteObject", &needed, deleted));
    parts.into_iter().for_each(&mut tell);
    if read_only {
        tell(Line::note("access", "read and write", "reads work; writes are refused").change(
            "a read-only key is enough to pull and verify; push, rm and gc need s3:PutObject and s3:DeleteObject",
        ));
    }
    wrote
}

/// Finds out what the server can do, and says what is done about what it cannot.
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
    let swap = "overwrite with a wrong ETag";
    let checksum = "upload with a wrong checksum";
    let payload = "upload with an unsigned payload";
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
        if found.compare_and_swap {
            Line::good("If-Match", swap, "refused, as expected")
        } else {
            Line::note("If-Match", swap, "not enforced; modeldepot does not rely on it")
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
        if found.unsigned_payload {
            Line::good("payload", payload, "accepted: push reads each file once")
        } else {
            Line::bad("payload", ErrorKind::Denied, payload, "refused: push does not work with this server")
                .change("allow unsigned payloads (a policy may forbid them by s3:x-amz-content-sha256)")
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
            _ => Line::note("part copy", copy, "not tested yet: the first push that needs it does"),
        },
        upload_urls(found.unsigned_headers),
    ]
}

fn probed(at: OffsetDateTime) -> String {
    format!("probed at {}", at.format(&Rfc3339).unwrap_or_default())
}

/// Says what the holder of a presigned URL for an upload can do with it.
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
