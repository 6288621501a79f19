//! `doctor`: what it tested, the result, and what to change.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::environment::{Output, TestEnv, wait};

/// Removes values that differ from run to run beyond those normalized everywhere.
pub(crate) fn steady(output: &Output) -> String {
    let mut shown = String::new();
    for line in output.to_string().lines() {
        let line = line.strip_suffix(" [TIME]").unwrap_or(line);
        match line.split_once("free space: ") {
            Some((before, _)) => shown += &format!("{before}free space: [SIZE]"),
            None => shown += line,
        }
        shown.push('\n');
    }
    // The system's error has several wordings.
    for text in ["Name or service not known", "Temporary failure in name resolution", "nodename nor servname provided"]
    {
        shown = shown.replace(text, "[SYSTEM]");
    }
    // The width of the settings' columns depends on the port number.
    while shown.contains("$ENDPOINT  ") {
        shown = shown.replace("$ENDPOINT  ", "$ENDPOINT ");
    }
    match shown.split_once("connect to port ") {
        Some((before, rest)) => {
            let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{before}connect to port [PORT]{rest}")
        }
        None => shown,
    }
}

/// Returns the lines from a check on.
#[track_caller]
pub(crate) fn from(output: &Output, check: &str) -> String {
    let shown = steady(output);
    let at = shown.lines().position(|line| line.split_whitespace().nth(1) == Some(check));
    let at = at.unwrap_or_else(|| panic!("no {check} in {shown}"));
    shown.lines().skip(at).collect::<Vec<_>>().join("\n")
}

/// Gives every request the same answer.
fn answering(answer: &'static str) -> String {
    let listener = wait(TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))).unwrap();
    let address = listener.local_addr().unwrap();
    let serve = async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    };
    wait(async { drop(tokio::spawn(serve)) });
    format!("http://{address}")
}

