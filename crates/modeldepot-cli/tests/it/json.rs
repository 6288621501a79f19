//! `--json`: every result and every error parses.

use crate::environment::TestEnv;

#[test]
fn answers() {
    let env = TestEnv::new();
    env.write("m.bin", "weights");
    assert_eq!(env.run(["init", "--json"]).json()["buckets"].as_array().unwrap().len(), 3);
    let pushed = env.run(["push", "m", "m.bin", "--version", "1", "--json", "--meta", "a=1"]).json();
    assert_eq!((&pushed["model"], &pushed["version"], &pushed["already"]), (&"m".into(), &"1".into(), &false.into()));
    assert_eq!(env.run(["push", "m", "m.bin", "--version", "1", "--json", "--meta", "a=1"]).json()["already"], true);
    assert_eq!(env.run(["pull", "m", "--json"]).json()["model_path"], "m/m.bin");
    assert_eq!(env.run(["models", "--json"]).json()[0]["latest"], "1");
    assert_eq!(env.run(["versions", "m", "--json"]).json()[0]["latest"], true);
    assert_eq!(env.run(["show", "m", "--json"]).json()["manifest"]["metadata"]["a"], 1);
    assert_eq!(env.run(["verify", "m", "--json"]).json()["intact"], true);
    assert_eq!(env.run(["url", "m", "--json"]).json()["expires_in"], 3600);
    assert_eq!(env.run(["check", "m", "--json"]).json().as_array().unwrap().len(), 7);
    assert_eq!(env.run(["check", "--json"]).json()[5]["ok"], true);
    assert_eq!(env.run(["s3", "mb", "s3://more", "--json"]).json()["created"], true);
    assert_eq!(env.run(["s3", "cp", "m.bin", "s3://more/x", "--json"]).json()["size"], 7);
    assert_eq!(env.run(["s3", "cp", "s3://more/x", "y", "--json"]).json()["size"], 7);
    assert_eq!(env.run(["s3", "ls", "s3://more", "--json"]).json()[0]["key"], "x");
    assert_eq!(env.run(["s3", "ls", "--json"]).json().as_array().unwrap().len(), 3);
    assert_eq!(env.run(["s3", "stat", "s3://more/x", "--json"]).json()["size"], 7);
    assert_eq!(env.run(["s3", "stat", "s3://more", "--json"]).json()["bucket"], "more");
    assert_eq!(env.run(["s3", "exists", "s3://more/x", "--json"]).json()["exists"], true);
    assert_eq!(env.run(["s3", "url", "s3://more/x", "--put", "--json"]).json()["method"], "PUT");
    assert_eq!(env.run(["s3", "rm", "s3://more/x", "--json"]).json()["deleted"], "s3://more/x");
    assert_eq!(env.run(["rm", "m@1", "--yes", "--json"]).json()["files"], 1);
    assert_eq!(env.run(["models", "--json"]).json().as_array().unwrap().len(), 0);
}

#[test]
fn errors() {
    let env = TestEnv::new();
    insta::assert_snapshot!(env.run(["pull", "ghost", "--json"]), @r#"
    ------- stderr -------
    {"error":{"kind":"not_found","message":"model `ghost` does not exist","causes":[],"hint":"`modeldepot models` lists the models of this bucket","exit":3}}
    [exit status: 3]
    "#);
    insta::assert_snapshot!(env.run(["pull", "no good", "--json"]), @r#"
    ------- stderr -------
    {"error":{"kind":"invalid","message":"`no good` is not a valid model name: use 1 to 128 letters, digits, `.`, `_` and `-`, the first one a letter or digit","causes":[],"hint":"did you mean `no_good`?","exit":2}}
    [exit status: 2]
    "#);
    insta::assert_snapshot!(env.run(["models", "--json", "--ca-bundle", "nope.pem"]), @r#"
    ------- stderr -------
    {"error":{"kind":"invalid","message":"`nope.pem` is not a usable CA bundle (`AWS_CA_BUNDLE`): No such file or directory (os error 2)","causes":[],"hint":null,"exit":2}}
    [exit status: 2]
    "#);
    let absent = env.run(["s3", "exists", "s3://models/x", "--json"]);
    assert_eq!((absent.code, absent.stderr.as_str()), (Some(3), ""));
}
