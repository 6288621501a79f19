//! The service's parsers of `Range` and of forms over its socket, on inputs that nobody meant: see `fuzz/harness.rs`.
#![cfg(unix)]

#[path = "../../../../fuzz/harness.rs"]
mod harness;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use self::harness::fuzz;
use crate::environment::TestEnv;

struct Service {
    child: Child,
    address: String,
    env: TestEnv,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the service on a bucket with one version of one file.
fn service() -> Service {
    let env = TestEnv::new();
    env.write("m.bin", (0..100).collect::<Vec<u8>>());
    env.run(["push", "m", "m.bin", "--version", "1"]).success();
    let mut command = env.command(["serve", "--json", "--listen", "127.0.0.1:0"]);
    let mut child =
        command.stdout(Stdio::piped()).stderr(std::fs::File::create(env.path("stderr")).unwrap()).spawn().unwrap();
    let mut out = BufReader::with_capacity(1, child.stdout.as_mut().unwrap());
    let mut told = String::new();
    let address = loop {
        assert!(out.read_line(&mut told).unwrap() > 0, "the service ended: {told}");
        if let Ok(told) = serde_json::from_str::<serde_json::Value>(&told) {
            break told["console"].as_str().unwrap().trim_start_matches("http://").to_owned();
        }
    };
    Service { child, address, env }
}

impl Service {
    /// Sends a request, and returns the status and the bytes of the body.
    fn ask(&self, head: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = format!("{head}host: {}\r\nconnection: close\r\n\r\n", self.address);
        // One that is refused early may be cut off while it is sent.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let status = answer.get(9..12).and_then(|code| std::str::from_utf8(code).ok()?.parse().ok()).unwrap_or(0);
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
        (status, answer.split_off(end))
    }

    fn is_well(&self) {
        assert_eq!(self.ask("GET /healthz HTTP/1.1\r\n", b"").0, 200);
        let said = String::from_utf8_lossy(&self.env.read("stderr")).into_owned();
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn range() {
    let service = service();
    let file: Vec<u8> = (0..100).collect();
    fuzz("range", |bytes| {
        // What ends a header would make another request of it.
        let value: String =
            String::from_utf8_lossy(bytes).chars().filter(|c| (' '..='~').contains(c)).take(2000).collect();
        let head = format!("GET /api/v1/models/m/versions/1/files/m.bin HTTP/1.1\r\nrange: {value}\r\n");
        let (status, body) = service.ask(&head, b"");
        match status {
            200 => assert_eq!(body, file, "{value:?}"),
            206 => assert!(file.windows(body.len().max(1)).any(|piece| piece == body), "{value:?}: {body:?}"),
            416 => assert!(!value.is_empty()),
            other => panic!("{value:?}: {other}"),
        }
        match status {
            200 => "whole".to_owned(),
            206 => "a part".to_owned(),
            _ => "refused".to_owned(),
        }
    });
    service.is_well();
}

#[test]
fn form() {
    let service = service();
    fuzz("form", |body| {
        let head = format!(
            "POST /api/v1/models/fuzzed/versions HTTP/1.1\r\ncontent-type: multipart/form-data; boundary=XXX\r\n\
             content-length: {}\r\n",
            body.len()
        );
        let (status, answer) = service.ask(&head, body);
        // None where the body was refused before it was read, and the connection cut off.
        assert!((200..500).contains(&status) || status == 0, "{status}: {}", String::from_utf8_lossy(&answer));
        let answer = String::from_utf8_lossy(&answer);
        let detail = answer.split("\"detail\":\"").nth(1).and_then(|rest| rest.split('"').next());
        format!("{status} {}", detail.unwrap_or_default())
    });
    service.is_well();
}
