//! The leases of a version, as one listing shows them.

use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::s3::ListedObject;
use crate::store::decide::{self, Age, Others, Own, Stage};

/// The leases of a version.
pub(super) struct Seen {
    pub(super) own: Own,
    /// Those whose pushers may be alive and whose names sort before the own one, the lowest first.
    pub(super) lower: Vec<Other>,
    /// Those whose names sort after it.
    pub(super) higher: Vec<Other>,
    /// Those of dead pushers.
    pub(super) stale: Vec<Other>,
}

/// Another pusher's lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Other {
    pub(super) key: String,
    size: u64,
    etag: String,
    pub(super) since: String,
}

impl Seen {
    /// Sorts a listing by the server's time. Without a time no lease is old. Who does not find its own lease has no say, so
    /// then the others are not looked at.
    pub(super) fn new(mut listed: Vec<ListedObject>, own: &str, now: Option<OffsetDateTime>) -> Seen {
        let age_of = |lease: &ListedObject| now.and_then(|now| age(lease.modified, now));
        let held = listed.iter().position(|lease| lease.key == own).map(|at| listed.remove(at));
        let own = decide::own(held.as_ref().map(age_of));
        let Some(held) = held else { return Seen { own, lower: Vec::new(), higher: Vec::new(), stale: Vec::new() } };
        listed.sort_by(|one, other| one.key.cmp(&other.key));
        let (living, stale): (Vec<_>, Vec<_>) = listed.into_iter().partition(|lease| decide::is_alive(age_of(lease)));
        let (lower, higher): (Vec<_>, Vec<_>) = living.into_iter().partition(|lease| lease.key < held.key);
        let others = |leases: Vec<ListedObject>| leases.into_iter().map(Other::from).collect();
        Seen { own, lower: others(lower), higher: others(higher), stale: others(stale) }
    }

    /// Returns what is decided by: how far those before and those after the own lease are.
    pub(super) fn others(&self, lower: Stage, higher: Stage) -> Others {
        Others { lower: (!self.lower.is_empty()).then_some(lower), higher: (!self.higher.is_empty()).then_some(higher) }
    }

    /// Returns how many come before the own lease.
    pub(super) fn rank(&self) -> u32 {
        u32::try_from(self.lower.len()).unwrap_or(u32::MAX)
    }

    /// Returns the lowest of the others.
    pub(super) fn first(&self) -> Option<&Other> {
        self.lower.first().or(self.higher.first())
    }
}

impl From<ListedObject> for Other {
    fn from(lease: ListedObject) -> Other {
        let since = lease.modified.and_then(|modified| modified.format(&Rfc3339).ok()).unwrap_or_default();
        Other { key: lease.key, size: lease.size, etag: lease.etag, since }
    }
}

impl Other {
    /// Returns what changes when the record does.
    pub(super) fn mark(&self) -> (String, u64, String) {
        (self.key.clone(), self.size, self.etag.clone())
    }
}

/// Returns an age by the server's clock. Objects may be told the time of more finely than answers, and seem a little ahead.
pub(in crate::store) fn age(written: Option<OffsetDateTime>, now: OffsetDateTime) -> Age {
    written.map(|written| (now - written).max(Duration::ZERO).unsigned_abs())
}
