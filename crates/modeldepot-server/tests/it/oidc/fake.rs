//! A provider that signs and serves whatever a test wants.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A key pair with a name.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) id: &'static str,
    pair: Arc<EcdsaKeyPair>,
}

impl Key {
    pub(crate) fn new(id: &'static str) -> Key {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
        Key { id, pair: Arc::new(pair) }
    }

    /// Returns the public key as a point of 64 bytes.
    pub(crate) fn public(&self) -> &[u8] {
        &self.pair.public_key().as_ref()[1..]
    }

    fn jwk(&self) -> Value {
        let (x, y) = self.public().split_at(32);
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "kid": self.id, "x": encode(x), "y": encode(y)})
    }

    /// Returns a token.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let text = unsigned(&json!({"alg": "ES256", "kid": self.id, "typ": "JWT"}), claims);
        let signature = self.pair.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", encode(signature.as_ref()))
    }
}

/// Returns the header and claims of a token.
pub(crate) fn unsigned(head: &Value, claims: &Value) -> String {
    format!("{}.{}", encode(head.to_string().as_bytes()), encode(claims.to_string().as_bytes()))
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Returns the seconds since 1970.
pub(crate) fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// Creates a response to a request.
type Says = Box<dyn Fn(&Fake) -> Response + Send + Sync>;

/// A provider that serves whatever a test wants.
#[derive(Clone)]
pub(crate) struct Fake(Arc<Inner>);

struct Inner {
    address: SocketAddr,
    key: Mutex<Key>,
    nonce: Mutex<String>,
    claims: Mutex<Value>,
    discovery: Mutex<Option<Says>>,
    keys: Mutex<Option<Says>>,
    token: Mutex<Option<Says>>,
    userinfo: Mutex<Option<Says>>,
    asked: [AtomicUsize; 5],
    authorization: Mutex<String>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(task) = self.task.lock().unwrap().take() {
            task.abort();
        }
    }
}

/// Its paths, in the order of the counters.
pub(crate) const PATHS: [&str; 5] = ["/.well-known/openid-configuration", "/keys", "/token", "/userinfo", "/internal"];

impl Fake {
    pub(crate) async fn start() -> Fake {
        Fake::on("127.0.0.1:0".parse().unwrap()).await
    }

    pub(crate) async fn on(address: SocketAddr) -> Fake {
        let listener = TcpListener::bind(address).await.unwrap();
        let fake = Fake(Arc::new(Inner {
            address: listener.local_addr().unwrap(),
            key: Mutex::new(Key::new("one")),
            nonce: Mutex::default(),
            claims: Mutex::new(json!({})),
            discovery: Mutex::default(),
            keys: Mutex::default(),
            token: Mutex::default(),
            userinfo: Mutex::default(),
            asked: Default::default(),
            authorization: Mutex::default(),
            task: Mutex::default(),
        }));
        // Weak, so that dropping a test's last handle ends it.
        let router = Router::new().fallback(answer).with_state(Arc::downgrade(&fake.0));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        *fake.0.task.lock().unwrap() = Some(task);
        fake
    }

    pub(crate) fn issuer(&self) -> String {
        format!("http://{}", self.0.address)
    }

    pub(crate) fn key(&self) -> Key {
        self.0.key.lock().unwrap().clone()
    }

    /// Signs with another key from now on, and publishes only that.
    pub(crate) fn rotate(&self, id: &'static str) {
        *self.0.key.lock().unwrap() = Key::new(id);
    }

    /// Stores the nonce requested for the token.
    pub(crate) fn remember(&self, nonce: String) {
        *self.0.nonce.lock().unwrap() = nonce;
    }

    /// Sets the claims of all later logins.
    pub(crate) fn claim(&self, claims: Value) {
        *self.0.claims.lock().unwrap() = claims;
    }

    pub(crate) fn asked(&self, path: &str) -> usize {
        self.0.asked[PATHS.iter().position(|known| *known == path).unwrap()].load(Ordering::SeqCst)
    }

