//! Files of a version that are passed on as they arrive: a part that is damaged never arrives whole.

use std::ops::Range;

use futures_util::TryStreamExt as _;
use modeldepot::{Error, ErrorKind, Progress};

use crate::backend::{Backend, bytes, push};

const PART: u64 = 8 << 20;
const SIZE: u64 = 2 * PART + 5;

/// Streams a range of the model file. Returns the bytes received and the error that ended the stream.
async fn streamed(b: &Backend, version: &str, range: Range<u64>) -> (Vec<u8>, Option<Error>) {
    let reader = b.storage.open_file(&version.parse().unwrap(), None).await.unwrap();
    let mut stream = Box::pin(reader.stream(range));
    let mut came = Vec::new();
    loop {
        match stream.try_next().await {
            Ok(Some(bytes)) => came.extend_from_slice(&bytes),
            Ok(None) => return (came, None),
            Err(error) => return (came, Some(error)),
        }
    }
}

fn of(content: &[u8], range: &Range<u64>) -> Vec<u8> {
    content[range.start as usize..(range.end as usize).min(content.len())].to_vec()
}

#[tokio::test]
async fn a_damaged_part_never_arrives_whole() {
    let b = Backend::embedded().await;
    let content = bytes(SIZE as usize, 1);
    b.storage.push(push("m", Some("1"), &b.file("m.bin", &content), &[]), &Progress::none()).await.unwrap();
    for range in [0..SIZE, 5..SIZE - 1, PART..2 * PART, SIZE - 1..SIZE, 0..SIZE + 9, SIZE..SIZE + 9] {
        let (came, error) = streamed(&b, "m@1", range.clone()).await;
        assert!(came == of(&content, &range) && error.is_none(), "{range:?}: {error:?}");
    }
    for (damage, first, last) in [(3, 0, PART - 1), (PART + 3, PART, 2 * PART - 1), (2 * PART + 3, 2 * PART, SIZE - 1)]
    {
        let mut damaged = content.clone();
        damaged[damage as usize] ^= 1;
        b.put("m/v1/m.bin", &damaged).await;
        for range in [0..SIZE, first..last + 1] {
            let (came, error) = streamed(&b, "m@1", range.clone()).await;
            let error = error.unwrap_or_else(|| panic!("{range:?} of a file that is damaged at {damage}"));
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert!(error.to_string().contains(&format!("the BLAKE3 of bytes {first} to {last} is ")), "{error}");
            assert!((came.len() as u64) < last + 1 - range.start, "its last bytes are held back");
            assert!(came[..] == damaged[range.start as usize..][..came.len()]);
        }
    }
}

/// What is not asked for whole cannot be compared. The parts beside it can.
#[tokio::test]
async fn of_a_range_the_whole_parts_are_verified() {
    let b = Backend::embedded().await;
    let mut content = bytes(SIZE as usize, 1);
    b.storage.push(push("m", Some("1"), &b.file("m.bin", &content), &[]), &Progress::none()).await.unwrap();
    content[PART as usize + 3] ^= 1;
    b.put("m/v1/m.bin", &content).await;
    for range in [0..PART, PART..2 * PART - 1, PART + 1..SIZE, 2 * PART..SIZE] {
        let (came, error) = streamed(&b, "m@1", range.clone()).await;
        assert!(came == of(&content, &range) && error.is_none(), "{range:?}: {error:?}");
    }
    for range in [5..2 * PART, PART..SIZE - 1, PART - 1..2 * PART] {
        let (_, error) = streamed(&b, "m@1", range.clone()).await;
        assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::Corrupt), "{range:?}");
    }
}

/// As the Python pipeline publishes them.
#[tokio::test]
async fn a_file_that_has_only_an_md5_is_verified_if_it_is_streamed_whole() {
    let b = Backend::embedded().await;
    let manifest = r#"{"model_name": "m", "version": "1", "model_file": "m/v1/m.bin", "model_url": "http://localhost/",
        "checksum": "900150983cd24fb0d6963f7d28e17f72", "metadata": {}, "created_at": "2025-10-28T18:19:00.455545"}"#;
    b.put("m/v1/manifest.json", manifest.as_bytes()).await;
    b.put("m/v1/m.bin", b"abc").await;
    for range in [0..3, 0..9, 0..2, 1..3] {
        let (came, error) = streamed(&b, "m@1", range.clone()).await;
        assert!(came == of(b"abc", &range) && error.is_none(), "{range:?}: {error:?}");
    }
    b.storage.verify(&"m@1".parse().unwrap(), &Progress::none()).await.unwrap();
    b.put("m/v1/m.bin", b"abd").await;
    for range in [0..2, 1..3] {
        assert!(streamed(&b, "m@1", range).await.1.is_none(), "of a part nothing is known");
    }
    let (came, error) = streamed(&b, "m@1", 0..3).await;
    assert!(came.len() < 3, "{came:?}");
    let error = error.unwrap();
    assert!(error.kind() == ErrorKind::Corrupt && error.to_string().contains("its MD5 is "), "{error}");
}
