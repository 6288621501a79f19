//! Who may change a file or folder, on Unix.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

/// The bits of a mode with which a group and everybody else may write.
const OTHERS_WRITE: u32 = 0o022;

/// The bits of a mode with which they may do anything.
const OTHERS: u32 = 0o077;

/// The bit of a folder's mode with which each may remove only their own.
const STICKY: u32 = 0o1000;

/// The owner, the mode and the number of names of a file or folder.
#[derive(Debug, Clone, Copy)]
pub(super) struct Access {
    owner: u32,
    mode: u32,
    names: u64,
}

impl Access {
    pub(super) fn of(found: &Metadata) -> Access {
        Access { owner: found.uid(), mode: found.mode(), names: found.nlink() }
    }

    /// Returns true when nobody but the user `us` may put anything into this folder.
    pub(super) fn is_of(self, us: u32) -> bool {
        self.owner == us && self.mode & OTHERS_WRITE == 0
    }

    /// Returns true when a file in this folder is the user's alone: its own, under no other name, and written to by nobody
    /// else.
    pub(super) fn owns(self, file: Access, us: u32) -> bool {
        let hidden = self.mode & OTHERS == 0;
        file.owner == us && file.names == 1 && (hidden || file.mode & OTHERS_WRITE == 0)
    }

    /// Returns true when a file in this folder was put there, and can be written to, only by those who may remove any file
    /// of the folder anyway: the user `us`, the folder's owner and root, and everyone with write access to the folder. So a
    /// mask that lets a group write, and a file system that knows no owners, are fine, and the file that another user put
    /// into a shared folder is not.
    pub(super) fn trusts(self, file: Access, us: u32) -> bool {
        let shared = self.mode & OTHERS_WRITE;
        let writers = if self.mode & STICKY == 0 { shared } else { 0 };
        let owner = [us, self.owner, 0].contains(&file.owner);
        owner && file.mode & OTHERS_WRITE & !writers == 0 && (file.names == 1 || shared == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: u32 = 1000;
    const HOST: u32 = 1001;
    const STRANGER: u32 = 1002;
    const ROOT: u32 = 0;

    const WRITERS: [u32; 4] = [0o000, 0o020, 0o002, 0o022];

    fn access(owner: u32, mode: u32) -> Access {
        Access { owner, mode, names: 1 }
    }

    #[test]
    fn a_folder_is_ours_if_nobody_else_may_write_to_it() {
        for (owner, mode, ours) in [
            (US, 0o700, true),
            (US, 0o755, true),
            (US, 0o775, false),
            (US, 0o757, false),
            (US, 0o777, false),
            (STRANGER, 0o755, false),
            (ROOT, 0o755, false),
            (STRANGER, 0o777, false),
        ] {
            assert_eq!(access(owner, mode).is_of(US), ours, "{owner} {mode:o}");
        }
    }

    #[test]
    fn a_file_is_ours_alone_under_one_name_that_nobody_else_can_write_to() {
        let (hidden, open) = (access(US, 0o700), access(US, 0o755));
        for folder in [hidden, open] {
            assert!(folder.owns(access(US, 0o644), US));
            assert!(!folder.owns(access(STRANGER, 0o644), US), "another's");
            assert!(!folder.owns(Access { names: 2, ..access(US, 0o644) }, US), "another name");
        }
        for mode in [0o664, 0o646, 0o666] {
            assert!(hidden.owns(access(US, mode), US), "nobody else gets to it: {mode:o}");
            for folder_mode in [0o755, 0o750, 0o701, 0o740] {
                assert!(!access(US, folder_mode).owns(access(US, mode), US), "{folder_mode:o} {mode:o}");
            }
        }
    }

    /// A user who may write to a folder that is not sticky can replace its files anyway, and is trusted with them.
    #[test]
    fn a_file_is_trusted_if_only_those_could_write_it_who_have_the_say_in_its_folder() {
        for (host, writers, sticky) in [US, HOST, ROOT].into_iter().flat_map(|host| {
            WRITERS.into_iter().flat_map(move |writers| [false, true].map(|sticky| (host, writers, sticky)))
        }) {
            let folder = access(host, 0o755 | writers | if sticky { 0o1000 } else { 0 });
            for (owner, file_writers, names) in [US, HOST, ROOT, STRANGER].into_iter().flat_map(|owner| {
                WRITERS.into_iter().flat_map(move |writers| [1, 2].map(|names| (owner, writers, names)))
            }) {
                let known = owner == US || owner == host || owner == ROOT;
                let may = |class: u32| file_writers & class == 0 || (writers & class != 0 && !sticky);
                // In a shared folder, another name may be in a folder of somebody else.
                let expected = known && may(0o020) && may(0o002) && (names == 1 || writers == 0);
                let file = Access { owner, mode: 0o644 | file_writers, names };
                assert_eq!(folder.trusts(file, US), expected, "{folder:?} {file:?}");
            }
        }
    }
}
