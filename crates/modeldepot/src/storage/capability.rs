//! What is known of the bucket's server: probed once, kept in the bucket, trusted for a week.

use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::ModelStorage;
use crate::error::{Error, Result};
use crate::key::{ObjectKey, RECORDS};
use crate::s3::{Capabilities, ChecksumSupport};

/// How long a probe is trusted. Servers are upgraded.
const TRUSTED_FOR: Duration = Duration::days(7);

/// What a probe found, as it is kept in the bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// What the server calls itself. Nothing decides by it but whether the probe is still of this server.
    pub server: Option<String>,
    /// When it was probed, by the server's clock.
    pub probed_at: String,
    /// What it does.
    #[serde(flatten)]
    pub capabilities: Capabilities,
}

impl ModelStorage {
    /// Returns what the server does: from this process's memory, from the bucket, or by probing.
    pub(super) async fn capabilities(&self) -> Result<&Capabilities> {
        let probed = self.probed.get_or_try_init(|| async move {
            match self.known().await? {
                (Some(known), _, _) => Ok(known),
                (None, server, now) => self.probe_at(server, now).await,
            }
        });
        let capabilities = &probed.await?.capabilities;
        if capabilities.crc64nvme != ChecksumSupport::Verified {
            self.client.use_md5();
        }
        Ok(capabilities)
    }

    /// Probes the server now and keeps the result in the bucket.
    pub async fn probe(&self) -> Result<Probed> {
        let head = self.client.head(&self.bucket).await?;
        self.probe_at(head.server, head.date).await
    }

    /// Looks whether a URL for an upload allows that upload only, as on AWS. On some servers its holder can add a header
    /// that nobody signed, and so copy any object that the signer can read.
    ///
    /// # Errors
    /// [`Error::UploadUrls`] when it allows more, or when the server accepts no presigned URL, so that it cannot be told.
    pub async fn check_upload_urls(&self) -> Result<()> {
        let found = self.capabilities().await?.unsigned_headers;
        if found.are_harmless() {
            return Ok(());
        }
        Err(Error::UploadUrls { endpoint: self.client.endpoint().to_owned(), found })
    }

    /// Returns what a probe of this server found that is still trusted, and what the server says of itself.
    pub async fn last_probe(&self) -> Result<Option<Probed>> {
        Ok(self.known().await?.0)
    }

    async fn known(&self) -> Result<(Option<Probed>, Option<String>, Option<OffsetDateTime>)> {
        let key = ObjectKey::Probe.to_string();
        let (kept, head) =
            tokio::try_join!(self.client.get_small(&self.bucket, &key, 64 * 1024), self.client.head(&self.bucket))?;
        let known = kept.and_then(|bytes| serde_json::from_slice::<Probed>(&bytes).ok()).filter(|known| {
            let probed = OffsetDateTime::parse(&known.probed_at, &Rfc3339).ok();
            let age = head.date.zip(probed).map(|(now, probed)| now - probed);
            known.server == head.server && age.is_some_and(|age| age < TRUSTED_FOR && age > -Duration::HOUR)
        });
        Ok((known, head.server, head.date))
    }

    async fn probe_at(&self, server: Option<String>, now: Option<OffsetDateTime>) -> Result<Probed> {
        let capabilities = self.client.probe(&self.bucket, &format!("{RECORDS}probe/")).await?;
        let probed_at = now.unwrap_or(OffsetDateTime::UNIX_EPOCH).format(&Rfc3339).unwrap_or_default();
        let probed = Probed { server, probed_at, capabilities };
        tracing::info!(?probed, "probed the server");
        let body = serde_json::to_vec_pretty(&probed).unwrap_or_default();
        self.client.put_small(&self.bucket, &ObjectKey::Probe.to_string(), body.into(), "application/json").await?;
        Ok(probed)
    }
}
