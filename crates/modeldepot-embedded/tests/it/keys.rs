//! Several key pairs with rights per bucket.

use std::path::PathBuf;
use std::time::Duration;

use modeldepot_embedded::{Error, Key, Keys, KeysError, Server};

use crate::browsers::md5_of;
use crate::client::Client;
use crate::serve::{blocking, config};
use crate::versions::{id, set};

struct Shared {
    server: Server,
    file: PathBuf,
    _folder: tempfile::TempDir,
}

impl Shared {
    /// A server with three buckets, and an object `k` in each.
    async fn start(users: &[(&str, &str)]) -> (Self, Vec<Client>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys");
        let root = add(&file, "root", "*=admin");
        let users: Vec<_> = users.iter().map(|(name, grants)| add(&file, name, grants)).collect();
        let mut config = config(folder.path().join("data"));
        config.keys = Some(file.clone());
        config.buckets = ["data", "models", "secret"].map(str::to_owned).into();
        let server = Server::start(config).await.unwrap();
        let default = Client::new(server.local_addr());
        let client = |key: &Key| default.signing_with(&key.access_key, key.secret_key());
        let clients: Vec<_> = [&root].into_iter().chain(&users).map(client).collect();
        let root = client(&root);
        blocking(move || {
            for bucket in ["data", "models", "secret"] {
                assert_eq!(root.put(&format!("/{bucket}/k"), bucket.as_bytes()).status, 200);
            }
        })
        .await;
        (Self { server, file, _folder: folder }, clients)
    }
}

fn add(file: &std::path::Path, name: &str, grants: &str) -> Key {
    Keys::add(file, name, grants.split_whitespace().map(|grant| grant.parse().unwrap()).collect()).unwrap()
}

/// The right that is needed, method, target, headers, body.
type Operation = (&'static str, &'static str, String, Vec<(&'static str, String)>, String);

/// Every operation on a bucket, with the smallest right that it needs.
fn operations(bucket: &str, id: &str) -> Vec<Operation> {
    let delete = "<Delete><Object><Key>none</Key></Object></Delete>".to_owned();
    let source = vec![("x-amz-copy-source", format!("/{bucket}/k"))];
    let on = |rest: &str| format!("/{bucket}{rest}");
    let none = Vec::new;
    vec![
        ("read", "HEAD", on(""), none(), String::new()),
        ("read", "GET", on("?location="), none(), String::new()),
        ("read", "GET", on("?versioning="), none(), String::new()),
        ("read", "GET", on(""), none(), String::new()),
        ("read", "GET", on("?list-type=2"), none(), String::new()),
        ("read", "GET", on("?uploads="), none(), String::new()),
        ("read", "GET", on("?versions="), none(), String::new()),
        ("read", "GET", on("/k"), none(), String::new()),
        ("read", "HEAD", on("/k"), none(), String::new()),
        ("read", "GET", on(&format!("/up?uploadId={id}")), none(), String::new()),
        ("write", "PUT", on("/new"), none(), "x".into()),
        ("write", "PUT", on("/copy"), source.clone(), String::new()),
        ("write", "DELETE", on("/new"), none(), String::new()),
        ("write", "POST", on("?delete="), vec![("content-md5", md5_of(&delete))], delete),
        ("write", "POST", on("/other?uploads="), none(), String::new()),
        ("write", "PUT", on(&format!("/up?partNumber=1&uploadId={id}")), none(), "x".into()),
        ("write", "PUT", on(&format!("/up?partNumber=2&uploadId={id}")), source, String::new()),
        ("write", "POST", on(&format!("/up?uploadId={id}")), none(), "<CompleteMultipartUpload/>".into()),
        ("write", "DELETE", on(&format!("/up?uploadId={id}")), none(), String::new()),
        ("admin", "PUT", on(""), none(), String::new()),
        ("admin", "DELETE", on(""), none(), String::new()),
    ]
}

#[tokio::test]
async fn each_operation_needs_its_right_on_its_bucket() {
    let (shared, clients) = Shared::start(&[
        ("none", ""),
        ("reader", "models=read"),
        ("writer", "models=write"),
        ("owner", "models=admin"),
        ("elsewhere", "data=admin secret=admin"),
    ])
    .await;
    blocking(move || {
        let [root, rest @ ..] = &clients[..] else { panic!() };
        for (client, held) in rest.iter().zip(["", "read", "write", "admin", ""]) {
            let rank = |right: &str| ["", "read", "write", "admin"].iter().position(|one| *one == right).unwrap();
            let id = root.send("POST", "/models/up?uploads=", &[], b"").element("UploadId").unwrap();
            for (needed, method, target, headers, body) in operations("models", &id) {
                let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, &**value)).collect();
                let answer = client.send(method, &target, &headers, body.as_bytes());
                if rank(held) < rank(needed) {
                    assert_eq!(answer.status, 403, "{held}: {method} {target}");
                    assert!(method == "HEAD" || answer.code() == "AccessDenied", "{}", answer.text());
                } else {
                    assert_ne!(answer.status, 403, "{held}: {method} {target}: {}", answer.text());
                }
                // A link has the rights of its key.
                if headers.is_empty() && body.is_empty() && needed == "read" {
                    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
                    let link = client.link(method, path, query, "600", &[]);
                    let head =
                        format!("{method} {link} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", client.address);
                    assert_eq!(client.raw(&head, b"").status == 403, rank(held) < 1, "{held}: {method} {link}");
                }
            }
            assert_eq!(root.get("/secret/k").body, b"secret");
        }
    })
    .await;
    shared.server.stop().await.unwrap();
}

