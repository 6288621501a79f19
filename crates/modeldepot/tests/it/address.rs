//! Addressing of buckets, on AWS and elsewhere. Signing needs no server.

use std::time::Duration;

use modeldepot::s3::PresignedMethod;
use modeldepot::{Addressing, BucketName, S3Client, Settings};

async fn addresses(endpoint: &str, region: &str, addressing: Addressing) -> (String, String) {
    let mut settings = Settings::from_variables(|name| match name {
        "S3_ENDPOINT" => Some(endpoint.to_owned()),
        "S3_REGION" => Some(region.to_owned()),
        "S3_ACCESS_KEY" | "S3_SECRET_KEY" => Some("key".to_owned()),
        _ => None,
    })
    .unwrap();
    settings.addressing = addressing;
    let client = S3Client::connect(&settings).await.unwrap();
    let bucket: BucketName = "models".parse().unwrap();
    let key = "m/v1/ü b.bin";
    let signed = client.presign(&bucket, key, PresignedMethod::Get, Duration::from_secs(60)).await.unwrap();
    (client.object_url(&bucket, key), signed.split('?').next().unwrap().to_owned())
}

#[tokio::test]
async fn each_style_is_spelled_the_same_in_manifests_and_in_requests() {
    for (endpoint, addressing, expected) in [
        ("http://localhost:9000", Addressing::Auto, "http://localhost:9000/models/m/v1/%C3%BC%20b.bin"),
        ("http://s3.local:9000", Addressing::VirtualHost, "http://models.s3.local:9000/m/v1/%C3%BC%20b.bin"),
        ("", Addressing::Auto, "https://models.s3.eu-west-3.amazonaws.com/m/v1/%C3%BC%20b.bin"),
        ("", Addressing::Path, "https://s3.eu-west-3.amazonaws.com/models/m/v1/%C3%BC%20b.bin"),
        ("https://[::1]:9000", Addressing::Path, "https://[::1]:9000/models/m/v1/%C3%BC%20b.bin"),
    ] {
        let (plain, signed) = addresses(endpoint, "eu-west-3", addressing).await;
        assert_eq!((plain.as_str(), signed.as_str()), (expected, expected));
    }
}
