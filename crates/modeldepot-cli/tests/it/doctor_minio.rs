//! `doctor` on MinIO: its console, its region, a read-only key, and TLS.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::doctor::from;
use crate::environment::TestEnv;
use crate::peers;

fn tools() -> PathBuf {
    PathBuf::from(std::env::var_os("MODELDEPOT_TOOLS").expect("MODELDEPOT_TOOLS names no folder")).join("bin")
}

/// The MinIO that `cargo xtask test` started.
fn shared() -> TestEnv {
    let endpoint = std::env::var("MODELDEPOT_TEST_MINIO").expect("MODELDEPOT_TEST_MINIO names no endpoint");
    TestEnv::without_server(&endpoint).with_own_buckets()
}

/// A MinIO for a single test.
struct Minio {
    child: Child,
    port: u16,
    console: u16,
}

impl Drop for Minio {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn start(certs: &Path, drive: &Path) -> Minio {
    let (port, console) = (free_port(), free_port());
    let child = Command::new(tools().join("minio"))
        .args(["server", "--quiet", "--address", &format!("127.0.0.1:{port}")])
        .args(["--console-address", &format!("127.0.0.1:{console}"), "--certs-dir"])
        .args([certs, drive])
        .env("MINIO_BROWSER", "on")
        .env("MINIO_UPDATE", "off")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    for port in [port, console] {
        for attempt in 0.. {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                break;
            }
            assert!(attempt < 1200, "MinIO does not come up");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    Minio { child, port, console }
}

#[test]
#[ignore = "needs MinIO: run by `cargo xtask test`"]
fn minio_console() {
    let mut env = TestEnv::without_server("");
    std::fs::create_dir(env.path("certs")).unwrap();
    let minio = start(&env.path("certs"), &env.path("drive"));
    env.endpoint = format!("http://127.0.0.1:{}", minio.console);
    let ended = env.run(["doctor"]);
    assert_eq!(ended.code, Some(2), "{ended}");
    let shown = from(&ended, "answer");
    assert!(
        shown.contains("it is MinIO's console") && shown.contains("the S3 API is on another port, often 9000"),
        "{shown}"
    );
}

#[test]
#[ignore = "needs MinIO: run by `cargo xtask test`"]
fn minio_in_another_region() {
    let env = shared();
    let ended = env.run(["doctor", "--region", "eu-west-1"]);
    assert_eq!(ended.code, Some(0), "{ended}");
    let shown = from(&ended, "region");
    let line = shown.lines().take(2).collect::<Vec<_>>().join("\n");
    let bucket = line.split('`').nth(3).unwrap();
    insta::assert_snapshot!(line.replace(bucket, "models-[ID]"), @r"
    ! region         sign for `eu-west-1`: `models-[ID]` is in `us-east-1`; requests are redirected there
                     → set S3_REGION=us-east-1 to save a redirect per command
    ");
    assert!(shown.contains("✓ may put"), "it continues with the right one: {shown}");
}

#[test]
#[ignore = "needs MinIO: run by `cargo xtask test`"]
fn minio_outside_mc_login_that_may_only_read() {
    let env = shared();
    let name = format!("reader{}", std::process::id());
    let secret = "reader-secret-0123";
    let mc = |args: &[&str]| {
        let config = env.path("mc");
        let run = Command::new(tools().join("mc")).arg("--config-dir").arg(config).args(args).output().unwrap();
        assert!(run.status.success(), "mc {args:?}: {}", String::from_utf8_lossy(&run.stderr));
    };
    let allow = |actions: &str| {
        format!(
            r#"{{"Version": "2012-10-17", "Statement": [
                {{"Effect": "Allow", "Action": [{actions}], "Resource": ["arn:aws:s3:::*"]}}]}}"#
        )
    };
    mc(&["alias", "set", "here", &env.endpoint, "minioadmin", "minioadmin"]);
    mc(&["admin", "user", "add", "here", &name, secret]);
    let may = |policy: &str, actions: &str| {
        let file = env.write(&format!("{policy}.json"), allow(actions));
        let policy = format!("{policy}{}", std::process::id());
        mc(&["admin", "policy", "create", "here", &policy, file.to_str().unwrap()]);
        mc(&["admin", "policy", "attach", "here", &policy, "--user", &name]);
        policy
    };
    let login = [("S3_ACCESS_KEY", name.as_str()), ("S3_SECRET_KEY", secret)];
    let get = may("get", r#""s3:GetObject""#);
    let without_list = env.run_with(["doctor"], &login);
    assert_eq!(without_list.code, Some(5), "{without_list}");
    let shown = without_list.to_string();
    assert!(shown.contains("✗ may list") && shown.contains("✓ may get"), "{shown}");
    mc(&["admin", "policy", "detach", "here", &get, "--user", &name]);

    may("read", r#""s3:ListBucket", "s3:GetObject""#);
    let ended = env.run_with(["doctor"], &login);
    assert_eq!(ended.code, Some(0), "{ended}");
    assert!(!ended.to_string().contains(secret), "{ended}");
    let shown = ended.to_string();
    let rights = shown.lines().skip_while(|line| !line.contains("may list")).take(10);
    // Slow checks show their time.
    let rights: Vec<&str> = rights.map(|line| line.strip_suffix(" [TIME]").unwrap_or(line)).collect();
    insta::assert_snapshot!(rights.join("\n"), @r"
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
    ");
}

/// Writes a certificate for a name, signed by an unknown authority.
fn certificate(env: &TestEnv, name: &str) -> PathBuf {
    let (authority, certified) = peers::signed(|params| *params = peers::named(&[name]));
    std::fs::create_dir(env.path("certs")).unwrap();
    env.write("certs/public.crt", certified.pem);
    env.write("certs/private.key", certified.key);
    env.write("ca.pem", authority)
}

#[test]
#[ignore = "needs MinIO: run by `cargo xtask test`"]
fn minio_over_tls() {
    let env = TestEnv::without_server("");
    let bundle = certificate(&env, "localhost");
    let minio = start(&env.path("certs"), &env.path("drive"));
    let first = |args: &[&str]| {
        let ended = env.run(["doctor"].iter().chain(args));
        let shown = from(&ended, "TLS").replace(&minio.port.to_string(), "[PORT]");
        shown.lines().take(3).collect::<Vec<_>>().join("\n")
    };
    let at = |address: &str| format!("{address}:{}", minio.port);
    insta::assert_snapshot!(first(&["--endpoint", &at("https://localhost")]), @r"
    ✗ TLS            TLS handshake: cannot connect to `https://localhost:[PORT]` over TLS: no trusted authority has signed its certificate
                     → save the certificate of its authority, or the server's own if it is self-signed, as a PEM file and name that with --ca-bundle or AWS_CA_BUNDLE
    – not tried      no S3 service answers: answer, clock, credentials, region, addressing, bucket, permissions, abilities
    ");
    let trusting = ["--ca-bundle", bundle.to_str().unwrap()];
    insta::assert_snapshot!(first(&[["--endpoint", &at("https://127.0.0.1")], trusting].concat()), @r"
    ✗ TLS            TLS handshake: cannot connect to `https://127.0.0.1:[PORT]` over TLS: its certificate is for `localhost` only
                     → use a name that the certificate is for in S3_ENDPOINT, or have one made for this name; if only the bucket's name in the host is missing, set S3_ADDRESSING=path
    – not tried      no S3 service answers: answer, clock, credentials, region, addressing, bucket, permissions, abilities
    ");
    insta::assert_snapshot!(first(&["--endpoint", &at("http://localhost")]), @r"
    ✗ TLS            send a plain HTTP request: `http://localhost:[PORT]` speaks TLS, not plain HTTP
                     → set S3_ENDPOINT=https://localhost:[PORT]
    – not tried      no S3 service answers: answer, clock, credentials, region, addressing, bucket, permissions, abilities
    ");
    insta::assert_snapshot!(first(&[["--endpoint", &at("https://localhost")], trusting].concat()), @r"
    ✓ TLS            TLS handshake: the certificate is trusted with the configured authorities
    ✓ answer         send an S3 request: an S3 service (MinIO)
    ✓ clock          compare the clocks: within 5 seconds of the server
    ");
}
