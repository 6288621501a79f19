//! The audit log and the access log.

use std::path::{Path, PathBuf};

use hyper::Method;
use modeldepot_server::{Log, LogTarget, Scope, Tokens, routes};
use serde_json::{Value, json};

use crate::place::{Place, form};
use crate::routes::path_of;

struct Logged {
    place: Place,
    audit: PathBuf,
    access: PathBuf,
    folder: tempfile::TempDir,
    logs: [Log; 2],
}

impl Logged {
    /// A service with a token file, and tokens with these names and scopes.
    async fn new<const N: usize>(names: [(&str, Scope); N]) -> (Logged, [String; N]) {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let (tokens, audit, access) = (path("tokens"), path("audit.log"), path("access.log"));
        Tokens::add(&tokens, "first", Scope::Read).unwrap();
        // Before the service starts: a token added later is only known after the next check of the file.
        let secrets = names.map(|(name, scope)| Tokens::add(&tokens, name, scope).unwrap());
        let logs = [&audit, &access].map(|path| Log::open(&LogTarget::File(path.to_owned())).unwrap());
        let place = Place::with(|config| {
            config.tokens = Some(tokens.clone());
            config.audit_log = Some(logs[0].clone());
            config.access_log = Some(logs[1].clone());
        })
        .await;
        place.push("m", "1", &[("f", b"x")], json!({})).await;
        place.storage.client().create_bucket(&"data".parse().unwrap()).await.unwrap();
        (Logged { place, audit, access, folder, logs }, secrets)
    }
}

/// Returns the lines of a log, without values that change from run to run.
fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let line = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(line["request"].as_str().unwrap().len(), 32);
        assert!(line["time"].as_str().unwrap().ends_with('Z') && line["remote"] == "127.0.0.1");
        for name in ["time", "request", "remote", "seconds"] {
            line.as_object_mut().unwrap().remove(name);
        }
        line
    };
    text.lines().map(line).collect()
}

