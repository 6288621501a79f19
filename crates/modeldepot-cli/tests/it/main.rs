//! The command as users see it: the built binary, a real S3 server, and every word that it prints.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod belongs;
mod check;
mod compare;
mod config;
mod credentials;
mod damage;
mod diagnosis;
mod doctor;
mod doctor_here;
mod doctor_minio;
mod environment;
mod examples;
mod floods;
mod folder;
mod full_disk;
mod fuzz;
mod health;
mod histories;
mod https;
mod input;
mod interrupt;
mod json;
mod keys;
mod killed;
mod mistakes;
mod normalised;
mod offline;
mod oidc;
mod own;
mod peers;
mod prompts;
#[path = "../../../modeldepot/tests/it/proxy.rs"]
mod proxy;
mod pulling;
mod roundtrip;
mod s3;
mod secrets;
mod serve;
mod server;
mod settings;
mod strangers_env;
mod unknown;
mod unseen;
mod upkeep;
mod upload_urls;
mod uploading;
mod versions;

#[test]
fn no_test_file_is_forgotten() {
    let declared: Vec<String> = include_str!("main.rs")
        .lines()
        .filter_map(|line| Some(format!("{}.rs", line.strip_prefix("mod ")?.strip_suffix(';')?)))
        .collect();
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_source = name.ends_with(".rs") && name != "main.rs";
        assert!(!is_source || declared.contains(&name), "{name} is not declared in main.rs");
    }
}
