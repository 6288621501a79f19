//! Parts of messages that depend on more than one field.

use std::time::Duration;

use crate::s3::UnsignedHeaders;

/// Says why URLs for uploads are not safe.
pub(super) fn unsafe_urls(found: UnsignedHeaders) -> &'static str {
    match found {
        UnsignedHeaders::Copied => {
            "the server obeys headers that were not signed, so anyone holding one can copy any object that its \
             signer can read"
        }
        _ => "the server accepts no presigned URL, so it cannot be told what else one allows",
    }
}

/// Spells a time as a setting does.
pub(super) fn spelled(time: Duration) -> String {
    if time.subsec_millis() > 0 { format!("{} ms", time.as_millis()) } else { format!("{} s", time.as_secs()) }
}

pub(super) fn refused(status: u16, login: bool, endpoint: &str) -> String {
    match status {
        407 if login => format!("on the way to `{endpoint}` does not accept the login: HTTP 407"),
        407 => format!("on the way to `{endpoint}` asks for a login: HTTP 407"),
        502..=504 => format!("cannot reach `{endpoint}`: HTTP {status}"),
        _ => format!("refuses requests to `{endpoint}`: HTTP {status}"),
    }
}
