//! Read requests write nothing to the bucket, for any caller.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::Method;
use modeldepot_embedded::{Fault, Faults};
use modeldepot_server::{Check, Doctor, Outcome, Scope, Tokens, routes};
use serde_json::json;

use crate::place::Place;
use crate::routes::path_of;

/// A plan without faults that records all requests.
fn recorder() -> Faults {
    Faults::new(1).with(Fault::Delay, 1.0).longest_delay(Duration::ZERO)
}

/// Returns the requests that change something.
fn writes(place: &Place) -> Vec<String> {
    let hits = place.s3.as_ref().unwrap().faults_hit();
    let requests = hits.into_iter().map(|hit| hit.request);
    requests.filter(|request| !request.starts_with("GET ") && !request.starts_with("HEAD ")).collect()
}

fn check(name: &'static str) -> Check {
    Check {
        name,
        outcome: Outcome::Good,
        tried: String::new(),
        found: "found".to_owned(),
        details: Vec::new(),
        change: None,
        took: Duration::ZERO,
    }
}

/// A doctor, and counters of how often it looked and probed.
fn doctor() -> (Doctor, Arc<[AtomicUsize; 2]>) {
    let count: Arc<[AtomicUsize; 2]> = Arc::default();
    let of = |index: usize, name| {
        let count = Arc::clone(&count);
        move || {
            count[index].fetch_add(1, Ordering::SeqCst);
            async move { vec![check(name)] }
        }
    };
    (Doctor::new(of(0, "looked"), of(1, "probed by writing")), Arc::clone(&count))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_reads_writes_nothing() {
    for read_only in [false, true] {
        let (doctor, count) = doctor();
        let place = Place::failing(Some(recorder()), |config| {
            config.read_only = read_only;
            config.doctor = Some(doctor);
        })
        .await;
        place.push("m", "1", &[("f", b"x"), ("training_history.json", br#"{"loss": [1, 2]}"#)], json!({"a": 1})).await;
        place.storage.client().create_bucket(&"data".parse().unwrap()).await.unwrap();
        let before = writes(&place).len();
        assert!(before > 0, "the recorder sees writes");
        let cross_site = [("sec-fetch-site", "cross-site"), ("sec-fetch-dest", "image")];
        for route in routes().into_iter().filter(|route| route.is_safe()) {
            for query in ["", "?key=x", "?stream", "?version=1&version=1", "?file=f&expires=60", "?prefix=x&q=1"] {
                let path = path_of(&route) + query;
                place.send(Method::GET, &path, &cross_site, b"").await;
                place.send(Method::HEAD, &path, &cross_site, b"").await;
            }
        }
        // Verifying only reads as well.
        let job = place.post("/api/v1/models/m/versions/1/verify", &json!({})).await.is(202).json();
        let job = format!("/api/v1/jobs/{}", job["id"].as_str().unwrap());
        while place.get(&job).await.is(200).json()["state"] == "running" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let wrote = writes(&place);
        assert_eq!(wrote[before..], Vec::<String>::new()[..], "read-only: {read_only}");
        assert!(count[0].load(Ordering::SeqCst) > 0, "the page looks");
        assert_eq!(count[1].load(Ordering::SeqCst), 0, "the page does not probe");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_is_asked_for_by_somebody_who_may_publish() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let [read, publish] = [Scope::Read, Scope::Publish].map(|scope| Tokens::add(&file, scope.as_str(), scope).unwrap());
    let (doctor, count) = doctor();
    let place = Place::with(|config| {
        config.tokens = Some(file.clone());
        config.doctor = Some(doctor);
    })
    .await;
    let ask = async |method: Method, path: &str, token: &str| {
        place.send(method, path, &[("authorization", &format!("Bearer {token}"))], b"").await
    };
    let page =
        async |token: &str| String::from_utf8(ask(Method::GET, "/health", token).await.is(200).body.into()).unwrap();
    let first = page(&publish).await;
    assert!(first.contains("Not probed since") && first.contains("looked") && !first.contains("probed by writing"));
    assert!(first.contains("action=\"/health/probe\"") && !page(&read).await.contains("action=\"/health/probe\""));
    ask(Method::POST, "/health/probe", &read).await.is(403);
    assert_eq!(count[1].load(Ordering::SeqCst), 0);
    ask(Method::POST, "/health/probe", &publish).await.is(303);
    assert_eq!(count[1].load(Ordering::SeqCst), 1);
    assert!(page(&read).await.contains("probed by writing"), "what it found is for everybody who may see the page");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_only_reads_shows_no_probe() {
    let (doctor, count) = doctor();
    let place = Place::with(|config| {
        config.read_only = true;
        config.doctor = Some(doctor);
    })
    .await;
    let page = String::from_utf8(place.get("/health").await.is(200).body.into()).unwrap();
    assert!(page.contains("looked") && !page.contains("Probe"), "{page}");
    place.send(Method::POST, "/health/probe", &[], b"").await.is(403);
    assert_eq!(count[1].load(Ordering::SeqCst), 0);
}
