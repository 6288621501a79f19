//! A server whose answers do not match the requests.

use modeldepot::{BucketName, S3Client, Settings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Answers every request with the same page of a listing, and returns the address.
async fn listing(keys: &[&str]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let contents: String = keys.iter().map(|key| format!("<Contents><Key>{key}</Key></Contents>")).collect();
    let body = format!("<ListBucketResult>{contents}</ListBucketResult>");
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn keys_that_were_not_asked_for_are_passed_over() {
    let endpoint = listing(&["m", "n/v1/a", "m/v1/a", ""]).await;
    let settings = Settings::from_variables(|name| (name == "S3_ENDPOINT").then(|| endpoint.clone())).unwrap();
    let client = S3Client::connect(&settings).await.unwrap();
    let bucket: BucketName = "models".parse().unwrap();
    let keys = async |prefix| {
        let found = client.list_objects(&bucket, prefix).await.unwrap();
        found.into_iter().map(|object| object.key).collect::<Vec<_>>()
    };
    assert_eq!(keys("m/").await, ["m/v1/a"]);
    assert_eq!(keys("m/v1/abc").await, [""; 0]);
}
