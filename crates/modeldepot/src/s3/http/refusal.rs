//! Refusals in the log: what the server said, without what lets anybody in.

use std::time::Duration;

use hyper::{HeaderMap, Uri};

use super::secrets::{HIDDEN, Secrets, text};
use crate::visible::visible;

/// The most of a body that the log shows.
const SHOWN: usize = 2 * 1024;

/// Elements of S3's refusals that repeat what the client signed, a session token among it.
const ECHOES: [&str; 7] = [
    "SignatureProvided",
    "StringToSign",
    "StringToSignBytes",
    "CanonicalRequest",
    "CanonicalRequestBytes",
    "Token-0",
    "SecurityToken",
];

/// Parameters and fields that are, or prove, a permission.
const PERMISSIONS: [&str; 6] =
    ["X-Amz-Signature", "X-Amz-Security-Token", "X-Amz-Credential", "AWSAccessKeyId", "Signature", "sig"];

/// An answer that refuses a request. Written to the log when its body has come, or as far as it did.
#[derive(Debug)]
pub(in crate::s3) struct Refusal {
    request: String,
    status: u16,
    ids: String,
    secrets: Secrets,
    took: Duration,
    body: Vec<u8>,
}

impl Refusal {
    /// Begins the entry of a refusal, if the log has it at all.
    pub(in crate::s3) fn begin(
        method: &hyper::Method,
        uri: &Uri,
        secrets: Secrets,
        status: u16,
        headers: &HeaderMap,
        took: Duration,
    ) -> Option<Box<Refusal>> {
        if !tracing::enabled!(tracing::Level::TRACE) {
            return None;
        }
        let ids = ["x-amz-request-id", "x-amz-id-2"].into_iter().filter_map(|name| text(headers, name));
        let ids = ids.map(|id| visible(&secrets.hide(id)).into_owned()).collect::<Vec<_>>().join(" ");
        let query = uri.query().map(|query| format!("?{}", without_permissions(query))).unwrap_or_default();
        let request = format!("{method} {}{query}", uri.path());
        Some(Box::new(Refusal { request, status, ids, secrets, took, body: Vec::new() }))
    }

    /// Takes bytes of the body.
    pub(in crate::s3) fn takes(&mut self, bytes: &[u8]) {
        let left = (4 * SHOWN).saturating_sub(self.body.len());
        self.body.extend_from_slice(&bytes[..bytes.len().min(left)]);
    }
}

impl Drop for Refusal {
    fn drop(&mut self) {
        let Refusal { request, status, ids, secrets, took, body } = self;
        let body = shown(&String::from_utf8_lossy(body), secrets);
        tracing::trace!(%request, status, request_ids = %ids, ?took, %body, "refused");
    }
}

/// Returns the beginning of a body, in one line and without secrets.
fn shown(body: &str, secrets: &Secrets) -> String {
    let mut body = secrets.hide(body).into_owned();
    for name in ECHOES {
        body = without_element(&body, name);
    }
    body = without_permissions(&body);
    // Cut only now: half a secret is one, too.
    let mut end = body.len().min(SHOWN);
    while !body.is_char_boundary(end) {
        end -= 1;
    }
    let more = if end < body.len() { "…" } else { "" };
    format!("{}{more}", visible(&body[..end]))
}

/// Hides what is in each element of this name.
fn without_element(text: &str, name: &str) -> String {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let (mut clean, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(&open) {
        let from = at + open.len();
        clean.push_str(&rest[..from]);
        clean.push_str(HIDDEN);
        rest = &rest[from..];
        // Without its end, all that follows is of it.
        rest = rest.find(&close).map_or("", |to| &rest[to..]);
    }
    clean + rest
}

/// Hides the values of parameters that are, or prove, a permission.
pub(in crate::s3) fn without_permissions(text: &str) -> String {
    let mut clean = text.to_owned();
    for name in PERMISSIONS {
        let (parameter, mut done, mut rest) =
            (format!("{}=", name.to_ascii_lowercase()), String::new(), clean.as_str());
        while let Some(at) = rest.to_ascii_lowercase().find(&parameter) {
            let from = at + parameter.len();
            let whole = at == 0 || !rest.as_bytes()[at - 1].is_ascii_alphanumeric();
            done.push_str(&rest[..from]);
            rest = &rest[from..];
            let end = rest.find(|c: char| c.is_whitespace() || "&\"'<>,;".contains(c)).unwrap_or(rest.len());
            if whole && end > 0 {
                done.push_str(HIDDEN);
                rest = &rest[end..];
            }
        }
        done.push_str(rest);
        clean = done;
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_shows_no_secret() {
        let secrets = Secrets::new(vec!["TOKEN/TOKEN==".to_owned(), "0123abcd".to_owned()]);
        let body = "<Error><Code>SignatureDoesNotMatch</Code><StringToSign>AWS4\nx</StringToSign>\
                    <SignatureProvided>0123abcd</SignatureProvided><CanonicalRequest>x-amz-security-token:TOKEN/TOKEN==\
                    </CanonicalRequest><Note>TOKEN/TOKEN== 0123abcd \
                    https://h/k?X-Amz-Signature=ffff&amp;x-amz-security-token=TTTT&X-Amz-Date=1 Signature=eeee, design=1\
                    </Note><Token-0>secret";
        insta::assert_snapshot!(shown(body, &secrets), @"<Error><Code>SignatureDoesNotMatch</Code><StringToSign>[hidden]</StringToSign><SignatureProvided>[hidden]</SignatureProvided><CanonicalRequest>[hidden]</CanonicalRequest><Note>[hidden] [hidden] https://h/k?X-Amz-Signature=[hidden]&amp;x-amz-security-token=[hidden]&X-Amz-Date=1 Signature=[hidden], design=1</Note><Token-0>[hidden]");
        assert_eq!(shown("", &secrets), "");
        let long = format!("{}TOKEN/TOKEN==", "é".repeat(SHOWN));
        assert!(shown(&long, &secrets).len() <= SHOWN + 3);
        let split = format!("{}TOKEN/TOKEN== x", "a".repeat(SHOWN - 4));
        assert!(!shown(&split, &secrets).contains("TOK"), "a secret that the cut would halve");
        let many = format!("{}TOKEN/TOK", "TOKEN/TOKEN== ".repeat(400));
        assert!(!shown(&many, &secrets).contains("TOK"), "a secret that the limit of what is kept halves");
        assert_eq!(shown("\u{1b}[2J\r\nx", &Secrets::default()), "\\u{1b}[2J\\r\\nx");
    }
}
