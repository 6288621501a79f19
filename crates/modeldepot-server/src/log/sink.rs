//! Where log lines go: standard error, or a file that is only ever appended to.
//!
//! Each line is one write, so that lines of several writers never mix. A file that was renamed or removed, as `logrotate`
//! does, is made anew at the next line; on SIGHUP it is opened again in any case. A line that cannot be written, because
//! the disk is full, is lost: a warning says so, at most one a minute, and the service runs on.

use std::fmt;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The least time between two warnings.
const PACE: Duration = Duration::from_secs(60);

/// Where a log is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogTarget {
    /// Standard error.
    Stderr,
    /// This file.
    File(PathBuf),
}

impl FromStr for LogTarget {
    type Err = std::convert::Infallible;

    /// Reads a path, or `-` for standard error.
    fn from_str(text: &str) -> Result<LogTarget, Self::Err> {
        Ok(match text {
            "-" => LogTarget::Stderr,
            path => LogTarget::File(path.into()),
        })
    }
}

impl fmt::Display for LogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogTarget::Stderr => f.write_str("-"),
            LogTarget::File(path) => path.display().fmt(f),
        }
    }
}

/// A log that lines can be written to. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Log(Arc<To>);

#[derive(Debug)]
enum To {
    Stderr,
    File { path: PathBuf, open: Mutex<Open> },
}

#[derive(Debug)]
struct Open {
    file: File,
    /// A line was cut short: the next one begins on a line of its own.
    torn: bool,
    /// Lines lost since it was last said.
    lost: u64,
    told: Option<Instant>,
}

impl Log {
    /// Opens a log. A file is made if it is missing, readable by its owner alone.
    ///
    /// # Errors
    /// What the system says of the file.
    pub fn open(target: &LogTarget) -> io::Result<Log> {
        Ok(Log(Arc::new(match target {
            LogTarget::Stderr => To::Stderr,
            LogTarget::File(path) => {
                let open = Mutex::new(Open { file: append(path)?, torn: false, lost: 0, told: None });
                To::File { path: path.clone(), open }
            }
        })))
    }

    /// Returns true for a file, which can be opened again.
    pub fn is_file(&self) -> bool {
        matches!(*self.0, To::File { .. })
    }

    /// Opens the file again.
    pub fn reopen(&self) {
        if let To::File { path, open } = &*self.0 {
            open.lock().unwrap_or_else(PoisonError::into_inner).again(path);
        }
    }

    /// Writes a record as one line of JSON in which everything but printable ASCII is escaped.
    pub fn record(&self, record: &impl serde::Serialize) {
        self.line(&super::line::json(record));
    }

    /// Returns the current time as the logs have it.
    pub fn time() -> String {
        super::line::time()
    }

    /// Returns a text as the logs have it: not too long, and with every token in it cut.
    pub fn shown(text: &str) -> String {
        super::line::shown(text)
    }

    /// Writes a line, which holds no end of line itself.
    pub fn line(&self, line: &str) {
        debug_assert!(!line.contains('\n'));
        match &*self.0 {
            To::Stderr => {
                let _ = io::stderr().lock().write_all(format!("{line}\n").as_bytes());
            }
            To::File { path, open } => {
                let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
                if !open.is_at(path) {
                    open.again(path);
                }
                open.write(path, line);
            }
        }
    }
}

impl Open {
    fn write(&mut self, path: &Path, line: &str) {
        let text = format!("{}{line}\n", if self.torn { "\n" } else { "" });
        let failed = match self.file.write(text.as_bytes()) {
            Ok(written) if written == text.len() => {
                self.torn = false;
                return;
            }
            Ok(written) => {
                self.torn = written > 0 || self.torn;
                io::Error::from(io::ErrorKind::StorageFull)
            }
            Err(error) => error,
        };
        self.lost += 1;
        if self.told.is_none_or(|told| told.elapsed() > PACE) {
            tracing::warn!(log = %path.display(), error = %failed, lines = self.lost, "log lines are lost");
            (self.told, self.lost) = (Some(Instant::now()), 0);
        }
    }

    /// Opens the file that is at the path now. Where that fails the old one is written on.
    fn again(&mut self, path: &Path) {
        match append(path) {
            Ok(file) => (self.file, self.torn) = (file, false),
            Err(error) => {
                if self.told.is_none_or(|told| told.elapsed() > PACE) {
                    tracing::warn!(log = %path.display(), %error, "the log cannot be opened again");
                    self.told = Some(Instant::now());
                }
            }
        }
    }

    /// Returns true while the path leads to the open file.
    #[cfg(unix)]
    fn is_at(&self, path: &Path) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        let id = |found: std::fs::Metadata| (found.dev(), found.ino());
        let (Ok(open), Ok(named)) = (self.file.metadata(), std::fs::metadata(path)) else { return false };
        id(open) == id(named)
    }

    #[cfg(not(unix))]
    fn is_at(&self, path: &Path) -> bool {
        path.exists()
    }
}

fn append(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_log_that_was_renamed_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (path, old) = (folder.path().join("audit.log"), folder.path().join("audit.log.1"));
        let log = Log::open(&LogTarget::File(path.clone())).unwrap();
        log.line("one");
        fs::rename(&path, &old).unwrap();
        log.line("two");
        fs::remove_file(&path).unwrap();
        log.line("three");
        log.reopen();
        log.line("four");
        assert_eq!(fs::read_to_string(&old).unwrap(), "one\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "three\nfour\n");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn lines_of_several_writers_never_mix() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        std::thread::scope(|scope| {
            for writer in 0..4 {
                // Each of its own, as several processes are.
                let log = Log::open(&LogTarget::File(path.clone())).unwrap();
                scope.spawn(move || (0..200).for_each(|_| log.line(&writer.to_string().repeat(3000))));
            }
        });
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 800);
        assert!(text.lines().all(|line| line.len() == 3000 && line.bytes().all(|byte| byte == line.as_bytes()[0])));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_loses_lines_and_nothing_else() {
        let log = Log::open(&LogTarget::File("/dev/full".into())).unwrap();
        for _ in 0..3 {
            log.line("lost");
        }
        let To::File { open, .. } = &*log.0 else { panic!() };
        let open = open.lock().unwrap();
        assert!(open.told.is_some() && open.lost == 2, "said once, and counted since");
    }
}
