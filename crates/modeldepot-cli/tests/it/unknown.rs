//! Verbs of other tools: an error, with the command that is meant.

use crate::environment::TestEnv;

fn refused(typed: &str) -> String {
    let ended = TestEnv::without_server("not even looked at").run(typed.split(' '));
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{typed}: {ended}");
    ended.stderr
}

#[test]
fn verbs_of_other_tools() {
    let mut all = String::new();
    for typed in [
        "ls",
        "list",
        "download",
        "upload",
        "publish",
        "login",
        "delete",
        "remove",
        "info",
        "get",
        "put",
        "cp",
        "sync",
        "versions-list",
        "status",
        "start",
        "server",
        "auth",
        "LS",
    ] {
        all += &format!("$ modeldepot {typed}\n{}", refused(typed));
    }
    insta::assert_snapshot!(all, @"");
}

#[test]
fn misspelled_verbs() {
    insta::assert_snapshot!(refused("psuh m m.bin"), @"");
    insta::assert_snapshot!(refused("s3 sta s3://data/x"), @"");
    insta::assert_snapshot!(refused("frobnicate"), @"");
    insta::assert_snapshot!(refused("s3 frobnicate"), @"");
    insta::assert_snapshot!(refused("frobnicate --json"), @"");
}

#[test]
fn verbs_below_verbs() {
    let mut all = String::new();
    for typed in ["s3 list", "s3 delete s3://data/x", "s3 sync", "token ls", "token create ci", "key revoke ci"] {
        all += &format!("$ modeldepot {typed}\n{}", refused(typed));
    }
    insta::assert_snapshot!(all, @"");
}

#[test]
fn versions_as_other_tools_write_them() {
    let mut all = String::new();
    for typed in ["model:latest", "model@1.0.0", "pull model:1.0.0", "show model:latest", "rm model:1.0.0", "url m:1"] {
        all += &format!("$ modeldepot {typed}\n{}", refused(typed));
    }
    insta::assert_snapshot!(all, @"");
    // Only where it would be a version.
    assert!(refused("pull s3://models/m").contains("is not a valid model name"));
    assert!(refused("push a:b:c m.bin").contains("is not a valid model name"));
}
