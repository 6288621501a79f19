//! Why an endpoint does not answer as S3: what every verb says, and what `doctor` says, are the same.
//!
//! The messages are listed in `docs/troubleshooting.md`, which is compared with what is said here.

use std::path::Path;

use crate::environment::{Output, TestEnv};
use crate::peers::{self, Peer};

/// Runs a verb against an endpoint, and takes the port out of what it says.
fn run(endpoint: &str, more: &[&str]) -> String {
    let env = TestEnv::without_server(endpoint);
    // Beyond this machine there is no login that is known to all.
    let login = [("S3_ACCESS_KEY", "minioadmin"), ("S3_SECRET_KEY", "minioadmin")];
    shown(&env.run_with(["models"].iter().chain(more), &login))
}

/// Takes out the ports of this run, and the words that only some systems use.
fn shown(output: &Output) -> String {
    let mut shown = String::new();
    let text = output.to_string();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("127.0.0.1:") {
        let from = at + "127.0.0.1:".len();
        shown += &rest[..from];
        rest = rest[from..].trim_start_matches(|c: char| c.is_ascii_digit());
        if !rest.starts_with("[PORT]") {
            shown += "[PORT]";
        }
    }
    shown += rest;
    for text in ["Name or service not known", "Temporary failure in name resolution", "nodename nor servname provided"]
    {
        shown = shown.replace(text, "[SYSTEM]");
    }
    shown
}

fn at(peer: &Peer) -> String {
    run(&peer.url("http"), &[])
}

#[test]
fn a_web_page_is_not_s3() {
    insta::assert_snapshot!(at(&peers::http("200 OK\r\nServer: nginx/1.24.0\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>Sign in to Example</title></head><body>x</body></html>")), @"");
    insta::assert_snapshot!(at(&peers::http("401 Unauthorized\r\nServer: nginx/1.24.0\r\nContent-Type: text/html\r\nWWW-Authenticate: Basic", "<!DOCTYPE html><html><head><title>401 Authorization Required</title></head><body>x</body></html>")), @"");
    insta::assert_snapshot!(at(&peers::http("403 Forbidden\r\nServer: nginx/1.24.0\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>403 Forbidden</title></head><body>x</body></html>")), @"");
    insta::assert_snapshot!(at(&peers::http("404 Not Found\r\nServer: nginx/1.24.0\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>404 Not Found</title></head><body>x</body></html>")), @"");
    insta::assert_snapshot!(at(&peers::http("405 Not Allowed\r\nServer: nginx/1.24.0\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>405 Not Allowed</title></head><body>x</body></html>")), @"");
    insta::assert_snapshot!(at(&peers::http("200 OK\r\nServer: nginx/1.24.0\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>Welcome to nginx!</title></head><body>x</body></html>")), @"");
    insta::assert_snapshot!(at(&peers::http("200 OK\r\nContent-Type: text/html", "<html><title>\u{1b}[2J`rm`\u{202e}  evil\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx</title>")), @"");
}

#[test]
fn what_a_gateway_says_of_a_server_that_is_down_passes() {
    // It is tried again, and then said.
    insta::assert_snapshot!(at(&peers::http("502 Bad Gateway\r\nServer: nginx/1.24.0\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>x</body></html>")), @"");
    insta::assert_snapshot!(at(&peers::http("503 Service Unavailable\r\nServer: nginx/1.24.0\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>503 Service Temporarily Unavailable</title></head><body>x</body></html>")), @"");
    insta::assert_snapshot!(at(&peers::http("504 Gateway Time-out\r\nContent-Type: text/plain", "upstream request timeout")), @"");
    insta::assert_snapshot!(at(&peers::http("429 Too Many Requests\r\nServer: nginx/1.24.0\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>429 Too Many Requests</title></head><body>x</body></html>")), @"");
}

#[test]
fn a_redirect_is_followed_by_the_user_only() {
    insta::assert_snapshot!(at(&peers::http("301 Moved Permanently\r\nServer: nginx/1.24.0\r\nContent-Type: text/html\r\nLocation: https://127.0.0.1/models?list-type=2", "")), @"");
    insta::assert_snapshot!(at(&peers::http("302 Found\r\nLocation: https://login.example.com/signin?continue=http%3A%2F%2Fx&token=secret", "")), @"");
    insta::assert_snapshot!(at(&peers::http("303 See Other\r\nLocation: /login", "")), @"");
    insta::assert_snapshot!(at(&peers::http("307 Temporary Redirect\r\nLocation: http://other.example.com:9000/models", "")), @"");
    insta::assert_snapshot!(at(&peers::http("308 Permanent Redirect\r\nLocation: http://user:secret@portal.example.com/", "")), @"");
}

