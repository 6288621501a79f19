//! A bucket that others use too: the models lie in a folder of it.

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
    env.run(["pull", "m", "there", "--prefix", "team/ml"]).success();
    env.run(["check", "m", "--prefix", "team/ml"]).success();
    env.run(["doctor", "--prefix", "team/ml"]).success();
    insta::assert_snapshot!(env.run(["s3", "rm", "s3://models/team/ml/m/v1/w.bin", "--prefix", "team/ml"]), @r"
    ------- stderr -------
    error: `team/ml/m/v1/w.bin` belongs to `m@1`, and a published version never changes
    hint: `modeldepot rm m@1` deletes the whole version; or pass --force to change this object anyway
    [exit status: 4]
    ");
    insta::assert_snapshot!(env.run(["models", "--prefix", "team/../ml"]), @r"
    ------- stderr -------
    error: `S3_PREFIX` cannot be used
    caused by: `team/../ml` is not a valid key prefix: no segment may be empty, `.`, `..` or `.depot`
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run_with(["models"], &[("S3_PREFIX", "a//b")]), @r"
    ------- stderr -------
    error: `S3_PREFIX` cannot be used
    caused by: `a//b` is not a valid key prefix: no segment may be empty, `.`, `..` or `.depot`
    hint: it comes from `S3_PREFIX` in the environment
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.run(["models", "--prefix", "typo"]), @r"
    ------- stderr -------
    no models in folder `typo/` of bucket `models`: `modeldepot push MODEL PATH` publishes one
    [exit status: 0]
    ");
}
