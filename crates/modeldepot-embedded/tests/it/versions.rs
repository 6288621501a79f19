//! Versioned buckets.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use modeldepot_embedded::Server;

use crate::browsers::md5_of;
use crate::client::{Answer, Client};
use crate::serve::{Process, blocking, config, files, running, settle_at, until};

pub(crate) fn set(client: &Client, bucket: &str, status: &str) {
    let body = format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
    let answer =
        client.send("PUT", &format!("/{bucket}?versioning="), &[("content-md5", &md5_of(&body))], body.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
}

pub(crate) fn id(answer: &Answer) -> String {
    answer
        .header("x-amz-version-id")
        .unwrap_or_else(|| panic!("no version: {} {}", answer.head, answer.text()))
        .to_owned()
}

/// The versions of a listing: key, id, whether it is the latest and whether it is a marker; markers after versions.
fn rows(answer: &Answer) -> Vec<(String, String, bool, bool)> {
    let text = answer.text();
    let cut = |xml: &str, name: &str| -> String {
        let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name}: {xml}"));
        rest.split_once(&format!("</{name}>")).unwrap().0.to_owned()
    };
    let of = |name: &str, marker: bool| -> Vec<_> {
        let pieces: Vec<_> = text.split(&format!("<{name}>")).skip(1).map(str::to_owned).collect();
        pieces
            .into_iter()
            .map(|xml| (cut(&xml, "Key"), cut(&xml, "VersionId"), cut(&xml, "IsLatest") == "true", marker))
            .collect()
    };
    [of("Version", false), of("DeleteMarker", true)].concat()
}

fn list(client: &Client) -> Vec<(String, String, bool, bool)> {
    rows(&client.get("/models?versions="))
}

