//! Query parameters and form fields.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use url::form_urlencoded;

/// Names and values, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Asked(Vec<(String, String)>);

impl Asked {
    pub(super) fn parse(text: &[u8]) -> Asked {
        Asked(form_urlencoded::parse(text).into_owned().collect())
    }

    /// Returns the first value of a name, unless it is empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Returns every value of a name that is not empty.
    pub(super) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |pair| pair.0 == name && !pair.1.trim().is_empty()).map(|pair| pair.1.trim())
    }

    /// Returns the first value of a name exactly as sent: a key may begin with a space.
    pub(super) fn raw(&self, name: &str) -> Option<&str> {
        self.raw_all(name).next()
    }

    /// Returns every value of a name exactly as sent.
    pub(super) fn raw_all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |pair| pair.0 == name).map(|pair| pair.1.as_str())
    }

    /// Returns the page number, starting at 1.
    pub(super) fn page(&self) -> usize {
        self.get("page").and_then(|text| text.parse().ok()).filter(|page| *page > 0).unwrap_or(1)
    }

    /// Returns the query with some values replaced, starting with `?`; `None` removes a name. The page is reset unless
    /// it is among the changes.
    pub(super) fn with(&self, changes: &[(&str, Option<&str>)]) -> String {
        let changed = |name: &str| name == "page" || changes.iter().any(|change| change.0 == name);
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.0.iter().filter(|pair| !pair.1.is_empty() && !changed(&pair.0)));
        query.extend_pairs(changes.iter().filter_map(|(name, value)| Some((name, (*value)?))));
        format!("?{}", query.finish())
    }
}

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Asked, Infallible> {
        Ok(Asked::parse(parts.uri.query().unwrap_or_default().as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_changed() {
        let asked = Asked::parse(b"q=a%26b&sort=-size&page=3&empty=");
        assert_eq!((asked.get("q"), asked.get("empty"), asked.page()), (Some("a&b"), None, 3));
        assert_eq!(asked.with(&[("sort", Some("val loss"))]), "?q=a%26b&sort=val+loss");
        assert_eq!(asked.with(&[("page", Some("4")), ("q", None)]), "?sort=-size&page=4");
    }
}
