//! What the bucket's server supports: probed once, stored in the bucket, trusted for a week.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::ModelStorage;
use crate::error::{Error, Mark, Result};
use crate::model::key::ObjectKey;
use crate::s3::{Capabilities, ChecksumSupport, CopySupport};

/// How long a probe is trusted, since servers are upgraded.
const TRUSTED_FOR: Duration = Duration::days(7);

/// Where the probe writes.
const PROBES: &str = ".depot/probe/";

/// Revision of the probe; records of other revisions are not trusted. Revision 1 copies parts from an object that is
/// large enough for AWS.
const REVISION: u32 = 1;

/// The result of a probe, as stored in the bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Probed {
    /// The revision of the probe.
    #[serde(default)]
    pub revision: u32,
    /// The server's name for itself, used only to tell whether the probe is still about this server.
    pub server: Option<String>,
    /// When it was probed, by the server's clock; `None` when the server sent no time.
    #[serde(with = "time::serde::rfc3339::option")]
    pub probed_at: Option<OffsetDateTime>,
    /// What the server supports.
    #[serde(flatten)]
    pub capabilities: Capabilities,
}

impl Probed {
    /// Returns true for a recent probe of this server by this revision. One without a time may be of any age.
    fn is_trusted(&self, server: Option<&str>, now: Option<OffsetDateTime>) -> bool {
        let age = now.zip(self.probed_at).map(|(now, probed)| now - probed);
        self.revision == REVISION
            && self.server.as_deref() == server
            && age.is_some_and(|age| age < TRUSTED_FOR && age > -Duration::HOUR)
    }
}

impl ModelStorage {
    /// Returns what the server supports: from memory, from the bucket, or by probing.
    pub(super) async fn capabilities(&self) -> Result<&Capabilities> {
        let probed = self.probed.get_or_try_init(|| async move {
            match self.known().await? {
                (Some(known), _, _) => Ok(known),
                (None, server, now) => self.probe_at(server, now).await,
            }
        });
        let capabilities = &probed.await?.capabilities;
        if capabilities.crc64nvme != ChecksumSupport::Verified {
            self.depot.use_md5();
        }
        Ok(capabilities)
    }

    /// Returns whether the server copies parts. It is tried only when needed: the object for it is as large as the
    /// least that a copy saves, and most pushes copy nothing.
    pub(super) async fn copy_support(&self) -> Result<CopySupport> {
        let known = self.capabilities().await?.part_copy;
        if known != CopySupport::Unknown {
            return Ok(known);
        }
        let found = self.copies.get_or_try_init(|| async move {
            let found = self.depot.probe_part_copy(&self.bucket, PROBES).await?;
            if let Some(probed) = self.probed.get() {
                let mut probed = probed.clone();
                probed.capabilities.part_copy = found;
                self.keep(&probed).await?;
            }
            Ok(found)
        });
        found.await.copied()
    }

    /// Probes the server, including copies of parts, and stores the result in the bucket.
    pub async fn probe(&self) -> Result<Probed> {
        let head = self.depot.head(&self.bucket).await?;
        let mut probed = self.probe_at(head.server, head.date).await?;
        probed.capabilities.part_copy = self.depot.probe_part_copy(&self.bucket, PROBES).await?;
        self.keep(&probed).await?;
        Ok(probed)
    }

    /// Checks that a presigned upload URL allows only that upload, as on AWS. On some servers its holder can add an
    /// unsigned header, and so copy any object that the signer can read.
    ///
    /// # Errors
    /// [`Error::Other`] of kind [`crate::ErrorKind::Denied`] when it allows more, or when the server accepts no
    /// presigned URL, so that this cannot be checked.
    pub async fn check_upload_urls(&self) -> Result<()> {
        let found = self.capabilities().await?.unsigned_headers;
        if found.are_harmless() {
            return Ok(());
        }
        Err(Error::upload_urls(self.depot.endpoint(), found))
    }

    /// Returns the stored probe of this server, if it is still trusted.
    pub async fn last_probe(&self) -> Result<Option<Probed>> {
        Ok(self.known().await?.0)
    }

    async fn known(&self) -> Result<(Option<Probed>, Option<String>, Option<OffsetDateTime>)> {
        let key = ObjectKey::Probe.to_string();
        let kept = Box::pin(self.depot.get_small(&self.bucket, &key, 64 * 1024));
        let (kept, head) = tokio::join!(kept, Box::pin(self.depot.head(&self.bucket)));
        let head = head?;
        let kept = match kept {
            Ok(kept) => kept,
            // A record that is too large, archived or unreadable with our permissions counts as missing, and is
            // replaced.
            Err(error) if may_be_replaced(&error) => {
                tracing::debug!(%error, "the record of what the server does cannot be read");
                None
            }
            Err(error) => return Err(error),
        };
        let known = kept.and_then(|bytes| serde_json::from_slice::<Probed>(&bytes).ok());
        let known = known.filter(|known| known.is_trusted(head.server.as_deref(), head.date));
        Ok((known, head.server, head.date))
    }

    async fn probe_at(&self, server: Option<String>, now: Option<OffsetDateTime>) -> Result<Probed> {
        let capabilities = self.depot.probe(&self.bucket, PROBES).await?;
        let probed = Probed { revision: REVISION, server, probed_at: now, capabilities };
        tracing::info!(?probed, "probed the server");
        self.keep(&probed).await?;
        Ok(probed)
    }

    async fn keep(&self, probed: &Probed) -> Result<()> {
        let body = serde_json::to_vec_pretty(probed).unwrap_or_default();
        self.depot.put_small(&self.bucket, &ObjectKey::Probe.to_string(), body.into(), "application/json").await
    }
}

/// Returns true for a record that is too large, archived or unreadable with our permissions.
fn may_be_replaced(error: &Error) -> bool {
    matches!(error, Error::Damaged { .. } | Error::Denied { .. }) || matches!(error.mark(), Mark::Refused(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = time::macros::datetime!(2026-01-02 03:04:05 UTC);

    fn probed_at(time: Option<OffsetDateTime>) -> Probed {
        Probed { revision: REVISION, server: None, probed_at: time, capabilities: Capabilities::AWS }
    }

    #[test]
    fn an_unknown_time_is_null_and_comes_back() {
        for (time, text) in [(None, "null"), (Some(NOW), "\"2026-01-02T03:04:05Z\"")] {
            let json = serde_json::to_string(&probed_at(time)).unwrap();
            assert!(json.contains(&format!("\"probed_at\":{text}")), "{json}");
            assert_eq!(serde_json::from_str::<Probed>(&json).unwrap(), probed_at(time));
        }
    }

    #[test]
    fn only_a_recent_probe_of_this_server_is_trusted() {
        let ago = |age: Duration| probed_at(Some(NOW - age));
        assert!(ago(Duration::days(6)).is_trusted(None, Some(NOW)));
        assert!(ago(Duration::minutes(-59)).is_trusted(None, Some(NOW)), "clocks differ a little");
        assert!(!ago(Duration::days(7)).is_trusted(None, Some(NOW)));
        assert!(!ago(Duration::hours(-1)).is_trusted(None, Some(NOW)));
        assert!(!ago(Duration::ZERO).is_trusted(Some("MinIO"), Some(NOW)));
        assert!(!Probed { revision: REVISION - 1, ..ago(Duration::ZERO) }.is_trusted(None, Some(NOW)));
        // Without a time, a record would be trusted forever, or not at all.
        assert!(!ago(Duration::ZERO).is_trusted(None, None));
        assert!(!probed_at(None).is_trusted(None, Some(NOW)));
        assert!(!probed_at(None).is_trusted(None, None));
    }
}
