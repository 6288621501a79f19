//! The provider's metadata and keys, fetched at the first login and cached.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use openidconnect::core::CoreJsonWebKeySet;
use openidconnect::{IssuerUrl, ProviderMetadataWithLogout};
use tokio::sync::Semaphore;

use super::failure::{Failure, all_of};
use super::http::Http;
use super::settings::Oidc;

/// How long the provider's metadata is used before it is fetched again.
const FRESH: Duration = Duration::from_secs(3600);

/// How long to wait before asking again after a failure: a provider that is down must not delay every request.
const QUIET: Duration = Duration::from_secs(2);

/// The same, if older metadata can still be used.
const QUIET_STALE: Duration = Duration::from_secs(60);

/// The minimum time between two requests for keys caused by tokens with unknown keys.
const KEYS: Duration = Duration::from_secs(30);

/// The most logins that wait for the provider at once.
const WAITING: usize = 32;

/// A provider's metadata and keys.
pub(super) struct Known {
    pub(super) metadata: ProviderMetadataWithLogout,
    at: Instant,
}

/// Fetches a provider's metadata.
pub(super) struct Discovery {
    host: String,
    issuer: String,
    pub(super) http: Http,
    memory: Mutex<Memory>,
    /// Held by the task that asks; others wait for its answer.
    asking: tokio::sync::Mutex<()>,
    waiting: Semaphore,
}

#[derive(Default)]
struct Memory {
    known: Option<Arc<Known>>,
    failed: Option<(Instant, Vec<String>)>,
    keys_asked: Option<Instant>,
}

impl Discovery {
    pub(super) fn new(settings: &Oidc) -> Discovery {
        Discovery {
            host: settings.issuer.host(),
            issuer: settings.issuer.as_str().to_owned(),
            http: Http::new(settings.issuer.is_plain(), settings.patience),
            memory: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            waiting: Semaphore::new(WAITING),
        }
    }

    /// Returns the last metadata, however old.
    pub(super) fn heard(&self) -> Option<Arc<Known>> {
        self.memory().known.clone()
    }

    /// Returns the metadata.
    pub(super) async fn known(&self) -> Result<Arc<Known>, Failure> {
        if let Some(answer) = self.remembered() {
            return answer;
        }
        let Ok(_turn) = self.waiting.try_acquire() else { return Err(Failure::Busy { host: self.host.clone() }) };
        let _alone = self.asking.lock().await;
        // Another task may have asked meanwhile.
        if let Some(answer) = self.remembered() {
            return answer;
        }
        let asked = self.ask().await;
        let mut memory = self.memory();
        match asked {
            Ok(known) => {
                memory.failed = None;
                Ok(Arc::clone(memory.known.insert(Arc::new(known))))
            }
            Err(causes) => {
                tracing::warn!(provider = self.host, ?causes, "the login provider cannot be used");
                memory.failed = Some((Instant::now(), causes.clone()));
                let stale = memory.known.clone();
                stale.ok_or_else(|| Failure::Unreachable { host: self.host.clone(), causes })
            }
        }
    }

    /// Returns the provider with newer keys than these; `None` if they were requested a moment ago.
    pub(super) async fn newer_keys(&self, than: &Arc<Known>) -> Option<Arc<Known>> {
        let _alone = self.asking.lock().await;
        {
            let mut memory = self.memory();
            if let Some(known) = memory.known.as_ref().filter(|known| !Arc::ptr_eq(known, than)) {
                return Some(Arc::clone(known));
            }
            if memory.keys_asked.is_some_and(|at| at.elapsed() < KEYS) {
                return None;
            }
            memory.keys_asked = Some(Instant::now());
        }
        match CoreJsonWebKeySet::fetch_async(than.metadata.jwks_uri(), &self.http).await {
            Ok(keys) => {
                let known = Known { metadata: than.metadata.clone().set_jwks(keys), at: than.at };
                Some(Arc::clone(self.memory().known.insert(Arc::new(known))))
            }
            Err(error) => {
                tracing::warn!(provider = self.host, causes = ?all_of(&error), "cannot read the keys of the login provider");
                None
            }
        }
    }

    fn remembered(&self) -> Option<Result<Arc<Known>, Failure>> {
        let memory = self.memory();
        let failed = |quiet| memory.failed.as_ref().filter(|(at, _)| at.elapsed() < quiet);
        match &memory.known {
            Some(known) if known.at.elapsed() < FRESH || failed(QUIET_STALE).is_some() => Some(Ok(Arc::clone(known))),
            Some(_) => None,
            None => failed(QUIET)
                .map(|(_, causes)| Err(Failure::Unreachable { host: self.host.clone(), causes: causes.clone() })),
        }
    }

    /// Fetches the metadata, and checks that it is usable.
    async fn ask(&self) -> Result<Known, Vec<String>> {
        let issuer = IssuerUrl::new(self.issuer.clone()).map_err(|error| all_of(&error))?;
        let asked = ProviderMetadataWithLogout::discover_async(issuer, &self.http).await;
        let metadata = asked.map_err(|error| all_of(&error))?;
        // Browsers are sent to the first, and our secret to the second.
        let token = metadata.token_endpoint().ok_or_else(|| vec!["it names no token endpoint".to_owned()])?;
        let urls = [metadata.authorization_endpoint().url(), token.url()];
        let urls = urls.into_iter().chain(metadata.userinfo_endpoint().map(|url| url.url()));
        if let Some(bad) = urls.into_iter().find(|url| !self.http.may_ask(url)) {
            return Err(vec![format!("its endpoint at `{}` is not https", bad.host_str().unwrap_or_default())]);
        }
        Ok(Known { metadata, at: Instant::now() })
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