/// What every S3 server does with the versions of a key. Also run on MinIO.
fn a_life(client: &Client, bucket: &str) {
    let at = format!("/{bucket}/k");
    let version = |id: &str| format!("{at}?versionId={id}");
    assert!(!client.get(&format!("/{bucket}?versioning=")).text().contains("Status"));
    assert_eq!(client.put(&at, b"before").header("x-amz-version-id"), None);
    set(client, bucket, "Enabled");
    let state = client.get(&format!("/{bucket}?versioning="));
    assert_eq!(state.element("Status").as_deref(), Some("Enabled"));

    let first = id(&client.put(&at, b"first"));
    let copied = client.send("PUT", &at, &[("x-amz-copy-source", &version("null"))], b"");
    assert_eq!(
        (copied.status, copied.header("x-amz-copy-source-version-id")),
        (200, Some("null")),
        "{}",
        copied.text()
    );
    let second = id(&copied);
    let upload = client.send("POST", &format!("{at}?uploads="), &[], b"").element("UploadId").unwrap();
    let part = client.put(&format!("{at}?partNumber=1&uploadId={upload}"), b"third");
    let body = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>",
        part.header("etag").unwrap()
    );
    let third = id(&client.send("POST", &format!("{at}?uploadId={upload}"), &[], body.as_bytes()));
    let now = client.get(&at);
    assert_eq!((now.text().as_str(), id(&now)), ("third", third.clone()));
    for (id_of, text) in [("null", "before"), (&first, "first"), (&second, "before"), (&third, "third")] {
        let found = client.get(&version(id_of));
        assert_eq!((found.status, found.text().as_str()), (200, text));
        let head = client.send("HEAD", &version(id_of), &[], b"");
        assert_eq!(head.header("content-length").map(str::to_owned), Some(text.len().to_string()));
    }
    let ranged = client.send("GET", &version(&first), &[("range", "bytes=1-2")], b"");
    assert_eq!((ranged.status, ranged.text().as_str()), (206, "ir"));

    let deleted = client.send("DELETE", &at, &[], b"");
    let marker = id(&deleted);
    assert_eq!((deleted.status, deleted.header("x-amz-delete-marker")), (204, Some("true")));
    for method in ["GET", "HEAD"] {
        let gone = client.send(method, &at, &[], b"");
        assert_eq!((gone.status, gone.header("x-amz-delete-marker")), (404, Some("true")));
        let read = client.send(method, &version(&marker), &[], b"");
        assert_eq!((read.status, read.header("x-amz-delete-marker")), (405, Some("true")), "{}", read.text());
    }
    let missing = client.send("PUT", &at, &[("if-match", part.header("etag").unwrap())], b"x");
    assert_eq!((missing.status, missing.code().as_str()), (404, "NoSuchKey"), "a deleted object is absent");
    assert!(!client.get(&format!("/{bucket}?list-type=2")).text().contains("<Key>"));
    assert_eq!(client.get(&version(&first)).text(), "first", "a marker hides, it deletes nothing");
    assert_eq!(client.send("DELETE", &format!("/{bucket}"), &[], b"").code(), "BucketNotEmpty");

    // Without its marker the object is back; without its newest version the one before is.
    let undone = client.send("DELETE", &version(&marker), &[], b"");
    assert_eq!((undone.status, undone.header("x-amz-delete-marker")), (204, Some("true")));
    assert_eq!(client.get(&at).text(), "third");
    assert_eq!(client.send("DELETE", &version(&third), &[], b"").status, 204);
    assert_eq!(client.get(&at).text(), "before");
    assert_eq!(client.get(&version(&third)).code(), "NoSuchVersion");
    assert_eq!(client.send("DELETE", &version(&third), &[], b"").status, 204, "a second time is no error");
    assert_eq!(client.get(&version("nonsense")).code(), "InvalidArgument");

    // A create is possible over a marker only.
    let create = |_| client.send("PUT", &at, &[("if-none-match", "*")], b"created");
    assert_eq!(create(()).status, 412);
    client.send("DELETE", &at, &[], b"");
    assert_eq!(create(()).status, 200);

    // Suspended: new objects replace only the null version.
    set(client, bucket, "Suspended");
    assert_eq!(client.put(&at, b"suspended").status, 200);
    assert_eq!((client.get(&at).text(), client.get(&version("null")).text()), ("suspended".into(), "suspended".into()));
    assert_eq!(client.get(&version(&first)).text(), "first");
    client.send("DELETE", &at, &[], b"");
    assert_eq!((client.get(&at).status, client.get(&version("null")).status), (404, 405));

    // Deletes everything by id in one request.
    let all = rows(&client.get(&format!("/{bucket}?versions=")));
    assert_eq!(all.iter().filter(|row| row.2).count(), 1);
    let objects: String = all
        .iter()
        .map(|(key, id, ..)| format!("<Object><Key>{key}</Key><VersionId>{id}</VersionId></Object>"))
        .collect();
    let body = format!("<Delete>{objects}</Delete>");
    let answer =
        client.send("POST", &format!("/{bucket}?delete="), &[("content-md5", &md5_of(&body))], body.as_bytes());
    assert_eq!(answer.text().matches("<Deleted>").count(), all.len(), "{}", answer.text());
    assert_eq!(rows(&client.get(&format!("/{bucket}?versions="))), []);
    assert_eq!(client.send("DELETE", &format!("/{bucket}"), &[], b"").status, 204);
}

#[tokio::test]
async fn the_life_of_a_versioned_key() {
    let r = running().await;
    let client = r.client;
    let folder = r.folder.path().to_owned();
    blocking(move || {
        assert_eq!(client.put("/lives", b"").status, 200);
        a_life(&client, "lives");
        settle_at(0, &folder);
    })
    .await;
}

#[ignore = "needs MinIO: run by `cargo xtask test`"]
#[tokio::test]
async fn minio_keeps_versions_alike() {
    let endpoint = std::env::var("MODELDEPOT_TEST_MINIO").unwrap();
    let client = Client::new(endpoint.trim_start_matches("http://").trim_end_matches('/').parse().unwrap());
    blocking(move || {
        let bucket = format!("lives-{}", std::process::id());
        assert_eq!(client.put(&format!("/{bucket}"), b"").status, 200);
        a_life(&client, &bucket);
    })
    .await;
}

