//! What is read of a file is what was in it when the upload began, or there is an error.

use std::fs::File;
use std::path::PathBuf;

use super::*;
use crate::error::ErrorKind;

const MIB: usize = 1024 * 1024;

fn bytes(len: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    (0..len).map(|_| random.u8(..)).collect()
}

fn file(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.bin");
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

/// Reads a file of five bytes while `meanwhile` happens to it, and returns whether it is taken as unchanged.
fn read_while(read: usize, meanwhile: impl Fn(&File)) -> Result<()> {
    let (_folder, path) = file(b"12345");
    let mut source = Source::open(&path, None)?;
    source.read(&mut vec![0; read])?;
    let file = File::options().write(true).open(&path).unwrap();
    meanwhile(&file);
    source.finish()
}

fn is_changed(error: &Error) -> bool {
    error.to_string().contains("changed")
}

#[test]
fn a_file_that_changes_while_it_is_read_is_not_sent() {
    read_while(5, |_| {}).unwrap();
    let keeping_its_time = |change: fn(&File)| {
        move |file: &File| {
            let before = file.metadata().unwrap().modified().unwrap();
            change(file);
            file.set_modified(before).unwrap();
        }
    };
    let later = std::time::Duration::from_secs(1);
    let rewritten = move |file: &File| file.set_modified(file.metadata().unwrap().modified().unwrap() + later).unwrap();
    let changed: [Result<()>; 4] = [
        read_while(5, keeping_its_time(|file| file.set_len(4).unwrap())),
        read_while(5, keeping_its_time(|file| file.set_len(6).unwrap())),
        read_while(5, rewritten),
        read_while(4, |_| {}),
    ];
    for result in changed {
        assert!(is_changed(&result.unwrap_err()));
    }
    let error = read_while(6, |_| {}).unwrap_err();
    assert!(is_changed(&error), "it ended early: {error}");
}

/// Reading the beginning of a process's memory is an error of the disk to us.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_cannot_be_read_is_named_as_that() {
    let mut source = Source::open(Path::new("/proc/self/mem"), None).unwrap();
    let error = source.read(&mut [0]).unwrap_err();
    assert!(!is_changed(&error) && error.to_string().contains("/proc/self/mem"), "{error}");
    assert_ne!(error.kind(), ErrorKind::Internal);
}

#[test]
fn digests_of_a_piece_are_those_of_its_bytes() {
    let content = bytes(MIB + 700_001);
    let (_folder, path) = file(&content);
    let mut source = Source::open(&path, None).unwrap();
    let mut md5 = Md5Stream::default();
    for (offset, part) in [(0, &content[..MIB]), (MIB, &content[MIB..])] {
        let found = source.digest(offset as u64, part.len() as u64, Some(&mut md5)).unwrap();
        let expected = PartDigest::of(offset as u64, part);
        assert_eq!(
            (found.subtree(), found.crc64(), found.len()),
            (expected.subtree(), expected.crc64(), expected.len())
        );
    }
    assert_eq!(md5.finish(), Md5::of(&content));
    source.finish().unwrap();
}

/// Takes all parts of a file that is read for sending.
async fn taken(path: &Path, with_md5: bool) -> (Vec<(i32, u64, Payload)>, Option<Md5>) {
    let (queue, mut read) = mpsc::channel(1);
    let (source, pool) = (Source::open(path, None).unwrap(), Pool::new());
    let reader = tokio::spawn(async move { read_parts(source, with_md5, &pool, &queue).await });
    let mut parts = Vec::new();
    while let Some(part) = read.recv().await {
        parts.push((part.number, part.offset, part.payload));
    }
    (parts, reader.await.unwrap().unwrap())
}

#[tokio::test]
async fn a_file_is_read_once_for_its_parts_and_its_md5() {
    let content = bytes(16 * MIB + 5);
    let (_folder, path) = file(&content);
    for with_md5 in [true, false] {
        let (parts, md5) = taken(&path, with_md5).await;
        assert_eq!(md5, with_md5.then(|| Md5::of(&content)));
        assert_eq!(parts.iter().map(|(number, ..)| *number).collect::<Vec<_>>(), [1, 2, 3]);
        for (_, offset, payload) in parts {
            let part = &content[offset as usize..][..payload.len() as usize];
            assert_eq!(payload.md5(), Md5::of(part), "{offset}");
        }
    }
}
