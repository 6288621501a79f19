//! An answer in HTTP that is not S3's.

use std::fmt;

use super::product::Product;
use super::shown;

/// What an answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// A web page.
    Html,
    /// JSON.
    Json,
    /// XML that is not S3's.
    Xml,
    /// Other text.
    Text,
    /// What is no text.
    Binary,
    /// Nothing.
    Empty,
}

/// An answer in HTTP that is not S3's. Texts of the server are shortened and printable.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// The HTTP status.
    pub status: u16,
    /// What the answer holds.
    pub content: Content,
    /// The title of a web page, the root of an XML document, or the first words of a text.
    pub title: Option<String>,
    /// What the server calls itself.
    pub server: Option<String>,
    /// The program, where the answer shows it.
    pub product: Option<Product>,
}

/// What is read of a page. What it is shows in its beginning.
const READ: usize = 16 * 1024;

impl Page {
    /// Reads an answer.
    pub(crate) fn read<'h>(status: u16, header: impl Fn(&str) -> Option<&'h str>, body: &[u8]) -> Page {
        let text = String::from_utf8_lossy(&body[..body.len().min(READ)]);
        let text = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
        let media_type = header("content-type").unwrap_or_default().trim().to_ascii_lowercase();
        let content = content(&media_type, text);
        let title = match content {
            Content::Html => element(text, "title").or_else(|| element(text, "h1")),
            Content::Xml => root(text),
            Content::Text => text.lines().next(),
            _ => None,
        };
        let title = title.map(shown).filter(|title| !title.is_empty());
        let server = header("server").map(shown).filter(|server| !server.is_empty());
        let product = Product::of(&header, &media_type, text);
        Page { status, content, title, server, product }
    }

    /// Returns true when the program is known.
    pub(crate) fn is_known(&self) -> bool {
        self.product.is_some()
    }

    /// Returns true for an answer that names neither itself nor its server.
    pub(crate) fn is_nameless(&self) -> bool {
        self.product.is_none() && (self.title.is_none() || self.content == Content::Text)
    }
}

/// Returns true for an error document of S3, in whatever namespace.
pub(crate) fn is_s3_error(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(&body[..body.len().min(READ)]);
    root(&text) == Some("Error") && text.contains("<Code>")
}

fn content(media_type: &str, text: &str) -> Content {
    let starts = |what: &str| text.get(..what.len()).is_some_and(|start| start.eq_ignore_ascii_case(what));
    if text.is_empty() {
        Content::Empty
    } else if starts("<!doctype html") || starts("<html") || media_type.starts_with("text/html") {
        Content::Html
    } else if starts("<?xml") || media_type.contains("xml") {
        Content::Xml
    } else if media_type.contains("json") || text.starts_with(['{', '[']) {
        Content::Json
    } else if text.chars().take(64).any(|c| c == '\u{fffd}' || (c.is_control() && !c.is_whitespace())) {
        Content::Binary
    } else {
        Content::Text
    }
}

/// Returns the text of the first element of this name, in whatever case it is written.
fn element<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    // The length of the bytes stays what it is.
    let lower = text.to_ascii_lowercase();
    let open = lower.find(&format!("<{name}"))?;
    let from = open + lower[open..].find('>')? + 1;
    let to = from + lower[from..].find('<')?;
    Some(text[from..to].trim()).filter(|text| !text.is_empty())
}

/// Returns the name of the first element, without its namespace.
fn root(text: &str) -> Option<&str> {
    let mut rest = text;
    loop {
        rest = &rest[rest.find('<')? + 1..];
        if !rest.starts_with(['?', '!']) {
            let name = &rest[..rest.find(|c: char| c.is_whitespace() || matches!(c, '>' | '/'))?];
            return name.rsplit(':').next();
        }
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(product) = self.product {
            return write!(f, "it is {product}");
        }
        write!(f, "it answers HTTP {} with ", self.status)?;
        let title = self.title.as_deref();
        match (self.content, title) {
            (Content::Html, Some(title)) => write!(f, "the web page `{title}`")?,
            (Content::Html, None) => f.write_str("a web page")?,
            (Content::Json, _) => f.write_str("JSON")?,
            (Content::Xml, Some(root)) => write!(f, "XML that is not S3's, `{root}`")?,
            (Content::Xml, None) => f.write_str("XML that is not S3's")?,
            (Content::Text, Some(text)) => write!(f, "the text `{text}`")?,
            (Content::Text, None) => f.write_str("text")?,
            (Content::Binary, _) => f.write_str("binary data")?,
            (Content::Empty, _) => f.write_str("an empty body")?,
        }
        match &self.server {
            Some(server) => write!(f, " (Server: {server})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, media_type: &str, body: &str) -> String {
        let header = |name: &str| match name {
            "content-type" => Some(media_type),
            "server" => Some("nginx\u{1b}[2J`x`"),
            _ => None,
        };
        Page::read(status, header, body.as_bytes()).to_string()
    }

    #[test]
    fn what_a_stranger_says_is_short_and_printable() {
        let html = "\u{feff}<!DOCTYPE HTML><html><head><TITLE lang=en>Sign\n in \u{202e}to `x`</TITLE>";
        insta::assert_snapshot!(read(200, "text/html", html), @r"it answers HTTP 200 with the web page `Sign in \u{202e}to 'x'` (Server: nginx\u{1b}[2J'x')");
        let long = format!("<html><title>{}</title>", "é".repeat(100_000));
        assert!(read(200, "", &long).chars().count() < 200);
        insta::assert_snapshot!(read(404, "text/plain", "404 page not found\nmore"), @r"it answers HTTP 404 with the text `404 page not found` (Server: nginx\u{1b}[2J'x')");
        insta::assert_snapshot!(read(404, "", "{\"error\": 1}"), @r"it answers HTTP 404 with JSON (Server: nginx\u{1b}[2J'x')");
        insta::assert_snapshot!(read(403, "", ""), @r"it answers HTTP 403 with an empty body (Server: nginx\u{1b}[2J'x')");
        insta::assert_snapshot!(read(400, "", "\u{0}\u{1}\u{2}"), @r"it answers HTTP 400 with binary data (Server: nginx\u{1b}[2J'x')");
        insta::assert_snapshot!(read(200, "application/rss+xml", "<?xml version='1.0'?><!-- x --><a:rss v='2'>"), @r"it answers HTTP 200 with XML that is not S3's, `rss` (Server: nginx\u{1b}[2J'x')");
        for broken in ["<title", "<title>", "<html><title>İ<", "<", "<?xml", "<!--", "<html><h1></h1>"] {
            read(200, "text/html", broken);
            read(200, "text/xml", broken);
        }
    }

    #[test]
    fn an_error_of_s3_is_known_in_any_namespace() {
        assert!(is_s3_error(b"<?xml version=\"1.0\"?>\n<Error><Code>NoSuchKey</Code></Error>"));
        assert!(is_s3_error(b"<s3:Error xmlns:s3='urn:x'><Code>NoSuchKey</Code></s3:Error>"));
        assert!(!is_s3_error(b"<Error/>") && !is_s3_error(b"") && !is_s3_error(b"<html><Code>"));
    }
}
