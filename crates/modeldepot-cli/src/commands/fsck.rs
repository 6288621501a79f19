//! `modeldepot fsck`.

use std::collections::BTreeSet;

use modeldepot::advice::Advice;
use modeldepot::{ArtifactPath, ErrorKind, Fault, ModelName, Orphans, Version};
use serde_json::{Value, json};

use super::Context;
use crate::args::FsckArgs;
use crate::error::Error;
use crate::ui::{BAD, BOLD, GOOD, WARN, clean, named, plural, size, some, styled};

pub(crate) async fn run(args: FsckArgs, cx: &Context<'_>) -> Result<(), Error> {
    let storage = cx.storage().await?;
    let bar = cx.ui.bar(if args.deep { "reading" } else { "checking" });
    let report = storage.fsck(args.model.as_ref(), args.deep).await?;
    let pace = bar.pace(report.bytes);
    drop(bar);

    let versions = |faults: &mut dyn Iterator<Item = &Fault>| -> BTreeSet<(ModelName, Version)> {
        faults.map(|fault| (fault.model.clone(), fault.version.clone())).collect()
    };
    // A version of a newer layout is reported as damaged: this program cannot tell.
    let passing = |fault: &&Fault| matches!(fault.error.kind(), ErrorKind::Unavailable | ErrorKind::Denied);
    let unread = versions(&mut report.faults.iter().filter(passing));
    let damaged = versions(&mut report.faults.iter().filter(|fault| !passing(fault)));
    let (unread, damaged) = (unread.difference(&damaged).count(), damaged.len());
    if cx.ui.json {
        let faults: Vec<Value> = report.faults.iter().map(fault_json).collect();
        cx.ui.answer_json(&json!({
            "versions": report.versions,
            "files": report.files,
            "bytes": report.bytes,
            "deep": args.deep,
            "unverified": report.unverified,
            "damaged_versions": damaged,
            "unread_versions": unread,
            "faults": faults,
            "leftovers": report.leftovers.iter().map(leftovers_json).collect::<Vec<Value>>(),
        }))?;
    } else {
        for fault in &report.faults {
            let name = styled(BOLD, format_args!("{}@{}", fault.model, fault.version));
            cx.ui.answer(format_args!("{} {name}: {}", styled(BAD, "✗"), clean(&fault.error.to_string())))?;
            for cause in modeldepot::causes(&fault.error) {
                cx.ui.answer(format_args!("    caused by: {}", clean(&cause)))?;
            }
        }
        for left in &report.leftovers {
            let name = format!("{}@{}", left.model, left.version);
            cx.ui.answer(format_args!("{} {}: {}", styled(WARN, "!"), styled(BOLD, &name), beside(left)))?;
        }
        let looked = format!("{}, {}", plural(report.versions, "version"), plural(report.files, "file"));
        let read = match args.deep {
            true => format!(", {} read in {pace}", size(report.bytes)),
            false => "; sizes only, --deep reads the files".to_owned(),
        };
        if report.versions == 0 {
            cx.ui.answer("no versions")?;
        } else if report.faults.is_empty() {
            // Files without a published digest cannot be called intact.
            let depth = if args.deep && report.unverified == 0 { "intact" } else { "complete" };
            cx.ui.answer(format_args!("{} {depth}: {looked}{read}", styled(GOOD, "✓")))?;
            if report.unverified > 0 {
                let files = plural(report.unverified, "file");
                cx.ui.answer(format_args!("{} {files} without a published digest: not verified", styled(WARN, "!")))?;
            }
        } else {
            let (versions, files) = (plural(report.versions, "version"), plural(report.files, "file"));
            let unread = if unread > 0 { format!(", {unread} could not be read") } else { String::new() };
            cx.ui.answer(format_args!("{damaged} of {versions} damaged{unread}; {files}{read}"))?;
        }
    }
    let faults = report.faults.len();
    let restores = |fault: &&Fault| matches!(fault.error.advice(None), Some(Advice::RestoreManifest { .. }));
    let lost = report.faults.iter().filter(restores).count();
    let corrupt = report.faults.iter().map(|fault| fault.error.kind()).find(|kind| *kind == ErrorKind::Corrupt);
    match (report.faults.first(), corrupt) {
        (None, _) => Ok(()),
        // Versions of a newer format are not damaged; this program is too old to check them.
        (Some(first), corrupt) => Err(Error::Faults { faults, lost, kind: corrupt.unwrap_or(first.error.kind()) }),
    }
}

/// Describes objects of other pushes beside the files of a version.
fn beside(left: &Orphans) -> String {
    let objects = plural(left.objects.len(), "object");
    format!("{objects} of another push beside its files, {}: {}", size(left.bytes()), named(&paths(left)))
}

/// Returns the objects' paths below the version's prefix.
fn paths(left: &Orphans) -> Vec<ArtifactPath> {
    left.objects.iter().filter_map(|object| object.key.splitn(3, '/').nth(2)?.parse().ok()).collect()
}

fn leftovers_json(left: &Orphans) -> Value {
    json!({ "model": left.model, "version": left.version, "paths": some(&paths(left)), "bytes": left.bytes() })
}

fn fault_json(fault: &Fault) -> Value {
    json!({
        "model": fault.model,
        "version": fault.version,
        "kind": fault.error.kind().word(),
        "message": fault.error.to_string(),
        "causes": modeldepot::causes(&fault.error),
    })
}
