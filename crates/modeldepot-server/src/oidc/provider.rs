//! The two steps of a login: redirecting the browser to the provider, and handling its return with a code.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClientAuthMethod, CoreErrorResponseType,
    CoreGenderClaim, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AuthType, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret,
    CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, IdTokenClaims, IdTokenFields,
    IdTokenVerifier, LogoutRequest, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope, SignatureVerificationError, StandardErrorResponse, StandardTokenResponse,
    SubjectIdentifier, TokenResponse as _, UserInfoClaims,
};
use tokio::sync::Semaphore;
use url::Url;

use super::Answer;
use super::attempt::{Attempt, Attempts};
use super::claims::{Claims, Extra};
use super::discovery::{Discovery, Known};
use super::failure::{Failure, Stale, all_of};
use super::settings::{Oidc, granted, is_loopback};
use crate::auth::Person;

/// The path to which the provider sends browsers back.
const CALLBACK: &str = "/login/oidc/callback";

/// The largest difference between clocks, in seconds.
const SKEW: i64 = 60;

/// The most logins that are completed at once.
const FINISHING: usize = 32;

/// The longest code and state that are accepted.
const LONGEST_CODE: usize = 8 * 1024;

/// Allowed signatures of ID tokens: those with a key pair. With a shared secret or none, others could forge them.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

type Fields = IdTokenFields<
    Extra,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type Tokens = StandardTokenResponse<Fields, CoreTokenType>;
type Client = openidconnect::Client<
    Extra,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;
type TokenClaims = IdTokenClaims<Extra, CoreGenderClaim>;

/// The login provider.
pub(crate) struct Provider {
    settings: Oidc,
    discovery: Discovery,
    attempts: Attempts,
    /// The service's URL. `None` uses the host that the browser names, which must be this machine.
    public: Option<Url>,
    /// The scheme of that host.
    scheme: &'static str,
    finishing: Semaphore,
}

impl Provider {
    pub(crate) fn new(settings: Oidc, public: Option<Url>, encrypted: bool) -> Result<Provider, getrandom::Error> {
        let scheme = if encrypted { "https" } else { "http" };
        let (discovery, attempts) = (Discovery::new(&settings), Attempts::new(settings.attempt)?);
        Ok(Provider { settings, discovery, attempts, public, scheme, finishing: Semaphore::new(FINISHING) })
    }

    /// Returns the provider's host, for display.
    pub(crate) fn host(&self) -> String {
        self.settings.issuer.host()
    }

    /// Returns how long the browser should keep the cookie of a login in progress, in seconds.
    pub(crate) fn attempt_seconds(&self) -> u64 {
        self.settings.attempt.as_secs()
    }

