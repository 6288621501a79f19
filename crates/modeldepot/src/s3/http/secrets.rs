//! Which parts of a request are secrets, and how they are kept out of all that is shown of the answer.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::HeaderValue;
use hyper::http::request::Parts;

/// What stands for a secret.
pub(in crate::s3) const HIDDEN: &str = "[hidden]";

/// Headers of a request that are a permission.
const HEADERS: [&str; 5] = [
    "x-amz-security-token",
    "authorization",
    "proxy-authorization",
    "x-amz-sso_bearer_token",
    "x-aws-ec2-metadata-token",
];

/// Headers of an answer that are shown, or kept.
const SHOWN: [&str; 6] =
    ["server", "location", "content-type", "x-amz-bucket-region", "x-amz-request-id", "x-amz-id-2"];

/// What is shorter is no secret, and would be found everywhere.
const SHORTEST: usize = 4;

/// As much of a secret at the end of what is shown is its beginning, and no coincidence.
const BEGINNING: usize = 6;

/// The longest escape: a character of a secret that is cut in two.
const ESCAPE: usize = 10;

/// How often what is escaped may be escaped again.
const LEVELS: usize = 3;

/// The permissions in one request's head. Cheap to clone.
#[derive(Clone, Default)]
pub(in crate::s3) struct Secrets(Arc<Inner>);

#[derive(Default)]
struct Inner {
    texts: Vec<String>,
    needles: OnceLock<Vec<Needle>>,
}

/// What is looked for.
struct Needle {
    bytes: Vec<u8>,
    /// It is a part of something that was encoded as a whole.
    base64: bool,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(…)")
    }
}

impl Secrets {
    /// Returns those of a request.
    pub(in crate::s3) fn of(request: &Parts) -> Secrets {
        let mut texts = Vec::new();
        for value in HEADERS.into_iter().filter_map(|name| text(&request.headers, name)) {
            if let Some((scheme, login)) = value.split_once(' ')
                && (scheme.eq_ignore_ascii_case("basic") || scheme.eq_ignore_ascii_case("bearer"))
            {
                texts.push(login.to_owned());
                if let Some(login) = BASE64_STANDARD.decode(login).ok().and_then(|login| String::from_utf8(login).ok())
                {
                    texts.extend(login.split_once(':').map(|(_, password)| password.to_owned()));
                    texts.push(login);
                }
            }
            texts.extend(value.rsplit_once("Signature=").map(|(_, signature)| signature.to_owned()));
            texts.push(value.to_owned());
        }
        let query = url::form_urlencoded::parse(request.uri.query().unwrap_or_default().as_bytes());
        let permits = |name: &str| {
            ["x-amz-signature", "x-amz-security-token", "signature"].iter().any(|it| name.eq_ignore_ascii_case(it))
        };
        texts.extend(query.filter(|(name, _)| permits(name)).map(|(_, value)| value.into_owned()));
        Secrets::new(texts)
    }

    pub(in crate::s3) fn new(mut texts: Vec<String>) -> Secrets {
        texts.retain(|text| text.len() >= SHORTEST);
        Secrets(Arc::new(Inner { texts, needles: OnceLock::new() }))
    }

    pub(in crate::s3) fn are_none(&self) -> bool {
        self.0.texts.is_empty()
    }

    /// Returns a text without them, however they are spelled in it: escaped as in URLs, HTML or JSON, also twice, or in
    /// base64. One that the end of the text cuts is hidden, too.
    pub(in crate::s3) fn hide<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.are_none() || text.is_empty() {
            return Cow::Borrowed(text);
        }
        let needles = self.0.needles.get_or_init(|| needles(&self.0.texts));
        let mut found = Vec::new();
        let mut spelled = Spelled::plain(text.as_bytes());
        for level in 0..=LEVELS {
            if level > 0 {
                match spelled.decoded() {
                    Some(decoded) => spelled = decoded,
                    None => break,
                }
            }
            needles.iter().for_each(|needle| spelled.find(needle, text.len(), &mut found));
        }
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        found.sort_unstable();
        let (mut clean, mut at) = (String::with_capacity(text.len()), 0);
        for (from, to) in found {
            // Places are those of single bytes, and a secret may have others.
            let (from, to) = (text.floor_char_boundary(from), text.ceil_char_boundary(to));
            if from > at || (from == 0 && at == 0) {
                clean.push_str(&text[at..from]);
                clean.push_str(HIDDEN);
            }
            at = at.max(to);
        }
        clean.push_str(&text[at..]);
        Cow::Owned(clean)
    }

    /// Returns the bytes of an answer without them.
    pub(in crate::s3) fn hide_bytes(&self, bytes: Bytes) -> Bytes {
        if self.are_none() {
            return bytes;
        }
        match String::from_utf8_lossy(&bytes) {
            Cow::Borrowed(text) => match self.hide(text) {
                Cow::Borrowed(_) => bytes.clone(),
                Cow::Owned(clean) => clean.into(),
            },
            Cow::Owned(text) => self.hide(&text).into_owned().into(),
        }
    }

    /// Hides them in the headers that are shown.
    pub(in crate::s3) fn hide_in_headers(&self, headers: &mut HeaderMap) {
        for name in SHOWN {
            if let Some(value) = headers.get_mut(name)
                && let Ok(text) = value.to_str()
                && let Cow::Owned(clean) = self.hide(text)
                && let Ok(clean) = HeaderValue::from_str(&clean)
            {
                *value = clean;
            }
        }
    }
}

