//! The bar of a transfer.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use modeldepot::{Event, Progress};

use super::{duration, plural, throughput};

/// Follows one transfer, and takes its time. The bar goes when this goes, so that an error stands on a clean line.
pub(crate) struct Bar {
    bar: ProgressBar,
    begun: Instant,
}

impl Bar {
    pub(super) fn new(verb: &'static str, drawn: bool) -> Bar {
        let target = if drawn { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target).with_prefix(verb);
        bar.set_style(style("{prefix} {spinner}"));
        if drawn {
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        Bar { bar, begun: Instant::now() }
    }

    /// Returns where the transfer reports to.
    pub(crate) fn progress(&self) -> Progress {
        let bar = self.bar.clone();
        Progress::new(move |event| match event {
            Event::Planned { files, bytes } => plan(&bar, files, bytes),
            Event::Moved { bytes, .. } => bar.inc(bytes),
            Event::Finished { .. } => {}
        })
    }

    /// Returns where the transfer of one object of so many bytes reports to.
    pub(crate) fn bytes(&self, total: u64) -> impl Fn(u64) + Send + Sync + 'static {
        let bar = self.bar.clone();
        plan(&bar, 1, total);
        move |bytes| bar.inc(bytes)
    }

    /// Returns how long it has been.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Returns how long it took to move so many bytes, and how fast that was: `1.24 s (110.3 MB/s)`.
    pub(crate) fn pace(&self, bytes: u64) -> String {
        let time = self.elapsed();
        format!("{} ({})", duration(time), throughput(bytes, time))
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Shows how much there will be. An attempt that begins anew counts anew.
fn plan(bar: &ProgressBar, files: usize, bytes: u64) {
    // The look comes last: each of these may draw.
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
