//! Settings that cannot be used, and servers that say no.

use crate::environment::TestEnv;

#[test]
fn a_malformed_env_file_is_named_without_its_secrets() {
    let env = TestEnv::new();
    env.write(".env", "S3_ACCESS_KEY=me\nS3_SECRET_KEY 'hush hush'\n");
    let refused = env.run(["models"]);
    assert!(!refused.stderr.contains("hush"), "{refused}");
    insta::assert_snapshot!(refused, @"");
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
    insta::assert_snapshot!(refused, @"");
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
    insta::assert_snapshot!(env.run_with(["models"], &[("S3_ACCESS_KEY", "me")]), @"");
    insta::assert_snapshot!(env.run_with(["models"], &[("S3_ENDPOINT", "localhost:9000")]), @"");
    insta::assert_snapshot!(env.run(["models", "--endpoint", "192.168.1.7:9000"]), @"");
    insta::assert_snapshot!(env.run(["models", "--endpoint", "http://me:hush@localhost:9000"]), @"");
    insta::assert_snapshot!(env.run(["models", "--endpoint", "http://localhost:9000/models"]), @"");
    insta::assert_snapshot!(env.run_with(["models"], &[("S3_BUCKET_DATA", "My_Data")]), @"");
    insta::assert_snapshot!(env.run(["models", "--ca-bundle", "not.pem"]), @"");
    insta::assert_snapshot!(env.run(["models", "--ca-bundle", "nope.pem"]), @"");
    insta::assert_snapshot!(env.run_with(["models"], &[("S3_ADDRESSING", "sideways")]), @"");
    env.write(".env", "S3_SECRET_KEY=hush\n");
    insta::assert_snapshot!(env.run(["models"]), @"");
}

#[test]
fn nobody_answers() {
    let env = TestEnv::without_server("http://127.0.0.1:1");
    insta::assert_snapshot!(env.run(["models"]), @"");
    env.write("m.bin", "weights");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin"]), @"");
}

#[test]
fn a_host_that_does_not_exist() {
    let env = TestEnv::without_server("http://no-such-host.invalid:9000");
    let keys = [("S3_ACCESS_KEY", "me"), ("S3_SECRET_KEY", "hush")];
    let refused = env.run_with(["models"], &keys);
    assert_eq!(refused.code, Some(6), "{refused}");
    assert!(refused.stderr.contains("hint: is S3_ENDPOINT or --endpoint right"), "{refused}");
}

#[test]
fn a_login_that_the_server_does_not_know() {
    let env = TestEnv::new();
    let unknown = [("S3_ACCESS_KEY", "stranger"), ("S3_SECRET_KEY", "minioadmin")];
    insta::assert_snapshot!(env.run_with(["models"], &unknown), @"");
    let wrong = [("S3_ACCESS_KEY", "minioadmin"), ("S3_SECRET_KEY", "minioadmim")];
    insta::assert_snapshot!(env.run_with(["models"], &wrong), @"");
    insta::assert_snapshot!(env.run_with(["pull", "m@1"], &wrong), @"");
}

#[test]
fn no_login_at_all() {
    let env = TestEnv::without_server("http://s3.invalid:9000");
    // Without a metadata service to ask, the chain ends at once.
    let refused = env.run_with(["models"], &[("AWS_EC2_METADATA_DISABLED", "true")]);
    insta::assert_snapshot!(refused, @"");
}

#[test]
fn buckets_that_do_not_exist() {
    let env = TestEnv::with_buckets(&[]);
    env.write("m.bin", "weights");
    insta::assert_snapshot!(env.run(["models"]), @"");
    insta::assert_snapshot!(env.run(["push", "m", "m.bin"]), @"");
    insta::assert_snapshot!(env.run(["s3", "ls", "s3://elsewhere"]), @"");
    insta::assert_snapshot!(env.run(["init"]), @"");
    insta::assert_snapshot!(env.run(["init"]), @"");
    env.run(["push", "m", "m.bin"]).success();
}

#[test]
#[ignore = "needs MinIO: run by `cargo xtask test`"]
fn minio_wrong_region() {
    let endpoint = std::env::var("MODELDEPOT_TEST_MINIO").unwrap();
    let env = TestEnv::without_server(&endpoint);
    insta::assert_snapshot!(env.run(["models", "--region", "eu-west-9"]), @"");
}
