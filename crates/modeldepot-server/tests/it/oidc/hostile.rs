//! What a provider, or an impostor, may send: none of it logs anyone in or blocks the service.

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect};
use hyper::Method;
use modeldepot_server::{Scope, Tokens};
use serde_json::{Value, json};

use super::at;
use super::browser::{Browser, text};
use super::fake::{Fake, Key, PATIENCE, encode, endless, now, said, silent, tokens, unsigned};
use crate::place::{Answer, Place};

/// Tries to log in.
async fn tried(place: &Place, fake: &Fake) -> (Browser, Answer) {
    let mut browser = Browser::default();
    let sent = browser.begin(place, "/").await;
    fake.remember(sent.part("nonce"));
    let answer = browser.back(place, &[("code", "code-secret"), ("state", &sent.part("state"))]).await;
    (browser, answer)
}

/// Asserts that nobody was logged in, and that the page says so.
async fn refused(place: &Place, fake: &Fake, status: u16, word: &str) {
    let (browser, answer) = tried(place, fake).await;
    let page = text(&answer);
    assert!(!browser.is_logged_in(), "{word}: {page}");
    assert!(answer.status == status && page.contains(word), "{word}: {} {page}", answer.status);
    assert!(!page.contains("access-secret") && !page.contains("code-secret"), "{page}");
}

