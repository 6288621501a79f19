//! `modeldepot config`.

use modeldepot::{Addressing, Settings};
use serde_json::{Value, json};

use super::Context;
use crate::args::Globals;
use crate::config::{InUse, all_origins};
use crate::error::Error;
use crate::origin::Origin;
use crate::ui::{DIM, Table, clean, styled};

pub(crate) fn run(globals: &Globals, cx: &Context<'_>) -> Result<(), Error> {
    let settings = cx.settings;
    let found = all_origins(globals, settings)?;
    let asks = Asks::of(settings);
    if cx.ui.json {
        let listed: Vec<Value> = found.iter().map(to_json).collect();
        return cx.ui.answer_json(&json!({
            "endpoint": asks.endpoint,
            "bucket_url": asks.bucket,
            "region": settings.region,
            "addressing": if asks.in_host { "virtual" } else { "path" },
            "proxy": asks.proxy,
            "buckets": {
                "models": settings.buckets.models,
                "images": settings.buckets.images,
                "data": settings.buckets.data,
            },
            "settings": listed,
        }));
    }
    let mut table = Table::new(&["SETTING", "VALUE", "FROM"]);
    for InUse { name, value, origin, hidden } in &found {
        table.row([(*name).to_owned(), clean(value).into_owned(), clean(&origin.to_string()).into_owned()]);
        if let Some(hidden) = hidden {
            let text = format!("overrides: {hidden}");
            table.row([String::new(), String::new(), clean(&text).into_owned()]);
        }
    }
    table.lines().iter().try_for_each(|line| cx.ui.answer(line))?;
    cx.ui.answer("")?;
    let field = |name: &str| styled(DIM, format_args!("{name:<9}"));
    let through = asks.proxy.map_or_else(|| "directly".to_owned(), |proxy| format!("through {proxy}"));
    cx.ui.answer(format_args!("{} {}, {through}, signed for {}", field("requests"), asks.bucket, settings.region))
}

/// The destination of requests.
struct Asks {
    endpoint: String,
    /// The URL of the models bucket.
    bucket: String,
    in_host: bool,
    proxy: Option<String>,
}

impl Asks {
    fn of(settings: &Settings) -> Asks {
        let endpoint = match &settings.endpoint {
            Some(endpoint) => endpoint.to_string(),
            None => format!("https://s3.{}.amazonaws.com", settings.region),
        };
        let in_host = match settings.addressing {
            Addressing::Auto => settings.endpoint.is_none(),
            Addressing::Path => false,
            Addressing::VirtualHost => true,
        };
        let models = &settings.buckets.models;
        let bucket = match endpoint.split_once("://").filter(|_| in_host) {
            Some((scheme, rest)) => format!("{scheme}://{models}.{rest}"),
            None => format!("{endpoint}/{models}"),
        };
        let proxy = bucket.parse().ok().and_then(|url| settings.proxies.route(&url).map(ToString::to_string));
        Asks { endpoint, bucket, in_host, proxy }
    }
}

fn to_json(one: &InUse) -> Value {
    let mut told = json!({"name": one.name, "value": one.value});
    place(&mut told, &one.origin);
    if let Some(hidden) = &one.hidden {
        let mut other = json!({});
        place(&mut other, hidden);
        told["hides"] = other;
    }
    told
}

fn place(told: &mut Value, origin: &Origin) {
    match origin {
        Origin::Flag(flag) => {
            told["from"] = json!("flag");
            told["flag"] = json!(flag);
        }
        Origin::Environment(name) => {
            told["from"] = json!("environment");
            told["variable"] = json!(name);
        }
        Origin::File(name, path, line) => {
            told["from"] = json!("file");
            told["variable"] = json!(name);
            told["file"] = json!(path);
            told["line"] = json!(line);
        }
        Origin::Profile(key, name) => {
            told["from"] = json!("profile");
            told["profile"] = json!(name);
            told["key"] = json!(key);
        }
        Origin::Nearest => told["from"] = json!("nearest"),
        Origin::Default => told["from"] = json!("default"),
    }
}
