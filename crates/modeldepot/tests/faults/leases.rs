//! A lease that was not acquired is withdrawn, whatever the reason.

use std::time::Duration;

use modeldepot::{ErrorKind, Progress, settled};
use modeldepot_embedded::{Fault, Faults};

use crate::actor::Wish;
use crate::reduced::{failing_at, push};
use crate::world::World;

/// The requests that acquire a lease, of which the first writes it.
const PUT: &str = "PUT /models/.depot/leases/m/1/";
const LISTING: &str = "prefix=.depot%2Fleases%2Fm%2F1%2F";

async fn leases(world: &World) -> Vec<String> {
    world.heal().await;
    settled().await;
    let storage = world.open().await.unwrap();
    let listed = storage.client().list_objects(storage.bucket(), ".depot/leases/").await.unwrap();
    listed.into_iter().map(|lease| lease.key).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_after_the_lease_was_put() {
    for conditions in [true, false] {
        for fault in [Fault::InternalError, Fault::DropBefore, Fault::DropAfter] {
            let (world, storage) = failing_at(Faults::new(1).with(fault, 1.0).only(LISTING), !conditions).await;
            let failed = push(&world, &storage, Some("1"), 0).await.unwrap_err();
            assert_eq!(failed.kind(), ErrorKind::Unavailable, "{failed:?}");
            assert!(!world.faults_hit().is_empty());
            assert_eq!(leases(&world).await, [""; 0], "{fault:?}, conditions {conditions}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_whose_answer_is_lost() {
    let (world, storage) = failing_at(Faults::new(1).with(Fault::DropAfter, 1.0).only(PUT), false).await;
    let failed = push(&world, &storage, Some("1"), 0).await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Unavailable, "{failed:?}");
    assert_eq!(leases(&world).await, [""; 0]);
}

/// A push that is dropped while it acquires its lease, at the first or the last request, as by Ctrl-C or by a client
/// that disconnects from a service.
#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_is_dropped_while_it_takes_its_lease() {
    for (held_up, conditions) in [(PUT, true), (LISTING, true), (PUT, false), (LISTING, false)] {
        for after in [20, 80, 200] {
            // Long enough to hold up the push on a busy machine too. A dropped listing is not waited for.
            let longest = Duration::from_secs(if held_up == PUT { 3 } else { 20 });
            let slow = Faults::new(1).with(Fault::Delay, 1.0).only(held_up).longest_delay(longest);
            let (world, storage) = failing_at(slow, !conditions).await;
            let wish = Wish { model: "m", version: Some("1".to_owned()), content: 0, second: 0, machine: 0 };
            let mut request = wish.request(&world);
            request.state_folder = None;
            let pushing = tokio::spawn(async move { storage.push(request, &Progress::none()).await });
            tokio::time::sleep(Duration::from_millis(after)).await;
            pushing.abort();
            let dropped = pushing.await.is_err();
            let left = leases(&world).await;
            assert_eq!(left, [""; 0], "{held_up} after {after} ms, conditions {conditions}, dropped {dropped}");
        }
    }
}

/// The lease of a killed contender is never withdrawn. The others must not fail because of it.
#[tokio::test(flavor = "multi_thread")]
async fn the_lowest_outwaits_a_contender_that_withdraws_late() {
    let (world, storage) = failing_at(Faults::new(1), true).await;
    let (client, bucket) = (storage.client().clone(), storage.bucket().clone());
    let late = ".depot/leases/m/1/ffffffff-ffff-7fff-bfff-ffffffffffff.json";
    let record = r#"{"tool": "another", "begun": "", "at_work": false}"#;
    client.put_small(&bucket, late, record.into(), "application/json").await.unwrap();
    let withdraw = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(35)).await;
        client.delete_object(&bucket, late).await.unwrap();
    });
    push(&world, &storage, Some("1"), 0).await.unwrap();
    withdraw.await.unwrap();
    assert_eq!(leases(&world).await, [""; 0]);
}
