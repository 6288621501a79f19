//! The servers of the contract suite: their probed capabilities, and the checks in which they differ.
//!
//! A check that a server is known to fail runs all the same, and must fail in the way listed here. So both improvements
//! and regressions of a new server version show.

use std::any::Any;
use std::fs;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;

use futures_util::FutureExt as _;
use modeldepot::s3::{Capabilities, ChecksumSupport, CopySupport, UnsignedHeaders, UploadOptions};

use crate::backend::Backend;
use crate::client::http_with;
use crate::unspellable::presigned;

/// A server of the contract suite.
#[derive(Debug)]
pub(crate) struct Server {
    /// The module of its checks, and its row in `docs/servers.md`.
    pub(crate) name: &'static str,
    /// The variable with its endpoint; `None` for the embedded server.
    pub(crate) variable: Option<&'static str>,
    /// What the probe finds.
    pub(crate) does: Capabilities,
}

/// What AWS documents, and most servers do.
const ALL: Capabilities = Capabilities::AWS;

/// The same without conditional writes.
const UNCONDITIONAL_DOES: Capabilities = {
    let mut does = ALL;
    does.create_if_absent = false;
    does
};

/// The same without copies of parts into an upload with checksums.
const HASHED: Capabilities = {
    let mut does = ALL;
    does.part_copy = CopySupport::Hashed;
    does
};

pub(crate) static EMBEDDED: Server = Server { name: "embedded", variable: None, does: ALL };

/// The embedded server, with the models in a folder of a shared bucket.
pub(crate) static IN_A_FOLDER: Server = Server { name: "in_a_folder", variable: None, does: ALL };

/// The embedded server with rules of AWS that servers on one machine do not have, in another region than the configured
/// one, and with a default retention on every bucket.
pub(crate) static AWS_RULES: Server = Server { name: "aws_rules", variable: None, does: ALL };

/// The embedded server in the mode that accepts conditions but ignores them.
pub(crate) static UNCONDITIONAL: Server = Server { name: "unconditional", variable: None, does: UNCONDITIONAL_DOES };

pub(crate) static MINIO: Server = Server {
    name: "minio",
    variable: Some("MODELDEPOT_TEST_MINIO"),
    // It copies no part into an upload with checksums, and its last open release obeys an unsigned copy header.
    does: {
        let mut does = HASHED;
        does.unsigned_headers = UnsignedHeaders::Copied;
        does
    },
};

pub(crate) static SEAWEEDFS: Server =
    Server { name: "seaweedfs", variable: Some("MODELDEPOT_TEST_SEAWEEDFS"), does: ALL };

pub(crate) static CEPH: Server = Server { name: "ceph", variable: Some("MODELDEPOT_TEST_CEPH"), does: CEPH_DOES };

/// Ceph 16 does not support CRC64NVME.
const CEPH_DOES: Capabilities = {
    let mut does = HASHED;
    does.crc64nvme = ChecksumSupport::Ignored;
    does.unsigned_headers = UnsignedHeaders::Copied;
    does
};

/// Ceph with three OSDs.
pub(crate) static CLUSTER: Server =
    Server { name: "cluster", variable: Some("MODELDEPOT_TEST_CLUSTER"), does: CEPH_DOES };

pub(crate) static VERSITYGW: Server =
    Server { name: "versitygw", variable: Some("MODELDEPOT_TEST_VERSITYGW"), does: HASHED };

pub(crate) static MOTO: Server = Server {
    name: "moto",
    variable: Some("MODELDEPOT_TEST_MOTO"),
    does: {
        let mut does = HASHED;
        does.crc64nvme = ChecksumSupport::Ignored;
        does.unsigned_headers = UnsignedHeaders::Copied;
        does
    },
};

pub(crate) static RCLONE_SERVE: Server = Server {
    name: "rclone_serve",
    variable: Some("MODELDEPOT_TEST_RCLONE"),
    does: {
        let mut does = UNCONDITIONAL_DOES;
        does.crc64nvme = ChecksumSupport::Ignored;
        does.part_copy = CopySupport::None;
        does
    },
};

/// A check that a server is known to fail.
struct Difference {
    server: &'static str,
    check: &'static str,
    /// A part of the failure's message.
    observed: &'static str,
    /// The reason, as shown in `docs/servers.md`.
    why: &'static str,
}