#[tokio::test]
async fn listings_of_versions_page_by_key_and_version() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        set(&client, "models", "Enabled");
        for key in ["a", "dir/x", "dir/y", "z%20z"] {
            for n in 0..3 {
                client.put(&format!("/models/{key}"), &[n]);
            }
        }
        client.send("DELETE", "/models/dir/x", &[], b"");
        assert_eq!(list(&client).len(), 13);

        // Pages of every size add up to the whole.
        for max in 1..6 {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                // The signature requires a sorted query.
                let target = match after.take() {
                    None => format!("/models?max-keys={max}&versions="),
                    Some((key, id)) => {
                        format!("/models?key-marker={key}&max-keys={max}&version-id-marker={id}&versions=")
                    }
                };
                let answer = client.get(&target);
                found.extend(rows(&answer));
                if answer.element("IsTruncated").as_deref() != Some("true") {
                    break;
                }
                let key = answer.element("NextKeyMarker").unwrap().replace(' ', "%20").replace('/', "%2F");
                after = Some((key, answer.element("NextVersionIdMarker").unwrap()));
            }
            let (mut all, mut found) = (list(&client), found);
            all.sort();
            found.sort();
            assert_eq!(found, all, "in pages of {max}");
        }

        let rolled = client.get("/models?delimiter=%2F&versions=");
        assert_eq!((rows(&rolled).len(), rolled.element("CommonPrefixes")), (6, Some("<Prefix>dir/</Prefix>".into())));
        assert_eq!(rows(&client.get("/models?prefix=dir%2Fx&versions=")).len(), 4);
        let encoded = client.get("/models?encoding-type=url&prefix=z&versions=");
        assert_eq!(rows(&encoded)[0].0, "z%20z");
        assert_eq!(rows(&client.get("/models?key-marker=dir%2Fx&versions=")).len(), 6, "after every version of a key");
        let odd = client.get("/models?version-id-marker=null&versions=");
        assert_eq!((odd.status, odd.code().as_str()), (400, "InvalidArgument"));
    })
    .await;
}

#[tokio::test]
async fn a_folder_of_an_earlier_build_opens_and_learns_versions() {
    let r = running().await;
    let (client, folder) = (r.client, r.folder);
    let path = folder.path().to_owned();
    let format = |path: &Path| std::fs::read_to_string(path.join("format")).unwrap();
    assert_eq!(format(&path), "modeldepot-embedded 1\n", "until there is a version, earlier builds may read it");
    let client = blocking(move || {
        client.put("/models/k", b"old");
        set(&client, "models", "Enabled");
        client.put("/models/k", b"new");
        client
    })
    .await;
    assert_eq!(format(&path), "modeldepot-embedded 2\n");
    let before = blocking(move || list(&client)).await;
    r.server.stop().await.unwrap();
    let server = Server::start(config(&path)).await.unwrap();
    let client = Client::new(server.local_addr());
    blocking(move || {
        assert_eq!(list(&client), before);
        assert_eq!(client.get("/models/k?versionId=null").text(), "old");
        assert_eq!(files(&path), 2);
    })
    .await;
}

#[tokio::test]
async fn killed_while_versions_come_and_go_it_keeps_every_one_that_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    blocking(move || {
        let mut acknowledged: Vec<(String, Vec<u8>)> = Vec::new();
        for round in 0u8..6 {
            let server = Process::start(&path);
            let client = server.client();
            if round == 0 {
                set(&client, "models", "Enabled");
            }
            for (id, body) in &acknowledged {
                assert!(
                    client.get(&format!("/models/k?versionId={id}")).body == *body,
                    "version {id} in round {round}"
                );
            }
            let counted = Arc::new(AtomicUsize::new(0));
            let writers: Vec<_> = (0..3u8)
                .map(|writer| {
                    let (client, counted) = (server.client(), Arc::clone(&counted));
                    std::thread::spawn(move || {
                        let mut kept = Vec::new();
                        for n in 0u8.. {
                            let body = vec![round ^ writer ^ n; 1000 + usize::from(n) * 100];
                            match client.try_send("PUT", "/models/k", &[], &body) {
                                Ok(answer) if answer.status == 200 => {
                                    kept.push((id(&answer), body));
                                    counted.fetch_add(1, Ordering::Relaxed);
                                }
                                _ => break,
                            }
                            if n % 3 == 2 && client.try_send("DELETE", "/models/k", &[], b"").is_err() {
                                break;
                            }
                        }
                        kept
                    })
                })
                .collect();
            // In the middle of writes, wherever they are once so many were acknowledged.
            until("an acknowledgement", || counted.load(Ordering::Relaxed) > usize::from(round) * 4);
            drop(server);
            writers.into_iter().for_each(|writer| acknowledged.extend(writer.join().unwrap()));
        }
        let server = Process::start(&path);
        let rows = list(&server.client());
        let versions = rows.iter().filter(|row| !row.3).count();
        assert!(versions >= acknowledged.len() && acknowledged.len() > 6, "{versions} of {}", acknowledged.len());
        assert_eq!(files(&path), versions, "each version has its file, and no file is left over");
        assert!(rows.iter().filter(|row| row.2).count() <= 1);
    })
    .await;
}

