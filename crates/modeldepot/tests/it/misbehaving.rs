//! A misbehaving server: for each request it does what a test tells it to, or passes it on to a working server.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use modeldepot::{Settings, Timeouts};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request without its body.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Including the query.
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
}

impl Asked {
    pub(crate) fn is(&self, method: &str, part: &str) -> bool {
        self.method == method && self.path.contains(part)
    }

    pub(crate) fn range(&self) -> Option<(u64, u64)> {
        let (first, last) = self.headers.get("range")?.strip_prefix("bytes=")?.split_once('-')?;
        Some((first.parse().ok()?, last.parse().ok()?))
    }
}

/// What happens to a request.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// It is read but never answered.
    Silence,
    /// Not even its body is read.
    Unread,
    /// It is answered with this status, headers and body.
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// A response head with these headers and no length, as some proxies answer a `HEAD`.
    Lengthless(Vec<(&'static str, String)>),
    /// The declared length is larger than the body, after which the server stays silent.
    Stop(u16, Vec<u8>),
    /// A long body, one byte at a time at this interval, forever.
    Trickle(Duration),
    /// An endless body without a length.
    Endless(u16),
    /// Headers, a body and the end of the connection, whatever length the headers declare.
    Close(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Like `Close`, but the connection stays open and silent.
    Stall(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// The connection is reset.
    Reset,
    /// A working server answers it.
    Pass,
    /// A working server executes it, but its answer is lost and replaced by this.
    Instead(Box<Act>),
}

impl Act {
    pub(crate) fn refuse(status: u16, code: &str) -> Act {
        Act::Answer(status, Vec::new(), format!("<Error><Code>{code}</Code><Message>m</Message></Error>").into_bytes())
    }

    /// An answer that no S3 client understands.
    pub(crate) fn unknown() -> Act {
        Act::Answer(200, Vec::new(), b"<Strange><Thing>1</Thing></Strange>".to_vec())
    }
}

type Play = dyn Fn(&Asked) -> Act + Send + Sync;

/// The server. It stops when dropped.
pub(crate) struct Misbehaving {
    address: SocketAddr,
    serving: JoinHandle<()>,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// Bytes of bodies that clients have taken.
    pub(crate) given: Arc<AtomicU64>,
}

impl Drop for Misbehaving {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Misbehaving {
    pub(crate) async fn alone(play: impl Fn(&Asked) -> Act + Send + Sync + 'static) -> Self {
        Self::start(None, play).await
    }

    /// In front of a server at `endpoint`.
    pub(crate) async fn before(endpoint: &str, play: impl Fn(&Asked) -> Act + Send + Sync + 'static) -> Self {
        Self::start(Some(endpoint.trim_start_matches("http://").to_owned()), play).await
    }

    async fn start(behind: Option<String>, play: impl Fn(&Asked) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, given, play): (_, _, Arc<Play>) = (Arc::default(), Arc::default(), Arc::new(play));
        let (noted, counted) = (Arc::clone(&asked), Arc::clone(&given));
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (behind, play) = (behind.clone(), Arc::clone(&play));
                let (noted, counted) = (Arc::clone(&noted), Arc::clone(&counted));
                tokio::spawn(async move { serve(stream, behind.as_deref(), &*play, &noted, &counted).await });
            }
        });
        Misbehaving { address, serving, asked, given }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Settings with this time-out for answers.
    pub(crate) fn settings(&self, answer: Duration) -> Settings {
        let mut settings = Settings::from_variables(|name| (name == "S3_ENDPOINT").then(|| self.endpoint())).unwrap();
        settings.timeouts = Timeouts::default().answer(answer);
        settings
    }

    /// The number of requests like this so far.
    pub(crate) fn count(&self, method: &str, part: &str) -> usize {
        self.asked(method, part).len()
    }

    /// The requests like this so far, in order.
    pub(crate) fn asked(&self, method: &str, part: &str) -> Vec<Asked> {
        self.all().into_iter().filter(|asked| asked.is(method, part)).collect()
    }

    pub(crate) fn all(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The range requests so far, in order.
    pub(crate) fn ranges(&self) -> Vec<Asked> {
        self.asked("GET", "").into_iter().filter(|asked| asked.range().is_some()).collect()
    }

    pub(crate) fn given(&self) -> u64 {
        self.given.load(Ordering::Relaxed)
    }
}

async fn serve(
    mut stream: TcpStream,
    behind: Option<&str>,
    play: &Play,
    noted: &Mutex<Vec<Asked>>,
    given: &AtomicU64,
) -> io::Result<()> {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let asked = parsed(&head);
        noted.lock().unwrap().push(asked.clone());
        let act = play(&asked);
        let length = asked.headers.get("content-length").map_or(0, |text| text.parse().unwrap());
        if matches!(act, Act::Unread) {
            return forever(stream).await;
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let act = match act {
            Act::Instead(act) => {
                pass(behind.expect("a server behind"), &head, &body).await?;
                *act
            }
            act => act,
        };
        let line = |status: u16| format!("HTTP/1.1 {status} Played\r\n");
        match act {
            Act::Answer(status, headers, body) => {
                let mut head = line(status);
                headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
                head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
                stream.write_all(head.as_bytes()).await?;
                if asked.method != "HEAD" {
                    for piece in body.chunks(64 * 1024) {
                        stream.write_all(piece).await?;
                        given.fetch_add(piece.len() as u64, Ordering::Relaxed);
                    }
                }
            }
            Act::Lengthless(headers) => {
                let mut head = line(200);
                headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
                stream.write_all(format!("{head}\r\n").as_bytes()).await?;
            }
            Act::Stop(status, body) => {
                let head = format!("{}content-length: {}\r\n\r\n", line(status), body.len() + 1000);
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(&body).await?;
                return forever(stream).await;
            }
            Act::Trickle(pause) => {
                let head = match asked.range() {
                    Some((first, last)) => {
                        let (range, len) = (format!("content-range: bytes {first}-{last}/8000000"), last + 1 - first);
                        format!("{}{range}\r\ncontent-length: {len}\r\n\r\n", line(206))
                    }
                    None => format!("{}content-length: 8000000\r\n\r\n", line(200)),
                };
                stream.write_all(head.as_bytes()).await?;
                loop {
                    stream.write_all(b" ").await?;
                    given.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(pause).await;
                }
            }
            Act::Endless(status) => {
                stream.write_all(format!("{}connection: close\r\n\r\n", line(status)).as_bytes()).await?;
                loop {
                    stream.write_all(&[b' '; 16 * 1024]).await?;
                    given.fetch_add(16 * 1024, Ordering::Relaxed);
                }
            }
            Act::Close(status, headers, body) => {
                write(&mut stream, &line(status), &headers, &body).await?;
                return stream.shutdown().await;
            }
            Act::Stall(status, headers, body) => {
                write(&mut stream, &line(status), &headers, &body).await?;
                return forever(stream).await;
            }
            Act::Silence => return forever(stream).await,
            Act::Reset => {
                stream.set_zero_linger()?;
                return Ok(());
            }
            Act::Pass => {
                let answer = pass(behind.expect("a server behind"), &head, &body).await?;
                stream.write_all(&answer).await?;
                return Ok(());
            }
            Act::Unread | Act::Instead(_) => unreachable!("done above"),
        }
    }
}

async fn write(stream: &mut TcpStream, line: &str, headers: &[(&str, String)], body: &[u8]) -> io::Result<()> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    stream.write_all(format!("{line}{headers}\r\n").as_bytes()).await?;
    stream.write_all(body).await
}

async fn forever(stream: TcpStream) -> io::Result<()> {
    std::future::pending::<()>().await;
    drop(stream);
    Ok(())
}

/// Forwards a request. Its signed parts are unchanged.
async fn pass(to: &str, head: &[u8], body: &[u8]) -> io::Result<Vec<u8>> {
    let mut behind = TcpStream::connect(to).await?;
    behind.write_all(&head[..head.len() - 2]).await?;
    behind.write_all(b"connection: close\r\n\r\n").await?;
    behind.write_all(body).await?;
    let mut answer = Vec::new();
    behind.read_to_end(&mut answer).await?;
    Ok(answer)
}

fn parsed(head: &[u8]) -> Asked {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.lines();
    let mut words = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned())).collect();
    Asked { method, path, headers }
}
