//! Progress bars of a transfer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use modeldepot::{ArtifactPath, Event, Progress};

use super::{clean, duration, plural, throughput};

/// The most files with bars of their own, besides the total.
const FILES: usize = 4;

/// Smaller files finish before their bars could be read.
const WORTH_A_BAR: u64 = 16 * 1024 * 1024;

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
}

impl Bar {
    pub(super) fn new(verb: &'static str, drawn: bool) -> Bar {
        let target = if drawn { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let all = MultiProgress::with_draw_target(target);
        let whole = all.add(ProgressBar::no_length().with_prefix(verb));
        whole.set_style(style("{prefix} {spinner}"));
        if drawn {
            whole.enable_steady_tick(Duration::from_millis(100));
        }
        Bar { lines: Lines { all, whole, files: Arc::default() }, begun: Instant::now() }
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
        format!("{} ({})", duration(time), throughput(bytes, time))
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
            }
            Event::Begun { path, bytes } => self.begin(path, bytes),
            Event::Moved { path, bytes } => {
                self.whole.inc(bytes);
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
        file.set_style(style(
            "  {prefix:28}  {bar:24}  {decimal_bytes} / {decimal_total_bytes}  {decimal_bytes_per_sec}  {eta}",
        ));
        files.insert(path, file);
    }

    fn clear_files(&self) {
        std::mem::take(&mut *self.files()).into_values().for_each(|file| file.finish_and_clear());
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
    bar.set_style(style(
        "{prefix} {msg}  {bar:24}  {decimal_bytes} / {decimal_total_bytes}  {decimal_bytes_per_sec}  {eta}",
    ));
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("━╸─")
}
