//! `modeldepot gc`.

use modeldepot::s3::{ListedObject, UnfinishedUpload};
use modeldepot::{Collected, GcPlan, Kept, KeptWhy, Orphans};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::{Context, kept_as_versions, note_kept, rfc3339};
use crate::args::GcArgs;
use crate::config;
use crate::error::Error;
use crate::ui::{BOLD, DIM, GOOD, HINT, ago, clean, date, plural, size, styled};

/// The most lines shown of one kind; the rest is counted.
const SCREENFUL: usize = 20;

pub(crate) async fn run(args: GcArgs, cx: &Context<'_>) -> Result<(), Error> {
    let grace = Duration::try_from(args.grace.0).unwrap_or(Duration::MAX);
    let storage = cx.storage().await?;
    let bar = cx.ui.bar("listing");
    let plan = storage.plan_gc(args.model.as_ref(), grace).await?;
    drop(bar);
    if !cx.ui.json {
        lines(&plan, config::now()).iter().try_for_each(|line| cx.ui.answer(line))?;
    }
    let collected = if args.delete && !plan.is_empty() {
        let bar = cx.ui.bar("deleting");
        let collected = storage.gc(&plan).await?;
        drop(bar);
        Some(collected)
    } else {
        None
    };
    let kept = collected.is_some_and(|collected| collected.objects > 0) && kept_as_versions(&storage).await;
    if cx.ui.json {
        return cx.ui.answer_json(&to_json(&plan, grace, args.delete, collected, kept));
    }
    if let Some(collected) = collected {
        told(&plan, collected).iter().try_for_each(|line| cx.ui.answer(line))?;
        if kept {
            note_kept(&storage, cx);
        }
        return Ok(());
    }
    if plan.is_empty() {
        return cx.ui.answer("nothing to delete");
    }
    cx.ui.note(format_args!("{} nothing was deleted; pass --delete to delete these objects", styled(HINT, "dry run:")));
    Ok(())
}

/// Returns the plan for display.
fn lines(plan: &GcPlan, now: OffsetDateTime) -> Vec<String> {
    let mut lines = Vec::new();
    let age = |time: Option<OffsetDateTime>| match time {
        Some(time) => format!("last modified {}", ago(time, now)),
        None => "unknown age".to_owned(),
    };
    let orphans = |orphans: &Orphans| {
        let what = format!("{}, {}", plural(orphans.objects.len(), "file"), size(orphans.bytes()));
        format!("{}@{}  {what}, {}", orphans.model, orphans.version, age(youngest(&orphans.objects)))
    };
    section(&mut lines, "orphans of failed pushes", plan.abandoned.iter().map(orphans), "version");
    let lost = plan.without_manifest.iter().map(orphans);
    section(&mut lines, "published, but the manifest is missing: not deleted", lost, "version");
    section(&mut lines, "remaining objects of deleted versions", plan.deleted.iter().map(orphans), "version");
    let upload = |upload: &UnfinishedUpload| {
        let begun = upload.begun.map_or_else(|| "at an unknown time".to_owned(), |time| ago(time, now));
        format!("{}  started {begun}", clean(&upload.key))
    };
    section(&mut lines, "unfinished uploads", plan.uploads.iter().map(upload), "upload");
    let record = |record: &ListedObject| format!("{}  {}", clean(&record.key), age(record.modified));
    section(&mut lines, "records that are no longer needed", plan.records.iter().map(record), "record");
    section(
        &mut lines,
        "under a version, but not created by modeldepot: not deleted",
        plan.foreign.iter().map(orphans),
        "version",
    );
    let foreign = plan.foreign_uploads.iter().map(upload);
    section(&mut lines, "unfinished uploads not started by modeldepot: not deleted", foreign, "upload");
    section(
        &mut lines,
        "not created by modeldepot: not deleted",
        plan.unknown.iter().map(|key| clean(key).into_owned()),
        "key",
    );
    let kept = plan.kept.iter().map(|kept| {
        let until =
            kept.until.map_or_else(|| "at an unknown time".to_owned(), |until| format!("at {}", date(Some(until))));
        format!("{}  {until}: {}", clean(&kept.key), why(kept))
    });
    section(&mut lines, "kept for now; may be deleted", kept, "object or upload");
    lines
}

