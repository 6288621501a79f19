//! Invalid settings, and servers that refuse.

use crate::environment::TestEnv;

#[test]
fn a_malformed_env_file_is_named_without_its_secrets() {
    let env = TestEnv::new();
    env.write(".env", "S3_ACCESS_KEY=me\nS3_SECRET_KEY 'hush hush'\n");
    let refused = env.run(["models"]);
    assert!(!refused.stderr.contains("hush"), "{refused}");
    insta::assert_snapshot!(refused, @r"
    ------- stderr -------
    error: line 2 of `$TEMP/work/.env` is not a `NAME=value` line
    [exit status: 2]
    ");
}

#[test]
fn the_nearest_env_file_wins_and_the_environment_over_it() {
    let env = TestEnv::new();
    env.write(".env", "S3_BUCKET_MODELS=outer-bucket\n");
    env.write("project/.env", "S3_BUCKET_MODELS=inner-bucket\nS3_ENDPOINT=http://127.0.0.1:1\n");
    std::fs::create_dir_all(env.path("project/src/.env")).unwrap();
    let mut command = env.command(["models"]);
    command.current_dir(env.path("project/src"));
    let refused = env.output(command);
    insta::assert_snapshot!(refused, @r"
    ------- stderr -------
    error: bucket `inner-bucket` does not exist at `$ENDPOINT`
    hint: correct the name, or create the bucket with `modeldepot init --bucket inner-bucket`
    [exit status: 3]
    ");
    let mut command = env.command(["models"]);
    command.current_dir(env.path("project")).env("S3_BUCKET_MODELS", "plants-images");
    env.output(command).success();
    let mut command = env.command(["models", "--bucket", "data"]);
    command.current_dir(env.path("project")).env("S3_BUCKET_MODELS", "elsewhere");
    env.output(command).success();
}

#[test]
fn settings_that_cannot_be() {
    let env = TestEnv::new();
    env.write("not.pem", "hello");
    insta::assert_snapshot!(env.run_with(["models"], &[("S3_ACCESS_KEY", "me")]), @r"
    ------- stderr -------
    error: `S3_ACCESS_KEY` is set but `S3_SECRET_KEY` is not
    hint: also set `S3_SECRET_KEY`, or unset both
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run_with(["models"], &[("S3_ENDPOINT", "localhost:9000")]), @r"
    ------- stderr -------
    error: `localhost:9000` is not an endpoint: it must begin with `http://` or `https://`
    hint: did you mean `http://localhost:9000`?
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["models", "--endpoint", "192.168.1.7:9000"]), @r"
    ------- stderr -------
    error: `192.168.1.7:9000` is not an endpoint: it must begin with `http://` or `https://`
    hint: did you mean `http://192.168.1.7:9000`?
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["models", "--endpoint", "http://me:hush@localhost:9000"]), @r"
    ------- stderr -------
    error: `http://…@localhost:9000` is not an endpoint: credentials do not belong in it
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["models", "--endpoint", "http://localhost:9000/models"]), @r"
    ------- stderr -------
    error: `http://localhost:9000/models` is not an endpoint: it ends with the name of a bucket
    hint: pass --endpoint http://localhost:9000 --bucket models
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run_with(["models"], &[("S3_BUCKET_DATA", "My_Data")]), @r"
    ------- stderr -------
    error: `S3_BUCKET_DATA` cannot be used
    caused by: `My_Data` is not a valid bucket name: use 3 to 63 lowercase letters, digits, `.` and `-`
    hint: it is set in the environment
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["models", "--ca-bundle", "not.pem"]), @r"
    ------- stderr -------
    error: `not.pem` is not a usable CA bundle (`AWS_CA_BUNDLE`): it holds no PEM certificate
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["models", "--ca-bundle", "nope.pem"]), @r"
    ------- stderr -------
    error: `nope.pem` is not a usable CA bundle (`AWS_CA_BUNDLE`): No such file or directory (os error 2)
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run_with(["models"], &[("S3_ADDRESSING", "sideways")]), @r"
    ------- stderr -------
    error: invalid addressing style `sideways`: use `auto`, `path` or `virtual`
    hint: it comes from `S3_ADDRESSING` in the environment
    [exit status: 2]
    ");
    env.write(".env", "S3_SECRET_KEY=hush\n");
    insta::assert_snapshot!(env.run(["models"]), @r"
    ------- stderr -------
    error: `S3_SECRET_KEY` is set but `S3_ACCESS_KEY` is not
    hint: also set `S3_ACCESS_KEY` in `$TEMP/work/.env`, or unset both
    [exit status: 2]
    ");
}

