//! `up` and `serve` with a certificate.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::environment::{Output, TestEnv};
use crate::peers;

/// Creates a certificate for this machine, or a renewed one.
fn certify(env: &TestEnv) {
    let names = ["localhost", "127.0.0.1", "models.example"];
    let certified = peers::certified(|params| *params = peers::named(&names));
    env.write("cert.pem", certified.pem);
    env.write("key.pem", certified.key);
}

struct Serving {
    child: Child,
    told: serde_json::Value,
}

impl Serving {
    fn start(env: &TestEnv, args: &[&str]) -> Serving {
        let args = args.iter().chain(&["--json", "--tls-cert", "cert.pem", "--tls-key", "key.pem"]);
        let mut child = env.start(args);
        let mut text = String::new();
        let mut stdout = BufReader::with_capacity(1, child.stdout.as_mut().unwrap());
        while stdout.read_line(&mut text).unwrap() > 0 {
            if let Ok(told) = serde_json::from_str::<serde_json::Value>(&text) {
                return Serving { child, told };
            }
        }
        panic!("{}", env.finish(child));
    }

    fn url(&self, name: &str) -> String {
        self.told[name].as_str().unwrap().to_owned()
    }

    fn stop(self, env: &TestEnv) -> Output {
        assert!(Command::new("sh").args(["-c", &format!("kill -INT {}", self.child.id())]).status().unwrap().success());
        env.finish(self.child)
    }
}