/// Returns why something is kept.
fn why(kept: &Kept) -> &'static str {
    match kept.why {
        KeptWhy::Push => "a push of the version may be in progress, and renews its lease",
        KeptWhy::Grace => "younger than the grace period",
        KeptWhy::Record => "the program that wrote this record may still be running",
    }
}

fn why_word(kept: &Kept) -> &'static str {
    match kept.why {
        KeptWhy::Push => "push",
        KeptWhy::Grace => "grace",
        KeptWhy::Record => "record",
    }
}

fn section(lines: &mut Vec<String>, title: &str, items: impl ExactSizeIterator<Item = String>, noun: &str) {
    let count = items.len();
    if count == 0 {
        return;
    }
    lines.push(format!("{} ({count})", styled(BOLD, title)));
    lines.extend(items.take(SCREENFUL).map(|item| format!("  {item}")));
    if count > SCREENFUL {
        lines.push(styled(
            DIM,
            format_args!(
                "  … and {} more; --json lists all",
                plural(count - SCREENFUL, noun).replace("object or uploads", "objects or uploads")
            ),
        ));
    }
}

/// Returns the result of carrying out a plan, for display.
fn told(plan: &GcPlan, collected: Collected) -> Vec<String> {
    let Collected { objects, bytes, uploads, spared, .. } = collected;
    let removed = format!("{}, {}; {} aborted", plural(objects, "object"), size(bytes), plural(uploads, "upload"));
    let mut lines = vec![format!("{} {removed}", styled(GOOD, "deleted"))];
    if spared > 0 {
        lines.push(format!("kept {}: in progress or published by now", plural(spared, "version or upload")));
    }
    let retired: Vec<String> = plan.abandoned.iter().map(|gone| format!("{}@{}", gone.model, gone.version)).collect();
    if !retired.is_empty() && spared == 0 {
        let more = if retired.len() > SCREENFUL { ", …" } else { "" };
        let names = retired.iter().take(SCREENFUL).map(String::as_str).collect::<Vec<_>>().join(", ");
        lines.push(format!("names that cannot be used again: {names}{more}"));
    } else if retired.len() > spared {
        lines.push("the names of the deleted versions cannot be used again".to_owned());
    }
    lines
}

fn youngest(objects: &[ListedObject]) -> Option<OffsetDateTime> {
    objects.iter().filter_map(|object| object.modified).max()
}

fn to_json(plan: &GcPlan, grace: Duration, delete: bool, collected: Option<Collected>, kept: bool) -> Value {
    let orphans = |list: &[Orphans]| -> Vec<Value> {
        let one = |orphans: &Orphans| {
            json!({
                "model": orphans.model,
                "version": orphans.version,
                "files": orphans.objects.len(),
                "bytes": orphans.bytes(),
                "last_written": rfc3339(youngest(&orphans.objects)),
                "keys": orphans.objects.iter().map(|object| &object.key).collect::<Vec<_>>(),
            })
        };
        list.iter().map(one).collect()
    };
    let uploads = |list: &[UnfinishedUpload]| -> Vec<Value> {
        let one = |upload: &UnfinishedUpload| json!({"key": upload.key, "upload_id": upload.upload_id, "begun": rfc3339(upload.begun)});
        list.iter().map(one).collect()
    };
    let records: Vec<Value> = plan
        .records
        .iter()
        .map(|record| json!({"key": record.key, "last_written": rfc3339(record.modified)}))
        .collect();
    let collected = collected.map(|collected| {
        json!({
            "objects": collected.objects,
            "bytes": collected.bytes,
            "uploads": collected.uploads,
            "spared": collected.spared,
        })
    });
    json!({
        "dry_run": !delete,
        "grace_seconds": grace.whole_seconds(),
        "abandoned": orphans(&plan.abandoned),
        "deleted": orphans(&plan.deleted),
        "without_manifest": orphans(&plan.without_manifest),
        "uploads": uploads(&plan.uploads),
        "records": records,
        "kept": plan.kept.iter().map(|kept| json!({
            "key": kept.key, "why": why_word(kept), "until": rfc3339(kept.until),
        })).collect::<Vec<_>>(),
        "foreign": orphans(&plan.foreign),
        "foreign_uploads": uploads(&plan.foreign_uploads),
        "unknown": plan.unknown,
        "removed": collected,
        "kept_as_versions": kept,
    })
}
