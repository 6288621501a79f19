//! What a file of this machine gives, and what it is taken for.

use super::*;
use crate::model::digest::{Blake3, Subtree};
use crate::model::manifest::Parts;
use crate::s3::transfer::download::Landing;
use crate::settings::Settings;

const KIB: u64 = 1024;

/// Where the part lies, and how long it is: no multiple of what is read at once.
const OFFSET: u64 = 1024 * KIB;
const LEN: u64 = 700_001;

/// Bytes that no two places share.
fn bytes(len: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    (0..len).map(|_| random.u8(1..)).collect()
}

fn file(content: &[u8]) -> Arc<File> {
    let file = tempfile::tempfile().unwrap();
    write_at(&file, content, 0).unwrap();
    Arc::new(file)
}

fn content(file: &File) -> Vec<u8> {
    let mut content = vec![0; file.metadata().unwrap().len() as usize];
    read_at(file, &mut content, 0).unwrap();
    content
}

fn part(content: &[u8]) -> PartExpected {
    let part = &content[OFFSET as usize..][..LEN as usize];
    PartExpected::Inner(PartDigest::of(OFFSET, part).subtree().unwrap())
}

/// Asks a file with this content for the part, and returns what is then in the target.
fn given(content_of: &[u8], expected: &PartExpected) -> Option<Vec<u8>> {
    let (source, target) = (ReusableFile::other(file(content_of)), file(&[]));
    let digest = source.give(OFFSET, LEN, expected, &target).unwrap();
    assert_eq!(source.gave(), digest.as_ref().map_or(0, PartDigest::len));
    assert!(digest.as_ref().is_none_or(|digest| digest.is(expected)));
    digest.map(|_| content(&target))
}

#[test]
fn a_part_of_another_file_lands_in_its_place_and_nowhere_else() {
    let source = bytes(OFFSET + LEN + 5);
    let landed = given(&source, &part(&source)).unwrap();
    assert!(landed[..OFFSET as usize].iter().all(|byte| *byte == 0));
    assert!(landed[OFFSET as usize..] == source[OFFSET as usize..][..LEN as usize]);
}

#[test]
fn a_part_that_is_there_already_is_left_alone() {
    let target = file(&bytes(OFFSET + LEN));
    let own = ReusableFile::own();
    let digest = own.give(OFFSET, LEN, &part(&content(&target)), &target).unwrap();
    assert_eq!((digest.unwrap().len(), own.gave()), (LEN, LEN));
    assert!(content(&target) == bytes(OFFSET + LEN));
}

#[test]
fn a_part_with_one_other_byte_is_not_given() {
    let source = bytes(OFFSET + LEN);
    let expected = part(&source);
    for at in [0, FIRST as u64 - 1, FIRST as u64, LEN - 1] {
        let mut damaged = source.clone();
        damaged[(OFFSET + at) as usize] ^= 1;
        assert_eq!(given(&damaged, &expected), None, "{at}");
    }
    assert_eq!(given(&source[..source.len() - 1], &expected), None, "it is shorter");
    assert_eq!(given(&[], &expected), None);
}

/// A file that was laid out but not filled is long, and reading it all would take as long as fetching it.
#[test]
fn a_part_that_begins_empty_is_not_read_to_its_end() {
    let with_zeros = |zeros: std::ops::Range<u64>| {
        let mut source = bytes(OFFSET + LEN);
        source[(OFFSET + zeros.start) as usize..(OFFSET + zeros.end) as usize].fill(0);
        given(&source, &part(&source)).is_some()
    };
    assert!(!with_zeros(0..4 * KIB));
    assert!(with_zeros(0..4 * KIB - 1));
    assert!(with_zeros(4 * KIB..LEN), "what follows may be empty");
}

#[test]
fn what_the_file_itself_had_is_counted_apart_from_what_others_gave() {
    let source = bytes(OFFSET + LEN);
    let (target, expected) = (file(&source), part(&source));
    let landing = Landing::new(target, false, vec![ReusableFile::own(), ReusableFile::other(file(&source))]);
    assert_eq!(landing.spared(), (0, 0));
    for (reusable, spared) in landing.reusable.iter().zip([(LEN, 0), (LEN, LEN)]) {
        reusable.give(OFFSET, LEN, &expected, &landing.file).unwrap();
        assert_eq!(landing.spared(), spared);
    }
}

/// Whether a file with this content is taken for one of parts of a kibibyte of `published`.
async fn held(client: &S3Client, content: &[u8], published: &[u8], parts: usize) -> bool {
    let digest = |(index, part): (usize, &[u8])| PartDigest::of(index as u64 * KIB, part).subtree();
    let blake3: Vec<Subtree> = published.chunks(KIB as usize).enumerate().filter_map(digest).take(parts).collect();
    let expected = Expected { blake3: Blake3::of(published), parts: Some(Parts { size: KIB, blake3 }) };
    client.holds(&file(content), published.len() as u64, &expected).await.unwrap()
}

#[tokio::test]
async fn a_file_is_what_was_published_if_every_part_is() {
    let client = S3Client::connect(&Settings::from_variables(|_| None).unwrap()).await.unwrap();
    let published = bytes(40 * KIB + 5);
    assert!(held(&client, &published, &published, 41).await);
    assert!(!held(&client, &published, &published, 40).await, "of the last part nothing is known");
    for at in [0, 20 * KIB, 40 * KIB + 4] {
        let mut damaged = published.clone();
        damaged[at as usize] ^= 1;
        assert!(!held(&client, &damaged, &published, 41).await, "{at}");
    }
    let longer = [&published[..], b"x"].concat();
    assert!(!held(&client, &longer, &published, 41).await);
    assert!(!held(&client, &published[..published.len() - 1], &published, 41).await);
}

#[tokio::test]
async fn an_empty_file_is_what_was_published_if_it_is_empty() {
    let client = S3Client::connect(&Settings::from_variables(|_| None).unwrap()).await.unwrap();
    let expected = Expected { blake3: Blake3::of(b""), parts: None };
    assert!(client.holds(&file(b""), 0, &expected).await.unwrap());
    assert!(!client.holds(&file(b"x"), 0, &expected).await.unwrap());
}

#[test]
fn a_part_is_read_to_its_end_and_no_further() {
    let content = bytes(OFFSET + 6 * KIB);
    let source = file(&content);
    for len in [1, KIB, 3 * KIB, 3 * KIB + 1, 4 * KIB - 1] {
        let read = digest_part(&source, OFFSET, len, &mut vec![0; KIB as usize]).unwrap();
        let part = &content[OFFSET as usize..][..len as usize];
        assert_eq!(read.subtree(), PartDigest::of(OFFSET, part).subtree(), "{len} bytes");
    }
}
