//! The destination of log lines: standard error, or an append-only file.
//!
//! Lines are queued and written in order by a separate thread, so a stalled disk or reader delays no request. Each line
//! is one write, so that lines of several writers never mix. A file that was renamed or removed, as by `logrotate`, is
//! created again at the next line, and SIGHUP reopens it in any case. A line that cannot be written, because the disk
//! or the queue is full, is lost: a warning says so, at most once a minute, and the service continues.

mod file;
mod queue;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use self::file::Open;
use self::queue::Queue;

/// How long the last lines may take at the end.
const LAST: Duration = Duration::from_secs(1);

/// The destination of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogTarget {
    /// Standard error.
    Stderr,
    /// This file.
    File(PathBuf),
}

impl FromStr for LogTarget {
    type Err = std::convert::Infallible;

    /// Parses a path, or `-` for standard error.
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

/// A log. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Log(Arc<Writer>);

/// The queue of a log's thread. Dropping it ends the thread.
#[derive(Debug)]
struct Writer {
    queue: Arc<Queue>,
    is_file: bool,
}

impl Log {
    /// Opens a log. A missing file is created, readable by its owner only.
    ///
    /// # Errors
    /// The system's error, or that the path is not a file or a device, but a pipe, for example.
    pub fn open(target: &LogTarget) -> io::Result<Log> {
        match target {
            LogTarget::Stderr => Log::over(Open::stderr()?),
            LogTarget::File(path) => Log::over(Open::at(path)?),
        }
    }

    fn over(open: Open) -> io::Result<Log> {
        let (is_file, queue) = (open.is_file(), Arc::new(Queue::new(open.path())));
        let writes = Arc::clone(&queue);
        std::thread::Builder::new().name("log".to_owned()).spawn(move || writes.write(open))?;
        Ok(Log(Arc::new(Writer { queue, is_file })))
    }

    /// Returns true if it is a file, which can be reopened.
    pub fn is_file(&self) -> bool {
        self.0.is_file
    }

    /// Reopens the file before the next line.
    pub fn reopen(&self) {
        self.0.queue.reopen();
    }

    /// Writes a record as one line of JSON, with everything but printable ASCII escaped.
    pub fn record(&self, record: &impl serde::Serialize) {
        self.line(&super::line::json(record));
    }

    /// Returns the current time in the format of the logs.
    pub fn time() -> String {
        super::line::time()
    }

    /// Returns a text as the logs show it: shortened, and with every secret cut.
    pub fn shown(text: &str) -> String {
        super::line::shown(text)
    }

    /// Queues a line, which must not contain line ends.
    pub fn line(&self, line: &str) {
        debug_assert!(!line.contains('\n'));
        self.0.queue.push(line);
    }

    /// Waits until all earlier lines are written, for at most `patience`. Returns whether they are.
    pub fn flush(&self, patience: Duration) -> bool {
        self.0.queue.flush(patience)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.close();
        self.queue.flush(LAST);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Far longer than it takes.
    const SOON: Duration = Duration::from_secs(60);

    #[test]
    fn a_log_that_was_renamed_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (path, old) = (folder.path().join("audit.log"), folder.path().join("audit.log.1"));
        let log = Log::open(&LogTarget::File(path.clone())).unwrap();
        let line = |line| {
            log.line(line);
            assert!(log.flush(SOON));
        };
        line("one");
        fs::rename(&path, &old).unwrap();
        line("two");
        fs::remove_file(&path).unwrap();
        line("three");
        log.reopen();
        line("four");
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
                // A separate log each, as in several processes.
                let log = Log::open(&LogTarget::File(path.clone())).unwrap();
                scope.spawn(move || {
                    (0..200).for_each(|_| log.line(&writer.to_string().repeat(3000)));
                    assert!(log.flush(SOON));
                });
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
        assert!(log.flush(SOON));
        assert_eq!(log.0.queue.lost(), (true, 2), "said once, and counted since");
    }

    #[cfg(unix)]
    #[test]
    fn a_reader_that_stalls_holds_nobody_up() {
        use std::io::Read as _;
        let (mut reader, writer) = std::io::pipe().unwrap();
        let log = Log::over(Open::over(fs::File::from(std::os::fd::OwnedFd::from(writer)))).unwrap();
        // More than the pipe and the queue hold: if lines were written by this thread, this would never end.
        let lines = 20_000;
        for n in 0..lines {
            log.line(&format!("{n:0>1000}"));
        }
        assert!(!log.flush(Duration::from_millis(1)), "there is no one who reads");
        let lost = log.0.queue.dropped();
        assert!(lost > 0);
        let reads = std::thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).map(|_| text)
        });
        assert!(log.flush(SOON));
        drop(log);
        let text = reads.join().unwrap().unwrap();
        let numbers: Vec<u64> = text.lines().map(|line| line.parse().unwrap()).collect();
        assert!(numbers.is_sorted() && numbers[0] == 0);
        assert_eq!(numbers.len() as u64 + lost, lines, "all others arrive");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_pipe_is_no_file_for_a_log() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let told = Log::open(&LogTarget::File(path)).unwrap_err();
        assert_eq!(told.to_string(), "it is neither a file nor a device");
    }
}
