//! Who asks, and what they may.
//!
//! Without a file of tokens everybody may do everything, and the service listens on loopback only. With one, a program
//! sends `Authorization: Bearer TOKEN`, and a browser the cookie of a session that it got for a token.
//!
//! Handlers take [`Reader`], [`Publisher`] or [`Deleter`]; having one is the proof. What a browser asks to be done under
//! a session carries the session's CSRF token: in the header `x-csrf-token`, which those three look for, or in a field
//! of a form, for which there is [`Unproven`].

mod grants;
mod sessions;
mod tokens;

use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use modeldepot::ErrorKind;

use self::sessions::{Holder, Sessions};
use crate::problem::{Problem, Result};
use crate::state::App;

pub(crate) use self::sessions::Person;

pub use self::grants::{Grant, Grants, GrantsError, ModelPattern, Scope};
pub use self::tokens::{Token, Tokens, TokensError};

/// The name of the cookie.
const COOKIE: &str = "modeldepot_session";

/// The header that pages send the CSRF token in.
pub(crate) const CSRF_HEADER: &str = "x-csrf-token";

/// How often it is looked whether the file of tokens has changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Decides who is let in.
pub(crate) struct Gate {
    /// None where no token lets in.
    file: Option<Mutex<Watched>>,
    /// Whether callers must say who they are: by a token, or by logging in at a provider.
    closed: bool,
    sessions: Sessions,
    /// The CSRF token of everybody, where nobody logs in.
    csrf: String,
    /// Whether cookies may travel over HTTPS alone.
    secure: bool,
    pub(crate) read_only: bool,
}

/// The file of tokens, as it was last read.
struct Watched {
    path: PathBuf,
    looked: Instant,
    changed: Option<(SystemTime, u64)>,
    tokens: Arc<Tokens>,
}

/// Who asks.
#[derive(Clone)]
pub(crate) struct Caller {
    /// The name of the token, or none where nobody is asked for one.
    pub(crate) name: Option<String>,
    pub(crate) scope: Scope,
    /// What the caller's pages send along with what they ask to be done.
    pub(crate) csrf: String,
    /// Whether what is asked to be done must carry it: a browser sends cookies unasked.
    browser: bool,
}

impl Gate {
    pub(crate) fn new(file: Option<PathBuf>, people: bool, secure: bool, read_only: bool) -> Result<Gate, TokensError> {
        let closed = people || file.is_some();
        let file = match file {
            None => None,
            Some(path) => {
                let (changed, tokens) = (stamp(&path), Arc::new(Tokens::read(&path)?));
                Some(Mutex::new(Watched { path, looked: Instant::now(), changed, tokens }))
            }
        };
        Ok(Gate { file, closed, sessions: Sessions::default(), csrf: tokens::random()?, secure, read_only })
    }

    /// Returns true when callers must say who they are.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Returns true when there is a file of tokens.
    pub(crate) fn has_tokens(&self) -> bool {
        self.file.is_some()
    }

    /// Returns true when cookies may travel over HTTPS alone.
    #[cfg(feature = "oidc")]
    pub(crate) fn is_secure(&self) -> bool {
        self.secure
    }

    /// Returns the tokens as the file has them now. One that cannot be read lets nobody in.
    fn tokens(&self) -> Option<Arc<Tokens>> {
        let mut file = self.file.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        if file.looked.elapsed() > LOOK_EVERY {
            file.looked = Instant::now();
            let now = stamp(&file.path);
            if now != file.changed || now.is_none() {
                file.tokens = Arc::new(Tokens::read(&file.path).unwrap_or_else(|error| {
                    tracing::error!(%error, "nobody is let in");
                    Tokens::default()
                }));
                file.changed = now;
            }
        }
        Some(Arc::clone(&file.tokens))
    }

