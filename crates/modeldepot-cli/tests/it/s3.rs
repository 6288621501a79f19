//! The plain S3 verbs.

use std::io::Write as _;
use std::process::Stdio;

use crate::environment::{Output, TestEnv, tree};

#[test]
fn the_nine_methods() {
    let env = TestEnv::new();
    env.write("leaf.jpg", "a picture");
    insta::assert_snapshot!(env.run(["s3", "mb", "s3://leaves"]), @r"
    ------- stdout -------
    s3://leaves created
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run(["s3", "mb", "s3://leaves"]), @r"
    ------- stdout -------
    s3://leaves exists
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run(["s3", "exists", "s3://leaves"]), @r"
    ------- stdout -------
    true
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run(["s3", "cp", "leaf.jpg", "s3://leaves/train/", "--meta", "label=healthy"]), @r"
    ------- stdout -------
    leaf.jpg -> s3://leaves/train/leaf.jpg (9 B in [TIME])
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run(["s3", "exists", "s3://leaves/train/leaf.jpg"]), @r"
    ------- stdout -------
    true
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run(["s3", "stat", "s3://leaves/train/leaf.jpg"]), @r"
    ------- stdout -------
    address       s3://leaves/train/leaf.jpg
    size          9 B (9 bytes)
    modified      [DATE] UTC
    content type  image/jpeg
    etag          101a0e3e2f58188b3e2ffc1057316c13
    crc64nvme     frlcbvrmZtk=
    label         healthy
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run(["s3", "ls", "s3://leaves/tr"]), @r"
    ------- stdout -------
    MODIFIED                 SIZE  KEY
    [DATE] UTC   9 B  train/leaf.jpg
    ------- stderr -------
    1 object, 9 B
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run(["s3", "cp", "s3://leaves/train/leaf.jpg", "."]), @r"
    ------- stdout -------
    s3://leaves/train/leaf.jpg -> ./leaf.jpg (9 B in [TIME])
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run(["s3", "cp", "s3://leaves/train/leaf.jpg", "copy.jpg"]), @r"
    ------- stdout -------
    s3://leaves/train/leaf.jpg -> copy.jpg (9 B in [TIME])
    [exit status: 0]
    ");
    assert_eq!(env.read("copy.jpg"), b"a picture");
    let url = env.run(["s3", "url", "s3://leaves/train/leaf.jpg", "--expires", "7d"]).success();
    assert!(url.contains("/leaves/train/leaf.jpg?") && url.contains("X-Amz-Expires=604800"), "{url}");
    insta::assert_snapshot!(env.run(["s3", "rm", "s3://leaves/train/leaf.jpg"]), @r"
    ------- stdout -------
    deleted s3://leaves/train/leaf.jpg
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run(["s3", "exists", "s3://leaves/train/leaf.jpg"]), @r"
    ------- stdout -------
    false
    [exit status: 3]
    ");
    insta::assert_snapshot!(env.run(["s3", "ls", "s3://leaves"]), @r"
    ------- stderr -------
    no objects under s3://leaves
    [exit status: 0]
    ");
}

#[test]
fn the_projects_buckets() {
    insta::assert_snapshot!(TestEnv::with_buckets(&["models", "data"]).run(["s3", "ls"]), @r"
    ------- stdout -------
    s3://models
    s3://plants-images  (missing: `modeldepot init` creates it)
    s3://data
    [exit status: 0]
    ");
}

#[test]
fn a_type_of_ones_own() {
    let env = TestEnv::new();
    env.write("x.bin", "{}");
    env.run(["s3", "cp", "x.bin", "s3://data/x", "--content-type", "application/json"]).success();
    let stat = env.run(["s3", "stat", "s3://data/x", "--json"]).json();
    assert_eq!(stat["content_type"], "application/json");
}

/// Writes to a run's stdin, and returns its output.
fn piped(env: &TestEnv, args: &[&str], input: &[u8]) -> Output {
    let mut command = env.command(args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // A run that refuses its arguments does not read stdin.
        let _ = stdin.write_all(&input);
    });
    let ended = env.finish(child);
    writer.join().unwrap();
    ended
}

#[test]
fn a_dash_is_stdin_or_stdout() {
    let env = TestEnv::new();
    insta::assert_snapshot!(piped(&env, &["s3", "cp", "-", "s3://data/notes.txt", "--quiet"], b"from a pipe\n"), @r"
    ------- stdout -------
    - -> s3://data/notes.txt (12 B in [TIME])
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run(["s3", "cp", "s3://data/notes.txt", "-"]), @r"
    ------- stdout -------
    from a pipe
    [exit status: 0]
    ");
    assert_eq!(env.run(["s3", "stat", "s3://data/notes.txt", "--json"]).json()["content_type"], "text/plain");
    // Larger than a part, and than the buffer of a pipe.
    let line = "0123456789abcdef".repeat(1 << 16) + "\n";
    let long = line.repeat(20);
    piped(&env, &["s3", "cp", "-", "s3://data/long"], long.as_bytes()).success();
    assert!(env.run(["s3", "cp", "s3://data/long", "-"]).success() == long);
    // Nothing is left in the temporary folder, and no file is called `-`.
    assert_eq!((tree(&env.tmp()), tree(&env.folder())), (Vec::new(), Vec::new()));
    piped(&env, &["s3", "cp", "-", "s3://data/empty"], b"").success();
    assert_eq!(env.run(["s3", "cp", "s3://data/empty", "-"]).success(), "");

    insta::assert_snapshot!(piped(&env, &["s3", "cp", "-", "s3://data/folder/"], b"x"), @r"
    ------- stderr -------
    error: `s3://data/folder/` names no object, and stdin has no file name to use
    hint: name the object: `s3://BUCKET/KEY`
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["s3", "cp", "s3://data/notes.txt", "-", "--json"]), @r#"
    ------- stderr -------
    {"error":{"kind":"invalid","message":"--json cannot be combined with the destination `-`","causes":[],"hint":"copy to a file, or omit --json","exit":2}}
    [exit status: 2]
    "#);
    insta::assert_snapshot!(env.run(["s3", "cp", "s3://data/nope", "-"]), @r"
    ------- stderr -------
    error: object `nope` does not exist in bucket `data`
    hint: `modeldepot s3 ls s3://data` lists its objects
    [exit status: 3]
    ");
    insta::assert_snapshot!(piped(&env, &["s3", "cp", "-", "-"], b"x"), @r"
    ------- stderr -------
    error: neither side is an object
    hint: write addresses as `s3://BUCKET/KEY`
    [exit status: 2]
    ");
}

#[test]
fn refusals() {
    let env = TestEnv::new();
    env.write("x.bin", "x");
    insta::assert_snapshot!(env.run(["s3", "cp", "x.bin", "y.bin"]), @r"
    ------- stderr -------
    error: neither side is an object
    hint: write addresses as `s3://BUCKET/KEY`
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["s3", "cp", "s3://data/x", "s3://data/y"]), @r"
    ------- stderr -------
    error: both sides are objects; copy through a file
    hint: write addresses as `s3://BUCKET/KEY`
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["s3", "cp", "nope.bin", "s3://data/x"]), @r"
    ------- stderr -------
    error: `nope.bin` does not exist
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["s3", "cp", "s3://data/nope", "x"]), @r"
    ------- stderr -------
    error: object `nope` does not exist in bucket `data`
    hint: `modeldepot s3 ls s3://data` lists its objects
    [exit status: 3]
    ");
    insta::assert_snapshot!(env.run(["s3", "cp", "s3://data", "x"]), @r"
    ------- stderr -------
    error: `s3://data`: add the key of the object: `s3://data/KEY`
    hint: write addresses as `s3://BUCKET/KEY`
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["s3", "cp", "x.bin", "s3://Data/x"]), @r"
    ------- stderr -------
    error: `s3://Data/x`: `Data` is not a valid bucket name: use 3 to 63 lowercase letters, digits, `.` and `-`
    hint: write addresses as `s3://BUCKET/KEY`
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["s3", "stat", "s3://data/nope"]), @r"
    ------- stderr -------
    error: object `nope` does not exist in bucket `data`
    hint: `modeldepot s3 ls s3://data` lists its objects
    [exit status: 3]
    ");
    insta::assert_snapshot!(env.run(["s3", "stat", "s3://nowhere"]), @r"
    ------- stderr -------
    error: bucket `nowhere` does not exist at `$ENDPOINT`
    hint: correct the name, or create the bucket with `modeldepot s3 mb s3://nowhere`
    [exit status: 3]
    ");
    for missing in [
        vec!["s3", "cp", "s3://nowhere/x", "x"],
        vec!["s3", "cp", "s3://nowhere/x", "-"],
        vec!["s3", "stat", "s3://nowhere/x"],
    ] {
        insta::allow_duplicates!({
            insta::assert_snapshot!(env.run(missing), @r"
            ------- stderr -------
            error: bucket `nowhere` does not exist at `$ENDPOINT`
            hint: correct the name, or create the bucket with `modeldepot s3 mb s3://nowhere`
            [exit status: 3]
            ");
        });
    }
    insta::assert_snapshot!(env.run(["s3", "rm", "s3://data"]), @r"
    ------- stderr -------
    error: invalid value `s3://data` for `s3://BUCKET/KEY`: add the key of the object: `s3://data/KEY`
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["s3", "ls", "data"]), @r"
    ------- stderr -------
    error: invalid value `data` for `s3://BUCKET[/PREFIX]`: write it as `s3://data`
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["s3", "mb", "s3://data/folder"]), @r"
    ------- stderr -------
    error: `s3://data/folder` is not just a bucket
    hint: buckets have no folders; use `/` in keys instead
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["s3", "cp", "x.bin", "s3://nowhere/x"]), @r"
    ------- stderr -------
    error: bucket `nowhere` does not exist at `$ENDPOINT`
    hint: correct the name, or create the bucket with `modeldepot s3 mb s3://nowhere`
    [exit status: 3]
    ");
}

#[test]
fn an_object_that_is_replaced_while_it_is_read() {
    let env = TestEnv::new();
    env.put("large", vec![7; 96 << 20]);
    let child = env.start(["s3", "cp", "s3://models/large", "large", "--limit-rate", "16M"]);
    // Its staged file is created once the ETag is known.
    while tree(&env.folder()).is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    env.put("large", "other");
    insta::assert_snapshot!(env.finish(child), @r"
    ------- stderr -------
    error: `large` in bucket `models` was replaced while it was read
    hint: try again when its writer is done
    [exit status: 6]
    ");
    assert_eq!(tree(&env.folder()), [""; 0]);
}