#[test]
fn all_is_well() {
    let env = TestEnv::new();
    insta::assert_snapshot!(steady(&env.run(["doctor"])), @r"
    ------- stdout -------
    ✓ settings       read flags, environment, .env and AWS profile: found
                     endpoint       $ENDPOINT S3_ENDPOINT in the environment
                     credentials    minioadmin (default on this machine)  default
                     region         us-east-1                             default
                     models bucket  models                                default
                     images bucket  plants-images                         default
                     data bucket    data                                  default
                     addressing     auto: bucket in the path              default
    ✓ proxy          read proxy variables: none set
    ✓ name           look up `127.0.0.1`: is an IP address
    ✓ port           connect to port [PORT]: open
    ✓ TLS            not in use: the endpoint is http://
    ✓ answer         send an S3 request: an S3 service (modeldepot-embedded)
    ✓ clock          compare the clocks: within 5 seconds of the server
    ✓ credentials    log in with minioadmin (default on this machine): accepted
    ✓ region         sign for `us-east-1`: accepted
    ✓ addressing     find `models` in the path: found
    ✓ bucket         check `models`: exists
    ✓ bucket         check `plants-images`: exists
    ✓ bucket         check `data`: exists
    ✓ may list       s3:ListBucket: allowed
    ✓ may put        s3:PutObject: allowed
    ✓ may get        s3:GetObject: allowed
    ✓ may head       s3:GetObject: allowed
    ✓ may delete     s3:DeleteObject: allowed
    ✓ may send parts s3:PutObject, in parts: allowed
    ✓ payload        upload with an unsigned payload: accepted: push reads each file once
    ✓ create         create an object from 16 writers: exactly one succeeds: the server prevents conflicting pushes
    ✓ CRC64NVME      upload with a wrong checksum: refused: damage in transit is detected
    ✓ part copy      copy a part within the server: works, and a wrong checksum of the object is refused
    ✓ upload URLs    copy another object with an upload URL: refused: the URL permits only that upload
    ✓ pull folder    write into `.`: writable
    ✓ free space     check the free space: [SIZE]
    [exit status: 0]
    ");
    assert_eq!(env.all_keys(), [".depot/probe.json"], "what was written is removed");
    let checks = env.run(["doctor", "--json"]).json();
    let checks = checks.as_array().unwrap();
    assert!(checks.iter().all(|check| check["state"] == "ok"), "{checks:?}");
}

#[test]
fn a_server_that_ignores_conditions() {
    let env = TestEnv::ignoring_conditions();
    let ended = env.run(["doctor"]);
    assert_eq!(ended.code, Some(0), "what is worth knowing is no failure: {ended}");
    insta::assert_snapshot!(from(&ended, "create"), @r"
    ! create         create an object from 16 writers: the condition is ignored or unreliable: only leases prevent conflicting pushes
                     → do not suspend a push for more than 10 minutes: it could overwrite another; `verify` detects that
    ✓ CRC64NVME      upload with a wrong checksum: refused: damage in transit is detected
    ✓ part copy      copy a part within the server: works, and a wrong checksum of the object is refused
    ✓ upload URLs    copy another object with an upload URL: refused: the URL permits only that upload
    ✓ pull folder    write into `.`: writable
    ✓ free space     check the free space: [SIZE]
    [exit status: 0]
    ");
}

#[test]
fn nobody_listens() {
    let env = TestEnv::without_server("http://127.0.0.1:1");
    insta::assert_snapshot!(steady(&env.run(["doctor"])), @r"
    ------- stdout -------
    ✓ settings       read flags, environment, .env and AWS profile: found
                     endpoint       $ENDPOINT S3_ENDPOINT in the environment
                     credentials    minioadmin (default on this machine)  default
                     region         us-east-1                             default
                     models bucket  models                                default
                     images bucket  plants-images                         default
                     data bucket    data                                  default
                     addressing     auto: bucket in the path              default
    ✓ proxy          read proxy variables: none set
    ✓ name           look up `127.0.0.1`: is an IP address
    ✗ port           connect to port [PORT]: refused
                     → nothing is listening on port 1: check the port, or start a server with `modeldepot up`
    – TLS            no connection
    – not tried      no connection: answer, clock, credentials, region, addressing, bucket, permissions, abilities
    ✓ pull folder    write into `.`: writable
    ✓ free space     check the free space: [SIZE]
    ------- stderr -------
    error: 1 of 15 checks failed
    [exit status: 6]
    ");
}

#[test]
fn a_name_that_nobody_knows() {
    let env = TestEnv::without_server("http://no-such-host.invalid:9000");
    insta::assert_snapshot!(from(&env.run(["doctor"]), "name"), @"
    ✗ name           look up `no-such-host.invalid`: unknown host (failed to lookup address information: [SYSTEM])
                     → is the name in S3_ENDPOINT or --endpoint spelled right, and known on this network (VPN, /etc/hosts)?
    – port           the name could not be resolved
    – TLS            no connection
    – not tried      no connection: answer, clock, credentials, region, addressing, bucket, permissions, abilities
    ✓ pull folder    write into `.`: writable
    ✓ free space     check the free space: [SIZE]
    ------- stderr -------
    error: 1 of 15 checks failed
    [exit status: 6]
    ");
}

#[test]
fn a_wrong_login() {
    let env = TestEnv::new();
    let secret = [("S3_ACCESS_KEY", "minioadmin"), ("S3_SECRET_KEY", "not-the-one")];
    insta::assert_snapshot!(from(&env.run_with(["doctor"], &secret), "answer"), @r"
    ✓ answer         send an S3 request: an S3 service (modeldepot-embedded)
    ✓ clock          compare the clocks: within 5 seconds of the server
    ✗ credentials    log in with S3_ACCESS_KEY in the environment: the secret key does not match the access key (SignatureDoesNotMatch)
                     → check S3_SECRET_KEY for typos; in `.env`, quote a key with `$` or `#`: '…'
    – region         the credentials were refused first
    – not tried      the credentials were not accepted: addressing, bucket, permissions, abilities
    ✓ pull folder    write into `.`: writable
    ✓ free space     check the free space: [SIZE]
    ------- stderr -------
    error: 1 of 15 checks failed
    [exit status: 5]
    ");
    env.write(".env", "S3_ACCESS_KEY=nobody\nS3_SECRET_KEY='not-the-one'\n");
    insta::assert_snapshot!(steady(&env.run(["doctor"])), @r"
    ------- stdout -------
    ✓ settings       read flags, environment, .env and AWS profile: found
                     endpoint       $ENDPOINT S3_ENDPOINT in the environment
                     access key     set                       S3_ACCESS_KEY in $TEMP/work/.env:1
                     secret key     set                       S3_SECRET_KEY in $TEMP/work/.env:2
                     region         us-east-1                 default
                     models bucket  models                    default
                     images bucket  plants-images             default
                     data bucket    data                      default
                     addressing     auto: bucket in the path  default
    ✓ proxy          read proxy variables: none set
    ✓ name           look up `127.0.0.1`: is an IP address
    ✓ port           connect to port [PORT]: open
    ✓ TLS            not in use: the endpoint is http://
    ✓ answer         send an S3 request: an S3 service (modeldepot-embedded)
    ✓ clock          compare the clocks: within 5 seconds of the server
    ✗ credentials    log in with S3_ACCESS_KEY in $TEMP/work/.env:1: the server does not know this access key (InvalidAccessKeyId)
                     → check S3_ACCESS_KEY: is it mistyped, deleted, or from another server?
    – region         the credentials were refused first
    – not tried      the credentials were not accepted: addressing, bucket, permissions, abilities
    ✓ pull folder    write into `.`: writable
    ✓ free space     check the free space: [SIZE]
    ------- stderr -------
    error: 1 of 15 checks failed
    [exit status: 5]
    ");
    let shown = env.run(["doctor", "-vv"]);
    assert!(!shown.to_string().contains("not-the-one"), "{shown}");
}

#[test]
fn buckets_that_are_missing() {
    let env = TestEnv::with_buckets(&["data"]);
    insta::assert_snapshot!(from(&env.run(["doctor"]), "credentials"), @r"
    ✓ credentials    log in with minioadmin (default on this machine): accepted
    ✓ region         sign for `us-east-1`: accepted
    ! addressing     find `models` in the path: found in neither the host nor the path: the bucket does not exist, so the style is unknown
    ✗ bucket         check `models`: it does not exist
                     → run `modeldepot init` to create the buckets, or correct the name in S3_BUCKET_…
    ✗ bucket         check `plants-images`: it does not exist
                     → run `modeldepot init` to create the buckets, or correct the name in S3_BUCKET_…
    ✓ bucket         check `data`: exists
    – not tried      the models bucket cannot be used: permissions, abilities
    ✓ pull folder    write into `.`: writable
    ✓ free space     check the free space: [SIZE]
    ------- stderr -------
    error: 2 of 17 checks failed
    [exit status: 3]
    ");
}

#[test]
fn https_to_a_port_that_speaks_http() {
    let env = TestEnv::new();
    let endpoint = env.endpoint.replace("http://", "https://");
    insta::assert_snapshot!(from(&env.run(["doctor", "--endpoint", &endpoint]), "port"), @r"
    ✓ port           connect to port [PORT]: open
    ✗ TLS            TLS handshake: `https://127.0.0.1:[PORT]` speaks plain HTTP, not TLS
                     → set S3_ENDPOINT=$ENDPOINT
    – not tried      no S3 service answers: answer, clock, credentials, region, addressing, bucket, permissions, abilities
    ✓ pull folder    write into `.`: writable
    ✓ free space     check the free space: [SIZE]
    ------- stderr -------
    error: 1 of 15 checks failed
    [exit status: 2]
    ");
}

#[test]
fn something_that_is_not_s3() {
    let html = "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\
                Connection: close\r\n\r\n<html>";
    let env = TestEnv::without_server(&answering(html));
    insta::assert_snapshot!(from(&env.run(["doctor"]), "TLS"), @r"
    ✓ TLS            not in use: the endpoint is http://
    ✗ answer         send an S3 request: `$ENDPOINT` is not an S3 API: it answers HTTP 200 with a web page (Server: nginx)
                     → is another service on that port, or a proxy in between? set S3_ENDPOINT to the S3 server's own address and port
    – not tried      no S3 service answers: clock, credentials, region, addressing, bucket, permissions, abilities
    ✓ pull folder    write into `.`: writable
    ✓ free space     check the free space: [SIZE]
    ------- stderr -------
    error: 1 of 15 checks failed
    [exit status: 2]
    ");
    let console = "HTTP/1.1 200 OK\r\nServer: MinIO Console\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\
                   Connection: close\r\n\r\n<html>";
    let env = TestEnv::without_server(&answering(console));
    insta::assert_snapshot!(from(&env.run(["doctor"]), "answer"), @r"
    ✗ answer         send an S3 request: `$ENDPOINT` is not an S3 API: it is MinIO's console
                     → the S3 API is on another port, often 9000: set S3_ENDPOINT to it
    – not tried      no S3 service answers: clock, credentials, region, addressing, bucket, permissions, abilities
    ✓ pull folder    write into `.`: writable
    ✓ free space     check the free space: [SIZE]
    ------- stderr -------
    error: 1 of 15 checks failed
    [exit status: 2]
    ");
    let env = TestEnv::without_server(&answering("SSH-2.0-OpenSSH_9.6\r\n"));
    insta::assert_snapshot!(from(&env.run(["doctor"]), "answer"), @r"
    ✗ answer         send an S3 request: `$ENDPOINT` is not an S3 API: it is an SSH server (`SSH-2.0-OpenSSH_9.6`)
                     → another service is on that port: set S3_ENDPOINT to the S3 server's own address
    – not tried      no S3 service answers: clock, credentials, region, addressing, bucket, permissions, abilities
    ✓ pull folder    write into `.`: writable
    ✓ free space     check the free space: [SIZE]
    ------- stderr -------
    error: 1 of 15 checks failed
    [exit status: 2]
    ");
    let env = TestEnv::without_server(&answering(""));
    insta::assert_snapshot!(from(&env.run(["doctor"]), "answer"), @r"
    ✗ answer         send an S3 request: cannot reach the S3 endpoint `$ENDPOINT`: connection closed before message completed
                     → the port is open but does not answer HTTP: is it the S3 server's, with the right scheme?
    – not tried      no S3 service answers: clock, credentials, region, addressing, bucket, permissions, abilities
    ✓ pull folder    write into `.`: writable
    ✓ free space     check the free space: [SIZE]
    ------- stderr -------
    error: 1 of 15 checks failed
    [exit status: 6]
    ");
}

#[test]
fn http_to_a_port_that_speaks_tls() {
    let go = "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
    for answer in [go, "\u{15}\u{3}\u{1}\u{0}\u{2}\u{2}\u{46}"] {
        let env = TestEnv::without_server(&answering(answer));
        let ended = env.run(["doctor"]);
        assert_eq!(ended.code, Some(2), "{ended}");
        let shown = from(&ended, "TLS");
        assert!(shown.contains("speaks TLS, not plain HTTP"), "{shown}");
        assert!(shown.contains("set S3_ENDPOINT=https://127.0.0.1:"), "{shown}");
    }
}

#[test]
fn a_clock_that_is_years_off() {
    let old = "HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nDate: Tue, 28 Oct 2025 18:19:00 GMT\r\n\
               Content-Length: 54\r\nConnection: close\r\n\r\n<Error><Code>RequestTimeTooSkewed</Code></Error>      ";
    let env = TestEnv::without_server(&answering(old));
    let ended = env.run(["doctor"]);
    assert_eq!(ended.code, Some(5), "{ended}");
    let shown = from(&ended, "clock");
    assert!(shown.starts_with("✗ clock          compare the clocks: "), "{shown}");
    assert!(shown.contains("correct the wrong clock (NTP)"), "{shown}");
    assert!(shown.contains("refused: the clocks differ too much"), "{shown}");
}

#[test]
fn buckets_in_the_host_of_a_server_that_takes_them_in_the_path() {
    let env = TestEnv::new();
    let endpoint = env.endpoint.replace("127.0.0.1", "localhost");
    // Whether `models.localhost` resolves differs between machines; the server does not know it in any case.
    let ended = env.run(["doctor", "--endpoint", &endpoint, "--addressing", "virtual"]);
    assert_eq!(ended.code, Some(2), "{ended}");
    let shown = from(&ended, "addressing");
    assert!(shown.starts_with("✗ addressing     find `models` in the host: "), "{shown}");
    assert!(shown.contains("→ pass --addressing path, or set S3_ADDRESSING=path"), "{shown}");
    assert!(shown.contains("✓ may put"), "it continues with the path: {shown}");
}
