//! A full disk: a file system of 24 MiB, created for the test in a mount namespace that ends with the server.

#![cfg(target_os = "linux")]

use std::io::Write as _;
use std::path::PathBuf;

use crate::browsers::md5_of;
use crate::client::{Client, read};
use crate::serve::{Process, blocking, files};
use crate::versions::{id, set};

const SIZE: u64 = 24 << 20;

/// A server on a small file system, and its folder as seen by this process.
fn small() -> (Process, PathBuf, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mount = folder.path().join("small");
    std::fs::create_dir(&mount).unwrap();
    // Root mounts in a namespace of its own; other users need a user namespace first.
    let is_root = std::fs::metadata("/proc/self").map(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0).unwrap();
    let namespaces = if is_root { "--mount" } else { "--mount --map-root-user" };
    let script = format!(
        "exec unshare {namespaces} sh -c 'mount -t tmpfs -o size={SIZE} small {} && exec \"$0\" \"$@\"' \"$0\" \"$@\"",
        mount.display()
    );
    let server = Process::start_under(&["sh", "-c", &script], &mount.join("data"));
    let seen = PathBuf::from(format!("/proc/{}/root{}", server.id(), mount.display()));
    assert!(seen.join("data/format").exists(), "no small file system: this test mounts one, as root or with `unshare`");
    (server, seen, folder)
}

fn no_room(answer: &crate::client::Answer) {
    assert_eq!((answer.status, answer.code().as_str()), (507, "InsufficientStorage"), "{}", answer.text());
    assert!(answer.text().contains("disk is full"), "{}", answer.text());
}

#[tokio::test]
async fn a_full_disk_refuses_what_is_new_and_serves_the_rest() {
    blocking(|| {
        let (server, seen, _folder) = small();
        let client = server.client();
        let data = seen.join("data");
        // More than the disk holds: refused by the length, before the body is sent.
        let head = client.head("PUT", "/models/huge", &[("expect", "100-continue")], 100 << 20);
        let answer = client.raw(&head, b"");
        no_room(&answer);

        let body = |n: usize| vec![n as u8; 1 << 20];
        let mut kept = Vec::new();
        let refused = loop {
            let n = kept.len();
            let answer = client.put(&format!("/models/{n}"), &body(n));
            match answer.status {
                200 => kept.push(n),
                _ => break answer,
            }
            assert!(n < 24, "it never was full");
        };
        no_room(&refused);
        assert!(kept.len() > 10, "{}", kept.len());
        let begun = client.send("POST", "/models/parts?uploads=", &[], b"");
        if let Some(id) = begun.element("UploadId") {
            no_room(&client.put(&format!("/models/parts?partNumber=1&uploadId={id}"), &body(0)));
        }
        assert_eq!(files(&data), kept.len(), "nothing is half stored");

        // Another program takes the last byte.
        let filler = seen.join("filler");
        let mut file = std::fs::File::create(&filler).unwrap();
        while file.write(&[0; 4096]).is_ok_and(|written| written > 0) {}
        for n in &kept {
            assert!(client.get(&format!("/models/{n}")).body == body(*n));
        }
        no_room(&client.put("/models/small", b"x"));
        no_room(&client.put(&format!("/models/{}", kept[0]), b"another"));
        assert!(client.get(&format!("/models/{}", kept[0])).body == body(kept[0]), "it is as it was");

        // Deletes work without a free byte, one by one and in bulk.
        let (first, rest) = kept.split_at(3);
        for n in first {
            let answer = client.send("DELETE", &format!("/models/{n}"), &[], b"");
            assert_eq!(answer.status, 204, "{}", answer.text());
            assert_eq!(client.get(&format!("/models/{n}")).status, 404);
        }
        assert_eq!(files(&data), rest.len());
        // Freed space goes to the reserve first.
        drop(file);
        std::fs::remove_file(&filler).unwrap();
        assert_eq!(client.put("/models/again", &body(7)).status, 200);
        assert!(client.get("/models/again").body == body(7));

        // The next server finds all of it.
        drop(server);
    })
    .await;
}

#[tokio::test]
async fn delete_markers_need_room_and_deletes_for_good_do_not() {
    blocking(|| {
        let (server, seen, _folder) = small();
        let client = server.client();
        set(&client, "models", "Enabled");
        let versions: Vec<_> = (0..40).map(|n| id(&client.put(&format!("/models/{n}"), b"x"))).collect();
        let mut file = std::fs::File::create(seen.join("filler")).unwrap();
        while file.write(&[0; 4096]).is_ok_and(|written| written > 0) {}
        let list = |objects: &mut dyn Iterator<Item = String>| {
            let body = format!("<Delete>{}</Delete>", objects.collect::<String>());
            client.send("POST", "/models?delete=", &[("content-md5", &md5_of(&body))], body.as_bytes())
        };
        // A marker is another row of the index, and their number is unbounded.
        no_room(&client.send("DELETE", "/models/0", &[], b""));
        no_room(&list(&mut (0..500).map(|n| format!("<Object><Key>none{n}</Key></Object>"))));
        assert_eq!(client.get("/models/0").body, b"x");
        // More than are deleted in one transaction.
        let named = versions.iter().enumerate();
        let answer =
            list(&mut named.map(|(n, id)| format!("<Object><Key>{n}</Key><VersionId>{id}</VersionId></Object>")));
        assert_eq!((answer.status, answer.text().matches("<Deleted>").count()), (200, 40), "{}", answer.text());
        assert_eq!(files(&seen.join("data")), 0);
        drop(file);
        std::fs::remove_file(seen.join("filler")).unwrap();
        assert_eq!(client.send("DELETE", "/models/0", &[], b"").status, 204);
        assert_eq!(client.put("/models/again", b"x").status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_body_that_fills_the_disk_on_its_way_is_told_so() {
    blocking(|| {
        let (server, seen, _folder) = small();
        let client = server.client();
        let (head, mut seed) = client.signed_head(
            "PUT",
            "/models/stream",
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            &[("x-amz-decoded-content-length", "14680064")],
            "s3",
        );
        // 14 MiB fit now; then another program takes the space.
        let mut stream = client.connect().unwrap();
        let mut chunks: Vec<_> = (0..28).map(|_| seed.chunk(&[1; 512 << 10])).collect();
        chunks.push(seed.chunk(b""));
        let len: usize = chunks.iter().map(Vec::len).sum();
        stream.write_all(format!("{head}content-length: {len}\r\n\r\n").as_bytes()).unwrap();
        chunks[..4].iter().for_each(|chunk| stream.write_all(chunk).unwrap());
        let mut filler = std::fs::File::create(seen.join("filler")).unwrap();
        while filler.write(&[0; 4096]).is_ok_and(|written| written > 0) {}
        for chunk in &chunks[4..] {
            stream.write_all(chunk).unwrap();
        }
        no_room(&read(stream).unwrap());
        assert_eq!(files(&seen.join("data")), 0, "what was written of it is gone");
        assert_eq!(client.get("/models/stream").status, 404);
        drop(filler);
        std::fs::remove_file(seen.join("filler")).unwrap();
        assert_eq!(Client::new(server.address).put("/models/stream", b"x").status, 200);
    })
    .await;
}
