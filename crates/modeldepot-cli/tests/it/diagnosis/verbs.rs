//! What every verb reports, and what `doctor` reports.

use crate::environment::{TestEnv, wait};
use crate::peers;

/// All verbs that contact a server report the same.
#[test]
fn every_verb_names_what_answers() {
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

/// `doctor` and the verbs report the same about the same server.
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

/// A key that may read but not write is fine.
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
    hint: the server does not know the access key: it is `minioadmin`, the default on this machine: set S3_ACCESS_KEY and S3_SECRET_KEY to the server's keys
    hint: the server does not know the access key: check S3_ACCESS_KEY, or AWS_ACCESS_KEY_ID where that one is set instead
    hint: the server does not know the access key: check S3_ACCESS_KEY, or AWS_ACCESS_KEY_ID where that one is set instead
    ");
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
        let told = ended.to_string().contains("read as a bucket name");
        assert!(ended.code == Some(2) && told, "{verb:?}: {ended}");
    }
    insta::assert_snapshot!(env.run_with(["init"], &[("S3_ENDPOINT", &below)]), @r"
    ------- stderr -------
    error: `$ENDPOINT/other` is not an endpoint: its path would be read as a bucket name: leave it out, S3_BUCKET_MODELS names the bucket
    [exit status: 2]
    ");
    let nowhere = format!("{}/nowhere", client.endpoint());
    insta::assert_snapshot!(env.run_with(["init"], &[("S3_ENDPOINT", &nowhere)]), @r"
    ------- stderr -------
    error: `$ENDPOINT/nowhere` is not an endpoint: its path would be read as a bucket name: leave it out, S3_BUCKET_MODELS names the bucket
    [exit status: 2]
    ");
    assert_eq!(keys(), Vec::<String>::new());
    // An object stored by mistake earlier does not make it a bucket.
    wait(client.put_small(&bucket, "models", "".into(), "text/plain")).unwrap();
    wait(client.put_small(&bucket, "models/", "".into(), "text/plain")).unwrap();
    for verb in [["init"].as_slice(), &["push", "m", "m.bin"], &["models"]] {
        let ended = env.run_with(verb, &[("S3_ENDPOINT", &below)]);
        let told = ended.to_string().contains("read as a bucket name");
        assert!(ended.code == Some(2) && told, "{verb:?}: {ended}");
    }
    assert_eq!(keys(), ["models", "models/"]);
}
