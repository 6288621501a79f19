use futures_util::{FutureExt as _, stream};

use super::*;

type Read = (Vec<(String, String)>, String, Vec<u8>);

/// Reads a form that arrives in pieces of this size.
fn read(body: &[u8], boundary: &str, piece: usize) -> Result<Read, FormError> {
    let pieces: Vec<_> =
        body.chunks(piece).map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece))).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    async {
        let Form { fields, filename, mut file } = Form::read(stream::iter(pieces), boundary).await?;
        let mut data = Vec::new();
        while let Some(bytes) = file.next().await {
            data.extend_from_slice(&bytes?);
        }
        Ok((fields, filename, data))
    }
    .now_or_never()
    .unwrap()
}

fn part(head: &str, data: &str) -> String {
    format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\n{data}\r\n")
}

#[test]
fn fields_and_file_are_read_however_they_arrive() {
    let body = part("name=\"Key\"", "a/${filename}")
        + &part("name=x-amz-meta-a", "zwei\r\nZeilen")
        + &part(
            "name=\"file\"; filename=\"a \\\"q\\\" %22c:\\d.bin\"\r\nContent-Type: text/plain",
            "da\r\n--\r\n--bta",
        )
        .replace("--bta", "--xta")
        + &part("name=\"submit\"", "Upload")
        + "--b--\r\n";
    for piece in [1, 2, 3, 17, body.len()] {
        let (fields, filename, data) = read(body.as_bytes(), "b", piece).unwrap();
        let expected = [("key", "a/${filename}"), ("x-amz-meta-a", "zwei\r\nZeilen")];
        assert_eq!(fields, expected.map(|(name, value)| (name.to_owned(), value.to_owned())), "{piece}");
        assert_eq!(filename, "a \"q\" \"c:\\d.bin");
        assert_eq!(data, b"da\r\n--\r\n--xta", "{piece}");
    }
}

#[test]
fn what_is_no_form_is_refused() {
    let file = part("name=\"file\"", "x");
    for (body, error) in [
        (String::new(), FormError::Unfinished),
        ("--b--\r\n".into(), FormError::NoFile),
        (part("name=\"a\"", "x") + "--b--", FormError::NoFile),
        (format!("preamble\r\n{file}--b--"), FormError::Malformed),
        (part("nme=\"file\"", "x") + "--b--", FormError::Malformed),
        (part("name=\"file", "x") + "--b--", FormError::Malformed),
        (file.clone(), FormError::Unfinished),
        (file.replace("--b", "--bc"), FormError::Malformed),
        (part("name=a", "1") + &part("name=A", "2") + &file, FormError::Twice("a".into())),
        (part("name=a", &"x".repeat(MAX_FIELDS)) + &file, FormError::TooLarge),
        (part(&format!("name=a; x={}", "x".repeat(MAX_HEAD)), "") + &file, FormError::TooLarge),
        ((0..=MAX_PARTS).map(|n| part(&format!("name=a{n}"), "")).collect::<String>() + &file, FormError::TooLarge),
    ] {
        for piece in [1, 7, body.len().max(1)] {
            assert_eq!(read(body.as_bytes(), "b", piece).unwrap_err(), error, "{body:.60} {piece}");
        }
    }
}

#[test]
fn boundaries() {
    assert_eq!(boundary("multipart/form-data; boundary=abc").unwrap(), "abc");
    assert_eq!(boundary("Multipart/Form-Data; charset=utf-8; Boundary=\"a b\"").unwrap(), "a b");
    let long = format!("multipart/form-data; boundary={}", "x".repeat(MAX_BOUNDARY + 1));
    for bad in ["multipart/form-data", "multipart/form-data; boundary=", "multipart/mixed; boundary=a", &long] {
        assert_eq!(boundary(bad).unwrap_err(), FormError::Boundary, "{bad}");
    }
}