#[test]
fn nobody_answers() {
    let env = TestEnv::without_server("http://127.0.0.1:1");
    insta::assert_snapshot!(env.run(["models"]), @r"
    ------- stderr -------
    error: cannot reach the S3 endpoint `$ENDPOINT`
    caused by: Connection refused (os error 111)
    hint: nothing is listening on port 1: check the port, or start a server with `modeldepot up`
    [exit status: 6]
    ");
    env.write("m.bin", "weights");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin"]), @r"
    ------- stderr -------
    error: cannot reach the S3 endpoint `$ENDPOINT`
    caused by: Connection refused (os error 111)
    hint: nothing is listening on port 1: check the port, or start a server with `modeldepot up`
    [exit status: 6]
    ");
}

#[test]
fn a_host_that_does_not_exist() {
    let env = TestEnv::without_server("http://no-such-host.invalid:9000");
    let keys = [("S3_ACCESS_KEY", "me"), ("S3_SECRET_KEY", "hush")];
    let refused = env.run_with(["models"], &keys);
    assert_eq!(refused.code, Some(6), "{refused}");
    assert!(refused.stderr.contains("hint: is the name in S3_ENDPOINT or --endpoint spelled right"), "{refused}");
}

#[test]
fn a_login_that_the_server_does_not_know() {
    let env = TestEnv::new();
    let unknown = [("S3_ACCESS_KEY", "stranger"), ("S3_SECRET_KEY", "minioadmin")];
    insta::assert_snapshot!(env.run_with(["models"], &unknown), @r"
    ------- stderr -------
    error: `$ENDPOINT` refused to list bucket `models`: InvalidAccessKeyId
    hint: the server does not know the access key: check S3_ACCESS_KEY, or AWS_ACCESS_KEY_ID where that one is set instead
    [exit status: 5]
    ");
    let wrong = [("S3_ACCESS_KEY", "minioadmin"), ("S3_SECRET_KEY", "minioadmim")];
    insta::assert_snapshot!(env.run_with(["models"], &wrong), @r"
    ------- stderr -------
    error: `$ENDPOINT` refused to list bucket `models`: SignatureDoesNotMatch
    hint: the secret key does not match the access key: check S3_SECRET_KEY; in `.env`, put one with `$` or `#` between single quotes
    [exit status: 5]
    ");
    // Two requests are sent at once, and either may be refused first.
    assert_eq!(env.run_with(["pull", "m@1"], &wrong).code, Some(5));
}

#[test]
fn no_login_at_all() {
    let env = TestEnv::without_server("http://s3.invalid:9000");
    // Without a metadata service, the chain ends at once.
    let refused = env.run_with(["models"], &[("AWS_EC2_METADATA_DISABLED", "true")]);
    insta::assert_snapshot!(refused, @r"
    ------- stderr -------
    error: no credentials for `$ENDPOINT`
    caused by: no credentials found in chain. Attempted:
      Environment: the credential provider was not enabled: environment variable not set
      Profile: the credential provider was not enabled
      WebIdentityToken: the credential provider was not enabled: $AWS_WEB_IDENTITY_TOKEN_FILE was not set
      EcsContainer: the credential provider was not enabled: ECS provider not configured
      Ec2InstanceMetadata: the credential provider was not enabled: IMDS disabled by AWS_EC2_METADATA_DISABLED env var set to `true`
    hint: set S3_ACCESS_KEY and S3_SECRET_KEY, or log in as for any AWS tool (AWS_PROFILE, `aws sso login`)
    [exit status: 5]
    ");
}

#[test]
fn buckets_that_do_not_exist() {
    let env = TestEnv::with_buckets(&[]);
    env.write("m.bin", "weights");
    insta::assert_snapshot!(env.run(["models"]), @r"
    ------- stderr -------
    error: bucket `models` does not exist at `$ENDPOINT`
    hint: correct the name, or create the bucket with `modeldepot init`
    [exit status: 3]
    ");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin"]), @r"
    ------- stderr -------
    error: bucket `models` does not exist at `$ENDPOINT`
    hint: correct the name, or create the bucket with `modeldepot init`
    [exit status: 3]
    ");
    insta::assert_snapshot!(env.run(["s3", "ls", "s3://elsewhere"]), @r"
    ------- stderr -------
    error: bucket `elsewhere` does not exist at `$ENDPOINT`
    hint: correct the name, or create the bucket with `modeldepot s3 mb s3://elsewhere`
    [exit status: 3]
    ");
    insta::assert_snapshot!(env.run(["init"]), @r"
    ------- stdout -------
    created models
    created plants-images
    created data
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run(["init"]), @r"
    ------- stdout -------
    exists  models
    exists  plants-images
    exists  data
    [exit status: 0]
    ");
    env.run(["push", "m", "m.bin"]).success();
}

#[test]
#[ignore = "needs MinIO: run by `cargo xtask test`"]
fn minio_wrong_region() {
    let endpoint = std::env::var("MODELDEPOT_TEST_MINIO").unwrap();
    let env = TestEnv::without_server(&endpoint).with_own_buckets();
    env.write("m.bin", "weights");
    // The server names the right region with its refusal, and the client uses it.
    env.run(["push", "m", "m.bin", "--region", "eu-west-9"]).success();
    insta::assert_snapshot!(env.run(["models", "--region", "eu-west-9"]), @r"
    ------- stdout -------
    MODEL  LATEST           VERSIONS  SIZE  PUBLISHED
    m      [VERSION]         1   7 B  [DATE] UTC
    [exit status: 0]
    ");
}

/// A server that accepts connections and does not respond, like many a wrong port.
#[test]
fn nobody_says_anything() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let env = TestEnv::without_server(&endpoint);
    let begun = std::time::Instant::now();
    insta::assert_snapshot!(env.run(["versions", "m", "--timeout", "300ms"]), @r"
    ------- stderr -------
    error: `$ENDPOINT` did not answer within [TIME] when asked to list bucket `models`
    hint: is this the port of an S3 server, and is there a proxy in between? `modeldepot doctor` checks; --timeout or S3_TIMEOUT sets how long to wait
    [exit status: 6]
    ");
    insta::assert_snapshot!(env.run_with(["models"], &[("S3_TIMEOUT", "200ms")]), @r"
    ------- stderr -------
    error: `$ENDPOINT` did not answer within [TIME] when asked to list bucket `models`
    hint: is this the port of an S3 server, and is there a proxy in between? `modeldepot doctor` checks; --timeout or S3_TIMEOUT sets how long to wait
    [exit status: 6]
    ");
    assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", begun.elapsed());
    drop(listener);
    insta::assert_snapshot!(env.run(["models", "--timeout", "soon"]), @r"
    ------- stderr -------
    error: `soon` is not a time for `--timeout`: write a whole number and a unit between `1ms` and `1h`: `20s`, `500ms`, `2m`
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run_with(["models"], &[("S3_CONNECT_TIMEOUT", "0")]), @r"
    ------- stderr -------
    error: `0` is not a time for `S3_CONNECT_TIMEOUT`: write a whole number and a unit between `1ms` and `1h`: `20s`, `500ms`, `2m`
    hint: it is set in the environment
    [exit status: 2]
    ");
}
