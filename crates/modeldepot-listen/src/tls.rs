//! The server's certificate, which is reloaded when it is renewed.

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{Error as PemError, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

/// How often the files are checked for changes, at most. The check happens when a client connects.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A certificate and its key, from two files. Cheap to clone.
#[derive(Clone)]
pub struct Tls(Arc<Files>);

struct Files {
    certificate: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
    config: Arc<ServerConfig>,
    current: Arc<Current>,
    looked: Mutex<Looked>,
}

/// When the files were last checked, and a hash of their content, usable or not.
struct Looked {
    at: Instant,
    content: u64,
}

/// The certificate in use.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.get())
    }
}

impl Current {
    fn get(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read the {what} `{}`", path.display())]
    Read {
        /// What the file should contain: the certificate or the private key.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file does not contain what it should.
    #[error("`{}` holds no {what} in PEM", path.display())]
    Nothing {
        /// What the file should contain.
        what: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The key needs a passphrase, and a server has nobody to ask for it.
    #[error("the private key `{}` is encrypted", path.display())]
    Encrypted {
        /// The file.
        path: PathBuf,
    },
    /// The certificate or the key cannot be used.
    #[error("the {what} `{}` cannot be used", path.display())]
    Unusable {
        /// What the file should contain.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The key belongs to another certificate.
    #[error("the private key `{}` does not belong to the certificate `{}`", key.display(), certificate.display())]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
}

impl TlsError {
    /// Returns a hint at what to do next, if there is one.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            TlsError::Read { .. } | TlsError::Unusable { .. } => None,
            TlsError::Nothing { what: CERTIFICATE, .. } => Some(
                "it begins with `-----BEGIN CERTIFICATE-----`: the server's own first, then those of its authorities",
            ),
            TlsError::Nothing { .. } => Some("it begins with `-----BEGIN PRIVATE KEY-----`"),
            TlsError::Encrypted { .. } => {
                Some("remove the passphrase: `openssl pkey -in KEY -out PLAIN`, readable by its owner alone")
            }
            TlsError::Mismatch { .. } => Some("the first certificate of the file must be the server's own"),
        }
    }
}

const CERTIFICATE: &str = "certificate";
const KEY: &str = "private key";

impl Tls {
    /// Reads a certificate, followed by those of its intermediate authorities, and its key, both in PEM.
    ///
    /// # Errors
    /// [`TlsError`], if they cannot be used.
    pub fn load(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Tls, TlsError> {
        let (certificate, key) = (certificate.into(), key.into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let files = Pem::read(&certificate, &key)?;
        let content = files.content();
        let current = Arc::new(Current(RwLock::new(Arc::new(files.certified(&certificate, &key, &provider)?))));
        let versions = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let versions = versions.expect("ring speaks TLS 1.2 and 1.3");
        let mut config = versions.with_no_client_auth().with_cert_resolver(Arc::clone(&current) as _);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        if others_can_read(&key) {
            let key = key.display();
            tracing::warn!("every user of this machine can read the private key `{key}`: run `chmod 600 {key}`");
        }
        let looked = Mutex::new(Looked { at: Instant::now(), content });
        let config = Arc::new(config);
        Ok(Tls(Arc::new(Files { certificate, key, provider, config, current, looked })))
    }

    /// Returns the path of the certificate.
    pub fn certificate(&self) -> &Path {
        &self.0.certificate
    }

    /// Returns true if the certificate is valid for this name or address.
    pub fn is_for(&self, host: &str) -> bool {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let current = self.0.current.get();
        let own = current.end_entity_cert().ok().and_then(|own| webpki::EndEntityCert::try_from(own).ok());
        let name = ServerName::try_from(host).ok();
        own.zip(name).is_some_and(|(own, name)| own.verify_is_valid_for_subject_name(&name).is_ok())
    }

    /// Returns the host names in the certificate, without wildcards.
    pub fn names(&self) -> Vec<String> {
        let current = self.0.current.get();
        let own = current.end_entity_cert().ok().and_then(|own| webpki::EndEntityCert::try_from(own).ok());
        let names = own.map(|own| own.valid_dns_names().map(str::to_owned).collect::<Vec<_>>()).unwrap_or_default();
        names.into_iter().filter(|name| !name.contains('*')).collect()
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.0.config))
    }

    /// Reloads the files if they have changed and a check is due. Files that cannot be used change nothing.
    pub(crate) async fn refresh(&self) {
        {
            let mut looked = self.0.looked.lock().unwrap_or_else(PoisonError::into_inner);
            if looked.at.elapsed() < LOOK_EVERY {
                return;
            }
            looked.at = Instant::now();
        }
        let tls = self.clone();
        // The files may be slow, or on a network.
        let _ = tokio::task::spawn_blocking(move || tls.look()).await;
    }

    fn look(&self) {
        let files = &*self.0;
        let read = Pem::read(&files.certificate, &files.key);
        // A missing file counts as content too, so that it is reported only once.
        let content = read.as_ref().map_or(0, Pem::content);
        {
            let mut looked = files.looked.lock().unwrap_or_else(PoisonError::into_inner);
            if looked.content == content {
                return;
            }
            looked.content = content;
        }
        match read.and_then(|pem| pem.certified(&files.certificate, &files.key, &files.provider)) {
            Ok(renewed) => {
                *files.current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(renewed);
                tracing::info!(certificate = %files.certificate.display(), "the certificate was renewed");
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "the renewed certificate cannot be used, the last one is kept");
            }
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("certificate", &self.0.certificate).field("key", &self.0.key).finish()
    }
}

/// The content of both files.
struct Pem {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Pem {
    fn read(certificate: &Path, key: &Path) -> Result<Pem, TlsError> {
        let read = |what, path: &Path| {
            std::fs::read(path).map_err(|source| TlsError::Read { what, path: path.to_owned(), source })
        };
        Ok(Pem { certificate: read(CERTIFICATE, certificate)?, key: read(KEY, key)? })
    }

    /// Returns a hash that identifies the content.
    fn content(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.certificate, &self.key).hash(&mut hasher);
        hasher.finish().max(1)
    }

    fn certified(&self, certificate: &Path, key: &Path, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
        let unusable = |what, path: &Path, source: Box<dyn std::error::Error + Send + Sync>| TlsError::Unusable {
            what,
            path: path.to_owned(),
            source,
        };
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.certificate).collect();
        let chain = chain.map_err(|error| unusable(CERTIFICATE, certificate, error.into()))?;
        let Some(own) = chain.first() else {
            return Err(TlsError::Nothing { what: CERTIFICATE, path: certificate.to_owned() });
        };
        webpki::EndEntityCert::try_from(own).map_err(|error| unusable(CERTIFICATE, certificate, error.into()))?;
        let private = PrivateKeyDer::from_pem_slice(&self.key).map_err(|error| match error {
            PemError::NoItemsFound if self.key.windows(9).any(|text| text == b"ENCRYPTED") => {
                TlsError::Encrypted { path: key.to_owned() }
            }
            PemError::NoItemsFound => TlsError::Nothing { what: KEY, path: key.to_owned() },
            error => unusable(KEY, key, error.into()),
        })?;
        let signing =
            provider.key_provider.load_private_key(private).map_err(|error| unusable(KEY, key, error.into()))?;
        let certified = CertifiedKey::new(chain, signing);
        match certified.keys_match() {
            Ok(()) => Ok(certified),
            Err(_) => Err(TlsError::Mismatch { certificate: certificate.to_owned(), key: key.to_owned() }),
        }
    }
}

/// Returns true if users beyond the file's owner and group may read it.
#[cfg(unix)]
fn others_can_read(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o007 != 0)
}

#[cfg(not(unix))]
fn others_can_read(_: &Path) -> bool {
    false
}
