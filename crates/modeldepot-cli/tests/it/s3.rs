//! The plain S3 verbs.

use crate::environment::TestEnv;

#[test]
fn the_nine_methods() {
    let env = TestEnv::new();
    env.write("leaf.jpg", "a picture");
    insta::assert_snapshot!(env.run(["s3", "mb", "s3://leaves"]), @"");
    insta::assert_snapshot!(env.run(["s3", "mb", "s3://leaves"]), @"");
    insta::assert_snapshot!(env.run(["s3", "exists", "s3://leaves"]), @"");
    insta::assert_snapshot!(env.run(["s3", "cp", "leaf.jpg", "s3://leaves/train/", "--meta", "label=healthy"]), @"");
    insta::assert_snapshot!(env.run(["s3", "exists", "s3://leaves/train/leaf.jpg"]), @"");
    insta::assert_snapshot!(env.run(["s3", "stat", "s3://leaves/train/leaf.jpg"]), @"");
    insta::assert_snapshot!(env.run(["s3", "ls", "s3://leaves/tr"]), @"");
    insta::assert_snapshot!(env.run(["s3", "cp", "s3://leaves/train/leaf.jpg", "."]), @"");
    insta::assert_snapshot!(env.run(["s3", "cp", "s3://leaves/train/leaf.jpg", "copy.jpg"]), @"");
    assert_eq!(env.read("copy.jpg"), b"a picture");
    let url = env.run(["s3", "url", "s3://leaves/train/leaf.jpg", "--expires", "7d"]).success();
    assert!(url.contains("/leaves/train/leaf.jpg?") && url.contains("X-Amz-Expires=604800"), "{url}");
    insta::assert_snapshot!(env.run(["s3", "rm", "s3://leaves/train/leaf.jpg"]), @"");
    insta::assert_snapshot!(env.run(["s3", "exists", "s3://leaves/train/leaf.jpg"]), @"");
    insta::assert_snapshot!(env.run(["s3", "ls", "s3://leaves"]), @"");
}

#[test]
fn the_projects_buckets() {
    insta::assert_snapshot!(TestEnv::with_buckets(&["models", "data"]).run(["s3", "ls"]), @"");
}

#[test]
fn a_type_of_ones_own() {
    let env = TestEnv::new();
    env.write("x.bin", "{}");
    env.run(["s3", "cp", "x.bin", "s3://data/x", "--content-type", "application/json"]).success();
    let stat = env.run(["s3", "stat", "s3://data/x", "--json"]).json();
    assert_eq!(stat["content_type"], "application/json");
}

#[test]
fn refusals() {
    let env = TestEnv::new();
    env.write("x.bin", "x");
    insta::assert_snapshot!(env.run(["s3", "cp", "x.bin", "y.bin"]), @"");
    insta::assert_snapshot!(env.run(["s3", "cp", "s3://data/x", "s3://data/y"]), @"");
    insta::assert_snapshot!(env.run(["s3", "cp", "nope.bin", "s3://data/x"]), @"");
    insta::assert_snapshot!(env.run(["s3", "cp", "s3://data/nope", "x"]), @"");
    insta::assert_snapshot!(env.run(["s3", "cp", "s3://data", "x"]), @"");
    insta::assert_snapshot!(env.run(["s3", "cp", "x.bin", "s3://Data/x"]), @"");
    insta::assert_snapshot!(env.run(["s3", "stat", "s3://data/nope"]), @"");
    insta::assert_snapshot!(env.run(["s3", "stat", "s3://nowhere"]), @"");
    insta::assert_snapshot!(env.run(["s3", "rm", "s3://data"]), @"");
    insta::assert_snapshot!(env.run(["s3", "ls", "data"]), @"");
    insta::assert_snapshot!(env.run(["s3", "mb", "s3://data/folder"]), @"");
    insta::assert_snapshot!(env.run(["s3", "cp", "x.bin", "s3://nowhere/x"]), @"");
}
