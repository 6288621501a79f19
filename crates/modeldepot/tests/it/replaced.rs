//! Files that are replaced between the scan of a folder and its push: what was not scanned is not published.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use modeldepot::{Error, Progress, Push, Scan, Source, SourceError};

use crate::backend::{Backend, bytes};

/// How a file of the folder, or its subfolder, is replaced. All that is put in place has the size and the time of what
/// was there.
type Replace = fn(folder: &Path, outside: &Path);

const WAYS: [(&str, Replace); 5] = [
    ("a link to a file", |folder, outside| {
        fs::remove_file(folder.join("sub/model.bin")).unwrap();
        symlink(outside.join("model.bin"), folder.join("sub/model.bin")).unwrap();
    }),
    ("a link to a folder", |folder, outside| {
        fs::rename(folder.join("sub"), folder.join("moved")).unwrap();
        symlink(outside, folder.join("sub")).unwrap();
    }),
    ("another file", |folder, outside| {
        fs::rename(outside.join("model.bin"), folder.join("sub/model.bin")).unwrap();
    }),
    ("a hard link", |folder, outside| {
        fs::remove_file(folder.join("sub/model.bin")).unwrap();
        fs::hard_link(outside.join("model.bin"), folder.join("sub/model.bin")).unwrap();
    }),
    ("a pipe", |folder, _| {
        fs::remove_file(folder.join("sub/model.bin")).unwrap();
        let made = std::process::Command::new("mkfifo").arg(folder.join("sub/model.bin")).status().unwrap();
        assert!(made.success());
    }),
];

/// Scans a folder, replaces a file of it, and pushes what was scanned.
async fn pushed(b: &Backend, version: &str, size: usize, replace: Replace) -> Error {
    let name = uuid::Uuid::new_v4().simple().to_string();
    let outside = b.file(&format!("{name}/outside/model.bin"), &bytes(size, 2));
    let inside = b.file(&format!("{name}/folder/sub/model.bin"), &bytes(size, 1));
    let time = fs::metadata(&outside).unwrap().modified().unwrap();
    fs::File::options().write(true).open(&inside).unwrap().set_modified(time).unwrap();
    let folder = b.path(&format!("{name}/folder"));
    let source = Source::scan(&Scan::new(&folder)).unwrap();
    replace(&folder, outside.parent().unwrap());
    let push = Push::new("m".parse().unwrap(), source).version(version.parse().unwrap());
    let progress = Progress::none();
    let pushed = tokio::time::timeout(Duration::from_secs(300), b.storage.push(push, &progress)).await;
    pushed.unwrap_or_else(|_| panic!("the push hangs")).unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_scanned_is_not_published() {
    let b = Backend::embedded().await;
    // In one request, and in parts.
    for size in [10_000, 9 << 20] {
        for (what, replace) in WAYS {
            let error = pushed(&b, "1", size, replace).await;
            let expected = match what {
                "a pipe" => matches!(error, Error::Source(SourceError::NotAFile { .. })),
                _ => matches!(error, Error::Source(SourceError::Changed { .. })),
            };
            assert!(expected, "{what}, {size} bytes: {error:?}");
        }
    }
    assert_eq!(b.storage.models().await.unwrap(), []);
}

/// A push of a version that is there compares its files with those published, and says only whether they are the same.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_scanned_is_not_compared() {
    let b = Backend::embedded().await;
    let published = b.file("published/sub/model.bin", &bytes(10_000, 2));
    let source = Source::scan(&Scan::new(published.parent().unwrap().parent().unwrap())).unwrap();
    let push = Push::new("m".parse().unwrap(), source).version("1".parse().unwrap());
    b.storage.push(push, &Progress::none()).await.unwrap();
    for (what, replace) in WAYS {
        let error = pushed(&b, "1", 10_000, replace).await;
        assert!(matches!(error, Error::Source(_)), "{what}: {error:?}");
    }
}

/// A file that an `s3` verb stores may be a pipe, which is not waited for.
#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_is_not_waited_for() {
    let b = Backend::embedded().await;
    let path = b.path("pipe");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let options = modeldepot::s3::UploadOptions::default();
    let stored = b.client().upload_file(&path, b.bucket(), "pipe", &options, |_| {});
    let stored = tokio::time::timeout(Duration::from_secs(300), stored).await;
    let error = stored.unwrap_or_else(|_| panic!("it hangs")).unwrap_err();
    assert!(matches!(error, Error::Source(SourceError::NotAFile { .. })), "{error:?}");
}
