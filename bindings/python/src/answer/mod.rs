//! What the verbs answer: small objects that cannot be changed.

mod deleted;
mod description;
mod listed_object;
mod model_summary;
mod object_metadata;
mod pickled;
mod published;
mod stored_file;
mod verified;
mod version_summary;

pub(crate) use deleted::Deleted;
pub(crate) use description::Description;
pub(crate) use listed_object::ListedObject;
pub(crate) use model_summary::ModelSummary;
pub(crate) use object_metadata::ObjectMetadata;
pub(crate) use pickled::restored;
pub(crate) use published::Published;
pub(crate) use stored_file::StoredFile;
pub(crate) use verified::Verified;
pub(crate) use version_summary::VersionSummary;

use time::OffsetDateTime;

/// Returns a moment as Python is to see it: UTC, or none when it is not known.
fn moment(time: Option<OffsetDateTime>) -> Option<OffsetDateTime> {
    Some(time?.to_offset(time::UtcOffset::UTC))
}
