//! Fuzz targets for what strangers and clients send in heads, forms and documents: see `fuzz/harness.rs`.

#[path = "../../../fuzz/harness.rs"]
mod harness;

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use hyper::header::HeaderMap;
use hyper::{Method, Request, Uri};
use s3s::S3Result;
use s3s::dto::{BucketLifecycleConfiguration, CORSConfiguration};
use s3s::xml::{Deserialize, Deserializer};

use self::harness::fuzz;
use crate::front::answers::{About, forgive};
use crate::front::signing::v2::Link;
use crate::gateway::forms::form::{Form, boundary};
use crate::gateway::forms::policy::{Policy, Signature};
use crate::gateway::{cors, lifecycle, tagging};

const NOW: i64 = 1_795_000_000;

fn told<T>(result: S3Result<T>) -> String {
    match result {
        Ok(_) => "accepted".into(),
        Err(error) => format!("{} {}", error.code().as_str(), error.status_code().map_or(0, |status| status.as_u16())),
    }
}

/// Parses a form that arrives in pieces of this size. Returns how it ended, its fields and its file.
fn form(body: &[u8], piece: usize) -> (String, usize, Vec<u8>) {
    let pieces: Vec<_> =
        body.chunks(piece).map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece))).collect();
    let read = async {
        let mut form = match Form::read(stream::iter(pieces), "b").await {
            Ok(form) => form,
            Err(error) => return (format!("{error:?}"), 0, Vec::new()),
        };
        let mut file = Vec::new();
        while let Some(bytes) = form.file.next().await {
            match bytes {
                Ok(bytes) => file.extend_from_slice(&bytes),
                Err(error) => return (format!("{error:?}"), form.fields.len(), file),
            }
        }
        ("read".to_owned(), form.fields.len(), file)
    };
    read.now_or_never().unwrap()
}

#[test]
fn upload_form() {
    // Forms have a time limit, which needs a timer.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    fuzz("upload_form", |body| {
        let whole = form(body, body.len().max(1));
        for piece in [1, 7] {
            let cut = form(body, piece);
            assert!(cut == whole, "how a form ends does not depend on how it arrives");
        }
        assert!(whole.2.len() <= body.len());
        let _ = boundary(&String::from_utf8_lossy(body));
        whole.0
    });
}

#[test]
fn upload_policy() {
    use base64::Engine as _;

    let fields = |text: &str| -> Vec<(String, String)> {
        url::form_urlencoded::parse(text.as_bytes()).map(|(name, value)| (name.to_lowercase(), value.into())).collect()
    };
    // The input is the policy, an empty line, and the fields.
    fuzz("upload_policy", |input| {
        let text = String::from_utf8_lossy(input);
        let (policy, given) = text.split_once('\n').unwrap_or((&text, ""));
        let fields = fields(given);
        let signature = match Signature::read(&fields) {
            Ok(signature) => signature,
            Err(error) => return told::<()>(Err(error)),
        };
        // Not signed with any secret.
        assert!(signature.verify(&"secret".into(), policy).is_err());
        let encoded = base64::prelude::BASE64_STANDARD.encode(policy);
        let policy = match Policy::read(&encoded, &signature, NOW) {
            Ok(policy) => policy,
            Err(error) => return told::<()>(Err(error)),
        };
        let checked = policy.check(&fields, "b");
        if checked.is_ok() {
            // Only fields that need no condition may get through without one.
            for (name, _) in &fields {
                let free = ["x-amz-signature", "signature", "awsaccesskeyid", "policy"].contains(&name.as_str());
                assert!(free || name.starts_with("x-ignore-") || text.to_lowercase().contains(name.as_str()), "{name}");
            }
        }
        told(checked)
    });
}

#[test]
fn presigned_v2() {
    fuzz("presigned_v2", |input| {
        let text = String::from_utf8_lossy(input);
        let Ok(uri) = text.parse::<Uri>() else { return "no address".into() };
        let mut request = Request::builder().uri(uri.clone()).body(()).unwrap();
        forgive(&mut request);
        let _ = About::of(&request);
        let link = Link::read(&Method::GET, &uri, &HeaderMap::new(), NOW);
        if let Ok(link) = &link {
            assert!(link.verify(&"secret".into()).is_err());
        }
        told(link)
    });
}

/// Parses and checks a document.
fn document<T: for<'x> Deserialize<'x>>(input: &[u8], check: impl FnOnce(T) -> S3Result<()>) -> String {
    match T::deserialize(&mut Deserializer::new(input)) {
        Ok(parsed) => told(check(parsed)),
        Err(error) => format!("{error}"),
    }
}

#[test]
fn bucket_configuration() {
    fuzz("bucket_configuration", |input| {
        let cors = document::<CORSConfiguration>(input, |parsed| cors::checked(parsed.cors_rules).map(drop));
        let rules = document::<BucketLifecycleConfiguration>(input, |parsed| {
            let rules = lifecycle::checked(parsed.rules)?;
            // The server accepts what it answers, with the same meaning.
            let again = rules.iter().cloned().map(lifecycle::written).collect();
            assert_eq!(lifecycle::checked(again)?, rules);
            Ok(())
        });
        let text = String::from_utf8_lossy(input);
        let tags = told(tagging::tags_of_xml(&text).and_then(|header| tagging::tags_of_header(Some(&header))));
        format!("{cors} {rules} {tags} {}", told(tagging::tags_of_header(Some(&text))))
    });
}
