//! The results of the verbs: small immutable objects.

mod declare;
mod deleted;
mod description;
mod listed_object;
mod model_summary;
mod object_metadata;
mod published;
mod restore;
mod stored_file;
mod value;
mod verified;
mod version_summary;

pub(crate) use deleted::Deleted;
pub(crate) use description::Description;
pub(crate) use listed_object::ListedObject;
pub(crate) use model_summary::ModelSummary;
pub(crate) use object_metadata::ObjectMetadata;
pub(crate) use published::Published;
pub(crate) use restore::restored;
pub(crate) use stored_file::StoredFile;
pub(crate) use verified::Verified;
pub(crate) use version_summary::VersionSummary;
