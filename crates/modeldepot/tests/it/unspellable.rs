//! Keys that XML cannot represent, and keys that look encoded: none of them hides the others.

use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{
    PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4;
use modeldepot::s3::{PresignedMethod, UploadOptions};
use modeldepot::{ErrorKind, Progress, S3Client};

use crate::backend::{Backend, push};
use crate::client::{http, http_with};
use crate::misbehaving::{Act, Misbehaving};

/// Keys that a server may refuse to store, and that must not stop any tool.
const UNSPELLABLE: [&str; 6] = ["ctl\u{1}x", "esc\u{1b}[2Jx", "lf\nx", "cr\rx", "fffe\u{fffe}x", "c1\u{9b}x"];

/// Keys that every server stores.
const MISLEADING: [&str; 6] = ["a+b", "a b", "pct%2B", "bad%zz", "bad%", "amp&<>'\"ü"];

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// Sends a signed request for any key, even one that the library refuses.
async fn signed(b: &Backend, method: &str, key: &str, query: &str, body: &[u8]) -> String {
    http(method, &presigned(b, method, key, query), body).await.0
}

/// Returns the URL of a request for any key.
pub(crate) fn presigned(b: &Backend, method: &str, key: &str, query: &str) -> String {
    let key = b.storage.prefix().whole(key);
    let url = format!("{}/{}/{}{query}", b.client().endpoint(), b.bucket(), encoded(&key));
    sign_url(method, &url, None)
}

/// Sends a signed request to a URL, with one additional signed header.
pub(crate) async fn signed_url(
    method: &str,
    url: &str,
    header: Option<(&str, &str)>,
    body: &[u8],
) -> (String, Vec<u8>) {
    let lines = header.map(|(name, value)| format!("{name}: {value}\r\n")).unwrap_or_default();
    http_with(method, &sign_url(method, url, header), &lines, body).await
}

fn sign_url(method: &str, url: &str, header: Option<(&str, &str)>) -> String {
    let identity = aws_credential_types::Credentials::new("minioadmin", "minioadmin", None, None, "test").into();
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(Duration::from_secs(60));
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    let params = v4::SigningParams::builder().identity(&identity).region("us-east-1").name("s3");
    let params = params.time(SystemTime::now()).settings(settings).build().unwrap().into();
    let host = url.split('/').nth(2).unwrap();
    let headers = [("host", host)].into_iter().chain(header);
    let request = SignableRequest::new(method, url, headers, SignableBody::UnsignedPayload).unwrap();
    let (instructions, _) = sign(request, &params).unwrap().into_parts();
    let pair =
        |(name, value): &(&str, std::borrow::Cow<'_, str>)| format!("{name}={}", encoded(value).replace('/', "%2F"));
    let added = instructions.params().iter().map(pair).collect::<Vec<_>>().join("&");
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}{added}")
}

/// Stores objects at all these keys below a prefix, and returns the keys that the server accepted.
async fn store(b: &Backend, prefix: &str) -> Vec<String> {
    let mut stored = Vec::new();
    for name in UNSPELLABLE.iter().chain(&MISLEADING) {
        let key = format!("{prefix}{name}");
        let status = signed(b, "PUT", &key, "", b"hostile").await;
        match MISLEADING.contains(name) {
            true => assert!(status.contains("200"), "{key:?}: {status}"),
            false => assert!(status.contains("200") || status.contains("400"), "{key:?}: {status}"),
        }
        if status.contains("200") {
            stored.push(key);
        }
    }
    stored.sort();
    stored
}

pub(crate) async fn every_key_is_listed_as_it_is(b: Backend) {
    let keys = store(&b, "p+q r/").await;
    let mut listed: Vec<_> = b.keys().await;
    listed.sort();
    assert_eq!(listed, keys);
    let level = b.client().list_level(b.bucket(), "p+q r/", None, 1000).await.unwrap();
    assert_eq!(level.objects.len(), keys.len());
    let top = b.client().list_level(b.bucket(), "", None, 1000).await.unwrap();
    assert_eq!(top.folders, ["p+q r/"]);
    // Page by page: on some servers the continuation token is one of these keys.
    let (mut paged, mut next) = (Vec::new(), None);
    for _ in 0..=keys.len() {
        let page = b.client().list_level(b.bucket(), "p+q r/", next.as_deref(), 1).await.unwrap();
        paged.extend(page.objects.into_iter().map(|object| object.key));
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    paged.sort();
    assert_eq!(paged, keys);
    // Deleted together, without one being refused because of another.
    b.client().delete_objects(b.bucket(), &keys).await.unwrap();
    assert_eq!(b.keys().await, [""; 0]);
}

pub(crate) async fn one_key_stops_no_verb(b: Backend) {
    let file = b.file("m.bin", b"a model");
    b.storage.push(push("m", Some("1.0+cu118"), &file, &[]), &Progress::none()).await.unwrap();
    let mut keys = Vec::new();
    for prefix in ["", "m/", "m/v1.0+cu118/", "m/v2/", "other/v1/", ".depot/leases/m/1/"] {
        keys.extend(store(&b, prefix).await);
    }
    let model = "m".parse().unwrap();
    let models = b.storage.models().await.unwrap();
    assert!(models.iter().any(|found| found.model == model), "{models:?}");
    let versions = b.storage.versions(&model).await.unwrap();
    assert!(versions.iter().any(|found| found.version.as_str() == "1.0+cu118"), "{versions:?}");
    b.storage.describe(&"m".parse().unwrap()).await.unwrap();
    b.pull("m@1.0+cu118", "back").await.unwrap();
    b.storage.verify(&"m@1.0+cu118".parse().unwrap(), &Progress::none()).await.unwrap();
    let report = b.storage.fsck(None, true).await.unwrap();
    assert!(report.faults.is_empty(), "{:?}", report.faults);
    let plan = b.storage.plan_gc(None, time::Duration::ZERO).await.unwrap();
    b.storage.gc(&plan).await.unwrap();
    let left = b.keys().await;
    for key in keys {
        assert!(left.contains(&key), "{key:?} is not modeldepot's to remove");
    }
    b.storage.delete(&model, &"1.0+cu118".parse().unwrap()).await.unwrap();
}

pub(crate) async fn one_upload_hides_no_other(b: Backend) {
    b.client().begin_multipart_upload(b.bucket(), "m/v1.0+cu118/plain name").await.unwrap();
    for name in UNSPELLABLE.iter().chain(&MISLEADING) {
        signed(&b, "POST", &format!("m/v1/{name}"), "?uploads=", b"").await;
    }
    let uploads = b.client().list_multipart_uploads(b.bucket(), "").await.unwrap();
    let listed: Vec<_> = uploads.iter().map(|upload| upload.key.as_str()).collect();
    assert!(listed.contains(&"m/v1.0+cu118/plain name"), "{listed:?}");
    for name in MISLEADING {
        assert!(listed.contains(&format!("m/v1/{name}").as_str()), "{name}: {listed:?}");
    }
    b.storage.plan_gc(None, time::Duration::ZERO).await.unwrap();
    for upload in &uploads {
        b.client().abort_multipart_upload(b.bucket(), &upload.key, &upload.upload_id).await.unwrap();
    }
}

pub(crate) async fn such_keys_are_not_created(b: Backend) {
    let file = b.file("f", b"f");
    for name in UNSPELLABLE {
        let (client, bucket) = (b.client(), b.bucket());
        let refused = [
            client.upload_file(&file, bucket, name, &UploadOptions::default(), |_| {}).await.err(),
            client.put_small(bucket, name, "x".into(), "text/plain").await.err(),
            client.put_if_absent(bucket, name, "x".into(), "text/plain").await.err(),
            client.begin_multipart_upload(bucket, name).await.err(),
            client.presign(bucket, name, PresignedMethod::Put, Duration::from_secs(60)).await.err(),
        ];
        for error in refused {
            let error = error.unwrap();
            assert!(error.kind() == ErrorKind::Invalid, "{error:?}");
            assert!(!error.to_string().contains(char::is_control), "{error}");
        }
    }
    assert_eq!(b.keys().await, [""; 0]);
}

/// Lists what a server returns with this page.
async fn listed(page: &'static str) -> Vec<String> {
    let server = Misbehaving::alone(move |_| Act::Answer(200, Vec::new(), page.as_bytes().to_vec())).await;
    let client = S3Client::connect(&server.settings(Duration::from_secs(30))).await.unwrap();
    let objects = client.list_objects(&"models".parse().unwrap(), "").await.unwrap();
    objects.into_iter().map(|object| object.key).collect()
}

#[tokio::test]
async fn a_server_that_ignores_the_spelling_is_taken_at_its_word() {
    let plain = listed(
        "<ListBucketResult><Contents><Key>a%2Bb</Key></Contents><Contents><Key>a+b</Key></Contents></ListBucketResult>",
    );
    assert_eq!(plain.await, ["a%2Bb", "a+b"]);
    let spelled = listed(
        "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>a%2Bb</Key></Contents><Contents><Key>a+b</Key>\
         </Contents><Contents><Key>%FF</Key></Contents></ListBucketResult>",
    );
    assert_eq!(spelled.await, ["a+b", "a b", "%FF"]);
}
