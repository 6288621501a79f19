//! `serve` and `token`: the REST service as a command.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use crate::environment::TestEnv;

#[test]
fn tokens_are_made_listed_and_revoked() {
    let env = TestEnv::without_server("");
    insta::assert_snapshot!(env.run(["token", "list"]), @r"
    ------- stderr -------
    error: there is no file of tokens
    hint: name it with --tokens, or set MODELDEPOT_TOKENS
    [exit status: 2]
    ");
    let made = env.run(["token", "add", "ci", "--scope", "publish", "--tokens", "keys/tokens"]);
    assert!(made.stdout.starts_with("mdt_") && made.code == Some(0), "{made}");
    env.run(["token", "add", "ana", "--scope", "read", "--tokens", "keys/tokens"]).success();
    insta::assert_snapshot!(env.run(["token", "list", "--tokens", "keys/tokens"]), @r"
    ------- stdout -------
    NAME  SCOPE
    ci    publish
    ana   read
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run(["token", "add", "ci", "--scope", "read", "--tokens", "keys/tokens"]), @r"
    ------- stderr -------
    error: there is a token `ci` in `keys/tokens`
    hint: `modeldepot token rm ci` revokes it
    [exit status: 4]
    ");
    insta::assert_snapshot!(env.run(["token", "add", "x", "--scope", "admin", "--tokens", "keys/tokens"]), @r"
    ------- stderr -------
    error: invalid value 'admin' for '--scope <SCOPE>': use `read`, `publish` or `delete`

    For more information, try '--help'.
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["token", "rm", "ci", "--tokens", "keys/tokens"]), @r"
    ------- stdout -------
    revoked ci
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run(["token", "rm", "ci", "--tokens", "keys/tokens"]), @r"
    ------- stderr -------
    error: there is no token `ci` in `keys/tokens`
    hint: `modeldepot token list` lists them
    [exit status: 3]
    ");
    insta::assert_snapshot!(env.run(["token", "list", "--tokens", "nowhere"]), @r"
    ------- stderr -------
    error: cannot read the file of tokens `nowhere`
    caused by: No such file or directory (os error 2)
    hint: `modeldepot token add NAME --scope read` makes it
    [exit status: 8]
    ");
}

#[test]
fn nobody_else_is_let_in_without_a_token() {
    let env = TestEnv::without_server("");
    insta::assert_snapshot!(env.run(["serve", "--listen", "0.0.0.0:0"]), @r"
    ------- stderr -------
    error: refused to listen on `0.0.0.0:0`: without tokens only this machine is let in
    hint: make a token with `modeldepot token add NAME --scope read --tokens FILE`, and serve with `--tokens FILE`
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["serve", "--listen", "0.0.0.0:0", "--tokens", "nowhere"]), @r"
    ------- stderr -------
    error: cannot read the file of tokens `nowhere`
    caused by: No such file or directory (os error 2)
    hint: `modeldepot token add NAME --scope read` makes it
    [exit status: 8]
    ");
    env.write("tokens", "# none\nmdt_not_a_hash\n");
    insta::assert_snapshot!(env.run(["serve", "--listen", "127.0.0.1:0", "--tokens", "tokens"]), @r"
    ------- stderr -------
    error: line 2 of `tokens` is not `NAME SCOPE BLAKE3`
    hint: remove the line, and make tokens with `modeldepot token add`
    [exit status: 2]
    ");
}

#[test]
fn nothing_that_opens_a_door_is_in_the_log() {
    let env = TestEnv::new();
    env.write("m.bin", "weights");
    env.run(["push", "m", "m.bin", "--version", "1"]).success();
    let token = env.run(["token", "add", "ci", "--scope", "delete", "--tokens", "tokens"]).stdout.trim().to_owned();
    let args = ["serve", "-vvv", "--json", "--redirect", "always", "--tokens", "tokens", "--listen", "127.0.0.1:0"];
    let mut command = env.command(args);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = String::new();
    let url = loop {
        BufReader::with_capacity(1, child.stdout.as_mut().unwrap()).read_line(&mut told).unwrap();
        if let Ok(told) = serde_json::from_str::<serde_json::Value>(&told) {
            break told["console"].as_str().unwrap().to_owned();
        }
    };
    let address = url.trim_start_matches("http://");
    let ask = |path: &str, token: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        let head =
            format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let moved = ask("/api/v1/models/m/versions/1/files/m.bin", &token);
    let signature = moved.split("X-Amz-Signature=").nth(1).unwrap()[..64].to_owned();
    assert!(ask("/api/v1/models", "mdt_wrong-but-secret").starts_with("HTTP/1.1 401"));
    assert!(Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap().success());
    let ended = env.finish(child);
    assert_eq!(ended.code, Some(0), "{ended}");
    let log = format!("{}{}", ended.stdout, ended.stderr);
    assert!(log.contains("serving"), "{log}");
    for secret in [token.as_str(), "mdt_wrong-but-secret", &signature] {
        assert!(!log.contains(secret), "{secret} is in {log}");
    }
}
