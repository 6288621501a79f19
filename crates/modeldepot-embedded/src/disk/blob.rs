//! Names of the files that hold objects' bytes.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Names one of these files. Ids are random and never reused, so the content of a referenced file never changes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct BlobId(pub(crate) u128);

impl BlobId {
    pub(crate) fn random() -> Self {
        Self(Uuid::new_v4().as_u128())
    }

    /// Parses the 32 lowercase hex digits that `Display` writes.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let id = Self(u128::from_str_radix(name, 16).ok()?);
        (id.to_string() == name).then_some(id)
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blob_ids_round_trip_and_refuse_other_names() {
        let id = BlobId::random();
        assert_eq!(BlobId::parse(&id.to_string()), Some(id));
        for name in ["", "..", "index.redb", "+0000000000000000000000000000001", &id.to_string().to_uppercase()[..31]] {
            assert_eq!(BlobId::parse(name), None, "{name}");
        }
    }
}
