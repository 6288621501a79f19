//! Damaged or lying stores: a pull puts no file in place, and reports which file and why.

use crate::environment::{TestEnv, tree};

fn published() -> TestEnv {
    let env = TestEnv::new();
    env.write("m.bin", "the weights, as they were published");
    env.write("config.json", "{}");
    env.run(["push", "m", "m.bin", "--with", "config.json", "--version", "1"]).success();
    env
}

/// Nothing refused is left in the folder, and the folder itself is gone.
fn nothing_is_in_place(env: &TestEnv) {
    assert!(!env.path("m").exists(), "{:?}", tree(&env.path("m")));
}

#[test]
fn other_bytes() {
    let env = published();
    env.damage("m/v1/m.bin");
    insta::assert_snapshot!(env.run(["pull", "m"]), @r"
    ------- stderr -------
    error: `m.bin` of `m@1` is damaged: its BLAKE3 is 4843438ad84d4967c85729b35b130456951f26225cceabb90a67887fc40b9bdd where d5e554664a052cc7652ad6890ae56a4135f9c703af34559fe5e24a971ef7d890 was published
    hint: use another version (`modeldepot versions m` lists them); its publisher can publish it again under a new one
    [exit status: 7]
    ");
    nothing_is_in_place(&env);
    insta::assert_snapshot!(env.run(["verify", "m"]), @r"
    ------- stderr -------
    error: `m.bin` of `m@1` is damaged: its BLAKE3 is 4843438ad84d4967c85729b35b130456951f26225cceabb90a67887fc40b9bdd where d5e554664a052cc7652ad6890ae56a4135f9c703af34559fe5e24a971ef7d890 was published
    hint: use another version (`modeldepot versions m` lists them); its publisher can publish it again under a new one
    [exit status: 7]
    ");
}

#[test]
fn other_bytes_in_one_of_many_parts() {
    let env = TestEnv::new();
    env.write("m.bin", vec![7; 20 << 20]);
    env.run(["push", "m", "m.bin", "--version", "1"]).success();
    env.damage("m/v1/m.bin");
    for verb in ["pull", "verify"] {
        insta::allow_duplicates!({
            insta::assert_snapshot!(env.run([verb, "m"]), @r"
            ------- stderr -------
            error: `m.bin` of `m@1` is damaged: the BLAKE3 of bytes 8388608 to 16777215 is 857603e87992a39c22162f13effdaa2894c858bd949dcf15f5bb159380ba50b5 where 687fd3a1c7b36c9ddb9d0728b68420e632082c3df832d47e66b4f22d561c8dfa was published
            hint: use another version (`modeldepot versions m` lists them); its publisher can publish it again under a new one
            [exit status: 7]
            ");
        });
    }
    nothing_is_in_place(&env);
}

#[test]
fn other_sizes() {
    let env = published();
    env.put("m/v1/m.bin", "the weights");
    insta::assert_snapshot!(env.run(["pull", "m"]), @r"
    ------- stderr -------
    error: `m.bin` of `m@1` is damaged: the bucket holds 11 bytes where 35 were published
    hint: use another version (`modeldepot versions m` lists them); its publisher can publish it again under a new one
    [exit status: 7]
    ");
    nothing_is_in_place(&env);
    env.put("m/v1/m.bin", "the weights, as they were published, and more");
    insta::assert_snapshot!(env.run(["pull", "m"]), @r"
    ------- stderr -------
    error: `m.bin` of `m@1` is damaged: the bucket holds 45 bytes where 35 were published
    hint: use another version (`modeldepot versions m` lists them); its publisher can publish it again under a new one
    [exit status: 7]
    ");
    nothing_is_in_place(&env);
    insta::assert_snapshot!(env.run(["verify", "m"]), @r"
    ------- stderr -------
    error: `m.bin` of `m@1` is damaged: the bucket holds 45 bytes where 35 were published
    hint: use another version (`modeldepot versions m` lists them); its publisher can publish it again under a new one
    [exit status: 7]
    ");
}

#[test]
fn a_file_that_is_gone() {
    let env = published();
    env.delete("m/v1/config.json");
    insta::assert_snapshot!(env.run(["pull", "m"]), @r"
    ------- stderr -------
    error: `config.json` of `m@1` is missing from the bucket
    hint: use another version (`modeldepot versions m` lists them); its publisher can publish it again under a new one
    [exit status: 7]
    ");
    nothing_is_in_place(&env);
    insta::assert_snapshot!(env.run(["verify", "m"]), @r"
    ------- stderr -------
    error: `config.json` of `m@1` is missing from the bucket
    hint: use another version (`modeldepot versions m` lists them); its publisher can publish it again under a new one
    [exit status: 7]
    ");
}

#[test]
fn an_earlier_pull_survives_a_damaged_one() {
    let env = published();
    env.run(["pull", "m"]).success();
    env.write("other.bin", "other weights, as they were published");
    env.run(["push", "m", "other.bin", "--version", "2"]).success();
    env.damage("m/v2/other.bin");
    assert_eq!(env.run(["pull", "m"]).code, Some(7));
    assert_eq!(env.read("m/m.bin"), b"the weights, as they were published");
    // Files in the folder are not fetched again, so damage in the bucket does not affect them.
    env.damage("m/v1/m.bin");
    assert_eq!(env.run(["pull", "m@1"]).code, Some(0));
    assert_eq!(env.run(["verify", "m@1"]).code, Some(7));
    assert_eq!(env.read("m/m.bin"), b"the weights, as they were published");
    assert_eq!(tree(&env.path("m")), ["config.json", "m.bin", "manifest.json"]);
}

#[test]
fn manifests_that_are_none() {
    let env = published();
    let whole = String::from_utf8(env.get("m/v1/manifest.json")).unwrap();
    let with = |from: &str, to: &str| {
        assert!(whole.contains(from), "{from}");
        env.put("m/v1/manifest.json", whole.replace(from, to));
        let refused = env.run(["pull", "m"]);
        nothing_is_in_place(&env);
        refused
    };
    env.put("m/v1/manifest.json", "<html>");
    insta::assert_snapshot!(env.run(["pull", "m"]), @r"
    ------- stderr -------
    error: the manifest `m/v1/manifest.json` cannot be used
    caused by: it is not a manifest
    caused by: expected value at line 1 column 1
    hint: use another version (`modeldepot versions m` lists them); its publisher can publish it again under a new one
    [exit status: 7]
    ");
    env.put("m/v1/manifest.json", "{}");
    insta::assert_snapshot!(env.run(["pull", "m"]), @r"
    ------- stderr -------
    error: the manifest `m/v1/manifest.json` cannot be used
    caused by: it is not a manifest
    caused by: missing field `model_name` at line 1 column 2
    hint: use another version (`modeldepot versions m` lists them); its publisher can publish it again under a new one
    [exit status: 7]
    ");
    insta::assert_snapshot!(with("\"path\": \"config.json\"", "\"path\": \"../config.json\""), @r"
    ------- stderr -------
    error: the manifest `m/v1/manifest.json` cannot be used
    caused by: it is not a manifest
    caused by: `../config.json` is not a valid artifact path: empty, `.` and `..` segments are not allowed at line 12 column 30
    hint: use another version (`modeldepot versions m` lists them); its publisher can publish it again under a new one
    [exit status: 7]
    ");
    insta::assert_snapshot!(with("\"path\": \"config.json\"", "\"path\": \"/etc/cron.d/evil\""), @r"
    ------- stderr -------
    error: the manifest `m/v1/manifest.json` cannot be used
    caused by: it is not a manifest
    caused by: `/etc/cron.d/evil` is not a valid artifact path: it must be relative at line 12 column 32
    hint: use another version (`modeldepot versions m` lists them); its publisher can publish it again under a new one
    [exit status: 7]
    ");
    insta::assert_snapshot!(with("\"path\": \"config.json\"", "\"path\": \"m.bin\""), @r"
    ------- stderr -------
    error: the manifest `m/v1/manifest.json` cannot be used
    caused by: it lists `m.bin` twice
    hint: use another version (`modeldepot versions m` lists them); its publisher can publish it again under a new one
    [exit status: 7]
    ");
    insta::assert_snapshot!(with("\"version\": \"1\"", "\"version\": \"2\""), @r"
    ------- stderr -------
    error: the manifest `m/v1/manifest.json` cannot be used
    caused by: it is the manifest of `m@2`
    hint: use another version (`modeldepot versions m` lists them); its publisher can publish it again under a new one
    [exit status: 7]
    ");
    insta::assert_snapshot!(with("\"m/v1/m.bin\"", "\"other/v1/m.bin\""), @r"
    ------- stderr -------
    error: the manifest `m/v1/manifest.json` cannot be used
    caused by: its model file `other/v1/m.bin` is outside the version
    hint: use another version (`modeldepot versions m` lists them); its publisher can publish it again under a new one
    [exit status: 7]
    ");
    insta::assert_snapshot!(with("\"format_version\": 1", "\"format_version\": 99"), @r"
    ------- stderr -------
    error: the manifest `m/v1/manifest.json` cannot be used
    caused by: it is written in format 99, newer than the 1 that this program supports
    hint: a newer modeldepot wrote it: update this one
    [exit status: 2]
    ");
    assert!(!env.path("config.json").with_file_name("../config.json").exists());
}

#[cfg(unix)]
#[test]
fn a_link_in_the_folder_leads_nowhere() {
    let env = TestEnv::new();
    env.write("in/sub/m.bin", "weights");
    env.run(["push", "m", "in"]).success();
    std::fs::create_dir_all(env.path("elsewhere")).unwrap();
    std::fs::create_dir_all(env.path("m")).unwrap();
    std::os::unix::fs::symlink(env.path("elsewhere"), env.path("m/sub")).unwrap();
    insta::assert_snapshot!(env.run(["pull", "m"]), @r"
    ------- stderr -------
    error: cannot pull into `m`: `sub` is not a folder, as in the version
    hint: pull into another folder, or move these files away
    [exit status: 4]
    ");
    assert_eq!(tree(&env.path("elsewhere")), [""; 0]);
}

#[test]
fn a_file_where_the_folder_should_be() {
    let env = published();
    env.write("m", "a file");
    insta::assert_snapshot!(env.run(["pull", "m"]), @r"
    ------- stderr -------
    error: cannot create the folder `m`
    caused by: Not a directory (os error 20)
    hint: something else is in the way: move it, or use another folder
    [exit status: 8]
    ");
}
