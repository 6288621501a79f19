//! Decisions of the push and gc protocol, separate from its requests: what follows from what was observed.
//!
//! Push, `gc` and the exhaustive model in `tests/model`, which includes this file, all use these functions, so the
//! model checks them and not a copy. Nothing here sends requests, reads a clock or needs more than the core library.

use core::time::Duration;

/// The age, by the server's clock, up to which the process that wrote a lease or a record may be at work.
pub(crate) const STALE_AFTER: Duration = Duration::from_secs(10 * 60);

/// The age of an object by the server's clock; none where the server does not say when it was written.
pub(crate) type Age = Option<Duration>;

/// Decides whether the pusher of a lease may be alive. A lease of unknown age never goes stale.
pub(crate) fn is_alive(lease: Age) -> bool {
    lease.is_none_or(|age| age <= STALE_AFTER)
}

/// Decides what a process may think of its own lease, if it is listed.
///
/// It gives the lease up at half the age: what it does next must be done before others take the lease for stale.
pub(crate) fn own(listed: Option<Age>) -> Own {
    match listed {
        None => Own::Missing,
        Some(Some(age)) if age > STALE_AFTER / 2 => Own::Stale,
        Some(_) => Own::Fresh,
    }
}

/// A process's own lease, as the listing shows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Own {
    /// It was removed.
    Missing,
    /// It was not renewed in time: others may already have listed it as stale.
    Stale,
    /// It exists and is recent.
    Fresh,
}

/// The stage of a push whose lease was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// It has not held the version yet.
    Contending,
    /// It was alone, and is pushing.
    Working,
}

/// The leases of others that are not stale: the furthest stage of those whose names sort before our own, and of those
/// whose names sort after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Others {
    pub(crate) lower: Option<Stage>,
    pub(crate) higher: Option<Stage>,
}

impl Others {
    fn none(self) -> bool {
        self.lower.is_none() && self.higher.is_none()
    }
}

/// Whether there is time left to wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Patience {
    Left,
    Over,
}

/// What a contender for a version does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Contend {
    /// It holds the version: it removes the stale leases that it listed, and pushes.
    Work,
    /// It is the first contender. The others withdraw as soon as they list the leases.
    Wait,
    /// It gives up the version.
    Withdraw,
}

/// Decides for a contender: of those that see each other, all but the lowest withdraw at once, and the lowest waits.
///
/// The lowest does not give up because others keep arriving: each of them sees a lower lease and withdraws, and the
/// lease of a dead one goes stale. When its patience is over: if the server supports create-if-absent, the leases are
/// only a courtesy and the lowest proceeds; otherwise another has outlived even a stale lease, and no conclusion is
/// safe.
pub(crate) fn contend(own: Own, others: Others, conditions: bool, patience: Patience) -> Contend {
    match (own, patience) {
        (Own::Missing, _) => Contend::Withdraw,
        (Own::Stale, _) if !conditions => Contend::Withdraw,
        _ if others.none() => Contend::Work,
        _ if others.lower.is_some() || others.higher == Some(Stage::Working) => Contend::Withdraw,
        (_, Patience::Left) => Contend::Wait,
        (_, Patience::Over) if conditions => Contend::Work,
        (_, Patience::Over) => Contend::Withdraw,
    }
}

/// What a push does about the leases before it publishes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Count {
    /// No other push can believe that it holds the version.
    Publish,
    /// Another contender has arrived, and will withdraw.
    Wait,
    /// Another push holds the version now.
    Fail,
}

/// Decides whether a push that holds a version may publish it.
///
/// If the server supports create-if-absent, contenders do no harm: nothing can be overwritten. Otherwise our lease must
/// be recent and the only one. If two pushes started work, which takes a stall or an inconsistent listing, they must
/// not wait for each other: the higher one fails.
pub(crate) fn count(own: Own, others: Others, conditions: bool, patience: Patience) -> Count {
    match (own, patience) {
        (Own::Missing, _) => Count::Fail,
        _ if conditions => Count::Publish,
        (Own::Stale, _) => Count::Fail,
        _ if others.none() => Count::Publish,
        _ if others.lower == Some(Stage::Working) => Count::Fail,
        (_, Patience::Left) => Count::Wait,
        (_, Patience::Over) => Count::Fail,
    }
}

