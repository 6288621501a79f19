//! Checks that only objects created by modeldepot are ever removed or replaced, and that removals by others are
//! noticed.

use std::collections::BTreeSet;
use std::fs;

use modeldepot::advice::Advice;
use modeldepot::{
    Change, Error, ErrorKind, ModelName, ModelStorage, Offer, OfferedFile, Progress, Published, Result, Version,
};

use crate::backend::{Backend, bytes, mark, push};
use crate::upkeep::{NOW, cut_off_upload};

fn model(text: &str) -> ModelName {
    text.parse().unwrap()
}

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

async fn publish(b: &Backend, at: &str, name: &str, content: &[u8]) -> Result<Published> {
    let file = b.file(name, content);
    b.storage.push(push("m", Some(at), &file, &[]), &Progress::none()).await
}

async fn collect(b: &Backend) {
    let plan = b.storage.plan_gc(None, NOW).await.unwrap();
    b.storage.gc(&plan).await.unwrap();
}

pub(crate) async fn gc_leaves_what_it_did_not_make(b: Backend) {
    b.put("resnet/v1/model.onnx", b"made by hand").await;
    b.put("resnet/v2/sub/", b"").await;
    let before = b.keys().await;
    let plan = b.storage.plan_gc(None, NOW).await.unwrap();
    assert!(plan.is_empty(), "{plan:?}");
    let foreign: Vec<_> =
        plan.foreign.iter().map(|f| format!("{}@{} {}", f.model, f.version, f.objects.len())).collect();
    // The marker of an empty folder is a file on a server that stores objects as files.
    assert!(foreign[0] == "resnet@1 1" && (foreign.len() == 1 || foreign[1..] == ["resnet@2 1"]), "{foreign:?}");
    let collected = b.storage.gc(&plan).await.unwrap();
    assert_eq!((collected.objects, b.keys().await), (0, before), "no tombstone, no lock, nothing removed");
    // The name is not retired: the same bytes can still be published under it.
    let file = b.file("model.onnx", b"made by hand");
    b.storage.push(push("resnet", Some("1"), &file, &[]), &Progress::none()).await.unwrap();
    b.storage.verify(&"resnet@1".parse().unwrap(), &Progress::none()).await.unwrap();
}

pub(crate) async fn a_delete_removes_what_the_manifest_lists(b: Backend) {
    b.put("m/v1/notes.onnx", b"somebody's").await;
    let published = publish(&b, "1", "w.bin", b"weights").await.unwrap();
    assert_eq!((published.foreign.objects, &published.foreign.paths[..]), (1, &["notes.onnx".to_owned()][..]));
    // Repeating the push reports it as well.
    let again = publish(&b, "1", "w.bin", b"weights").await.unwrap();
    assert!(again.already && again.foreign == published.foreign, "{again:?}");
    b.put("m/v1/later.txt", b"somebody's, too").await;
    let deleted = b.storage.delete(&model("m"), &version("1")).await.unwrap();
    assert_eq!((deleted.files, deleted.bytes), (1, 7));
    assert_eq!(deleted.foreign.paths, ["later.txt", "notes.onnx"]);
    assert_eq!(deleted.foreign.bytes, 10 + 15);
    assert_eq!(b.keys().await, [".depot/tombstones/m/1.json", "m/v1/later.txt", "m/v1/notes.onnx"]);
    // Neither the next delete nor gc removes them.
    assert_eq!(b.storage.delete(&model("m"), &version("1")).await.unwrap().files, 0);
    collect(&b).await;
    assert_eq!(b.get("m/v1/notes.onnx").await, b"somebody's");
    assert_eq!(b.storage.plan_gc(None, NOW).await.unwrap().foreign[0].objects.len(), 2);
}

