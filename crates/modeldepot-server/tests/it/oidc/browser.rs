//! The parts of a browser that a login needs: it stores cookies and follows redirects.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use hyper::Method;
use url::Url;

use crate::place::{Answer, Place, send};

/// A browser with the cookies of one service.
#[derive(Default, Clone)]
pub(crate) struct Browser {
    pub(crate) cookies: BTreeMap<String, String>,
}

/// The URL that a browser is sent to for logging in.
pub(crate) struct Sent {
    pub(crate) url: Url,
}

impl Sent {
    /// Returns a parameter of the authorization request.
    pub(crate) fn part(&self, name: &str) -> String {
        self.url.query_pairs().find(|(part, _)| part == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
    }
}

impl Browser {
    pub(crate) async fn get(&mut self, place: &Place, path: &str) -> Answer {
        self.ask(place.address(), Method::GET, path, &[], b"").await
    }

    pub(crate) async fn ask(
        &mut self,
        to: SocketAddr,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let mut headers = headers.to_vec();
        if !cookies.is_empty() {
            headers.push(("cookie", &cookies));
        }
        let answer = send(to, method, path, &headers, body).await;
        for set in answer.headers.get_all("set-cookie") {
            let set = set.to_str().unwrap();
            let (pair, rest) = set.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            match rest.contains("Max-Age=0") || rest.contains("1970") {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        answer
    }

    /// Begins a login, and returns the authorization request.
    pub(crate) async fn begin(&mut self, place: &Place, next: &str) -> Sent {
        let path = format!("/login/oidc?next={}", crate::place::urlencoded(next));
        let answer = self.get(place, &path).await.is(303);
        Sent { url: Url::parse(answer.header("location")).unwrap() }
    }

    /// Returns from the provider.
    pub(crate) async fn back(&mut self, place: &Place, parts: &[(&str, &str)]) -> Answer {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parts).finish();
        self.get(place, &format!("/login/oidc/callback?{query}")).await
    }

    pub(crate) fn is_logged_in(&self) -> bool {
        self.cookies.contains_key("modeldepot_session")
    }

    /// Returns the CSRF token of the pages.
    pub(crate) async fn csrf(&mut self, place: &Place) -> String {
        let page = text(&self.get(place, "/").await.is(200));
        page.split("name=\"csrf\" content=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }
}

/// Returns a page as text.
pub(crate) fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.to_vec()).unwrap()
}
