//! `modeldepot key`.

use modeldepot_embedded::{Grant, Keys};
use serde_json::json;

use super::Context;
use crate::args::{KeyArgs, KeyCommand};
use crate::config;
use crate::error::Error;
use crate::ui::Table;

pub(crate) fn run(args: KeyArgs, cx: &Context<'_>) -> Result<(), Error> {
    let hint = "pass --keys FILE, or set MODELDEPOT_KEYS";
    let missing = || Error::Usage { message: "no key file is set".to_owned(), hint };
    let path = config::keys(args.keys)?.ok_or_else(missing)?;
    match args.command {
        KeyCommand::Add { name, grant } => {
            let key = Keys::add(&path, &name, grant)?;
            cx.ui.note("the secret key is shown only once");
            if cx.ui.json {
                let told = json!({
                    "name": key.name,
                    "access_key": key.access_key,
                    "secret_key": key.secret_key(),
                    "buckets": written(&key.grants),
                });
                return cx.ui.answer_json(&told);
            }
            cx.ui.answer(format_args!("S3_ACCESS_KEY={}", key.access_key))?;
            cx.ui.answer(format_args!("S3_SECRET_KEY={}", key.secret_key()))
        }
        KeyCommand::List => {
            let keys = Keys::read(&path)?;
            if cx.ui.json {
                let row = |key: &modeldepot_embedded::Key| json!({"name": key.name, "access_key": key.access_key, "buckets": written(&key.grants)});
                return cx.ui.answer_json(&keys.iter().map(row).collect::<Vec<_>>());
            }
            let mut table = Table::new(&["NAME", "ACCESS KEY", "BUCKETS"]);
            for key in keys.iter() {
                table.row([key.name.clone(), key.access_key.clone(), written(&key.grants).join(" ")]);
            }
            table.lines().iter().try_for_each(|line| cx.ui.answer(line))
        }
        KeyCommand::Rm { name } => {
            Keys::remove(&path, &name)?;
            match cx.ui.json {
                true => cx.ui.answer_json(&json!({"revoked": name})),
                false => cx.ui.answer(format_args!("revoked {name}")),
            }
        }
    }
}

fn written(grants: &[Grant]) -> Vec<String> {
    grants.iter().map(Grant::to_string).collect()
}