pub(crate) async fn foreign_objects_beside_a_version_are_not_counted(b: Backend) {
    b.put("m/v1/notes.onnx", b"was there before").await;
    publish(&b, "1", "w.bin", b"weights").await.unwrap();
    publish(&b, "2", "w.bin", b"weights2").await.unwrap();
    b.next_second().await;
    b.put("m/v2/notes.onnx", b"came later").await;
    for storage in [b.storage.clone(), ModelStorage::open(&b.settings).await.unwrap()] {
        let versions = storage.versions(&model("m")).await.unwrap();
        let counts: Vec<_> = versions.iter().map(|v| (v.files, v.size, v.damaged)).collect();
        assert_eq!(counts, [(1, 7, false), (1, 8, false)]);
        let models = storage.models().await.unwrap();
        assert_eq!((models[0].size, models[0].damaged, models[0].latest_damaged), (15, 0, false));
        for at in ["1", "2"] {
            let found = storage.describe(&format!("m@{at}").parse().unwrap()).await.unwrap();
            assert_eq!((found.files.len(), found.damaged.len()), (1, 0));
            assert_eq!(b.pull(&format!("m@{at}"), at).await.unwrap().files, 1);
        }
    }
}

pub(crate) async fn a_copy_of_an_object_of_ours_is_foreign(b: Backend) {
    // As left by `aws s3 cp`, which copies the metadata too.
    let path = b.file("copy", b"weights");
    let copied = modeldepot::s3::UploadOptions::default().metadata(mark("m/v1/w.bin"));
    for key in ["m/v2/w.bin", "other/v1/w.bin", "m/v1/copy.bin"] {
        b.client().upload_file(&path, b.bucket(), key, &copied, |_| {}).await.unwrap();
    }
    let before = b.keys().await;
    collect(&b).await;
    assert_eq!(b.keys().await, before);
    publish(&b, "1", "w.bin", b"weights").await.unwrap();
    let deleted = b.storage.delete(&model("m"), &version("1")).await.unwrap();
    assert_eq!((deleted.files, deleted.foreign.paths), (1, vec!["copy.bin".to_owned()]));
}

/// A delete dies after its tombstone, for a version without marks, written by the Python pipeline.
pub(crate) async fn an_interrupted_delete_removes_only_what_the_version_had(b: Backend) {
    const MANIFEST: &[u8] = br#"{"model_name": "m", "version": "1", "model_file": "m/v1/a.pth", "model_url": "",
        "checksum": "900150983cd24fb0d6963f7d28e17f72", "metadata": {}, "created_at": "2025-10-28T18:19:00"}"#;
    for by_gc in [true, false] {
        let at = if by_gc { "1" } else { "2" };
        let prefix = format!("m/v{at}");
        let manifest = String::from_utf8(MANIFEST.to_vec()).unwrap().replace("m/v1", &prefix);
        let manifest = manifest.replace("\"version\": \"1\"", &format!("\"version\": \"{at}\""));
        let pipeline = async || {
            b.put(&format!("{prefix}/a.pth"), b"abc").await;
            b.put(&format!("{prefix}/history.json"), b"{}").await;
        };
        pipeline().await;
        b.put(&format!("{prefix}/manifest.json"), manifest.as_bytes()).await;
        let deleted = b.storage.delete(&model("m"), &version(at)).await.unwrap();
        assert_eq!((deleted.files, deleted.foreign.objects), (2, 0), "all objects are files of such a version");
        // None of it was deleted yet; meanwhile another tool stored one more object, and replaced one.
        pipeline().await;
        b.put(&format!("{prefix}/history.json"), b"{\"another\": 1}").await;
        b.put(&format!("{prefix}/later.txt"), b"somebody's").await;
        if by_gc {
            collect(&b).await;
        } else {
            let again = b.storage.delete(&model("m"), &version(at)).await.unwrap();
            assert_eq!(
                (again.files, again.foreign.paths),
                (1, vec!["history.json".to_owned(), "later.txt".to_owned()])
            );
        }
        let mut left = b.keys().await;
        left.retain(|key| key.starts_with(&prefix));
        assert_eq!(left, [format!("{prefix}/history.json"), format!("{prefix}/later.txt")]);
    }
}

