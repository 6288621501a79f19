//! Uploads through `serve`: with a low limit of open files, and after the service was killed.
#![cfg(unix)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::environment::TestEnv;

/// Serves in a shell that was told something before, and returns the process and its address.
fn serve(env: &TestEnv, before: &str) -> (Child, String) {
    let inner = env.command(["serve", "--json", "--listen", "127.0.0.1:0", "--staging", "staging"]);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{before}; exec \"$0\" \"$@\"")]).arg(inner.get_program()).args(inner.get_args());
    command.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(inner.get_current_dir().unwrap());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = String::new();
    let url = loop {
        BufReader::with_capacity(1, child.stdout.as_mut().unwrap()).read_line(&mut told).unwrap();
        if let Ok(told) = serde_json::from_str::<serde_json::Value>(&told) {
            break told["console"].as_str().unwrap().to_owned();
        }
    };
    (child, url.trim_start_matches("http://").to_owned())
}

/// Publishes a version of many files by a form.
fn publish(address: &str, version: usize) -> String {
    let mut body = format!("--b\r\ncontent-disposition: form-data; name=\"version\"\r\n\r\n{version}\r\n").into_bytes();
    for file in 0..24 {
        let head = format!("--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{file}.bin\"\r\n\r\n");
        body.extend(head.bytes().chain(std::iter::repeat_n(7, 400_000)).chain(*b"\r\n"));
    }
    body.extend(b"--b--\r\n");
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /api/v1/models/m/versions HTTP/1.1\r\nhost: localhost\r\ncontent-type: multipart/form-data; boundary=b\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn signal(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn uploads_wait_where_few_files_may_be_open() {
    let env = TestEnv::new();
    let (child, address) = serve(&env, "ulimit -n 64");
    let answers: Vec<String> = std::thread::scope(|scope| {
        let sent: Vec<_> = (0..10)
            .map(|version| (version, &address))
            .map(|(version, address)| scope.spawn(move || publish(address, version)))
            .collect();
        sent.into_iter().map(|sent| sent.join().unwrap()).collect()
    });
    for answer in &answers {
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    }
    signal(&child, "-INT");
    let _ = env.finish(child).success();
    assert_eq!(fs::read_dir(env.path("staging")).unwrap().count(), 0, "it leaves nothing");
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .flat_map(
            |entry| if entry.path().is_dir() { files(&entry.path()) } else { vec![entry.path().display().to_string()] },
        )
        .collect()
}

#[test]
fn what_a_killed_service_left_is_removed_by_the_next() {
    let env = TestEnv::new();
    let (child, address) = serve(&env, "true");
    let mut stream = TcpStream::connect(&address).unwrap();
    let head = "PUT /api/v1/models/m/versions/1/files/f HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n123";
    stream.write_all(head.as_bytes()).unwrap();
    let staging = env.path("staging");
    let begun = Instant::now();
    let staged = || files(&staging).into_iter().filter(|path| path.ends_with("/0")).count();
    while staged() == 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", files(&staging));
        std::thread::sleep(Duration::from_millis(10));
    }
    signal(&child, "-KILL");
    let _ = env.finish(child);
    assert_eq!(staged(), 1, "it was killed");
    let (child, _) = serve(&env, "true");
    assert_eq!(staged(), 0);
    signal(&child, "-INT");
    let _ = env.finish(child).success();
    assert_eq!(fs::read_dir(staging).unwrap().count(), 0);
}
