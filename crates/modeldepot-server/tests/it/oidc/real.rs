//! npm's `oidc-provider`, with its own pages for login and consent. `cargo xtask ci` installs it, from `tests/oidc`.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use hyper::Method;
use serde_json::json;
use url::Url;

use super::at;
use super::browser::{Browser, Sent, text};
use crate::place::Place;

/// The provider in a separate process.
struct Provider {
    issuer: String,
    process: Child,
    /// Kept open: writing to a closed pipe would end it.
    _said: BufReader<ChildStdout>,
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Provider {
    fn start(arguments: &[&str]) -> Provider {
        let tools = std::env::var_os("MODELDEPOT_TOOLS").expect("run by `cargo xtask ci`, which sets MODELDEPOT_TOOLS");
        let mut command = Command::new("node");
        command.arg(PathBuf::from(tools).join("oidc/provider.mjs")).args(arguments);
        // It ends with this process, when its stdin is closed.
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (mut said, mut issuer) = (BufReader::new(process.stdout.take().unwrap()), String::new());
        said.read_line(&mut issuer).unwrap();
        assert!(!issuer.is_empty(), "`node provider.mjs` does not run: see tests/oidc");
        Provider { issuer: issuer.trim().to_owned(), process, _said: said }
    }

    /// Logs in there, and returns where the browser is sent back to.
    async fn log_in(&self, sent: &Sent, name: &str) -> Sent {
        let address = self.issuer.strip_prefix("http://").unwrap().parse().unwrap();
        let (mut browser, mut url) = (Browser::default(), sent.url.clone());
        for _ in 0..12 {
            let path = &url[url::Position::BeforePath..];
            let mut answer = browser.ask(address, Method::GET, path, &[], b"").await;
            if answer.status == 200 {
                let page = text(&answer);
                let form = page.split("action=\"").nth(1).unwrap_or_else(|| panic!("{page}"));
                let form = url.join(form.split('"').next().unwrap()).unwrap();
                let body = match page.contains("name=\"login\"") {
                    true => format!("prompt=login&login={name}&password=any"),
                    false => "prompt=consent".to_owned(),
                };
                let headers = [("content-type", "application/x-www-form-urlencoded")];
                let path = &form[url::Position::BeforePath..];
                answer = browser.ask(address, Method::POST, path, &headers, body.as_bytes()).await;
            }
            assert!(answer.status.is_redirection(), "{}", text(&answer));
            url = url.join(answer.header("location")).unwrap();
            if url.path() == "/login/oidc/callback" {
                return Sent { url };
            }
        }
        panic!("the provider sends nobody back");
    }
}

/// Returns from the provider to the given URL.
async fn back(browser: &mut Browser, place: &Place, url: &Url) -> crate::place::Answer {
    browser.get(place, &url[url::Position::BeforePath..]).await
}

async fn logged_in(provider: &Provider, place: &Place, name: &str) -> Browser {
    let mut browser = Browser::default();
    let sent = browser.begin(place, "/").await;
    let answer = provider.log_in(&sent, name).await;
    let page = back(&mut browser, place, &answer.url).await;
    assert!(browser.is_logged_in(), "{page:?}");
    browser
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs npm's oidc-provider; `cargo xtask ci` runs it"]
async fn a_real_provider_logs_people_in_and_its_groups_are_what_they_may() {
    for arguments in [&[][..], &["in-id-token"]] {
        let provider = Provider::start(arguments);
        let place = Place::with(at(&provider.issuer)).await;
        place.push("plant-a", "1", &[("m", b"x")], json!({})).await;
        let path = "/api/v1/models/plant-a/versions/1";
        let mut reader = logged_in(&provider, &place, "reader").await;
        reader.get(&place, path).await.is(200);
        let csrf = reader.csrf(&place).await;
        let headers = [("x-csrf-token", csrf.as_str())];
        reader.ask(place.address(), Method::DELETE, path, &headers, b"").await.is(403);

        let mut publisher = logged_in(&provider, &place, "publisher").await;
        let csrf = publisher.csrf(&place).await;
        let headers = [("x-csrf-token", csrf.as_str())];
        let put = "/api/v1/models/plant-a/versions/2/files/m";
        publisher.ask(place.address(), Method::PUT, put, &headers, b"x").await.is(201);
        publisher.ask(place.address(), Method::DELETE, path, &headers, b"").await.is(403);

        let mut operator = logged_in(&provider, &place, "operator").await;
        let csrf = operator.csrf(&place).await;
        operator.ask(place.address(), Method::DELETE, path, &[("x-csrf-token", &csrf)], b"").await.is(200);

        let mut guest = Browser::default();
        let sent = guest.begin(&place, "/").await;
        let answer = provider.log_in(&sent, "guest").await;
        let page = text(&back(&mut guest, &place, &answer.url).await.is(403));
        assert!(page.contains("is in no group that may use this service") && !guest.is_logged_in(), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs npm's oidc-provider; `cargo xtask ci` runs it"]
async fn a_real_provider_takes_a_code_once_and_from_who_asked_for_it() {
    let provider = Provider::start(&[]);
    let place = Place::with(at(&provider.issuer)).await;
    let mut victim = Browser::default();
    let sent = victim.begin(&place, "/").await;
    let answer = provider.log_in(&sent, "operator").await;
    let code = answer.part("code");
    // A code stolen in transit, used in the thief's own login: the provider requires the verifier.
    let mut thief = Browser::default();
    let own = thief.begin(&place, "/").await;
    let page = text(&thief.back(&place, &[("code", &code), ("state", &own.part("state"))]).await.is(403));
    assert!(page.contains("invalid_grant") && !thief.is_logged_in(), "{page}");
    // A code that was used before.
    let mut other = Browser::default();
    let sent = other.begin(&place, "/").await;
    let answer = provider.log_in(&sent, "operator").await;
    let copy = other.clone();
    back(&mut other, &place, &answer.url).await.is(200);
    assert!(other.is_logged_in());
    let mut again = Browser::default();
    let fresh = again.begin(&place, "/").await;
    let used = [("code", answer.part("code")), ("state", fresh.part("state"))];
    let used: Vec<(&str, &str)> = used.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let page = text(&again.back(&place, &used).await.is(403));
    assert!(page.contains("invalid_grant") && !again.is_logged_in(), "{page}");
    let page = text(&back(&mut copy.clone(), &place, &answer.url).await.is(400));
    assert!(page.contains("already used"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs npm's oidc-provider; `cargo xtask ci` runs it"]
async fn a_real_provider_knows_the_service_by_its_secret() {
    let provider = Provider::start(&[]);
    for (secret, status) in [("basic secret: 100%", 200), ("wrong", 403)] {
        let place = Place::with(|config| {
            at(&provider.issuer)(config);
            let oidc = config.oidc.as_mut().unwrap();
            (oidc.client_id, oidc.client_secret) = ("depot-basic".to_owned(), Some(modeldepot::Secret::new(secret)));
        })
        .await;
        let mut browser = Browser::default();
        let sent = browser.begin(&place, "/").await;
        let answer = provider.log_in(&sent, "reader").await;
        let page = back(&mut browser, &place, &answer.url).await.is(status);
        assert!(status == 200 || text(&page).contains("invalid_client"), "{page:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs npm's oidc-provider; `cargo xtask ci` runs it"]
async fn a_real_provider_ends_its_own_session_too() {
    let provider = Provider::start(&[]);
    let place = Place::with(at(&provider.issuer)).await;
    let mut browser = logged_in(&provider, &place, "reader").await;
    let csrf = browser.csrf(&place).await;
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let form = format!("csrf={csrf}");
    browser.ask(place.address(), Method::POST, "/logout", &headers, form.as_bytes()).await.is(303);
    browser.get(&place, "/api/v1/models").await.is(401);
    let page = text(&browser.get(&place, "/login?logged_out=1").await.is(200));
    let link = page.split("href=\"").find(|part| part.starts_with(&provider.issuer)).unwrap();
    let link = Url::parse(&link.split('"').next().unwrap().replace("&amp;", "&")).unwrap();
    let address = provider.issuer.strip_prefix("http://").unwrap().parse().unwrap();
    let path = &link[url::Position::BeforePath..];
    Browser::default().ask(address, Method::GET, path, &[], b"").await.is(200);
}
