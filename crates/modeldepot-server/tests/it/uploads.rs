//! Publishing in three steps, with the data sent directly to the S3 endpoint.

use std::time::Duration;

use hyper::Method;
use modeldepot_embedded::{Fault, Faults};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::place::{Place, bytes, send, until};

const UPLOADS: &str = "/api/v1/models/plant/uploads";

/// Sends parts to the URLs from the service.
async fn send_parts(place: &Place, id: &str, path: &str, parts: &[u64], bytes: &[u8], part_size: usize) {
    let asked = json!({"path": path, "parts": parts});
    let told = place.post(&format!("/api/v1/uploads/{id}/parts"), &asked).await.is(200).json();
    for part in told["parts"].as_array().unwrap() {
        let url: url::Url = part["url"].as_str().unwrap().parse().unwrap();
        let s3 = url.socket_addrs(|| None).unwrap()[0];
        let number = part["part"].as_u64().unwrap() as usize;
        let bytes = &bytes[(number - 1) * part_size..(number * part_size).min(bytes.len())];
        assert_eq!(part["size"], bytes.len());
        let signed = format!("{}?{}", url.path(), url.query().unwrap());
        let host = url.authority().to_owned();
        send(s3, Method::PUT, &signed, &[("host", &host)], bytes).await.is(200);
    }
}

