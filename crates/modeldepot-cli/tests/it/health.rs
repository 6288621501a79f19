//! The health page: viewing it writes nothing; probing is an explicit action.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use modeldepot_embedded::{Fault, Faults};

use crate::environment::TestEnv;

/// Serves with additional arguments, and returns a function that requests pages.
fn serving(env: &TestEnv, more: &[&str], ask: impl FnOnce(&dyn Fn(&str) -> String)) {
    let mut command = env.command(["serve", "--json", "--listen", "127.0.0.1:0"].iter().chain(more));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = String::new();
    let url = loop {
        BufReader::with_capacity(1, child.stdout.as_mut().unwrap()).read_line(&mut told).unwrap();
        if let Ok(told) = serde_json::from_str::<serde_json::Value>(&told) {
            break told["console"].as_str().unwrap().to_owned();
        }
    };
    ask(&|line| {
        let mut stream = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
        let head = format!("{line} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    assert!(Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap().success());
    env.finish(child).success();
}

#[test]
fn the_page_on_health_writes_nothing_until_it_is_asked_to_probe() {
    let env = TestEnv::failing(Faults::new(1).with(Fault::Delay, 1.0).longest_delay(Duration::ZERO));
    let written = || {
        let hits = env.server().faults_hit();
        hits.into_iter().filter(|hit| !hit.request.starts_with("GET ") && !hit.request.starts_with("HEAD ")).count()
    };
    let before = written();
    serving(&env, &["--read-only"], |ask| {
        let page = ask("GET /health");
        assert!(page.starts_with("HTTP/1.1 200") && page.contains("may list") && page.contains("may get"), "{page}");
        assert!(!page.contains("may put") && !page.contains("Probe now"), "{page}");
        assert!(ask("POST /health/probe").starts_with("HTTP/1.1 403"));
    });
    assert_eq!(written(), before);
    serving(&env, &[], |ask| {
        let page = ask("GET /health");
        assert!(page.contains("Not probed since") && page.contains("this server was not probed"), "{page}");
        assert_eq!(written(), before);
        assert!(ask("POST /health/probe").starts_with("HTTP/1.1 303"));
        let page = ask("GET /health");
        assert!(page.contains("may put") && page.contains("may delete") && page.contains("part copy"), "{page}");
    });
    assert!(written() > before);
    assert_eq!(env.all_keys(), [".depot/probe.json"], "what was probed with is removed");
}
