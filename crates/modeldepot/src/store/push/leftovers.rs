//! What earlier pushes left under the version of a push: objects that carry a push's mark, without a manifest.
//!
//! A version published beside them would hide them: nothing lists, verifies or collects what is not in a manifest.

use std::collections::BTreeMap;

use super::Push;
use super::source::SourceFile;
use crate::error::{Error, Result};
use crate::model::key::version_prefix;
use crate::model::name::{ModelName, Version};
use crate::s3::ListedObject;
use crate::store::ModelStorage;

impl ModelStorage {
    /// Refuses a push beside objects of earlier pushes that are not among its files. Without conditional writes, where
    /// objects of earlier pushes are overwritten, also refuses to overwrite the files of a version that was published.
    ///
    /// `there` are the objects of the version while the lease is held. This only costs requests if there are any.
    pub(in crate::store) async fn refuse_leftovers(
        &self,
        push: &Push,
        version: &Version,
        there: &[ListedObject],
        conditions: bool,
    ) -> Result<()> {
        let prefix = version_prefix(&push.model, version);
        let files: BTreeMap<&str, &SourceFile> =
            push.source.files().iter().map(|file| (file.path.as_str(), file)).collect();
        let of = |object: &&ListedObject| files.get(&object.key[prefix.len()..]);
        let besides = there.iter().filter(|object| of(object).is_none()).cloned().collect();
        let (own, _) = self.divide_some(besides).await?;
        if !own.is_empty() {
            let paths = own.iter().map(|object| object.key[prefix.len()..].to_owned()).collect();
            return Err(self.left_behind(&push.model, version, paths).await?);
        }
        if conditions || there.is_empty() || !self.has_lost_its_manifest(&push.model, version).await? {
            return Ok(());
        }
        for object in there {
            let Some(file) = files.get(&object.key[prefix.len()..]) else { continue };
            let digests = self.depot.digest_file(&file.local, file.stamp, false).await?;
            if self.is_own(&object.key).await?
                && self.depot.same_object(&self.bucket, &object.key, &digests).await?.is_none()
            {
                return Err(Error::published_before(&push.model, version, &[file.path.to_string()]));
            }
        }
        Ok(())
    }

    /// Returns the error for objects that earlier pushes left in the way of a push or beside its files.
    pub(in crate::store) async fn left_behind(
        &self,
        model: &ModelName,
        version: &Version,
        paths: Vec<String>,
    ) -> Result<Error> {
        Ok(match self.has_lost_its_manifest(model, version).await? {
            true => Error::published_before(model, version, &paths),
            false => Error::orphans(model, version, &paths),
        })
    }
}
