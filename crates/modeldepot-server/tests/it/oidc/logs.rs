//! Logins are logged, and secrets are not.

use std::fmt::Write as _;
use std::sync::{Mutex, Once};

use modeldepot_server::{Log, LogTarget};
use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::at;
use super::browser::{Browser, text};
use super::fake::{Fake, tokens};
use crate::place::Place;

/// Everything that the process logs, at every level.
static SAID: Mutex<String> = Mutex::new(String::new());

/// The most that is kept.
const MOST: usize = 64 << 20;

struct Listener;

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // It contains nothing about logins, but most of the log.
        !metadata.target().starts_with("aws")
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields(String::new());
        span.record(&mut fields);
        keep(&fields.0);
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut fields = Fields(String::new());
        values.record(&mut fields);
        keep(&fields.0);
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(event.metadata().target().to_owned());
        event.record(&mut fields);
        keep(&fields.0);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn keep(line: &str) {
    let mut said = SAID.lock().unwrap();
    if said.len() < MOST {
        said.push_str(line);
        said.push('\n');
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_in_the_logs_and_its_secrets_are_not() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Listener).unwrap());
    let fake = Fake::start().await;
    let folder = tempfile::tempdir().unwrap();
    let files = ["audit", "access"].map(|name| folder.path().join(name));
    let place = Place::with(|config| {
        at(&fake.issuer())(config);
        config.oidc.as_mut().unwrap().client_secret = Some(modeldepot::Secret::new("client-5ecret"));
        let [audit, access] = files.clone().map(|file| Some(Log::open(&LogTarget::File(file)).unwrap()));
        (config.audit_log, config.access_log) = (audit, access);
    })
    .await;
    fake.claim(json!({"preferred_username": "ana-of-the-logs"}));
    fake.says("/token", |fake| {
        tokens(&json!({"id_token": fake.key().sign(&fake.good()), "access_token": "access-5ecret", "refresh_token": "refresh-5ecret"}))
    });
    let mut secrets: Vec<String> =
        ["code-5ecret", "client-5ecret", "access-5ecret", "refresh-5ecret"].map(str::to_owned).to_vec();
    for groups in [json!(["readers"]), json!(["guests"])] {
        fake.claim(json!({"preferred_username": "ana-of-the-logs", "groups": groups}));
        let mut browser = Browser::default();
        let sent = browser.begin(&place, "/").await;
        let (state, nonce) = (sent.part("state"), sent.part("nonce"));
        fake.remember(nonce.clone());
        let before = browser.cookies["modeldepot_login"].clone();
        let page = browser.back(&place, &[("code", "code-5ecret"), ("state", &state)]).await;
        secrets.extend([state, nonce, before]);
        secrets.extend(browser.cookies.get("modeldepot_session").cloned());
        let login = fake.authorization();
        secrets.push(login.split("code_verifier=").nth(1).unwrap().split('&').next().unwrap().to_owned());
        secrets.push(login.split(' ').nth(1).unwrap().to_owned());
        let page = text(&page);
        assert!(secrets.iter().all(|secret| !page.contains(secret)), "{page}");
    }
    let read = |file: &std::path::Path| std::fs::read_to_string(file).unwrap();
    // The access log gets its line when the answer has been sent.
    while read(&files[1]).lines().count() < 4 || read(&files[0]).lines().count() < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let lines: Vec<Value> = read(&files[0]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    let said = |line: &Value| {
        ["action", "who", "by", "subject", "result", "detail"]
            .map(|name| line[name].as_str().unwrap_or("-").to_owned())
            .join(" ")
    };
    insta::assert_snapshot!(said(&lines[0]), @"login ana-of-the-logs person 248289761001 done -");
    insta::assert_snapshot!(said(&lines[1]), @"login - - - refused `ana-of-the-logs` is in no group that may use this service");
    let all = [read(&files[0]), read(&files[1]), SAID.lock().unwrap().clone()].concat();
    assert!(all.contains("ana-of-the-logs") && all.contains("logged in by OpenID Connect"));
    for secret in secrets {
        assert!(!all.contains(&secret), "{secret} is in a log");
    }
}
