//! Measuring one process with a small Python program, since Rust's standard library does not report a child's resource
//! usage.

use std::path::Path;
use std::process::Command;

use xtask::root;

/// The measurements of one run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sample {
    /// Seconds from before its start to after its end.
    pub(crate) wall: f64,
    /// Seconds of CPU, user and system.
    pub(crate) cpu: f64,
    /// Peak resident memory in bytes.
    pub(crate) memory: f64,
    /// The time limit was reached before the command was done; `wall` is the time it had.
    pub(crate) cut: bool,
}

/// Returns the command that measures another.
pub(crate) fn measuring(python: &Path, command: &Command, limit: f64) -> Command {
    let mut measuring = Command::new(python);
    // Without site packages and environment, Python is smaller and starts sooner.
    measuring.args(["-I", "-S"]).arg(root().join("benchsuite/measure.py")).arg(limit.to_string());
    measuring.arg(command.get_program()).args(command.get_args());
    surround(measuring, command)
}

/// Gives a wrapping command the environment and the folder of the inner one.
pub(crate) fn surround(mut outer: Command, inner: &Command) -> Command {
    outer.env_clear();
    outer.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(folder) = inner.get_current_dir() {
        outer.current_dir(folder);
    }
    outer
}

/// Parses the output of `measure.py`.
pub(crate) fn sample(said: &str) -> Result<Sample, String> {
    let words: Vec<&str> = said.split_whitespace().collect();
    let [how @ ("done" | "cut"), wall, cpu, kib] = words[..] else {
        return Err(format!("measure.py said `{}`", said.trim()));
    };
    let number = |word: &str| word.parse::<f64>().map_err(|error| format!("measure.py said `{word}`: {error}"));
    Ok(Sample { wall: number(wall)?, cpu: number(cpu)?, memory: number(kib)? * 1024.0, cut: how == "cut" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_reads() {
        let read = sample("done 0.5 0.25 1024\n").unwrap();
        assert_eq!(read, Sample { wall: 0.5, cpu: 0.25, memory: 1_048_576.0, cut: false });
        assert!(sample("cut 600.0 1 1").unwrap().cut);
        assert!(sample("").is_err());
        assert!(sample("done a 1 1").is_err());
    }
}
