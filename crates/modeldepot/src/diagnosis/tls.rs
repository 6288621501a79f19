//! Why no TLS connection comes about.

use std::error::Error as StdError;
use std::fmt;

use rustls::{AlertDescription, CertificateError, Error as Rustls, InvalidMessage, OtherError, PeerIncompatible};
use time::OffsetDateTime;

use super::{chain, shown};
use crate::advice::{Advice, Note, note};
use crate::units::date;

/// The most names of a certificate that a message lists.
const NAMES: usize = 5;

/// Why no TLS connection comes about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsFault {
    /// No authority that is known here vouches for the certificate.
    UnknownIssuer,
    /// The certificate is for other names.
    WrongName {
        /// The names that it is for, at most a few.
        names: Vec<String>,
    },
    /// The certificate has expired.
    Expired {
        /// When it did.
        at: Option<OffsetDateTime>,
    },
    /// The certificate is not valid yet.
    NotYetValid {
        /// From when it will be.
        from: Option<OffsetDateTime>,
    },
    /// The server shows the certificate of an authority as its own.
    CaUsedAsEndEntity,
    /// The certificate's signature is wrong, or by a method that nobody should trust.
    BadSignature,
    /// The certificate cannot be used for another reason, in the words of TLS.
    BadCertificate(String),
    /// The server speaks no version of TLS that is safe.
    OldVersion,
    /// The server asks for a certificate of the client.
    CertificateRequired,
    /// The server refused the handshake, in the words of TLS.
    Refused(String),
    /// The connection was closed in the middle of the handshake.
    Cut,
    /// Anything else, in the words of TLS.
    Other(String),
}

/// What TLS said in the causes of an error.
pub(crate) enum Said {
    /// A fault of TLS.
    Fault(TlsFault),
    /// The bytes are not those of TLS.
    NotTls,
}

/// Finds what TLS said in the causes of an error.
pub(crate) fn said(error: &(dyn StdError + 'static)) -> Option<Said> {
    chain(error).find_map(|cause| cause.downcast_ref::<Rustls>()).map(read)
}

fn read(error: &Rustls) -> Said {
    use TlsFault::*;
    Said::Fault(match error {
        Rustls::InvalidMessage(InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion) => {
            return Said::NotTls;
        }
        Rustls::InvalidMessage(_) => return Said::NotTls,
        Rustls::InvalidCertificate(error) => certificate(error),
        Rustls::AlertReceived(AlertDescription::ProtocolVersion | AlertDescription::InsufficientSecurity) => OldVersion,
        Rustls::AlertReceived(AlertDescription::CertificateRequired | AlertDescription::BadCertificate) => {
            CertificateRequired
        }
        Rustls::AlertReceived(alert) => Refused(format!("{alert:?}")),
        Rustls::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled,
        ) => OldVersion,
        other => Other(shown(&other.to_string())),
    })
}

fn certificate(error: &CertificateError) -> TlsFault {
    let moment = |at: &rustls::pki_types::UnixTime| {
        OffsetDateTime::from_unix_timestamp(at.as_secs().try_into().unwrap_or(i64::MAX)).ok()
    };
    match error {
        CertificateError::UnknownIssuer => TlsFault::UnknownIssuer,
        CertificateError::Expired => TlsFault::Expired { at: None },
        CertificateError::ExpiredContext { not_after, .. } => TlsFault::Expired { at: moment(not_after) },
        CertificateError::NotValidYet => TlsFault::NotYetValid { from: None },
        CertificateError::NotValidYetContext { not_before, .. } => TlsFault::NotYetValid { from: moment(not_before) },
        CertificateError::NotValidForName => TlsFault::WrongName { names: Vec::new() },
        CertificateError::NotValidForNameContext { presented, .. } => {
            TlsFault::WrongName { names: presented.iter().take(NAMES).map(|name| shown(bare(name))).collect() }
        }
        CertificateError::BadSignature
        | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => TlsFault::BadSignature,
        CertificateError::Other(OtherError(other)) => match other.downcast_ref::<webpki::Error>() {
            Some(webpki::Error::CaUsedAsEndEntity) => TlsFault::CaUsedAsEndEntity,
            _ => TlsFault::BadCertificate(shown(&other.to_string())),
        },
        other => TlsFault::BadCertificate(shown(&other.to_string())),
    }
}

/// Takes the kind off a name: `DnsName("localhost")`.
fn bare(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
    inner.trim_matches('"')
}

impl TlsFault {
    /// Returns what to do.
    pub(crate) fn advice(&self) -> Advice {
        match self {
            TlsFault::UnknownIssuer => return Advice::TrustAuthority,
            TlsFault::CaUsedAsEndEntity => return Advice::TrustCertificate,
            TlsFault::BadSignature => return Advice::ReplaceAuthority,
            TlsFault::WrongName { .. } => note!(
                "use a name that the certificate is for in S3_ENDPOINT, or have one made for this name; if only the \
                 bucket's name in the host is missing, set S3_ADDRESSING=path"
            ),
            TlsFault::Expired { .. } => note!("have it renewed; or is this machine's clock wrong?"),
            TlsFault::NotYetValid { .. } => note!("is this machine's clock wrong?"),
            TlsFault::BadCertificate(_) => note!("have another certificate made for the server"),
            TlsFault::OldVersion => note!("enable TLS 1.2 or 1.3 at the server"),
            TlsFault::CertificateRequired => NO_CERTIFICATE,
            TlsFault::Refused(_) => note!(
                "the server, or a proxy in front of it, does not accept this name, these versions (TLS 1.2, 1.3) or a \
                 client without a certificate: its log says which"
            ),
            TlsFault::Cut => note!("is TLS spoken on that port? a firewall or proxy in between may also cut it off"),
            TlsFault::Other(_) => note!("is TLS spoken on that port?"),
        }
        .into()
    }
}

/// What to do about a server that asks for a client certificate.
pub(super) const NO_CERTIFICATE: Note =
    note!("modeldepot cannot present a client certificate: use an address of the server that does not require one");

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsFault::UnknownIssuer => f.write_str("no trusted authority has signed its certificate"),
            TlsFault::WrongName { names } if names.is_empty() => f.write_str("its certificate is for another name"),
            TlsFault::WrongName { names } => {
                let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
                write!(f, "its certificate is for {} only", names.join(", "))
            }
            TlsFault::Expired { at: Some(at) } => write!(f, "its certificate expired on {}", date(Some(*at))),
            TlsFault::Expired { at: None } => f.write_str("its certificate has expired"),
            TlsFault::NotYetValid { from: Some(from) } => {
                write!(f, "its certificate is not valid before {}", date(Some(*from)))
            }
            TlsFault::NotYetValid { from: None } => f.write_str("its certificate is not valid yet"),
            TlsFault::CaUsedAsEndEntity => {
                f.write_str("it shows the certificate of an authority (`CA:TRUE`) as its own")
            }
            TlsFault::BadSignature => f.write_str("the signature of its certificate is invalid or of an unsafe kind"),
            TlsFault::BadCertificate(why) => write!(f, "its certificate cannot be used ({why})"),
            TlsFault::OldVersion => f.write_str("it speaks neither TLS 1.2 nor 1.3"),
            TlsFault::CertificateRequired => f.write_str("it requires a client certificate"),
            TlsFault::Refused(alert) => write!(f, "it refused the handshake ({alert})"),
            TlsFault::Cut => f.write_str("it closed the connection in the middle of the handshake"),
            TlsFault::Other(why) => f.write_str(why),
        }
    }
}
