//! The encoding of keys in listings.
//!
//! XML cannot represent every key: a control character makes a whole page unreadable, and some servers replace it. So
//! keys are requested in URL encoding, which S3 confirms by echoing the parameter.

use aws_sdk_s3::types::EncodingType;

/// The encoding of the keys of one page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// Unencoded.
    Plain,
    /// As in a URL's query: `a+b%2Bc` is `a b+c`.
    Url,
}

impl Spelling {
    /// Returns the encoding of a page, by the server's echo and by its keys.
    ///
    /// SeaweedFS echoes URL encoding in a listing of uploads, but sends the keys unencoded.
    pub(super) fn of<'k>(echo: Option<&EncodingType>, mut keys: impl Iterator<Item = &'k str>) -> Spelling {
        match echo {
            Some(EncodingType::Url) if keys.all(|key| decoded(key).is_some()) => Spelling::Url,
            _ => Spelling::Plain,
        }
    }

    /// Returns the encoding of a page that could only be read with URL encoding. Ceph supports it, but echoes nothing.
    pub(super) fn of_unreadable<'k>(keys: impl Iterator<Item = &'k str>) -> Spelling {
        Self::of(Some(&EncodingType::Url), keys)
    }

    /// Returns the decoded key. One that is not UTF-8 stays encoded: it can only be shown.
    pub(super) fn read(self, key: &str) -> String {
        let decoded = if self == Spelling::Url { decoded(key) } else { None };
        decoded.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| key.to_owned())
    }
}

/// Returns the bytes of a URL-encoded key, or `None` if it is not encoded.
fn decoded(key: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut rest) = (Vec::with_capacity(key.len()), key.as_bytes());
    while let [byte, after @ ..] = rest {
        rest = after;
        match byte {
            b'%' => {
                let (digits, after) = rest.split_at_checked(2)?;
                let digits =
                    std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()));
                bytes.push(u8::from_str_radix(digits?, 16).ok()?);
                rest = after;
            }
            b'+' => bytes.push(b' '),
            0x21..=0x7e => bytes.push(*byte),
            _ => return None,
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(keys: &[&str]) -> Vec<String> {
        let spelling = Spelling::of(Some(&EncodingType::Url), keys.iter().copied());
        keys.iter().map(|key| spelling.read(key)).collect()
    }

    #[test]
    fn keys_are_read_as_the_server_spells_them() {
        let spelled = ["a+b", "a%2Bb", "pct%252B", "ctl%01x", "fffe%EF%BF%BE", "nl%0Ax", "bad%25zz", "u%c3%bc", "~*/-"];
        let meant = ["a b", "a+b", "pct%2B", "ctl\u{1}x", "fffe\u{fffe}", "nl\nx", "bad%zz", "uü", "~*/-"];
        assert_eq!(url(&spelled), meant);
    }

    #[test]
    fn an_echo_alone_is_not_believed() {
        for plain in ["a b", "ü", "100%", "%zz", "%2", "a\nb"] {
            assert_eq!(url(&["m/v1+2/f", plain]), ["m/v1+2/f", plain]);
        }
        assert_eq!(
            Spelling::of(None, ["a%2Bb"].into_iter()),
            Spelling::Plain,
            "a server that ignores what it is asked"
        );
    }

    #[test]
    fn what_is_no_text_stays_spelled() {
        assert_eq!(url(&["bad%FFx", "a+b"]), ["bad%FFx", "a b"], "and does not hide the others");
    }
}