/// Returns what a secret looks like in an answer, but for escapes.
fn needles(secrets: &[String]) -> Vec<Needle> {
    let mut needles = Vec::new();
    for secret in secrets {
        let bytes = secret.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        needles.push(Needle { bytes, base64: false });
        for before in 0..3 {
            // What is around a secret decides the characters at its edges; those in between are always the same.
            let mut whole = vec![0; before];
            whole.extend_from_slice(secret.as_bytes());
            let inner = [0, 2, 3][before]..whole.len() * 8 / 6;
            for encoded in [BASE64_STANDARD.encode(&whole), BASE64_URL_SAFE_NO_PAD.encode(&whole)] {
                let bytes = encoded.as_bytes().get(inner.clone()).unwrap_or_default().to_vec();
                if bytes.len() >= BEGINNING && needles.iter().all(|needle| needle.bytes != bytes) {
                    needles.push(Needle { bytes, base64: true });
                }
            }
        }
    }
    needles
}

/// The bytes of a text without its blanks, and where in it each of them is.
struct Spelled {
    bytes: Vec<u8>,
    places: Vec<(usize, usize)>,
}

impl Spelled {
    fn plain(text: &[u8]) -> Spelled {
        let kept = text.iter().enumerate().filter(|(_, byte)| !byte.is_ascii_whitespace());
        let (bytes, places) = kept.map(|(at, byte)| (*byte, (at, at + 1))).unzip();
        Spelled { bytes, places }
    }

    /// Takes off one level of escapes. None where there is none.
    fn decoded(&self) -> Option<Spelled> {
        let (mut bytes, mut places) = (Vec::with_capacity(self.bytes.len()), Vec::with_capacity(self.bytes.len()));
        let (mut at, mut any) = (0, false);
        while at < self.bytes.len() {
            let (byte, length) = match escape(&self.bytes[at..]) {
                Some(found) => {
                    any = true;
                    found
                }
                None => (self.bytes[at], 1),
            };
            if !byte.is_ascii_whitespace() {
                bytes.push(byte);
                places.push((self.places[at].0, self.places[at + length - 1].1));
            }
            at += length;
        }
        any.then_some(Spelled { bytes, places })
    }

    /// Notes where a needle is, or begins at the end.
    fn find(&self, needle: &Needle, end: usize, found: &mut Vec<(usize, usize)>) {
        let Some(first) = needle.bytes.first() else { return };
        let mut at = 0;
        while at < self.bytes.len() {
            if !self.bytes[at].eq_ignore_ascii_case(first) {
                at += 1;
                continue;
            }
            let rest = &self.bytes[at..];
            let same = rest.iter().zip(&needle.bytes).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
            if same == needle.bytes.len() {
                let (from, to) = if needle.base64 { self.around(at, at + same) } else { (at, at + same) };
                found.push((self.places[from].0, self.places[to - 1].1));
                at = to.max(at + 1);
            } else if same >= BEGINNING && rest.len() - same < ESCAPE {
                found.push((self.places[at].0, end));
                return;
            } else {
                at += 1;
            }
        }
    }

    /// Returns the whole of what is in base64, as far as no blank is in it.
    fn around(&self, mut from: usize, mut to: usize) -> (usize, usize) {
        let is_of_it = |at: usize| self.bytes[at].is_ascii_alphanumeric() || b"+/-_=".contains(&self.bytes[at]);
        let adjoin = |at: usize| self.places[at - 1].1 == self.places[at].0;
        while from > 0 && is_of_it(from - 1) && adjoin(from) {
            from -= 1;
        }
        while to < self.bytes.len() && is_of_it(to) && adjoin(to) {
            to += 1;
        }
        (from, to)
    }
}

