//! Limits on login attempts: size, duration and number of failures.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use modeldepot::ErrorKind;
use tokio::time::timeout;

use crate::body::read;
use crate::problem::{Problem, Result};
use crate::rates::Rates;

/// The largest login form, in bytes.
const LONGEST: usize = 8 << 10;

/// How long a login form may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many failures a client may have at once; after that, one per interval.
const WRONG_AT_ONCE: NonZeroU32 = NonZeroU32::new(10).expect("not 0");
const WRONG_EVERY: Duration = Duration::from_secs(5);

/// The kinds of failed logins. They are counted separately, so that one kind does not block another: a program with a
/// revoked token does not keep people behind the same address from logging in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// A token in a header.
    Bearer,
    /// The login form.
    Form,
    /// The return of a browser from the login provider.
    Provider,
}

/// Limits logins.
pub(crate) struct Logins {
    bearer: Rates,
    form: Rates,
    provider: Rates,
    patience: Duration,
}

impl Default for Logins {
    fn default() -> Self {
        let rates = || Rates::one_in(WRONG_EVERY, WRONG_AT_ONCE);
        Self { bearer: rates(), form: rates(), provider: rates(), patience: PATIENCE }
    }
}

/// Returns true for a request that logs in.
pub(crate) fn is_login(request: &Request) -> bool {
    request.method() == Method::POST && request.uri().path() == "/login"
}

/// Returns true for a browser's return from the login provider.
pub(crate) fn is_callback(request: &Request) -> bool {
    request.uri().path() == "/login/oidc/callback"
}

impl Logins {
    /// Refuses a client whose returns from the provider have failed too often: each costs a request to the provider.
    pub(crate) fn may_return(&self, client: Option<IpAddr>) -> Result<()> {
        match client.and_then(|client| self.provider.look(client).err()) {
            Some(wait) => Err(too_many(wait)),
            None => Ok(()),
        }
    }

    /// Reads the whole form. Until it has arrived it occupies no place.
    ///
    /// Clients with too many failures may still send it: many people may share an address, and a valid token is never
    /// refused because of others' guesses. Guessing is hopeless: a token has 256 random bits.
    pub(crate) async fn whole(&self, request: Request) -> Result<Request> {
        let (parts, body) = request.into_parts();
        match timeout(self.patience, read(body, LONGEST)).await {
            Ok(form) => Ok(Request::from_parts(parts, Body::from(form?))),
            Err(_) => Err(Problem::new(ErrorKind::Unavailable, "the login form was sent too slowly")
                .status(StatusCode::REQUEST_TIMEOUT)),
        }
    }

    /// Counts a failure.
    ///
    /// # Errors
    /// The answer to a client with too many failures.
    pub(crate) fn was_wrong(&self, way: Way, client: IpAddr) -> Result<()> {
        let rates = match way {
            Way::Bearer => &self.bearer,
            Way::Form => &self.form,
            Way::Provider => &self.provider,
        };
        rates.count(client).map_err(too_many)
    }
}

/// Says how long to wait.
pub(crate) fn too_many(wait: Duration) -> Problem {
    let seconds = wait.as_secs() + 1;
    Problem::new(ErrorKind::Unavailable, "too many failed logins from this address")
        .status(StatusCode::TOO_MANY_REQUESTS)
        .value(header::RETRY_AFTER, seconds.to_string())
        .hint(format!("wait {seconds} s, and try again with a token that is valid"))
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use futures_util::stream;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_login_comes_soon_or_not_at_all() {
        let logins = Logins::default();
        let form = |body: Body| Request::builder().method(Method::POST).uri("/login").body(body).unwrap();
        let whole = logins.whole(form(Body::from("token=x"))).await.unwrap();
        assert_eq!(to_bytes(whole.into_body(), 100).await.unwrap(), "token=x");
        let stalled = Body::from_stream(stream::pending::<std::result::Result<&'static str, std::io::Error>>());
        assert_eq!(logins.whole(form(stalled)).await.unwrap_err().status, StatusCode::REQUEST_TIMEOUT);
        // Each byte arrives in time, but the whole takes too long.
        let drips = stream::unfold(0, |n| async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            (n < 100).then_some((Ok::<_, std::io::Error>("x"), n + 1))
        });
        let drips = Body::from_stream(drips);
        assert_eq!(logins.whole(form(drips)).await.unwrap_err().status, StatusCode::REQUEST_TIMEOUT);
        let long = Body::from("x".repeat(LONGEST + 1));
        assert_eq!(logins.whole(form(long)).await.unwrap_err().status, StatusCode::PAYLOAD_TOO_LARGE);
    }
}