/// Decides whether anything of a push may have been sent, or may still arrive. `began` is how it began under its lease, if
/// it came that far; of a push that resumes, requests of the run before may be on their way.
pub(crate) fn may_have_sent(resumed: bool, began: Option<Begin>) -> bool {
    resumed || began == Some(Begin::Send)
}

/// Decides whether a push that ends takes its lease away.
///
/// Without conditional writes, an unanswered request may still arrive and overwrite what the next push sent. A lease
/// under which something was sent is therefore withdrawn only after success; otherwise it stays until it is stale.
pub(crate) fn withdraws(conditions: bool, succeeded: bool, sent: bool) -> bool {
    conditions || succeeded || !sent
}

/// What a push does once it holds the lease.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Begin {
    /// A version is published: compare it.
    Compare,
    /// The name belongs to another push.
    Taken,
    /// `gc` is deciding about the version.
    Locked,
    /// Send the files.
    Send,
}

/// Decides what to do about objects under a version: a manifest, other objects, a lock of `gc`. A push that names no
/// version needs an unused one.
pub(crate) fn begin(named: bool, published: bool, objects: bool, locked: bool) -> Begin {
    match () {
        () if !named && (published || objects) => Begin::Taken,
        () if published => Begin::Compare,
        () if locked => Begin::Locked,
        () => Begin::Send,
    }
}

/// Decides whether an existing file is compared, and reused only if it is the same. Nothing is overwritten where the
/// server can prevent it.
pub(crate) fn reuses(conditions: bool, there: bool) -> bool {
    conditions && there
}

/// How the manifest is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Write {
    /// Create it if there is none.
    Create,
    /// Put it, and read it back whatever the answer: only the bucket shows who wrote last.
    Put,
    /// Do not write it, since there is one: read that back.
    Nothing,
}

/// Decides how to write the manifest. `published` is what was just found; it does not matter with `conditions`.
pub(crate) fn write(conditions: bool, published: bool) -> Write {
    match (conditions, published) {
        (true, _) => Write::Create,
        (false, false) => Write::Put,
        (false, true) => Write::Nothing,
    }
}

/// A manifest that was read back, compared with our own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Standing {
    /// It carries our `write_id`.
    pub(crate) own: bool,
    /// It has the same files and metadata.
    pub(crate) same: bool,
}

/// What a manifest that was read back means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ReadBack {
    /// It is our own.
    Published,
    /// Another push wrote it, with the same content.
    Already,
    /// Another push wrote it.
    Taken,
    /// There is none.
    Nothing,
}

/// Decides what a manifest that was read back means.
///
/// The `write_id` alone is not enough: a resumed push shares it with the interrupted one, whose last request may have
/// arrived only now, with different metadata.
pub(crate) fn read_back(standing: Option<Standing>, named: bool) -> ReadBack {
    match standing {
        Some(Standing { own: true, same: true }) => ReadBack::Published,
        Some(Standing { same: true, .. }) if named => ReadBack::Already,
        Some(_) => ReadBack::Taken,
        None => ReadBack::Nothing,
    }
}

/// Decides whether a manifest of which nothing was stored is sent again, because the server was unavailable and there is
/// patience left. Without create-if-absent never: another push may have published meanwhile, and would be overwritten.
pub(crate) fn creates_again(conditions: bool, unavailable: bool, patience: bool) -> bool {
    conditions && unavailable && patience
}

/// What a push checks after writing its manifest, before it reports success.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Check {
    /// Locks of `gc`.
    Locks,
    /// The tombstone; and whether there was a lock.
    Tombstone { locked: bool },
}