const DIFFERENCES: &[Difference] = &[
    Difference {
        server: "ceph",
        check: "every_key_is_listed_as_it_is",
        observed: "non-XML character",
        why: "does not encode the start of the next page, so a page that ends at a key with a character that XML cannot \
              express is unreadable",
    },
    Difference { server: "moto", check: "a_wrong_key_is_denied", observed: "unwrap_err()", why: "checks no signature" },
    Difference {
        server: "moto",
        check: "presigned_urls_work_without_credentials",
        observed: "a URL to fetch must not store",
        why: "checks no signature",
    },
    Difference {
        server: "moto",
        check: "the_url_of_a_part_takes_no_other_length",
        observed: "HTTP/1.1 200 OK",
        why: "checks no signature",
    },
    Difference {
        server: "moto",
        check: "a_part_that_is_sent_again_is_the_newest",
        observed: "ListPartsResponse",
        why: "answers ListParts with `ListPartsResponse` instead of `ListPartsResult`",
    },
    Difference {
        server: "moto",
        check: "parts_that_others_send_become_a_version",
        observed: "ListPartsResponse",
        why: "answers ListParts with `ListPartsResponse` instead of `ListPartsResult`",
    },
    Difference {
        server: "moto",
        check: "everything_that_a_push_creates_is_marked",
        observed: "ListPartsResponse",
        why: "answers ListParts with `ListPartsResponse` instead of `ListPartsResult`",
    },
    Difference {
        server: "moto",
        check: "an_interrupted_push_resumes",
        observed: "bytes were kept",
        why: "answers ListParts with `ListPartsResponse` instead of `ListPartsResult`, so no part is reused: the push succeeds and sends everything again",
    },
    Difference {
        server: "moto",
        check: "an_interrupted_push_without_a_version_resumes_the_same_one",
        observed: "bytes were kept",
        why: "answers ListParts with `ListPartsResponse` instead of `ListPartsResult`, so no part is reused: the push succeeds and sends everything again",
    },
    Difference {
        server: "moto",
        check: "every_key_is_listed_as_it_is",
        observed: "404 NOT FOUND",
        why: "has no route for a key with a line break",
    },
    Difference {
        server: "moto",
        check: "one_key_stops_no_verb",
        observed: "404 NOT FOUND",
        why: "has no route for a key with a line break",
    },
    Difference {
        server: "moto",
        check: "one_upload_hides_no_other",
        observed: "ListMultipartUploadsResult",
        why: "ignores `encoding-type=url` in listings of unfinished uploads",
    },
    Difference {
        server: "moto",
        check: "what_a_dead_push_left_is_found_and_removed",
        observed: "all of it is too young",
        why: "reports that every unfinished upload began in 2010, so `gc` considers it old",
    },
    Difference {
        server: "versitygw",
        check: "every_key_is_listed_as_it_is",
        observed: "ctl\u{fffd}x",
        why: "ignores `encoding-type=url` and lists control characters as U+FFFD",
    },
    Difference {
        server: "versitygw",
        check: "one_key_stops_no_verb",
        observed: "is not modeldepot's to remove",
        why: "lists control characters as U+FFFD; the keys are still there",
    },
];

/// Runs a check on a server, and stores the result for `docs/servers.md`.
pub(crate) async fn run<F>(server: &'static Server, check: &str, run: impl FnOnce(Backend) -> F)
where
    F: Future<Output = ()>,
{
    let backend = Backend::on(server).await;
    let ran = AssertUnwindSafe(run(backend)).catch_unwind().await;
    let known = DIFFERENCES.iter().find(|known| known.server == server.name && known.check == check);
    match (known, ran) {
        (None, Ok(())) => keep(server, check, "passes"),
        (None, Err(failure)) => std::panic::resume_unwind(failure),
        (Some(known), Ok(())) => {
            panic!("{} passes `{check}`, although it {}: remove it from DIFFERENCES", server.name, known.why)
        }
        (Some(known), Err(failure)) => {
            let said = said(&*failure);
            assert!(said.contains(known.observed), "it fails in another way than with {:?}: {said}", known.observed);
            keep(server, check, known.why);
        }
    }
}

fn said(failure: &(dyn Any + Send)) -> String {
    let text = failure.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| failure.downcast_ref::<String>().cloned()).unwrap_or_default()
}

