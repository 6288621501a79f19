//! Verbs of other tools cause an error that names the right command.

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
    insta::assert_snapshot!(all, @r"
    $ modeldepot ls
    error: unknown command `ls`
    hint: `modeldepot models` lists the models, `modeldepot versions MODEL` the versions of one
    $ modeldepot list
    error: unknown command `list`
    hint: `modeldepot models` lists the models, `modeldepot versions MODEL` the versions of one
    $ modeldepot download
    error: unknown command `download`
    hint: `modeldepot pull MODEL` fetches the latest version, `modeldepot s3 cp` a single object
    $ modeldepot upload
    error: unknown command `upload`
    hint: `modeldepot push MODEL PATH` publishes a version, `modeldepot s3 cp` stores a single object
    $ modeldepot publish
    error: unknown command `publish`
    hint: `modeldepot push MODEL PATH` publishes a version, `modeldepot s3 cp` stores a single object
    $ modeldepot login
    error: unknown command `login`
    hint: set S3_ACCESS_KEY and S3_SECRET_KEY in the environment or in `.env`; `modeldepot config` shows the settings in use
    $ modeldepot delete
    error: unknown command `delete`
    hint: `modeldepot rm MODEL@VERSION` deletes a version, `modeldepot gc` finds orphaned objects
    $ modeldepot remove
    error: unknown command `remove`
    hint: `modeldepot rm MODEL@VERSION` deletes a version, `modeldepot gc` finds orphaned objects
    $ modeldepot info
    error: unknown command `info`
    hint: `modeldepot show MODEL` describes a version, `modeldepot s3 stat` an object
    $ modeldepot get
    error: unknown command `get`
    hint: `modeldepot pull MODEL` fetches the latest version, `modeldepot s3 cp` a single object
    $ modeldepot put
    error: unknown command `put`
    hint: `modeldepot push MODEL PATH` publishes a version, `modeldepot s3 cp` stores a single object
    $ modeldepot cp
    error: unknown command `cp`
    hint: `modeldepot s3 cp` copies objects; `push` and `pull` transfer versions
    $ modeldepot sync
    error: unknown command `sync`
    hint: `modeldepot pull MODEL DIR` fetches only what changed; `modeldepot push MODEL DIR` publishes
    $ modeldepot versions-list
    error: unknown command `versions-list`
    hint: `modeldepot versions MODEL` lists the versions of a model
    $ modeldepot status
    error: unknown command `status`
    hint: `modeldepot doctor` diagnoses the connection
    $ modeldepot start
    error: unknown command `start`
    hint: `modeldepot up` starts an S3 server with the console, `modeldepot serve` the console for another server
    $ modeldepot server
    error: unknown command `server`
    hint: `modeldepot up` starts an S3 server with the console, `modeldepot serve` the console for another server
    $ modeldepot auth
    error: unknown command `auth`
    hint: set S3_ACCESS_KEY and S3_SECRET_KEY in the environment or in `.env`; `modeldepot config` shows the settings in use
    $ modeldepot LS
    error: unknown command `LS`
    hint: `modeldepot models` lists the models, `modeldepot versions MODEL` the versions of one
    ");
}