/// Sends a request over TLS, trusting the current certificate, and returns everything that arrives.
fn ask(env: &TestEnv, url: &str, path: &str, host: &str) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&env.read("cert.pem")).unwrap()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let client = client.with_safe_default_protocol_versions().unwrap();
    let client = client.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(client), name).unwrap();
    let address = url.strip_prefix("https://").expect("https");
    let mut stream = StreamOwned::new(connection, TcpStream::connect(address).unwrap());
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn up_serves_both_ports_over_https_and_a_renewal_needs_no_restart() {
    let mut env = TestEnv::without_server("");
    certify(&env);
    env.write("m.bin", "weights");
    let mut up =
        Serving::start(&env, &["up", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0", "--data", "store"]);
    env.endpoint = up.url("endpoint");
    assert!(env.endpoint.starts_with("https://127.0.0.1:"), "{}", env.endpoint);
    env.run(["push", "m", "m.bin", "--version", "1", "--ca-bundle", "cert.pem"]).success();
    env.run(["pull", "m@1", "out", "--ca-bundle", "cert.pem"]).success();
    assert_eq!(env.read("out/m.bin"), b"weights");
    let checked = env.run(["check", "m@1", "--ca-bundle", "cert.pem"]).success();
    assert!(checked.contains("presigned URL answered 206"), "{checked}");
    insta::assert_snapshot!(env.run(["models", "--timeout", "2s"]), @r"
    ------- stderr -------
    error: cannot connect to `$ENDPOINT` over TLS: no trusted authority has signed its certificate
    hint: save the certificate of its authority, or the server's own if it is self-signed, as a PEM file and name that with --ca-bundle or AWS_CA_BUNDLE
    [exit status: 6]
    ");

    // The console reaches its own S3 port, and its links use the name in the certificate.
    let console = up.url("console");
    let told = ask(&env, &console, "/api/v1/models", "localhost").unwrap();
    assert!(told.starts_with("HTTP/1.1 200") && told.contains("\"name\":\"m\""), "{told}");
    let link = ask(&env, &console, "/api/v1/models/m/versions/1/link", "localhost").unwrap();
    assert!(link.contains(&format!("\"{}/models/", env.endpoint)), "{link}");

    certify(&env);
    let mut tries = 0;
    while let Err(error) = ask(&env, &console, "/healthz", "localhost") {
        assert!(error.to_string().contains("certificate") && tries < 1200, "{error}");
        tries += 1;
        std::thread::sleep(Duration::from_millis(100));
    }
    env.run(["push", "m", "m.bin", "--version", "2", "--ca-bundle", "cert.pem"]).success();
    let told = ask(&env, &console, "/api/v1/models/m/versions", "localhost").unwrap();
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");

    // An invalid renewal changes nothing, and is reported.
    let whole = env.read("cert.pem");
    env.write("cert.pem", &whole[..whole.len() / 2]);
    env.write("whole.pem", &whole);
    let (said, log) = std::sync::mpsc::channel();
    let stderr = up.child.stderr.take().unwrap();
    std::thread::spawn(move || {
        BufReader::new(stderr).lines().map_while(Result::ok).try_for_each(|line| said.send(line))
    });
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        env.run(["models", "--ca-bundle", "whole.pem"]).success();
        let mut lines = log.try_iter();
        if lines.any(|line| line.contains("the renewed certificate cannot be used, the last one is kept")) {
            break;
        }
        assert!(Instant::now() < end, "nothing is said of the broken certificate");
    }
    up.stop(&env).success();
}

#[test]
fn serve_over_https_keeps_browsers_there() {
    let env = TestEnv::new();
    certify(&env);
    let token = env.run(["token", "add", "ana", "--scope", "read", "--tokens", "tokens"]).stdout.trim().to_owned();
    let serving = Serving::start(&env, &["serve", "--tokens", "tokens", "--listen", "127.0.0.1:0"]);
    let console = serving.url("console");
    let told = ask(&env, &console, "/login", "models.example").unwrap();
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");
    assert!(told.contains("strict-transport-security: max-age=31536000\r\n"), "{told}");
    assert!(!ask(&env, &console, "/login", "localhost:9001").unwrap().contains("strict-transport-security"));
    // Plain HTTP is told to use HTTPS.
    let mut plain = TcpStream::connect(console.trim_start_matches("https://")).unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut told = String::new();
    plain.read_to_string(&mut told).unwrap();
    assert!(told.starts_with("HTTP/1.1 400") && told.contains("HTTPS"), "{told}");
    // A cookie is never sent over plain HTTP.
    let form = format!("token={token}");
    let curl = Command::new("curl")
        .args(["-s", "-i", "--cacert", "cert.pem", "--data", &form, &format!("{console}/login")])
        .current_dir(env.folder())
        .stdin(Stdio::null())
        .output();
    if let Ok(answer) = curl {
        let answer = String::from_utf8_lossy(&answer.stdout).to_lowercase();
        let cookie = answer.lines().find(|line| line.starts_with("set-cookie:")).unwrap_or(&answer);
        assert!(cookie.contains("; secure"), "{answer}");
    }
    serving.stop(&env).success();
}

#[test]
#[ignore = "needs boto3: run by `cargo xtask test`"]
fn outside_boto3_over_https() {
    let env = TestEnv::without_server("");
    certify(&env);
    let up = Serving::start(&env, &["up", "--no-console", "--listen", "127.0.0.1:0", "--data", "store"]);
    let tools = std::path::PathBuf::from(std::env::var_os("MODELDEPOT_TOOLS").expect("says where the clients are"));
    let script = "import boto3, sys\n\
        s3 = boto3.client('s3', endpoint_url=sys.argv[1], verify='cert.pem', region_name='us-east-1',\n\
        \x20   aws_access_key_id='minioadmin', aws_secret_access_key='minioadmin')\n\
        s3.put_object(Bucket='models', Key='k', Body=b'x' * 20_000_000)\n\
        assert s3.get_object(Bucket='models', Key='k')['Body'].read() == b'x' * 20_000_000\n";
    let python = Command::new(tools.join("venv/bin/python"))
        .args(["-c", script, &up.url("endpoint")])
        .current_dir(env.folder())
        .env_clear()
        .output()
        .unwrap();
    assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
    up.stop(&env).success();
}

#[test]
fn a_certificate_that_cannot_be_used_is_refused_at_once() {
    let env = TestEnv::without_server("");
    certify(&env);
    let serve = |args: &[&str]| env.run(["serve", "--listen", "127.0.0.1:0"].iter().chain(args));
    insta::assert_snapshot!(serve(&["--tls-cert", "cert.pem"]), @r"
    ------- stderr -------
    error: `--tls-key FILE` is missing
    hint: `modeldepot serve --help` shows its arguments and options, with examples
    [exit status: 2]
    ");
    insta::assert_snapshot!(serve(&["--tls-cert", "nowhere.pem", "--tls-key", "key.pem"]), @r"
    ------- stderr -------
    error: cannot read the certificate `nowhere.pem`
    caused by: No such file or directory (os error 2)
    [exit status: 8]
    ");
    insta::assert_snapshot!(serve(&["--tls-cert", "cert.pem", "--tls-key", "cert.pem"]), @r"
    ------- stderr -------
    error: `cert.pem` holds no private key in PEM
    hint: it begins with `-----BEGIN PRIVATE KEY-----`
    [exit status: 2]
    ");
    env.write("locked.pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
    insta::assert_snapshot!(serve(&["--tls-cert", "cert.pem", "--tls-key", "locked.pem"]), @r"
    ------- stderr -------
    error: the private key `locked.pem` is encrypted
    hint: remove the passphrase: `openssl pkey -in KEY -out PLAIN`, readable by its owner alone
    [exit status: 2]
    ");
    env.write("other.pem", rcgen::KeyPair::generate().unwrap().serialize_pem());
    insta::assert_snapshot!(serve(&["--tls-cert", "cert.pem", "--tls-key", "other.pem"]), @r"
    ------- stderr -------
    error: the private key `other.pem` does not belong to the certificate `cert.pem`
    hint: the first certificate of the file must be the server's own
    [exit status: 2]
    ");
    insta::assert_snapshot!(serve(&["--trusted-proxy", "10.0.0.0/99"]), @r"
    ------- stderr -------
    error: invalid value `10.0.0.0/99` for `--trusted-proxy`: write it as an address or a network: `10.0.0.7`, `10.0.0.0/8`, `fd00::/8`
    [exit status: 2]
    ");
    let key = rcgen::KeyPair::generate().unwrap();
    let wild = rcgen::CertificateParams::new(vec!["*.models.example".to_owned()]).unwrap().self_signed(&key).unwrap();
    env.write("wild.pem", wild.pem());
    env.write("wild-key.pem", key.serialize_pem());
    let up =
        ["up", "--listen", "127.0.0.1:0", "--data", "store", "--tls-cert", "wild.pem", "--tls-key", "wild-key.pem"];
    insta::assert_snapshot!(env.run(up), @r"
    ------- stderr -------
    warning: every user of this machine can read the private key `wild-key.pem`: run `chmod 600 wild-key.pem`
    error: the certificate `wild.pem` names no host
    hint: set S3_ENDPOINT=https://NAME:PORT with a name that the certificate is valid for
    [exit status: 2]
    ");
}
