//! Which version an object is, and which one a client names.

use redb::ReadableTable;
use s3s::{S3Result, s3_error};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::refusal::internal;

/// How S3 calls the version that has no id.
pub(crate) const NULL: &str = "null";

/// Whether a bucket keeps versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Versioning {
    /// It never did.
    Off,
    Enabled,
    /// It did: what it has stays, and new objects replace the null version alone.
    Suspended,
}

impl Versioning {
    pub(super) fn parse(word: &str) -> Self {
        if word == "Enabled" { Self::Enabled } else { Self::Suspended }
    }

    /// The word of the protocol; none for a bucket that never kept versions.
    pub(crate) fn word(self) -> Option<&'static str> {
        match self {
            Self::Off => None,
            Self::Enabled => Some("Enabled"),
            Self::Suspended => Some("Suspended"),
        }
    }
}

/// Which version of its key an object is. In a bucket without versions there is nothing to say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Stamp {
    /// `None` is the null version.
    #[serde(rename = "version", skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    /// Grows with every version of the folder. Clocks go back; this does not.
    #[serde(skip_serializing_if = "is_zero")]
    order: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) marker: bool,
}

fn is_zero(order: &u64) -> bool {
    *order == 0
}

impl Stamp {
    /// The id as clients see it.
    pub(crate) fn shown(&self) -> String {
        self.id.clone().unwrap_or_else(|| NULL.to_owned())
    }

    pub(super) fn age(&self) -> u64 {
        u64::MAX - self.order
    }

    /// Stamps the version with this number.
    pub(super) fn new(order: u64, versioning: Versioning) -> Self {
        let id =
            (versioning == Versioning::Enabled).then(|| format!("{order:016x}{:016x}", Uuid::new_v4().as_u64_pair().0));
        Self { id, order, marker: false }
    }

    /// Makes it the stamp of a delete marker.
    pub(super) fn of_marker(self) -> Self {
        Self { marker: true, ..self }
    }
}

/// A version that a client names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Null,
    Id(String),
}

impl Which {
    /// Reads what a client names; `None` for the current version.
    pub(crate) fn parse(text: Option<&str>) -> S3Result<Option<Self>> {
        // An id of another server is one as well, only of nothing here.
        let is_id = |text: &str| {
            (32..=1024).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        };
        match text {
            None | Some("") => Ok(None),
            Some(NULL) => Ok(Some(Self::Null)),
            Some(id) if is_id(id) => Ok(Some(Self::Id(id.to_owned()))),
            Some(_) => Err(s3_error!(InvalidArgument, "Invalid version id specified")),
        }
    }

    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Null => NULL,
            Self::Id(id) => id,
        }
    }

    pub(super) fn is(&self, stamp: &Stamp) -> bool {
        match self {
            Self::Null => stamp.id.is_none(),
            Self::Id(id) => stamp.id.as_ref() == Some(id),
        }
    }

    /// Where it would be in the table of versions.
    pub(super) fn age(&self, nulls: &impl ReadableTable<&'static [u8], u64>, place: &[u8]) -> S3Result<Option<u64>> {
        match self {
            Self::Null => Ok(nulls.get(place).map_err(internal)?.map(|age| age.value())),
            Self::Id(id) => Ok(id.get(..16).and_then(|hex| u64::from_str_radix(hex, 16).ok()).map(|n| u64::MAX - n)),
        }
    }
}
