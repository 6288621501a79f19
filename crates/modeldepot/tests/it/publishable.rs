//! Every accepted push can be read again; a refused one leaves nothing behind.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use modeldepot::{ArtifactPath, Error, ErrorKind, Offer, OfferedFile, Progress, Pull, Push, Source};
use proptest::prelude::*;
use serde_json::{Map, Value};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::backend::{Backend, bytes};

/// An arbitrary push.
#[derive(Debug, Clone)]
struct Wish {
    paths: Vec<String>,
    main: Option<usize>,
    history: Option<usize>,
    metadata: Map<String, Value>,
    executable: bool,
}

fn any_segment() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-c]{1,2}",
        2 => prop::sample::select(&[
            "manifest.json", "MANIFEST.json", ".modeldepot-x.part", ".env", "..", ".", "", "a ", " a", "a.", "con", "%2F",
            "a+b", "a&b<c>\"'", "\u{feff}", "\u{202e}gpj", "\u{fffe}", "e\u{301}", "é", "🌱", "~", "*", "?", "a:b", "-rf",
            "v1", "model.safetensors", "optimizer.pt", "\u{85}", "\u{2028}",
        ][..]).prop_map(str::to_owned),
        1 => (200..300_usize).prop_map(|length| "x".repeat(length)),
        1 => "\\PC{1,6}",
    ]
}

fn any_path() -> impl Strategy<Value = String> {
    prop::collection::vec(any_segment(), 1..4).prop_map(|segments| segments.join("/"))
}

fn any_metadata() -> impl Strategy<Value = Map<String, Value>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    let plain = prop::collection::btree_map(any::<String>(), value, 0..4).prop_map(|map| map.into_iter().collect());
    let deep = (50..200_usize).prop_map(|depth| {
        let nest =
            |inner, level| if level % 2 == 0 { Value::Array(vec![inner]) } else { serde_json::json!({"a": inner}) };
        Map::from_iter([("deep".to_owned(), (0..depth).fold(Value::from(1), nest))])
    });
    prop_oneof![4 => plain, 1 => deep]
}

fn any_wish() -> impl Strategy<Value = Wish> {
    let paths = prop::collection::vec(any_path(), 0..5);
    (paths, prop::option::of(0..5_usize), prop::option::of(0..5_usize), any_metadata(), any::<bool>())
        .prop_map(|(paths, main, history, metadata, executable)| Wish { paths, main, history, metadata, executable })
}

