//! Silent and slow servers: the caller soon gets a clear error.

use std::time::{Duration, Instant};

use modeldepot::advice::Advice;
use modeldepot::{BucketName, Error, ErrorKind, S3Client, Settings, Timeouts};

use crate::backend::bytes;
use crate::misbehaving::{Act, Asked, Misbehaving};

/// The time-out for an answer. All other times derive from it.
const ANSWER: Duration = Duration::from_millis(300);

/// The total time for a small request, with a margin for a busy machine.
const SMALL: Duration = Duration::from_millis(300 * 5 / 2 + 1500);

fn bucket() -> BucketName {
    "models".parse().unwrap()
}

async fn client(server: &Misbehaving) -> S3Client {
    S3Client::connect(&server.settings(ANSWER)).await.unwrap()
}

/// Sends one small request of each kind.
async fn small(client: &S3Client, which: &str) -> Option<Error> {
    let bucket = &bucket();
    match which {
        "list" => client.list_objects(bucket, "p/").await.err(),
        "level" => client.list_level(bucket, "p/", None, 10).await.err(),
        "uploads" => client.list_multipart_uploads(bucket, "").await.err(),
        "head" => client.get_object_metadata(bucket, "k").await.err(),
        "bucket" => client.bucket_exists(bucket).await.err(),
        "get" => client.get_small(bucket, "k", 1 << 24).await.err(),
        "put" => client.put_small(bucket, "k", "body".into(), "text/plain").await.err(),
        "create" => client.put_if_absent(bucket, "k", "body".into(), "text/plain").await.err(),
        "delete" => client.delete_object(bucket, "k").await.err(),
        "delete many" => client.delete_objects(bucket, &["a".to_owned(), "b".to_owned()]).await.err(),
        "abort" => client.abort_multipart_upload(bucket, "k", "id").await.err(),
        "begin" => client.begin_multipart_upload(bucket, "k").await.err(),
        other => panic!("{other}"),
    }
}

const ALL: [&str; 12] =
    ["list", "level", "uploads", "head", "bucket", "get", "put", "create", "delete", "delete many", "abort", "begin"];

async fn each_ends_in_time(play: impl Fn(&Asked) -> Act + Send + Sync + 'static, among: &[&str]) -> Vec<Error> {
    let server = Misbehaving::alone(play).await;
    let client = client(&server).await;
    let mut errors = Vec::new();
    for which in among {
        let begun = Instant::now();
        let error = small(&client, which).await.unwrap_or_else(|| panic!("{which} cannot have succeeded"));
        assert!(begun.elapsed() < SMALL, "{which} took {:?}: {error:?}", begun.elapsed());
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{which}: {error:?}");
        errors.push(error);
    }
    errors
}

#[tokio::test]
async fn a_server_that_never_answers_is_named_soon() {
    let errors = each_ends_in_time(|_| Act::Silence, &ALL).await;
    for error in errors {
        assert!(matches!(error.advice(None), Some(Advice::CheckPort)), "{error:?}");
        let said = error.to_string();
        // The total time may end first on a busy machine.
        let within = ["300 ms", "750 ms"].iter().any(|time| said.contains(&format!("did not answer within {time}")));
        assert!(said.starts_with("`http://127.0.0.1:") && within, "{said}");
    }
}

#[tokio::test]
async fn a_body_that_stops_or_never_begins_ends_in_time() {
    let with_body = ["list", "level", "uploads", "get", "delete many"];
    each_ends_in_time(|_| Act::Stop(200, b"<".to_vec()), &with_body).await;
    each_ends_in_time(|_| Act::Stop(503, Vec::new()), &["list", "get"]).await;
}

#[tokio::test]
async fn a_body_that_trickles_ends_in_time() {
    each_ends_in_time(|_| Act::Trickle(ANSWER / 20), &["list", "uploads", "delete many"]).await;
    each_ends_in_time(|_| Act::Trickle(ANSWER / 20), &["get"]).await;
}

#[tokio::test]
async fn a_large_body_that_trickles_is_given_up() {
    let server = Misbehaving::alone(|asked| match asked.method.as_str() {
        "HEAD" => Act::Answer(200, vec![("etag", "\"e\"".to_owned())], vec![0; 8_000_000]),
        _ => Act::Trickle(ANSWER / 20),
    })
    .await;
    let (client, folder, begun) = (client(&server).await, tempfile::tempdir().unwrap(), Instant::now());
    let error = client.download_file(&bucket(), "k", &folder.path().join("f"), |_| {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(begun.elapsed() < ANSWER * 8 + ANSWER * 6 + Duration::from_secs(4), "{:?}", begun.elapsed());
    assert!(server.given() < 2000, "a byte now and then is no progress: {}", server.given());
}

#[tokio::test]
async fn a_server_that_takes_no_bytes_is_given_up() {
    let server = Misbehaving::alone(|asked| match asked.method.as_str() {
        "POST" => Act::Answer(
            200,
            Vec::new(),
            b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>".to_vec(),
        ),
        "PUT" => Act::Unread,
        _ => Act::Answer(204, Vec::new(), Vec::new()),
    })
    .await;
    let (client, folder) = (client(&server).await, tempfile::tempdir().unwrap());
    for size in [20 << 20, 6 << 20] {
        let (path, begun) = (folder.path().join("f"), Instant::now());
        std::fs::write(&path, bytes(size, 1)).unwrap();
        let error = client.upload_file(&path, &bucket(), "k", &Default::default(), |_| {}).await.unwrap_err();
        assert!(matches!(error.advice(None), Some(Advice::CheckPort)), "{error:?}");
        assert!(begun.elapsed() < ANSWER * 25 + Duration::from_secs(5), "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn work_on_what_was_sent_may_take_longer_than_a_small_answer() {
    let server = Misbehaving::alone(|asked| match asked.method.as_str() {
        "PUT" => {
            std::thread::sleep(ANSWER * 2);
            Act::Answer(200, vec![("etag", "\"e\"".to_owned())], Vec::new())
        }
        _ => Act::Answer(200, vec![("etag", "\"e\"".to_owned())], vec![0; 3]),
    });
    let server = server.await;
    let settings = server.settings(ANSWER);
    let done = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("f");
            std::fs::write(&path, b"abc").unwrap();
            let client = S3Client::connect(&settings).await.unwrap();
            client.upload_file(&path, &bucket(), "k", &Default::default(), |_| {}).await.map(drop)
        })
    });
    while !done.is_finished() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    done.join().unwrap().unwrap();
    assert_eq!(server.count("PUT", "/models/k"), 1);
}

/// Linux drops connection attempts to a full queue, like a firewall.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_connection_that_never_comes_about_ends_in_time() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let waiting: Vec<_> = (0..8).map(|_| tokio::spawn(tokio::net::TcpStream::connect(address))).collect();
    // The queue is full once the first of them are in it.
    while waiting.iter().filter(|connecting| connecting.is_finished()).count() < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut settings =
        Settings::from_variables(|name| (name == "S3_ENDPOINT").then(|| format!("http://{address}"))).unwrap();
    settings.timeouts = Timeouts::default().connect(Duration::from_millis(100)).answer(ANSWER);
    let (client, begun) = (S3Client::connect(&settings).await.unwrap(), Instant::now());
    let error = client.list_objects(&bucket(), "").await.unwrap_err();
    assert!(error.kind() == ErrorKind::Unavailable, "{error:?}");
    assert!(begun.elapsed() < SMALL, "{:?}", begun.elapsed());
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
}
