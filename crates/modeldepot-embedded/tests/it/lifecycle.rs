//! Start, stop, lock, refuse.

use std::io::{Read as _, Write};
use std::path::Path;

use modeldepot_embedded::{Error, Server};

use crate::serve::{blocking, config, running, until};

#[tokio::test]
async fn stop_and_start_keep_everything_and_free_the_folder() {
    let r = running().await;
    let client = r.client;
    let client = blocking(move || {
        assert_eq!(client.put("/models/k", b"bytes").status, 200);
        assert_eq!(client.put("/other", b"").status, 200);
        client
    })
    .await;
    r.server.stop().await.unwrap();
    assert!(blocking(move || client.try_send("GET", "/models/k", &[], b"").is_err()).await);

    let server = Server::start(config(r.folder.path())).await.unwrap();
    let client = crate::client::Client::new(server.local_addr());
    blocking(move || {
        assert_eq!(client.get("/models/k").body, b"bytes");
        assert_eq!(client.send("HEAD", "/other", &[], b"").status, 200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_lets_running_requests_finish() {
    let r = running().await;
    let client = r.client;
    let body = vec![7; 4_000_000];
    let mut stream = client.connect().unwrap();
    let waits = [("expect", "100-continue")];
    stream.write_all(client.head("PUT", "/models/k", &waits, body.len()).as_bytes()).unwrap();
    // The request is being served once it is asked for its body.
    let mut stream = blocking(move || {
        let mut asked = [0; "HTTP/1.1 100 Continue\r\n\r\n".len()];
        stream.read_exact(&mut asked).unwrap();
        stream
    })
    .await;
    stream.write_all(&body[..2_000_000]).unwrap();
    let stopping = tokio::spawn(r.server.stop());
    blocking(move || until("a server that accepts no connection", || client.connect().is_err())).await;
    assert!(!stopping.is_finished());
    let status = blocking(move || {
        stream.write_all(&body[2_000_000..]).unwrap();
        crate::client::read(stream).unwrap().status
    })
    .await;
    assert_eq!(status, 200);
    stopping.await.unwrap().unwrap();

    let server = Server::start(config(r.folder.path())).await.unwrap();
    let client = crate::client::Client::new(server.local_addr());
    assert_eq!(blocking(move || client.get("/models/k").body.len()).await, 4_000_000);
}

#[tokio::test]
async fn one_server_per_folder() {
    let r = running().await;
    let error = Server::start(config(r.folder.path())).await.unwrap_err();
    assert!(matches!(&error, Error::InUse { folder } if folder == r.folder.path()), "{error:?}");
    assert!(error.to_string().contains(&*r.folder.path().to_string_lossy()), "{error}");
    drop(r.server);
}

#[tokio::test]
async fn a_used_address_is_named() {
    let r = running().await;
    let other = tempfile::tempdir().unwrap();
    let mut config = config(other.path());
    config.listen = r.server.local_addr();
    let error = Server::start(config).await.unwrap_err();
    assert!(matches!(&error, Error::Bind { address, .. } if *address == r.server.local_addr()), "{error:?}");
    assert!(error.to_string().contains(&r.server.local_addr().to_string()), "{error}");
}

#[tokio::test]
async fn default_credentials_stay_on_loopback() {
    let folder = tempfile::tempdir().unwrap();
    let mut open = config(folder.path());
    open.listen = ([0, 0, 0, 0], 0).into();
    let error = Server::start(open.clone()).await.unwrap_err();
    assert!(matches!(error, Error::DefaultCredentials { .. }), "{error:?}");
    open.secret_key = "something of one's own".into();
    let server = Server::start(open).await.unwrap();
    assert!(server.endpoint().starts_with("http://127.0.0.1:"), "{}", server.endpoint());
    server.stop().await.unwrap();

    let mut empty = config(folder.path());
    empty.access_key.clear();
    assert!(matches!(Server::start(empty).await, Err(Error::EmptyCredentials { which: "access key" })));
    let mut reserved = config(folder.path().join("reserved"));
    reserved.access_key = "modeldepot-console".into();
    assert!(matches!(Server::start(reserved).await, Err(Error::ReservedAccessKey { .. })));
    let mut named = config(folder.path());
    named.buckets.push("No/Bucket".into());
    assert!(matches!(Server::start(named).await, Err(Error::BucketName { .. })));
}

#[tokio::test]
async fn a_folder_of_something_else_and_a_damaged_index_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes.txt"), "mine").unwrap();
    let error = Server::start(config(folder.path())).await.unwrap_err();
    assert!(matches!(error, Error::NotADataFolder { .. }), "{error:?}");

    let r = running().await;
    r.server.stop().await.unwrap();
    std::fs::write(r.folder.path().join("index.redb"), vec![7; 70_000]).unwrap();
    let error = Server::start(config(r.folder.path())).await.unwrap_err();
    assert!(matches!(&error, Error::Index { path, .. } if path.ends_with("index.redb")), "{error:?}");
}

#[tokio::test]
async fn a_lost_index_does_not_cost_the_bytes() {
    let r = running().await;
    let client = r.client;
    blocking(move || assert_eq!(client.put("/models/k", b"bytes").status, 200)).await;
    let kept = r.server.stored_files("models", "k").unwrap();
    r.server.stop().await.unwrap();
    let index = r.folder.path().join("index.redb");
    for lose in [|path: &Path| std::fs::write(path, ""), |path: &Path| std::fs::remove_file(path)] {
        lose(&index).unwrap();
        let error = Server::start(config(r.folder.path())).await.unwrap_err();
        assert!(matches!(&error, Error::IndexMissing { path } if *path == index), "{error:?}");
        assert!(kept[0].exists());
    }
}

#[test]
fn secrets_are_never_shown() {
    let mut config = config("/data");
    config.secret_key = "hush-hush".into();
    let shown = format!("{config:?} {config:#?}");
    assert!(shown.contains("minioadmin") && !shown.contains("hush-hush"), "{shown}");
}

#[tokio::test]
async fn leftovers_are_swept_at_start() {
    let r = running().await;
    let client = r.client;
    blocking(move || assert_eq!(client.put("/models/k", b"bytes").status, 200)).await;
    let kept = r.server.stored_files("models", "k").unwrap();
    r.server.stop().await.unwrap();
    let left = kept[0].with_file_name(format!("{:032x}", 7));
    std::fs::write(&left, "half an object").unwrap();

    let server = Server::start(config(r.folder.path())).await.unwrap();
    assert!(!left.exists() && kept[0].exists());
    assert_eq!(server.stored_files("models", "k").unwrap(), kept);
    let error = server.stored_files("models", "none").unwrap_err();
    assert_eq!(error.to_string(), "no object `none` in bucket `models`");
}