fn request(b: &Backend, wish: &Wish, version: &str) -> Result<Push, Error> {
    let mut files = Vec::new();
    for (number, path) in wish.paths.iter().enumerate() {
        let local = b.file(&format!("in-{version}/{number}"), path.as_bytes());
        #[cfg(unix)]
        if wish.executable {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&local, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        files.push((path.parse::<ArtifactPath>()?, local));
    }
    let named = |at: Option<usize>| at.and_then(|at| wish.paths.get(at)).map(|path| path.parse::<ArtifactPath>());
    let (main, history) = (named(wish.main).transpose()?, named(wish.history).transpose()?);
    let source = Source::from_files(main.as_ref(), history.as_ref(), files)?;
    let push = Push::new("m".parse()?, source).version(version.parse()?).metadata(wish.metadata.clone());
    Ok(push.tool("test").md5(wish.executable))
}

/// Makes the push, or checks that it is refused before anything was sent.
async fn tried(b: &Backend, wish: &Wish, version: &str) -> bool {
    let before = b.keys().await;
    let pushed = match request(b, wish, version) {
        Ok(push) => b.storage.push(push, &Progress::none()).await,
        Err(error) => Err(error),
    };
    let published = match pushed {
        Ok(published) => published,
        Err(error) => {
            assert_eq!(
                error.kind(),
                if error.to_string().ends_with("is not among the files") {
                    ErrorKind::NotFound
                } else {
                    ErrorKind::Invalid
                },
                "{error:?}"
            );
            assert_eq!(b.keys().await, before, "{wish:?}: {error}");
            return false;
        }
    };
    let folder = b.path(&format!("out-{version}"));
    // Names such as `.env` can be published by naming them, and pulled with `force`.
    let pull = Pull::new(format!("m@{version}").parse().unwrap(), folder).force(true);
    let fetched = b.storage.pull(&pull, &Progress::none()).await.unwrap();
    assert_eq!(fetched.manifest, published.manifest);
    assert_eq!(fetched.manifest.metadata, wish.metadata);
    assert_eq!(fetched.files, wish.paths.len());
    for path in &wish.paths {
        let there = std::fs::read(b.path(&format!("out-{version}")).join(path)).unwrap();
        assert_eq!(there, path.as_bytes(), "{path:?}");
    }
    assert!(b.storage.verify(&format!("m@{version}").parse().unwrap(), &Progress::none()).await.is_ok());
    true
}

#[test]
fn what_is_accepted_comes_back_and_what_is_refused_leaves_nothing() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let b = runtime.block_on(Backend::embedded());
    let number = std::cell::Cell::new(0);
    let counted = std::cell::RefCell::new(BTreeMap::<bool, u32>::new());
    let config =
        ProptestConfig { cases: 96, max_shrink_iters: 60, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let outcome = runner.run(&any_wish(), |wish| {
        number.set(number.get() + 1);
        let good = runtime.block_on(tried(&b, &wish, &number.get().to_string()));
        *counted.borrow_mut().entry(good).or_default() += 1;
        Ok(())
    });
    outcome.unwrap();
    let counted = counted.into_inner();
    assert!(counted.len() == 2 && counted.values().all(|count| *count > 10), "both happen: {counted:?}");
}

/// Inputs that were once published but could not be read.
pub(crate) async fn what_nobody_could_read_is_not_sent(b: Backend) {
    let wish =
        Wish { paths: vec!["m.bin".to_owned()], main: None, history: None, metadata: Map::new(), executable: false };
    let paths = |paths: &[&str]| Wish { paths: paths.iter().map(|path| (*path).to_owned()).collect(), ..wish.clone() };
    let nested = |depth: usize| {
        let deep = (1..depth).fold(Value::from(1), |inner, _| Value::Array(vec![inner]));
        Wish { metadata: Map::from_iter([("deep".to_owned(), deep)]), ..wish.clone() }
    };
    let long = "x".repeat(256);
    for (number, (wish, good)) in [
        (paths(&["logs", "logs/x"]), false),
        (paths(&["a/b", "a/b/c/d"]), false),
        (paths(&["manifest.json/x", "y"]), false),
        (paths(&["Manifest.json"]), false),
        (paths(&[&long]), false),
        (paths(&["a", "a"]), false),
        (paths(&[]), false),
        (paths(&["a/manifest.json", "a b/c", "a+b/ü"]), true),
        (nested(64), true),
        (nested(65), false),
        (nested(126), false),
        (nested(1000), false),
        (Wish { history: Some(0), ..wish.clone() }, true),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(tried(&b, &wish, &format!("{number}")).await, good, "{number}");
    }
    // Too many bytes: each path is valid, but the manifest is too large.
    let empty = b.file("empty", b"");
    let files = (0..110_000).map(|n| (format!("{n:0>250}/{n:0>250}").parse().unwrap(), empty.clone()));
    let before = b.keys().await;
    let mut push = request(&b, &wish, "large").unwrap();
    push.source = Source::from_files(None, None, files).unwrap();
    let error = b.storage.push(push, &Progress::none()).await.unwrap_err();
    assert!(error.to_string().contains("would be unreadable") && error.kind() == ErrorKind::Invalid, "{error:?}");
    assert_eq!(b.keys().await, before);
}

/// The same rules apply to programs that send the parts themselves.
pub(crate) async fn what_nobody_could_read_is_not_begun(b: Backend) {
    let offer = |paths: &[&str], depth: usize| {
        let files = paths.iter().map(|path| OfferedFile::new(path.parse().unwrap(), 3));
        let deep = (0..depth).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
        let metadata = Map::from_iter([("a".to_owned(), deep)]);
        Offer::new("m".parse().unwrap(), files).version("1".parse().unwrap()).metadata(metadata).tool("test")
    };
    let absent = offer(&["m.bin"], 0).history("history.json".parse().unwrap());
    for refused in
        [offer(&["a", "a/b"], 0), offer(&["a"], 64), offer(&[], 0), offer(&["optimizer.pt", "scaler.pt"], 0), absent]
    {
        b.storage.begin_upload(refused).await.unwrap_err();
    }
    assert_eq!(b.keys().await, [""; 0]);
}

/// The time and the version come from the server, whatever this machine's clock says, and need no extra request.
pub(crate) async fn the_time_is_the_servers(b: Backend) {
    let file = b.file("m.bin", &bytes(100, 1));
    let mut push = crate::backend::push("m", None, &file, &[]);
    push.created = None;
    let published = b.storage.push(push, &Progress::none()).await.unwrap();
    let key = format!("m/v{}/manifest.json", published.manifest.version);
    let stored = b.client().get_object_metadata(b.bucket(), &key).await.unwrap().modified.unwrap();
    let created = published.manifest.created_at.unwrap();
    assert!((stored - created).abs() <= time::Duration::seconds(2), "{created} {stored}");
    assert_eq!(created.nanosecond(), 0, "the server tells seconds");
    let version = modeldepot::Version::at(created);
    assert!(published.manifest.version <= version, "{} {version}", published.manifest.version);
}

/// How far the server's clock is ahead. Signatures tolerate fifteen minutes.
const AHEAD: time::Duration = time::Duration::minutes(10);

/// Forwards everything but changes the server's time; returns the address, and records the requests.
async fn ahead_of_time(endpoint: &str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, server) = (listener.local_addr().unwrap(), endpoint.trim_start_matches("http://").to_owned());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (server, noted) = (TcpStream::connect(&server).await.unwrap(), Arc::clone(&noted));
            let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
                (client.into_split(), server.into_split());
            tokio::spawn(async move {
                let mut buffer = vec![0; 1 << 16];
                while let Ok(n @ 1..) = from_client.read(&mut buffer).await {
                    let line =
                        String::from_utf8_lossy(&buffer[..n.min(200)]).lines().next().unwrap_or_default().to_owned();
                    if line.contains(" HTTP/1.1") || line.starts_with("HEAD ") {
                        noted.lock().unwrap().push(line);
                    }
                    to_server.write_all(&buffer[..n]).await.unwrap();
                }
            });
            tokio::spawn(async move {
                let mut buffer = vec![0; 1 << 16];
                while let Ok(n @ 1..) = from_server.read(&mut buffer).await {
                    if let Some(at) =
                        buffer[..n].windows(8).position(|window| window.eq_ignore_ascii_case(b"\r\ndate: "))
                    {
                        let form = time::macros::format_description!(
                            "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
                        );
                        let moved = (time::OffsetDateTime::now_utc() + AHEAD).format(form).unwrap();
                        buffer[at + 8..at + 8 + moved.len()].copy_from_slice(moved.as_bytes());
                    }
                    if to_client.write_all(&buffer[..n]).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    (format!("http://{address}"), requests)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clock_of_this_machine_does_not_count() {
    let b = Backend::embedded().await;
    let (endpoint, requests) = ahead_of_time(&b.settings.endpoint.as_ref().unwrap().to_string()).await;
    let settings = b.settings.clone().endpoint(endpoint.parse().unwrap());
    let storage = modeldepot::ModelStorage::open(&settings).await.unwrap();
    let file = b.file("m.bin", &bytes(100, 1));
    let push = || {
        let mut push = crate::backend::push("m", None, &file, &[]);
        push.created = None;
        push
    };
    // The server is first probed, once.
    storage.push(push(), &Progress::none()).await.unwrap();
    requests.lock().unwrap().clear();
    let manifest = storage.push(push(), &Progress::none()).await.unwrap().manifest;
    let created = manifest.created_at.unwrap();
    let ahead = created - time::OffsetDateTime::now_utc();
    assert!((ahead - AHEAD).abs() < time::Duration::minutes(2), "{ahead}");
    let earliest = modeldepot::Version::at(created - time::Duration::minutes(2));
    assert!(manifest.version > earliest, "{} {earliest}", manifest.version);
    let asked = format!("HEAD /{}", b.bucket());
    let noted = requests.lock().unwrap().clone();
    let only_for_the_time = |line: &&String| {
        let rest = line.strip_prefix(&asked).map(|rest| rest.trim_start_matches('/'));
        rest.is_some_and(|rest| rest.starts_with([' ', '?']))
    };
    assert!(noted.len() > 5, "{noted:?}");
    assert_eq!(noted.iter().filter(only_for_the_time).count(), 0, "{noted:#?}");
}