#[tokio::test]
async fn a_copy_needs_to_read_its_source() {
    let (shared, clients) = Shared::start(&[("ci", "models=write data=read")]).await;
    blocking(move || {
        let ci = &clients[1];
        let id = ci.send("POST", "/models/up?uploads=", &[], b"").element("UploadId").unwrap();
        let part = format!("/models/up?partNumber=1&uploadId={id}");
        for (source, allowed) in [
            ("/data/k", true),
            ("models/k", true),
            ("/secret/k", false),
            ("secret/k", false),
            ("/sec%72et/k", false),
            ("/absent/k", false),
        ] {
            for target in ["/models/copy", &part] {
                let answer = ci.send("PUT", target, &[("x-amz-copy-source", source)], b"");
                assert_eq!(answer.status, if allowed { 200 } else { 403 }, "{source} to {target}: {}", answer.text());
            }
        }
        assert_eq!(ci.send("PUT", "/data/copy", &[("x-amz-copy-source", "/models/k")], b"").status, 403);
    })
    .await;
    drop(shared);
}

#[tokio::test]
async fn a_listing_of_buckets_shows_what_may_be_read() {
    let (shared, clients) = Shared::start(&[("ci", "models=write s*=read"), ("none", "")]).await;
    blocking(move || {
        let listed = |client: &Client| {
            let text = client.get("/").text();
            text.split("<Name>")
                .skip(1)
                .map(|rest| rest.split("</Name>").next().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(listed(&clients[0]), ["data", "models", "secret"]);
        assert_eq!(listed(&clients[1]), ["models", "secret"]);
        assert!(listed(&clients[2]).is_empty());
        // Without the right to read, a caller does not learn whether a bucket exists.
        assert_eq!(clients[1].get("/absent?list-type=2").status, clients[1].get("/data?list-type=2").status);
        // Unsupported operations are refused for everyone.
        assert_eq!(clients[2].send("PUT", "/models?policy=", &[], b"{}").code(), "NotImplemented");
    })
    .await;
    drop(shared);
}

#[tokio::test]
async fn the_default_login_opens_nothing_and_the_owners_programs_go_on() {
    let (shared, _) = Shared::start(&[]).await;
    let default = Client::new(shared.server.local_addr());
    let (access_key, secret_key) = shared.server.owner_keys();
    let owner = default.signing_with(access_key, secret_key);
    blocking(move || {
        let refused = default.get("/models/k");
        assert_eq!((refused.status, refused.code()), (403, "InvalidAccessKeyId".into()));
        assert_eq!(owner.get("/models/k").body, b"models");
        assert_eq!(owner.signing_with("modeldepot-console", "minioadmin").get("/models/k").status, 403);
    })
    .await;
}

#[tokio::test]
async fn the_owners_secret_is_that_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let secret = |server: &Server| server.owner_keys().1.to_owned();
    let server = Server::start(config(folder.path())).await.unwrap();
    let first = secret(&server);
    server.stop().await.unwrap();
    let server = Server::start(config(folder.path())).await.unwrap();
    assert_eq!(secret(&server), first);
    let other = tempfile::tempdir().unwrap();
    let other = Server::start(config(other.path())).await.unwrap();
    assert_ne!(secret(&other), first);
    assert!(first.len() == 64 && !format!("{server:?}").contains(&first));
}

#[tokio::test]
async fn keys_come_and_go_while_the_server_runs() {
    let (shared, clients) = Shared::start(&[("ci", "models=read")]).await;
    let file = shared.file.clone();
    blocking(move || {
        let until = |client: &Client, status: u16| {
            while client.get("/models/k").status != status {
                std::thread::sleep(Duration::from_millis(50));
            }
        };
        let (root, ci) = (&clients[0], &clients[1]);
        until(ci, 200);
        let ana = add(&file, "ana", "models=read");
        let ana = ci.signing_with(&ana.access_key, ana.secret_key());
        until(&ana, 200);
        Keys::remove(&file, "ci").unwrap();
        until(ci, 403);
        assert_eq!(ana.get("/models/k").status, 200);
        // If the file cannot be used, nobody has access.
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, "ci broken\n").unwrap();
        until(&ana, 403);
        assert_eq!(root.get("/models/k").status, 403);
        std::fs::write(&file, text).unwrap();
        until(&ana, 200);
    })
    .await;
    drop(shared);
}

