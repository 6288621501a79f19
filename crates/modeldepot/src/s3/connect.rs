//! From settings to a configured SDK client.

use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::provider_config::ProviderConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Region, RequestChecksumCalculation, ResponseChecksumValidation, SharedCredentialsProvider,
    SharedHttpClient, StalledStreamProtectionConfig,
};
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use crate::error::Result;
use crate::settings::{Addressing, Credentials, Settings, SettingsError};

/// Returns a client that signs for the settings' endpoint. Sends nothing yet.
pub(super) async fn connect(settings: &Settings) -> Result<aws_sdk_s3::Client> {
    let http = http_client(settings)?;
    let region = Region::new(settings.region.clone());
    let credentials = match &settings.credentials {
        Credentials::Key { access, secret, token } => {
            let token = token.as_ref().map(|token| token.reveal().to_owned());
            SharedCredentialsProvider::new(aws_credential_types::Credentials::new(
                access,
                secret.reveal(),
                token,
                None,
                "settings",
            ))
        }
        Credentials::Chain => {
            let provider = ProviderConfig::default().with_region(Some(region.clone())).with_http_client(http.clone());
            SharedCredentialsProvider::new(
                DefaultCredentialsChain::builder().configure(provider).region(region.clone()).build().await,
            )
        }
    };
    let path_style = match settings.addressing {
        Addressing::Auto => settings.endpoint.is_some(),
        Addressing::Path => true,
        Addressing::VirtualHost => false,
    };
    let config = aws_sdk_s3::config::Builder::new()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(region)
        .credentials_provider(credentials)
        .http_client(http)
        .force_path_style(path_style)
        // Our own CRC64NVME goes with the parts. The SDK's default CRC32 on every request breaks several servers.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(5)
                // The SDK's second before a first retry is for a cloud; a wrong port should not cost ten.
                .with_initial_backoff(Duration::from_millis(150))
                .with_max_backoff(Duration::from_secs(10)),
        )
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(5))
                .read_timeout(Duration::from_secs(120))
                .build(),
        )
        // A server that syncs a large part to a slow disk is silent for longer than the SDK's 20 s.
        .stalled_stream_protection(
            StalledStreamProtectionConfig::enabled().grace_period(Duration::from_secs(60)).build(),
        );
    let config = match &settings.endpoint {
        Some(endpoint) => config.endpoint_url(endpoint.as_str()),
        None => config,
    };
    Ok(aws_sdk_s3::Client::from_conf(config.build()))
}

fn http_client(settings: &Settings) -> Result<SharedHttpClient> {
    let mut trust = TrustStore::default();
    if let Some(path) = &settings.ca_bundle {
        let refused = |reason: String| SettingsError::CaBundle { path: path.clone(), reason };
        let pem = std::fs::read(path).map_err(|error| refused(error.to_string()))?;
        // The TLS library takes a file without any certificate in silence, and every handshake fails later.
        if !pem.windows(27).any(|line| line == b"-----BEGIN CERTIFICATE-----") {
            return Err(refused("it holds no PEM certificate".to_owned()).into());
        }
        trust = trust.with_pem_certificate(pem);
    }
    let context = TlsContext::builder().with_trust_store(trust).build().map_err(|error| SettingsError::CaBundle {
        path: settings.ca_bundle.clone().unwrap_or_default(),
        reason: error.to_string(),
    })?;
    Ok(aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
        .tls_context(context)
        .build_https())
}
