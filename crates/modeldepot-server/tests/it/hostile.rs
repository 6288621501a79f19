//! Whatever the URL, the answer is never that the service failed.

use hyper::Method;
use modeldepot_server::routes;
use serde_json::json;

use crate::place::{Place, form};
use crate::routes::path_of;

/// Parameters of all routes.
const NAMES: [&str; 20] = [
    "prefix",
    "next",
    "key",
    "as",
    "done",
    "page",
    "per_page",
    "sort",
    "filter",
    "version",
    "file",
    "expires",
    "stream",
    "q",
    "metric",
    "job",
    "published",
    "deleted",
    "left",
    "response-content-type",
];

/// Values that no page sends.
fn values() -> Vec<String> {
    let mut values: Vec<String> = [
        "%00",
        "a%00b",
        "%01",
        "%0D%0Ax-evil:%201",
        "%EF%BF%BE",
        "%EF%BF%BF",
        "%FF%FE",
        "%ED%A0%80",
        "%C0%80",
        "..%2F..%2Fx",
        "%2F",
        "-1",
        "99999999999999999999999",
        "%F0%9F%8C%B1",
        "%E2%80%AE",
        "%27%22%3E%3Cscript%3E",
        "%25",
        "%",
        "a%3E%3D",
        "%3D",
        "latest",
        "@",
        "",
        "%7F",
        "%C2%85",
        "nan",
        "%20",
    ]
    .map(str::to_owned)
    .to_vec();
    values.push("x".repeat(1100));
    values.push("%E9%9B%9B".repeat(1000));
    values
}

