//! Response bodies that end at the same byte each time.

use crate::error::{Error, Mismatch};

/// How many bodies in a row must end at the same byte. An unreliable connection breaks at different ones.
const TIMES: u32 = 4;

/// Where the bodies of an object's range ended early.
#[derive(Debug, Default)]
pub(super) struct Ends {
    furthest: u64,
    times: u32,
}

impl Ends {
    /// Counts a body that ended early with `at` as the next byte of the object. Returns the error when `error` is that of
    /// a server that cannot send what follows, so that asking again is of no use.
    pub(super) fn judge(&mut self, at: u64, size: u64, key: &str, error: Error) -> Error {
        if at > self.furthest || self.times == 0 {
            (self.furthest, self.times) = (at, 0);
        }
        self.times += 1;
        match self.times {
            TIMES.. => {
                Error::Damaged { path: key.to_owned(), version: None, mismatch: Mismatch::EndsAt { byte: at, size } }
            }
            _ => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn only_bodies_without_progress_count() {
        let mut ends = Ends::default();
        let mut kind = |at| ends.judge(at, 100, "k", Error::io("read", "k")(std::io::ErrorKind::Other.into())).kind();
        for at in [0, 0, 0, 7, 7, 7, 8, 8, 8] {
            assert_eq!(kind(at), ErrorKind::Io, "{at}");
        }
        assert_eq!(kind(8), ErrorKind::Corrupt);
    }
}
