//! Parsers of bucket contents and of files beside a model, on arbitrary inputs: see `fuzz/harness.rs`.

#[path = "../../../../fuzz/harness.rs"]
mod harness;
#[path = "../../src/s3/key_encoding.rs"]
#[allow(dead_code, unreachable_pub, reason = "a part of the library")]
mod spelling_of_keys;

use aws_sdk_s3::types::EncodingType;
use modeldepot::history::History;
use modeldepot::{
    ArtifactPath, BucketName, Endpoint, Manifest, ModelName, ObjectKey, Selector, Version, is_unseen, visible,
};

use self::harness::fuzz;
use self::spelling_of_keys::Spelling;

#[test]
fn manifest() {
    let (model, version) = ("m".parse().unwrap(), "1".parse().unwrap());
    fuzz("manifest", |bytes| match Manifest::parse(&model, &version, bytes) {
        Ok(manifest) => {
            let _ = (manifest.size(), manifest.main());
            let written = manifest.to_json();
            let again = Manifest::parse(&model, &version, &written).unwrap();
            assert!(again.to_json() == written, "what is written is not what was read");
            "read".to_owned()
        }
        Err(error) => error.to_string(),
    });
}

#[test]
fn keys() {
    fuzz("keys", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        if let Ok(key) = text.parse::<ObjectKey>() {
            assert_eq!(key.to_string(), text, "a key has one spelling");
        }
        let names = [
            text.parse::<ModelName>().map(|name| name.to_string()),
            text.parse::<ArtifactPath>().map(|path| path.to_string()),
            text.parse::<BucketName>().map(|name| name.to_string()),
        ];
        for name in names.into_iter().flatten() {
            assert!(name == text && !name.contains(char::is_control));
        }
        if let Ok(version) = text.parse::<Version>() {
            assert_eq!(version.to_string().parse(), Ok(version));
        }
        if let Ok(selector) = text.parse::<Selector>() {
            assert_eq!(selector.to_string().parse(), Ok(selector));
        }
        let _ = text.parse::<Endpoint>();
        assert!(!visible(&text).contains(is_unseen));
        match text.parse::<ObjectKey>() {
            Ok(key) => format!("{key:?}").split('(').next().unwrap_or_default().to_owned(),
            Err(error) => error.to_string(),
        }
    });
}

fn history(target: &str, file: &str) {
    fuzz(target, |bytes| match History::parse(file, bytes) {
        Ok(history) => {
            assert!(!history.epochs().is_empty());
            assert!(history.epochs().is_sorted_by(|a, b| a.epoch < b.epoch));
            assert!(history.epochs().iter().flat_map(|epoch| epoch.values.values()).all(|value| value.is_finite()));
            format!("{:?}", history.metadata().keys().collect::<Vec<_>>())
        }
        Err(error) => error.to_string(),
    });
}

#[test]
fn history_csv() {
    history("history_csv", "history.csv");
}

#[test]
fn history_json() {
    history("history_json", "history.json");
}

#[test]
fn spelling() {
    fuzz("spelling", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let spelling = Spelling::of(Some(&EncodingType::Url), std::iter::once(&*text));
        let _ = spelling.read(&text);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/*".contains(&byte);
        let spelled: String =
            text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect();
        let read = Spelling::of(Some(&EncodingType::Url), std::iter::once(&*spelled)).read(&spelled);
        assert_eq!(read, text, "a key that is spelled as in a URL is read as it is");
        format!("{spelling:?}")
    });
}
