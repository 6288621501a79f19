//! The objects of a version, as a listing shows them, compared with what a push sent.

use std::collections::BTreeMap;

use crate::s3::ListedObject;

/// A file as it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AsSent<'a> {
    pub(super) path: &'a str,
    pub(super) size: u64,
    /// The ETag that the server answered with.
    pub(super) etag: &'a str,
}

/// What a listing shows of them, each named by its place among them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Compared {
    /// Files that are missing or have another size.
    pub(super) changed: Vec<usize>,
    /// Files with another ETag than the server answered with, as `rclone serve s3` lists them: only their bytes show
    /// whether they were replaced.
    pub(super) unclear: Vec<usize>,
    /// Objects that are none of these files. A manifest that has appeared is another push's, and is handled when ours is
    /// created.
    pub(super) besides: Vec<ListedObject>,
}

impl Compared {
    /// Compares the objects below `prefix` with the files that were sent. A server that lists no ETag leaves only the size
    /// to compare.
    pub(super) fn of<'a>(
        prefix: &str,
        listed: Vec<ListedObject>,
        sent: impl IntoIterator<Item = AsSent<'a>>,
    ) -> Compared {
        let listed = listed.into_iter().map(|object| (object.key[prefix.len()..].to_owned(), object));
        let mut listed: BTreeMap<String, ListedObject> = listed.collect();
        let mut compared = Compared::default();
        for (at, file) in sent.into_iter().enumerate() {
            match listed.remove(file.path) {
                Some(object) if object.size == file.size => {
                    if !object.etag.is_empty() && object.etag != file.etag {
                        compared.unclear.push(at);
                    }
                }
                _ => compared.changed.push(at),
            }
        }
        listed.remove("manifest.json");
        compared.besides = listed.into_values().collect();
        compared
    }
}

#[cfg(test)]
mod laws {
    use proptest::prelude::*;

    use super::*;

    const PREFIX: &str = "m/v1/";
    const PATHS: [&str; 6] = ["a", "b", "dir/a", "manifest.json", "manifest.json.bak", "z"];

    /// Which objects there are: path, size and ETag of each, one of few so that they often meet.
    fn any_files(paths: &'static [&str]) -> impl Strategy<Value = BTreeMap<&'static str, (u64, &'static str)>> {
        let file = (0u64..3, prop::sample::select(vec!["", "e1", "e2"]));
        prop::collection::btree_map(prop::sample::select(paths), file, 0..6)
    }

    fn object(path: &str, size: u64, etag: &str) -> ListedObject {
        ListedObject { key: format!("{PREFIX}{path}"), size, etag: etag.to_owned(), modified: None }
    }

    proptest! {
        /// Whatever is listed, and in whatever order: a file passes only if it is listed as it was sent, and each other
        /// object is found once.
        #[test]
        fn a_file_passes_only_as_it_was_sent(
            listed in any_files(&PATHS),
            sent in any_files(&["a", "b", "dir/a", "z"]),
            reversed: bool,
        ) {
            let mut objects: Vec<_> = listed.iter().map(|(path, (size, etag))| object(path, *size, etag)).collect();
            if reversed {
                objects.reverse();
            }
            let files = sent.iter().map(|(path, (size, etag))| AsSent { path, size: *size, etag });
            let compared = Compared::of(PREFIX, objects, files);
            for (at, (path, (size, etag))) in sent.iter().enumerate() {
                let (changed, unclear) = (compared.changed.contains(&at), compared.unclear.contains(&at));
                let (is_missing_or_other, is_unclear) = match listed.get(path) {
                    None => (true, false),
                    Some((found, _)) if found != size => (true, false),
                    Some((_, found)) => (false, !["", etag].contains(found)),
                };
                prop_assert_eq!((changed, unclear), (is_missing_or_other, is_unclear), "{}", path);
            }
            prop_assert!(compared.changed.len() + compared.unclear.len() <= sent.len());
            let besides: Vec<&str> = compared.besides.iter().map(|object| &object.key[PREFIX.len()..]).collect();
            let expected = listed.keys().filter(|path| !sent.contains_key(*path) && **path != "manifest.json");
            prop_assert_eq!(besides, expected.copied().collect::<Vec<_>>());
        }

        /// What was sent and is listed so passes, whatever else there is.
        #[test]
        fn what_was_left_alone_passes(sent in any_files(&["a", "b", "dir/a", "z"]), more in any_files(&PATHS)) {
            let all = more.into_iter().chain(sent.clone()).collect::<BTreeMap<_, _>>();
            let listed = all.iter().map(|(path, (size, etag))| object(path, *size, etag)).collect();
            let files = sent.iter().map(|(path, (size, etag))| AsSent { path, size: *size, etag });
            let compared = Compared::of(PREFIX, listed, files);
            prop_assert_eq!((compared.changed, compared.unclear), (vec![], vec![]));
        }
    }
}
