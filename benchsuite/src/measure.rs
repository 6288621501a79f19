//! What one process takes, by a small Python: the standard library does not tell the usage of a child.

use std::path::Path;
use std::process::Command;

use xtask::root;

/// What one run took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sample {
    /// Seconds from before its start to after its end.
    pub(crate) wall: f64,
    /// Seconds of CPU, user and system.
    pub(crate) cpu: f64,
    /// Bytes of resident memory, at the peak.
    pub(crate) memory: f64,
    /// The time was over before the command was done; `wall` is what it had.
    pub(crate) cut: bool,
}

/// Returns the command that measures another.
pub(crate) fn measuring(python: &Path, command: &Command, limit: f64) -> Command {
    let mut measuring = Command::new(python);
    // Without site packages and environment it is smaller, and starts sooner.
    measuring.args(["-I", "-S"]).arg(root().join("benchsuite/measure.py")).arg(limit.to_string());
    measuring.arg(command.get_program()).args(command.get_args());
    surround(measuring, command)
}

/// Gives a command around another the environment and the folder of that one.
pub(crate) fn surround(mut outer: Command, inner: &Command) -> Command {
    outer.env_clear();
    outer.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(folder) = inner.get_current_dir() {
        outer.current_dir(folder);
    }
    outer
}

/// Reads what `measure.py` says.
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
