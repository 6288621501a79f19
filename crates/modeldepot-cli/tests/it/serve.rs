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
    error: no token file is set
    hint: pass --tokens FILE, or set MODELDEPOT_TOKENS
    [exit status: 2]
    ");
    let made = env.run(["token", "add", "ci", "--scope", "publish", "--tokens", "keys/tokens"]);
    assert!(made.stdout.starts_with("mdt_") && made.code == Some(0), "{made}");
    env.run(["token", "add", "ana", "--scope", "read", "--tokens", "keys/tokens"]).success();
    insta::assert_snapshot!(env.run(["token", "list", "--tokens", "keys/tokens"]), @r"
    ------- stdout -------
    NAME  GRANTS   CREATED                  EXPIRES  LAST USED
    ci    publish  [DATE] UTC  never    never
    ana   read     [DATE] UTC  never    never
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run(["token", "add", "ci", "--scope", "read", "--tokens", "keys/tokens"]), @r"
    ------- stderr -------
    error: token `ci` already exists in `keys/tokens`
    hint: `modeldepot token rotate ci --tokens keys/tokens` gives it a new secret, `modeldepot token rm ci --tokens keys/tokens` revokes it
    [exit status: 4]
    ");
    insta::assert_snapshot!(env.run(["token", "add", "x", "--scope", "admin", "--tokens", "keys/tokens"]), @r"
    ------- stderr -------
    error: `admin` is not a valid grant: use `read`, `share`, `publish` or `delete`
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["token", "rm", "ci", "--tokens", "keys/tokens"]), @r"
    ------- stdout -------
    revoked ci
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run(["token", "rm", "ci", "--tokens", "keys/tokens"]), @r"
    ------- stderr -------
    error: token `ci` does not exist in `keys/tokens`
    hint: `modeldepot token list --tokens keys/tokens` lists them
    [exit status: 3]
    ");
    insta::assert_snapshot!(env.run(["token", "list", "--tokens", "nowhere"]), @r"
    ------- stderr -------
    error: cannot read the token file `nowhere`
    caused by: No such file or directory (os error 2)
    hint: `modeldepot token add NAME --scope read --tokens nowhere` creates it
    [exit status: 8]
    ");
}

#[test]
fn tokens_expire_are_rotated_and_are_for_models() {
    let env = TestEnv::without_server("");
    let add = |more: &[&str]| env.run(["token", "add", "--tokens", "tokens"].iter().chain(more));
    add(&["ci", "--scope", "read,publish:plant-*", "--expires", "90d"]).success();
    add(&["old", "--scope", "share", "--expires", "1h"]).success();
    // Let the tokens expire.
    let expire = || {
        let text = String::from_utf8(env.read("tokens")).unwrap();
        let age = |line: &str| match line.split_once(" expires=").filter(|_| !line.starts_with("ci ")) {
            Some((start, _)) if !start.starts_with('#') => format!("{start} expires=2001-01-01T00:00:00Z\n"),
            _ => format!("{line}\n"),
        };
        env.write("tokens", text.lines().map(age).collect::<String>());
    };
    expire();
    insta::assert_snapshot!(add(&["x", "--scope", "read", "--expires", "0s"]), @r"
    ------- stderr -------
    error: a token cannot expire immediately
    hint: pass a time such as `--expires 90d`; `modeldepot token rm` revokes a token
    [exit status: 2]
    ");
    insta::assert_snapshot!(add(&["x", "--scope", "publish:plant/*"]), @r"
    ------- stderr -------
    error: `plant/*` is not a valid grant: a pattern is 1 to 128 letters, digits, `.`, `_`, `-`, `*` and `?`
    [exit status: 2]
    ");
    insta::assert_snapshot!(add(&["x", "--scope", "read", "--expires", "99999999999999d"]), @r"
    ------- stderr -------
    error: the expiry is too far in the future
    hint: omit --expires for a token that does not expire
    [exit status: 2]
    ");
    let rotate = |more: &[&str]| env.run(["token", "rotate", "--tokens", "tokens"].iter().chain(more));
    let rotated = rotate(&["ci", "--grace", "1h"]);
    assert!(rotated.stdout.starts_with("mdt_") && rotated.code == Some(0), "{rotated}");
    insta::assert_snapshot!(rotated.stderr, @r"the token is shown only once");
    insta::assert_snapshot!(rotate(&["nobody"]), @r"
    ------- stderr -------
    error: token `nobody` does not exist in `tokens`
    hint: `modeldepot token list --tokens tokens` lists them
    [exit status: 3]
    ");
    insta::assert_snapshot!(rotate(&["old"]), @r"
    ------- stderr -------
    error: token `old` expired on [DATE] UTC
    hint: give it more time: `modeldepot token rotate old --expires 90d --tokens tokens`
    [exit status: 4]
    ");
    add(&["gone", "--scope", "read", "--expires", "1h"]).success();
    expire();
    rotate(&["old", "--expires", "1h"]).success();
    insta::assert_snapshot!(env.run(["token", "list", "--tokens", "tokens"]), @r"
    ------- stdout -------
    NAME  GRANTS                CREATED                  EXPIRES                          LAST USED  OLD SECRET UNTIL
    ci    read,publish:plant-*  [DATE] UTC  [DATE] UTC          never      [DATE] UTC
    old   share                 [DATE] UTC  [DATE] UTC          never
    gone  read                  [DATE] UTC  expired [DATE] UTC  never
    [exit status: 0]
    ");
    let listed = env.run(["--json", "token", "list", "--tokens", "tokens"]).json();
    let names: Vec<&String> = listed[0].as_object().unwrap().keys().collect();
    insta::assert_snapshot!(format!("{names:?}"), @r#"["name", "grants", "created", "expires", "expired", "old_secret_until", "last_used"]"#);
    assert!(listed[0]["old_secret_until"].is_string() && listed[2]["expired"] == true, "{listed}");
    // Recorded uses are shown, hashes never.
    std::fs::write(env.path("tokens.used"), "ci 2999-01-01T00:00:00Z\nold 2020-01-01T00:00:00Z\n").unwrap();
    let text = env.run(["token", "list", "--tokens", "tokens"]).success();
    assert_eq!(text.matches("2999-01-01").count(), 1, "{text}");
    assert!(!text.contains("2020-01-01"), "a use before the token was made is another one's: {text}");
    let file = std::fs::read_to_string(env.path("tokens")).unwrap();
    let hash = file.split_whitespace().find(|word| word.len() == 64).unwrap();
    assert!(!text.contains(hash) && !listed.to_string().contains(hash));
}

#[test]
fn a_file_of_tokens_that_others_may_write_is_refused_and_one_that_they_may_read_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let env = TestEnv::without_server("");
    env.run(["token", "add", "ci", "--scope", "read", "--tokens", "tokens"]).success();
    let mode = |mode| std::fs::set_permissions(env.path("tokens"), std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o644);
    insta::assert_snapshot!(env.run(["token", "list", "--tokens", "tokens"]).stderr, @r"warning: other users can read the token file `tokens`: run `chmod 600 tokens`");
    mode(0o666);
    insta::assert_snapshot!(env.run(["token", "add", "me", "--scope", "delete", "--tokens", "tokens"]), @r"
    ------- stderr -------
    warning: other users can write the token file `tokens`: run `chmod 600 tokens`
    error: refused to use the token file `tokens`: every user of this machine can write it
    hint: check its lines, then `chmod 600 tokens`
    [exit status: 5]
    ");
}

#[test]
fn a_host_with_other_users_is_asked_for_a_token_of_this_run() {
    let env = TestEnv::new();
    for (flag, status) in [("--login", 401), ("--no-login", 200)] {
        let mut command = env.command(["serve", "--json", flag, "--listen", "127.0.0.1:0"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let told = told(&mut child);
        let ask = |token: &str| {
            let address = told["console"].as_str().unwrap().trim_start_matches("http://").to_owned();
            let mut stream = TcpStream::connect(&address).unwrap();
            let head = format!(
                "GET /api/v1/models HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer[9..12].parse::<u16>().unwrap()
        };
        assert_eq!(ask("none"), status, "{told}");
        assert_eq!(ask(told["token"].as_str().unwrap_or_default()), 200, "{told}");
        assert!(Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap().success());
        let ended = env.finish(child);
        assert!(!ended.stderr.contains("mdt_"), "{ended}");
    }
}

#[test]
fn a_bucket_that_is_not_there_is_reported_at_the_start() {
    let env = TestEnv::new();
    let args = ["serve", "--json", "--no-login", "--bucket", "nowhere", "--listen", "127.0.0.1:0"];
    let mut child = env.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    told(&mut child);
    assert!(Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap().success());
    let ended = env.finish(child);
    assert!(ended.stderr.contains("warning: bucket `nowhere` does not exist at "), "{ended}");
    assert!(ended.stderr.contains("; starting anyway"), "{ended}");
}

/// Reads the JSON that a command prints when it serves.
fn told(child: &mut std::process::Child) -> serde_json::Value {
    let mut told = String::new();
    loop {
        BufReader::with_capacity(1, child.stdout.as_mut().unwrap()).read_line(&mut told).unwrap();
        if let Ok(told) = serde_json::from_str::<serde_json::Value>(&told) {
            return told;
        }
    }
}

#[test]
fn with_a_login_the_s3_port_has_keys_of_its_own_and_its_requests_are_logged() {
    let example = std::fs::read_to_string("../../.env.example").unwrap();
    // The public default credentials, written down.
    let known = format!("{example}\nS3_ACCESS_KEY=minioadmin\nS3_SECRET_KEY=minioadmin\n");
    for (endpoint, dotenv) in [(None, ""), (None, example.as_str()), (None, known.as_str()), (Some(""), "")] {
        the_s3_port_has_keys_of_its_own(endpoint, dotenv);
    }
}

fn the_s3_port_has_keys_of_its_own(configured: Option<&str>, dotenv: &str) {
    let env = TestEnv::without_server("");
    env.write(".env", dotenv);
    let fixed = ["up", "--json", "--login", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0", "--data", "store"];
    let mut command = env.command(fixed.iter().chain(&["--audit-log", "audit.log", "--access-log", "access.log"]));
    match configured {
        Some(endpoint) => command.env("S3_ENDPOINT", endpoint),
        None => command.env_remove("S3_ENDPOINT"),
    };
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let told = told(&mut child);
    let text = |name: &str| told[name].as_str().unwrap().to_owned();
    assert!(text("token").starts_with("mdt_"), "{told}");
    env.write("m.bin", "weights");
    let (endpoint, access, secret) = (text("endpoint"), text("access_key"), text("secret_key"));
    let push = |keys: &[(&str, &str)]| {
        let mut command = env.command(["push", "m", "m.bin", "--version", "1"]);
        command.env("S3_ENDPOINT", &endpoint).envs(keys.iter().copied());
        env.output(command).code
    };
    // Everyone knows `minioadmin`.
    assert_eq!(push(&[]), Some(5));
    assert_eq!(push(&[("S3_ACCESS_KEY", &access), ("S3_SECRET_KEY", "wrong")]), Some(5));
    assert_eq!(push(&[("S3_ACCESS_KEY", &access), ("S3_SECRET_KEY", &secret)]), Some(0));
    assert!(Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap().success());
    let ended = env.finish(child);
    assert_eq!(ended.code, Some(0), "{ended}");
    let read = |name: &str| String::from_utf8(env.read(name)).unwrap();
    let (audit, logged) = (read("audit.log"), read("access.log"));
    let lines =
        |text: &str| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<serde_json::Value>>();
    let lines = lines(&audit).into_iter().filter(|line| line["log"] == "s3-audit").collect::<Vec<_>>();
    let of = |who: &str, action: &str, result: &str| {
        lines.iter().any(|line| line["who"] == who && line["action"] == action && line["result"] == result)
    };
    assert!(of(&access, "PutObject", "done") && lines.iter().any(|line| line["keys"][0] == "m/v1/m.bin"), "{audit}");
    assert!(lines.iter().any(|line| line["who"] == "minioadmin" && line["result"] == "refused"), "{audit}");
    assert!(
        logged.contains("s3-access") && !audit.contains("GetObject\",\"bucket\":\"models\",\"keys\":[\"m/v1/m.bin")
    );
    for secret in [secret.as_str(), &text("token"), "Signature"] {
        assert!(!audit.contains(secret) && !logged.contains(secret), "{secret}");
    }
}

#[test]
fn the_operator_sees_without_v_what_becomes_of_the_file_of_tokens() {
    use std::os::unix::fs::PermissionsExt as _;
    let env = TestEnv::new();
    let token = env.run(["token", "add", "ci", "--scope", "read", "--tokens", "tokens"]).success().trim().to_owned();
    let mode = |mode| std::fs::set_permissions(env.path("tokens"), std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o644);
    let mut command = env.command(["serve", "--json", "--tokens", "tokens", "--listen", "127.0.0.1:0"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let address = told(&mut child)["console"].as_str().unwrap().trim_start_matches("http://").to_owned();
    let ask = || {
        let mut stream = TcpStream::connect(&address).unwrap();
        let head = format!("GET /api/v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n");
        stream.write_all(format!("{head}connection: close\r\n\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(ask().starts_with("HTTP/1.1 200"));
    let until = |status: &str| {
        for _ in 0..600 {
            let answer = ask();
            if answer.starts_with(&format!("HTTP/1.1 {status}")) {
                return answer;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("never {status}: {}", ask());
    };
    // Anyone could have added a token.
    mode(0o666);
    let refused = until("503");
    assert!(refused.contains("the token file cannot be used") && refused.contains("log has the reason"), "{refused}");
    mode(0o600);
    until("200");
    assert!(Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap().success());
    let ended = env.finish(child);
    insta::assert_snapshot!(ended.stderr, @r"
    warning: other users can read the token file `tokens`: run `chmod 600 tokens`
    error: refused to use the token file `tokens`: every user of this machine can write it; until it is fixed, requests with tokens get 503
    ");
}

#[test]
fn a_log_that_cannot_be_opened_is_named() {
    let env = TestEnv::new();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--no-login", "--audit-log", "nowhere/audit.log"];
    insta::assert_snapshot!(env.run(serve), @r"
    ------- stderr -------
    error: cannot open the log `nowhere/audit.log`
    caused by: No such file or directory (os error 2)
    hint: choose a file in an existing folder that you can write to
    [exit status: 8]
    ");
}

#[test]
fn nobody_else_is_let_in_without_a_token() {
    let env = TestEnv::without_server("");
    insta::assert_snapshot!(env.run(["serve", "--listen", "0.0.0.0:0"]), @r"
    ------- stderr -------
    error: refused to listen on `0.0.0.0:0` without tokens: everyone who can reach it would have full access
    hint: create a token with `modeldepot token add NAME --scope read --tokens FILE`, and start with --tokens FILE
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["serve", "--listen", "0.0.0.0:0", "--tokens", "nowhere"]), @r"
    ------- stderr -------
    error: cannot read the token file `nowhere`
    caused by: No such file or directory (os error 2)
    hint: `modeldepot token add NAME --scope read --tokens nowhere` creates it
    [exit status: 8]
    ");
    // An address that no machine has.
    env.run(["token", "add", "ci", "--scope", "read", "--tokens", "good"]).success();
    insta::assert_snapshot!(env.run(["serve", "--listen", "192.0.2.1:9001", "--tokens", "good"]), @r"
    ------- stderr -------
    warning: tokens and models are sent unencrypted to 192.0.2.1:9001: serve HTTPS with `--tls-cert` and `--tls-key`, or set `--public-url https://…` behind a proxy that does
    error: cannot listen on `192.0.2.1:9001`
    caused by: Cannot assign requested address (os error 99)
    hint: choose an address of this machine with --listen
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["serve", "--public-url", "models.example"]), @r"
    ------- stderr -------
    error: invalid value `models.example` for `--public-url`: add the scheme: `https://models.example`
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["serve", "--public-url", "models.example:443"]), @r"
    ------- stderr -------
    error: invalid value `models.example:443` for `--public-url`: add the scheme: `https://models.example:443`
    [exit status: 2]
    ");
    env.write("tokens", "# none\nmdt_not_a_hash\n");
    insta::assert_snapshot!(env.run(["serve", "--listen", "127.0.0.1:0", "--tokens", "tokens"]), @r"
    ------- stderr -------
    warning: other users can read the token file `tokens`: run `chmod 600 tokens`
    error: line 2 of `tokens` is not `NAME GRANTS BLAKE3`
    hint: remove the line, and create tokens with `modeldepot token add`
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
