//! Single faults, each where it once did harm or would do the most harm.

use std::time::Duration;

use modeldepot::advice::Advice;
use modeldepot::{Error, Mismatch, ModelStorage, Progress, Published, Pull, Result, Selector};
use modeldepot_embedded::{Fault, Faults};

use crate::actor::Wish;
use crate::plan::{Content, Plan};
use crate::world::World;

/// A server that was probed, and now fails by this plan.
pub(crate) async fn failing(faults: Faults) -> (World, ModelStorage) {
    failing_at(faults, false).await
}

/// Like [`failing`], on a server that ignores conditions or not.
pub(crate) async fn failing_at(faults: Faults, ignore_conditions: bool) -> (World, ModelStorage) {
    let content = Content { files: vec![("h.json", 100), ("m.bin", 50_000)] };
    let plan = Plan {
        seed: 0,
        ignore_conditions,
        probed_under_faults: false,
        restarted_at_the_end: false,
        away: Duration::ZERO,
        contents: vec![content.clone(), content],
        actors: Vec::new(),
    };
    let world = World::begin(plan).await;
    world.kill().await;
    world.start(Some(faults)).await;
    let storage = world.open().await.unwrap();
    (world, storage)
}

/// A plan in which one fault affects requests of this kind, the first time that they are seen.
fn first(fault: Fault, request: &str) -> Faults {
    Faults::new(1).with(fault, 1.0).only(request).times(1)
}

pub(crate) async fn push(
    world: &World,
    storage: &ModelStorage,
    version: Option<&str>,
    content: usize,
) -> Result<Published> {
    let version = version.map(str::to_owned);
    let wish = Wish { model: "m", version, content, second: 0, machine: 0 };
    let mut request = wish.request(world);
    request.state_folder = None;
    storage.push(request, &Progress::none()).await
}

fn hits(world: &World, fault: Fault) -> usize {
    world.faults_hit().into_iter().filter(|hit| hit.fault == fault).count()
}

fn m1() -> Selector {
    "m@1".parse().unwrap()
}

#[tokio::test]
async fn a_manifest_whose_answer_is_lost_is_known_as_ones_own() {
    let (world, storage) = failing(first(Fault::DropAfter, "PUT /models/m/v1/manifest.json")).await;
    assert!(!push(&world, &storage, Some("1"), 0).await.unwrap().already);
    assert_eq!(hits(&world, Fault::DropAfter), 1);
    storage.verify(&m1(), &Progress::none()).await.unwrap();
}

#[tokio::test]
async fn a_manifest_that_was_lost_on_its_way_is_not_taken_for_published() {
    let (world, storage) = failing(first(Fault::DropBefore, "PUT /models/m/v1/manifest.json")).await;
    let lost = push(&world, &storage, Some("1"), 0).await.unwrap_err();
    assert!(lost.to_string().starts_with("cannot reach"), "{lost:?}");
    push(&world, &storage, Some("1"), 0).await.unwrap();
}

#[tokio::test]
async fn a_create_that_is_not_decided_is_no_sign_of_others() {
    let (world, storage) = failing(first(Fault::Conflict, "PUT /models/m/v1/")).await;
    push(&world, &storage, Some("1"), 0).await.unwrap();
    assert_eq!(hits(&world, Fault::Conflict), 3, "two files and the manifest");
}

#[tokio::test]
async fn a_tombstone_that_is_not_decided_is_written_all_the_same() {
    let (world, storage) = failing(first(Fault::Conflict, "PUT /models/.depot/tombstones/")).await;
    push(&world, &storage, Some("1"), 0).await.unwrap();
    storage.delete(&"m".parse().unwrap(), &"1".parse().unwrap()).await.unwrap();
    assert_eq!(hits(&world, Fault::Conflict), 1);
    let again = push(&world, &storage, Some("1"), 1).await.unwrap_err();
    assert!(matches!(again.advice(None), Some(Advice::VersionIsRetired)), "{again:?}");
}

#[tokio::test]
async fn automatic_pushes_of_the_same_content_get_a_version_each() {
    // One lease is delayed until the other push is done with the same second.
    let delay = first(Fault::Delay, "PUT /models/.depot/leases/m/").longest_delay(Duration::from_secs(2));
    let (world, storage) = failing(delay).await;
    let other = world.open().await.unwrap();
    let (one, two) = tokio::join!(push(&world, &storage, None, 0), push(&world, &other, None, 0));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert!(!one.already && !two.already);
    assert_ne!(one.manifest.version, two.manifest.version);
}

#[tokio::test]
async fn what_was_damaged_on_its_way_is_whole_the_second_time() {
    for fault in [Fault::FlipBit, Fault::CutBody] {
        let (world, storage) = failing(Faults::new(1)).await;
        push(&world, &storage, Some("1"), 0).await.unwrap();
        world.kill().await;
        world.start(Some(first(fault, "GET /models/m/v1/"))).await;
        storage.verify(&m1(), &Progress::none()).await.unwrap();
        match fault {
            Fault::FlipBit => assert_eq!(hits(&world, fault), 3, "two files and the manifest"),
            // The missing rest of a range is a new request, and is truncated again.
            _ => assert!(hits(&world, fault) >= 3),
        }
    }
}

#[tokio::test]
async fn what_stays_damaged_is_never_put_in_place() {
    let (world, storage) = failing(Faults::new(1).with(Fault::FlipBit, 1.0).only("GET /models/m/v1/m.bin")).await;
    push(&world, &storage, Some("1"), 0).await.unwrap();
    let pull = Pull::new(m1(), world.path("out")).resume(false);
    let damaged = storage.pull(&pull, &Progress::none()).await.unwrap_err();
    assert!(matches!(damaged, Error::Damaged { mismatch: Mismatch::Digest { .. }, .. }), "{damaged:?}");
    assert!(!world.path("out").exists());
    world.heal().await;
    storage.pull(&pull, &Progress::none()).await.unwrap();
    assert_eq!(world.differs(&world.path("out"), 0), None);
}
