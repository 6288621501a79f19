//! Options and arguments of other tools, and misplaced arguments: each error says what to type instead.

use crate::environment::TestEnv;

/// Runs each line, none of which may get as far as the server, and returns what they print.
fn refused(env: &TestEnv, lines: &[&str]) -> String {
    let mut all = String::new();
    for line in lines {
        let ended = env.run(line.split(' '));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{line}: {ended}");
        for foreign in ["tip:", "For more information", "Usage:", " '"] {
            assert!(!ended.stderr.contains(foreign), "{line}: {ended}");
        }
        assert!(ended.stderr.starts_with("error: "), "{line}: {ended}");
        all += &format!("$ modeldepot {line}\n{}", ended.stderr);
    }
    all
}

fn env() -> TestEnv {
    TestEnv::without_server("http://127.0.0.1:1")
}

#[test]
fn a_version_in_another_place() {
    insta::assert_snapshot!(refused(&env(), &[
        "pull odd@1 --version 1",
        "show odd --version=2.0",
        "rm odd --tag 1",
        "url --version 1",
        "show m 3.0",
        "verify m 3.0",
        "rm m 3.0",
        "check m 3.0",
        "push m@1.0 f.bin",
        "push m@latest f.bin",
        "versions m@1.0",
        "fsck m@1.0",
        "gc m@1.0",
    ]), @r"
    $ modeldepot pull odd@1 --version 1
    error: `modeldepot pull` has no option `--version`
    hint: a version follows `@`: `modeldepot pull odd@1`
    $ modeldepot show odd --version=2.0
    error: `modeldepot show` has no option `--version`
    hint: a version follows `@`: `modeldepot show odd@2.0`
    $ modeldepot rm odd --tag 1
    error: `modeldepot rm` has no option `--tag`
    hint: a version follows `@`: `modeldepot rm odd@1`
    $ modeldepot url --version 1
    error: `modeldepot url` has no option `--version`
    hint: a version follows `@`: `modeldepot url MODEL@1`
    $ modeldepot show m 3.0
    error: unexpected argument `3.0`
    hint: a version follows `@`: `modeldepot show m@3.0`
    $ modeldepot verify m 3.0
    error: unexpected argument `3.0`
    hint: a version follows `@`: `modeldepot verify m@3.0`
    $ modeldepot rm m 3.0
    error: unexpected argument `3.0`
    hint: a version follows `@`: `modeldepot rm m@3.0`
    $ modeldepot check m 3.0
    error: unexpected argument `3.0`
    hint: a version follows `@`: `modeldepot check m@3.0`
    $ modeldepot push m@1.0 f.bin
    error: `m@1.0` is not a valid model name: use 1 to 128 letters, digits, `.`, `_` and `-`, the first one a letter or digit
    hint: `--version` names it: `modeldepot push m f.bin --version 1.0`
    $ modeldepot push m@latest f.bin
    error: `m@latest` is not a valid model name: use 1 to 128 letters, digits, `.`, `_` and `-`, the first one a letter or digit
    hint: leave `@latest` out: `modeldepot push m f.bin`
    $ modeldepot versions m@1.0
    error: `m@1.0` is not a valid model name: use 1 to 128 letters, digits, `.`, `_` and `-`, the first one a letter or digit
    hint: `modeldepot show m@1.0` describes one version
    $ modeldepot fsck m@1.0
    error: `m@1.0` is not a valid model name: use 1 to 128 letters, digits, `.`, `_` and `-`, the first one a letter or digit
    hint: `modeldepot verify m@1.0` checks one version
    $ modeldepot gc m@1.0
    error: `m@1.0` is not a valid model name: use 1 to 128 letters, digits, `.`, `_` and `-`, the first one a letter or digit
    hint: name the model alone: `modeldepot gc m`
    ");
}

#[test]
fn options_of_other_tools() {
    insta::assert_snapshot!(refused(&env(), &[
        "pull odd --output x",
        "pull odd --dir x",
        "pull odd -o x",
        "push x y --tag prod",
        "push y.bin --name x",
        "push m y.bin --message first",
        "push m --file y.bin",
        "push m y.bin --force",
        "gc --dry-run",
        "gc --yes",
        "gc --older-than 7d",
        "rm m@1 -f",
        "rm m@1 --force",
        "rm m@1 --dry-run",
        "models --limit 3",
        "versions m --sort size",
        "fsck --repair",
        "verify m --deep",
        "url m --ttl 1h",
        "up --port 19600",
        "up --host 0.0.0.0",
        "models --secret-key hush",
        "models --insecure",
        "models --debug",
        "models --version",
        "s3 cp a s3://data/a --recursive",
        "s3 ls --frobnicate",
    ]), @r"
    $ modeldepot pull odd --output x
    error: `modeldepot pull` has no option `--output`
    hint: the folder is the second argument: `modeldepot pull odd x`
    $ modeldepot pull odd --dir x
    error: `modeldepot pull` has no option `--dir`
    hint: the folder is the second argument: `modeldepot pull odd x`
    $ modeldepot pull odd -o x
    error: `modeldepot pull` has no option `-o`
    hint: the folder is the second argument: `modeldepot pull odd x`
    $ modeldepot push x y --tag prod
    error: `modeldepot push` has no option `--tag`
    hint: `--meta tag=prod` adds metadata; `--version prod` names the version
    $ modeldepot push y.bin --name x
    error: `modeldepot push` has no option `--name`
    hint: MODEL is the first argument: `modeldepot push x PATH`
    $ modeldepot push m y.bin --message first
    error: `modeldepot push` has no option `--message`
    hint: `--meta message=first` adds metadata
    $ modeldepot push m --file y.bin
    error: `modeldepot push` has no option `--file`
    hint: PATH is the second argument: `modeldepot push m y.bin`
    $ modeldepot push m y.bin --force
    error: `modeldepot push` has no option `--force`
    hint: a published version never changes: choose another --version, or leave it out
    $ modeldepot gc --dry-run
    error: `modeldepot gc` has no option `--dry-run`
    hint: `modeldepot gc` only lists; --delete deletes
    $ modeldepot gc --yes
    error: `modeldepot gc` has no option `--yes`
    hint: --delete deletes the objects that gc lists
    $ modeldepot gc --older-than 7d
    error: `modeldepot gc` has no option `--older-than`
    hint: `--grace 7d` keeps objects younger than this
    $ modeldepot rm m@1 -f
    error: `modeldepot rm` has no option `-f`
    hint: --yes deletes without confirmation
    $ modeldepot rm m@1 --force
    error: `modeldepot rm` has no option `--force`
    hint: --yes deletes without confirmation
    $ modeldepot rm m@1 --dry-run
    error: `modeldepot rm` has no option `--dry-run`
    hint: without --yes it asks first; `modeldepot show m` shows the version
    $ modeldepot models --limit 3
    error: `modeldepot models` has no option `--limit`
    hint: it lists everything; --json prints the list for other programs
    $ modeldepot versions m --sort size
    error: `modeldepot versions` has no option `--sort`
    hint: it lists everything; --json prints the list for other programs
    $ modeldepot fsck --repair
    error: `modeldepot fsck` has no option `--repair`
    hint: `modeldepot fsck` only checks; publish a damaged version again, and delete it with `modeldepot rm`
    $ modeldepot verify m --deep
    error: `modeldepot verify` has no option `--deep`
    hint: `modeldepot verify` reads every file; leave --deep out
    $ modeldepot url m --ttl 1h
    error: `modeldepot url` has no option `--ttl`
    hint: `--expires 1h` sets the lifetime
    $ modeldepot up --port 19600
    error: `modeldepot up` has no option `--port`
    hint: `--listen 19600` sets the port
    $ modeldepot up --host 0.0.0.0
    error: `modeldepot up` has no option `--host`
    hint: `--listen ADDRESS:PORT` sets the address
    $ modeldepot models --secret-key hush
    error: `modeldepot models` has no option `--secret-key`
    hint: secrets cannot be passed as options: set S3_ACCESS_KEY and S3_SECRET_KEY in the environment or in `.env`
    $ modeldepot models --insecure
    error: `modeldepot models` has no option `--insecure`
    hint: certificates are always checked; `--ca-bundle FILE` trusts another authority
    $ modeldepot models --debug
    error: `modeldepot models` has no option `--debug`
    hint: -v shows what is done, -vv the requests
    $ modeldepot models --version
    error: `modeldepot models` has no option `--version`
    hint: `modeldepot --version` prints the version of modeldepot
    $ modeldepot s3 cp a s3://data/a --recursive
    error: `modeldepot s3 cp` has no option `--recursive`
    hint: copy one file at a time; `modeldepot push` and `modeldepot pull` transfer whole folders
    $ modeldepot s3 ls --frobnicate
    error: `modeldepot s3 ls` has no option `--frobnicate`
    hint: `modeldepot s3 ls --help` shows its arguments and options, with examples
    ");
}

#[test]
fn options_that_mean_something_else_elsewhere() {
    insta::assert_snapshot!(refused(&env(), &[
        "push m y.bin -m first",
        "push m y.bin -n",
        "push m y.bin -t 1.5",
        "push m y.bin --revision 1.5",
        "push m y.bin --param lr=0.1",
        "push m y.bin --metric acc",
        "push m y.bin --acl private",
        "push m y.bin -r",
        "push m y.bin 1.5",
        "push m y.bin -v 1.5",
        "push m y.bin --meta acc 0.9",
        "up -d",
        "serve --daemon",
        "up ./data",
        "rm -rf m",
        "s3 rm --recursive s3://data/x",
        "pull m --file a.pth",
        "url m a.pth",
        "gc --grace -1h",
        "models --verbose=2",
        "pull m --limit-rate 20",
        "s3 ls S3://models",
    ]), @r"
    $ modeldepot push m y.bin -m first
    error: `modeldepot push` has no option `-m`
    hint: `--meta message=first` adds metadata
    $ modeldepot push m y.bin -n
    error: `modeldepot push` has no option `-n`
    hint: --dry-run lists what would be published
    $ modeldepot push m y.bin -t 1.5
    error: `modeldepot push` has no option `-t`
    hint: `--version 1.5` names the version
    $ modeldepot push m y.bin --revision 1.5
    error: `modeldepot push` has no option `--revision`
    hint: `--version 1.5` names the version
    $ modeldepot push m y.bin --param lr=0.1
    error: `modeldepot push` has no option `--param`
    hint: `--meta lr=0.1` adds metadata
    $ modeldepot push m y.bin --metric acc
    error: `modeldepot push` has no option `--metric`
    hint: `--meta KEY=VALUE` adds metadata
    $ modeldepot push m y.bin --acl private
    error: `modeldepot push` has no option `--acl`
    hint: access is up to the bucket's own policy; `modeldepot url` gives others a link to one file
    $ modeldepot push m y.bin -r
    error: `modeldepot push` has no option `-r`
    hint: leave -r out: whole folders are transferred
    $ modeldepot push m y.bin 1.5
    error: unexpected argument `1.5`
    hint: `--version 1.5` names the version
    $ modeldepot push m y.bin -v 1.5
    error: unexpected argument `1.5`
    hint: `--version 1.5` names the version
    $ modeldepot push m y.bin --meta acc 0.9
    error: unexpected argument `0.9`
    hint: join them with `=`: `--meta acc=0.9`
    $ modeldepot up -d
    error: `modeldepot up` has no option `-d`
    hint: it runs in the foreground: add `&` to run it in the background
    $ modeldepot serve --daemon
    error: `modeldepot serve` has no option `--daemon`
    hint: it runs in the foreground: add `&` to run it in the background
    $ modeldepot up ./data
    error: unexpected argument `./data`
    hint: `--data ./data` chooses the folder
    $ modeldepot rm -rf m
    error: `modeldepot rm` has no option `-r`
    hint: delete one version at a time: `modeldepot rm MODEL@VERSION`; `modeldepot versions MODEL` lists them
    $ modeldepot s3 rm --recursive s3://data/x
    error: `modeldepot s3 rm` has no option `--recursive`
    hint: delete one object at a time; `modeldepot s3 ls` lists them, and `modeldepot rm` deletes a version with its files
    $ modeldepot pull m --file a.pth
    error: `modeldepot pull` has no option `--file`
    hint: a pull fetches the whole version; `modeldepot url m` prints a link to one file
    $ modeldepot url m a.pth
    error: unexpected argument `a.pth`
    hint: `--file` chooses the file: `modeldepot url m --file a.pth`
    $ modeldepot gc --grace -1h
    error: `modeldepot gc` has no option `-1`
    hint: no value begins with `-` and a digit: versions begin with a letter or digit, and no time is negative
    $ modeldepot models --verbose=2
    error: `--verbose` takes no value
    hint: repeat it for more, as in -vv
    $ modeldepot pull m --limit-rate 20
    error: invalid value `20` for `--limit-rate`: 20 bytes per second are too few: did you mean `20M`?
    $ modeldepot s3 ls S3://models
    error: invalid value `S3://models` for `s3://BUCKET[/PREFIX]`: write it as `s3://models`
    ");
}

#[test]
fn paths_and_addresses_where_a_model_is_needed() {
    insta::assert_snapshot!(refused(&env(), &[
        "push ./best_model.pth plant",
        "pull ./serving plant",
        "verify ./leaf",
        "pull leaf/1.0",
        "rm s3://models/leaf",
    ]), @r"
    $ modeldepot push ./best_model.pth plant
    error: `./best_model.pth` is not a valid model name: use 1 to 128 letters, digits, `.`, `_` and `-`, the first one a letter or digit
    hint: the model comes first: `modeldepot push plant ./best_model.pth`
    $ modeldepot pull ./serving plant
    error: `./serving` is not a valid model name: use 1 to 128 letters, digits, `.`, `_` and `-`, the first one a letter or digit
    hint: the model comes first: `modeldepot pull plant ./serving`
    $ modeldepot verify ./leaf
    error: `./leaf` is not a valid model name: use 1 to 128 letters, digits, `.`, `_` and `-`, the first one a letter or digit
    hint: it checks a version in the bucket, not a folder: `modeldepot verify MODEL[@VERSION]`; to check and mend a folder, pull the version into it again
    $ modeldepot pull leaf/1.0
    error: `leaf/1.0` is not a valid model name: use 1 to 128 letters, digits, `.`, `_` and `-`, the first one a letter or digit
    hint: a version follows `@`: `modeldepot pull leaf@1.0`
    $ modeldepot rm s3://models/leaf
    error: `s3://models/leaf` is not a valid model name: use 1 to 128 letters, digits, `.`, `_` and `-`, the first one a letter or digit
    hint: the models bucket is a setting: name the model alone, as in `modeldepot rm MODEL`; `modeldepot s3 cp` copies single objects
    ");
}

#[test]
fn misspelled_options() {
    insta::assert_snapshot!(refused(&env(), &[
        "push m f.bin --histroy h.json",
        "push m f.bin --history-file h.json",
        "models --endpoint-url http://localhost:9000",
        "url m --expire 1h",
    ]), @r"
    $ modeldepot push m f.bin --histroy h.json
    error: `modeldepot push` has no option `--histroy`
    hint: did you mean `--history`?
    $ modeldepot push m f.bin --history-file h.json
    error: `modeldepot push` has no option `--history-file`
    hint: did you mean `--history`?
    $ modeldepot models --endpoint-url http://localhost:9000
    error: `modeldepot models` has no option `--endpoint-url`
    hint: did you mean `--endpoint`?
    $ modeldepot url m --expire 1h
    error: `modeldepot url` has no option `--expire`
    hint: did you mean `--expires`?
    ");
}

#[test]
fn arguments_too_many_and_too_few() {
    insta::assert_snapshot!(refused(&env(), &[
        "push odd a.pth b.pth",
        "models odd",
        "versions odd 1.0",
        "pull a b c",
        "rm a@1 b@2",
        "compare a@1 b@2 c@3",
        "push a",
        "push",
        "rm",
        "token add ci",
        "s3 cp a",
    ]), @r"
    $ modeldepot push odd a.pth b.pth
    error: unexpected argument `b.pth`
    hint: `--with b.pth` adds a file; or push the folder that holds them all
    $ modeldepot models odd
    error: unexpected argument `odd`
    hint: `modeldepot versions odd` lists the versions of a model
    $ modeldepot versions odd 1.0
    error: unexpected argument `1.0`
    hint: `modeldepot show odd@1.0` describes a version
    $ modeldepot pull a b c
    error: unexpected argument `c`
    hint: pull one version at a time: `modeldepot pull MODEL[@VERSION] [DIR]`
    $ modeldepot rm a@1 b@2
    error: unexpected argument `b@2`
    hint: delete one version at a time: `modeldepot rm MODEL@VERSION`
    $ modeldepot compare a@1 b@2 c@3
    error: unexpected argument `c@3`
    hint: it compares two versions: `modeldepot compare MODEL@A MODEL@B`
    $ modeldepot push a
    error: `PATH` is missing
    hint: for example: `modeldepot push plant_classifier best_model.pth --history training_history.json`
    $ modeldepot push
    error: `MODEL` and `PATH` are missing
    hint: for example: `modeldepot push plant_classifier best_model.pth --history training_history.json`
    $ modeldepot rm
    error: `MODEL@VERSION` is missing
    hint: for example: `modeldepot rm plant_classifier@1.0.0`
    $ modeldepot token add ci
    error: `--scope SCOPE[:MODELS]` is missing
    hint: for example: `modeldepot token add ana --scope read --tokens ./tokens`
    $ modeldepot s3 cp a
    error: `TO` is missing
    hint: for example: `modeldepot s3 cp leaf.jpg s3://plants-images/train/ --meta label=healthy`
    ");
}

#[test]
fn values_that_cannot_be() {
    insta::assert_snapshot!(refused(&env(), &[
        "push m f.bin --version 1/2 --history",
        "models --color sometimes",
        "models --color",
        "models -q -v",
        "pull m --limit-rate fast",
        "url m --put",
        "up --listen somewhere",
    ]), @r"
        $ modeldepot push m f.bin --version 1/2 --history
        error: `1/2` is not a valid version: use 1 to 128 letters, digits, `.`, `_`, `+` and `-`, the first one a letter or digit
        $ modeldepot models --color sometimes
        error: invalid value `sometimes` for `--color`: use `auto`, `always` or `never`
        $ modeldepot models --color
        error: `--color WHEN` needs a value: use `auto`, `always` or `never`
        $ modeldepot models -q -v
        error: `--quiet` cannot be used with `--verbose`
        hint: leave one of them out
        $ modeldepot pull m --limit-rate fast
        error: invalid value `fast` for `--limit-rate`: use a number of bytes per second, optionally with k, M or G: `500k`, `20M`, `1G`
        $ modeldepot url m --put
        error: `--file PATH` is missing
        hint: `modeldepot url --help` shows its arguments and options, with examples
        $ modeldepot up --listen somewhere
        error: invalid value `somewhere` for `--listen`: use an address and a port, such as `127.0.0.1:9000`, or a port alone
        ");
}

#[test]
fn a_file_whose_name_begins_with_a_dash() {
    let env = env();
    env.write("-dash.pth", "weights");
    insta::assert_snapshot!(refused(&env, &["push odd -dash.pth"]), @r"
    $ modeldepot push odd -dash.pth
    error: `modeldepot push` has no option `-d`
    hint: for a file whose name begins with `-`, type `./-dash.pth`
    ");
}

#[test]
fn the_model_after_the_file() {
    let env = env();
    env.write("best_model.pth", "weights");
    insta::assert_snapshot!(refused(&env, &["push best_model.pth plant_classifier"]), @r"
    $ modeldepot push best_model.pth plant_classifier
    error: the name of the model comes first, and `best_model.pth` is a file
    hint: did you mean `modeldepot push plant_classifier best_model.pth`?
    ");
    // Its extension is enough, and a folder named like the model is what `modeldepot pull` makes.
    insta::assert_snapshot!(refused(&env, &["push weights.onnx leaf", "push best_model.pth best_model.pth"]), @r"
    $ modeldepot push weights.onnx leaf
    error: the name of the model comes first, and `weights.onnx` is the name of a file
    hint: did you mean `modeldepot push leaf weights.onnx`?
    $ modeldepot push best_model.pth best_model.pth
    error: the name of the model comes first, and `best_model.pth` is the name of a file
    hint: did you mean `modeldepot push best_model best_model.pth`?
    ");
    env.write("run1/model.bin", "weights");
    insta::assert_snapshot!(refused(&env, &["push run1 leaf"]), @r"
    $ modeldepot push run1 leaf
    error: the name of the model comes first, and `run1` is a folder here, while `leaf` does not exist
    hint: did you mean `modeldepot push leaf run1`?
    ");
    env.write("plant_classifier/model.bin", "weights");
    insta::assert_snapshot!(refused(&env, &["push best_model.pth plant_classifier"]), @r"
    $ modeldepot push best_model.pth plant_classifier
    error: the name of the model comes first, and `best_model.pth` is a file
    hint: did you mean `modeldepot push plant_classifier best_model.pth`?
    ");
}

#[test]
fn names_that_are_also_files() {
    let env = TestEnv::new();
    env.write("odd", "weights");
    env.write("v1.5", "weights");
    env.write("run/model.bin", "weights");
    env.run(["push", "odd", "odd"]).success();
    env.run(["push", "odd", "run"]).success();
    env.run(["push", "v1.5", "v1.5"]).success();
}

#[test]
fn in_json() {
    let env = env();
    let all: String = ["push --json", "push a --json", "show m 3.0 --json", "gc --dry-run --json", "--json"]
        .iter()
        .map(|line| format!("$ modeldepot {line}\n{}", env.run(line.split(' ')).stderr))
        .collect();
    insta::assert_snapshot!(all, @r#"
    $ modeldepot push --json
    {"error":{"kind":"invalid","message":"`MODEL` and `PATH` are missing","causes":[],"hint":"for example: `modeldepot push plant_classifier best_model.pth --history training_history.json`","exit":2}}
    $ modeldepot push a --json
    {"error":{"kind":"invalid","message":"`PATH` is missing","causes":[],"hint":"for example: `modeldepot push plant_classifier best_model.pth --history training_history.json`","exit":2}}
    $ modeldepot show m 3.0 --json
    {"error":{"kind":"invalid","message":"unexpected argument `3.0`","causes":[],"hint":"a version follows `@`: `modeldepot show m@3.0`","exit":2}}
    $ modeldepot gc --dry-run --json
    {"error":{"kind":"invalid","message":"`modeldepot gc` has no option `--dry-run`","causes":[],"hint":"`modeldepot gc` only lists; --delete deletes","exit":2}}
    $ modeldepot --json
    {"error":{"kind":"invalid","message":"a command is missing","causes":[],"hint":"`modeldepot --help` lists the commands","exit":2}}
    "#);
}

#[test]
fn a_port_alone_is_of_this_machine() {
    let env = TestEnv::without_server("");
    // It is taken, so the server does not start.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let refused = env.run(["up", "--no-console", "--listen", &port]);
    assert!(refused.stderr.contains(&format!("127.0.0.1:{port}")), "{refused}");
    assert!(refused.stderr.contains("hint: the port is in use"), "{refused}");
}