/// Stores a result for the table of servers that `cargo xtask test` generates.
fn keep(server: &Server, name: &str, text: &str) {
    let Some(folder) = std::env::var_os("MODELDEPOT_TEST_RESULTS") else { return };
    let folder = PathBuf::from(folder).join(server.name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), text).unwrap();
}

/// Reports what the probe finds and how else servers differ, in the words of the table's columns.
pub(crate) async fn what_it_does_is_told(b: Backend) {
    let does = b.storage.probe().await.unwrap().capabilities;
    let yes = |does: bool| if does { "yes" } else { "no" };
    let columns = [
        ("create if absent", yes(does.create_if_absent)),
        ("compare and swap", yes(compare_and_swap(&b).await)),
        ("conditional delete", conditional_delete(&b).await),
        (
            "part copy",
            match does.part_copy {
                CopySupport::Checked => "with checksum",
                CopySupport::Hashed => "with MD5",
                CopySupport::Unchecked => "unchecked",
                CopySupport::None => "no",
                _ => "not tried",
            },
        ),
        (
            "CRC64NVME",
            match does.crc64nvme {
                ChecksumSupport::Verified => "verified",
                ChecksumSupport::Ignored => "ignored",
                _ => "refused",
            },
        ),
        ("unsigned payload", yes(unsigned_payload(&b).await)),
        (
            "unsigned headers",
            match does.unsigned_headers {
                UnsignedHeaders::Refused => "refused",
                UnsignedHeaders::Ignored => "ignored",
                UnsignedHeaders::Obeyed => "obeyed",
                UnsignedHeaders::Copied => "**obeyed, copies**",
                _ => "unknown",
            },
        ),
        ("encoded listings", encoded_listings(&b).await),
    ];
    let lines: String = columns.iter().map(|(column, value)| format!("{column}\t{value}\n")).collect();
    keep(b.on, "_does", &lines);
}

/// Overwrites an object with an `If-Match` condition for another one, and for itself.
async fn compare_and_swap(b: &Backend) -> bool {
    b.put("swap-me", b"bytes").await;
    let url = presigned(b, "PUT", "swap-me", "");
    let swap = async |etag: &str| http_with("PUT", &url, &format!("If-Match: \"{etag}\"\r\n"), b"swapped").await.0;
    let other = swap("00000000000000000000000000000000").await;
    let kept = b.get("swap-me").await == b"bytes";
    let own = b.client().get_object_metadata(b.bucket(), "swap-me").await.unwrap().etag;
    other.contains(" 412") && kept && swap(&own).await.contains(" 200")
}

/// Uploads a file, whose bytes the signature does not cover.
async fn unsigned_payload(b: &Backend) -> bool {
    let file = b.file("unsigned", b"unsigned");
    b.client().upload_file(&file, b.bucket(), "unsigned", &UploadOptions::default(), |_| {}).await.is_ok()
}

/// Deletes an object with an `If-Match` condition for another one.
async fn conditional_delete(b: &Backend) -> &'static str {
    b.put("delete-me", b"bytes").await;
    let url = presigned(b, "DELETE", "delete-me", "");
    let other = "If-Match: \"00000000000000000000000000000000\"\r\n";
    let (status, _) = http_with("DELETE", &url, other, b"").await;
    let stands = b.client().get_small(b.bucket(), "delete-me", 64).await.unwrap().is_some();
    match (status.contains(" 412"), stands) {
        (true, true) => "yes",
        (_, false) => "ignored",
        (false, true) => "refused",
    }
}

/// Requests a listing with URL-encoded keys, which XML can always represent.
async fn encoded_listings(b: &Backend) -> &'static str {
    b.put("listed/a b", b"bytes").await;
    let url = presigned(b, "GET", "", "?list-type=2&prefix=listed%2F&encoding-type=url");
    let (_, page) = http_with("GET", &url, "", b"").await;
    let page = String::from_utf8_lossy(&page);
    // Ceph encodes slashes as well.
    let encoded = page.contains("a+b</Key>") || page.contains("a%20b</Key>");
    match (encoded, page.contains("<EncodingType>url")) {
        (true, true) => "yes",
        (true, false) => "yes, unsaid",
        (false, true) => "said, not done",
        (false, false) => "no",
    }
}