/// Reads one escape of URLs, HTML or JSON.
fn escape(bytes: &[u8]) -> Option<(u8, usize)> {
    let number = |digits: &[u8], radix: u32| {
        let text = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        u8::try_from(u32::from_str_radix(text, radix).ok()?).ok()
    };
    match bytes {
        [b'%', a, b, ..] => Some((number(&[*a, *b], 16)?, 3)),
        [b'\\', b'x', a, b, ..] => Some((number(&[*a, *b], 16)?, 4)),
        [b'\\', b'u', a, b, c, d, ..] => Some((number(&[*a, *b, *c, *d], 16)?, 6)),
        [b'\\', byte @ (b'/' | b'"' | b'\'' | b'\\'), ..] => Some((*byte, 2)),
        [b'&', ..] => {
            let length = bytes.iter().take(ESCAPE).position(|byte| *byte == b';')?;
            let byte = match &bytes[1..length] {
                b"amp" => b'&',
                b"lt" => b'<',
                b"gt" => b'>',
                b"quot" => b'"',
                b"apos" => b'\'',
                b"sol" => b'/',
                b"plus" => b'+',
                b"equals" => b'=',
                [b'#', b'x' | b'X', digits @ ..] => number(digits, 16)?,
                [b'#', digits @ ..] => number(digits, 10)?,
                _ => return None,
            };
            Some((byte, length + 1))
        }
        _ => None,
    }
}

/// Returns a header as text, if it is text.
pub(in crate::s3) fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "IQoJb3Jp/Z2lu+X2VjE==TAIL";

    fn secrets() -> Secrets {
        let login = BASE64_STANDARD.encode("me:hu/sh pass");
        let request = hyper::Request::get("https://h/k?X-Amz-Signature=cafecafe&list-type=2")
            .header("x-amz-security-token", TOKEN)
            .header("proxy-authorization", format!("Basic {login}"))
            .header("authorization", "AWS4-HMAC-SHA256 Credential=AK/x, Signature=0123abcd9876");
        Secrets::of(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn secrets_are_found_in_all_spellings() {
        let escaped = |one: fn(char) -> String| TOKEN.chars().map(one).collect::<String>();
        for spelled in [
            TOKEN.to_owned(),
            TOKEN.to_ascii_lowercase(),
            format!("{}\n {}", &TOKEN[..9], &TOKEN[9..]),
            TOKEN.replace('/', "%2F").replace('=', "%3d"),
            TOKEN.replace('/', "%252F").replace('+', "%252B"),
            TOKEN.replace('/', "&#x2F;").replace('+', "&#43;").replace('=', "&equals;"),
            TOKEN.replace('/', "&amp;#x2F;"),
            TOKEN.replace('/', "\\/").replace('=', "\\u003d"),
            escaped(|c| format!("%{:02X}", c as u32)),
            escaped(|c| format!("&#{};", c as u32)),
            BASE64_STANDARD.encode(TOKEN),
            BASE64_STANDARD.encode(format!("a:{TOKEN}:b")),
            BASE64_URL_SAFE_NO_PAD.encode(format!("{{\"t\":\"{TOKEN}\"}}")),
            BASE64_STANDARD.encode("me:hu/sh pass"),
            "Basic bWU6aHUvc2ggcGFzcw==".to_owned(),
            "me:hu/sh pass".to_owned(),
            "hu%2Fsh%20pass".to_owned(),
            "0123abcd9876".to_owned(),
            "cafecafe".to_owned(),
        ] {
            let clean = secrets().hide(&format!("<b>{spelled}</b> é <i>x</i>")).into_owned();
            assert_eq!(clean, "<b>[hidden]</b> é <i>x</i>", "{spelled}");
        }
        let harmless = "<Error><Code>AccessDenied</Code><Message>100% &amp; \\ é \u{fffd} Basic</Message></Error>";
        assert_eq!(secrets().hide(harmless), harmless);
        assert_eq!(secrets().hide(&format!("{TOKEN}{TOKEN} {TOKEN}")), "[hidden] [hidden]");
    }

    #[test]
    fn what_the_end_cuts_is_hidden_too() {
        for whole in [
            TOKEN.to_owned(),
            TOKEN.replace('/', "%2F").replace('+', "&#x2B;"),
            TOKEN.chars().map(|c| format!("&#x{:x};", c as u32)).collect(),
            BASE64_STANDARD.encode(TOKEN),
        ] {
            for cut in 0..=whole.len() {
                let clean = secrets().hide(&format!("title {}", &whole[..cut])).into_owned();
                let shown = clean.strip_prefix("title ").unwrap();
                assert!(shown == "[hidden]" || shown.len() < 7 * BEGINNING, "{shown} of {whole}");
            }
        }
    }
}
