//! Warnings about settings, although nothing failed.

use super::names::meant;
use super::{Found, dotenv};
use crate::ui::clean;

/// Returns warnings with hints: about a `.env` file that other users could have written, and about unknown names that
/// look misspelled.
pub fn warnings() -> Vec<(String, String)> {
    let found = std::env::current_dir().ok().and_then(|folder| dotenv(&folder).ok());
    let mut all = Vec::new();
    if let Some(Found::Ignored(ignored)) = &found {
        all.push((ignored.to_string(), ignored.hint()));
    }
    let mut names: Vec<(String, String, bool)> = Vec::new();
    for (name, value) in std::env::vars_os() {
        if let Ok(name) = name.into_string()
            && !value.is_empty()
        {
            names.push((name, "in the environment".to_owned(), true));
        }
    }
    let file = match found {
        Some(Found::Read(file)) => Some(file),
        _ => None,
    };
    for (name, variable) in file.iter().flat_map(|file| &file.variables) {
        let place = file.as_ref().map(|file| format!("in `{}`, line {},", file.path.display(), variable.line));
        names.push((name.clone(), place.unwrap_or_default(), false));
    }
    names.sort();
    let set = |wanted: &str| names.iter().any(|(name, ..)| name == wanted);
    for (name, place, _) in &names {
        // If the right name is set too, the other one is for another program.
        if let Some(meant) = meant(name).filter(|meant| !set(meant)) {
            all.push((format!("`{name}` {place} is not a setting of modeldepot"), format!("did you mean `{meant}`?")));
        }
    }
    all.into_iter().map(|(text, hint)| (clean(&text).into_owned(), clean(&hint).into_owned())).collect()
}
