//! Successful logins and the resulting permissions; logins that a browser cannot complete.

use std::time::Duration;

use hyper::Method;
use modeldepot_server::{Scope, Tokens};
use serde_json::json;

use super::at;
use super::browser::{Browser, text};
use super::fake::{Fake, said};
use crate::place::{Place, send};

/// Logs in, and returns the resulting page.
async fn log_in(place: &Place, fake: &Fake, next: &str) -> (Browser, String) {
    let mut browser = Browser::default();
    let sent = browser.begin(place, next).await;
    fake.remember(sent.part("nonce"));
    let page = browser.back(place, &[("code", "code-secret"), ("state", &sent.part("state"))]).await.is(200);
    assert!(browser.is_logged_in(), "{page:?}");
    (browser, text(&page))
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_say_what_a_person_may() {
    let fake = Fake::start().await;
    let place = Place::with(at(&fake.issuer())).await;
    place.push("plant-a", "1", &[("m", b"x")], json!({})).await;
    place.push("other", "1", &[("m", b"x")], json!({})).await;
    let ask = async |browser: &mut Browser, method: Method, path: &str| {
        let csrf = browser.csrf(&place).await;
        browser.ask(place.address(), method, path, &[("x-csrf-token", &csrf)], b"x").await
    };
    let (mut reader, page) = log_in(&place, &fake, "/models/plant-a?sort=-size").await;
    assert!(page.contains("url=/models/plant-a?sort=-size"), "{page}");
    reader.get(&place, "/api/v1/models/other/versions/1").await.is(200);
    let refused = ask(&mut reader, Method::DELETE, "/api/v1/models/other/versions/1").await.is(403).json();
    insta::assert_snapshot!(refused["detail"].as_str().unwrap(), @"`ana` may not delete model `other`");
    insta::assert_snapshot!(refused["hint"].as_str().unwrap(), @r"
    your groups have `read`; ask the operator of this service to grant one of them `delete:other`
    ");
    ask(&mut reader, Method::PUT, "/api/v1/models/plant-a/versions/2/files/m").await.is(403);

    fake.claim(json!({"groups": ["elsewhere", "ml-team"], "preferred_username": "bo"}));
    let (mut publisher, _) = log_in(&place, &fake, "/").await;
    ask(&mut publisher, Method::PUT, "/api/v1/models/plant-a/versions/2/files/m").await.is(201);
    let published = publisher.get(&place, "/api/v1/models/plant-a/versions/2").await.is(200).json();
    assert_eq!(published["manifest"]["published_by"], "bo@127.0.0.1", "a token may be called `bo` too");
    ask(&mut publisher, Method::PUT, "/api/v1/models/other/versions/2/files/m").await.is(403);
    ask(&mut publisher, Method::DELETE, "/api/v1/models/plant-a/versions/1").await.is(403);
    // A request from another site's page, with only the cookie, is refused.
    let stray = publisher.ask(place.address(), Method::PUT, "/api/v1/models/plant-a/versions/3/files/m", &[], b"x");
    stray.await.is(403);

    fake.claim(json!({"groups": ["ops"]}));
    let (mut operator, _) = log_in(&place, &fake, "/").await;
    ask(&mut operator, Method::DELETE, "/api/v1/models/other/versions/1").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_with_a_provider_is_closed_and_asks_for_nothing_else() {
    let fake = Fake::start().await;
    let place = Place::with(at(&fake.issuer())).await;
    for path in ["/api/v1/models", "/metrics", "/api/v1/version"] {
        place.get(path).await.is(401);
    }
    place.send(Method::GET, "/api/v1/models", &[("authorization", "Bearer mdt_x")], b"").await.is(401);
    assert_eq!(place.get("/buckets").await.is(303).header("location"), "/login?next=%2Fbuckets");
    let page = text(&place.get("/login?next=%2Fbuckets").await.is(200));
    assert!(page.contains("href=\"/login/oidc?next=%2Fbuckets\"") && !page.contains("name=\"token\""), "{page}");
    assert_eq!(fake.asked("/.well-known/openid-configuration"), 0, "it is asked when somebody logs in");
    place.get("/healthz").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_and_people_side_by_side() {
    let fake = Fake::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let token = Tokens::add(&file, "ci", Scope::Publish).unwrap();
    let place = Place::with(|config| {
        at(&fake.issuer())(config);
        config.tokens = Some(file.clone());
    })
    .await;
    let page = text(&place.get("/login").await.is(200));
    assert!(page.contains("/login/oidc?next=") && page.contains("name=\"token\""), "{page}");
    let bearer = format!("Bearer {token}");
    place.send(Method::GET, "/api/v1/models", &[("authorization", &bearer)], b"").await.is(200);
    let (mut browser, _) = log_in(&place, &fake, "/").await;
    browser.get(&place, "/api/v1/models").await.is(200);
    // A person's session does not depend on the token file.
    std::fs::remove_file(&file).unwrap();
    while place.send(Method::GET, "/api/v1/models", &[("authorization", &bearer)], b"").await.status == 200 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    browser.get(&place, "/api/v1/models").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_is_asked_with_pkce_and_the_secret_stays_out_of_the_address() {
    let fake = Fake::start().await;
    let place = Place::with(|config| {
        at(&fake.issuer())(config);
        config.oidc.as_mut().unwrap().client_secret = Some(modeldepot::Secret::new("client secret"));
    })
    .await;
    let mut browser = Browser::default();
    let host = format!("localhost:{}", place.address().port());
    let begun = browser.ask(place.address(), Method::GET, "/login/oidc", &[("host", &host)], b"").await.is(303);
    let set = begun.header("set-cookie").to_owned();
    assert!(set.contains("HttpOnly; SameSite=Lax; Max-Age=600") && set.contains("Path=/login/oidc;"), "{set}");
    let sent = super::browser::Sent { url: begun.header("location").parse().unwrap() };
    for (name, value) in [("response_type", "code"), ("client_id", "depot"), ("code_challenge_method", "S256")] {
        assert_eq!(sent.part(name), value);
    }
    assert_eq!(sent.part("scope"), "openid email groups");
    assert_eq!(sent.part("redirect_uri"), format!("http://{host}/login/oidc/callback"));
    let (state, nonce) = (sent.part("state"), sent.part("nonce"));
    assert!(!sent.url.as_str().contains("secret") && state.len() == 43 && nonce.len() == 43 && state != nonce);
    // The cookie reveals none of it.
    let cookie = browser.cookies["modeldepot_login"].clone();
    assert!(!cookie.contains(&state) && !cookie.contains(&nonce));
    fake.remember(nonce);
    let path = format!("/login/oidc/callback?code=c&state={state}");
    let page = browser.ask(place.address(), Method::GET, &path, &[("host", &host)], b"").await.is(200);
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert_eq!(page.header("cache-control"), "no-store");
    let session = page.headers.get_all("set-cookie").iter().next().unwrap().to_str().unwrap();
    assert!(session.contains("HttpOnly; SameSite=Strict"), "{session}");
    assert!(!browser.cookies.contains_key("modeldepot_login"), "the attempt is over");
    let login = fake.authorization();
    assert!(login.starts_with("Basic ") && login.contains("code_verifier="), "{login}");
    let verifier = login.split("code_verifier=").nth(1).unwrap().split('&').next().unwrap();
    let hash = ring::digest::digest(&ring::digest::SHA256, verifier.as_bytes());
    assert_eq!(sent.part("code_challenge"), super::fake::encode(hash.as_ref()));
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_the_provider_knows_the_public_address_alone() {
    let fake = Fake::start().await;
    let place = Place::with(|config| {
        at(&fake.issuer())(config);
        config.public_url = Some("https://models.example.com/".parse().unwrap());
    })
    .await;
    let begun = place.send(Method::GET, "/login/oidc", &[("host", "evil.example")], b"").await.is(303);
    let sent = super::browser::Sent { url: begun.header("location").parse().unwrap() };
    assert_eq!(sent.part("redirect_uri"), "https://models.example.com/login/oidc/callback");
    let set = begun.header("set-cookie");
    assert!(set.starts_with("__Host-modeldepot_login=") && set.contains("Path=/; Secure; HttpOnly"), "{set}");
    // Without a public URL, the browser is only sent back to this machine.
    let place = Place::with(at(&fake.issuer())).await;
    for host in ["evil.example", "localhost.evil.example", "evil.example@localhost", "localhost/x"] {
        let page = text(&place.send(Method::GET, "/login/oidc", &[("host", host)], b"").await.is(400));
        assert!(page.contains("cannot send you back to"), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stays_here_after_logging_in() {
    let fake = Fake::start().await;
    let place = Place::with(at(&fake.issuer())).await;
    for next in ["//evil.example", "https://evil.example", "/\\evil.example", "/\tevil", "javascript:alert(1)", ""] {
        let (_, page) = log_in(&place, &fake, next).await;
        assert!(page.contains("content=\"0; url=/\"") && page.contains("href=\"/\""), "{next}: {page}");
    }
    let (_, page) = log_in(&place, &fake, "/?q=\"><script>&x='").await;
    assert!(!page.contains("<script>"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_did_not_begin_the_login_does_not_end_it() {
    let fake = Fake::start().await;
    let place = Place::with(at(&fake.issuer())).await;
    let mut victim = Browser::default();
    let sent = victim.begin(&place, "/").await;
    fake.remember(sent.part("nonce"));
    let state = sent.part("state");
    let good = [("code", "c"), ("state", state.as_str())];
    let failed = async |browser: &mut Browser, parts: &[(&str, &str)], word: &str| {
        let page = text(&browser.back(&place, parts).await.is(400));
        assert!(page.contains(word) && page.contains("Log in again"), "{page}");
        assert!(!browser.is_logged_in());
    };
    // No cookie, an arbitrary one, one of another service, and one with a flipped bit.
    failed(&mut Browser::default(), &good, "not started in this browser").await;
    let other = Place::with(at(&fake.issuer())).await;
    let mut elsewhere = Browser::default();
    elsewhere.begin(&other, "/").await;
    failed(&mut elsewhere, &good, "not started in this browser").await;
    let sealed = victim.cookies["modeldepot_login"].clone();
    for bad in ["x".to_owned(), sealed[1..].to_owned(), sealed.replacen(|c: char| c.is_ascii_digit(), "x", 1)] {
        let mut tampered = Browser::default();
        tampered.cookies.insert("modeldepot_login".to_owned(), bad);
        failed(&mut tampered, &good, "not started in this browser").await;
    }
    // The attacker's attempt with the victim's answer, and the reverse.
    let mut attacker = Browser::default();
    let own = attacker.begin(&place, "/").await;
    failed(&mut attacker, &good, "belongs to another login").await;
    failed(&mut victim, &[("code", "c"), ("state", &own.part("state"))], "belongs to another login").await;
    failed(&mut victim, &[("code", "c")], "belongs to another login").await;
    failed(&mut victim, &[("code", "c"), ("state", "")], "belongs to another login").await;
    assert_eq!(fake.asked("/token"), 0, "no code of theirs was sent on");
    victim.back(&place, &good).await.is(200);
    assert!(victim.is_logged_in());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_works_once_and_not_for_ever() {
    let fake = Fake::start().await;
    let place = Place::with(at(&fake.issuer())).await;
    let mut browser = Browser::default();
    let sent = browser.begin(&place, "/").await;
    fake.remember(sent.part("nonce"));
    let mut copy = browser.clone();
    let state = sent.part("state");
    let answer = [("code", "c"), ("state", state.as_str())];
    browser.back(&place, &answer).await.is(200);
    let page = text(&copy.back(&place, &answer).await.is(400));
    assert!(page.contains("already used") && !copy.is_logged_in(), "{page}");
    assert_eq!(fake.asked("/token"), 1);

    let place = Place::with(|config| {
        at(&fake.issuer())(config);
        config.oidc.as_mut().unwrap().attempt = Duration::ZERO;
    })
    .await;
    let mut late = Browser::default();
    let begun = late.get(&place, "/login/oidc").await.is(303);
    let sent = super::browser::Sent { url: begun.header("location").parse().unwrap() };
    let cookie = begun.header("set-cookie").split([';', '=']).nth(1).unwrap().to_owned();
    late.cookies.insert("modeldepot_login".to_owned(), cookie);
    let page = text(&late.back(&place, &[("code", "c"), ("state", &sent.part("state"))]).await.is(400));
    assert!(page.contains("took too long"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_without_a_group_is_told_what_is_missing() {
    let fake = Fake::start().await;
    let place = Place::with(at(&fake.issuer())).await;
    let refused = async |claims: serde_json::Value| {
        fake.claim(claims);
        let mut browser = Browser::default();
        let sent = browser.begin(&place, "/").await;
        fake.remember(sent.part("nonce"));
        let page = browser.back(&place, &[("code", "c"), ("state", &sent.part("state"))]).await.is(403);
        assert!(!browser.is_logged_in());
        let page = text(&page);
        // The lines of the notice.
        let notice =
            page.split("role=\"alert\">").nth(1).unwrap().split("</div>").next().unwrap().replace("</p>", "\n");
        notice.split(['<', '>']).step_by(2).collect::<String>()
    };
    insta::assert_snapshot!(refused(json!({"groups": ["<b>guests</b>", "x"], "preferred_username": "ana"})).await, @r"
    ana is in no group that may use this service
    caused by: the claim `groups` has `&lt;b&gt;guests&lt;/b&gt;`, `x`
    What to do: ask the operator for a grant for one of your groups, or to add you to a group that has one
    ");
    insta::assert_snapshot!(refused(json!({"groups": null, "preferred_username": null})).await, @r"
    248289761001 is in no group that may use this service
    caused by: the provider sent no claim `groups`
    What to do: ask the operator to configure the provider to send the claim groups, or to request its scope
    ");
    insta::assert_snapshot!(refused(json!({"groups": [], "preferred_username": "", "email": "a@example.com"})).await, @r"
    a@example.com is in no group that may use this service
    caused by: the claim `groups` is empty
    What to do: ask the operator for a grant for one of your groups, or to add you to a group that has one
    ");
    insta::assert_snapshot!(refused(json!({"groups": null, "_claim_names": {"groups": "src1"}})).await, @r"
    ana is in no group that may use this service
    caused by: the provider left out the claim `groups`: it is too long
    What to do: ask the operator to configure the provider to send the claim groups, or to request its scope
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_that_only_userinfo_has() {
    let fake = Fake::start().await;
    let place = Place::with(at(&fake.issuer())).await;
    fake.claim(json!({"groups": null, "preferred_username": null}));
    fake.says("/userinfo", |_| said(&json!({"sub": "248289761001", "groups": ["ops"], "preferred_username": "cleo"})));
    let (mut browser, _) = log_in(&place, &fake, "/").await;
    browser.get(&place, "/api/v1/models").await.is(200);
    assert_eq!(fake.asked("/userinfo"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn logging_out_ends_the_session_and_offers_to_end_that_of_the_provider() {
    let fake = Fake::start().await;
    let place = Place::with(at(&fake.issuer())).await;
    let (mut browser, _) = log_in(&place, &fake, "/").await;
    let csrf = browser.csrf(&place).await;
    let before = browser.clone();
    let form = format!("csrf={csrf}");
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let out = browser.ask(place.address(), Method::POST, "/logout", &headers, form.as_bytes()).await.is(303);
    assert_eq!(out.header("location"), "/login?logged_out=1");
    assert!(!browser.is_logged_in());
    before.clone().get(&place, "/api/v1/models").await.is(401);
    let page = text(&browser.get(&place, "/login?logged_out=1").await.is(200));
    assert!(page.contains(&format!("href=\"{}/end?client_id=depot\"", fake.issuer())), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_when_it_was_set_to() {
    let fake = Fake::start().await;
    let place = Place::with(|config| {
        at(&fake.issuer())(config);
        config.oidc.as_mut().unwrap().session = Duration::from_secs(1);
    })
    .await;
    let (mut browser, _) = log_in(&place, &fake, "/").await;
    // Far longer than it takes, for busy machines.
    for _ in 0..600 {
        if browser.get(&place, "/api/v1/models").await.status != 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    browser.get(&place, "/api/v1/models").await.is(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_down_is_tried_again() {
    let fake = Fake::start().await;
    let (issuer, address) = (fake.issuer(), fake.issuer()[7..].parse().unwrap());
    drop(fake);
    let place = Place::with(at(&issuer)).await;
    let page = text(&place.get("/login/oidc").await.is(503));
    assert!(page.contains("cannot reach the login provider") && page.contains("Log in again"), "{page}");
    place.get("/login").await.is(200);
    let fake = Fake::on(address).await;
    while place.get("/login/oidc").await.status == 503 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    log_in(&place, &fake, "/").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_logins_that_are_begun_and_left_keep_nobody_out() {
    let fake = Fake::start().await;
    let place = Place::with(at(&fake.issuer())).await;
    let mut browser = Browser::default();
    let sent = browser.begin(&place, "/").await;
    fake.remember(sent.part("nonce"));
    for _ in 0..500 {
        send(place.address(), Method::GET, "/login/oidc", &[], b"").await.is(303);
    }
    browser.back(&place, &[("code", "c"), ("state", &sent.part("state"))]).await.is(200);
    assert!(browser.is_logged_in());
    assert_eq!(fake.asked("/.well-known/openid-configuration"), 1, "what it says of itself is remembered");
}
