//! Operations on many objects at once.

use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use super::client::S3Client;
use super::codes::{self, Means};
use super::error::{About, CODE, MESSAGE, brief, is_not_understood};
use super::passing::{Passing, Said};
use crate::error::Result;
use crate::model::key::creatable;
use crate::model::name::BucketName;

impl S3Client {
    /// Deletes objects, a thousand per request.
    ///
    /// # Errors
    /// The server's error for the first object that it did not delete.
    pub async fn delete_objects(&self, bucket: &BucketName, keys: &[String]) -> Result<()> {
        // The whole request would be refused for a key that XML cannot represent: such keys are deleted alone, by URL.
        let (keys, unspellable): (Vec<&String>, Vec<_>) = keys.iter().partition(|key| creatable(key).is_ok());
        for key in unspellable {
            self.delete_object(bucket, key).await?;
        }
        for page in keys.chunks(1000) {
            let about = About::bucket("delete objects in", bucket);
            let mut delete = Delete::builder().quiet(true);
            for key in page {
                let object = ObjectIdentifier::builder().key(*key).build();
                delete = delete.objects(object.map_err(|error| self.failed_locally(about, &error))?);
            }
            let delete = delete.build().map_err(|error| self.failed_locally(about, &error))?;
            let ask = || self.sdk.small.delete_objects().bucket(bucket.as_str()).delete(delete.clone());
            let answer = match self.asked(|| ask().send()).await {
                Ok(answer) => answer,
                // Some may be deleted and others not, and the answer may contain refusals: single requests are answered
                // one by one.
                Err(error) if is_not_understood(&error) => {
                    tracing::debug!(%error, "the answer to a delete of many is not known; deleting one by one");
                    for key in page {
                        self.delete_object(bucket, key).await?;
                    }
                    continue;
                }
                Err(error) => return Err(self.failed(about, error)),
            };
            // Transient failures are repeated as single requests, by the normal retry policy.
            let passing = |code: Option<&str>| {
                matches!(code.and_then(codes::known).map(|code| code.means), Some(Means::Passes | Means::Throttled))
            };
            for key in answer.errors().iter().filter(|e| passing(e.code())).filter_map(|e| e.key()) {
                let key = self.prefix.within(key).unwrap_or(key);
                self.delete_object(bucket, key).await?;
            }
            if let Some(refused) = answer.errors().iter().find(|e| e.code() != Some("NoSuchKey") && !passing(e.code()))
            {
                let (code, key) = (refused.code().unwrap_or("no code"), refused.key().unwrap_or_default());
                let code = &brief(code, CODE);
                let text = brief(refused.message().unwrap_or("the server gave no reason"), MESSAGE);
                let source = Said { text, passing: Passing::default() };
                return Err(self.refusal(code, 200, format!("delete `{key}` in bucket `{bucket}`"), None, source));
            }
        }
        Ok(())
    }
}