#[test]
fn other_services_are_named() {
    insta::assert_snapshot!(at(&peers::http("200 OK\r\nServer: MinIO Console\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>MinIO Console</title></head><body>x</body></html>")), @"");
    insta::assert_snapshot!(at(&peers::http("400 Bad Request\r\nServer: MinIO\r\nx-amz-request-id: 1\r\nContent-Type: application/xml", "<Error><Code>InvalidArgument</Code><Message>S3 API Requests must be made to API port.</Message></Error>")), @"");
    insta::assert_snapshot!(at(&peers::http("404 Not Found\r\nServer: SeaweedFS Filer 30GB 3.80\r\nContent-Type: application/json", "{}")), @"");
    insta::assert_snapshot!(at(&peers::http("404 Not Found\r\nServer: SeaweedFS 30GB 3.80\r\nContent-Type: application/json", "{\"error\":\"x\"}")), @"");
    insta::assert_snapshot!(at(&peers::http("400 Bad Request\r\nServer: SeaweedFS Volume 30GB 3.80", "")), @"");
    insta::assert_snapshot!(at(&peers::http("404 Not Found\r\nServer: Ceph-Dashboard\r\nContent-Type: application/json", "{\"detail\": \"not found\"}")), @"");
    insta::assert_snapshot!(at(&peers::http("404 Not Found\r\nContent-Type: application/json", "{\"error\": \"no such route\"}")), @"");
    let prometheus = peers::web(|line| match line.starts_with("GET / ") {
        true => ("302 Found\r\nLocation: /query".to_owned(), String::new()),
        false => ("404 Not Found\r\nContent-Type: text/plain".to_owned(), "404 page not found\n".to_owned()),
    });
    insta::assert_snapshot!(at(&prometheus), @"");
    insta::assert_snapshot!(at(&peers::http("404 Not Found\r\nServer: AmazonS3\r\nx-amz-request-id: 1\r\nx-amz-error-code: NoSuchKey\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>404 Not Found</title></head><body>x</body></html>")), @"");
    insta::assert_snapshot!(at(&peers::http("400 Bad Request\r\nServer: nginx/1.24.0\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>400 No required SSL certificate was sent</title></head><body>x</body></html>")), @"");
}

#[test]
fn answers_that_are_no_documents_of_s3() {
    insta::assert_snapshot!(at(&peers::http("403 Forbidden", "")), @"");
    insta::assert_snapshot!(at(&peers::http("404 Not Found\r\nContent-Type: text/plain", "404 page not found")), @"");
    insta::assert_snapshot!(at(&peers::http("200 OK\r\nContent-Type: application/rss+xml", "<?xml version='1.0'?><rss version='2.0'><channel/></rss>")), @"");
    insta::assert_snapshot!(at(&peers::http("404 Not Found\r\nContent-Type: text/xml", "<?xml version='1.0'?><soap:Envelope xmlns:soap='urn:x'/>")), @"");
    // An error of S3 is one in whatever namespace it is.
    insta::assert_snapshot!(at(&peers::http("403 Forbidden", "<?xml version='1.0'?><Error xmlns='urn:other'><Code>AccessDenied</Code><Message>no</Message></Error>")), @"");
}

