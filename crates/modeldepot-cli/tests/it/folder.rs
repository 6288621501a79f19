//! A shared bucket: the models are in a folder of it.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use crate::environment::TestEnv;

#[test]
fn models_in_a_folder_of_a_shared_bucket() {
    let env = TestEnv::new();
    env.write("w.bin", "weights");
    env.run(["push", "root", "w.bin", "--version", "1"]).success();
    env.run(["push", "m", "w.bin", "--version", "1", "--prefix", "team/ml"]).success();
    insta::assert_snapshot!(env.run(["s3", "ls", "s3://models/team/ml/m/"]), @r"
    ------- stdout -------
    MODIFIED                  SIZE  KEY
    [DATE] UTC  680 B  team/ml/m/v1/manifest.json
    [DATE] UTC    7 B  team/ml/m/v1/w.bin
    ------- stderr -------
    2 objects, 687 B
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run_with(["models", "--quiet"], &[("S3_PREFIX", "/team/ml/")]), @r"
    ------- stdout -------
    MODEL  LATEST  VERSIONS  SIZE  PUBLISHED
    m      1              1   7 B  [DATE] UTC
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run(["pull", "m", "--prefix", "team"]), @r"
    ------- stderr -------
    error: model `m` does not exist
    hint: `modeldepot models` lists the models of this bucket
    [exit status: 3]
    ");
    insta::assert_snapshot!(env.run(["models", "--prefix", "tem/ml"]), @r"
    ------- stderr -------
    no models in folder `tem/ml/` of bucket `models`: `modeldepot push MODEL PATH` publishes one
    [exit status: 0]
    ");
    env.run(["pull", "m", "there", "--prefix", "team/ml"]).success();
    env.run(["check", "m", "--prefix", "team/ml"]).success();
    env.run(["doctor", "--prefix", "team/ml"]).success();
    insta::assert_snapshot!(env.run(["s3", "rm", "s3://models/team/ml/m/v1/w.bin", "--prefix", "team/ml"]), @r"
    ------- stderr -------
    error: `team/ml/m/v1/w.bin` belongs to `m@1`, and a published version never changes
    hint: `modeldepot rm m@1` deletes the whole version; or pass --force to change this object anyway
    [exit status: 4]
    ");
    // The plain verbs reach the whole bucket, and leave the versions of every depot in it alone.
    insta::assert_snapshot!(env.run(["s3", "rm", "s3://models/root/v1/w.bin", "--prefix", "team/ml"]), @r"
    ------- stderr -------
    error: `root/v1/w.bin` belongs to `root@1`, and a published version never changes
    hint: `modeldepot rm root@1 --prefix /` deletes the whole version; or pass --force to change this object anyway
    [exit status: 4]
    ");
    insta::assert_snapshot!(env.run(["s3", "cp", "w.bin", "s3://models/team/ml/m/v1/w.bin"]), @r"
    ------- stderr -------
    error: `team/ml/m/v1/w.bin` belongs to `m@1`, and a published version never changes
    hint: `modeldepot rm m@1 --prefix team/ml/` deletes the whole version; or pass --force to change this object anyway
    [exit status: 4]
    ");
    env.run(["s3", "cp", "w.bin", "s3://models/team/ml/m/v2/w.bin"]).success();
    env.run(["s3", "rm", "s3://models/team/ml/m/v2/w.bin"]).success();
    insta::assert_snapshot!(env.run(["models", "--prefix", "team/../ml"]), @r"
    ------- stderr -------
    error: `--prefix` cannot be used
    caused by: `team/../ml` is not a valid key prefix: no segment may be empty, `.`, `..` or `.depot`
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run_with(["models"], &[("S3_PREFIX", "a//b")]), @r"
    ------- stderr -------
    error: `S3_PREFIX` cannot be used
    caused by: `a//b` is not a valid key prefix: no segment may be empty, `.`, `..` or `.depot`
    hint: it is set in the environment
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["models", "--prefix", "typo"]), @r"
    ------- stderr -------
    no models in folder `typo/` of bucket `models`: `modeldepot push MODEL PATH` publishes one
    [exit status: 0]
    ");
}

/// A server whose policy only lets a key list one folder, and access nothing about the bucket itself.
fn of_one_folder() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read(&mut byte).unwrap_or(0) == 0 {
                    break;
                }
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head);
            let (status, body) = match head.starts_with("GET /models") && head.contains("prefix=team%2Fml%2F") {
                true => ("200 OK", "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"),
                false => ("403 Forbidden", "<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>"),
            };
            let body = if head.starts_with("HEAD") { "" } else { body };
            let head = format!("content-type: application/xml\r\nconnection: close\r\ncontent-length: {}", body.len());
            let _ = write!(stream, "HTTP/1.1 {status}\r\n{head}\r\n\r\n{body}");
        }
    });
    endpoint
}

#[test]
fn init_asks_for_no_more_than_the_folder() {
    let env = TestEnv::without_server(&of_one_folder());
    let variables = [("S3_BUCKET_IMAGES", ""), ("S3_BUCKET_DATA", "")];
    insta::assert_snapshot!(env.run_with(["init", "--prefix", "team/ml", "--bucket", "models"], &variables), @r"
    ------- stdout -------
    exists  models
    [exit status: 0]
    ");
}