#[test]
fn misspelled_verbs() {
    insta::assert_snapshot!(refused("psuh m m.bin"), @r"
    error: unknown command `psuh`
    hint: did you mean `modeldepot push`?
    ");
    insta::assert_snapshot!(refused("s3 sta s3://data/x"), @r"
    error: unknown command `sta`
    hint: did you mean `modeldepot s3 stat`?
    ");
    insta::assert_snapshot!(refused("frobnicate"), @r"
    error: unknown command `frobnicate`
    hint: `modeldepot --help` lists the commands
    ");
    insta::assert_snapshot!(refused("s3 frobnicate"), @r"
    error: unknown command `frobnicate`
    hint: `modeldepot s3 --help` lists the commands
    ");
    insta::assert_snapshot!(refused("frobnicate --json"), @r#"{"error":{"kind":"invalid","message":"unknown command `frobnicate`","causes":[],"hint":"`modeldepot --help` lists the commands","exit":2}}"#);
}

#[test]
fn verbs_below_verbs() {
    let mut all = String::new();
    for typed in ["s3 list", "s3 delete s3://data/x", "s3 sync", "token ls", "token create ci", "key revoke ci"] {
        all += &format!("$ modeldepot {typed}\n{}", refused(typed));
    }
    insta::assert_snapshot!(all, @r"
    $ modeldepot s3 list
    error: unknown command `list`
    hint: did you mean `modeldepot s3 ls`?
    $ modeldepot s3 delete s3://data/x
    error: unknown command `delete`
    hint: did you mean `modeldepot s3 rm`?
    $ modeldepot s3 sync
    error: unknown command `sync`
    hint: `modeldepot s3 cp` copies one file at a time; `modeldepot push` and `modeldepot pull` transfer whole folders
    $ modeldepot token ls
    error: unknown command `ls`
    hint: did you mean `modeldepot token list`?
    $ modeldepot token create ci
    error: unknown command `create`
    hint: did you mean `modeldepot token add`?
    $ modeldepot key revoke ci
    error: unknown command `revoke`
    hint: did you mean `modeldepot key rm`?
    ");
}

#[test]
fn verbs_that_nothing_here_matches() {
    let mut all = String::new();
    for typed in ["tag", "diff", "repair", "commit", "rmi", "images", "log", "logout", "open", "s3 mv", "s3 rb"] {
        all += &format!("$ modeldepot {typed}\n{}", refused(typed));
    }
    insta::assert_snapshot!(all, @r"
    $ modeldepot tag
    error: unknown command `tag`
    hint: `modeldepot push MODEL PATH --version NAME` names a version when it is published; the name cannot change later
    $ modeldepot diff
    error: unknown command `diff`
    hint: `modeldepot compare MODEL@A B` compares two versions
    $ modeldepot repair
    error: unknown command `repair`
    hint: `modeldepot fsck` finds damage; nothing repairs it: publish the model again under a new version
    $ modeldepot commit
    error: unknown command `commit`
    hint: `modeldepot push MODEL PATH` publishes a version, `modeldepot s3 cp` stores a single object
    $ modeldepot rmi
    error: unknown command `rmi`
    hint: `modeldepot rm MODEL@VERSION` deletes a version, `modeldepot gc` finds orphaned objects
    $ modeldepot images
    error: unknown command `images`
    hint: `modeldepot models` lists the models, `modeldepot versions MODEL` the versions of one
    $ modeldepot log
    error: unknown command `log`
    hint: `modeldepot versions MODEL` lists the versions of a model
    $ modeldepot logout
    error: unknown command `logout`
    hint: there is no session to end: unset S3_ACCESS_KEY and S3_SECRET_KEY; `modeldepot config` shows where they are set
    $ modeldepot open
    error: unknown command `open`
    hint: `modeldepot url MODEL` prints a presigned URL
    $ modeldepot s3 mv
    error: unknown command `mv`
    hint: objects are not moved: copy one through a file with `modeldepot s3 cp`, then delete it with `modeldepot s3 rm`
    $ modeldepot s3 rb
    error: unknown command `rb`
    hint: modeldepot does not delete buckets: use your S3 server's own tools
    ");
}

#[test]
fn versions_as_other_tools_write_them() {
    let mut all = String::new();
    for typed in ["model:latest", "model@1.0.0", "pull model:1.0.0", "show model:latest", "rm model:1.0.0", "url m:1"] {
        all += &format!("$ modeldepot {typed}\n{}", refused(typed));
    }
    insta::assert_snapshot!(all, @r"
    $ modeldepot model:latest
    error: unknown command `model:latest`
    hint: `modeldepot pull model@latest` fetches this version, `modeldepot show model@latest` describes it
    $ modeldepot model@1.0.0
    error: unknown command `model@1.0.0`
    hint: `modeldepot pull model@1.0.0` fetches this version, `modeldepot show model@1.0.0` describes it
    $ modeldepot pull model:1.0.0
    error: `model:1.0.0` is not a model or one of its versions
    hint: a version follows `@`: `model@1.0.0`
    $ modeldepot show model:latest
    error: `model:latest` is not a model or one of its versions
    hint: a version follows `@`: `model@latest`
    $ modeldepot rm model:1.0.0
    error: `model:1.0.0` is not a model or one of its versions
    hint: a version follows `@`: `model@1.0.0`
    $ modeldepot url m:1
    error: `m:1` is not a model or one of its versions
    hint: a version follows `@`: `m@1`
    ");
    // Only if it would be a version.
    assert!(refused("pull s3://models/m").contains("is not a valid model name"));
    assert!(refused("push a:b:c m.bin").contains("is not a valid model name"));
}
