//! Progress bars of a transfer.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use modeldepot::{ArtifactPath, Event, Progress};

use super::{clean, duration, plural, size, throughput};

/// The most files with bars of their own, besides the total.
const FILES: usize = 4;

/// Smaller files finish before their bars could be read.
const WORTH_A_BAR: u64 = 16 * 1024 * 1024;

/// Files of more bytes than this are transferred in parts. A pull resumes only these.
const ONE_PART: u64 = 8 * 1024 * 1024;

/// Transfers of fewer bytes are reported without their speed.
const WORTH_A_SPEED: u64 = 1_000_000;

/// How much of a transfer would be kept if it were interrupted now.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kept(Arc<(AtomicU64, AtomicU64)>);

impl Kept {
    /// Returns the bytes that are kept, and the total.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        (self.0.0.load(Ordering::Relaxed), self.0.1.load(Ordering::Relaxed))
    }
}

/// Follows a transfer and measures its time. Dropping it removes the bars, so that an error starts on a clean line.
pub(crate) struct Bar {
    lines: Lines,
    begun: Instant,
}

/// The bars: the total, then large files in progress.
#[derive(Clone)]
struct Lines {
    all: MultiProgress,
    whole: ProgressBar,
    files: Arc<Mutex<BTreeMap<ArtifactPath, ProgressBar>>>,
    /// Files whose bytes are lost when the transfer is interrupted.
    lost: Arc<Mutex<BTreeSet<ArtifactPath>>>,
    kept: Kept,
    pulls: bool,
}

impl Bar {
    pub(super) fn new(verb: &'static str, drawn: bool, kept: Kept) -> Bar {
        let target = if drawn { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let all = MultiProgress::with_draw_target(target);
        let whole = all.add(ProgressBar::no_length().with_prefix(verb));
        whole.set_style(style("{prefix} {spinner}"));
        if drawn {
            whole.enable_steady_tick(Duration::from_millis(100));
        }
        let pulls = verb == "pulling";
        Bar {
            lines: Lines { all, whole, files: Arc::default(), lost: Arc::default(), kept, pulls },
            begun: Instant::now(),
        }
    }

    /// Returns the callback for the transfer's progress.
    pub(crate) fn progress(&self) -> Progress {
        let lines = self.lines.clone();
        Progress::new(move |event| lines.take(event))
    }

    /// Returns the callback for the progress of an object of this size.
    pub(crate) fn bytes(&self, total: u64) -> impl Fn(u64) + Send + Sync + 'static {
        let whole = self.lines.whole.clone();
        plan(&whole, 1, total);
        move |bytes| whole.inc(bytes)
    }

    /// Returns the elapsed time.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Returns the time and throughput for this many bytes: `1.24 s (110.3 MB/s)`.
    pub(crate) fn pace(&self, bytes: u64) -> String {
        let time = self.elapsed();
        match bytes {
            ..WORTH_A_SPEED => duration(time),
            _ => format!("{} ({})", duration(time), throughput(bytes, time)),
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.lines.clear_files();
        self.lines.whole.finish_and_clear();
    }
}

impl Lines {
    fn take(&self, event: Event) {
        match event {
            Event::Planned { files, bytes } => {
                self.clear_files();
                plan(&self.whole, files, bytes);
                self.kept.0.0.store(0, Ordering::Relaxed);
                self.kept.0.1.store(bytes, Ordering::Relaxed);
            }
            Event::Begun { path, bytes } => {
                if self.pulls && bytes <= ONE_PART {
                    self.lost().insert(path.clone());
                }
                self.begin(path, bytes);
            }
            Event::Moved { path, bytes } => {
                self.whole.inc(bytes);
                if !self.pulls || !self.lost().contains(&path) {
                    self.kept.0.0.fetch_add(bytes, Ordering::Relaxed);
                }
                if let Some(file) = self.files().get(&path) {
                    file.inc(bytes);
                }
            }
            Event::Finished { path } => {
                if let Some(file) = self.files().remove(&path) {
                    file.finish_and_clear();
                }
            }
            _ => {}
        }
    }

