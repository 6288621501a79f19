//! URLs for uploads on a server where their holders could do more: refused, unless asked for.

use crate::environment::TestEnv;

/// Returns a bucket whose server was found to do this with headers that nobody signed.
fn found(unsigned_headers: &str) -> TestEnv {
    let env = TestEnv::new();
    env.run(["url", "m@1", "--file", "w.bin", "--put"]).success();
    let mut record: serde_json::Value = serde_json::from_slice(&env.get(".depot/probe.json")).unwrap();
    assert_eq!(record["unsigned_headers"], "refused", "as AWS does");
    record["unsigned_headers"] = unsigned_headers.into();
    env.put(".depot/probe.json", record.to_string());
    env
}

#[test]
fn where_the_holder_could_copy_other_objects() {
    let env = found("copied");
    insta::assert_snapshot!(env.run(["url", "m@1", "--file", "w.bin", "--put"]), @r"
    ------- stderr -------
    error: upload URLs are not safe at `$ENDPOINT`: the server obeys unsigned headers, so anyone with such a URL can copy any object that its signer can read
    hint: update the server, or send the files with `modeldepot push` or through the service instead; or pass --force to sign this URL anyway
    [exit status: 5]
    ");
    let refused = env.run(["s3", "url", "s3://data/x", "--put", "--json"]);
    assert!(refused.code == Some(5) && refused.stdout.is_empty(), "{refused}");
    assert!(refused.stderr.contains("pass --force to sign this URL anyway"), "{refused}");
    env.run(["url", "m@1", "--file", "w.bin", "--put", "--force"]).success();
    env.run(["s3", "url", "s3://data/x", "--put", "--force"]).success();
    env.run(["s3", "url", "s3://data/x"]).success();
}

#[test]
fn where_it_cannot_be_told() {
    insta::assert_snapshot!(found("unknown").run(["url", "m@1", "--file", "w.bin", "--put"]), @r"
    ------- stderr -------
    error: upload URLs are not safe at `$ENDPOINT`: the server accepts no presigned URL, so what else one would permit cannot be tested
    hint: update the server, or send the files with `modeldepot push` or through the service instead; or pass --force to sign this URL anyway
    [exit status: 5]
    ");
}

#[test]
fn where_nothing_is_copied() {
    for harmless in ["ignored", "obeyed"] {
        found(harmless).run(["url", "m@1", "--file", "w.bin", "--put"]).success();
    }
}

/// A record of before this was looked for is not believed: the server is probed again.
#[test]
fn an_old_record_does_not_count() {
    let env = TestEnv::new();
    env.run(["url", "m@1", "--file", "w.bin", "--put"]).success();
    let mut record: serde_json::Value = serde_json::from_slice(&env.get(".depot/probe.json")).unwrap();
    record.as_object_mut().unwrap().remove("unsigned_headers");
    env.put(".depot/probe.json", record.to_string());
    env.run(["url", "m@1", "--file", "w.bin", "--put"]).success();
    let record: serde_json::Value = serde_json::from_slice(&env.get(".depot/probe.json")).unwrap();
    assert_eq!(record["unsigned_headers"], "refused");
}

#[test]
fn a_record_that_cannot_be_read_is_written_anew() {
    let env = TestEnv::new();
    env.write("m.bin", "weights");
    for record in ["x".repeat(70_000), "{".to_owned()] {
        env.put(".depot/probe.json", record);
        let _ = env.run(["push", "m", "m.bin"]).success();
        assert!(serde_json::from_slice::<serde_json::Value>(&env.get(".depot/probe.json")).is_ok());
    }
}