fn short(lines: &[Value]) -> String {
    let line = |line: &Value| {
        let word = |name: &str| match &line[name] {
            Value::Null => "-".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let names = ["who", "action", "model", "version", "bucket", "keys", "result", "status", "problem", "late"];
        names.map(word).join(" ")
    };
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_something_and_what_is_refused_is_written_down() {
    let (logged, [read, all]) = Logged::new([("ana", Scope::Read), ("ci", Scope::Delete)]).await;
    let place = &logged.place;
    let ask = async |method: Method, path: &str, token: &str, kind: &str, body: &[u8]| {
        let bearer = format!("Bearer {token}");
        place.send(method, path, &[("authorization", &bearer), ("content-type", kind)], body).await
    };
    // Reads are not logged unless they are refused.
    ask(Method::GET, "/api/v1/models", &read, "", b"").await.is(200);
    ask(Method::GET, "/api/v1/models", "mdt_wrong", "", b"").await.is(401);
    ask(Method::DELETE, "/api/v1/models/m/versions/1", &read, "", b"").await.is(403);
    ask(Method::GET, "/api/v1/models/m/versions/1/link", &all, "", b"").await.is(200);
    let (kind, body) = form(&[("version", None, b"2"), ("file", Some("f"), b"y")]);
    ask(Method::POST, "/api/v1/models/m/versions", &all, &kind, &body).await.is(201);
    ask(Method::PUT, "/api/v1/models/m/versions/1/files/f", &all, "", b"other").await.is(409);
    let begun = json!({"version": "3", "files": [{"path": "f", "size": 1}]}).to_string();
    let begun = ask(Method::POST, "/api/v1/models/m/uploads", &all, "application/json", begun.as_bytes()).await;
    let upload = begun.is(201).header("location").to_owned();
    ask(Method::DELETE, &upload, &all, "", b"").await.is(204);
    let (kind, body) = form(&[("prefix", None, b"in/"), ("file", Some("a"), b"1"), ("file", Some("b\u{1b}"), b"2")]);
    ask(Method::POST, "/buckets/data/upload", &all, &kind, &body).await.is(400);
    let urlencoded = "application/x-www-form-urlencoded";
    ask(Method::POST, "/buckets/data/delete", &all, urlencoded, b"key=in%2Fa").await.is(303);
    ask(Method::DELETE, "/api/v1/models/m/versions/2", &all, "", b"").await.is(200);
    // A page of another site, and one without a session.
    let headers = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
    place.send(Method::POST, "/models/m/versions/1/delete", &headers, b"").await.is(403);
    place.send(Method::POST, "/models/m/versions/1/delete", &[], b"").await.is(303);
    // Successful and failed logins.
    place
        .send(Method::POST, "/login", &[("content-type", urlencoded)], format!("token={all}").as_bytes())
        .await
        .is(303);
    place.send(Method::POST, "/login", &[("content-type", urlencoded)], b"token=mdt_wrong").await.is(401);
    assert!(logged.logs[0].flush(std::time::Duration::from_secs(60)));
    let found = lines(&logged.audit);
    insta::assert_snapshot!(short(&found), @r#"
    - read - - - - refused 401 denied -
    ana delete m 1 - - refused 403 denied -
    ci share m 1 - - done 200 - -
    ci publish m 2 - - done 201 - -
    ci publish m 1 - - failed 409 conflict -
    ci upload.begin m 3 - - done 201 - -
    ci upload.abort m 3 - - done 204 - -
    ci objects.store - - data ["in/a"] failed 400 invalid -
    ci objects.delete - - data ["in/a"] done 303 - -
    ci delete m 2 - - done 200 - -
    - delete m 1 - - refused 403 denied -
    - delete m 1 - - refused 303 denied -
    ci login - - - - done 303 - -
    - login - - - - refused 401 denied -
    "#);
    insta::assert_snapshot!(serde_json::to_string_pretty(&found[1]).unwrap(), @r#"
    {
      "detail": "token `ana` may not delete model `m`",
      "log": "audit",
      "problem": "denied",
      "who": "ana",
      "by": "token",
      "status": 403,
      "action": "delete",
      "method": "DELETE",
      "route": "/api/v1/models/{model}/versions/{version}",
      "model": "m",
      "version": "1",
      "result": "refused"
    }
    "#);
    let modes = [&logged.audit, &logged.access];
    #[cfg(unix)]
    for path in modes {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_after_its_answer_has_a_line_of_its_own() {
    let (logged, [all]) = Logged::new([("ci", Scope::Delete)]).await;
    let bearer = format!("Bearer {all}");
    let verify = async || {
        let path = "/api/v1/models/m/versions/1/verify";
        logged.place.send(Method::POST, path, &[("authorization", &bearer)], b"").await.status.as_u16()
    };
    assert_eq!(verify().await, 202);
    let ended = async |result: &str| {
        for _ in 0..3000 {
            let found = lines(&logged.audit);
            if let Some(line) = found.iter().find(|line| line["late"] == true && line["result"] == result) {
                let of = (&line["who"], &line["action"], &line["model"]);
                assert_eq!(of, (&json!("ci"), &json!("verify"), &json!("m")));
                return line.clone();
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("no such line: {:?}", lines(&logged.audit));
    };
    ended("done").await;
    let key = "m/v1/f".parse::<modeldepot::ObjectKey>().unwrap().to_string();
    let bucket = logged.place.storage.bucket().clone();
    logged.place.storage.client().delete_object(&bucket, &key).await.unwrap();
    while verify().await != 202 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let failed = ended("failed").await;
    assert_eq!(failed["problem"], "corrupt", "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_in_the_access_log() {
    let (logged, []) = Logged::new([]).await;
    let answer = logged.place.get("/healthz?secret=1").await.is(200);
    assert_eq!(answer.header("x-request-id").len(), 32);
    logged.place.send(Method::HEAD, "/docs", &[], b"").await.is(200);
    logged.place.get("/nowhere/%1B%5B31m/mdt_leaked").await.is(404);
    while lines(&logged.access).len() < 3 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let size = |line: &Value| line["bytes"].as_u64().unwrap();
    let mut found = lines(&logged.access);
    assert!(size(&found[0]) == answer.body.len() as u64 && size(&found[2]) > 0);
    found[2]["bytes"] = json!(0);
    insta::assert_snapshot!(found.iter().map(Value::to_string).collect::<Vec<_>>().join("\n"), @r#"
    {"complete":true,"log":"access","status":200,"bytes":15,"method":"GET","path":"/healthz"}
    {"complete":true,"log":"access","status":200,"bytes":0,"method":"HEAD","path":"/docs"}
    {"complete":true,"log":"access","status":404,"bytes":0,"method":"GET","path":"/nowhere/%1B%5B31m/mdt_…"}
    "#);
}

/// Sends all kinds of requests with secrets in every possible place, and finds none in a log.
#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_a_log() {
    let (logged, [token]) = Logged::new([("ci", Scope::Delete)]).await;
    let place = &logged.place;
    let (kind, urlencoded) = (("content-type", "application/json"), "application/x-www-form-urlencoded");
    let mut secrets = vec![token.clone(), "QUERYSECRET".to_owned(), "mdt_wrongtoken".to_owned()];
    let login = format!("token={token}&next=/");
    let answer = place.send(Method::POST, "/login", &[("content-type", urlencoded)], login.as_bytes()).await.is(303);
    let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
    secrets.push(cookie.split_once('=').unwrap().1.to_owned());
    let page = place.send(Method::GET, "/", &[("cookie", &cookie)], b"").await.is(200);
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    let csrf = text.split("name=\"csrf\" content=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    secrets.push(csrf.clone());
    let bearer = format!("Bearer {token}");
    let link = place.send(Method::GET, "/api/v1/models/m/versions/1/link", &[("authorization", &bearer)], b"").await;
    let url = link.is(200).json()["url"].as_str().unwrap().to_owned();
    secrets.push(url.split("X-Amz-Signature=").nth(1).unwrap()[..64].to_owned());
    for route in routes() {
        let path = format!("{}?token=QUERYSECRET&X-Amz-Signature=QUERYSECRET", path_of(&route));
        let method: Method = route.method.parse().unwrap();
        let body = format!("csrf={csrf}&token={token}");
        for headers in [
            vec![("authorization", bearer.as_str()), kind],
            vec![("authorization", "Bearer mdt_wrongtoken")],
            vec![("cookie", cookie.as_str()), ("x-csrf-token", &csrf)],
            vec![("cookie", cookie.as_str()), ("content-type", urlencoded)],
            vec![("origin", "https://evil.example")],
            vec![],
        ] {
            place.send(method.clone(), &path, &headers, body.as_bytes()).await;
        }
    }
    place.get(&format!("/{token}/x")).await.is(404);
    // The last line of the access log is written once its answer has been read.
    let folder = logged.folder.path().to_owned();
    logged.place.server.stop().await;
    let logs = std::fs::read_to_string(folder.join("audit.log")).unwrap()
        + &std::fs::read_to_string(folder.join("access.log")).unwrap()
        + &std::fs::read_to_string(folder.join("tokens.used")).unwrap();
    assert!(logs.lines().count() > 6 * routes().len(), "{logs}");
    for secret in secrets {
        assert!(!logs.contains(&secret), "{secret}: {}", logs.lines().find(|line| line.contains(&secret)).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_says_which_token_published_it() {
    let (logged, tokens) = Logged::new([("ci", Scope::Publish), ("other", Scope::Publish)]).await;
    let [bearer, other] = tokens.map(|token| format!("Bearer {token}"));
    let place = &logged.place;
    let (kind, body) = form(&[("version", None, b"2"), ("file", Some("f"), b"y")]);
    let headers = [("authorization", bearer.as_str()), ("content-type", &kind)];
    place.send(Method::POST, "/api/v1/models/m/versions", &headers, &body).await.is(201);
    let headers = [("authorization", bearer.as_str())];
    let found = place.send(Method::GET, "/api/v1/models/m/versions/2", &headers, b"").await.is(200).json();
    assert_eq!(found["manifest"]["published_by"], "ci");
    let page = place.send(Method::GET, "/models/m/versions/2", &headers, b"").await.is(200);
    assert!(String::from_utf8(page.body.to_vec()).unwrap().contains("by <bdi>ci</bdi>"));
    // The same content from someone else is the same version.
    let headers = [("authorization", other.as_str()), ("content-type", &kind)];
    place.send(Method::POST, "/api/v1/models/m/versions", &headers, &body).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_one_run_is_asked_for_where_there_is_no_file() {
    let login = modeldepot_server::Login::new().unwrap();
    assert!(!format!("{login:?}").contains(login.reveal()));
    let place = Place::with(|config| config.login = Some(login.clone())).await;
    place.get("/api/v1/models").await.is(401);
    place.get("/").await.is(303);
    let bearer = format!("Bearer {}", login.reveal());
    place.send(Method::GET, "/api/v1/models", &[("authorization", &bearer)], b"").await.is(200);
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    place.send(Method::POST, "/login", &kind, format!("token={}", login.reveal()).as_bytes()).await.is(303);
    // Other host names are refused as before.
    let rebound = [("authorization", bearer.as_str()), ("host", "rebound.example")];
    place.send(Method::GET, "/api/v1/models", &rebound, b"").await.is(421);
}
