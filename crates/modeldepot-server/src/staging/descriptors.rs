//! Concurrency limits derived from the limit of open files.

/// The most requests that receive files at once: each has a connection and an open file.
const MOST_COMING: usize = 256;

/// The most versions that are published at once: each has up to a few dozen files and connections.
const MOST_PUBLISHING: usize = 16;

/// Raises the limit of open files to the maximum allowed. The lower default exists for old programs that use
/// `select`.
pub(crate) fn raise() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        // Some systems report a limit and refuse to set it.
        if current != maximum
            && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        {
            tracing::debug!(%error, "cannot raise the limit of open files");
        }
    }
}

/// Returns how many requests may receive files at once, and how many versions may be published at once.
pub(super) fn shares() -> (usize, usize) {
    #[cfg(unix)]
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    #[cfg(not(unix))]
    let limit = None::<u64>;
    of(limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)))
}

fn of(limit: usize) -> (usize, usize) {
    ((limit / 8).clamp(1, MOST_COMING), (limit / 32).clamp(1, MOST_PUBLISHING))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_requests_run_at_once_if_few_files_may_be_open() {
        assert_eq!(of(16), (2, 1));
        assert_eq!(of(64), (8, 2));
        assert_eq!(of(1024), (128, 16));
        assert_eq!(of(usize::MAX), (256, 16));
    }
}
