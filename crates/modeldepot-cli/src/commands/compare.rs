//! `modeldepot compare`.

use modeldepot::{ComparedField, ComparedFile, Comparison, Description, Selector, StoredFile, shortened};
use serde_json::{Value, json};

use super::Context;
use crate::args::CompareArgs;
use crate::error::Error;
use crate::ui::{Table, clean, date, measured, named, plural, size};

/// The longest value that is shown; --json has all of it.
const LONGEST: usize = 60;

pub(crate) async fn run(args: CompareArgs, cx: &Context<'_>) -> Result<(), Error> {
    let other = match args.other {
        Some(other) => other.beside(&args.selector.model),
        None => Selector::new(args.selector.model.clone()),
    };
    let storage = cx.storage().await?;
    let (one, other) = tokio::try_join!(storage.describe(&args.selector), storage.describe(&other))?;
    let pair = [&one, &other];
    if name(&one) == name(&other) {
        cx.ui.note(format_args!("both are {}", name(&one)));
    }
    let compared = Comparison::of(&pair);
    if cx.ui.json {
        return cx.ui.answer_json(&to_json(&pair, &compared));
    }
    lines(&pair, &compared).iter().try_for_each(|line| cx.ui.answer(line))
}

/// What became of a file from the first version to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Added,
    Removed,
    Changed,
    Same,
    /// Of the same size, but without digests to compare.
    Unknown,
}

impl State {
    const ALL: [State; 5] = [State::Changed, State::Added, State::Removed, State::Unknown, State::Same];

    fn of(file: &ComparedFile<'_>) -> State {
        let comparable = |a: &StoredFile, b: &StoredFile| {
            a.blake3.is_some() && b.blake3.is_some() || a.md5.is_some() && b.md5.is_some()
        };
        match file.files[..] {
            [None, Some(_)] => State::Added,
            [Some(_), None] => State::Removed,
            _ if !file.differs() => State::Same,
            [Some(a), Some(b)] if a.size == b.size && !comparable(a, b) => State::Unknown,
            _ => State::Changed,
        }
    }

    fn word(self) -> &'static str {
        match self {
            State::Added => "added",
            State::Removed => "removed",
            State::Changed => "changed",
            State::Same => "same",
            State::Unknown => "unknown",
        }
    }
}

/// Returns the comparison as people read it.
fn lines(pair: &[&Description; 2], compared: &Comparison<'_>) -> Vec<String> {
    let names = pair.map(name);
    let table = |what: &str| Table::new(&[what, &names[0], &names[1], ""]);
    let row = |table: &mut Table, head: &str, cells: [String; 2], mark: &str| {
        let [a, b] = cells;
        table.row([clean(head).into_owned(), a, b, mark.to_owned()]);
    };

    let mut whole = table("VERSION");
    row(&mut whole, "published", pair.map(|version| date(version.manifest.created_at)), "");
    let sizes = pair.map(|version| format!("{} in {}", size(version.size()), plural(version.files.len(), "file")));
    row(&mut whole, "size", sizes, "");
    let mut lines = whole.lines();

    if !compared.metadata.is_empty() {
        let mut fields = table("METADATA");
        for field in &compared.metadata {
            row(&mut fields, field.name, values(field), if field.differs() { "differs" } else { "same" });
        }
        lines.push(String::new());
        lines.extend(fields.lines());
    }

    let mut files = table("FILE");
    let states: Vec<State> = compared.files.iter().map(State::of).collect();
    for (file, state) in compared.files.iter().zip(&states) {
        let cell = |index: usize| file.files[index].map_or_else(|| "-".to_owned(), |file| size(file.size));
        row(&mut files, file.path.as_str(), [cell(0), cell(1)], state.word());
    }
    lines.push(String::new());
    lines.extend(files.lines());

    let differing = compared.metadata.iter().filter(|field| field.differs()).count();
    lines.push(String::new());
    lines.push(summary(differing, &states));
    for version in pair.iter().filter(|version| !version.damaged.is_empty()) {
        let damaged = version.damaged.iter().map(|file| file.path.clone()).collect::<Vec<_>>();
        lines.push(format!("damaged in the bucket: {} of {}", named(&damaged), name(version)));
    }
    if states.contains(&State::Unknown) {
        lines.push("unknown: of the same size, and without published digests to compare".to_owned());
    }
    lines
}

/// Sums up the differences.
fn summary(differing: usize, states: &[State]) -> String {
    if differing == 0 && states.iter().all(|state| *state == State::Same) {
        return format!("identical: metadata and {}", plural(states.len(), "file"));
    }
    let counted = State::ALL.into_iter().filter_map(|state| {
        let count = states.iter().filter(|it| **it == state).count();
        (count > 0).then(|| format!("{count} {}", state.word()))
    });
    let counted = counted.collect::<Vec<_>>().join(", ");
    let metadata = match differing {
        0 => "no differences in the metadata".to_owned(),
        some => format!("{} in the metadata", plural(some, "difference")),
    };
    format!("{metadata}; files: {counted}")
}

/// Returns both values of a field, rounded unless that would hide the difference.
fn values(field: &ComparedField<'_>) -> [String; 2] {
    let shown = |value: &dyn Fn(&Value) -> String| {
        let cell = |index: usize| field.values[index].map_or_else(|| "-".to_owned(), value);
        [cell(0), cell(1)]
    };
    let rounded = shown(&|value| short(&measured(value)));
    if field.differs() == (rounded[0] != rounded[1]) {
        return rounded;
    }
    shown(&|value| short(&value.to_string()))
}

fn short(text: &str) -> String {
    shortened(&clean(text), LONGEST).into_owned()
}

fn name(version: &Description) -> String {
    format!("{}@{}", version.manifest.model_name, version.manifest.version)
}

fn to_json(pair: &[&Description; 2], compared: &Comparison<'_>) -> Value {
    let file = |file: &Option<&StoredFile>| {
        file.map(|file| json!({"size": file.size, "md5": file.md5, "blake3": file.blake3}))
    };
    let metadata: serde_json::Map<String, Value> = compared
        .metadata
        .iter()
        .map(|field| (field.name.to_owned(), json!({"values": field.values, "differs": field.differs()})))
        .collect();
    let files: serde_json::Map<String, Value> = compared
        .files
        .iter()
        .map(|it| {
            let both: Vec<_> = it.files.iter().map(file).collect();
            (it.path.to_string(), json!({"files": both, "state": State::of(it).word()}))
        })
        .collect();
    json!({
        "versions": pair.map(name),
        "damaged": pair.map(|version| version.damaged.iter().map(|file| &file.path).collect::<Vec<_>>()),
        "sizes": pair.map(Description::size),
        "published": pair.map(|version| super::rfc3339(version.manifest.created_at)),
        "metadata": metadata,
        "files": files,
    })
}