fn with(fake: &Fake, name: &str, value: Value) -> Value {
    let mut claims = fake.good();
    claims[name] = value;
    claims
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_are_not_the_providers_for_us_and_of_now() {
    let fake = Fake::start().await;
    let place = Place::with(|config| {
        at(&fake.issuer())(config);
        config.oidc.as_mut().unwrap().client_secret = Some(modeldepot::Secret::new("client-secret"));
    })
    .await;
    let claims: [(&str, Value, &str); 14] = [
        ("aud", json!("another"), "Invalid audiences"),
        ("aud", json!(["depot", "another"]), "not a trusted audience"),
        ("aud", json!([]), "Invalid audiences"),
        ("azp", json!("another"), "given to another client"),
        ("iss", json!("https://evil.example"), "Invalid issuer"),
        ("iss", json!(format!("{}/", fake.issuer())), "Invalid issuer"),
        ("exp", json!(now() - 120), "Expired"),
        ("iat", json!(now() + 3600), "issued in the future"),
        ("nonce", json!("another"), "Invalid nonce"),
        ("nonce", json!(null), "Invalid nonce"),
        ("at_hash", json!("AAAAAAAAAAAAAAAAAAAAAA"), "does not belong to the ID token"),
        ("sub", json!(null), "did not return tokens"),
        ("exp", json!("never"), "did not return tokens"),
        ("exp", json!(1e300), "did not return tokens"),
    ];
    for (name, value, word) in claims {
        fake.gives(move |fake| fake.key().sign(&with(fake, name, value.clone())));
        refused(&place, &fake, 502, word).await;
    }
    // Unsigned, signed with a known secret, or signed by someone else.
    fake.gives(|fake| format!("{}.", unsigned(&json!({"alg": "none"}), &fake.good())));
    refused(&place, &fake, 502, "cannot be trusted").await;
    fake.gives(|fake| unsigned(&json!({"alg": "none"}), &fake.good()));
    refused(&place, &fake, 502, "cannot be trusted").await;
    let mac = |secret: &[u8], fake: &Fake| {
        let text = unsigned(&json!({"alg": "HS256", "kid": fake.key().id}), &fake.good());
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
        format!("{text}.{}", encode(ring::hmac::sign(&key, text.as_bytes()).as_ref()))
    };
    fake.gives(move |fake| mac(fake.key().public(), fake));
    refused(&place, &fake, 502, "Disallowed signature algorithm").await;
    fake.gives(move |fake| mac(b"client-secret", fake));
    refused(&place, &fake, 502, "Disallowed signature algorithm").await;
    let stranger = Key::new("one");
    fake.gives(move |fake| stranger.sign(&fake.good()));
    refused(&place, &fake, 502, "cannot be trusted").await;
    fake.gives(|fake| {
        let token = fake.key().sign(&fake.good());
        let (head, signature) = (token.split('.').next().unwrap(), token.split('.').nth(2).unwrap());
        let claims = encode(with(fake, "groups", json!(["ops"])).to_string().as_bytes());
        format!("{head}.{claims}.{signature}")
    });
    refused(&place, &fake, 502, "cannot be trusted").await;
    // A valid token is accepted: the refusals above had the intended reasons.
    fake.gives(|fake| fake.key().sign(&fake.good()));
    assert!(tried(&place, &fake).await.0.is_logged_in());
    // A clock that is slightly behind or ahead is accepted.
    fake.gives(|fake| fake.key().sign(&with(fake, "exp", json!(now() - 20))));
    assert!(tried(&place, &fake).await.0.is_logged_in());
    fake.gives(|fake| fake.key().sign(&with(fake, "iat", json!(now() + 20))));
    assert!(tried(&place, &fake).await.0.is_logged_in());
}

#[tokio::test(flavor = "multi_thread")]
async fn new_keys_are_fetched_and_not_at_everybodys_bidding() {
    let fake = Fake::start().await;
    let place = Place::with(at(&fake.issuer())).await;
    assert!(tried(&place, &fake).await.0.is_logged_in());
    assert_eq!(fake.asked("/keys"), 1);
    fake.rotate("two");
    assert!(tried(&place, &fake).await.0.is_logged_in());
    assert!(tried(&place, &fake).await.0.is_logged_in());
    assert_eq!(fake.asked("/keys"), 2);
    let unknown = Key::new("three");
    fake.gives(move |fake| unknown.sign(&fake.good()));
    for _ in 0..5 {
        refused(&place, &fake, 502, "No matching key found").await;
    }
    assert_eq!(fake.asked("/keys"), 2, "it was asked a moment ago");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_the_token_endpoint() {
    let fake = Fake::start().await;
    let place = Place::with(|config| {
        at(&fake.issuer())(config);
        config.oidc.as_mut().unwrap().patience = PATIENCE;
    })
    .await;
    let internal = format!("{}/internal", fake.issuer());
    fake.says("/token", move |_| Redirect::temporary(&internal).into_response());
    refused(&place, &fake, 503, "redirects elsewhere").await;
    assert_eq!(fake.asked("/internal"), 0);
    fake.says("/token", |_| endless());
    refused(&place, &fake, 503, "longer than 256 KiB").await;
    fake.says("/token", |_| silent());
    refused(&place, &fake, 503, "no answer within").await;
    fake.says("/token", |_| StatusCode::INTERNAL_SERVER_ERROR.into_response());
    refused(&place, &fake, 503, "responded with status 500").await;
    fake.says("/token", |_| "access-secret".into_response());
    refused(&place, &fake, 502, "did not return tokens").await;
    fake.says("/token", |_| said(&json!({"access_token": ["access-secret"], "token_type": 7})));
    refused(&place, &fake, 502, "did not return tokens").await;
    fake.says("/token", |_| tokens(&json!({})));
    refused(&place, &fake, 502, "sent no ID token").await;
    fake.says("/token", |_| said(&serde_json::from_str(&format!("{}1{}", "[".repeat(100), "]".repeat(100))).unwrap()));
    refused(&place, &fake, 502, "did not return tokens").await;
    fake.says("/token", |_| {
        let refusal = json!({"error": "invalid_grant", "error_description": "<script>alert(1)</script>"});
        (StatusCode::BAD_REQUEST, said(&refusal)).into_response()
    });
    let (_, answer) = tried(&place, &fake).await;
    let page = text(&answer.is(403));
    assert!(
        page.contains("invalid_grant") && page.contains("&lt;script&gt;") && !page.contains("<script>alert"),
        "{page}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_the_userinfo_endpoint() {
    let fake = Fake::start().await;
    let place = Place::with(at(&fake.issuer())).await;
    fake.claim(json!({"groups": null}));
    fake.says("/userinfo", |_| said(&json!({"sub": "somebody-else", "groups": ["ops"]})));
    refused(&place, &fake, 502, "Invalid subject").await;
    fake.says("/userinfo", |_| endless());
    refused(&place, &fake, 503, "longer than 256 KiB").await;
    // The library would panic on such a token.
    fake.says("/userinfo", |_| said(&json!({"sub": "248289761001", "groups": ["ops"]})));
    fake.says("/token", |fake| {
        tokens(&json!({"id_token": fake.key().sign(&fake.good()), "access_token": "a\r\nb: c"}))
    });
    refused(&place, &fake, 502, "contains invalid characters").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_provider_says_of_itself() {
    let begun = async |change: &dyn Fn(&Fake), status: u16, word: &str| {
        let fake = Fake::start().await;
        change(&fake);
        let place = Place::with(|config| {
            at(&fake.issuer())(config);
            config.oidc.as_mut().unwrap().patience = PATIENCE;
        })
        .await;
        let answer = place.get("/login/oidc").await;
        let page = text(&answer);
        assert!(answer.status == status && page.contains(word), "{word}: {} {page}", answer.status);
        place.get("/healthz").await.is(200);
    };
    const DISCOVERY: &str = "/.well-known/openid-configuration";
    let other = |name: &'static str, value: Value| {
        move |fake: &Fake| {
            let value = value.clone();
            fake.says(DISCOVERY, move |fake| {
                let mut metadata = fake.metadata();
                metadata[name] = value.clone();
                said(&metadata)
            });
        }
    };
    begun(&other("issuer", json!("https://evil.example")), 503, "unexpected issuer URI").await;
    begun(&other("token_endpoint", json!("http://internal.example/token")), 503, "is not https").await;
    begun(&other("authorization_endpoint", json!("http://internal.example/a")), 503, "is not https").await;
    begun(&other("authorization_endpoint", json!("javascript:alert(1)")), 503, "is not https").await;
    begun(&other("userinfo_endpoint", json!("ftp://internal.example")), 503, "is not https").await;
    begun(&other("jwks_uri", json!("http://169.254.169.254/latest")), 503, "is not https").await;
    begun(&other("token_endpoint", json!(null)), 503, "names no token endpoint").await;
    begun(&|fake| fake.says(DISCOVERY, |_| endless()), 503, "longer than 256 KiB").await;
    begun(&|fake| fake.says(DISCOVERY, |_| silent()), 503, "no answer within").await;
    begun(&|fake| fake.says(DISCOVERY, |_| "<html>".into_response()), 503, "cannot reach the login provider").await;
    let elsewhere = |_: &Fake| Redirect::temporary("http://127.0.0.1:1/").into_response();
    begun(&|fake| fake.says(DISCOVERY, elsewhere), 503, "redirects elsewhere").await;
    let many = |_: &Fake| said(&json!({"keys": vec![json!({"kty": "oct", "k": "A".repeat(1000)}); 1000]}));
    begun(&|fake| fake.says("/keys", many), 503, "longer than 256 KiB").await;
    begun(&|fake| fake.says("/keys", |_| endless()), 503, "longer than 256 KiB").await;
    // A logout URL that leads elsewhere is not offered, but is no reason to refuse a login.
    begun(&other("end_session_endpoint", json!("javascript:alert(1)")), 303, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_the_provider_are_shown_as_text() {
    let fake = Fake::start().await;
    let place = Place::with(at(&fake.issuer())).await;
    let mut browser = Browser::default();
    let sent = browser.begin(&place, "/").await;
    let state = sent.part("state");
    let parts = [
        ("error", "access_denied<img src=x onerror=alert(1)>"),
        ("error_description", "\u{202e}<script>alert(1)</script>"),
        ("state", &state),
    ];
    let page = text(&browser.back(&place, &parts).await.is(403));
    assert!(page.contains("access_denied&lt;img") && page.contains("\\u{202e}&lt;script"), "{page}");
    assert!(!page.contains("<img") && !page.contains("<script>alert"), "{page}");
    // Without the right state, not even the error is shown: anyone could put words into our pages.
    let page = text(&browser.back(&place, &[("error", "call 555 now")]).await.is(400));
    assert!(!page.contains("555"), "{page}");
    let mixed = [("code", "c"), ("state", state.as_str()), ("iss", "https://evil.example")];
    let page = text(&browser.back(&place, &mixed).await.is(502));
    assert!(page.contains("from another issuer") && fake.asked("/token") == 0, "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn returns_that_nobody_began_count_for_nothing_and_others_apart() {
    let fake = Fake::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    Tokens::add(&file, "ci", Scope::Read).unwrap();
    let place = Place::with(|config| {
        at(&fake.issuer())(config);
        config.tokens = Some(file.clone());
    })
    .await;
    let log_in = async || {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        place.send(Method::POST, "/login", &form, b"token=mdt_wrong").await.status.as_u16()
    };
    let mut stranger = Browser::default();
    for _ in 0..30 {
        stranger.back(&place, &[("code", "c"), ("state", "s")]).await.is(400);
    }
    // A browser that has begun to log in is told to wait, by a page, and can still log in with a token.
    let mut browser = Browser::default();
    browser.begin(&place, "/").await;
    let mut told = browser.back(&place, &[("code", "c"), ("state", "s")]).await.is(400);
    for _ in 0..200 {
        if told.status == 429 {
            break;
        }
        told = browser.back(&place, &[("code", "c"), ("state", "s")]).await;
    }
    let told = told.is(429);
    assert!(told.header("content-type").starts_with("text/html"), "{told:?}");
    assert_eq!(log_in().await, 401);
    assert_eq!(fake.asked("/token"), 0);
}
