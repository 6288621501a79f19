//! `key`, and `up --keys`: several key pairs for the embedded server.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};

use crate::environment::{Output, TestEnv};

fn add(env: &TestEnv, name: &str, grants: &[&str]) -> (String, String) {
    let mut args = vec!["key", "add", name, "--keys", "private/keys"];
    args.extend(grants.iter().flat_map(|grant| ["--grant", grant]));
    let made = env.run(args);
    assert_eq!(made.code, Some(0), "{made}");
    let value = |variable: &str| made.stdout.lines().find_map(|line| line.strip_prefix(variable)).unwrap().to_owned();
    (value("S3_ACCESS_KEY="), value("S3_SECRET_KEY="))
}

/// The output of a run, without access keys.
fn shown(output: &Output) -> String {
    let text = output.to_string();
    text.split_inclusive(' ').map(|word| if word.starts_with("MDK") { "$ACCESS_KEY " } else { word }).collect()
}

#[test]
fn key_pairs_are_made_listed_and_revoked() {
    let env = TestEnv::without_server("");
    insta::assert_snapshot!(env.run(["key", "list"]), @r"
    ------- stderr -------
    error: no key file is set
    hint: pass --keys FILE, or set MODELDEPOT_KEYS
    [exit status: 2]
    ");
    let (access_key, secret_key) = add(&env, "ci", &["models=write", "data=read"]);
    assert!(access_key.starts_with("MDK") && access_key.len() == 20, "{access_key}");
    assert!(secret_key.starts_with("mds_") && secret_key.len() == 47);
    add(&env, "root", &["*=admin"]);
    let file = env.path("private/keys");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let listed = env.run(["key", "list", "--keys", "private/keys"]);
    assert!(!listed.stdout.contains("mds_"), "{listed}");
    insta::assert_snapshot!(shown(&listed), @r"
    ------- stdout -------
    NAME  ACCESS KEY            BUCKETS
    ci    $ACCESS_KEY  models=write data=read
    root  $ACCESS_KEY  *=admin
    [exit status: 0]
    ");
    let json = env.run(["key", "list", "--keys", "private/keys", "--json"]);
    assert!(!json.stdout.contains("mds_") && json.stdout.contains("models=write"), "{json}");
    insta::assert_snapshot!(env.run(["key", "add", "ci", "--grant", "models=read", "--keys", "private/keys"]), @r"
    ------- stderr -------
    error: key pair `ci` exists in `private/keys`
    hint: `modeldepot key rm ci --keys private/keys` revokes it
    [exit status: 4]
    ");
    insta::assert_snapshot!(env.run(["key", "add", "x", "--grant", "models=all", "--keys", "private/keys"]), @r"
    ------- stderr -------
    error: invalid value `models=all` for `--grant`: use `read`, `write` or `admin`; each includes those before it
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["key", "add", "x", "--grant", "models", "--keys", "private/keys"]), @r"
    ------- stderr -------
    error: invalid value `models` for `--grant`: write it as BUCKET=RIGHT: `models=read`, `plants-*=write`, `*=admin`
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["key", "add", "a b", "--grant", "models=read", "--keys", "private/keys"]), @r"
    ------- stderr -------
    error: `a b` is not a name for a key pair: use 1 to 64 letters, digits, `.`, `_` and `-`
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["key", "rm", "ci", "--keys", "private/keys"]), @r"
    ------- stdout -------
    revoked ci
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run(["key", "rm", "ci", "--keys", "private/keys"]), @r"
    ------- stderr -------
    error: no key pair `ci` in `private/keys`
    hint: `modeldepot key list --keys private/keys` lists them
    [exit status: 3]
    ");
    insta::assert_snapshot!(env.run(["key", "list", "--keys", "nowhere"]), @r"
    ------- stderr -------
    error: cannot read the key file `nowhere`
    caused by: No such file or directory (os error 2)
    hint: `modeldepot key add NAME --grant BUCKET=read --keys nowhere` creates it
    [exit status: 8]
    ");
    let up = ["up", "--no-console", "--listen", "127.0.0.1:0", "--data", "store", "--keys"];
    let started = |file: &str| env.run(up.into_iter().chain([file]));
    insta::assert_snapshot!(started("nowhere"), @r"
    ------- stderr -------
    error: cannot read the key file `nowhere`
    caused by: No such file or directory (os error 2)
    hint: `modeldepot key add NAME --grant BUCKET=read --keys nowhere` creates it
    [exit status: 8]
    ");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    insta::assert_snapshot!(started("private/keys"), @r"
    ------- stderr -------
    error: the key file `private/keys` is accessible to other users: its mode is 644
    hint: run `chmod 600 private/keys`; if another user may have read it, create new key pairs
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["key", "list", "--keys", "private/keys"]), @r"
    ------- stderr -------
    error: the key file `private/keys` is accessible to other users: its mode is 644
    hint: run `chmod 600 private/keys`; if another user may have read it, create new key pairs
    [exit status: 2]
    ");
    env.write("broken", "ci MDKAAAA too-short models=read\n");
    std::fs::set_permissions(env.path("broken"), std::fs::Permissions::from_mode(0o600)).unwrap();
    insta::assert_snapshot!(started("broken"), @r"
    ------- stderr -------
    error: line 1 of `broken` is not a key pair: its secret key has fewer than 16 characters, or more than 128
    hint: correct or remove the line; create key pairs with `modeldepot key add`
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["up", "--cors-origin", "*"]), @r"
    ------- stderr -------
    error: invalid value `*` for `--cors-origin`: write an origin as scheme, host and port, such as `http://localhost:5173`; there is no wildcard
    [exit status: 2]
    ");
}

/// A key file that locks everyone out is reported even without -v.
#[test]
fn a_file_without_a_key_pair_is_named_at_the_start() {
    let env = TestEnv::without_server("");
    env.write("empty", "# none yet\n");
    std::fs::set_permissions(env.path("empty"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let up = ["up", "--no-console", "--keys", "empty", "--listen", "127.0.0.1:0", "--data", "store"];
    let mut child = env.start(up);
    let stdout = BufReader::new(child.stdout.as_mut().unwrap());
    assert!(stdout.lines().any(|line| line.unwrap().contains("Ctrl-C")));
    assert!(Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap().success());
    insta::assert_snapshot!(env.finish(child).stderr, @r"
    warning: the key file is empty: every request is refused path=empty
    stopping
    ");
}

fn get(url: &str, path: &str) -> String {
    let address = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Starts a server with a single read-only key, and returns the key.
pub(crate) fn reader() -> (TestEnv, (String, String), Up) {
    let mut env = TestEnv::without_server("");
    let reader = add(&env, "ana", &["*=read"]);
    let (up, endpoint, _) = Up::start(&env, &["--keys", "private/keys"]);
    env.endpoint = endpoint;
    (env, reader, up)
}

pub(crate) struct Up(Child);

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}

impl Up {
    /// Starts a server with a console, and returns both addresses.
    pub(crate) fn start(env: &TestEnv, args: &[&str]) -> (Up, String, String) {
        let fixed = ["up", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0", "--data", "store", "--json"];
        let mut command = env.command(fixed.iter().chain(args));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut text = String::new();
        for line in BufReader::new(child.stdout.as_mut().unwrap()).lines() {
            text += &line.unwrap();
            if let Ok(told) = serde_json::from_str::<serde_json::Value>(&text) {
                let of = |name: &str| told[name].as_str().unwrap().to_owned();
                return (Up(child), of("endpoint"), of("console"));
            }
        }
        panic!("{}", env.finish(child));
    }

    fn stop(mut self, env: &TestEnv) -> Output {
        assert!(Command::new("sh").args(["-c", &format!("kill -INT {}", self.0.id())]).status().unwrap().success());
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        self.0.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
        self.0.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
        env.ended(std::process::Output { status: self.0.wait().unwrap(), stdout, stderr })
    }
}

#[test]
fn users_do_what_their_rights_allow_and_the_console_works() {
    let mut env = TestEnv::without_server("");
    env.write("m.bin", "weights");
    let writer = add(&env, "ci", &["models=write"]);
    let reader = add(&env, "ana", &["models=read"]);
    let stranger = add(&env, "eve", &["data=read"]);
    let (up, endpoint, console) = Up::start(&env, &["--keys", "private/keys"]);
    env.endpoint = endpoint;
    fn login(pair: &(String, String)) -> [(&'static str, &str); 2] {
        [("S3_ACCESS_KEY", &pair.0), ("S3_SECRET_KEY", &pair.1)]
    }
    env.run_with(["push", "m", "m.bin", "--version", "1"], &login(&writer)).success();
    env.run_with(["verify", "m@1"], &login(&reader)).success();
    assert_eq!(env.run_with(["push", "m", "m.bin", "--version", "2"], &login(&reader)).code, Some(5));
    assert_eq!(env.run_with(["models"], &login(&stranger)).code, Some(5));
    assert_eq!(env.run(["models"]).code, Some(5), "the default login is not let in");
    let answer = get(&console, "/api/v1/models");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"m\""), "{answer}");
    let ended = up.stop(&env);
    assert_eq!(ended.code, Some(0), "{ended}");
    for secret in [&writer.1, &reader.1, &stranger.1] {
        assert!(!ended.to_string().contains(secret.as_str()));
    }
}