/// Small files, files of several parts, the manifest; and files whose parts are sent by others.
pub(crate) async fn everything_that_a_push_creates_is_marked(b: Backend) {
    let (large, empty) = (b.file("large.bin", &bytes(9 << 20, 1)), b.file("empty", b""));
    b.storage.push(push("m", Some("1"), &large, &[empty]), &Progress::none()).await.unwrap();
    let file = |path: &str, size| OfferedFile::new(path.parse().unwrap(), size);
    let offer = Offer::new(model("m"), [file("sent.bin", 3), file("empty", 0)]).version(version("2"));
    let offer = offer.main("sent.bin".parse().unwrap()).tool("tests");
    let upload = b.storage.begin_upload(offer).await.unwrap();
    let minute = std::time::Duration::from_secs(60);
    let url = upload.part_url(&"sent.bin".parse().unwrap(), 1, minute).await.unwrap();
    let (status, _) = crate::client::http("PUT", &url, b"abc").await;
    assert!(status.contains("200"), "{status}");
    upload.complete().await.unwrap();
    upload.abort().await;
    let mut keys = b.keys().await;
    assert_eq!(keys.len(), 6, "two files and a manifest each, and no record: {keys:?}");
    keys.retain(|key| !key.starts_with(".depot/"));
    for key in keys {
        let found = b.client().get_object_metadata(b.bucket(), &key).await.unwrap().metadata;
        let (Some(ours), Some(binding)) =
            (found.get("modeldepot"), mark(&key)["modeldepot"].split(' ').nth(1).map(str::to_owned))
        else {
            panic!("{key}: {found:?}")
        };
        assert!(ours.ends_with(&binding), "{key}: {ours}");
    }
}

pub(crate) async fn a_version_of_orphans_and_foreign_objects_loses_the_orphans(b: Backend) {
    b.put_own("m/v1/w.bin", b"of a push that died").await;
    b.put("m/v1/notes.onnx", b"somebody's").await;
    let plan = b.storage.plan_gc(Some(&model("m")), NOW).await.unwrap();
    assert_eq!((plan.abandoned[0].objects.len(), plan.foreign[0].objects[0].key.as_str()), (1, "m/v1/notes.onnx"));
    let collected = b.storage.gc(&plan).await.unwrap();
    assert_eq!((collected.objects, collected.bytes), (1, 19));
    let mut left = b.keys().await;
    left.retain(|key| !key.starts_with(".depot/uploads/"));
    assert_eq!(left, [".depot/tombstones/m/1.json", "m/v1/notes.onnx"]);
}

/// Another tool removes only the manifest: the weights are not orphans of a failed push.
pub(crate) async fn a_version_that_lost_its_manifest_is_kept_and_named(b: Backend) {
    for at in ["1", "2"] {
        publish(&b, at, "w.bin", b"weights").await.unwrap();
    }
    b.client().delete_object(b.bucket(), "m/v1/manifest.json").await.unwrap();
    for model in [None, Some(model("m"))] {
        let report = b.storage.fsck(model.as_ref(), false).await.unwrap();
        assert!(report.faults[0].error.to_string().starts_with("the manifest of "), "{:?}", report.faults);
        assert_eq!((report.faults[0].error.kind(), report.versions), (ErrorKind::Corrupt, 2));
    }
    for selector in ["m@1", "m@v1"] {
        let pulled = b.pull(selector, "out").await.unwrap_err();
        let verified = b.storage.verify(&selector.parse().unwrap(), &Progress::none()).await.unwrap_err();
        for error in [pulled, verified] {
            assert!(error.to_string().starts_with("the manifest of `m@1` is missing"), "{error:?}");
            assert_eq!(error.kind(), ErrorKind::Corrupt);
        }
    }
    // A failed push of other bytes does not change that.
    let file = b.file("w.bin", b"other weights");
    b.storage.push(push("m", Some("1"), &file, &[]), &Progress::none()).await.unwrap_err();
    let plan = b.storage.plan_gc(None, NOW).await.unwrap();
    assert_eq!((plan.without_manifest.len(), plan.abandoned.len()), (1, 0), "{plan:?}");
    collect(&b).await;
    assert_eq!(b.get("m/v1/w.bin").await, b"weights");
    // Pushing the same files again repairs it.
    publish(&b, "1", "w.bin", b"weights").await.unwrap();
    assert!(b.storage.fsck(None, false).await.unwrap().faults.is_empty());
}

