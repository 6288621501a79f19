//! The output of steps: printed immediately, or captured until the end for steps that run side by side.

use std::cell::RefCell;
use std::fmt::Display;
use std::fs;
use std::io::Write as _;
use std::time::Duration;

/// The captured output of a step.
#[derive(Default)]
pub struct Kept {
    pub output: Vec<u8>,
    /// The CPU time of its commands.
    pub cpu: Duration,
}

thread_local! {
    static KEPT: RefCell<Option<Kept>> = const { RefCell::new(None) };
}

/// Runs `work` and captures what it prints on this thread.
pub fn kept<T>(work: impl FnOnce() -> T) -> (T, Kept) {
    KEPT.set(Some(Kept::default()));
    let done = work();
    (done, KEPT.take().unwrap_or_default())
}

pub fn is_kept() -> bool {
    KEPT.with_borrow(Option::is_some)
}

/// Prints a line to stderr.
pub fn say(line: impl Display) {
    if !keep(format!("{line}\n").as_bytes()) {
        eprintln!("{line}");
    }
}

/// Prints bytes to stdout, because tests may print something other than text.
pub fn pass_on(bytes: &[u8]) {
    if !keep(bytes) {
        let _ = std::io::stdout().write_all(bytes);
    }
}

fn keep(bytes: &[u8]) -> bool {
    KEPT.with_borrow_mut(|kept| kept.as_mut().map(|kept| kept.output.extend_from_slice(bytes)).is_some())
}

/// Adds the CPU time of a command.
pub fn cost(cpu: Duration) {
    KEPT.with_borrow_mut(|kept| {
        if let Some(kept) = kept {
            kept.cpu += cpu;
        }
    });
}

/// Returns the CPU time of all finished commands and their children. Zero except on Linux.
pub fn children_cpu() -> Duration {
    ticks("self", [15, 16])
}

/// Waits until a process has ended, and returns its CPU time and that of its children. The caller must not have waited
/// for it yet. Zero except on Linux.
pub fn ended_cpu(pid: u32) -> Duration {
    let pid = pid.to_string();
    // It has closed its output, so it should end soon. If not, the caller waits for it.
    for _ in 0..400 {
        match stat(&pid) {
            Some(fields) if fields.first().is_some_and(|state| state == "Z") => break,
            Some(_) => std::thread::sleep(Duration::from_millis(5)),
            None => return Duration::ZERO,
        }
    }
    ticks(&pid, [13, 14]) + ticks(&pid, [15, 16])
}

/// Adds up fields of `/proc/PID/stat`, counted from 0 as in proc(5), where the state is field 2.
fn ticks(pid: &str, fields: [usize; 2]) -> Duration {
    // Linux always reports 100 ticks per second to programs.
    let of = |stat: &[String], field: usize| stat.get(field - 2).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    stat(pid).map_or(Duration::ZERO, |stat| {
        Duration::from_millis(10 * fields.map(|field| of(&stat, field)).iter().sum::<u64>())
    })
}

/// Returns the fields after the name in `/proc/PID/stat`, starting with the state.
fn stat(pid: &str) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may contain spaces and parentheses.
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_step_prints_is_kept_on_its_thread_alone() {
        let ((), kept) = kept(|| {
            say("one");
            pass_on(b"two\n");
            let elsewhere = std::thread::spawn(is_kept);
            assert!(!elsewhere.join().unwrap());
        });
        assert_eq!(kept.output, b"one\ntwo\n");
        assert!(!is_kept());
    }
}
