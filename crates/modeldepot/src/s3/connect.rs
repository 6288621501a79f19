//! From settings to a configured SDK client.

use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::provider_config::ProviderConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    BehaviorVersion, Region, RequestChecksumCalculation, ResponseChecksumValidation, SharedCredentialsProvider,
    StalledStreamProtectionConfig,
};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;

use super::clock::Clock;
use super::http::Http;
use crate::error::Result;
use crate::settings::{Addressing, Credentials, Settings};

/// Returns a client that signs for the settings' endpoint and repeats what fails, and one that repeats nothing. Sends
/// nothing yet.
pub(super) async fn connect(settings: &Settings, clock: &Clock) -> Result<(Client, Client)> {
    let http = SharedHttpClient::new(Http::new(settings)?);
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
        .interceptor(clock.clone())
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
        // Time-outs are in `http`, where it is seen whether bytes move.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    let config = match &settings.endpoint {
        Some(endpoint) => config.endpoint_url(endpoint.as_str()),
        None => config,
    };
    let config = config.build();
    let once = config.to_builder().retry_config(RetryConfig::disabled()).build();
    Ok((Client::from_conf(config), Client::from_conf(once)))
}
