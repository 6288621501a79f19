//! A small fuzzer for ordinary tests: `cargo xtask fuzz` runs it for longer.
//!
//! It randomly changes the inputs in `fuzz/corpus/TARGET`, and keeps those with a new outcome: a target describes the
//! outcome of an input in a few words, and an input with new words is worth changing further. That tells less than
//! coverage, but needs no nightly compiler and no instrumented build.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "a test, which says what it did")]
#![allow(clippy::disallowed_methods, reason = "`cargo xtask fuzz` gives the time in the environment")]

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The number of inputs in an ordinary test run.
const INPUTS: usize = 2000;

/// Larger inputs are truncated.
const LARGEST: usize = 32 * 1024;

/// Bytes and words that are hard for many parsers.
const WORDS: [&str; 26] = [
    "\0",
    "\r\n",
    "\n",
    "\r\n\r\n",
    "--",
    "\"",
    "'",
    "\\",
    "%",
    "%2B",
    "%zz",
    "..",
    "/",
    "=",
    ";",
    ":",
    "{",
    "}",
    "[",
    "],",
    "-1",
    "18446744073709551616",
    "1e999",
    "\u{feff}",
    "\u{202e}",
    "\u{fffe}",
];

/// Runs a check on every input of the corpus, then on as many others as there is time for. A check panics when an
/// invariant is broken, and otherwise describes the outcome in a few words.
pub(crate) fn fuzz(target: &str, check: impl Fn(&[u8]) -> String) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "nothing to begin with in {}", corpus.display());
    let mut pool: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    let mut seen = BTreeSet::new();
    for input in &pool {
        seen.insert(outcome(target, input, &check));
    }
    let seconds = std::env::var("MODELDEPOT_FUZZ_SECONDS").ok().map(|text| text.parse().unwrap());
    let until = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    // The same inputs every time, unless there is time for more.
    let mut random = Random(until.map_or(1, |_| u64::from(std::process::id()) << 20 | 1));
    let mut tried = 0;
    while until.map_or(tried < INPUTS, |until| Instant::now() < until) {
        let input = changed(&pool, &mut random);
        if seen.insert(outcome(target, &input, &check)) && pool.len() < 4096 {
            pool.push(input);
        }
        tried += 1;
    }
    println!("{target}: {tried} inputs, {} outcomes", seen.len());
}

/// Returns the outcome of an input; one that breaks the check is stored and reported.
fn outcome(target: &str, input: &[u8], check: &impl Fn(&[u8]) -> String) -> String {
    match catch_unwind(AssertUnwindSafe(|| check(input))) {
        // Numbers and names would make every outcome a new one.
        Ok(said) => said.split('`').step_by(2).flat_map(str::chars).filter(|c| !c.is_ascii_digit()).take(200).collect(),
        Err(panic) => {
            let hash = input
                .iter()
                .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/fuzz");
            std::fs::create_dir_all(&folder).unwrap();
            let kept = folder.join(format!("{target}-{hash:016x}"));
            std::fs::write(&kept, input).unwrap();
            eprintln!("{target} broke on {}: put it into fuzz/corpus/{target} when it is fixed", kept.display());
            resume_unwind(panic)
        }
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % end.max(1)
    }
}

/// Returns an input of the pool, changed in one to eight places.
fn changed(pool: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = pool[random.below(pool.len())].clone();
    for _ in 0..=random.below(8) {
        let at = random.below(input.len() + 1);
        let end = (at + random.below(16)).min(input.len());
        match random.below(8) {
            0 => drop(input.drain(at..end)),
            1 => drop(input.splice(at..at, WORDS[random.below(WORDS.len())].bytes())),
            2 => drop(input.splice(at..end, WORDS[random.below(WORDS.len())].bytes())),
            3 if at < input.len() => input[at] ^= 1 << random.below(8),
            4 if at < input.len() => input[at] = u8::try_from(random.below(256)).unwrap(),
            5 => {
                let piece = input[at..end].repeat(random.below(200));
                drop(input.splice(at..at, piece));
            }
            6 => {
                let other = &pool[random.below(pool.len())];
                let from = random.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            _ => input.truncate(end),
        }
    }
    input.truncate(LARGEST);
    input
}