    fn begin(&self, path: ArtifactPath, bytes: u64) {
        let mut files = self.files();
        // A single file needs no bar besides the total.
        if bytes < WORTH_A_BAR || files.len() == FILES || self.whole.length() == Some(bytes) {
            return;
        }
        let file = self.all.add(ProgressBar::new(bytes).with_prefix(shortened(&clean(path.as_str()))));
        file.set_style(style("  {prefix:28}  {bar:24}  {done} / {total}{speed}"));
        files.insert(path, file);
    }

    fn clear_files(&self) {
        std::mem::take(&mut *self.files()).into_values().for_each(|file| file.finish_and_clear());
    }

    fn lost(&self) -> std::sync::MutexGuard<'_, BTreeSet<ArtifactPath>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn files(&self) -> std::sync::MutexGuard<'_, BTreeMap<ArtifactPath, ProgressBar>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps the end of a path, which distinguishes files.
fn shortened(path: &str) -> String {
    let length = path.chars().count();
    if length <= 28 {
        path.to_owned()
    } else {
        path.chars().skip(length - 27).fold("…".to_owned(), |all, c| all + &c.to_string())
    }
}

/// Sets the total. When an attempt starts over, so does the count.
fn plan(bar: &ProgressBar, files: usize, bytes: u64) {
    // Set the style last, because each of these calls may draw.
    bar.set_length(bytes);
    bar.set_position(0);
    bar.reset_eta();
    bar.set_message(plural(files, "file"));
    bar.set_style(style("{prefix} {msg}  {bar:24}  {done} / {total}{speed}"));
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style
        .with_key("done", |state: &ProgressState, to: &mut dyn std::fmt::Write| write(to, &size(state.pos())))
        .with_key("total", |state: &ProgressState, to: &mut dyn std::fmt::Write| {
            write(to, &size(state.len().unwrap_or_default()));
        })
        .with_key("speed", |state: &ProgressState, to: &mut dyn std::fmt::Write| {
            write(to, &speed(state.pos(), state.per_sec(), state.eta()));
        })
        .progress_chars("━╸─")
}

fn write(to: &mut dyn std::fmt::Write, text: &str) {
    // A bar that cannot be drawn is no reason to stop.
    let _ = to.write_str(text);
}

/// Returns how fast a transfer is and how long it will take. Nothing is known of either before the first byte.
fn speed(moved: u64, per_second: f64, left: Duration) -> String {
    let mut text = String::new();
    if moved > 0 && per_second >= 1.0 {
        let left = Duration::from_secs(left.as_secs());
        let left = if left.as_secs() < 60 { format!("{} s", left.as_secs()) } else { duration(left) };
        let _ = write!(text, "  {}/s  {left} left", size(per_second as u64));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_speed_and_no_time_before_the_first_byte() {
        assert_eq!(speed(0, 0.0, Duration::ZERO), "");
        assert_eq!(speed(8_388_608, 2_000_000.0, Duration::from_millis(61_900)), "  2.0 MB/s  1 min 01 s left");
        assert_eq!(speed(8_388_608, 2_000_000.0, Duration::from_millis(9_900)), "  2.0 MB/s  9 s left");
    }

    #[test]
    fn what_an_interruption_leaves() {
        let path = |text: &str| text.parse::<ArtifactPath>().unwrap();
        let kept = |verb: &'static str| {
            let bar = Bar::new(verb, false, Kept::default());
            let (small, large) = (path("small.json"), path("large.bin"));
            bar.lines.take(Event::Planned { files: 2, bytes: 20_000_100 });
            bar.lines.take(Event::Begun { path: small.clone(), bytes: 100 });
            bar.lines.take(Event::Begun { path: large.clone(), bytes: 20_000_000 });
            bar.lines.take(Event::Moved { path: small, bytes: 100 });
            bar.lines.take(Event::Moved { path: large, bytes: 8_000_000 });
            bar.lines.kept.bytes()
        };
        assert_eq!(kept("pushing"), (8_000_100, 20_000_100));
        assert_eq!(kept("pulling"), (8_000_000, 20_000_100), "files of one part are fetched anew");
    }
}
