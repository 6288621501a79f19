//! Invariants at the end of a run, once nothing fails any more.

use std::collections::BTreeSet;

use modeldepot::advice::Advice;
use modeldepot::{Error, ErrorKind, ModelStorage, Progress, Pull, Selector};
use modeldepot_embedded::Fault;

use crate::actor::{Wish, judge_read, repeat};
use crate::ledger::{Name, chain};
use crate::plan::MODELS;
use crate::world::{World, files_in};

/// Heals the server and checks the bucket against the ledger.
pub(crate) async fn check(world: &World, unfinished: Vec<Wish>) {
    world.heal().await;
    world.ledger.log("healed");
    let storage = world.open().await.unwrap();
    for wish in unfinished {
        if repeat(world, &storage, &wish).await.is_none() {
            world.ledger.broken(format!("nothing is wrong any more, but the {} fails", wish.text()));
        }
    }
    collect(world, &storage).await;
    let visible = visible(world, &storage).await;
    let (owed, deleted) = {
        let book = world.ledger.book();
        (book.owed(), book.deleted.clone())
    };
    for name in owed.difference(&visible) {
        world.ledger.broken(format!("{name} was acknowledged and is gone"));
    }
    for name in deleted.intersection(&visible) {
        world.ledger.broken(format!("{name} was deleted and is there"));
    }
    for name in &visible {
        whole(world, &storage, name).await;
    }
    for name in &deleted {
        retired(world, &storage, name).await;
    }
    cut_pulls(world);
    let flipped = world.faults_hit().iter().any(|hit| hit.fault == Fault::FlipBit);
    let damage = world.ledger.book().damage.clone();
    if !flipped {
        damage.into_iter().for_each(|report| world.ledger.broken(format!("no bit flipped, but {report}")));
    }
}

/// Runs gc. A second plan must find nothing more.
async fn collect(world: &World, storage: &ModelStorage) {
    let collected = async {
        let plan = storage.plan_gc(None, time::Duration::ZERO).await?;
        let collected = storage.gc(&plan).await?;
        Ok::<_, Error>((collected, storage.plan_gc(None, time::Duration::ZERO).await?))
    };
    match collected.await {
        Ok((collected, left)) => {
            world.ledger.log(format!("{collected:?}"));
            if !left.abandoned.is_empty() || !left.deleted.is_empty() {
                world.ledger.broken(format!("gc leaves {:?} {:?}", left.abandoned, left.deleted));
            }
        }
        Err(error) => world.ledger.broken(format!("gc fails: {}", chain(&error))),
    }
}

async fn visible(world: &World, storage: &ModelStorage) -> BTreeSet<Name> {
    let mut visible = BTreeSet::new();
    for model in MODELS {
        match storage.versions(&model.parse().unwrap()).await {
            Ok(versions) => visible.extend(versions.iter().map(|summary| Name::new(model, &summary.version))),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => world.ledger.broken(format!("list fails: {}", chain(&error))),
        }
    }
    visible
}

/// A visible version verifies, and a pull of it returns what was pushed.
async fn whole(world: &World, storage: &ModelStorage, name: &Name) {
    let selector = Selector::new(name.model.parse().unwrap()).version(name.version.clone());
    if let Err(error) = storage.verify(&selector, &Progress::none()).await {
        return world.ledger.broken(format!("{name} is visible and not whole: {}", chain(&error)));
    }
    let folder = world.path(&format!("final-{name}"));
    let pull = Pull::new(selector, folder.clone()).resume(false);
    match storage.pull(&pull, &Progress::none()).await {
        Ok(fetched) => judge_read(world, &fetched.manifest, Some(&folder), "pulled at the end"),
        Err(error) => world.ledger.broken(format!("{name} cannot be pulled: {}", chain(&error))),
    }
}

/// The name of a deleted version is never used again.
async fn retired(world: &World, storage: &ModelStorage, name: &Name) {
    let wish = Wish::late(name);
    match storage.push(wish.request(world), &Progress::none()).await {
        Err(error) if error.advice(None) == Some(Advice::VersionIsRetired) => {}
        other => world.ledger.broken(format!("{name} was deleted and another push of it ends in {other:?}")),
    }
}

/// A killed pull leaves nothing under a final name, or only files of one content; all of them if there is a manifest.
fn cut_pulls(world: &World) {
    for entry in std::fs::read_dir(world.path("")).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.file_name().unwrap().to_str().unwrap().starts_with("pull-") {
            continue;
        }
        let (records, files): (Vec<_>, Vec<_>) =
            files_in(&folder).into_iter().partition(|file| file == "manifest.json");
        let is_of = |content: usize| {
            let names = &world.plan.contents[content].files;
            files.iter().all(|file| {
                names.iter().any(|(name, _)| name == file)
                    && std::fs::read(folder.join(file)).unwrap() == world.bytes_of(content, file)
            }) && (records.is_empty() || files.len() == names.len())
        };
        if !files.is_empty() && !(0..world.plan.contents.len()).any(is_of) {
            world.ledger.broken(format!("`{}` holds what no version is: {files:?}", folder.display()));
        }
    }
}