/// A push under the name of a version that lost its manifest would hide the files that it does not have.
pub(crate) async fn a_version_that_lost_its_manifest_is_not_published_over(b: Backend) {
    for at in ["1", "2"] {
        let (file, more) = (b.file("old/w.bin", b"weights"), b.file("old/h.json", b"{}"));
        b.storage.push(push("m", Some(at), &file, &[more]), &Progress::none()).await.unwrap();
    }
    b.client().delete_object(b.bucket(), "m/v1/manifest.json").await.unwrap();
    let before = b.keys().await;
    // None of its files; some of them; one with other content.
    let (w, h) = (b.file("same/w.bin", b"weights"), b.file("other/w.bin", b"other weights"));
    for (file, left) in [(b.file("small.json", b"{}"), "`h.json`, `w.bin`"), (w, "`h.json`"), (h, "`h.json`")] {
        let refused = b.storage.push(push("m", Some("1"), &file, &[]), &Progress::none()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Conflict);
        let text = refused.to_string();
        assert!(text.contains("`m@1` was already published") && text.contains(left), "{text}");
        assert!(matches!(refused.advice(None), Some(Advice::RestoreVersion)), "{refused:?}");
        let offer = Offer::new(model("m"), [OfferedFile::new("sent.bin".parse().unwrap(), 3)]).version(version("1"));
        let begun = b.storage.begin_upload(offer.main("sent.bin".parse().unwrap()).tool("tests")).await;
        assert_eq!(begun.unwrap_err().kind(), ErrorKind::Conflict);
    }
    let (file, more) = (b.file("changed/w.bin", b"other weights"), b.file("changed/h.json", b"{}"));
    let request = push("m", Some("1"), &file, std::slice::from_ref(&more));
    let refused = b.storage.push(request, &Progress::none()).await.unwrap_err();
    assert!(
        refused.to_string().contains("`m@1` was already published, with other files than this push has: `w.bin`"),
        "{refused}"
    );
    assert_eq!((b.get("m/v1/w.bin").await, b.get("m/v1/h.json").await), (b"weights".to_vec(), b"{}".to_vec()));
    let objects = |keys: Vec<String>| keys.into_iter().filter(|key| key.starts_with("m/")).collect::<Vec<_>>();
    assert_eq!(objects(b.keys().await), objects(before), "something was stored");
    // The same files restore it.
    let (file, more) = (b.file("old/w.bin", b"weights"), b.file("old/h.json", b"{}"));
    b.storage.push(push("m", Some("1"), &file, &[more]), &Progress::none()).await.unwrap();
    let report = b.storage.fsck(None, true).await.unwrap();
    assert!(report.faults.is_empty() && report.leftovers.is_empty(), "{report:?}");
}

/// Files of an unfinished push would stay beside those of another one for ever.
pub(crate) async fn a_push_beside_the_files_of_an_unfinished_one_is_refused(b: Backend) {
    b.put_own("m/v1/old.bin", b"of a push that died").await;
    b.put("m/v1/notes.txt", b"somebody's").await;
    let refused = publish(&b, "1", "w.bin", b"weights").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    let text = refused.to_string();
    assert!(text.starts_with("an unfinished push of `m@1`") && text.ends_with("`old.bin`"), "{text}");
    assert!(matches!(refused.advice(None), Some(Advice::FinishPush)), "{refused:?}");
    assert!(!b.keys().await.contains(&"m/v1/w.bin".to_owned()));
    // Those of another tool are no obstacle, and `fsck` names what stands beside the files of a version.
    publish(&b, "2", "w.bin", b"weights").await.unwrap();
    b.put("m/v2/notes.txt", b"somebody's").await;
    b.put_own("m/v2/old.bin", b"of a push that died").await;
    let report = b.storage.fsck(None, false).await.unwrap();
    assert!(report.faults.is_empty(), "{report:?}");
    let left: Vec<_> = report.leftovers.iter().flat_map(|left| &left.objects).map(|object| &object.key[..]).collect();
    assert_eq!(left, ["m/v2/old.bin"]);
}