/// What follows from a check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Checked {
    /// Check this next.
    Look(Check),
    /// The version will last.
    Lasts,
    /// There is a lock: start again after a while.
    Wait,
    /// The version is deleted.
    Deleted,
}

/// The first check.
pub(crate) const FIRST_CHECK: Check = Check::Locks;

/// Decides what a check for locks or the tombstone means.
///
/// `gc` locks a version before it looks for a manifest, writes the tombstone only when there is none, and removes its
/// lock last. So when there is a manifest, then no lock, and then no tombstone, every later `gc` finds the manifest.
/// The locks must be checked first: `gc` may write the tombstone and finish between the two checks.
pub(crate) fn check(at: Check, found: bool) -> Checked {
    match (at, found) {
        (Check::Locks, locked) => Checked::Look(Check::Tombstone { locked }),
        (Check::Tombstone { .. }, true) => Checked::Deleted,
        (Check::Tombstone { locked: true }, false) => Checked::Wait,
        (Check::Tombstone { locked: false }, false) => Checked::Lasts,
    }
}

/// A version, as a listing of the whole bucket shows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Listed {
    /// It has objects, the manifest among them.
    pub(crate) objects: bool,
    /// It has a manifest.
    pub(crate) published: bool,
    /// It has a tombstone.
    pub(crate) retired: bool,
    /// It has a lease whose pusher may be alive.
    pub(crate) alive: bool,
}

/// What `gc` plans for the objects of a version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// There is nothing to remove.
    Stays,
    /// A push may be at work.
    Young,
    /// The version is deleted: what the tombstone lists or a push marked goes. That needs no grace, since nobody can be at
    /// work on it.
    Deleted,
    /// It was never published: what pushes marked may go, under a lock. See [`orphans`].
    Unpublished,
}

/// Decides what `gc` plans for the objects of a version.
pub(crate) fn fate(listed: Listed) -> Fate {
    match listed {
        Listed { objects: false, .. } => Fate::Stays,
        Listed { retired: true, .. } => Fate::Deleted,
        Listed { published: true, .. } => Fate::Stays,
        Listed { alive: true, .. } => Fate::Young,
        _ => Fate::Unpublished,
    }
}

/// What `gc` plans for marked objects of an unpublished version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OrphansFate {
    /// They stay: somebody else removed the manifest.
    Keep,
    /// They stay for now.
    Young,
    /// They go, unless a look under the lock of `gc` finds a lease or a manifest.
    Remove,
}

/// Decides what `gc` plans for marked objects of an unpublished version. `failed` says that a lease or a record shows of
/// each push that marked one that it did not end well, `old` that each object is older than the grace period.
pub(crate) fn orphans(failed: bool, old: bool) -> OrphansFate {
    match (failed, old) {
        (false, _) => OrphansFate::Keep,
        (true, false) => OrphansFate::Young,
        (true, true) => OrphansFate::Remove,
    }
}

/// Decides whether an object or an upload is older than the grace period. One of unknown age is not.
pub(crate) fn is_old(age: Age, grace: Duration) -> bool {
    age.is_some_and(|age| age >= grace)
}

/// Decides whether `gc` may remove a record that is not needed any more: the process that wrote it may be at work for as
/// long as a lease counts.
pub(crate) fn is_dead(record: Age, grace: Duration) -> bool {
    is_old(record, grace) && !is_alive(record)
}

/// Decides whether `gc`, whose lock stands, retires the name of a version: never of one that is published or that
/// somebody who may be alive is pushing.
pub(crate) fn retires(leased: bool, published: bool) -> bool {
    !leased && !published
}

/// Decides whether the lock of another `gc` may be removed. Its owner may be suspended between its check and its
/// tombstone, so only once there is a tombstone.
pub(crate) fn lock_is_idle(tombstone: bool) -> bool {
    tombstone
}
