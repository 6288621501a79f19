//! How connections are encrypted.

use std::path::PathBuf;

use clap::{Args, ValueHint};

/// The certificate of a server.
#[derive(Debug, Args)]
pub(crate) struct TlsArgs {
    /// Serve HTTPS with the certificate in this PEM file, followed by those of its authorities. Renewals are picked up
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "tls_key", help_heading = "TLS")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The private key of the certificate: a PEM file without a passphrase, readable by its owner alone
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "tls_cert", help_heading = "TLS")]
    pub(crate) tls_key: Option<PathBuf>,
}