    /// Returns who asks.
    ///
    /// # Errors
    /// A problem of status 401 when that is not known.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Result<Caller> {
        if !self.closed {
            return Ok(Caller { name: None, scope: Scope::Delete, csrf: self.csrf.clone(), browser: false });
        }
        let tokens = self.tokens().unwrap_or_default();
        if let Some(bearer) = bearer(headers) {
            let known = tokens.find(bearer).ok_or_else(|| unknown("this token is not known here"))?;
            return Ok(Caller {
                name: Some(known.name.clone()),
                scope: known.scope,
                csrf: String::new(),
                browser: false,
            });
        }
        let session = cookie(headers).and_then(|cookie| self.sessions.find(cookie));
        let known = session.and_then(|session| {
            let (name, scope) = match &session.holder {
                Holder::Token(hash) => {
                    let token = tokens.iter().find(|token| token.hash == *hash)?;
                    (token.name.clone(), token.scope)
                }
                Holder::Person(person) => (person.name.clone(), person.grants.highest()),
            };
            Some(Caller { name: Some(name), scope, csrf: session.csrf, browser: true })
        });
        known.ok_or_else(|| unknown("this service asks for a token"))
    }

    /// Begins a session for whoever has a token, and returns its cookie.
    ///
    /// # Errors
    /// A problem of status 401 when the token is not known.
    pub(crate) fn log_in(&self, token: &str) -> Result<HeaderValue> {
        let tokens = self.tokens().unwrap_or_default();
        let known = tokens.find(token.trim()).ok_or_else(|| unknown("this token is not known here"))?;
        self.begin(Holder::Token(known.hash))
    }

    /// Begins a session for a person, in the place of the browser's last one, and returns its cookie.
    #[cfg(feature = "oidc")]
    pub(crate) fn welcome(&self, person: Person, headers: &HeaderMap) -> Result<HeaderValue> {
        if let Some(cookie) = cookie(headers) {
            self.sessions.end(cookie);
        }
        self.begin(Holder::Person(Arc::new(person)))
    }

    fn begin(&self, holder: Holder) -> Result<HeaderValue> {
        let (cookie, lasts) = self.sessions.begin(holder).map_err(|error| internal(&error.to_string()))?;
        self.set_cookie(&cookie, lasts.as_secs())
    }

    /// Returns the person whose session a request has.
    pub(crate) fn person(&self, headers: &HeaderMap) -> Option<Arc<Person>> {
        match self.sessions.find(cookie(headers)?)?.holder {
            Holder::Person(person) => Some(person),
            Holder::Token(_) => None,
        }
    }

    /// Ends the session of a request, and returns the cookie that makes the browser forget it.
    pub(crate) fn log_out(&self, headers: &HeaderMap) -> Result<HeaderValue> {
        if let Some(cookie) = cookie(headers) {
            self.sessions.end(cookie);
        }
        self.set_cookie("", 0)
    }

    fn set_cookie(&self, value: &str, seconds: u64) -> Result<HeaderValue> {
        let secure = if self.secure { "; Secure" } else { "" };
        let text = format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
        let mut value = HeaderValue::try_from(text).map_err(|_| internal("the cookie cannot be written"))?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// Returns the caller if they may do this.
    fn allow(&self, caller: Caller, scope: Scope) -> Result<Caller> {
        if self.read_only && scope > Scope::Read {
            return Err(Problem::new(ErrorKind::Denied, "this service is read-only")
                .hint("it was started with `--read-only`; use another, or the command"));
        }
        if caller.scope < scope {
            let name = caller.name.unwrap_or_default();
            return Err(Problem::new(ErrorKind::Denied, format!("token `{name}` may {}, not {scope}", caller.scope))
                .hint(format!("ask for a token of scope `{scope}`: `modeldepot token add NAME --scope {scope}`")));
        }
        Ok(caller)
    }
}

/// What tells whether a file has changed.
fn stamp(path: &std::path::Path) -> Option<(SystemTime, u64)> {
    let found = std::fs::metadata(path).ok()?;
    Some((found.modified().ok()?, found.len()))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    pairs.flat_map(|pairs| pairs.split(';')).find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

fn unknown(detail: &str) -> Problem {
    Problem::new(ErrorKind::Denied, detail)
        .status(StatusCode::UNAUTHORIZED)
        .header(header::WWW_AUTHENTICATE, "Bearer realm=\"modeldepot\"")
        .hint("send `Authorization: Bearer TOKEN`; `modeldepot token add` makes tokens")
}

fn internal(detail: &str) -> Problem {
    Problem::new(ErrorKind::Internal, detail)
}

fn csrf_missing() -> Problem {
    Problem::new(ErrorKind::Denied, "this request does not come from a page of this service")
        .hint("load the page again, and send its form from there")
}

/// A right, as a type.
pub(crate) trait Right {
    const SCOPE: Scope;
}

/// To see and fetch.
pub(crate) struct ToRead;
/// To publish.
pub(crate) struct ToPublish;
/// To delete.
pub(crate) struct ToDelete;

impl Right for ToRead {
    const SCOPE: Scope = Scope::Read;
}
impl Right for ToPublish {
    const SCOPE: Scope = Scope::Publish;
}
impl Right for ToDelete {
    const SCOPE: Scope = Scope::Delete;
}

/// A caller who has a right, and whose request is their own.
pub(crate) struct Allowed<R: Right>(pub(crate) Caller, PhantomData<R>);

/// A caller who may see and fetch.
pub(crate) type Reader = Allowed<ToRead>;
/// A caller who may publish.
pub(crate) type Publisher = Allowed<ToPublish>;
/// A caller who may delete.
pub(crate) type Deleter = Allowed<ToDelete>;

/// A caller who has a right, whose form is still to show that it is of a page of ours.
pub(crate) struct Unproven<R: Right>(Caller, PhantomData<R>);

impl<R: Right> Unproven<R> {
    /// Takes the CSRF token that came in the form.
    pub(crate) fn prove(self, csrf: &str) -> Result<Allowed<R>> {
        match self.0.browser && blake3::hash(csrf.as_bytes()) != blake3::hash(self.0.csrf.as_bytes()) {
            true => Err(csrf_missing()),
            false => Ok(Allowed(self.0, PhantomData)),
        }
    }
}

impl<R: Right> FromRequestParts<App> for Unproven<R> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let gate = &app.service.gate;
        Ok(Unproven(gate.allow(gate.caller(&parts.headers)?, R::SCOPE)?, PhantomData))
    }
}

impl<R: Right + Send> FromRequestParts<App> for Allowed<R> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let unproven = Unproven::<R>::from_request_parts(parts, app).await?;
        // What only reads may be asked for by a link.
        if R::SCOPE == Scope::Read && (parts.method.is_safe()) {
            return Ok(Allowed(unproven.0, PhantomData));
        }
        let csrf = parts.headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
        unproven.prove(csrf)
    }
}
