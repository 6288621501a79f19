//! A `.env` that others could have written is not read, and a warning names it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};

use crate::environment::TestEnv;

/// A user id that no test runs as.
const STRANGER: u32 = 54321;

/// Returns an environment whose working folder is below that of the file.
fn below() -> TestEnv {
    let env = TestEnv::new();
    fs::write(env.folder().parent().unwrap().join(".env"), "S3_REGION=eu-stranger-1\n").unwrap();
    env
}

fn set(path: &std::path::Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Returns the region in use, as reported by `doctor`.
fn region(env: &TestEnv, variables: &[(&str, &str)]) -> (String, String) {
    let ran = env.run_with(["doctor", "--json"], variables);
    let checks: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let details = checks[0]["details"].as_array().unwrap().iter().map(|line| line.as_str().unwrap());
    let region = details.filter_map(|line| line.strip_prefix("region")).next().unwrap();
    (region.split_whitespace().next().unwrap().to_owned(), ran.to_string())
}

#[test]
fn ones_own_is_read() {
    let (found, shown) = region(&below(), &[]);
    assert_eq!(found, "eu-stranger-1");
    assert!(!shown.contains("ignoring"), "{shown}");
}

/// A file in a downloaded folder chooses the address of requests, and must not choose their content.
#[test]
fn a_file_takes_no_variable_out_of_the_environment() {
    let env = TestEnv::new();
    env.write(".env", "PART=eu\nS3_REGION=${PART}-1$SECRETOFTHISTEST${SECRET_OF_THIS_TEST}\n");
    let secrets = [("SECRETOFTHISTEST", "hush1"), ("SECRET_OF_THIS_TEST", "hush2"), ("PART", "hush3")];
    let (found, shown) = region(&env, &secrets);
    assert_eq!(found, "eu-1", "{shown}");
    assert!(!shown.contains("hush"), "{shown}");
}

#[test]
fn what_anybody_can_write_is_not_read() {
    let env = below();
    let file = env.folder().parent().unwrap().join(".env");
    set(&file, 0o666);
    insta::assert_snapshot!(env.run(["models"]), @r"
    ------- stderr -------
    warning: ignoring `$TEMP/.env`: every user of this machine can write to it
    hint: if you trust it, set MODELDEPOT_DOTENV=$TEMP/.env
    no models in bucket `models`: `modeldepot push MODEL PATH` publishes one
    [exit status: 0]
    ");
    assert_eq!(region(&env, &[]).0, "us-east-1");
    assert_eq!(region(&env, &[("MODELDEPOT_DOTENV", file.to_str().unwrap())]).0, "eu-stranger-1");
    let (found, shown) = region(&env, &[("MODELDEPOT_DOTENV", "")]);
    assert!(found == "us-east-1" && !shown.contains("ignoring"), "{shown}");
}

#[test]
fn a_folder_that_anybody_can_write_to_is_not_looked_in() {
    let env = below();
    for mode in [0o777, 0o1777] {
        set(env.folder().parent().unwrap(), mode);
        let (found, shown) = region(&env, &[]);
        assert_eq!(found, "us-east-1");
        assert!(shown.contains("ignoring `$TEMP/.env`: every user of this machine can write to its folder"), "{shown}");
    }
}

#[test]
fn what_belongs_to_somebody_else_is_not_read() {
    let env = below();
    let file = env.folder().parent().unwrap().join(".env");
    if chown(&file, Some(STRANGER), None).is_err() {
        // Only root can change the owner of files. Unit tests cover the rule for every user.
        return;
    }
    let (found, shown) = region(&env, &[]);
    assert_eq!(found, "us-east-1");
    assert!(shown.contains("ignoring `$TEMP/.env`: it belongs to user 54321, not to you"), "{shown}");
    let (found, _) = region(&env, &[("SUDO_UID", "54321")]);
    assert_eq!(found, "eu-stranger-1", "root by sudo is that user");
}
