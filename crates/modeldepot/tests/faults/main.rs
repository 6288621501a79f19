//! Several clients, a server with planned failures, kills on both sides: everything acknowledged lasts, and nothing
//! else ever passes for a version.
//!
//! Each seed is a separate run. `MODELDEPOT_FAULT_SEEDS` is their number, `MODELDEPOT_FAULT_SEED` runs one of them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "an environment variable names the seeds to run")]

mod actor;
mod check;
mod leases;
mod ledger;
mod plan;
mod reduced;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use modeldepot_embedded::{Fault, FaultHit};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;

use actor::Actor;
use plan::Plan;
use world::World;

/// The number of seeds of a plain `cargo test`.
const SEEDS: u64 = 40;

/// Concurrent runs. A run spends most of its time waiting for the next attempt.
const AT_ONCE: usize = 12;

/// The longest time for a run.
const PATIENCE: Duration = Duration::from_secs(400);

/// The result of a seed.
struct Outcome {
    seed: u64,
    broken: Vec<String>,
    log: Vec<(Instant, String)>,
    hits: Vec<FaultHit>,
    acknowledged: usize,
    /// Reports of damage that was only on the wire.
    damage: Vec<String>,
    took: Duration,
}

async fn run(seed: u64) -> Outcome {
    let began = Instant::now();
    let world = Arc::new(World::begin(Plan::new(seed)).await);
    if timeout(PATIENCE, act(&world)).await.is_err() {
        world.ledger.broken("it does not come to an end");
    }
    let mut book = std::mem::take(&mut *world.ledger.book());
    let (hits, took) = (world.faults_hit(), began.elapsed());
    world.kill().await;
    let (broken, acknowledged, damage) =
        (std::mem::take(&mut book.broken), book.acknowledged.len(), std::mem::take(&mut book.damage));
    Outcome { seed, broken, log: book.into_log(), hits, acknowledged, damage, took }
}

async fn act(world: &Arc<World>) {
    let acts: usize = world.plan.actors.iter().map(Vec::len).sum();
    let (done, half) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let mut actors = JoinSet::new();
    for (index, acts_of_one) in world.plan.actors.clone().into_iter().enumerate() {
        let (done, half) = (Arc::clone(&done), Arc::clone(&half));
        let actor = Actor::begin(Arc::clone(world), index).await;
        actors.spawn(actor.run(acts_of_one, move || {
            if done.fetch_add(1, Ordering::Relaxed) + 1 == acts / 2 {
                half.notify_one();
            }
        }));
    }
    let kill = async {
        half.notified().await;
        world.ledger.log("the server is killed");
        world.kill().await;
        tokio::time::sleep(world.plan.away).await;
        world.start(Some(world.plan.faults(1))).await;
        world.ledger.log("the server is back");
    };
    let ((), unfinished) = tokio::join!(kill, actors.join_all());
    check::check(world, unfinished.into_iter().flatten().collect()).await;
}

/// Describes what broke, and how to reproduce it.
fn summary(outcome: &Outcome) -> String {
    let seed = outcome.seed;
    let mut text = format!("seed {seed}: MODELDEPOT_FAULT_SEED={seed} cargo test -p modeldepot --test faults\n");
    outcome.broken.iter().for_each(|broken| text.push_str(&format!("  {broken}\n")));
    text
}

/// Describes everything that happened, and which failures were planned.
fn history(outcome: &Outcome) -> String {
    let mut events = outcome.log.clone();
    events.extend(outcome.hits.iter().map(|hit| (hit.at, format!("    {:?}: {}", hit.fault, hit.request))));
    events.sort_by_key(|(at, _)| *at);
    let began = events.first().map_or_else(Instant::now, |(at, _)| *at);
    let line = |(at, event): (Instant, String)| format!("{:>6} ms  {event}\n", (at - began).as_millis());
    events.into_iter().map(line).collect()
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is `{text}`, not a number")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_acknowledged_stands_whatever_fails() {
    let seeds = match number("MODELDEPOT_FAULT_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("MODELDEPOT_FAULT_SEEDS").unwrap_or(SEEDS),
    };
    let began = Instant::now();
    let (turns, mut runs) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    for seed in seeds.clone() {
        let turns = Arc::clone(&turns);
        runs.spawn(async move {
            let _turn = turns.acquire_owned().await.unwrap();
            run(seed).await
        });
    }
    let mut outcomes = runs.join_all().await;
    outcomes.sort_by_key(|outcome| outcome.seed);

    let mut hits: BTreeMap<Fault, usize> = BTreeMap::new();
    outcomes.iter().flat_map(|outcome| &outcome.hits).for_each(|hit| *hits.entry(hit.fault).or_default() += 1);
    let acknowledged: usize = outcomes.iter().map(|outcome| outcome.acknowledged).sum();
    let damage: Vec<_> = outcomes.iter().flat_map(|outcome| &outcome.damage).collect();
    let longest = outcomes.iter().max_by_key(|outcome| outcome.took).unwrap();
    println!(
        "{} seeds in {:.1?}, the longest {} in {:.1?}; {acknowledged} versions acknowledged; faults: \
         {hits:?}; reports of damage that was only on the wire: {damage:#?}",
        outcomes.len(),
        began.elapsed(),
        longest.seed,
        longest.took
    );
    let broken: Vec<_> = outcomes.iter().filter(|outcome| !outcome.broken.is_empty()).collect();
    if let Some(first) = broken.first() {
        let all: String = broken.iter().map(|outcome| summary(outcome)).collect();
        let (count, seed, history) = (broken.len(), first.seed, history(first));
        panic!("{count} of {} seeds broke.\n\n{all}\nWhat happened with seed {seed}:\n{history}", outcomes.len());
    }
    if outcomes.len() as u64 >= SEEDS {
        assert!(acknowledged > outcomes.len(), "too little was published to mean anything");
        assert_eq!(hits.len(), 9, "not every fault happened: {hits:?}");
    }
}