/// A push that fails by itself does leave evidence, and its files are removed.
pub(crate) async fn a_push_that_failed_is_known_by_its_record(b: Backend) {
    let (a, z) = (b.file("f/a.bin", b"first"), b.file("f/z.bin", b"second"));
    let request = push("m", Some("1"), &a, std::slice::from_ref(&z));
    fs::write(&z, b"it has changed since").unwrap();
    b.storage.push(request, &Progress::none()).await.unwrap_err();
    let stored = b.keys().await.contains(&"m/v1/a.bin".to_owned());
    let plan = b.storage.plan_gc(None, NOW).await.unwrap();
    assert_eq!((plan.without_manifest.len(), plan.abandoned.len()), (0, usize::from(stored)), "{plan:?}");
    assert!(b.storage.fsck(None, false).await.unwrap().faults.is_empty());
}

pub(crate) async fn uploads_that_others_began_are_left_and_not_resumed(b: Backend) {
    cut_off_upload(&b, "m/v1/m.bin").await;
    let plan = b.storage.plan_gc(None, NOW).await.unwrap();
    assert!(plan.uploads.is_empty() && plan.foreign_uploads.len() == 1, "{plan:?}");
    b.storage.gc(&plan).await.unwrap();
    let uploads = async || b.client().list_multipart_uploads(b.bucket(), "m/v1/m.bin").await.unwrap();
    assert_eq!(uploads().await.len(), 1);
    // A push does not take its parts either, though it could resume an upload of its own.
    let file = b.file("m.bin", &bytes(40 << 20, 9));
    let mut request = push("m", Some("1"), &file, &[]);
    request.state_folder = Some(b.path("state"));
    let published = b.storage.push(request, &Progress::none()).await.unwrap();
    assert_eq!((published.kept, uploads().await.len()), (0, 1));
    // A record that names the key but not the upload does not make it ours.
    let records = b.client().list_objects(b.bucket(), ".depot/uploads/").await.unwrap();
    assert_eq!(records, []);
    let other = ".depot/uploads/m/1/0192f0c1-0000-7000-8000-000000000000.json";
    b.put(other, br#"{"paths": ["m.bin"], "uploads": ["another"]}"#).await;
    collect(&b).await;
    assert_eq!(uploads().await.len(), 1);
    let file = b.file("m.bin", &bytes(20 << 20, 9));
    b.storage.push(push("m", Some("2"), &file, &[]), &Progress::none()).await.unwrap();
    let records = b.client().list_objects(b.bucket(), ".depot/uploads/m/2/").await.unwrap();
    assert_eq!(records, [], "a push that ends well leaves no record");
}

pub(crate) async fn plain_verbs_leave_published_versions_alone(b: Backend) {
    publish(&b, "1", "w.bin", b"weights").await.unwrap();
    publish(&b, "2", "w.bin", b"weights").await.unwrap();
    publish(&b, "3", "w.bin", b"weights").await.unwrap();
    b.storage.delete(&model("m"), &version("2")).await.unwrap();
    b.put("m/v1/notes.onnx", b"somebody's").await;
    b.put("m/v3/manifest.json", b"damaged").await;
    let refused = async |key: &str, change| match b
        .storage
        .refuse_change(b.bucket(), &b.storage.prefix().whole(key), change)
        .await
    {
        Ok(()) => false,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
            true
        }
    };
    use Change::{Delete, Store};
    for (key, change) in [
        ("m/v1/w.bin", Delete),
        ("m/v1/w.bin", Store),
        ("m/v1/manifest.json", Delete),
        ("m/v1/manifest.json", Store),
        ("m/v1/new.txt", Store),
        // Keys that cannot be files, but are under a published version all the same.
        ("m/v1/.modeldepot-evil", Store),
        ("m/v1/a//b", Store),
        ("m/v1/sub\\x", Store),
        ("m/v1/sub/", Store),
        ("m/v3/w.bin", Delete),
        ("m/v4/manifest.json", Store),
        (".depot/tombstones/m/2.json", Delete),
        (".depot/future/x", Store),
    ] {
        assert!(refused(key, change).await, "{key} {change:?}");
    }
    for (key, change) in [
        ("m/v1/notes.onnx", Delete),
        ("m/v1/a//b", Delete),
        ("m/v4/a//b", Store),
        ("m/v2/w.bin", Store),
        ("m/v4/w.bin", Store),
        ("m/v4/w.bin", Delete),
        ("m/notes.txt", Delete),
        ("readme.txt", Store),
    ] {
        assert!(!refused(key, change).await, "{key} {change:?}");
    }
    let other = b.settings.buckets.data.clone().unwrap();
    b.storage.refuse_change(&other, "m/v1/w.bin", Store).await.unwrap();
}