    /// Returns the URL to send the browser to, and the content of the attempt's cookie.
    ///
    /// `host` is the host by which the browser addresses this service, `next` the requested page.
    pub(crate) async fn begin(&self, host: &str, next: &str) -> Result<(Url, String), Failure> {
        let redirect = self.redirect(host)?;
        let known = self.discovery.known().await?;
        let attempt = self.attempts.begin(next)?;
        let client = self.client(&known);
        let verifier = PkceCodeVerifier::new(attempt.verifier());
        let (state, nonce) = (CsrfToken::new(attempt.state()), Nonce::new(attempt.nonce()));
        let scopes = self.settings.scopes.iter().filter(|scope| *scope != "openid").cloned().map(Scope::new);
        let (url, ..) = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, move || state, move || nonce)
            .set_redirect_uri(std::borrow::Cow::Owned(redirect))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .add_scopes(scopes)
            .url();
        Ok((url, self.attempts.seal(&attempt)))
    }

    /// Returns the person who has logged in, and the requested page.
    pub(crate) async fn finish(
        &self,
        host: &str,
        answer: Answer,
        cookie: Option<&str>,
    ) -> Result<(Person, String), Failure> {
        let attempt = self.attempts.open(cookie.ok_or(Stale::Foreign)?)?;
        // Checked first: an answer that does not belong to this attempt could come from anyone.
        let state = answer.state.filter(|state| state.len() <= LONGEST_CODE).ok_or(Failure::OtherState)?;
        if !attempt.is_state(&state) {
            return Err(Failure::OtherState);
        }
        if answer.issuer.is_some_and(|issuer| issuer != self.settings.issuer.as_str()) {
            return Err(self.untrusted("the response is from another issuer"));
        }
        if let Some(error) = answer.error {
            return Err(Failure::Refused { host: self.host(), error, description: answer.description });
        }
        let code = answer.code.filter(|code| (1..=LONGEST_CODE).contains(&code.len()));
        let code = code.ok_or_else(|| self.untrusted("the response has no code"))?;
        let redirect = self.redirect(host)?;
        let turn = tokio::time::timeout(self.settings.patience, self.finishing.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(Failure::Busy { host: self.host() }) };
        let known = self.discovery.known().await?;
        let tokens = self.exchange(&known, code, &attempt, redirect).await?;
        let person = self.person(&known, &tokens, &attempt).await?;
        self.attempts.spend(&attempt)?;
        Ok((person, attempt.next))
    }

    /// Returns the URL for logging out at the provider, if it has one.
    pub(crate) fn logout_url(&self) -> Option<Url> {
        let known = self.discovery.heard()?;
        let end = known.metadata.additional_metadata().end_session_endpoint.clone()?;
        if !self.discovery.http.may_ask(end.url()) {
            return None;
        }
        let client = ClientId::new(self.settings.client_id.clone());
        Some(LogoutRequest::from(end).set_client_id(client).http_get_url())
    }

    fn client(&self, known: &Known) -> Client {
        let secret = self.settings.client_secret.as_ref().map(|secret| ClientSecret::new(secret.reveal().to_owned()));
        let id = ClientId::new(self.settings.client_id.clone());
        let client = Client::from_provider_metadata(known.metadata.clone(), id, secret);
        // By default the secret is sent in the header.
        let in_body = known.metadata.token_endpoint_auth_methods_supported().is_some_and(|methods| {
            !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)
                && methods.contains(&CoreClientAuthMethod::ClientSecretPost)
        });
        client.set_auth_type(if in_body { AuthType::RequestBody } else { AuthType::BasicAuth })
    }

    /// Returns the URL to which the provider sends browsers back.
    fn redirect(&self, host: &str) -> Result<RedirectUrl, Failure> {
        let refused = || Failure::Host { host: host.to_owned() };
        let mut url = match &self.public {
            Some(public) => public.clone(),
            None => {
                let url = Url::parse(&format!("{}://{host}", self.scheme)).map_err(|_| refused())?;
                let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
                let bare = bare && url.username().is_empty() && url.password().is_none();
                if !bare || !is_loopback(&url) {
                    return Err(refused());
                }
                url
            }
        };
        url.set_path(CALLBACK);
        url.set_query(None);
        url.set_fragment(None);
        Ok(RedirectUrl::from_url(url))
    }

    /// Exchanges the code for tokens.
    async fn exchange(
        &self,
        known: &Known,
        code: String,
        attempt: &Attempt,
        redirect: RedirectUrl,
    ) -> Result<Tokens, Failure> {
        let client = self.client(known);
        let exchange = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|_| self.untrusted("it names no token endpoint"))?
            .set_pkce_verifier(PkceCodeVerifier::new(attempt.verifier()))
            .set_redirect_uri(std::borrow::Cow::Owned(redirect));
        exchange.request_async(&self.discovery.http).await.map_err(|error| match error {
            RequestTokenError::ServerResponse(refusal) => Failure::Refused {
                host: self.host(),
                error: refusal.error().to_string(),
                description: refusal.error_description().cloned(),
            },
            RequestTokenError::Request(error) => Failure::Unreachable { host: self.host(), causes: all_of(&error) },
            // Without the cause: it may quote the response, which may contain a token.
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
                self.untrusted("its token endpoint did not return tokens")
            }
        })
    }

    /// Returns the person in an ID token after validating it: issued by the provider, for this service, current, and
    /// for this attempt.
    async fn person(&self, known: &Arc<Known>, tokens: &Tokens, attempt: &Attempt) -> Result<Person, Failure> {
        let token = tokens.id_token().ok_or_else(|| self.untrusted("it sent no ID token"))?;
        let nonce = Nonce::new(attempt.nonce());
        let (mut known, mut client) = (Arc::clone(known), self.client(known));
        let checked = token.claims(&verifier(&client), &nonce);
        let checked = match checked {
            // The provider may have rotated its keys.
            Err(ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey | SignatureVerificationError::CryptoError(_),
            )) => match self.discovery.newer_keys(&known).await {
                Some(newer) => {
                    (client, known) = (self.client(&newer), newer);
                    token.claims(&verifier(&client), &nonce)
                }
                None => Err(ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey)),
            },
            checked => checked,
        };
        let claims: &TokenClaims = checked.map_err(|error| self.untrusted(&all_of(&error).join(": ")))?;
        if claims.authorized_party().is_some_and(|party| party.as_str() != self.settings.client_id) {
            return Err(self.untrusted("the ID token was given to another client"));
        }
        let access = tokens.access_token();
        if let Some(hash) = claims.access_token_hash() {
            let verifier = verifier(&client);
            let ours = token.signing_alg().ok().zip(token.signing_key(&verifier).ok());
            let ours = ours.and_then(|(alg, key)| AccessTokenHash::from_token(access, alg, key).ok());
            if ours.as_ref() != Some(hash) {
                return Err(self.untrusted("the access token does not belong to the ID token"));
            }
        }
        let claim = &self.settings.groups_claim;
        let own = Claims::from(claims);
        let (mut groups, mut name, mut left_out) = (own.groups(claim), own.name(), own.leaves_out(claim));
        // Many providers only return scope-dependent claims at the userinfo endpoint.
        if (groups.is_none() || name.is_none()) && known.metadata.userinfo_endpoint().is_some() {
            let more = self.userinfo(&client, access, claims.subject().clone()).await?;
            let more = Claims::from(&more);
            groups = groups.or_else(|| more.groups(claim));
            name = name.or_else(|| more.name());
            left_out |= more.leaves_out(claim);
        }
        let name = name.unwrap_or_else(|| own.subject());
        let Some(grants) = granted(&self.settings.grants, groups.as_deref().unwrap_or_default()) else {
            return Err(Failure::NotGranted { name, claim: claim.clone(), groups, left_out });
        };
        let issuer = self.settings.issuer.as_str().to_owned();
        Ok(Person { name, subject: own.subject(), issuer, grants, lasts: self.settings.session })
    }

    async fn userinfo(
        &self,
        client: &Client,
        access: &AccessToken,
        subject: SubjectIdentifier,
    ) -> Result<UserInfoClaims<Extra, CoreGenderClaim>, Failure> {
        // The library panics if the token is not valid in a header.
        if !access.secret().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(self.untrusted("its access token contains invalid characters"));
        }
        let asked = client.user_info(access.clone(), Some(subject));
        let asked = asked.map_err(|_| self.untrusted("it names no userinfo endpoint"))?;
        asked.request_async(&self.discovery.http).await.map_err(|error| match error {
            openidconnect::UserInfoError::Request(error) => {
                Failure::Unreachable { host: self.host(), causes: all_of(&error) }
            }
            openidconnect::UserInfoError::ClaimsVerification(error) => self.untrusted(&error.to_string()),
            _ => self.untrusted("its userinfo endpoint did not return claims"),
        })
    }

    fn untrusted(&self, why: &str) -> Failure {
        Failure::Untrusted { host: self.host(), why: why.to_owned() }
    }
}

/// Returns the verifier for ID tokens: signature, issuer, audience, nonce, and times with some skew.
fn verifier(client: &Client) -> IdTokenVerifier<'_, CoreJsonWebKey> {
    client
        .id_token_verifier()
        .set_allowed_algs(ALGORITHMS)
        .set_time_fn(|| moment(now() - SKEW))
        .set_issue_time_verifier_fn(|issued| match issued > moment(now() + SKEW) {
            true => Err("the ID token was issued in the future".to_owned()),
            false => Ok(()),
        })
}

fn moment(seconds: i64) -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp(seconds, 0).unwrap_or_default()
}

/// Returns the current time in seconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