    /// Returns the credentials last sent to the token endpoint.
    pub(crate) fn authorization(&self) -> String {
        self.0.authorization.lock().unwrap().clone()
    }

    /// Answers differently at one of its paths.
    pub(crate) fn says(&self, path: &str, says: impl Fn(&Fake) -> Response + Send + Sync + 'static) {
        let place = match path {
            "/.well-known/openid-configuration" => &self.0.discovery,
            "/keys" => &self.0.keys,
            "/token" => &self.0.token,
            "/userinfo" => &self.0.userinfo,
            _ => panic!("{path}"),
        };
        *place.lock().unwrap() = Some(Box::new(says));
    }

    /// Issues this ID token.
    pub(crate) fn gives(&self, token: impl Fn(&Fake) -> String + Send + Sync + 'static) {
        self.says("/token", move |fake| tokens(&json!({"id_token": token(fake)})));
    }

    pub(crate) fn metadata(&self) -> Value {
        let issuer = self.issuer();
        json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/keys"),
            "userinfo_endpoint": format!("{issuer}/userinfo"),
            "end_session_endpoint": format!("{issuer}/end"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            // More than acceptable: the service decides what it accepts.
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"],
        })
    }

    /// Returns the claims of a valid token.
    pub(crate) fn good(&self) -> Value {
        let mut claims = json!({
            "iss": self.issuer(), "aud": "depot", "sub": "248289761001", "iat": now(), "exp": now() + 300,
            "nonce": *self.0.nonce.lock().unwrap(), "preferred_username": "ana", "groups": ["readers"],
        });
        for (name, value) in self.0.claims.lock().unwrap().as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    }
}

/// Returns a JSON response.
pub(crate) fn said(value: &Value) -> Response {
    ([("content-type", "application/json")], value.to_string()).into_response()
}

/// Returns a response of the token endpoint, with some fields replaced.
pub(crate) fn tokens(other: &Value) -> Response {
    let mut all = json!({"access_token": "access-secret", "token_type": "Bearer", "expires_in": 300});
    for (name, value) in other.as_object().unwrap() {
        all[name] = value.clone();
    }
    said(&all)
}

/// Returns a response that never ends.
pub(crate) fn endless() -> Response {
    let chunk = Bytes::from(vec![b' '; 16 * 1024]);
    let body = futures_util::stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone()));
    ([("content-type", "application/json")], Body::from_stream(body)).into_response()
}

/// Returns a response that sends nothing.
pub(crate) fn silent() -> Response {
    let body = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
    ([("content-type", "application/json")], Body::from_stream(body)).into_response()
}

async fn answer(State(inner): State<std::sync::Weak<Inner>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let Some(inner) = inner.upgrade() else { return axum::http::StatusCode::GONE.into_response() };
    let fake = Fake(inner);
    if let Some(index) = PATHS.iter().position(|path| *path == uri.path()) {
        fake.0.asked[index].fetch_add(1, Ordering::SeqCst);
    }
    let other = |place: &Mutex<Option<Says>>| place.lock().unwrap().as_ref().map(|says| says(&fake));
    match uri.path() {
        "/.well-known/openid-configuration" => other(&fake.0.discovery).unwrap_or_else(|| said(&fake.metadata())),
        "/keys" => other(&fake.0.keys).unwrap_or_else(|| said(&json!({"keys": [fake.key().jwk()]}))),
        "/token" => {
            let login = headers.get("authorization").map(|it| it.to_str().unwrap().to_owned());
            *fake.0.authorization.lock().unwrap() =
                format!("{} {}", login.unwrap_or_default(), String::from_utf8_lossy(&body));
            other(&fake.0.token).unwrap_or_else(|| tokens(&json!({"id_token": fake.key().sign(&fake.good())})))
        }
        "/userinfo" => other(&fake.0.userinfo).unwrap_or_else(|| said(&json!({"sub": "248289761001"}))),
        _ => axum::http::StatusCode::NOT_FOUND.into_response(),
    }
}

/// How long a silent provider is waited for in tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);