#[tokio::test]
async fn tags_and_attributes_are_those_of_a_version_and_rules_hide_instead_of_deleting() {
    let r = running().await;
    let (client, server) = (r.client, r.server);
    let tags =
        |name: &str| format!("<Tagging><TagSet><Tag><Key>is</Key><Value>{name}</Value></Tag></TagSet></Tagging>");
    let (client, first) = blocking(move || {
        set(&client, "models", "Enabled");
        let first = id(&client.put("/models/k", b"first"));
        let second = id(&client.put("/models/k", b"second!"));
        let of = |version: &str, name: &str| format!("/models/k?{name}&versionId={version}");
        for (version, name) in [(&first, "old"), (&second, "new")] {
            let body = tags(name);
            let target = of(version, "tagging=");
            let put = client.send("PUT", &target, &[("content-md5", &md5_of(&body))], body.as_bytes());
            assert_eq!((put.status, id(&put)), (200, version.clone()), "{}", put.text());
        }
        assert_eq!(client.get("/models/k?tagging=").element("Value").as_deref(), Some("new"));
        assert_eq!(client.get(&of(&first, "tagging=")).element("Value").as_deref(), Some("old"));
        assert_eq!(client.get("/models/k").text(), "second!", "the current version is the one that it was");
        let asked = [("x-amz-object-attributes", "ObjectSize")];
        let attributes = client.send("GET", &of(&first, "attributes="), &asked, b"");
        assert_eq!((attributes.element("ObjectSize").as_deref(), id(&attributes)), (Some("5"), first.clone()));

        let rule = "<LifecycleConfiguration><Rule><ID>x</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter>\
                    <Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>";
        let put = client.send("PUT", "/models?lifecycle=", &[("content-md5", &md5_of(rule))], rule.as_bytes());
        assert_eq!(put.status, 200, "{}", put.text());
        (client, first)
    })
    .await;
    let later = time::OffsetDateTime::now_utc().unix_timestamp() + 10 * 86_400;
    server.sweep_as_of(later).await.unwrap();
    blocking(move || {
        let gone = client.get("/models/k");
        assert_eq!((gone.status, gone.header("x-amz-delete-marker")), (404, Some("true")));
        assert_eq!(client.get(&format!("/models/k?versionId={first}")).text(), "first");
        assert_eq!(list(&client).len(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_condition_on_a_delete_is_about_the_version_that_it_names() {
    let r = running().await;
    let client = r.client;
    blocking(move || {
        set(&client, "models", "Enabled");
        let (old, new) = (client.put("/models/k", b"old"), client.put("/models/k", b"new"));
        let target = format!("/models/k?versionId={}", id(&old));
        let delete = |tag: &str| client.send("DELETE", &target, &[("if-match", tag)], b"").status;
        assert_eq!(delete(new.header("etag").unwrap()), 412);
        let unnamed = client.send("DELETE", "/models/k?versionId=", &[], b"");
        assert_eq!((unnamed.status, unnamed.code()), (400, "InvalidArgument".into()));
        assert_eq!(client.send("PUT", "/models/k", &[("if-match", "")], b"x").code(), "InvalidArgument");
        assert_eq!(client.get(&target).body, b"old");
        assert_eq!(delete(old.header("etag").unwrap()), 204);
        assert_eq!(client.get(&target).status, 404);
        assert_eq!(client.get("/models/k").body, b"new");
    })
    .await;
}
