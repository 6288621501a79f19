//! Leases against a server whose clock and whose other clients are the test.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::store::decide::Count;
use crate::store::test_server::{Act, START, TestServer};
use crate::task::settled;

/// The name of our push; others sort before and after it.
const OURS: u128 = 500;

const LEASES: &str = ".depot/leases/m/1/";

/// Longer than any of these tests takes.
const NEVER: Duration = Duration::from_secs(40);

fn model() -> ModelName {
    "m".parse().unwrap()
}

fn version() -> Version {
    "1".parse().unwrap()
}

fn key(id: u128) -> String {
    ObjectKey::Lease(model(), version(), Uuid::from_u128(id)).to_string()
}

fn request(conditions: bool) -> LeaseRequest<'static> {
    LeaseRequest {
        id: Uuid::from_u128(OURS),
        tool: "trainer 1.0",
        begun: START - time::Duration::HOUR,
        resumed: false,
        patient: true,
        conditions,
    }
}

fn record(tool: &str, at_work: bool) -> Vec<u8> {
    format!(r#"{{"tool": "{tool}", "begun": "then", "at_work": {at_work}}}"#).into()
}

/// A server, and a storage that waits for nobody, renews nothing and gives up nothing, unless a test changes that.
async fn server(conditions: bool) -> (TestServer, ModelStorage) {
    let server = TestServer::start().await;
    let mut storage = server.storage(conditions).await;
    storage.times = super::super::times::Times {
        renewed_every: NEVER,
        short_wait: NEVER,
        long_wait: NEVER,
        unreadable: NEVER,
        create_again: Duration::ZERO,
        cleaning: NEVER,
    };
    (server, storage)
}

async fn acquire(storage: &ModelStorage, request: &LeaseRequest<'_>) -> Acquired {
    storage.acquire(&model(), &version(), request).await.unwrap()
}

async fn alone(storage: &ModelStorage, conditions: bool) -> Lease {
    match acquire(storage, &request(conditions)).await {
        Acquired::Alone(lease) => *lease,
        Acquired::Busy { by, .. } => panic!("busy by {by}"),
    }
}

fn busy(acquired: Acquired) -> (String, String, u32) {
    match acquired {
        Acquired::Busy { by, since, rank } => (by, since, rank),
        Acquired::Alone(_) => panic!("not busy"),
    }
}

async fn count(storage: &ModelStorage, lease: &Lease, conditions: bool) -> Count {
    storage.count(lease, &model(), &version(), conditions, (Instant::now(), &mut Read::default())).await.unwrap()
}

#[tokio::test]
async fn a_lease_says_who_works_and_since_when() {
    let (server, storage) = server(true).await;
    let _lease = alone(&storage, true).await;
    let says = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap_or_default();
    let begun = (START - time::Duration::HOUR).format(&Rfc3339).unwrap();
    let expected = serde_json::json!({"tool": "trainer 1.0", "begun": begun, "at_work": true});
    server.until("its record says that work has begun", |bucket| says(&bucket.text(&key(OURS))) == expected).await;
}

#[tokio::test]
async fn a_lease_is_renewed_while_it_is_held() {
    let (server, mut storage) = server(false).await;
    storage.times.renewed_every = Duration::from_millis(2);
    let lease = alone(&storage, false).await;
    for _ in 0..8 {
        server.passes(100);
        server.until("the lease is renewed", |bucket| bucket.objects[&key(OURS)].modified == Some(bucket.now)).await;
        assert_eq!(count(&storage, &lease, false).await, Count::Publish);
    }
    // A busy server costs a renewal, not the lease.
    for refused in ["PUT", "HEAD"] {
        server.play(move |asked, bucket| match asked.starts_with(refused) && asked.ends_with(&key(OURS)) {
            true if bucket.now > START => {
                bucket.now = START;
                Act::Refuse(403, "AccessDenied")
            }
            _ => Act::Serve,
        });
        server.passes(1000);
        server.until("a renewal is refused", |bucket| bucket.now == START).await;
        server.passes(200);
        server.play(|_, _| Act::Serve);
        server.until("the next one is not", |bucket| bucket.objects[&key(OURS)].modified == Some(bucket.now)).await;
    }
    assert_eq!(count(&storage, &lease, false).await, Count::Publish);
}

#[tokio::test]
async fn a_contender_renews_its_lease_while_it_waits() {
    for often in [true, false] {
        let (server, mut storage) = server(false).await;
        storage.times.renewed_every = if often { Duration::from_millis(1) } else { NEVER };
        server.bucket().put(&key(900), &record("other", false));
        let waiting = tokio::spawn(async move { acquire(&storage, &request(false)).await });
        match often {
            true => {
                server.until("it lists the leases", |bucket| bucket.count(&format!("LIST {LEASES}")) > 0).await;
                server.passes(250);
                server.until("it renews", |bucket| bucket.objects[&key(OURS)].modified == Some(bucket.now)).await;
            }
            false => server.until("it looks again", |bucket| bucket.count(&format!("LIST {LEASES}")) > 3).await,
        }
        let renewed = server.bucket().count(&format!("PUT {}", key(OURS)));
        assert!(often || renewed == 1, "renewed {renewed} times without need");
        server.bucket().objects.remove(&key(900));
        assert!(matches!(waiting.await.unwrap(), Acquired::Alone(_)), "once the other has withdrawn");
    }
}

#[tokio::test]
async fn a_lease_is_withdrawn_on_drop_and_never_brought_back() {
    for (drops, renewing) in [(true, true), (true, false), (false, true), (false, false)] {
        let (server, mut storage) = server(true).await;
        storage.times.renewed_every = Duration::from_millis(1);
        let lease = alone(&storage, true).await;
        server.until("the lease is renewed", |bucket| bucket.count(&format!("PUT {}", key(OURS))) > 3).await;
        let (released, held) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
        let (release, hold) = (Arc::clone(&released), Arc::clone(&held));
        if renewing {
            // One renewal is on its way, and arrives late.
            server.play(move |asked, _| match asked == format!("PUT {}", key(OURS)) {
                true if !hold.swap(true, Ordering::SeqCst) => Act::Hold(Arc::clone(&release)),
                _ => Act::Serve,
            });
            server.until("a renewal is on its way", |_| held.load(Ordering::SeqCst)).await;
        }
        let late = tokio::spawn(async move {
            tokio::task::yield_now().await;
            released.notify_one();
        });
        match drops {
            true => drop(lease),
            false => storage.withdraw(lease).await,
        }
        late.await.unwrap();
        settled().await;
        assert_eq!(server.bucket().keys(), [""; 0], "dropped {drops}, renewing {renewing}");
        let puts = server.bucket().count("PUT");
        storage.depot.any_object(&storage.bucket, "").await.unwrap();
        assert_eq!(server.bucket().count("PUT"), puts, "nobody renews it");
    }
}

#[tokio::test]
async fn a_lease_under_which_something_was_sent_stays_on_drop() {
    let (server, storage) = server(false).await;
    let lease = alone(&storage, false).await;
    lease.sends();
    drop(lease);
    settled().await;
    assert_eq!(server.bucket().keys(), [key(OURS)]);
    // It is withdrawn when the push says so.
    let (server, storage) = self::server(false).await;
    let lease = alone(&storage, false).await;
    lease.sends();
    storage.withdraw(lease).await;
    assert_eq!(server.bucket().keys(), [""; 0]);
}

/// Something of an earlier run may still be on its way, but only as long as its lease exists.
#[tokio::test]
async fn the_lease_of_a_resumed_push_stays_where_nothing_else_protects() {
    for (conditions, resumed, existed) in [
        (false, true, true),
        (false, true, false),
        (false, false, true),
        (true, true, true),
        (true, true, false),
        (true, false, false),
    ] {
        let (server, storage) = server(conditions).await;
        server.bucket().put(&key(1), &record("another", true));
        if existed {
            server.bucket().put(&key(OURS), &record("trainer 1.0", true));
        }
        let (by, ..) = busy(acquire(&storage, &LeaseRequest { resumed, ..request(conditions) }).await);
        assert_eq!(by, "another");
        settled().await;
        let stays = server.bucket().keys().contains(&key(OURS).as_str());
        let expected = !conditions && resumed && existed;
        assert_eq!(stays, expected, "conditions {conditions}, resumed {resumed}, existed {existed}");
    }
}

#[tokio::test]
async fn a_removed_lease_is_noticed_even_if_it_comes_back() {
    for conditions in [true, false] {
        let (server, mut storage) = server(conditions).await;
        storage.times.renewed_every = Duration::from_millis(2);
        let lease = alone(&storage, conditions).await;
        server.until("the lease is renewed", |bucket| bucket.count(&format!("PUT {}", key(OURS))) > 2).await;
        // Removed just before it is renewed. The renewal does not bring it back.
        server.play(|asked, bucket| {
            if asked == format!("HEAD {}", key(OURS)) {
                bucket.objects.remove(&key(OURS));
            }
            Act::Serve
        });
        server.until("the lease is removed", |bucket| bucket.objects.is_empty()).await;
        while !lease.writing.as_ref().unwrap().is_finished() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(server.bucket().keys(), [""; 0]);
        assert_eq!(count(&storage, &lease, conditions).await, Count::Fail);
        // A request that was on its way arrives, after another push has had the version.
        server.play(|_, _| Act::Serve);
        server.bucket().put(&key(OURS), &record("trainer 1.0", true));
        assert_eq!(count(&storage, &lease, conditions).await, Count::Fail);
    }
}

/// Without conditional writes; with them, only a lease that is gone means that another may work.
#[tokio::test]
async fn a_push_whose_lease_is_old_gives_up() {
    for (conditions, held, beside) in [
        (false, true, false),
        (true, true, false),
        (false, false, false),
        (true, false, false),
        (false, false, true),
        (true, false, true),
    ] {
        let (server, storage) = server(conditions).await;
        if beside {
            // A dead one.
            server.bucket().put(&key(1), &record("silent", true));
            server.passes(700);
        }
        let old = |asked: &str, bucket: &mut crate::store::test_server::Bucket| {
            if asked.starts_with("LIST") {
                bucket.now += time::Duration::seconds(301);
            }
            Act::Serve
        };
        if held {
            let lease = alone(&storage, conditions).await;
            server.until("it is held", |bucket| bucket.text(&key(OURS)).contains("true")).await;
            server.play(old);
            let expected = if conditions { Count::Publish } else { Count::Fail };
            assert_eq!(count(&storage, &lease, conditions).await, expected, "conditions {conditions}");
        } else {
            server.play(old);
            let acquired = acquire(&storage, &request(conditions)).await;
            assert_eq!(matches!(acquired, Acquired::Alone(_)), conditions);
        }
    }
}

#[tokio::test]
async fn the_lease_of_a_push_that_went_silent_is_taken_over() {
    for conditions in [true, false] {
        for (age, taken) in [(601, true), (599, false)] {
            let (server, storage) = server(conditions).await;
            server.bucket().put(&key(1), &record("silent", true));
            server.passes(age);
            let acquired = acquire(&storage, &request(conditions)).await;
            assert_eq!(matches!(acquired, Acquired::Alone(_)), taken, "conditions {conditions}, {age} seconds");
            assert_eq!(server.bucket().keys().contains(&key(1).as_str()), !taken);
        }
    }
}

#[tokio::test]
async fn a_busy_version_names_who_has_it() {
    let since = START.format(&Rfc3339).unwrap();
    let long = "x".repeat(30_000);
    for (id, body, by, expected, rank) in [
        (1, record("other", true), "other", "then", 1),
        (1, record("other", false), "other", "then", 1),
        (900, record("other", true), "other", "then", 1),
        (1, record(&long, true), &long, "then", 1),
        (1, b"no record".to_vec(), "another", &since, 1),
        (1, record(&"x".repeat(70_000), true), "another", &since, 1),
    ] {
        let (server, storage) = server(true).await;
        server.bucket().put(&key(id), &body);
        let found = busy(acquire(&storage, &request(true)).await);
        assert_eq!((found.0.as_str(), found.1.as_str(), found.2), (by, expected, rank));
        assert_eq!(server.bucket().keys(), [key(id)], "ours is withdrawn");
    }
    let (server, storage) = server(true).await;
    for id in [1, 2, 3, 900] {
        server.bucket().put(&key(id), &record(&format!("push {id}"), true));
    }
    let (by, _, rank) = busy(acquire(&storage, &request(true)).await);
    assert_eq!((by.as_str(), rank), ("push 1", 3), "the first, and how many come before us");
}

/// Of two contenders the lowest waits, but not if the other has started work meanwhile.
#[tokio::test]
async fn a_contender_that_starts_work_is_noticed() {
    let (server, storage) = server(false).await;
    for id in [800, 900] {
        server.bucket().put(&key(id), &record("contender", false));
    }
    let waiting = tokio::spawn(async move { acquire(&storage, &request(false)).await });
    let look = format!("LIST {LEASES}");
    server.until("it has looked twice", |bucket| bucket.count(&look) > 2).await;
    let read = format!("GET {LEASES}");
    assert_eq!(server.bucket().count(&read), 2, "what was read is not read again");
    server.bucket().put(&key(900), &record("worker", true));
    assert_eq!(busy(waiting.await.unwrap()).0, "worker");
}

/// The record of a lease may be empty while it is replaced.
#[tokio::test]
async fn an_unreadable_lease_counts_as_a_contenders_for_a_while() {
    for soon in [true, false] {
        let (server, mut storage) = server(false).await;
        storage.times.unreadable = if soon { Duration::ZERO } else { NEVER };
        server.bucket().put(&key(900), b"");
        let waiting = tokio::spawn(async move { acquire(&storage, &request(false)).await });
        if !soon {
            let look = format!("LIST {LEASES}");
            server.until("it looks again", |bucket| bucket.count(&look) > 2).await;
            server.bucket().objects.remove(&key(900));
        }
        let acquired = waiting.await.unwrap();
        assert_eq!(matches!(acquired, Acquired::Alone(_)), !soon);
        if soon {
            assert_eq!(busy(acquired), ("another".to_owned(), START.format(&Rfc3339).unwrap(), 1));
        }
    }
}

/// What the lowest contender does when its patience ends, and how long that takes.
#[tokio::test]
async fn the_lowest_contender_waits_as_long_as_it_must() {
    for (conditions, patient) in [(false, true), (false, false), (true, true), (true, false)] {
        for (short, long) in [(true, false), (false, true)] {
            let (server, mut storage) = server(conditions).await;
            let wait = |over: bool| if over { Duration::ZERO } else { NEVER };
            (storage.times.short_wait, storage.times.long_wait) = (wait(short), wait(long));
            server.bucket().put(&key(900), &record("contender", false));
            let waiting =
                tokio::spawn(async move { acquire(&storage, &LeaseRequest { patient, ..request(conditions) }).await });
            // Only a push that needs this version and nothing else waits until even a dead contender's lease is stale.
            let over = if patient && !conditions { long } else { short };
            if !over {
                let look = format!("LIST {LEASES}");
                server.until("it looks again", |bucket| bucket.count(&look) > 1).await;
                server.bucket().objects.remove(&key(900));
            }
            let acquired = waiting.await.unwrap();
            let works = !over || conditions;
            assert_eq!(matches!(acquired, Acquired::Alone(_)), works, "{conditions} {patient} {over}");
        }
    }
}

#[tokio::test]
async fn before_it_publishes_a_push_waits_for_contenders_and_yields_to_the_lowest_worker() {
    for (conditions, id, at_work, expected) in [
        (false, 1, false, Count::Wait),
        (false, 1, true, Count::Fail),
        (false, 900, false, Count::Wait),
        (false, 900, true, Count::Wait),
        (true, 1, true, Count::Publish),
        (true, 900, false, Count::Publish),
    ] {
        let (server, mut storage) = server(conditions).await;
        let lease = alone(&storage, conditions).await;
        server.bucket().put(&key(id), &record("other", at_work));
        assert_eq!(count(&storage, &lease, conditions).await, expected, "{conditions} {id} {at_work}");
        storage.times.long_wait = Duration::ZERO;
        let expected = if conditions { Count::Publish } else { Count::Fail };
        assert_eq!(count(&storage, &lease, conditions).await, expected, "when the wait is over");
    }
}