#[test]
fn another_service_than_http() {
    insta::assert_snapshot!(at(&peers::says(b"SSH-2.0-OpenSSH_9.6\r\n", true)), @"");
    insta::assert_snapshot!(at(&peers::says(b"220 mail.example.com ESMTP Postfix\r\n", true)), @"");
    insta::assert_snapshot!(at(&peers::says(b"-ERR wrong number of arguments for 'get' command\r\n", false)), @"");
    insta::assert_snapshot!(at(&peers::says(b"", false)), @"");
    insta::assert_snapshot!(at(&peers::says(b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: 500\r\n\r\n<ListBucketResult>", false)), @"");
    insta::assert_snapshot!(run(&peers::says(b"SSH-2.0-OpenSSH_9.6\r\n", true).url("https"), &[]), @"");
}

#[test]
fn the_other_scheme() {
    let go = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
    insta::assert_snapshot!(at(&peers::says(go, false)), @"");
    insta::assert_snapshot!(at(&peers::http("400 Bad Request\r\nServer: nginx/1.24.0\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head><body>x</body></html>")), @"");
    insta::assert_snapshot!(at(&peers::says(b"\x15\x03\x01\x00\x02\x02\x46", false)), @"");
    let certified = peers::certified(|_| {});
    let tls = peers::https(&certified, None, "200 OK", "");
    insta::assert_snapshot!(at(&tls), @"");
    let http = peers::http("404 Not Found\r\nContent-Type: text/plain", "404 page not found");
    insta::assert_snapshot!(run(&http.url("https"), &[]), @"");
    let env = TestEnv::new();
    let endpoint = env.endpoint.replace("http://", "https://");
    insta::assert_snapshot!(shown(&env.run(["models", "--endpoint", &endpoint])), @"");
}

#[test]
fn no_connection_and_no_answer() {
    insta::assert_snapshot!(run("http://127.0.0.1:1", &[]), @"");
    insta::assert_snapshot!(run("http://no-such-host.invalid:9000", &[]), @"");
    insta::assert_snapshot!(run("http://no-such-host.invalid:9000", &["--addressing", "virtual"]), @"");
    insta::assert_snapshot!(run("http://240.0.0.1:9000", &["--connect-timeout", "300ms"]), @"");
    insta::assert_snapshot!(run(&peers::silent().url("http"), &["--timeout", "300ms"]), @"");
    insta::assert_snapshot!(run(&peers::silent().url("https"), &["--timeout", "300ms"]), @"");
}

#[test]
fn certificates() {
    let verb = |certified: &peers::Certified, trusted: Option<&str>| {
        let peer = peers::https(certified, None, "200 OK", "");
        let env = TestEnv::without_server(&peer.url("https"));
        let ca = env.write("ca.pem", trusted.unwrap_or_default());
        match trusted {
            Some(_) => shown(&env.run([Path::new("models"), Path::new("--ca-bundle"), &ca])),
            None => shown(&env.run(["models"])),
        }
    };
    let date = |year| rcgen::date_time_ymd(year, 1, 2);
    insta::assert_snapshot!(verb(&peers::certified(|_| {}), None), @"");
    let (ca, other) = peers::signed(|params| {
        params.subject_alt_names =
            rcgen::CertificateParams::new(vec!["minio.example".to_owned(), "*.example".to_owned()])
                .unwrap()
                .subject_alt_names;
    });
    insta::assert_snapshot!(verb(&other, Some(&ca)), @"");
    let (ca, old) = peers::signed(|params| (params.not_before, params.not_after) = (date(2020), date(2021)));
    insta::assert_snapshot!(verb(&old, Some(&ca)), @"");
    let (ca, early) = peers::signed(|params| (params.not_before, params.not_after) = (date(2090), date(2091)));
    insta::assert_snapshot!(verb(&early, Some(&ca)), @"");
    let authority = peers::certified(|params| params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained));
    insta::assert_snapshot!(verb(&authority, None), @"");
    let (ca, signed) = peers::signed(|params| params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained));
    insta::assert_snapshot!(verb(&signed, Some(&ca)), @"");
    // An authority of the same name, with another key.
    let ((ca, _), (_, other)) = (peers::signed(|_| {}), peers::signed(|_| {}));
    insta::assert_snapshot!(verb(&other, Some(&ca)), @"");
}

#[test]
fn handshakes_that_fail() {
    // A server of TLS 1.0 refuses the version, in TLS.
    insta::assert_snapshot!(run(&peers::says(b"\x15\x03\x01\x00\x02\x02\x46", false).url("https"), &[]), @"");
    insta::assert_snapshot!(run(&peers::says(b"\x15\x03\x03\x00\x02\x02\x28", false).url("https"), &[]), @"");
    insta::assert_snapshot!(run(&peers::says(b"", false).url("https"), &[]), @"");
    let (ca, server) = peers::signed(|_| {});
    let peer = peers::https(&server, Some(&ca), "200 OK", "");
    let env = TestEnv::without_server(&peer.url("https"));
    let ca = env.write("ca.pem", &ca);
    insta::assert_snapshot!(shown(&env.run([Path::new("models"), Path::new("--ca-bundle"), &ca])), @"");
}

/// Every verb that asks a server says the same.
#[test]
fn every_verb_says_what_is_there() {
    let page = "<html><title>Sign in</title></html>";
    for head in ["200 OK", "403 Forbidden", "404 Not Found"] {
        let peer = peers::http(&format!("{head}\r\nServer: nginx\r\nContent-Type: text/html"), page);
        let env = TestEnv::without_server(&peer.url("http"));
        env.write("m.bin", "weights");
        for verb in [
            "init",
            "push m m.bin",
            "push m m.bin --version 1",
            "pull m out",
            "pull m@1 out",
            "models",
            "versions m",
            "show m@1",
            "verify m@1",
            "rm m@1 --yes",
            "url m@1",
            "fsck",
            "gc",
            "s3 ls s3://models",
            "s3 cp s3://models/k out",
            "s3 cp m.bin s3://models/k",
            "s3 rm s3://models/k",
            "s3 stat s3://models/k",
            "s3 mb s3://models",
            "doctor",
        ] {
            let ended = env.run(verb.split(' '));
            let said = ended.to_string();
            assert!(
                said.contains("is not an S3 API: it answers HTTP") && said.contains("the web page `Sign in`"),
                "{head}: {verb}: {said}"
            );
            assert_eq!(ended.code, Some(2), "{head}: {verb}: {said}");
        }
    }
}

/// One more request at most, and none with a login.
#[test]
fn a_diagnosis_is_short_and_shows_no_login() {
    let peer = peers::says(b"SSH-2.0-OpenSSH_9.6\r\n", true);
    let _ = at(&peer);
    assert_eq!(peer.connections(), 2, "the request, and one look at what is there");
    let heads = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let noted = std::sync::Arc::clone(&heads);
    let peer = Peer::start(move |mut stream| {
        use std::io::Read as _;
        let mut head = [0; 4096];
        let read = stream.read(&mut head).unwrap_or_default();
        noted.lock().unwrap().push_str(&String::from_utf8_lossy(&head[..read]).to_lowercase());
    });
    let said = at(&peer);
    let heads = heads.lock().unwrap();
    let looks: Vec<&str> = heads.split("get ").filter(|head| head.starts_with("/ http")).collect();
    assert_eq!(looks.len(), 1, "{heads}");
    assert!(!looks[0].contains("authorization") && !looks[0].contains("x-amz"), "{heads}");
    insta::assert_snapshot!(said, @"");
}

/// A server that is known to be S3's is not taken for another one because of what a proxy says now and then.
#[test]
fn a_page_in_between_is_an_incident_once_s3_has_answered() {
    let list = "<?xml version='1.0'?><ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
    let peer = peers::web(move |line| match line.contains("list-type=2") {
        true => ("200 OK\r\nx-amz-request-id: 1\r\nContent-Type: application/xml".to_owned(), list.to_owned()),
        false => ("404 Not Found\r\nContent-Type: text/html".to_owned(), "<html><title>404</title>".to_owned()),
    });
    let env = TestEnv::without_server(&peer.url("http"));
    insta::assert_snapshot!(shown(&env.run(["versions", "m"])), @"");
}

#[test]
fn an_endpoint_with_the_bucket_in_it() {
    let endpoint = "http://models.s3.example.invalid:9000";
    insta::assert_snapshot!(run(endpoint, &[]), @"");
    let website = "http://models.s3-website-us-east-1.example.invalid";
    insta::assert_snapshot!(run(website, &[]), @"");
}

/// `doctor` and the verbs say the same of the same server.
#[test]
fn doctor_says_what_the_verbs_say() {
    let certified = peers::certified(|_| {});
    let html = "200 OK\r\nServer: nginx\r\nContent-Type: text/html";
    for (peer, scheme) in [
        (peers::http(html, "<html><title>Sign in</title></html>"), "http"),
        (peers::http("302 Found\r\nLocation: /login", ""), "http"),
        (peers::says(b"SSH-2.0-OpenSSH_9.6\r\n", true), "http"),
        (peers::says(b"SSH-2.0-OpenSSH_9.6\r\n", true), "https"),
        (peers::https(&certified, None, "200 OK", ""), "https"),
        (peers::https(&certified, None, "200 OK", ""), "http"),
        (peers::http(html, ""), "https"),
        (peers::says(b"", false), "http"),
    ] {
        let env = TestEnv::without_server(&peer.url(scheme));
        let (verb, doctor) = (env.run(["models"]), env.run(["doctor"]));
        assert_eq!(verb.code, doctor.code, "{verb}\n{doctor}");
        for line in verb.stderr.lines() {
            let (_, said) = line.split_once(": ").unwrap();
            assert!(doctor.stdout.contains(said), "{said}\n{doctor}");
        }
    }
}

/// A key that may read and not write is a good one.
#[cfg(unix)]
#[test]
fn a_key_that_may_only_read() {
    let (env, login, _up) = crate::keys::reader();
    let login = [("S3_ACCESS_KEY", login.0.as_str()), ("S3_SECRET_KEY", login.1.as_str())];
    env.write("m.bin", "weights");
    insta::assert_snapshot!(env.run_with(["push", "m", "m.bin"], &login), @"");
    let doctor = env.run_with(["doctor"], &login);
    insta::assert_snapshot!(crate::doctor::from(&doctor, "may"), @"");
}

#[test]
fn the_body_of_a_refusal_is_in_the_log_and_no_secret_is() {
    let echo = peers::web(|line| {
        let body = format!(
            "<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message><Line>{line}</Line>\
             <StringToSign>AWS4-HMAC-SHA256</StringToSign><Token-0>the-session-token</Token-0>\
             <Note>the-session-token X-Amz-Signature=abcdef</Note></Error>"
        );
        ("403 Forbidden\r\nx-amz-request-id: REQUEST-1\r\nx-amz-id-2: HOST-2".to_owned(), body)
    });
    let env = TestEnv::without_server(&echo.url("http"));
    let login = [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "the-secret-key-of-this-test"),
        ("AWS_SESSION_TOKEN", "the-session-token"),
    ];
    let ended = env.run_with(["models", "-vv"], &login);
    for secret in ["the-session-token", "the-secret-key", "AWS4-HMAC-SHA256", "abcdef"] {
        assert!(!ended.stderr.contains(secret), "{secret}: {ended}");
    }
    for part in ["GET /models", "REQUEST-1 HOST-2", "403", "<Code>SignatureDoesNotMatch</Code>"] {
        assert!(ended.stderr.contains(part), "{part}: {ended}");
    }
    let quiet = env.run_with(["models", "-v"], &login);
    assert!(!quiet.stderr.contains("<Code>"), "{quiet}");
    // Not only errors of S3.
    let page = peers::http("403 Forbidden\r\nContent-Type: text/html", "<html>\u{1b}[2Jblocked by policy 17</html>");
    let ended = TestEnv::without_server(&page.url("http")).run(["models", "-vv"]);
    assert!(ended.stderr.contains("blocked by policy 17") && !ended.stderr.contains('\u{1b}'), "{ended}");
}

