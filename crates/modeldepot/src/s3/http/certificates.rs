//! The certificate authorities that vouch for a server, where a file of them is given.
//!
//! The file is read again when a server is not vouched for, since its certificate may have been renewed meanwhile. A
//! certificate that is in the file itself is trusted as it is: one that a server signed itself has no authority.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::settings::SettingsError;

/// The authorities of the machine, and those of a file.
#[derive(Debug)]
pub(in crate::s3) struct Authorities {
    machine: RootCertStore,
    file: PathBuf,
    provider: Arc<CryptoProvider>,
    known: RwLock<Arc<Known>>,
}

/// What the file held.
#[derive(Debug)]
struct Known {
    pem: Vec<u8>,
    certificates: Vec<CertificateDer<'static>>,
    verifier: Arc<WebPkiServerVerifier>,
}

impl Authorities {
    /// # Errors
    /// When the file cannot be used.
    pub(in crate::s3) fn read(
        machine: RootCertStore,
        file: &Path,
        provider: Arc<CryptoProvider>,
    ) -> Result<Authorities, SettingsError> {
        let refused = |reason: String| SettingsError::CaBundle { path: file.to_owned(), reason };
        let pem = std::fs::read(file).map_err(|error| refused(error.to_string()))?;
        let known = Known::parse(pem, &machine, &provider).map_err(refused)?;
        Ok(Authorities { machine, file: file.to_owned(), provider, known: RwLock::new(Arc::new(known)) })
    }

    fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the file again. None when it holds what it held, or nothing that can be used.
    fn renewed(&self, known: &Known) -> Option<Arc<Known>> {
        let pem = std::fs::read(&self.file).ok().filter(|pem| *pem != known.pem)?;
        let renewed = Arc::new(Known::parse(pem, &self.machine, &self.provider).ok()?);
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&renewed);
        Some(renewed)
    }
}

impl Known {
    fn parse(pem: Vec<u8>, machine: &RootCertStore, provider: &Arc<CryptoProvider>) -> Result<Known, String> {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let certificates = certificates.map_err(|error| error.to_string())?;
        if certificates.is_empty() {
            return Err("it holds no PEM certificate".to_owned());
        }
        let mut roots = machine.clone();
        for certificate in &certificates {
            roots.add(certificate.clone()).map_err(|error| error.to_string())?;
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
        let verifier = verifier.map_err(|error| error.to_string())?;
        Ok(Known { pem, certificates, verifier })
    }

    fn check(
        &self,
        server: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let checked = self.verifier.verify_server_cert(server, chain, name, &[], now);
        match checked {
            // Nobody vouches for it, or it calls itself an authority, as many do that were made for one server.
            Err(Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::Other(_)))
                if self.certificates.iter().any(|known| known.as_ref() == server.as_ref()) =>
            {
                let own = webpki::EndEntityCert::try_from(server);
                let named = own.is_ok_and(|own| own.verify_is_valid_for_subject_name(name).is_ok());
                if named { Ok(ServerCertVerified::assertion()) } else { Err(CertificateError::NotValidForName.into()) }
            }
            checked => checked,
        }
    }
}

impl ServerCertVerifier for Authorities {
    fn verify_server_cert(
        &self,
        server: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let known = self.known();
        let checked = known.check(server, chain, name, now);
        match (&checked, checked.is_err().then(|| self.renewed(&known)).flatten()) {
            (Err(_), Some(renewed)) => renewed.check(server, chain, name, now),
            _ => checked,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        server: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, server, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        server: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, server, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