pub(crate) async fn a_manifest_that_modeldepot_did_not_write_is_left(b: Backend) {
    const THEIRS: &[u8] = br#"{"name": "My PWA"}"#;
    b.put("webapp/v1/manifest.json", THEIRS).await;
    b.put("webapp/v1/icon.png", b"icon").await;
    let before = b.keys().await;
    let error = b.storage.delete(&model("webapp"), &version("1")).await.unwrap_err();
    assert!(matches!(error.advice(None), Some(Advice::DeleteObjects { .. })), "{error:?}");
    assert_eq!((error.kind(), b.keys().await), (ErrorKind::Conflict, before), "and its name is not retired");
    for key in ["webapp/v1/manifest.json", "webapp/v1/icon.png"] {
        b.storage.refuse_change(b.bucket(), key, Change::Delete).await.unwrap();
    }
    // Nor is an object removed that was stored under the name of a deleted version, or over its manifest.
    publish(&b, "1", "w.bin", b"weights").await.unwrap();
    publish(&b, "2", "w.bin", b"weights").await.unwrap();
    b.storage.delete(&model("m"), &version("1")).await.unwrap();
    for at in ["1", "2"] {
        b.put(&format!("m/v{at}/manifest.json"), THEIRS).await;
        let deleted = b.storage.delete(&model("m"), &version(at)).await.unwrap();
        assert_eq!(deleted.foreign.paths, ["manifest.json"]);
    }
    collect(&b).await;
    for at in ["1", "2"] {
        assert_eq!(b.get(&format!("m/v{at}/manifest.json")).await, THEIRS);
    }
    assert!(!b.keys().await.contains(&"m/v2/w.bin".to_owned()), "what is marked is gone");
}

pub(crate) async fn a_push_that_is_refused_leaves_no_parts(b: Backend) {
    b.put("m/v1/zz.txt", b"somebody's").await;
    let (large, small) = (b.file("model.safetensors", &bytes(20 << 20, 3)), b.file("zz.txt", b"ours"));
    let mut request = push("m", Some("1"), &large, &[small]);
    request.state_folder = Some(b.path("state"));
    let error = b.storage.push(request, &Progress::none()).await.unwrap_err();
    assert!(matches!(error.advice(None), Some(Advice::MoveObject)), "{error:?}");
    assert_eq!(b.client().list_multipart_uploads(b.bucket(), "m/v1/model.safetensors").await.unwrap(), []);
    assert_eq!(b.keys().await, ["m/v1/zz.txt"]);
}

/// Memory and time of one listing are bounded by the bucket, not by a single foreign object.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_of_another_tool_may_be_of_any_size() {
    let b = Backend::embedded().await;
    publish(&b, "1", "w.bin", b"weights").await.unwrap();
    b.put("other/v1/manifest.json", &vec![b' '; (64 << 20) + 1]).await;
    let report = b.storage.fsck(None, false).await.unwrap();
    assert_eq!((report.versions, report.faults.len()), (2, 1));
    assert!(matches!(&report.faults[0].error, Error::Manifest { .. }), "{:?}", report.faults);
    let error = b.storage.describe(&"other@1".parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, Error::Manifest { .. }), "{error:?}");
    assert_eq!(b.storage.models().await.unwrap().len(), 2);
}

pub(crate) async fn unknown_models_are_not_in_order(b: Backend) {
    publish(&b, "1", "w.bin", b"weights").await.unwrap();
    b.put("only/v1/foreign.bin", b"x").await;
    b.put("stray/readme.txt", b"x").await;
    let unknown = model("mm");
    for error in [
        b.storage.fsck(Some(&unknown), false).await.unwrap_err(),
        b.storage.plan_gc(Some(&unknown), NOW).await.unwrap_err(),
    ] {
        assert!(matches!(&error, Error::ModelNotFound { similar, .. } if *similar == [model("m")]), "{error:?}");
    }
    b.storage.delete(&model("m"), &version("1")).await.unwrap();
    for known in ["m", "only", "stray"] {
        assert_eq!(b.storage.fsck(Some(&model(known)), false).await.unwrap().versions, 0);
        b.storage.plan_gc(Some(&model(known)), NOW).await.unwrap();
    }
}

