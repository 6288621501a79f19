//! Carries out lifecycle rules: deletes expired objects and aborts old uploads.
//!
//! Runs once an hour, by this machine's clock. Objects are read page by page; those that are due are deleted in one
//! transaction per page, unless they were replaced meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use redb::WriteTransaction;
use s3s::S3Result;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::Store;
use super::lifecycle::Rule;
use crate::index::listing::{Entry, MAX_PAGE, Query, Start};
use crate::index::multipart::Target;
use crate::index::record::{Object, now};
use crate::index::subresource::{Kind, configured};
use crate::refusal::precondition_failed;

/// The time from start to the first sweep. Short, so that a server that runs for less than an hour at a time sweeps as
/// well.
const FIRST: Duration = Duration::from_secs(60);

const EVERY: Duration = Duration::from_secs(60 * 60);

/// The result of a sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Objects that had expired.
    pub expired: usize,
    /// Unfinished uploads that were aborted.
    pub aborted: usize,
}

/// Sweeps in the background until it is dropped.
#[derive(Debug)]
pub(crate) struct Sweeper {
    stop: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Sweeper {
    pub(crate) fn start(store: &Arc<Store>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (store, stopped) = (Arc::downgrade(store), Arc::clone(&stop));
        let task = tokio::spawn(async move {
            let mut wait = FIRST;
            loop {
                sleep(wait).await;
                wait = EVERY;
                let (store, stopped) = (Weak::clone(&store), Arc::clone(&stopped));
                let swept = tokio::task::spawn_blocking(move || {
                    store.upgrade().map_or(Ok(Swept::default()), |store| sweep(&store, now(), &stopped))
                });
                match swept.await {
                    Ok(Ok(swept)) if swept != Swept::default() => {
                        tracing::info!(swept.expired, swept.aborted, "applied lifecycle rules");
                    }
                    Ok(Ok(_)) => {}
                    Ok(Err(error)) => tracing::error!(%error, "lifecycle rules could not be applied"),
                    Err(error) => tracing::error!(%error, "lifecycle rules could not be applied"),
                }
            }
        });
        Self { stop, task }
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.task.abort();
    }
}

/// Carries out the rules of all buckets, as of a time.
pub(crate) fn sweep(store: &Store, now: i64, stop: &AtomicBool) -> S3Result<Swept> {
    let mut swept = Swept::default();
    let rules: Vec<(String, Vec<Rule>)> = store.index.subresources(Kind::Lifecycle)?;
    for (bucket, rules) in rules {
        for result in [
            expire(store, &bucket, &rules, now, stop, &mut swept),
            abort(store, &bucket, &rules, now, stop, &mut swept),
        ] {
            match result {
                // The bucket was deleted meanwhile, or has new rules, which the next sweep carries out.
                Err(error) if matches!(error.code().as_str(), "NoSuchBucket" | "PreconditionFailed") => {}
                result => result?,
            }
        }
    }
    Ok(swept)
}

/// Fails unless a bucket still has these rules. A sweep takes a while, and a withdrawn rule must not delete anything.
fn in_force(tx: &WriteTransaction, bucket: &str, rules: &[Rule]) -> S3Result<()> {
    let found: Option<Vec<Rule>> = configured(tx, bucket, Kind::Lifecycle)?;
    if found.as_deref() == Some(rules) { Ok(()) } else { Err(precondition_failed()) }
}

fn expire(store: &Store, bucket: &str, rules: &[Rule], now: i64, stop: &AtomicBool, swept: &mut Swept) -> S3Result<()> {
    let all = rules;
    let rules: Vec<_> =
        rules.iter().filter(|rule| rule.enabled && (rule.days.is_some() || rule.date.is_some())).collect();
    if rules.is_empty() {
        return Ok(());
    }
    let mut query = Query { max: MAX_PAGE, ..Query::default() };
    while !stop.load(Ordering::Relaxed) {
        let page = store.index.list_described(bucket, &query)?;
        let Some(last) = page.entries.last() else { return Ok(()) };
        query.start = Start::AfterKey(last.name().to_owned());
        let truncated = page.truncated;
        let found: Vec<(String, Object)> = page
            .entries
            .into_iter()
            .filter_map(|entry| match entry {
                Entry::Key(key, object) => Some((key, object)),
                Entry::CommonPrefix(_) => None,
            })
            .filter(|(key, object)| rules.iter().any(|rule| rule.expires(key, object, now)))
            .collect();
        if !found.is_empty() {
            // An object that was overwritten or tagged meanwhile is no longer the one that was due.
            let guarded = found.iter().map(|(key, object)| {
                let unchanged = move |current: Option<&Object>| match current {
                    Some(current) if current == object => Ok(()),
                    _ => Err(precondition_failed()),
                };
                (key.as_str(), None, unchanged)
            });
            let results =
                store.settle(None, store.index.delete_while(|tx| in_force(tx, bucket, all), bucket, guarded))?;
            swept.expired += results.iter().filter(|result| result.is_ok()).count();
        }
        if !truncated {
            return Ok(());
        }
    }
    Ok(())
}

fn abort(store: &Store, bucket: &str, rules: &[Rule], now: i64, stop: &AtomicBool, swept: &mut Swept) -> S3Result<()> {
    if !rules.iter().any(|rule| rule.enabled && rule.abort.is_some()) {
        return Ok(());
    }
    let mut query = Query { max: MAX_PAGE, ..Query::default() };
    let mut after: Option<String> = None;
    while !stop.load(Ordering::Relaxed) {
        let page = store.index.uploads(bucket, &query, after.as_deref())?;
        let Some(Entry::Key(key, (id, _))) = page.entries.last() else { return Ok(()) };
        (query.start, after) = (Start::AfterKey(key.clone()), Some(id.clone()));
        let truncated = page.truncated;
        for entry in page.entries {
            let Entry::Key(key, (id, upload)) = entry else { continue };
            if !rules.iter().any(|rule| rule.gives_up(&key, upload.initiated, now)) {
                continue;
            }
            let target = Target { bucket: bucket.to_owned(), key, id };
            let given_up = store.index.abort_upload_if(|tx| in_force(tx, bucket, rules), &target);
            match store.settle(None, given_up.map(|freed| ((), freed))) {
                Ok(()) => swept.aborted += 1,
                // It was completed or aborted meanwhile.
                Err(error) if error.code().as_str() == "NoSuchUpload" => {}
                Err(error) => return Err(error),
            }
        }
        if !truncated {
            return Ok(());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Disk;
    use crate::index::Index;
    use crate::store::lifecycle::{DAY, Filter};

    #[test]
    fn a_rule_that_was_taken_back_deletes_nothing_more() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(Disk::open(folder.path()).unwrap());
        let index = Index::open(&disk.index(), &["b".to_owned()], Arc::clone(&disk.room)).unwrap();
        let store = Store { disk, index, cors: Arc::default() };
        let object = Object {
            size: 0,
            etag: "e".into(),
            modified: 0,
            parts: None,
            checksums: Default::default(),
            description: Default::default(),
            stamp: Default::default(),
        };
        store.index.put("b", "k", object, &[], &Default::default()).unwrap();
        let rule = Rule {
            id: "r".into(),
            enabled: true,
            legacy: false,
            filter: Filter::default(),
            days: Some(1),
            date: None,
            abort: None,
        };
        // Like a sweep that read the rules before they changed.
        let expire = |rules: &[Rule]| {
            let mut swept = Swept::default();
            let done = expire(&store, "b", rules, 9 * DAY, &AtomicBool::new(false), &mut swept);
            (done.is_ok(), swept.expired)
        };
        let (old, new) = ([rule.clone()], [Rule { days: Some(30), ..rule }]);
        store.index.put_subresource("b", Kind::Lifecycle, &new).unwrap();
        assert_eq!(expire(&old), (false, 0));
        store.index.delete_subresource("b", Kind::Lifecycle).unwrap();
        assert_eq!(expire(&old), (false, 0));
        store.index.put_subresource("b", Kind::Lifecycle, &old).unwrap();
        assert_eq!(expire(&old), (true, 1));
    }
}
