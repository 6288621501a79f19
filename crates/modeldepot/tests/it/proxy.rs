//! A forward proxy that records the requests it forwards.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// How a proxy treats requests.
#[derive(Clone, Copy)]
pub(crate) enum Manner {
    /// It forwards all of them.
    Open,
    /// It requires this `Proxy-Authorization`.
    Login(&'static str),
    /// It answers with this status.
    Refuses(u16),
}

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Starts a proxy that resolves every host name to this server address.
    pub(crate) async fn start(manner: Manner, server: SocketAddr) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass(stream, manner, server, Arc::clone(&kept)));
            }
        });
        Proxy { address, seen }
    }

    /// Returns the distinct first lines of all requests so far.
    pub(crate) fn seen(&self) -> Vec<String> {
        let mut seen = self.seen.lock().unwrap().clone();
        seen.sort();
        seen.dedup();
        seen
    }
}

async fn pass(mut stream: TcpStream, manner: Manner, server: SocketAddr, seen: Arc<Mutex<Vec<String>>>) {
    let Some((head, rest)) = head(&mut stream).await else { return };
    let first = head.lines().next().unwrap_or_default().to_owned();
    seen.lock().unwrap().push(first.clone());
    let field = |name: &str| {
        let mut fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.find(|(its, _)| its.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    };
    let refused = match manner {
        Manner::Open => None,
        Manner::Login(login) => (field("proxy-authorization").as_deref() != Some(login)).then_some(407),
        Manner::Refuses(status) => Some(status),
    };
    if let Some(status) = refused {
        let body = "<html>the proxy says no</html>";
        let answer = format!(
            "HTTP/1.1 {status} No\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let _ = stream.write_all(answer.as_bytes()).await;
        // The whole request is read, so that the answer is not lost.
        let _ = stream.shutdown().await;
        while stream.read(&mut [0; 4096]).await.is_ok_and(|read| read > 0) {}
        return;
    }
    let mut words = first.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut onward = TcpStream::connect(server).await.unwrap();
    if method == "CONNECT" {
        stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
    } else {
        // In absolute form; the server gets only the path, and one request per connection.
        let path = target.splitn(4, '/').nth(3).unwrap_or_else(|| panic!("not absolute: {first}"));
        let fields = head.lines().skip(1).filter(|line| !line.is_empty());
        let fields = fields.filter(|line| !line.to_ascii_lowercase().starts_with("proxy-"));
        let fields: String = fields.map(|line| format!("{line}\r\n")).collect();
        let head = format!("{method} /{path} HTTP/1.1\r\n{fields}Connection: close\r\n\r\n");
        onward.write_all(head.as_bytes()).await.unwrap();
    }
    onward.write_all(&rest).await.unwrap();
    let _ = copy_bidirectional(&mut stream, &mut onward).await;
}

/// Reads a request's head, and any bytes that arrived after it.
pub(crate) async fn head(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut read = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => read.extend_from_slice(&chunk[..count]),
        }
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = read.split_off(end + 4);
            return Some((String::from_utf8(read).unwrap(), rest));
        }
    }
}
