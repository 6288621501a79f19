//! Authentication and authorization.
//!
//! Without a token file everyone has full access, and the service only listens on loopback addresses. With one, a
//! program sends `Authorization: Bearer TOKEN`, and a browser sends the cookie of a session that it got for a token. If
//! people log in at a provider (`oidc`), their browsers get a session for that too.
//!
//! The route table says which scope each route needs. `admit` enforces it for the model or bucket in the request's
//! path, and checks the CSRF token of requests that change something within a session. Handlers take [`Reader`],
//! [`Publisher`] or [`Deleter`] as well: having one proves that the route was checked. Where the path names no model,
//! they use [`Caller::may`].

mod about;
mod allowed;
mod asking;
mod cookie;
mod csrf;
mod file;
mod grants;
mod login;
mod sessions;
mod token;
mod tokens;
mod tokens_error;
mod used;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use headers::authorization::Bearer;
use headers::{Authorization, HeaderMapExt as _};
use modeldepot::{ErrorKind, ModelName, PublishedBy, units};
use modeldepot_listen::Stamp;
use time::OffsetDateTime;

use self::sessions::{Holder, Sessions};
use crate::problem::{Problem, Result};

pub(crate) use self::about::About;
#[cfg(test)]
pub(crate) use self::about::is_of_the_whole;
pub(crate) use self::allowed::{Deleter, Publisher, Reader};
pub(crate) use self::asking::{asking, sees};
pub(crate) use self::cookie::cookie_value;
pub(crate) use self::csrf::{CSRF_FIELD, CSRF_HEADER, CsrfPending, csrf_missing};
pub use self::file::warning;
pub use self::grants::{Grant, Grants, GrantsError, ModelPattern, Scope};
pub use self::login::Login;
pub(crate) use self::sessions::Person;
pub use self::token::Token;
pub use self::tokens::Tokens;
pub use self::tokens_error::TokensError;
pub(crate) use self::used::Used;
pub use self::used::last_used;

/// The name of the session cookie.
const COOKIE: &str = "modeldepot_session";

/// Its name over HTTPS: browsers only accept a cookie with this prefix from the same host, and send it to no other.
const SECURE_COOKIE: &str = "__Host-modeldepot_session";

/// How often the token file is checked for changes, at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Authenticates requests.
pub(crate) struct Gate {
    /// `None` if there are no tokens.
    file: Option<Mutex<Watched>>,
    /// Whether callers must authenticate, with a token or through a provider.
    closed: bool,
    sessions: Sessions,
    /// The CSRF token for all pages if nobody logs in.
    csrf: String,
    /// Whether cookies are limited to HTTPS.
    secure: bool,
    pub(crate) read_only: bool,
    pub(crate) used: Arc<Used>,
}

/// The token file as it was last read.
struct Watched {
    /// `None` for a token that is only kept in memory.
    path: Option<PathBuf>,
    looked: Instant,
    changed: Option<Stamp>,
    /// `None` if the file cannot be used.
    tokens: Option<Arc<Tokens>>,
}

/// The identity of a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Who {
    /// Unknown, where no authentication is required.
    Anyone,
    /// The bearer of a token, by the token's name.
    Token(String),
    /// A person who has logged in at the provider.
    Person(Arc<Person>),
}

impl Who {
    /// Returns the publisher, for manifests.
    pub(crate) fn publisher(&self) -> Option<PublishedBy> {
        match self {
            Who::Person(person) => person.address().parse().ok(),
            _ => self.name()?.parse().ok(),
        }
    }

    /// Returns what kind of name it is.
    pub(crate) fn kind(&self) -> Option<&'static str> {
        match self {
            Who::Anyone => None,
            Who::Token(_) => Some("token"),
            Who::Person(_) => Some("person"),
        }
    }

    /// Returns the provider's permanent identifier of a person; a name may be reassigned to someone else.
    pub(crate) fn subject(&self) -> Option<&str> {
        match self {
            Who::Person(person) => Some(&person.subject),
            Who::Anyone | Who::Token(_) => None,
        }
    }

    /// Returns the name, if there is one.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Who::Anyone => None,
            Who::Token(name) => Some(name),
            Who::Person(person) => Some(&person.name),
        }
    }
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Who::Anyone => f.write_str("this service"),
            Who::Token(name) => write!(f, "token `{name}`"),
            Who::Person(person) => write!(f, "`{}`", person.name),
        }
    }
}

/// A caller, and what they may do.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) who: Who,
    pub(crate) grants: Grants,
    /// When the caller's access ends; links made for the caller expire by then.
    pub(crate) until: Option<OffsetDateTime>,
    /// The CSRF token that the caller's pages send with every change.
    pub(crate) csrf: String,
    /// Whether changes need the CSRF token: browsers send cookies unasked.
    browser: bool,
}

impl Caller {
    /// Returns true if the caller has a scope for a model.
    pub(crate) fn may(&self, scope: Scope, model: &ModelName) -> bool {
        self.grants.allows(scope, Some(model))
    }

