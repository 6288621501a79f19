//! The plan that a seed determines: how the server fails, and what each actor does.

use std::time::Duration;

use fastrand::Rng;
use modeldepot_embedded::{Fault, Faults};

/// The models that all actors use.
pub(crate) const MODELS: [&str; 2] = ["m", "n"];

/// The versions that several actors may push, with different contents.
const CONTESTED: [&str; 3] = ["1", "2", "3"];

/// The contents of a version. One pair of contents has files of the same sizes, so that sizes reveal nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) files: Vec<(&'static str, usize)>,
}

/// An action of an actor.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Push { model: &'static str, version: Option<String>, content: usize, second: i64, cut: Option<Duration> },
    Pull { model: &'static str, version: Wanted, cut: Option<Duration> },
    Verify { model: &'static str, version: Wanted },
    List { model: &'static str },
    Delete { model: &'static str, version: Wanted, cut: Option<Duration> },
    Collect,
}

/// The version of an action.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    Latest,
    Named(&'static str),
    /// One of those acknowledged so far.
    Acknowledged(usize),
}

/// Everything that follows from a seed.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) ignore_conditions: bool,
    /// Whether the server also fails while it is probed.
    pub(crate) probed_under_faults: bool,
    /// Whether the server is restarted at the end, and not only healed.
    pub(crate) restarted_at_the_end: bool,
    /// How long the server is down in the middle.
    pub(crate) away: Duration,
    pub(crate) contents: Vec<Content>,
    pub(crate) actors: Vec<Vec<Act>>,
}

impl Plan {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let ignore_conditions = seed % 2 == 1;
        let contents = contents(&mut rng);
        let actors = (0..rng.usize(3..=4)).map(|actor| acts(&mut rng, actor, contents.len(), ignore_conditions));
        let mut actors: Vec<Vec<Act>> = actors.collect();
        pushes_of_the_large(&mut rng, &mut actors, ignore_conditions);
        Self {
            seed,
            ignore_conditions,
            probed_under_faults: rng.u8(0..8) == 0,
            restarted_at_the_end: rng.bool(),
            away: Duration::from_millis(rng.u64(0..120)),
            contents,
            actors,
        }
    }

    /// How the server fails before (0) and after (1) it is killed.
    pub(crate) fn faults(&self, life: u64) -> Faults {
        let plan = Faults::new(self.seed * 2 + life)
            .with(Fault::DropBefore, 0.01)
            .with(Fault::DropAfter, 0.025)
            .with(Fault::CutBody, 0.02)
            .with(Fault::FlipBit, 0.03)
            .with(Fault::InternalError, 0.007)
            .with(Fault::Unavailable, 0.005)
            .with(Fault::SlowDown, 0.005)
            .with(Fault::Conflict, 0.08);
        // Without conditional writes only the leases keep pushers apart, which is guaranteed only if they do not stall.
        // A short delay is not a stall, but would test nothing.
        if self.ignore_conditions { plan } else { plan.with(Fault::Delay, 0.03) }
    }
}

/// The first is large and uploaded in parts.
fn contents(rng: &mut Rng) -> Vec<Content> {
    let mut contents = vec![Content { files: vec![("h.json", 700), ("m.bin", rng.usize(9 << 20..14 << 20))] }];
    for _ in 0..3 {
        let mut files = vec![("h.json", rng.usize(1..3000)), ("m.bin", rng.usize(0..60_000))];
        if rng.bool() {
            files.push(("sub/words.txt", rng.usize(1..2000)));
        }
        let pair = Content { files };
        contents.extend([pair.clone(), pair]);
    }
    contents
}

fn acts(rng: &mut Rng, actor: usize, contents: usize, ignore_conditions: bool) -> Vec<Act> {
    let count = rng.usize(3..=6);
    (0..count).map(|n| act(rng, actor * 100 + n, contents, ignore_conditions)).collect()
}

fn act(rng: &mut Rng, unique: usize, contents: usize, ignore_conditions: bool) -> Act {
    let model = MODELS[usize::from(rng.u8(0..4) == 0)];
    let cut = |rng: &mut Rng| (rng.u8(0..4) == 0).then(|| Duration::from_millis(rng.u64(0..150)));
    let wanted = |rng: &mut Rng| match rng.u8(0..4) {
        0 => Wanted::Latest,
        1 => Wanted::Named(CONTESTED[rng.usize(0..3)]),
        _ => Wanted::Acknowledged(rng.usize(0..100)),
    };
    match rng.u8(0..20) {
        0..10 => {
            let cut = cut(rng);
            let content = rng.usize(1..contents);
            // An interrupted push leaves a lease that keeps others waiting for minutes, but not its own repetition. So
            // such an actor mostly has a version to itself.
            let own = cut.is_some() && (ignore_conditions || rng.u8(0..3) > 0);
            let (version, second) = match (rng.bool(), own) {
                (true, true) => (Some(format!("own-{unique}")), 0),
                (true, false) => (Some(CONTESTED[rng.usize(0..3)].to_owned()), unique as i64),
                (false, true) => (None, 1000 + unique as i64),
                (false, false) => (None, rng.i64(0..4)),
            };
            Act::Push { model, version, content, second, cut }
        }
        10..13 => Act::Pull { model, version: wanted(rng), cut: cut(rng) },
        13..15 => Act::Verify { model, version: wanted(rng) },
        15..17 => Act::List { model },
        17..19 => {
            let version = match wanted(rng) {
                Wanted::Latest => Wanted::Named("1"),
                version => version,
            };
            Act::Delete { model, version, cut: cut(rng) }
        }
        _ => Act::Collect,
    }
}

/// Adds a push of the large content under its own version, interrupted half of the time, and for every other seed one
/// under a contested version.
fn pushes_of_the_large(rng: &mut Rng, actors: &mut [Vec<Act>], ignore_conditions: bool) {
    let cut = rng.bool().then(|| Duration::from_millis(rng.u64(20..400)));
    let version = rng.bool().then(|| "large".to_owned());
    let at = rng.usize(0..actors.len());
    actors[at].insert(0, Act::Push { model: "m", version, content: 0, second: 5000, cut });
    if rng.bool() && !ignore_conditions {
        let at = rng.usize(0..actors.len());
        let version = Some(CONTESTED[rng.usize(0..3)].to_owned());
        actors[at].push(Act::Push { model: "m", version, content: 0, second: 900, cut: None });
    }
}

/// Bytes that no two offsets or seeds share, so that a misplaced or missing part shows.
pub(crate) fn bytes(len: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}
