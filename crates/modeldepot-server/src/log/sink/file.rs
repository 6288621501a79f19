//! The file behind a log.

use std::fs::{File, Metadata};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// A file open for appending.
#[derive(Debug)]
pub(super) struct Open {
    /// `None` for standard error.
    path: Option<PathBuf>,
    file: File,
    /// The last line was cut short, so the next one has to start on a new line.
    torn: bool,
}

impl Open {
    pub(super) fn at(path: &Path) -> io::Result<Open> {
        Ok(Open { path: Some(path.to_owned()), file: append(path)?, torn: false })
    }

    /// Opens standard error without the lock that all other code writing to it needs.
    pub(super) fn stderr() -> io::Result<Open> {
        #[cfg(unix)]
        let stderr = std::os::fd::AsFd::as_fd(&io::stderr()).try_clone_to_owned()?;
        #[cfg(windows)]
        let stderr = std::os::windows::io::AsHandle::as_handle(&io::stderr()).try_clone_to_owned()?;
        Ok(Open::over(stderr.into()))
    }

    pub(super) fn over(file: File) -> Open {
        Open { path: None, file, torn: false }
    }

    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    pub(super) fn is_file(&self) -> bool {
        self.path.is_some()
    }

    /// Writes a line.
    pub(super) fn line(&mut self, line: &str) -> io::Result<()> {
        let text = format!("{}{line}\n", if self.torn { "\n" } else { "" });
        let written = loop {
            match self.file.write(text.as_bytes()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                written => break written?,
            }
        };
        if written == text.len() {
            self.torn = false;
            return Ok(());
        }
        self.torn = written > 0 || self.torn;
        Err(io::ErrorKind::StorageFull.into())
    }

    /// Opens the file that is now at the path.
    pub(super) fn again(&mut self) -> io::Result<()> {
        if let Some(path) = &self.path {
            (self.file, self.torn) = (append(path)?, false);
        }
        Ok(())
    }

    /// Returns true while the path leads to the open file.
    pub(super) fn is_in_place(&self) -> bool {
        let Some(path) = &self.path else { return true };
        is_at(&self.file, path)
    }
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let id = |found: Metadata| (found.dev(), found.ino());
    let (Ok(open), Ok(named)) = (file.metadata(), std::fs::metadata(path)) else { return false };
    id(open) == id(named)
}

#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

fn append(path: &Path) -> io::Result<File> {
    if let Ok(found) = std::fs::metadata(path) {
        refuse_others(&found)?;
    }
    let mut options = File::options();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // Do not block if it has become a pipe.
        options.mode(0o600).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    let file = options.open(path)?;
    refuse_others(&file.metadata()?)?;
    #[cfg(unix)]
    rustix::fs::fcntl_setfl(&file, rustix::fs::OFlags::APPEND)?;
    Ok(file)
}

/// Refuses everything but files and character devices: opening a pipe waits for its reader.
fn refuse_others(found: &Metadata) -> io::Result<()> {
    #[cfg(unix)]
    let is_device = std::os::unix::fs::FileTypeExt::is_char_device(&found.file_type());
    #[cfg(not(unix))]
    let is_device = false;
    match found.is_file() || is_device {
        true => Ok(()),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is neither a file nor a device")),
    }
}