    /// Returns the lifetime of a link for the caller, which is limited by their token.
    pub(crate) fn life(&self, asked: Duration) -> Duration {
        life(self.until, asked)
    }

    /// Returns true if the caller is not a browser session, or the CSRF token is that of its pages.
    pub(crate) fn is_own_page(&self, csrf: &str) -> bool {
        // Comparing hashes does not reveal, through timing, how much of the token is right.
        !self.browser || blake3::hash(csrf.as_bytes()) == blake3::hash(self.csrf.as_bytes())
    }
}

/// Returns the lifetime of a link for a caller whose token expires at `until`.
pub(crate) fn life(until: Option<OffsetDateTime>, asked: Duration) -> Duration {
    let left = |until: OffsetDateTime| Duration::try_from(until - OffsetDateTime::now_utc()).unwrap_or_default();
    // S3 counts in whole seconds, and a link must last at least one.
    until.map_or(asked, |until| asked.min(Duration::from_secs(left(until).as_secs().max(1))))
}

impl Gate {
    pub(crate) fn new(
        file: Option<PathBuf>,
        login: Option<&Login>,
        people: bool,
        secure: bool,
        read_only: bool,
    ) -> Result<Gate, TokensError> {
        let used = Used::beside(file.as_deref());
        let closed = people || file.is_some() || login.is_some();
        let file = match file {
            None => login.map(|login| {
                let tokens = Some(Arc::new(std::iter::once(login.token()).collect()));
                Mutex::new(Watched { path: None, looked: Instant::now(), changed: None, tokens })
            }),
            Some(path) => {
                if let Some(warning) = warning(&path) {
                    tracing::warn!("{warning}");
                }
                let (changed, tokens) = (Stamp::of(&path), Some(Arc::new(Tokens::read(&path)?)));
                Some(Mutex::new(Watched { path: Some(path), looked: Instant::now(), changed, tokens }))
            }
        };
        Ok(Gate { file, closed, sessions: Sessions::default(), csrf: token::random()?, secure, read_only, used })
    }

    /// Returns true if callers must authenticate.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Returns true if there are tokens.
    pub(crate) fn has_tokens(&self) -> bool {
        self.file.is_some()
    }

    /// Returns true if cookies are limited to HTTPS.
    pub(crate) fn is_secure(&self) -> bool {
        self.secure
    }

    /// Returns the current tokens of the file.
    ///
    /// # Errors
    /// A problem with status 503 if the file cannot be used: then nobody has access, which is not the caller's fault.
    fn tokens(&self) -> Result<Arc<Tokens>> {
        let Some(file) = &self.file else { return Ok(Arc::default()) };
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = file.path.clone()
            && file.looked.elapsed() > LOOK_EVERY
        {
            file.looked = Instant::now();
            let now = Stamp::of(&path);
            if now != file.changed || now.is_none() {
                let read = Tokens::read(&path);
                match &read {
                    // Report a missing file once.
                    Err(error) if file.tokens.is_some() || now.is_some() => {
                        let cause = std::error::Error::source(error).map(|it| format!(": {it}")).unwrap_or_default();
                        tracing::error!("{error}{cause}; until it is fixed, requests with tokens get 503");
                    }
                    Err(_) => {}
                    Ok(_) => warning(&path).into_iter().for_each(|warning| tracing::warn!("{warning}")),
                }
                file.tokens = read.ok().map(Arc::new);
                file.changed = now;
            }
        }
        file.tokens.clone().ok_or_else(|| {
            Problem::new(ErrorKind::Unavailable, "the token file cannot be used")
                .hint("the service's log has the reason")
        })
    }