pub(crate) async fn three_steps(place: Place) {
    let large = bytes((8 << 20) + 3);
    let digest = blake3::hash(&large).to_hex().to_string();
    let files = json!([
        {"path": "model.bin", "size": large.len(), "blake3": digest},
        {"path": "config.json", "size": 2},
        {"path": "empty", "size": 0},
    ]);
    let asked = json!({"version": "1", "metadata": {"val_accuracy": 0.9}, "files": files, "history": "config.json"});
    let begun = place.post(UPLOADS, &asked).await.is(201);
    let upload = begun.json();
    let id = upload["id"].as_str().unwrap();
    assert_eq!(begun.header("location"), format!("/api/v1/uploads/{id}"));
    assert_eq!((&upload["files"][0]["part_size"], &upload["files"][0]["parts"]), (&json!(8 << 20), &json!(2)));
    assert_eq!(upload["files"][2]["parts"], 0);
    place.get("/api/v1/models/plant/versions/1").await.is(404);
    let busy = place.post(UPLOADS, &asked).await.is(409).json();
    assert!(busy["detail"].as_str().unwrap().contains("is being pushed by modeldepot-server"), "{busy}");

    send_parts(&place, id, "model.bin", &[2], &large, 8 << 20).await;
    send_parts(&place, id, "config.json", &[1], b"{}", 8 << 20).await;
    let complete = format!("/api/v1/uploads/{id}/complete");
    let early = place.post(&complete, &Value::Null).await.is(409).json();
    assert_eq!(early["detail"], "part 1 of `model.bin` must have 8388608 bytes and was not sent");
    send_parts(&place, id, "model.bin", &[1], &large, 8 << 20).await;
    let published = place.post(&complete, &Value::Null).await.is(201).json();
    assert_eq!((&published["version"], &published["files"]), (&json!("1"), &json!(3)));
    let fetched = place.get("/api/v1/models/plant/versions/1/files/model.bin?stream").await.is(200);
    assert!(fetched.body == large);
    assert_eq!(fetched.header("etag"), format!("\"{digest}\""));
    let selector = "plant@1".parse().unwrap();
    let verified = place.storage.verify(&selector, &modeldepot::Progress::none()).await.unwrap();
    assert_eq!((verified.files, verified.unverified.len()), (3, 0));
    place.post(&complete, &Value::Null).await.is(404);
    let found = place.storage.fsck(None, false).await.unwrap();
    assert!(found.faults.is_empty(), "{found:?}");
    let left = place.storage.client().list_objects(place.storage.bucket(), ".depot/leases/").await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn begin_parts_complete() {
    three_steps(Place::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_bytes_than_were_announced_are_not_published() {
    let place = Place::new().await;
    let digest = blake3::hash(b"weights").to_hex().to_string();
    let asked = json!({"version": "1", "files": [{"path": "m", "size": 7, "blake3": digest}]});
    let upload = place.post(UPLOADS, &asked).await.is(201).json();
    let id = upload["id"].as_str().unwrap();
    send_parts(&place, id, "m", &[1], b"WEIGHTS", 8 << 20).await;
    let refused = place.post(&format!("/api/v1/uploads/{id}/complete"), &Value::Null).await.is(409).json();
    assert!(
        refused["detail"].as_str().unwrap().starts_with("`m` is not what was announced: its BLAKE3 is"),
        "{refused}"
    );
    place.get("/api/v1/models/plant/versions/1").await.is(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_given_up_leaves_nothing() {
    let place = Place::new().await;
    let asked = json!({"files": [{"path": "m", "size": 7}]});
    let upload = place.post(UPLOADS, &asked).await.is(201).json();
    let id = upload["id"].as_str().unwrap();
    place.post(&format!("/api/v1/uploads/{id}/parts"), &json!({"path": "m", "parts": [2]})).await.is(404);
    place.post(&format!("/api/v1/uploads/{id}/parts"), &json!({"path": "n", "parts": [1]})).await.is(404);
    send_parts(&place, id, "m", &[1], b"weights", 8 << 20).await;
    place.send(Method::DELETE, &format!("/api/v1/uploads/{id}"), &[], b"").await.is(204);
    place.send(Method::DELETE, &format!("/api/v1/uploads/{id}"), &[], b"").await.is(404);
    let (client, bucket) = (place.storage.client(), place.storage.bucket());
    assert!(client.list_multipart_uploads(bucket, "").await.unwrap().is_empty());
    let keys: Vec<_> = client.list_objects(bucket, "").await.unwrap().into_iter().map(|object| object.key).collect();
    assert!(keys.iter().all(|key| key == ".depot/probe.json"), "{keys:?}");
    for bad in [
        json!({"files": []}),
        json!({"files": [{"path": "../m", "size": 1}]}),
        json!({"files": [{"path": "m", "size": -1}]}),
        json!({"files": [{"path": "m", "size": 1}, {"path": "m", "size": 1}]}),
        json!({"file": 1}),
    ] {
        let refused = place.post(UPLOADS, &bad).await;
        assert!([400, 409].contains(&refused.status.as_u16()), "{refused:?}");
    }
}

/// Waits until there is no lease.
async fn no_lease(place: &Place) {
    let (client, bucket) = (place.storage.client(), place.storage.bucket());
    until("a bucket without leases", async || client.list_objects(bucket, ".depot/leases/").await.unwrap().is_empty())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_wait_leaves_no_lease_and_no_parts() {
    // Putting the lease and listing take a random time each.
    let slow = Faults::new(1).with(Fault::Delay, 1.0).only("leases").longest_delay(Duration::from_secs(1));
    let place = Place::failing(Some(slow), |_| {}).await;
    place.storage.probe().await.unwrap();
    let body = json!({"version": "1", "files": [{"path": "m", "size": 7}]}).to_string();
    let head = format!(
        "POST {UPLOADS} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let s3 = place.s3.as_ref().unwrap();
    let asked = |method: &str| s3.faults_hit().iter().filter(|hit| hit.request.starts_with(method)).count();
    for clients in 1..=3 {
        let mut stream = TcpStream::connect(place.address()).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        // The client goes away while its lease is being put.
        until("the lease", async || asked("PUT") >= clients).await;
    }
    until("the end of each lease", async || asked("DELETE") >= 3).await;
    s3.heal();
    no_lease(&place).await;
    let left = place.storage.client().list_multipart_uploads(place.storage.bucket(), "").await.unwrap();
    assert!(left.is_empty(), "{left:?}");
    place.post(UPLOADS, &json!({"version": "1", "files": [{"path": "m", "size": 7}]})).await.is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_end_with_their_service() {
    let place = Place::new().await;
    place.post(UPLOADS, &json!({"version": "1", "files": [{"path": "m", "size": 7}]})).await.is(201);
    let Place { storage, server, s3, folder } = place;
    server.stop().await;
    let (client, bucket) = (storage.client(), storage.bucket());
    assert!(client.list_objects(bucket, ".depot/leases/").await.unwrap().is_empty());
    assert!(client.list_multipart_uploads(bucket, "").await.unwrap().is_empty());
    drop((s3, folder));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_frees_what_it_had_staged() {
    let place = Place::new().await;
    let staged = || place.staged().len();
    let forms = [
        "PUT /api/v1/models/m/versions/1/files/f HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n123"
            .to_owned(),
        {
            let part = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n123";
            format!(
                "POST /api/v1/models/m/versions HTTP/1.1\r\nhost: localhost\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: 1000\r\n\r\n{part}"
            )
        },
    ];
    for form in forms {
        let mut stream = TcpStream::connect(place.address()).await.unwrap();
        stream.write_all(form.as_bytes()).await.unwrap();
        until("a staged file", async || staged() == 1).await;
        drop(stream);
        until("the end of the staged file", async || staged() == 0).await;
    }
    no_lease(&place).await;
}

/// Records in the bucket that the server obeys an unsigned copy source.
async fn unsafe_server(change: impl FnOnce(&mut modeldepot_server::Config)) -> Place {
    let place = Place::with(change).await;
    place.storage.probe().await.unwrap();
    let (client, bucket) = (place.storage.client(), place.storage.bucket());
    let record = client.get_small(bucket, ".depot/probe.json", 1 << 20).await.unwrap().unwrap();
    let mut record: Value = serde_json::from_slice(&record).unwrap();
    assert!(record["unsigned_headers"].is_string(), "{record}");
    record["unsigned_headers"] = json!("copied");
    client.put_small(bucket, ".depot/probe.json", record.to_string().into(), "application/json").await.unwrap();
    place
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_url_would_copy_other_objects_none_is_handed_out() {
    let asked = json!({"version": "1", "files": [{"path": "m", "size": 7}]});
    let place = unsafe_server(|_| {}).await;
    let refused = place.post(UPLOADS, &asked).await.is(403).json();
    let detail = refused["detail"].as_str().unwrap().replace(place.storage.client().endpoint(), "$ENDPOINT");
    insta::assert_snapshot!(detail, @"upload URLs are not safe at `$ENDPOINT`: the server obeys unsigned headers, so anyone with such a URL can copy any object that its signer can read");
    insta::assert_snapshot!(refused["hint"].as_str().unwrap(), @"publish with a form, or with the `modeldepot` command if it is too large for one; or start the service with `--allow-unsafe-upload-urls`, if everyone who may publish may also read every object that the service can read");
    no_lease(&place).await;
    // No URL is issued for uploads through the service.
    place.send(Method::PUT, "/api/v1/models/plant/versions/1/files/m", &[], b"weights").await.is(201);

    let place = unsafe_server(|config| config.unsafe_upload_urls = true).await;
    let upload = place.post(UPLOADS, &asked).await.is(201).json();
    let parts = format!("/api/v1/uploads/{}/parts", upload["id"].as_str().unwrap());
    place.post(&parts, &json!({"path": "m", "parts": [1]})).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completion_that_the_server_did_not_answer_is_repeated() {
    for broken in ["PUT /models/plant/v1/manifest.json", "POST /models/plant/v1/n?uploadId"] {
        let fault = Faults::new(1).with(Fault::Unavailable, 1.0).only(broken);
        let place = Place::failing(Some(fault), |config| {
            config.settings.timeouts.answer = Duration::from_millis(400);
            config.settings.buckets.models = "models".parse().unwrap();
        })
        .await;
        place.storage.client().create_bucket(&"models".parse().unwrap()).await.unwrap();
        let asked = json!({"version": "1", "files": [{"path": "m", "size": 7}, {"path": "n", "size": 7}]});
        let upload = place.post(UPLOADS, &asked).await.is(201).json();
        let id = upload["id"].as_str().unwrap();
        send_parts(&place, id, "m", &[1], b"weights", 8 << 20).await;
        send_parts(&place, id, "n", &[1], b"weights", 8 << 20).await;
        let complete = format!("/api/v1/uploads/{id}/complete");
        for _ in 0..2 {
            place.post(&complete, &Value::Null).await.is(503);
        }
        place.s3.as_ref().unwrap().heal();
        place.post(&complete, &Value::Null).await.is(201);
        place.get("/api/v1/models/plant/versions/1/files/n").await.is(200);
        place.post(&complete, &Value::Null).await.is(404);
    }
}

/// The error for a body says what is wrong and where, and quotes little of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_match_is_refused_with_the_reason() {
    let place = Place::new().await;
    let reason = async |body: &str| {
        let headers = [("content-type", "application/json")];
        let answer = place.send(Method::POST, UPLOADS, &headers, body.as_bytes()).await.is(400);
        assert!(answer.body.len() < 3000, "{} bytes", answer.body.len());
        let problem = answer.json();
        assert_eq!(problem["detail"], "the body does not match the expected JSON");
        problem["causes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|cause| cause.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
            .join("; ")
    };
    for (body, said) in [
        ("{", "EOF while parsing an object at line 1 column 1"),
        ("", "EOF while parsing a value"),
        ("{}", "missing field `files`"),
        (r#"{"files": 3}"#, "invalid type: integer `3`, expected a sequence"),
        (r#"{"files": [], "color": "red"}"#, "unknown field `color`"),
        (r#"{"files": [{"path": "a", "size": -1}]}"#, "expected a whole number"),
        (
            r#"{"files": [{"path": "a", "size": 1}, {"path": 7, "size": 1}]}"#,
            "files[1].path: invalid type: integer `7`",
        ),
    ] {
        let reason = reason(body).await;
        assert!(reason.contains(said), "{body}: {reason}");
    }
    let long = "x".repeat(900_000);
    assert!(reason(&format!(r#"{{"files": "{long}"}}"#)).await.contains("at line 1 column 900"));
    let said = reason(&format!(r#"{{"{long}": 1}}"#)).await;
    assert!(said.contains("xxx…xxx") && said.contains("expected one of `"), "{said}");
    assert!(reason("{\"a\\nhint: b\": 1}").await.contains("unknown field `a\\nhint: b`"));
}