/// Each message of the page is one that is said, and each that is said is on the page.
#[test]
fn the_page_on_troubleshooting_has_these_messages() {
    let page = include_str!("../../../../docs/troubleshooting.md");
    let snapshots = include_str!("diagnosis.rs");
    let (_, code) = snapshots.split_once("fn a_web_page_is_not_s3").unwrap();
    let (code, _) = code.split_once("fn the_page_on_troubleshooting").unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let mut messages = 0;
    for row in rows {
        let message = row.split(" | ").next().unwrap();
        // A message may itself have backticks around a word.
        for part in message.trim_start_matches("| ").split('`').filter(|part| part.split(' ').count() > 1) {
            let glue = [" … ", " with the cause ", " of the same host", ", … ", " with ", " or ", ", "];
            if glue.iter().any(|glue| part.trim() == glue.trim()) || part.trim().starts_with("… of the same") {
                continue;
            }
            messages += 1;
            assert!(code.contains(part.trim()), "`{part}` of docs/troubleshooting.md is said nowhere");
        }
    }
    assert!(messages > 25, "{messages}");
    for line in code.lines().map(str::trim).filter_map(|line| line.strip_prefix("error: ")) {
        let known = page.lines().filter(|line| line.starts_with("| `")).any(|row| {
            let mut parts = row.split(" | ").next().unwrap().split('`').filter(|part| part.split(' ').count() > 2);
            parts.any(|part| line.contains(part.trim()))
        });
        let others = ["refused to list bucket", "failed to list bucket", "does not exist"];
        assert!(known || others.iter().any(|other| line.contains(other)), "docs/troubleshooting.md lacks: {line}");
    }
}