#[tokio::test]
async fn a_server_does_not_start_with_a_file_that_it_cannot_trust() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    let start = || async {
        let mut config = config(folder.path().join("data"));
        config.keys = Some(file.clone());
        match Server::start(config).await.unwrap_err() {
            Error::Keys(error) => error,
            other => panic!("{other}"),
        }
    };
    assert!(matches!(start().await, KeysError::Io { .. }));
    add(&file, "ci", "models=read");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, "ci minioadmin minioadmin *=admin\n").unwrap();
    assert!(matches!(start().await, KeysError::Line { line: 1, .. }));
    std::fs::write(&file, text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(start().await, KeysError::Open { mode: 0o640, .. }));
    }
}

#[tokio::test]
async fn a_key_that_may_write_cannot_delete_versions() {
    let (shared, clients) = Shared::start(&[("ci", "models=write"), ("keeper", "models=admin")]).await;
    blocking(move || {
        let [_, ci, keeper] = &clients[..] else { panic!("three") };
        let versioning = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        assert_eq!(ci.send("PUT", "/models?versioning=", &[], versioning.as_bytes()).status, 403);
        // Without versioning there is one version of everything, which a plain delete removes.
        assert_eq!(ci.send("DELETE", "/models/k?versionId=null", &[], b"").status, 204);
        set(keeper, "models", "Enabled");
        let first = id(&ci.put("/models/k", b"precious"));
        assert_eq!(ci.put("/models/k", b"overwritten").status, 200);
        assert_eq!(ci.send("DELETE", "/models/k", &[], b"").status, 204);
        let named = format!("/models/k?versionId={first}");
        let refused = ci.send("DELETE", &named, &[], b"");
        assert_eq!((refused.status, refused.code().as_str()), (403, "AccessDenied"));
        let body = format!("<Delete><Object><Key>k</Key><VersionId>{first}</VersionId></Object></Delete>");
        let listed = ci.send("POST", "/models?delete=", &[("content-md5", &md5_of(&body))], body.as_bytes());
        assert_eq!((listed.status, listed.code().as_str()), (200, "AccessDenied"));
        assert_eq!(ci.get(&named).text(), "precious");
        assert_eq!(keeper.send("DELETE", &named, &[], b"").status, 204);
        assert_eq!(ci.get(&named).code(), "NoSuchVersion");
    })
    .await;
    drop(shared);
}
