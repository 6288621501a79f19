//! `modeldepot token`.

use modeldepot_server::Tokens;
use serde_json::json;

use super::Context;
use crate::args::{TokenArgs, TokenCommand};
use crate::config;
use crate::error::Error;
use crate::ui::Table;

pub(crate) fn run(args: TokenArgs, cx: &Context<'_>) -> Result<(), Error> {
    let hint = "name it with --tokens, or set MODELDEPOT_TOKENS";
    let missing = || Error::Usage { message: "there is no file of tokens".to_owned(), hint };
    let path = config::tokens(args.tokens)?.ok_or_else(missing)?;
    match args.command {
        TokenCommand::Add { name, scope } => {
            let token = Tokens::add(&path, &name, scope)?;
            cx.ui.note("this is the only time that it is shown");
            match cx.ui.json {
                true => cx.ui.answer_json(&json!({"name": name, "scope": scope.as_str(), "token": token})),
                false => cx.ui.answer(token),
            }
        }
        TokenCommand::List => {
            let tokens = Tokens::read(&path)?;
            if cx.ui.json {
                let rows = tokens.iter().map(|token| json!({"name": token.name, "scope": token.scope.as_str()}));
                return cx.ui.answer_json(&rows.collect::<Vec<_>>());
            }
            let mut table = Table::new(&["NAME", "SCOPE"]);
            for token in tokens.iter() {
                table.row([token.name.clone(), token.scope.to_string()]);
            }
            table.lines().iter().try_for_each(|line| cx.ui.answer(line))
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
