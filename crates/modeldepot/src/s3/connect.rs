//! Configuring SDK clients from settings.

use std::sync::Arc;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    BehaviorVersion, Region, RequestChecksumCalculation, ResponseChecksumValidation, SharedCredentialsProvider,
    StalledStreamProtectionConfig,
};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;

use super::clock::Clock;
use super::http::connector::Http;
use super::http::peer::Peer;
use super::http::timeouts::TimeLimits;
use super::region::Regions;
use super::required_headers::{RequiredHeaders, RequiredUrlHeaders};
use crate::error::Result;
use crate::settings::{Addressing, Credentials, Settings};

/// SDK clients with different time-outs. None of them retries: [`super::retry`] does.
#[derive(Clone)]
pub(super) struct Clients {
    /// For small requests, answered without moving much data.
    pub(super) small: Client,
    /// For downloads.
    pub(super) reading: Client,
    /// For uploads, and for what the server does with them.
    pub(super) writing: Client,
    /// For URLs that others use: required headers would have to be sent by them.
    pub(super) signing: Client,
    /// The regions of buckets outside the configured region.
    pub(super) regions: Regions,
    /// What is known about the endpoint.
    pub(super) peer: Arc<Peer>,
}

/// Returns clients that sign for the settings' endpoint. Sends nothing yet.
pub(super) async fn connect(settings: &Settings, clock: &Clock) -> Result<Clients> {
    let connections = Http::new(settings)?;
    let http = SharedHttpClient::new(connections.clone());
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
        Credentials::Profile(name) => {
            let provider = ProviderConfig::default().with_region(Some(region.clone())).with_http_client(http.clone());
            let profile = ProfileFileCredentialsProvider::builder().configure(&provider).profile_name(name);
            SharedCredentialsProvider::new(profile.build())
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
    let regions = Regions::default();
    let config = aws_sdk_s3::config::Builder::new()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(region)
        .credentials_provider(credentials)
        .http_client(SharedHttpClient::new(connections.clone()))
        .force_path_style(path_style)
        .interceptor(clock.clone())
        .interceptor(regions.clone())
        .endpoint_resolver(regions.clone())
        // Parts carry our own CRC64NVME. The SDK's default CRC32 on every request breaks several servers.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .retry_config(RetryConfig::disabled())
        // Time-outs are in `http`, which sees whether bytes move.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    let config = match &settings.endpoint {
        // The SDK appends the bucket to the path as it is.
        Some(endpoint) if endpoint.url().path() != "/" => config.endpoint_url(format!("{}/", endpoint.as_str())),
        Some(endpoint) => config.endpoint_url(endpoint.as_str()),
        None => config,
    };
    let writing = Arc::new(settings.writing.clone());
    let signing = Client::from_conf(config.clone().interceptor(RequiredUrlHeaders(Arc::clone(&writing))).build());
    let config = config.interceptor(RequiredHeaders(writing)).build();
    // The services that AWS's chain gets credentials from are not S3.
    let peer = Arc::new(Peer::default());
    let connections = connections.to(Arc::clone(&peer));
    let with = |limits| {
        let http = SharedHttpClient::new(connections.with(limits));
        Client::from_conf(config.to_builder().http_client(http).build())
    };
    let (reading, writing) = (TimeLimits::reading(&settings.timeouts), TimeLimits::writing(&settings.timeouts));
    let small = TimeLimits::small(&settings.timeouts);
    Ok(Clients { small: with(small), reading: with(reading), writing: with(writing), signing, regions, peer })
}