#[tokio::test(flavor = "multi_thread")]
async fn no_parameter_is_answered_with_a_failure_of_the_service() {
    let place = Place::new().await;
    place.push("m", "1", &[("f", b"x"), ("training_history.json", br#"{"loss": [1, 2]}"#)], json!({"a": 1})).await;
    place.storage.client().create_bucket(&"data".parse().unwrap()).await.unwrap();
    let mut failed = Vec::new();
    let ask = async |path: String| {
        let answer = place.get(&path).await;
        let status = answer.status.as_u16();
        (status >= 500).then(|| format!("{path:.100}: {status} {:.300}", String::from_utf8_lossy(&answer.body)))
    };
    for route in routes().into_iter().filter(|route| route.is_safe() && route.path != "/readyz") {
        for value in values() {
            for name in NAMES {
                failed.extend(ask(format!("{}?{name}={value}", path_of(&route))).await);
            }
            // Two parameters at once take other code paths.
            failed.extend(
                ask(format!("{}?prefix={value}&next={value}&version=1&version={value}", path_of(&route))).await,
            );
        }
    }
    assert!(failed.is_empty(), "{}: {}", failed.len(), failed[..failed.len().min(20)].join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_in_a_path_is_answered_with_a_failure_of_the_service() {
    let place = Place::new().await;
    place.push("m", "1", &[("f", b"x")], json!({})).await;
    let mut failed = Vec::new();
    for route in routes() {
        for value in values().into_iter().filter(|value| !value.is_empty() && value != "%") {
            for name in ["{model}", "{version}", "{*path}", "{id}", "{bucket}", "{what}", "{name}"] {
                if !route.path.contains(name) {
                    continue;
                }
                let path = path_of(&modeldepot_server::Route { path: route.path, ..route });
                let path = match name {
                    "{model}" => path.replacen("/m", &format!("/{value}"), 1),
                    _ => path_with(route.path, name, &value),
                };
                let method: Method = route.method.parse().unwrap();
                let answer = place.send(method, &path, &[("content-type", "application/json")], b"{}").await;
                let status = answer.status.as_u16();
                if status >= 500 {
                    failed.push(format!(
                        "{} {path:.100}: {status} {:.300}",
                        route.method,
                        String::from_utf8_lossy(&answer.body)
                    ));
                }
            }
        }
    }
    assert!(failed.is_empty(), "{}: {}", failed.len(), failed[..failed.len().min(20)].join("\n"));
}

/// Fills the parameters of a path, one of them with this value.
fn path_with(path: &'static str, name: &str, value: &str) -> String {
    let segments = path.split('/').map(|segment| match segment {
        segment if segment == name => value.to_owned(),
        "{model}" => "m".to_owned(),
        "{version}" => "1".to_owned(),
        "{bucket}" => "data".to_owned(),
        "{*path}" => "f".to_owned(),
        segment => segment.trim_matches(['{', '}']).to_owned(),
    });
    segments.collect::<Vec<_>>().join("/")
}

/// Listings are XML, which cannot express some characters: one such key would make all of them unreadable.
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_listings_cannot_show_are_not_made() {
    let place = Place::new().await;
    place.storage.client().create_bucket(&"data".parse().unwrap()).await.unwrap();
    for bad in ["a\u{1}", "\u{0}", "a/\u{fffe}/", "\u{7f}x\u{1b}"] {
        let (kind, body) = form(&[("prefix", None, bad.as_bytes()), ("file", Some("f"), b"x")]);
        let answer = place.send(Method::POST, "/buckets/data/upload", &[("content-type", &kind)], &body).await.is(400);
        let page = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(page.contains("control character") && !page.contains(bad), "{page}");
        // The same as a file name, in both ways.
        let (kind, body) = form(&[("file", Some(bad), b"x"), ("version", None, b"9")]);
        for path in ["/buckets/data/upload", "/api/v1/models/m/versions"] {
            place.send(Method::POST, path, &[("content-type", &kind)], &body).await.is(400);
        }
        let path = format!("/api/v1/models/m/versions/9/files/{}", crate::place::urlencoded(bad));
        place.send(Method::PUT, &path, &[], b"x").await.is(400);
    }
    assert!(place.storage.client().list_objects(&"data".parse().unwrap(), "").await.unwrap().is_empty());
    assert!(place.staged().is_empty());
    place.get("/buckets/data").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_parts_without_names_ends() {
    let place = Place::new().await;
    place.storage.client().create_bucket(&"data".parse().unwrap()).await.unwrap();
    let parts: Vec<(&str, Option<&str>, &[u8])> = vec![("file", Some(""), b""); 1001];
    let (kind, body) = form(&parts);
    let answer = place.send(Method::POST, "/buckets/data/upload", &[("content-type", &kind)], &body).await.is(400);
    let page = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(page.contains("there are more than 1000 files"), "{page}");
}

/// A manifest in the bucket may hold strings of any size. No problem document, page or log line repeats one.
#[tokio::test(flavor = "multi_thread")]
async fn no_answer_repeats_what_a_manifest_is_full_of() {
    let place = Place::new().await;
    place.push("good", "1", &[("f", b"x")], json!({})).await;
    let client = place.storage.client();
    let good = client.get_small(place.storage.bucket(), "good/v1/manifest.json", 1 << 20).await.unwrap().unwrap();
    let good: serde_json::Value = serde_json::from_slice(&good).unwrap();
    let long = "A".repeat(3_000_000);
    for field in ["created_at", "checksum", "model_file", "format_version", "files", "version", "history"] {
        let model = field.replace('_', "-");
        let mut manifest = good.clone();
        manifest["model_name"] = model.as_str().into();
        manifest["model_file"] = format!("{model}/v1/f").into();
        manifest[field] = long.as_str().into();
        let (key, body) = (format!("{model}/v1/manifest.json"), manifest.to_string().into());
        client.put_small(place.storage.bucket(), &key, body, "application/json").await.unwrap();
        let problem = place.get(&format!("/api/v1/models/{model}/versions/1")).await.is(502);
        assert_eq!(problem.json()["kind"], "corrupt");
        assert!(problem.body.len() < 3000, "{field}: {} bytes", problem.body.len());
        for path in [format!("/models/{model}/versions/1"), format!("/models/{model}"), "/".to_owned()] {
            let page = place.get(&path).await;
            assert!(page.body.len() < 50_000, "{field} {path}: {} bytes", page.body.len());
        }
    }
}

/// What is sent is not sent back in full either.
#[tokio::test(flavor = "multi_thread")]
async fn no_problem_is_longer_than_a_few_kilobytes() {
    let place = Place::new().await;
    let long = "x".repeat(30_000);
    for path in [
        format!("/nowhere/{long}"),
        format!("/api/v1/models/m/versions?filter={long}"),
        format!("/api/v1/models/m/versions?{long}=1"),
        format!("/api/v1/models/{long}/versions"),
    ] {
        let answer = place.get(&path).await;
        assert!(answer.status.is_client_error() && answer.body.len() < 4000, "{} bytes", answer.body.len());
    }
}
