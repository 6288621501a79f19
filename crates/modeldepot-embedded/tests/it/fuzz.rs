//! Fuzzes the framing of `aws-chunked` bodies: see `fuzz/harness.rs`.

#[path = "../../src/body/budget.rs"]
#[allow(dead_code, unreachable_pub, reason = "a part of the server")]
mod budget;
#[path = "../../../../fuzz/harness.rs"]
mod harness;
#[path = "../../src/body/reframe.rs"]
#[allow(dead_code, unreachable_pub, reason = "a part of the server")]
mod reframe;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use self::budget::CHUNKS;
use self::harness::fuzz;
use self::reframe::Reframe;

/// Reframes a body that arrives in pieces of this size. Returns how it ended, and how much came out.
fn reframed(body: &[u8], piece: usize) -> (String, usize) {
    let pieces: Vec<_> =
        body.chunks(piece).map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece))).collect();
    let mut reframe = Reframe::new(stream::iter(pieces), &CHUNKS);
    let mut out = 0;
    futures_util::FutureExt::now_or_never(async {
        while let Some(bytes) = reframe.next().await {
            match bytes {
                Ok(bytes) => out += bytes.len(),
                Err(error) => return (error.to_string(), out),
            }
        }
        ("read".to_owned(), out)
    })
    .unwrap()
}

#[test]
fn aws_chunked() {
    // Large chunks have a time limit, which needs a timer.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    fuzz("aws_chunked", |body| {
        let (whole, len) = reframed(body, body.len().max(1));
        for piece in [1, 7] {
            let (ended, out) = reframed(body, piece);
            assert_eq!(ended, whole, "how a body ends does not depend on how it arrives");
            assert!(out <= body.len() * 12 + 64, "{out} bytes of {}", body.len());
        }
        assert!(len <= body.len() * 12 + 64);
        whole
    });
}
