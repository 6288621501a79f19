//! `modeldepot token`.

use std::path::Path;
use std::time::Duration;

use modeldepot::units;
use modeldepot_server::{Token, Tokens, last_used, tokens_warning};
use serde_json::json;
use time::OffsetDateTime;

use super::{Context, rfc3339};
use crate::args::{Lifetime, TokenArgs, TokenCommand};
use crate::config;
use crate::error::Error;
use crate::ui::{HINT, Table, styled};

pub(crate) fn run(args: TokenArgs, cx: &Context<'_>) -> Result<(), Error> {
    let hint = "pass --tokens FILE, or set MODELDEPOT_TOKENS";
    let missing = || Error::Usage { message: "no token file is set".to_owned(), hint };
    let path = config::tokens(args.tokens)?.ok_or_else(missing)?;
    if let Some(warning) = tokens_warning(&path) {
        cx.ui.note(format_args!("{} {warning}", styled(HINT, "warning:")));
    }
    let now = config::now();
    match args.command {
        TokenCommand::Add { name, scope, expires } => {
            let expires = expires.map(|life| after(life, now)).transpose()?;
            let token = Tokens::add_until(&path, &name, scope.clone(), expires)?;
            cx.ui.note("the token is shown only once");
            match cx.ui.json {
                true => {
                    let grants = scope.to_string();
                    cx.ui.answer_json(
                        &json!({"name": name, "grants": grants, "expires": rfc3339(expires), "token": token}),
                    )
                }
                false => cx.ui.answer(token),
            }
        }
        TokenCommand::List => list(&path, cx),
        TokenCommand::Rotate { name, grace, expires } => {
            let expires = expires.map(|life| after(life, now)).transpose()?;
            let grace = grace.map_or(Duration::ZERO, |grace| grace.0);
            let token = Tokens::rotate(&path, &name, grace, expires)?;
            cx.ui.note("the token is shown only once");
            match cx.ui.json {
                true => cx.ui.answer_json(&json!({"name": name, "token": token})),
                false => cx.ui.answer(token),
            }
        }
        TokenCommand::Rm { name } => {
            Tokens::remove(&path, &name)?;
            match cx.ui.json {
                true => cx.ui.answer_json(&json!({"revoked": name})),
                false => cx.ui.answer(format_args!("revoked {name}")),
            }
        }
    }
}

fn list(path: &Path, cx: &Context<'_>) -> Result<(), Error> {
    let now = config::now();
    let (tokens, used) = (Tokens::read(path)?, last_used(path));
    // An earlier use was of another token with the same name.
    let used = |token: &Token| used.get(&token.name).copied().filter(|used| token.created.is_none_or(|it| *used >= it));
    if cx.ui.json {
        let rows = tokens.iter().map(|token| {
            json!({
                "name": token.name,
                "grants": token.grants.to_string(),
                "created": rfc3339(token.created),
                "expires": rfc3339(token.expires),
                "expired": token.is_expired(now),
                "old_secret_until": rfc3339(token.grace(now)),
                "last_used": rfc3339(used(token)),
            })
        });
        return cx.ui.answer_json(&rows.collect::<Vec<_>>());
    }
    let mut columns = vec!["NAME", "GRANTS", "CREATED", "EXPIRES", "LAST USED"];
    // Rarely present; when it is, it is what the user is looking for.
    let rotating = tokens.iter().any(|token| token.grace(now).is_some());
    if rotating {
        columns.push("OLD SECRET UNTIL");
    }
    let mut table = Table::new(&columns);
    for token in tokens.iter() {
        let expires = match token.expires {
            None => "never".to_owned(),
            Some(at) if token.is_expired(now) => format!("expired {}", units::date(Some(at))),
            Some(at) => units::date(Some(at)),
        };
        let created = token.created.map_or_else(|| "unknown".to_owned(), |at| units::date(Some(at)));
        let used = used(token).map_or_else(|| "never".to_owned(), |at| units::date(Some(at)));
        let grace = rotating.then(|| token.grace(now).map(|at| units::date(Some(at))).unwrap_or_default());
        table.row([token.name.clone(), token.grants.to_string(), created, expires, used].into_iter().chain(grace));
    }
    table.lines().iter().try_for_each(|line| cx.ui.answer(line))
}

/// Returns the time after this duration.
fn after(life: Lifetime, now: OffsetDateTime) -> Result<OffsetDateTime, Error> {
    if life.0.is_zero() {
        return Err(Error::Usage {
            message: "a token cannot expire immediately".to_owned(),
            hint: "pass a time such as `--expires 90d`; `modeldepot token rm` revokes a token",
        });
    }
    let at = time::Duration::try_from(life.0).ok().and_then(|life| now.replace_nanosecond(0).ok()?.checked_add(life));
    at.filter(|at| at.year() <= 9999).ok_or_else(|| Error::Usage {
        message: "the expiry is too far in the future".to_owned(),
        hint: "omit --expires for a token that does not expire",
    })
}
