//! Why an endpoint does not answer as S3: what every verb says, and what `doctor` says, are the same.
//!
//! The messages are listed in `docs/troubleshooting.md`, which is compared with what is said here.

use std::path::Path;

use crate::environment::{Output, TestEnv, wait};
use crate::peers::{self, Peer};

/// Runs a verb against an endpoint, and takes the port out of what it says.
fn run(endpoint: &str, more: &[&str]) -> String {
    let env = TestEnv::without_server(endpoint);
    // Beyond this machine, no default credentials apply.
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
    insta::assert_snapshot!(at(&peers::http("200 OK\r\nServer: nginx/1.24.0\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>Sign in to Example</title></head><body>x</body></html>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it answers HTTP 200 with the web page `Sign in to Example` (Server: nginx/1.24.0)
    hint: a login page is in front of that address, or this network has one (open a page in a browser): S3 needs an address without it
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("401 Unauthorized\r\nServer: nginx/1.24.0\r\nContent-Type: text/html\r\nWWW-Authenticate: Basic", "<!DOCTYPE html><html><head><title>401 Authorization Required</title></head><body>x</body></html>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it answers HTTP 401 with the web page `401 Authorization Required` (Server: nginx/1.24.0)
    hint: is another service on that port, or a proxy in between? set S3_ENDPOINT to the S3 server's own address and port
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("403 Forbidden\r\nServer: nginx/1.24.0\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>403 Forbidden</title></head><body>x</body></html>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it answers HTTP 403 with the web page `403 Forbidden` (Server: nginx/1.24.0)
    hint: is another service on that port, or a proxy in between? set S3_ENDPOINT to the S3 server's own address and port
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("404 Not Found\r\nServer: nginx/1.24.0\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>404 Not Found</title></head><body>x</body></html>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it answers HTTP 404 with the web page `404 Not Found` (Server: nginx/1.24.0)
    hint: is another service on that port, or a proxy in between? set S3_ENDPOINT to the S3 server's own address and port
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("405 Not Allowed\r\nServer: nginx/1.24.0\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>405 Not Allowed</title></head><body>x</body></html>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it answers HTTP 405 with the web page `405 Not Allowed` (Server: nginx/1.24.0)
    hint: is another service on that port, or a proxy in between? set S3_ENDPOINT to the S3 server's own address and port
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("200 OK\r\nServer: nginx/1.24.0\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>Welcome to nginx!</title></head><body>x</body></html>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is a fresh nginx
    hint: another service is on that port: set S3_ENDPOINT to the S3 server's own address and port
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("200 OK\r\nContent-Type: text/html", "<html><title>\u{1b}[2J`rm`\u{202e}  evil\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx</title>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it answers HTTP 200 with the web page `\u{1b}[2J'rm'\u{202e} evil xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…`
    hint: is another service on that port, or a proxy in between? set S3_ENDPOINT to the S3 server's own address and port
    [exit status: 2]
    ");
}

#[test]
fn what_a_gateway_says_of_a_server_that_is_down_passes() {
    // It is tried again, and then said.
    insta::assert_snapshot!(at(&peers::http("502 Bad Gateway\r\nServer: nginx/1.24.0\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>x</body></html>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` failed to list bucket `models`
    caused by: it answers HTTP 502 with the web page `502 Bad Gateway` (Server: nginx/1.24.0)
    hint: try again; a push or pull can be repeated safely
    [exit status: 6]
    ");
    insta::assert_snapshot!(at(&peers::http("503 Service Unavailable\r\nServer: nginx/1.24.0\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>503 Service Temporarily Unavailable</title></head><body>x</body></html>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` failed to list bucket `models`
    caused by: it answers HTTP 503 with the web page `503 Service Temporarily Unavailable` (Server: nginx/1.24.0)
    hint: try again; a push or pull can be repeated safely
    [exit status: 6]
    ");
    insta::assert_snapshot!(at(&peers::http("504 Gateway Time-out\r\nContent-Type: text/plain", "upstream request timeout")), @r"
    ------- stderr -------
    error: `$ENDPOINT` failed to list bucket `models`
    caused by: it answers HTTP 504 with the text `upstream request timeout`
    hint: try again; a push or pull can be repeated safely
    [exit status: 6]
    ");
    insta::assert_snapshot!(at(&peers::http("429 Too Many Requests\r\nServer: nginx/1.24.0\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>429 Too Many Requests</title></head><body>x</body></html>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` failed to list bucket `models`
    caused by: it answers HTTP 429 with the web page `429 Too Many Requests` (Server: nginx/1.24.0)
    hint: try again; a push or pull can be repeated safely
    [exit status: 6]
    ");
}

#[test]
fn a_redirect_is_followed_by_the_user_only() {
    insta::assert_snapshot!(at(&peers::http("301 Moved Permanently\r\nServer: nginx/1.24.0\r\nContent-Type: text/html\r\nLocation: https://127.0.0.1/models?list-type=2", "")), @r"
    ------- stderr -------
    error: `$ENDPOINT` redirects to `https://127.0.0.1/models` (HTTP 301)
    hint: set S3_ENDPOINT=https://127.0.0.1
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("302 Found\r\nLocation: https://login.example.com/signin?continue=http%3A%2F%2Fx&token=secret", "")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it redirects to `https://login.example.com/signin` (HTTP 302)
    hint: a login page is in front of that address, or this network has one (open a page in a browser): S3 needs an address without it
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("303 See Other\r\nLocation: /login", "")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it redirects to `$ENDPOINT/login` (HTTP 303)
    hint: a login page is in front of that address, or this network has one (open a page in a browser): S3 needs an address without it
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("307 Temporary Redirect\r\nLocation: http://other.example.com:9000/models", "")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it redirects to `http://other.example.com:9000/models` (HTTP 307)
    hint: if the S3 API is there, set S3_ENDPOINT to that address; else a proxy or another service is in between
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("308 Permanent Redirect\r\nLocation: http://user:secret@portal.example.com/", "")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it redirects to `http://portal.example.com/` (HTTP 308)
    hint: a login page is in front of that address, or this network has one (open a page in a browser): S3 needs an address without it
    [exit status: 2]
    ");
}

#[test]
fn other_services_are_named() {
    insta::assert_snapshot!(at(&peers::http("200 OK\r\nServer: MinIO Console\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>MinIO Console</title></head><body>x</body></html>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is MinIO's console
    hint: the S3 API is on another port, often 9000: set S3_ENDPOINT to it
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("400 Bad Request\r\nServer: MinIO\r\nx-amz-request-id: 1\r\nContent-Type: application/xml", "<Error><Code>InvalidArgument</Code><Message>S3 API Requests must be made to API port.</Message></Error>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is MinIO's console
    hint: the S3 API is on another port, often 9000: set S3_ENDPOINT to it
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("404 Not Found\r\nServer: SeaweedFS Filer 30GB 3.80\r\nContent-Type: application/json", "{}")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is SeaweedFS's filer
    hint: the S3 API is on another port, often 8333 (`weed s3`, or `weed server -s3`): set S3_ENDPOINT to it
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("404 Not Found\r\nServer: SeaweedFS 30GB 3.80\r\nContent-Type: application/json", "{\"error\":\"x\"}")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is SeaweedFS's master
    hint: the S3 API is on another port, often 8333 (`weed s3`, or `weed server -s3`): set S3_ENDPOINT to it
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("400 Bad Request\r\nServer: SeaweedFS Volume 30GB 3.80", "")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is a volume server of SeaweedFS
    hint: the S3 API is on another port, often 8333 (`weed s3`, or `weed server -s3`): set S3_ENDPOINT to it
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("404 Not Found\r\nServer: Ceph-Dashboard\r\nContent-Type: application/json", "{\"detail\": \"not found\"}")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is Ceph's dashboard
    hint: the object gateway is on another port, often 7480 or 80: set S3_ENDPOINT to it
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("404 Not Found\r\nContent-Type: application/json", "{\"error\": \"no such route\"}")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it answers HTTP 404 with JSON
    hint: is another service on that port, or a proxy in between? set S3_ENDPOINT to the S3 server's own address and port
    [exit status: 2]
    ");
    let prometheus = peers::web(|line| match line.starts_with("GET / ") {
        true => ("302 Found\r\nLocation: /query".to_owned(), String::new()),
        false => ("404 Not Found\r\nContent-Type: text/plain".to_owned(), "404 page not found\n".to_owned()),
    });
    insta::assert_snapshot!(at(&prometheus), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is Prometheus
    hint: another service is on that port: set S3_ENDPOINT to the S3 server's own address and port
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("404 Not Found\r\nServer: AmazonS3\r\nx-amz-request-id: 1\r\nx-amz-error-code: NoSuchKey\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>404 Not Found</title></head><body>x</body></html>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is the web site of a bucket
    hint: a web site's endpoint only reads pages: leave S3_ENDPOINT empty, and set S3_REGION to the bucket's region
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("400 Bad Request\r\nServer: nginx/1.24.0\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>400 No required SSL certificate was sent</title></head><body>x</body></html>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is a server that requires a client certificate
    hint: modeldepot cannot present a client certificate: use an address of the server that does not require one
    [exit status: 2]
    ");
}

/// Not what it is taken for in its own documentation, either.
#[cfg(unix)]
#[test]
fn the_console_of_up_is_named() {
    let env = TestEnv::without_server("");
    let (_up, _, console) = crate::keys::Up::start(&env, &[]);
    insta::assert_snapshot!(run(&console, &[]), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is modeldepot's own console and REST API
    hint: set S3_ENDPOINT to the S3 server that it uses; that of `modeldepot up` is on port 9000
    [exit status: 2]
    ");
    let env = TestEnv::without_server(&console);
    env.write("m.bin", "weights");
    insta::assert_snapshot!(shown(&env.run(["push", "m", "m.bin"])), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is modeldepot's own console and REST API
    hint: set S3_ENDPOINT to the S3 server that it uses; that of `modeldepot up` is on port 9000
    [exit status: 2]
    ");
}

#[test]
fn answers_that_are_no_documents_of_s3() {
    insta::assert_snapshot!(at(&peers::http("403 Forbidden", "")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it answers HTTP 403 with an empty body
    hint: is another service on that port, or a proxy in between? set S3_ENDPOINT to the S3 server's own address and port
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("404 Not Found\r\nContent-Type: text/plain", "404 page not found")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it answers HTTP 404 with the text `404 page not found`
    hint: is another service on that port, or a proxy in between? set S3_ENDPOINT to the S3 server's own address and port
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("200 OK\r\nContent-Type: application/rss+xml", "<?xml version='1.0'?><rss version='2.0'><channel/></rss>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it answers HTTP 200 with XML that is not S3's, `rss`
    hint: is another service on that port, or a proxy in between? set S3_ENDPOINT to the S3 server's own address and port
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("404 Not Found\r\nContent-Type: text/xml", "<?xml version='1.0'?><soap:Envelope xmlns:soap='urn:x'/>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it answers HTTP 404 with XML that is not S3's, `Envelope`
    hint: is another service on that port, or a proxy in between? set S3_ENDPOINT to the S3 server's own address and port
    [exit status: 2]
    ");
    // An error of S3 is one in whatever namespace it is.
    insta::assert_snapshot!(at(&peers::http("403 Forbidden", "<?xml version='1.0'?><Error xmlns='urn:other'><Code>AccessDenied</Code><Message>no</Message></Error>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` refused to list bucket `models`: AccessDenied
    hint: ask for a policy that allows it, or check S3_ACCESS_KEY and S3_SECRET_KEY
    [exit status: 5]
    ");
}

#[test]
fn another_service_than_http() {
    insta::assert_snapshot!(at(&peers::says(b"SSH-2.0-OpenSSH_9.6\r\n", true)), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is an SSH server (`SSH-2.0-OpenSSH_9.6`)
    hint: another service is on that port: set S3_ENDPOINT to the S3 server's own address
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::says(b"220 mail.example.com ESMTP Postfix\r\n", true)), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is a mail or FTP server (`220 mail.example.com ESMTP Postfix`)
    hint: another service is on that port: set S3_ENDPOINT to the S3 server's own address
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::says(b"-ERR wrong number of arguments for 'get' command\r\n", false)), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is a Redis server (`-ERR wrong number of arguments for 'get' command`)
    hint: another service is on that port: set S3_ENDPOINT to the S3 server's own address
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::says(b"", false)), @r"
    ------- stderr -------
    error: cannot reach the S3 endpoint `$ENDPOINT`
    caused by: connection closed before message completed
    hint: the port is open and answers nothing in HTTP: is it the S3 server's, with the right scheme?
    [exit status: 6]
    ");
    insta::assert_snapshot!(at(&peers::says(b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: 500\r\n\r\n<ListBucketResult>", false)), @r"
    ------- stderr -------
    error: `$ENDPOINT` failed to list bucket `models`
    caused by: end of file before message length reached
    hint: try again; a push or pull can be repeated safely
    [exit status: 6]
    ");
    insta::assert_snapshot!(run(&peers::says(b"SSH-2.0-OpenSSH_9.6\r\n", true).url("https"), &[]), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is an SSH server (`SSH-2.0-OpenSSH_9.6`)
    hint: another service is on that port: set S3_ENDPOINT to the S3 server's own address
    [exit status: 2]
    ");
}

#[test]
fn the_other_scheme() {
    let go = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
    insta::assert_snapshot!(at(&peers::says(go, false)), @r"
    ------- stderr -------
    error: `$ENDPOINT` speaks TLS, not plain HTTP
    hint: set S3_ENDPOINT=https://127.0.0.1:[PORT]
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::http("400 Bad Request\r\nServer: nginx/1.24.0\r\nContent-Type: text/html", "<!DOCTYPE html><html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head><body>x</body></html>")), @r"
    ------- stderr -------
    error: `$ENDPOINT` speaks TLS, not plain HTTP
    hint: set S3_ENDPOINT=https://127.0.0.1:[PORT]
    [exit status: 2]
    ");
    insta::assert_snapshot!(at(&peers::says(b"\x15\x03\x01\x00\x02\x02\x46", false)), @r"
    ------- stderr -------
    error: `$ENDPOINT` speaks TLS, not plain HTTP
    hint: set S3_ENDPOINT=https://127.0.0.1:[PORT]
    [exit status: 2]
    ");
    let certified = peers::certified(|_| {});
    let tls = peers::https(&certified, None, "200 OK", "");
    insta::assert_snapshot!(at(&tls), @r"
    ------- stderr -------
    error: `$ENDPOINT` speaks TLS, not plain HTTP
    hint: set S3_ENDPOINT=https://127.0.0.1:[PORT]
    [exit status: 2]
    ");
    let http = peers::http("404 Not Found\r\nContent-Type: text/plain", "404 page not found");
    insta::assert_snapshot!(run(&http.url("https"), &[]), @r"
    ------- stderr -------
    error: `$ENDPOINT` speaks plain HTTP, not TLS
    hint: set S3_ENDPOINT=http://127.0.0.1:[PORT]
    [exit status: 2]
    ");
    let env = TestEnv::new();
    let endpoint = env.endpoint.replace("http://", "https://");
    insta::assert_snapshot!(shown(&env.run(["models", "--endpoint", &endpoint])), @r"
    ------- stderr -------
    error: `https://127.0.0.1:[PORT]` speaks plain HTTP, not TLS
    hint: pass --endpoint $ENDPOINT
    [exit status: 2]
    ");
}

#[test]
fn no_connection_and_no_answer() {
    insta::assert_snapshot!(run("http://127.0.0.1:1", &[]), @r"
    ------- stderr -------
    error: cannot reach the S3 endpoint `$ENDPOINT`
    caused by: Connection refused (os error 111)
    hint: nothing is listening on port 1: check the port, or start a server with `modeldepot up`
    [exit status: 6]
    ");
    insta::assert_snapshot!(run("http://no-such-host.invalid:9000", &[]), @r"
    ------- stderr -------
    error: cannot reach the S3 endpoint `$ENDPOINT`
    caused by: failed to lookup address information: [SYSTEM]
    hint: is the name in S3_ENDPOINT or --endpoint spelled right, and known on this network (VPN, /etc/hosts)?
    [exit status: 6]
    ");
    insta::assert_snapshot!(run("http://no-such-host.invalid:9000", &["--addressing", "virtual"]), @r"
    ------- stderr -------
    error: cannot reach the S3 endpoint `$ENDPOINT`
    caused by: failed to lookup address information: [SYSTEM]
    hint: the bucket is named in the host, which no name server knows: pass --addressing path, or set S3_ADDRESSING=path
    [exit status: 6]
    ");
    insta::assert_snapshot!(run(&peers::silent().url("http"), &["--timeout", "300ms"]), @r"
    ------- stderr -------
    error: `$ENDPOINT` did not answer within [TIME] when asked to list bucket `models`
    hint: is this the port of an S3 server, and is there a proxy in between? `modeldepot doctor` checks; --timeout or S3_TIMEOUT sets how long to wait
    [exit status: 6]
    ");
    insta::assert_snapshot!(run(&peers::silent().url("https"), &["--timeout", "300ms"]), @r"
    ------- stderr -------
    error: `$ENDPOINT` did not answer within [TIME] when asked to list bucket `models`
    hint: is this the port of an S3 server, and is there a proxy in between? `modeldepot doctor` checks; --timeout or S3_TIMEOUT sets how long to wait
    [exit status: 6]
    ");
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
    insta::assert_snapshot!(verb(&peers::certified(|_| {}), None), @r"
    ------- stderr -------
    error: cannot connect to `$ENDPOINT` over TLS: no authority known here vouches for its certificate
    hint: save the certificate of its authority, or the server's own if it is self-signed, as a PEM file and name that with --ca-bundle or AWS_CA_BUNDLE
    [exit status: 6]
    ");
    let (ca, other) = peers::signed(|params| {
        params.subject_alt_names =
            rcgen::CertificateParams::new(vec!["minio.example".to_owned(), "*.example".to_owned()])
                .unwrap()
                .subject_alt_names;
    });
    insta::assert_snapshot!(verb(&other, Some(&ca)), @r"
    ------- stderr -------
    error: cannot connect to `$ENDPOINT` over TLS: its certificate is for `minio.example`, `*.example` only
    hint: use a name that the certificate is for in S3_ENDPOINT, or have one made for this name; if only the bucket's name in the host is missing, set S3_ADDRESSING=path
    [exit status: 6]
    ");
    let (ca, old) = peers::signed(|params| (params.not_before, params.not_after) = (date(2020), date(2021)));
    insta::assert_snapshot!(verb(&old, Some(&ca)), @r"
    ------- stderr -------
    error: cannot connect to `$ENDPOINT` over TLS: its certificate expired on [DATE] UTC
    hint: have it renewed; or is this machine's clock wrong?
    [exit status: 6]
    ");
    let (ca, early) = peers::signed(|params| (params.not_before, params.not_after) = (date(2090), date(2091)));
    insta::assert_snapshot!(verb(&early, Some(&ca)), @r"
    ------- stderr -------
    error: cannot connect to `$ENDPOINT` over TLS: its certificate is not valid before [DATE] UTC
    hint: is this machine's clock wrong?
    [exit status: 6]
    ");
    let authority = peers::certified(|params| params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained));
    insta::assert_snapshot!(verb(&authority, None), @r"
    ------- stderr -------
    error: cannot connect to `$ENDPOINT` over TLS: it shows the certificate of an authority (`CA:TRUE`) as its own
    hint: name that certificate with --ca-bundle or AWS_CA_BUNDLE to trust it as it is, or make one for the server with `basicConstraints=CA:FALSE`
    [exit status: 6]
    ");
    let (ca, signed) = peers::signed(|params| params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained));
    insta::assert_snapshot!(verb(&signed, Some(&ca)), @r"
    ------- stderr -------
    error: cannot connect to `$ENDPOINT` over TLS: it shows the certificate of an authority (`CA:TRUE`) as its own
    hint: name that certificate with --ca-bundle or AWS_CA_BUNDLE to trust it as it is, or make one for the server with `basicConstraints=CA:FALSE`
    [exit status: 6]
    ");
    // An authority of the same name, with another key.
    let ((ca, _), (_, other)) = (peers::signed(|_| {}), peers::signed(|_| {}));
    insta::assert_snapshot!(verb(&other, Some(&ca)), @r"
    ------- stderr -------
    error: cannot connect to `$ENDPOINT` over TLS: the signature of its certificate is wrong or of an unsafe kind
    hint: an authority of the same name with another key is trusted here, or something in between swaps certificates: name the right one with --ca-bundle or AWS_CA_BUNDLE
    [exit status: 6]
    ");
}

#[test]
fn handshakes_that_fail() {
    // A server of TLS 1.0 refuses the version, in TLS.
    insta::assert_snapshot!(run(&peers::says(b"\x15\x03\x01\x00\x02\x02\x46", false).url("https"), &[]), @r"
    ------- stderr -------
    error: cannot connect to `$ENDPOINT` over TLS: it speaks neither TLS 1.2 nor 1.3
    hint: enable TLS 1.2 or 1.3 at the server
    [exit status: 6]
    ");
    insta::assert_snapshot!(run(&peers::says(b"\x15\x03\x03\x00\x02\x02\x28", false).url("https"), &[]), @r"
    ------- stderr -------
    error: cannot connect to `$ENDPOINT` over TLS: it refused the handshake (HandshakeFailure)
    hint: the server, or a proxy in front of it, does not accept this name, these versions (TLS 1.2, 1.3) or a client without a certificate: its log says which
    [exit status: 6]
    ");
    insta::assert_snapshot!(run(&peers::says(b"", false).url("https"), &[]), @r"
    ------- stderr -------
    error: cannot connect to `$ENDPOINT` over TLS: it closed the connection in the middle of the handshake
    hint: is TLS spoken on that port? a firewall or proxy in between may also cut it off
    [exit status: 6]
    ");
    let (ca, server) = peers::signed(|_| {});
    let peer = peers::https(&server, Some(&ca), "200 OK", "");
    let env = TestEnv::without_server(&peer.url("https"));
    let ca = env.write("ca.pem", &ca);
    insta::assert_snapshot!(shown(&env.run([Path::new("models"), Path::new("--ca-bundle"), &ca])), @r"
    ------- stderr -------
    error: cannot connect to `$ENDPOINT` over TLS: it requires a client certificate
    hint: modeldepot cannot present a client certificate: use an address of the server that does not require one
    [exit status: 6]
    ");
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
            "serve --listen 127.0.0.1:0",
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
    assert_eq!(peer.connections(), 2, "the request, and one more to identify it");
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
    insta::assert_snapshot!(said, @r"
    ------- stderr -------
    error: cannot reach the S3 endpoint `$ENDPOINT`
    caused by: connection closed before message completed
    hint: the port is open and answers nothing in HTTP: is it the S3 server's, with the right scheme?
    [exit status: 6]
    ");
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
    insta::assert_snapshot!(shown(&env.run(["versions", "m"])), @r"
    ------- stderr -------
    error: model `m` does not exist
    hint: `modeldepot models` lists the models of this bucket
    [exit status: 3]
    ");
}

#[test]
fn an_endpoint_with_the_bucket_in_it() {
    let endpoint = "http://models.s3.example.invalid:9000";
    insta::assert_snapshot!(run(endpoint, &[]), @r"
    ------- stderr -------
    error: cannot reach the S3 endpoint `$ENDPOINT`
    caused by: failed to lookup address information: [SYSTEM]
    hint: S3_ENDPOINT names the bucket `models` in its host: set it to http://s3.example.invalid:9000
    [exit status: 6]
    ");
    let website = "http://models.s3-website-us-east-1.example.invalid";
    insta::assert_snapshot!(run(website, &[]), @r"
    ------- stderr -------
    error: cannot reach the S3 endpoint `$ENDPOINT`
    caused by: failed to lookup address information: [SYSTEM]
    hint: S3_ENDPOINT is a bucket's web site, which only serves pages: leave it empty, and set S3_REGION to the bucket's region
    [exit status: 6]
    ");
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
    insta::assert_snapshot!(env.run_with(["push", "m", "m.bin"], &login), @r"
    ------- stderr -------
    error: this key may not write to bucket `models` at `$ENDPOINT`: AccessDenied
    hint: this key can only pull and verify; to push, use one that may put and delete objects (s3:PutObject, s3:DeleteObject)
    [exit status: 5]
    ");
    let doctor = env.run_with(["doctor"], &login);
    insta::assert_snapshot!(crate::doctor::from(&doctor, "may"), @r"
    ✓ may list       s3:ListBucket: allowed
    ! may put        s3:PutObject: denied (AccessDenied)
    ✓ may get        s3:GetObject: allowed
    ✓ may head       s3:GetObject: allowed
    ! may delete     s3:DeleteObject: denied (AccessDenied)
    ! may send parts s3:PutObject, in parts: denied (AccessDenied)
    ! access         read and write: reads work; writes are refused
                     → a read-only key is enough to pull and verify; push, rm and gc need s3:PutObject and s3:DeleteObject
    – not tried      probing the server needs the permission to put objects: abilities
    ✓ pull folder    write into `.`: writable
    ✓ free space     check the free space: [SIZE]
    [exit status: 0]
    ");
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

/// A server, or what is in between, may show what it was sent. That is for no terminal and no log of a CI.
#[test]
fn what_repeats_a_secret_is_shown_without_it() {
    const TOKEN: &str = "IQoJb3Jp/Z2lu+X2VjEFwoGZXIvYXdz==";
    let encoded = TOKEN.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D");
    let html = "text/html";
    for (head, body) in [
        (format!("403 Forbidden\r\nContent-Type: {html}"), format!("<html><title>denied {TOKEN}</title></html>")),
        (format!("200 OK\r\nContent-Type: {html}"), format!("<html><title>hello {encoded}</title></html>")),
        ("404 Not Found\r\nContent-Type: text/plain".to_owned(), format!("you sent {TOKEN} and more")),
        (format!("403 Forbidden\r\nServer: x {TOKEN}\r\nContent-Type: {html}"), "<html>x</html>".to_owned()),
        (format!("302 Found\r\nLocation: /login/{encoded}"), String::new()),
        (
            "400 Bad Request\r\nContent-Type: application/xml".to_owned(),
            format!("<Error><Code>Odd</Code><Message>token {TOKEN} is odd</Message></Error>"),
        ),
        (
            "400 Bad Request\r\nx-amz-request-id: 1\r\nContent-Type: application/xml".to_owned(),
            format!("<Error><Code>Odd{TOKEN}</Code><Message>{encoded}</Message></Error>"),
        ),
    ] {
        let peer = peers::http(&head, &body);
        let env = TestEnv::without_server(&peer.url("http"));
        let login = [
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "the-secret-key-of-this-test"),
            ("AWS_SESSION_TOKEN", TOKEN),
        ];
        for verb in [["models"].as_slice(), &["models", "-vv"], &["doctor"], &["init"]] {
            let ended = env.run_with(verb, &login);
            let text = ended.to_string();
            // Others ask in ways that are answered without a body.
            assert!(text.contains("hidden") || verb[0] != "models", "nothing is told of {head} {body}: {text}");
            for part in ["IQoJb3Jp", "Z2lu", "X2VjEFwo"] {
                assert!(!text.contains(part), "{text}");
            }
        }
    }
}

#[test]
fn a_server_that_says_yes_to_everything_is_not_s3() {
    let peer = peers::http("200 OK", "");
    insta::assert_snapshot!(at(&peer), @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it answers HTTP 200 with an empty body
    hint: is another service on that port, or a proxy in between? set S3_ENDPOINT to the S3 server's own address and port
    [exit status: 2]
    ");
    let env = TestEnv::without_server(&peer.url("http"));
    env.write("m.bin", "weights");
    for verb in [["init"].as_slice(), &["push", "m", "m.bin"], &["versions", "m"], &["s3", "ls", "s3://models"]] {
        let ended = env.run(verb);
        assert!(ended.code == Some(2) && ended.stderr.contains("HTTP 200 with an empty body"), "{verb:?}: {ended}");
    }
    let doctor = env.run(["doctor"]);
    assert!(doctor.code != Some(0) && doctor.stdout.contains("an empty body"), "{doctor}");
}

#[test]
fn an_endpoint_below_a_bucket_is_refused_before_anything_is_written() {
    let env = TestEnv::with_buckets(&["other"]);
    let (bucket, client) = ("other".parse().unwrap(), env.client());
    let keys = || -> Vec<String> {
        wait(client.list_objects(&bucket, "")).unwrap().into_iter().map(|object| object.key).collect()
    };
    let below = format!("{}/other", client.endpoint());
    env.write("m.bin", "weights");
    for verb in [["init"].as_slice(), &["push", "m", "m.bin"], &["models"], &["check", "m"]] {
        let ended = env.run_with(verb, &[("S3_ENDPOINT", &below)]);
        let told = ended.to_string().contains("the name of a bucket");
        assert!(ended.code == Some(2) && told, "{verb:?}: {ended}");
    }
    insta::assert_snapshot!(env.run_with(["init"], &[("S3_ENDPOINT", &below)]), @r"
    ------- stderr -------
    error: `$ENDPOINT/other` is not an endpoint: its path is taken for the name of a bucket: leave it out, S3_BUCKET_MODELS names the bucket
    [exit status: 2]
    ");
    let nowhere = format!("{}/nowhere", client.endpoint());
    insta::assert_snapshot!(env.run_with(["init"], &[("S3_ENDPOINT", &nowhere)]), @r"
    ------- stderr -------
    error: `$ENDPOINT/nowhere` is not an endpoint: its path is taken for the name of a bucket: leave it out, S3_BUCKET_MODELS names the bucket
    [exit status: 2]
    ");
    assert_eq!(keys(), Vec::<String>::new());
    // One that was written by mistake earlier is no bucket either.
    wait(client.put_small(&bucket, "models", "".into(), "text/plain")).unwrap();
    wait(client.put_small(&bucket, "models/", "".into(), "text/plain")).unwrap();
    for verb in [["init"].as_slice(), &["push", "m", "m.bin"], &["models"]] {
        let ended = env.run_with(verb, &[("S3_ENDPOINT", &below)]);
        let told = ended.to_string().contains("the name of a bucket");
        assert!(ended.code == Some(2) && told, "{verb:?}: {ended}");
    }
    assert_eq!(keys(), ["models", "models/"]);
}

/// All servers of SeaweedFS have `X-Amz-Request-Id` in their answers.
#[test]
fn the_other_servers_of_seaweedfs_are_named() {
    let id = "X-Amz-Request-Id: 18EBBA941E8F41B707EA57A2";
    let mut all = String::new();
    for (head, body) in [
        (
            format!("404 Not Found\r\nContent-Type: application/json\r\n{id}"),
            "{\"error\":\"volume id models not found: unknown volume id models\"}",
        ),
        (format!("400 Bad Request\r\nServer: SeaweedFS Volume 8000GB 4.48\r\n{id}"), ""),
        (
            format!("200 OK\r\nServer: SeaweedFS 8000GB 4.48\r\n{id}\r\nContent-Type: text/html; charset=utf-8"),
            "<!DOCTYPE html>\n<html>\n<head>\n    <title>SeaweedFS Filer 8000GB 4.48 pypi</title>",
        ),
    ] {
        let peer = peers::http(&head, body);
        all += &format!("{}\n", at(&peer));
        let init = TestEnv::without_server(&peer.url("http")).run(["init"]);
        assert!(init.code == Some(2) && init.stderr.contains("is not an S3 API"), "{init}");
    }
    insta::assert_snapshot!(all, @r"
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it answers HTTP 404 with JSON
    hint: is another service on that port, or a proxy in between? set S3_ENDPOINT to the S3 server's own address and port
    [exit status: 2]
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is a volume server of SeaweedFS
    hint: the S3 API is on another port, often 8333 (`weed s3`, or `weed server -s3`): set S3_ENDPOINT to it
    [exit status: 2]
    ------- stderr -------
    error: `$ENDPOINT` is not an S3 API: it is SeaweedFS's filer
    hint: the S3 API is on another port, often 8333 (`weed s3`, or `weed server -s3`): set S3_ENDPOINT to it
    [exit status: 2]
    ");
}

#[test]
fn an_unknown_access_key_is_named_by_where_it_comes_from() {
    let body = "<Error><Code>InvalidAccessKeyId</Code><Message>no</Message></Error>";
    let peer = peers::http("403 Forbidden\r\nContent-Type: application/xml", body);
    let env = TestEnv::without_server(&peer.url("http"));
    let hint = |variables: &[(&str, &str)]| {
        let ended = env.run_with(["models"], variables).to_string();
        ended.lines().find(|line| line.starts_with("hint:")).unwrap().to_owned()
    };
    let all = [
        hint(&[]),
        hint(&[("S3_ACCESS_KEY", "ours"), ("S3_SECRET_KEY", "ours-too")]),
        hint(&[("AWS_ACCESS_KEY_ID", "ours"), ("AWS_SECRET_ACCESS_KEY", "ours-too")]),
    ];
    insta::assert_snapshot!(all.join("\n"), @r"
    hint: the server does not know the access key: it is `minioadmin`, the default on this machine: set the server's own in S3_ACCESS_KEY and S3_SECRET_KEY
    hint: the server does not know the access key: check S3_ACCESS_KEY, or AWS_ACCESS_KEY_ID where that one is set instead
    hint: the server does not know the access key: check S3_ACCESS_KEY, or AWS_ACCESS_KEY_ID where that one is set instead
    ");
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
            if glue.iter().any(|glue| part.trim() == glue.trim()) || part.trim().starts_with('…') {
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
        let others = ["refused to list bucket", "failed to list bucket", "does not exist", "` redirects to `"];
        assert!(known || others.iter().any(|other| line.contains(other)), "docs/troubleshooting.md lacks: {line}");
    }
}
