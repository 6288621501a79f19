//! A data folder that only its owner can read.
//!
//! This is for Unix. On other systems the folder inherits its permissions.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

/// Returns options for opening files; new files are private to their owner.
pub(crate) fn options() -> OpenOptions {
    let mut options = File::options();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

/// Creates a folder that is private to its owner, and missing parents with default permissions.
pub(crate) fn create_dir_all(folder: &Path) -> io::Result<()> {
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(folder)
}

/// Makes the names in a folder durable. Windows cannot open a folder for that, and does not need to.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// Removes all permissions of other users. If the system refuses, a warning is logged: an administrator may share the
/// folder on purpose.
pub(crate) fn tighten(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(path)?.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            let narrow = mode & 0o700;
            match fs::set_permissions(path, fs::Permissions::from_mode(narrow)) {
                Ok(()) => {
                    tracing::info!(path = %path.display(), from = %format_args!("{mode:04o}"), to = %format_args!("{narrow:04o}"), "closed to other users")
                }
                Err(error) => {
                    tracing::warn!(path = %path.display(), mode = %format_args!("{mode:04o}"), %error, "open to other users, and cannot be closed");
                }
            }
        }
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}