pub(crate) async fn a_model_whose_versions_are_deleted_has_none(b: Backend) {
    publish(&b, "1", "w.bin", b"weights").await.unwrap();
    b.storage.delete(&model("m"), &version("1")).await.unwrap();
    assert_eq!(b.storage.versions(&model("m")).await.unwrap(), []);
    assert_eq!(b.storage.models().await.unwrap(), []);
    for never in ["n", "mm"] {
        let error = b.storage.versions(&model(never)).await.unwrap_err();
        assert!(matches!(error, Error::ModelNotFound { .. }), "{error:?}");
    }
    let described = b.storage.describe(&"m".parse().unwrap()).await.unwrap_err();
    for error in [described, b.storage.latest(&model("m")).await.unwrap_err(), b.pull("m", "out").await.unwrap_err()] {
        assert_eq!(
            (error.kind(), &*error.to_string()),
            (ErrorKind::NotFound, "all versions of model `m` were deleted")
        );
    }
    // Nor does a model not exist whose only version has lost its manifest.
    let file = b.file("l.bin", b"lost");
    b.storage.push(push("lost", Some("1"), &file, &[]), &Progress::none()).await.unwrap();
    b.client().delete_object(b.bucket(), "lost/v1/manifest.json").await.unwrap();
    let error = b.storage.versions(&model("lost")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
    assert!(error.to_string().starts_with("the manifest of `lost@1` is missing"), "{error}");
    let other = b.storage.describe(&"lost@2".parse().unwrap()).await.unwrap_err();
    assert!(matches!(other, Error::VersionNotFound { .. }), "{other:?}");
}

pub(crate) async fn missing_files_show_in_every_view(b: Backend) {
    let (file, with) = (b.file("w.bin", b"weights"), b.file("h.json", b"{}"));
    for at in ["1-whole", "2-all-gone", "3-one-gone"] {
        b.storage.push(push("m", Some(at), &file, std::slice::from_ref(&with)), &Progress::none()).await.unwrap();
    }
    for key in ["m/v2-all-gone/w.bin", "m/v2-all-gone/h.json", "m/v3-one-gone/h.json"] {
        b.client().delete_object(b.bucket(), key).await.unwrap();
    }
    // Also for a client that has read nothing yet.
    for storage in [ModelStorage::open(&b.settings).await.unwrap(), b.storage.clone()] {
        let versions = storage.versions(&model("m")).await.unwrap();
        assert_eq!(versions.iter().map(|v| v.damaged).collect::<Vec<_>>(), [false, true, true]);
        let models = storage.models().await.unwrap();
        assert_eq!((models[0].damaged, models[0].latest_damaged), (2, true));
        assert_eq!(models[0].latest, version("3-one-gone"), "never silently an older one");
    }
    // Also only the list of models, for a client that has read nothing yet.
    let fresh = ModelStorage::open(&b.settings).await.unwrap().models().await.unwrap();
    assert_eq!((fresh[0].damaged, fresh[0].latest_damaged), (2, true));
    let found = b.storage.describe(&"m@2-all-gone".parse().unwrap()).await.unwrap();
    assert_eq!(found.damaged.iter().filter(|file| file.found.is_none()).count(), 2);
    let error = b.pull("m@2-all-gone", "out").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert_eq!(error.to_string(), "`h.json`, `w.bin` of `m@2-all-gone` are missing from the bucket");
    let error = b.pull("m", "out").await.unwrap_err();
    assert!(error.to_string().starts_with("`h.json` of ") && error.to_string().contains("is missing"), "{error:?}");
    assert!(!b.path("out").exists(), "nothing is fetched of it");
    assert_eq!(b.storage.fsck(Some(&model("m")), false).await.unwrap().faults.len(), 3);
}

pub(crate) async fn a_push_never_replaces_another_tools_object(b: Backend) {
    b.put("m/v1/w.bin", b"somebody's").await;
    let error = publish(&b, "1", "w.bin", b"weights").await.unwrap_err();
    assert!(error.to_string().starts_with("`w.bin` of ") && error.to_string().contains("another tool's"), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(b.get("m/v1/w.bin").await, b"somebody's");
}

/// Whatever a bucket contains, gc and deletes remove only what is known to be modeldepot's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_foreign_is_ever_removed() {
    let b = Backend::embedded().await;
    let mut random = fastrand::Rng::with_seed(20_251_126);
    for round in 0..12 {
        let name = format!("r{round}");
        let key = |random: &mut fastrand::Rng| {
            let at = random.u8(1..5);
            let path = ["w.bin", "sub/w.bin", "manifest.json.bak", "sub/", "a b", "manifest.json/x", "ü"];
            let path = path[random.usize(..path.len())];
            match random.u8(..10) {
                0 => format!("{name}/{path}"),
                1 => format!("{name}/{at}/{path}"),
                2 => format!(".depot/later/{name}/{path}"),
                _ => format!("{name}/v{at}/{path}"),
            }
        };
        let mut foreign = BTreeSet::new();
        for _ in 0..8 {
            let key = key(&mut random);
            b.put(&key, b"somebody's").await;
            foreign.insert(key);
        }
        // Versions published over some of it, some of them deleted; and a dead push.
        let file = b.file("only-ours.bin", name.as_bytes());
        for at in ["1", "2", "3"] {
            b.storage.push(push(&name, Some(at), &file, &[]), &Progress::none()).await.unwrap();
        }
        for key in [key(&mut random), key(&mut random)] {
            b.put(&key, b"somebody's, later").await;
            foreign.insert(key);
        }
        b.put_own(&format!("{name}/v4/orphan.bin"), b"ours").await;
        b.storage.delete(&model(&name), &version("1")).await.unwrap();
        if random.bool() {
            b.put(&format!("{name}/v2/manifest.json"), b"damaged").await;
        }
        b.storage.delete(&model(&name), &version("2")).await.unwrap();
        collect(&b).await;
        let left: BTreeSet<String> = b.keys().await.into_iter().collect();
        let lost: Vec<_> = foreign.difference(&left).collect();
        assert!(lost.is_empty(), "round {round}: {lost:?}");
        for gone in
            [format!("{name}/v1/only-ours.bin"), format!("{name}/v2/only-ours.bin"), format!("{name}/v4/orphan.bin")]
        {
            assert!(!left.contains(&gone), "round {round}: {gone} is left");
        }
        assert!(fs::exists(b.path("only-ours.bin")).unwrap());
        b.storage.verify(&format!("{name}@3").parse().unwrap(), &Progress::none()).await.unwrap();
    }
}

/// A repeated push that reports success promises that the version can be fetched.
pub(crate) async fn a_push_over_a_damaged_version_says_so(b: Backend) {
    let (file, more) = (b.file("w.bin", b"weights"), b.file("h.json", b"{}"));
    b.storage.push(push("m", Some("1"), &file, std::slice::from_ref(&more)), &Progress::none()).await.unwrap();
    b.client().delete_object(b.bucket(), "m/v1/h.json").await.unwrap();
    let error = b.storage.push(push("m", Some("1"), &file, &[more]), &Progress::none()).await.unwrap_err();
    assert!(error.to_string().contains("is missing from the bucket"), "{error:?}");
    assert_eq!(error.advice(None), Some(Advice::VersionIsDamaged));
    // A reader is told to use another version, and gets no link to a file that is not there.
    let pulled = b.pull("m@1", "out").await.unwrap_err();
    assert!(matches!(pulled.advice(None), Some(Advice::AvoidDamaged { model: Some(_) })), "{pulled:?}");
    let link = async |file: &str| {
        let (file, life) = (file.parse().unwrap(), std::time::Duration::from_secs(60));
        b.storage.presign(&"m@1".parse().unwrap(), Some(&file), modeldepot::s3::PresignedMethod::Get, life).await
    };
    assert_eq!(link("h.json").await.unwrap_err().kind(), ErrorKind::Corrupt);
    link("w.bin").await.unwrap();
    let deleted = b.storage.delete(&model("m"), &version("1")).await.unwrap();
    assert_eq!((deleted.files, deleted.already), (1, false));
    assert!(b.storage.delete(&model("m"), &version("1")).await.unwrap().already);
}
