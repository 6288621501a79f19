//! Commands and code to fetch a version.

use axum::http::{HeaderMap, header};
use maud::{Markup, html};
use modeldepot::Description;

use crate::console::href;
use crate::console::refusal::Result;

pub(super) fn section(found: &Description, headers: &HeaderMap) -> Result<Markup> {
    let (model, version) = (&found.manifest.model_name, &found.manifest.version);
    let main = found.main()?;
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).filter(|host| is_plain(host));
    let address = format!(
        "http://{}{}",
        host.unwrap_or("localhost:9001"),
        href::file(model, version, &main).replace('\'', "%27")
    );
    let pull = format!("modeldepot pull {model}@{version} ./serving");
    let python = format!(
        "from modeldepot import ModelStorage\n\npath = ModelStorage().download_model(\n    \"{model}\", \"{version}\", \
         local_dir=\"./serving\")"
    );
    let title = match found.unverified().is_empty() {
        true => "Terminal: every file is verified",
        false => "Terminal: files without a published digest are downloaded and reported as unverified",
    };
    let curl = format!("curl -fLO '{address}'");
    Ok(html! {
        section.card aria-labelledby="fetch" {
            h2 id="fetch" { "Fetch" }
            (snippet("snippet-pull", title, &pull))
            (snippet("snippet-python", "Python", &python))
            (snippet("snippet-curl", "curl: the model file", &curl))
        }
    })
}

/// Returns true if a host is safe in a line that people paste into a shell.
fn is_plain(host: &str) -> bool {
    host.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | ':' | '[' | ']'))
}

pub(super) fn snippet(id: &'static str, title: &str, text: &str) -> Markup {
    html! {
        div.snippet {
            h3 { (title) }
            pre { code id=(id) { (text) } }
            button.small type="button" data-copy=(id) aria-label={ "Copy: " (title) } hidden { "Copy" }
        }
    }
}
