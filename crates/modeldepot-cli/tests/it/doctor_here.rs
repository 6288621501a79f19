//! `doctor` on local things: settings, proxies and the folder for pulls.

use crate::doctor::{from, steady};
use crate::environment::TestEnv;

#[test]
fn a_value_in_the_file_that_does_not_count() {
    let env = TestEnv::without_server("http://127.0.0.1:1");
    env.write(".env", "S3_ENDPOINT=http://elsewhere:9000\nS3_REGION=eu-west-1\nS3_ADDRESSING=path\n");
    let shown = steady(&env.run(["doctor", "--bucket", "mine", "--region", "us-west-2"]));
    insta::assert_snapshot!(shown.lines().take(11).collect::<Vec<_>>().join("\n"), @r"
    ------- stdout -------
    ! settings       read flags, environment, .env and AWS profile: found; one overrides another
                     endpoint       $ENDPOINT S3_ENDPOINT in the environment
                                    overrides: S3_ENDPOINT in $TEMP/work/.env:1
                     credentials    minioadmin (default on this machine)  default
                     region         us-west-2                             --region
                     models bucket  mine                                  --bucket
                     images bucket  none                                  default
                     data bucket    none                                  default
                     addressing     bucket in the path                    S3_ADDRESSING in $TEMP/work/.env:3
    ✓ proxy          read proxy variables: none set
    ");
}

#[test]
fn proxies_are_not_used_for_this_machine() {
    let env = TestEnv::new();
    let dead = "http://me:hush@127.0.0.1:1";
    let proxies = [("HTTP_PROXY", dead), ("https_proxy", dead), ("ALL_PROXY", dead), ("no_proxy", "localhost")];
    let ended = env.run_with(["doctor"], &proxies);
    assert_eq!(ended.code, Some(0), "a proxy that is not there is not missed: {ended}");
    assert!(!ended.to_string().contains("hush"), "{ended}");
    let line = ended.stdout.lines().find(|line| line.contains("✓ proxy"));
    insta::assert_snapshot!(line.unwrap(), @"✓ proxy          read proxy variables: set, but not used for this endpoint");
}

#[cfg(target_os = "linux")]
#[test]
fn folders_for_pulls() {
    let env = TestEnv::without_server("http://127.0.0.1:1");
    // Nobody, not even root, can create files there.
    let line = |folder: &str| from(&env.run(["doctor", "--pull-folder", folder]), "pull");
    let first = |folder: &str| line(folder).lines().take(2).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(first("/proc"), @r"
    ✗ pull folder    write into `/proc`: cannot create a file in `/proc`: No such file or directory (os error 2)
                     → use another folder, or change the permissions or the mount of this one
    ");
    insta::assert_snapshot!(first("models/downloaded"), @r"
    ✓ pull folder    write into `models/downloaded`: does not exist yet; pull creates it in `$TEMP/work`, which is writable
    ✓ free space     check the free space: [SIZE]
    ");
    env.write("taken", "a file");
    insta::assert_snapshot!(first("taken/models"), @r"
    ✗ pull folder    write into `taken/models`: `$TEMP/work/taken` is not a folder
                     → use another folder, or change the permissions or the mount of this one
    ");
}
