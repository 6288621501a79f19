//! What holds of a range whatever the server sends, and however it cuts it up.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use aws_smithy_types::body::SdkBody;
use http_body::Frame;
use proptest::prelude::*;

use super::*;
use crate::settings::Settings;

/// A body of known frames.
struct Frames(VecDeque<Bytes>);

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|frame| Ok(Frame::data(frame))))
    }
}

/// Cuts bytes into frames, of which some are empty.
fn cut(bytes: &[u8], lengths: &[usize]) -> VecDeque<Bytes> {
    let (mut frames, mut rest) = (VecDeque::new(), bytes);
    for len in lengths {
        let (frame, after) = rest.split_at((*len).min(rest.len()));
        frames.push_back(Bytes::copy_from_slice(frame));
        rest = after;
    }
    frames.push_back(Bytes::copy_from_slice(rest));
    frames
}

/// Reads all that comes, and returns it with the error that it ended with.
async fn read(frames: VecDeque<Bytes>, left: u64, whole: bool) -> (Vec<u8>, Option<String>) {
    let body = ByteStream::new(SdkBody::from_body_1_x(Frames(frames)));
    let mut arrived = Arrived { body, left, whole, ended: false };
    let mut bytes = Vec::new();
    while let Some(came) = arrived.next().await {
        match came {
            Ok(frame) => {
                assert!(!frame.is_empty(), "an empty frame would look like the end");
                bytes.extend_from_slice(&frame);
            }
            Err(error) => return (bytes, Some(error.to_string())),
        }
    }
    (bytes, None)
}

proptest! {
    /// What is handed on is what was asked for: all of it, or a beginning and an error, and never a byte more.
    #[test]
    fn a_range_is_whole_or_an_error(
        sent in 0usize..200,
        left in 1u64..200,
        whole in any::<bool>(),
        lengths in prop::collection::vec(0usize..60, 0..8),
    ) {
        let bytes: Vec<u8> = (0..sent).map(|n| n as u8).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (came, error) = runtime.block_on(read(cut(&bytes, &lengths), left, whole));
        let asked = left as usize;
        prop_assert!(came.len() <= asked, "{} of {asked}", came.len());
        prop_assert_eq!(&came[..], &bytes[..came.len()]);
        match sent.cmp(&asked) {
            std::cmp::Ordering::Equal => {
                prop_assert_eq!(error, None);
                prop_assert_eq!(came.len(), asked);
            }
            std::cmp::Ordering::Less => {
                prop_assert_eq!(error.as_deref(), Some("the body ended early"));
                prop_assert_eq!(came.len(), sent, "received bytes count");
            }
            std::cmp::Ordering::Greater if whole => {
                prop_assert_eq!(error, None);
                prop_assert_eq!(came.len(), asked);
            }
            std::cmp::Ordering::Greater => {
                prop_assert_eq!(error.as_deref(), Some("the server sent more than was asked for"));
            }
        }
    }

    #[test]
    fn what_servers_spell_is_read(first: u64, last: u64, total: Option<u64>, before in " ?", after in " ?") {
        let spelled = total.map_or("*".to_owned(), |total| total.to_string());
        prop_assert_eq!(ranged(&format!("{before}bytes {first}-{last}/{spelled}{after}")), Some((first, total)));
    }

    /// Whatever the header says, reading it does not panic, and what is read stands there.
    #[test]
    fn any_header_is_read_or_refused(text in "(bytes)? ?[0-9*]{0,25}-?[0-9*]{0,25}/?[0-9*]{0,25}") {
        if let Some((first, _)) = ranged(&text) {
            prop_assert!(text.contains(&first.to_string()));
        }
    }
}

#[test]
fn ranges_are_read_as_servers_spell_them() {
    assert_eq!(ranged("bytes 0-99/1234"), Some((0, Some(1234))));
    assert_eq!(ranged("bytes 8-9/*"), Some((8, None)));
    for none in ["", "bytes */1234", "items 0-9/10", "bytes 0/10"] {
        assert_eq!(ranged(none), None, "{none}");
    }
}

#[test]
fn no_more_than_a_batch_waits_in_memory() {
    let mut batch = Batch::default();
    let mut add = |kib: usize| batch.add(vec![0; kib * 1024].into()).map(|frames| frames.len());
    assert_eq!([100, 100, 56, 255, 1, 300, 1].map(&mut add), [None, None, Some(3), None, Some(2), Some(1), None]);
}

/// What a manifest claims reserves nothing, and is not asked for.
#[tokio::test]
async fn a_part_that_does_not_fit_into_memory_is_an_error() {
    let settings = Settings::from_variables(|name| (name == "S3_ENDPOINT").then(|| "http://127.0.0.1:9".into()));
    let client = S3Client::connect(&settings.unwrap()).await.unwrap();
    let (bucket, len) = ("models".parse().unwrap(), LARGEST + 1);
    let object = Arc::new(Object { bucket, key: "k".into(), size: len, etag: None, expected: None });
    let range = Range { client, object, etag: Arc::default(), offset: 0, len, expected: None, with_crc64: false };
    let error = range.bytes().await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "a part of 1073741825 bytes does not fit into memory");
}