    /// Returns the caller.
    ///
    /// # Errors
    /// A problem with status 401 if the caller is unknown.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Result<Caller> {
        if !self.closed {
            let (who, grants) = (Who::Anyone, Scope::Delete.into());
            return Ok(Caller { who, grants, until: None, csrf: self.csrf.clone(), browser: false });
        }
        let now = OffsetDateTime::now_utc();
        if let Some(Authorization(bearer)) = headers.typed_get::<Authorization<Bearer>>() {
            let tokens = self.tokens()?;
            let shown = tokens.find(bearer.token().trim(), now).ok_or_else(wrong)?;
            return self.bearer(shown, now, String::new(), false);
        }
        let stranger = || unknown(if self.has_tokens() { "this service requires a token" } else { "log in first" });
        let session = self.cookie(headers).and_then(|cookie| self.sessions.find(&cookie)).ok_or_else(stranger)?;
        match session.holder {
            Holder::Token(hash) => {
                let tokens = self.tokens()?;
                let shown = tokens.find_hash(hash, now).ok_or_else(stranger)?;
                self.bearer(shown, now, session.csrf, true)
            }
            Holder::Person(person) => {
                let (grants, csrf) = (person.grants.clone(), session.csrf);
                Ok(Caller { who: Who::Person(person), grants, until: None, csrf, browser: true })
            }
        }
    }

    /// Returns the bearer of a token, unless it has expired.
    fn bearer(&self, shown: tokens::Shown<'_>, now: OffsetDateTime, csrf: String, browser: bool) -> Result<Caller> {
        let tokens::Shown { token, until } = shown;
        if let Some(expired) = token.expires.filter(|_| token.is_expired(now)) {
            let detail = format!("token `{}` expired on {}", token.name, units::date(Some(expired)));
            return Err(unknown(&detail).hint("ask the operator of this service to renew it"));
        }
        self.used.note(&token.name);
        Ok(Caller { who: Who::Token(token.name.clone()), grants: token.grants.clone(), until, csrf, browser })
    }

    /// Starts a session for the holder of a token, replacing the browser's last one, and returns its cookie and
    /// identity.
    ///
    /// # Errors
    /// A problem with status 401 if the token is unknown or has expired.
    pub(crate) fn log_in(&self, token: &str, headers: &HeaderMap) -> Result<(HeaderValue, Who)> {
        let (tokens, token, now) = (self.tokens()?, token.trim(), OffsetDateTime::now_utc());
        let shown = tokens.find(token, now).ok_or_else(wrong)?;
        let caller = self.bearer(shown, now, String::new(), true)?;
        let hash = blake3::hash(token.as_bytes());
        self.end(headers);
        Ok((self.begin(Holder::Token(hash))?, caller.who))
    }

    /// Starts a session for a person, replacing the browser's last one, and returns its cookie.
    pub(crate) fn welcome(&self, person: Arc<Person>, headers: &HeaderMap) -> Result<HeaderValue> {
        self.end(headers);
        self.begin(Holder::Person(person))
    }

    /// Ends the session of a browser, if it has one.
    fn end(&self, headers: &HeaderMap) {
        if let Some(cookie) = self.cookie(headers) {
            self.sessions.end(&cookie);
        }
    }

    fn begin(&self, holder: Holder) -> Result<HeaderValue> {
        let (cookie, lasts) = self.sessions.begin(holder).map_err(|error| internal(&error.to_string()))?;
        self.set_cookie(&cookie, lasts.as_secs())
    }

    /// Ends the session of a request, and returns the header that deletes its cookie.
    pub(crate) fn log_out(&self, headers: &HeaderMap) -> Result<HeaderValue> {
        self.end(headers);
        self.set_cookie("", 0)
    }

    fn set_cookie(&self, value: &str, seconds: u64) -> Result<HeaderValue> {
        let secure = if self.secure { "; Secure" } else { "" };
        let name = self.cookie_name();
        let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
        let mut value = HeaderValue::try_from(text).map_err(|_| internal("the cookie cannot be written"))?;
        value.set_sensitive(true);
        Ok(value)
    }

    fn cookie_name(&self) -> &'static str {
        if self.secure { SECURE_COOKIE } else { COOKIE }
    }

    fn cookie(&self, headers: &HeaderMap) -> Option<String> {
        cookie_value(headers, self.cookie_name()).map(str::to_owned)
    }

    /// Returns the caller if they have the scope.
    pub(crate) fn allow(&self, caller: Caller, scope: Scope, about: &About) -> Result<Caller> {
        if self.read_only && scope > Scope::Share {
            return Err(Problem::new(ErrorKind::Denied, "this service is read-only")
                .hint("publish and delete through another service, or with the `modeldepot` command"));
        }
        if !about.allows(&caller, scope) {
            let (what, pattern) = match about {
                About::Model(model) => (format!(" model `{model}`"), format!(":{model}")),
                About::Whole => (" raw buckets or the service itself".to_owned(), String::new()),
                About::Several => (String::new(), String::new()),
            };
            let hint = match caller.who {
                Who::Person(_) => format!(
                    "your groups have `{}`; ask the operator of this service to grant one of them `{scope}{pattern}`",
                    caller.grants
                ),
                _ => format!(
                    "it has `{}`; ask the operator of this service for a token with the grant `{scope}{pattern}`",
                    caller.grants
                ),
            };
            let detail = match about {
                // The caller has the scope, but only for certain models.
                About::Whole if !caller.grants.allows(Scope::Read, None) => format!(
                    "{} only covers models; raw buckets, the health page and /metrics need a grant without a pattern",
                    caller.who
                ),
                _ => format!("{} may not {scope}{what}", caller.who),
            };
            return Err(Problem::new(ErrorKind::Denied, detail).hint(hint));
        }
        Ok(caller)
    }
}

fn unknown(detail: &str) -> Problem {
    Problem::new(ErrorKind::Denied, detail)
        .status(StatusCode::UNAUTHORIZED)
        .header(header::WWW_AUTHENTICATE, "Bearer realm=\"modeldepot\"")
        .hint("send `Authorization: Bearer TOKEN`; the operator of this service issues tokens")
}

/// The error response to an unknown or revoked token.
fn wrong() -> Problem {
    unknown("unknown token").guessed().hint("check that you copied all of it, or ask for a new one")
}

fn internal(detail: &str) -> Problem {
    Problem::new(ErrorKind::Internal, detail)
}
