//! Version ids of objects, and version ids that clients send.

use redb::ReadableTable;
use s3s::{S3Result, s3_error};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::refusal::internal;

/// S3's name for the version without an id.
pub(crate) const NULL: &str = "null";

/// Whether a bucket keeps versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Versioning {
    /// It never has.
    Off,
    Enabled,
    /// It used to: existing versions stay, and new objects only replace the null version.
    Suspended,
}

impl Versioning {
    pub(super) fn parse(word: &str) -> Self {
        if word == "Enabled" { Self::Enabled } else { Self::Suspended }
    }

    /// The protocol's word; `None` for a bucket that never kept versions.
    pub(crate) fn word(self) -> Option<&'static str> {
        match self {
            Self::Off => None,
            Self::Enabled => Some("Enabled"),
            Self::Suspended => Some("Suspended"),
        }
    }
}

/// The version of an object. Empty in a bucket without versions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Stamp {
    /// `None` for the null version.
    #[serde(rename = "version", skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    /// Grows with every version in the folder. Unlike a clock, it never goes back.
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

    /// Stamps a new version with this number.
    pub(super) fn new(order: u64, versioning: Versioning) -> Self {
        let id =
            (versioning == Versioning::Enabled).then(|| format!("{order:016x}{:016x}", Uuid::new_v4().as_u64_pair().0));
        Self { id, order, marker: false }
    }

    /// Turns it into the stamp of a delete marker.
    pub(super) fn of_marker(self) -> Self {
        Self { marker: true, ..self }
    }
}

/// A version named by a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Null,
    Id(String),
}

impl Which {
    /// Parses a version id; `None` means the current version.
    pub(crate) fn parse(text: Option<&str>) -> S3Result<Option<Self>> {
        // Ids of other servers are accepted as ids. They just name nothing here.
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

    /// Returns the version's age, its position in the table of versions.
    pub(super) fn age(&self, nulls: &impl ReadableTable<&'static [u8], u64>, place: &[u8]) -> S3Result<Option<u64>> {
        match self {
            Self::Null => Ok(nulls.get(place).map_err(internal)?.map(|age| age.value())),
            Self::Id(id) => Ok(id.get(..16).and_then(|hex| u64::from_str_radix(hex, 16).ok()).map(|n| u64::MAX - n)),
        }
    }
}
