//! Checks of reading a version's file without writing to disk.

use modeldepot::{ErrorKind, Progress};

use crate::backend::{Backend, bytes, push};

const PART: usize = 8 << 20;

pub(crate) async fn a_file_is_read_in_parts_and_every_part_is_verified(b: Backend) {
    let content = bytes(2 * PART + 5, 1);
    let (file, config) = (b.file("m.bin", &content), b.file("config.json", b"{}"));
    b.storage.push(push("m", Some("1"), &file, &[config, b.file("empty", b"")]), &Progress::none()).await.unwrap();
    let selector = "m@1".parse().unwrap();

    let reader = b.storage.open_file(&selector, None).await.unwrap();
    assert_eq!((reader.file().size, reader.part_size()), (content.len() as u64, PART as u64));
    assert_eq!(reader.part(2).await.unwrap(), content[2 * PART..]);
    assert_eq!(reader.part(0).await.unwrap(), content[..PART]);
    assert_eq!(reader.part(3).await.unwrap().len(), 0, "nothing lies beyond the end");
    assert_eq!(reader.read(|_| {}).await.unwrap(), content);
    for (path, expected) in [("config.json", "{}"), ("empty", "")] {
        let reader = b.storage.open_file(&selector, Some(&path.parse().unwrap())).await.unwrap();
        assert_eq!(reader.read(|_| {}).await.unwrap(), expected.as_bytes());
    }
    let none = b.storage.open_file(&selector, Some(&"ghost".parse().unwrap())).await.unwrap_err();
    assert_eq!(none.kind(), ErrorKind::NotFound);

    let mut damaged = content.clone();
    damaged[PART + 3] ^= 1;
    b.put("m/v1/m.bin", &damaged).await;
    b.put("m/v1/config.json", b"[]").await;
    let reader = b.storage.open_file(&selector, None).await.unwrap();
    assert_eq!(reader.part(0).await.unwrap(), content[..PART], "the part that is whole is still of use");
    let error = reader.part(1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(
        error.to_string().contains("`m.bin` of `m@1` is damaged: the BLAKE3 of bytes 8388608 to 16777215"),
        "{error}"
    );
    assert_eq!(reader.read(|_| {}).await.unwrap_err().kind(), ErrorKind::Corrupt);
    let reader = b.storage.open_file(&selector, Some(&"config.json".parse().unwrap())).await.unwrap();
    assert_eq!(reader.part(0).await.unwrap_err().kind(), ErrorKind::Corrupt);
}
