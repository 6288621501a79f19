//! A model's versions as a table: filtered, sorted and paginated.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use modeldepot::{ModelName, VersionSummary};

use super::{Catalog, Fact, Facts};
use crate::problem::{Problem, Result};

/// How long an answer waits for metadata that has not been read yet.
const PATIENCE: Duration = Duration::from_millis(1500);

/// The most filters in one request.
const MOST_FILTERS: usize = 16;

/// A column to sort or filter by.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Column {
    Version,
    Size,
    Files,
    Published,
    /// A metadata field.
    Metadata(String),
}

impl Column {
    fn parse(name: &str) -> Result<Column> {
        Ok(match name {
            "version" => Column::Version,
            "size" => Column::Size,
            "files" => Column::Files,
            "published" => Column::Published,
            "" => {
                return Err(Problem::invalid("`sort` and `filter` need the name of a column")
                    .hint("for example `sort=-val_accuracy`"));
            }
            // Metadata fields named like a column can be written with the prefix `metadata.`.
            name => Column::Metadata(name.strip_prefix("metadata.").unwrap_or(name).to_owned()),
        })
    }

    pub(crate) fn is_metadata(&self) -> bool {
        matches!(self, Column::Metadata(_))
    }
}

/// How a table is sorted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sort {
    pub(crate) column: Column,
    pub(crate) descending: bool,
}

impl Sort {
    /// Reads `val_accuracy` (ascending) or `-val_accuracy` (descending).
    pub(crate) fn parse(text: &str) -> Result<Sort> {
        let (name, descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
        Ok(Sort { column: Column::parse(name)?, descending })
    }
}

/// One condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Filter {
    pub(crate) column: Column,
    compare: Compare,
    value: String,
}

/// The comparison operators. Longer ones come first, so that `>=` is not read as `>` with a value that begins with `=`.
pub(crate) const SIGNS: [(&str, Compare); 6] = [
    (">=", Compare::AtLeast),
    ("<=", Compare::AtMost),
    ("!=", Compare::Other),
    (">", Compare::More),
    ("<", Compare::Less),
    ("=", Compare::Equal),
];

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Compare {
    AtLeast,
    AtMost,
    More,
    Less,
    Equal,
    Other,
}

impl Filter {
    /// Reads `val_accuracy>=0.9`, `architecture=resnet18`, `val_loss<0.2`, `optimizer!=SGD`.
    pub(crate) fn parse(text: &str) -> Result<Filter> {
        let found = SIGNS.iter().filter_map(|(sign, compare)| Some((text.find(sign)?, sign, *compare)));
        let found = found.min_by_key(|(at, ..)| *at).filter(|(at, ..)| *at > 0 && !text[..*at].contains('!'));
        let (at, sign, compare) = found.ok_or_else(|| {
            Problem::invalid(format!("`{}` is not a filter", text.escape_debug()))
                .hint("write it as `val_accuracy>=0.9` or `architecture=resnet18`, with `>` encoded as `%3E`")
        })?;
        let (name, value) = (&text[..at], text[at + sign.len()..].trim().to_owned());
        // `>>`, `==` and `=>` would compare with a value that begins with a sign, which nobody means.
        if value.starts_with(['<', '>', '=']) {
            return Err(Problem::invalid(format!(
                "`{}` is not a filter: `{sign}` is followed by another sign",
                text.escape_debug()
            ))
            .hint("write one of `>=`, `<=`, `>`, `<`, `=` and `!=`, then the value: `val_accuracy>=0.9`"));
        }
        // A name that consists of blanks is a valid one.
        let name = if name.trim().is_empty() { name } else { name.trim() };
        Ok(Filter { column: Column::parse(name)?, compare, value })
    }

    fn holds(&self, row: &Row) -> bool {
        let order = match (&self.column, self.value.parse::<f64>()) {
            (Column::Version, _) => match self.value.parse() {
                Ok(value) => Some(row.version.version.cmp(&value)),
                Err(_) => None,
            },
            (Column::Size, Ok(value)) => (row.version.size as f64).partial_cmp(&value),
            (Column::Files, Ok(value)) => (row.version.files as f64).partial_cmp(&value),
            (Column::Published, _) => {
                let value = time::OffsetDateTime::parse(&self.value, &time::format_description::well_known::Rfc3339);
                value.ok().and_then(|value| Some(row.version.published?.cmp(&value)))
            }
            (Column::Metadata(name), value) => row.fact(name).and_then(|fact| match (fact, value) {
                (Fact::Number(_), Ok(value)) => fact.number()?.partial_cmp(&value),
                (Fact::Text(text), _) => Some((**text).cmp(&self.value)),
                (Fact::Flag(flag), _) => Some(flag.cmp(&self.value.parse().ok()?)),
                (Fact::Number(_), Err(_)) => None,
            }),
            (Column::Size | Column::Files, Err(_)) => None,
        };
        // A version without the field matches no condition on it.
        order.is_some_and(|order| match self.compare {
            Compare::AtLeast => order.is_ge(),
            Compare::AtMost => order.is_le(),
            Compare::More => order.is_gt(),
            Compare::Less => order.is_lt(),
            Compare::Equal => order.is_eq(),
            Compare::Other => order.is_ne(),
        })
    }
}

/// Parses the filters of a request.
pub(crate) fn filters<'t>(texts: impl Iterator<Item = &'t str>) -> Result<Vec<Filter>> {
    let filters = texts.map(Filter::parse).collect::<Result<Vec<_>>>()?;
    match filters.len() > MOST_FILTERS {
        true => Err(Problem::invalid(format!("there are more than {MOST_FILTERS} filters"))),
        false => Ok(filters),
    }
}

/// The selected versions, in order.
pub(crate) struct Selected {
    pub(crate) versions: Vec<VersionSummary>,
    /// For how many of the model's versions the metadata was known, if it mattered.
    pub(crate) known: Option<usize>,
    /// Fields in the order or the filters that no version has, once the metadata of all is known.
    pub(crate) unknown: Vec<String>,
}

/// Filters and sorts a model's versions. Manifests are only read if they matter, and only waited for briefly.
pub(crate) async fn select(
    catalog: &Catalog,
    model: &ModelName,
    versions: &Arc<Vec<VersionSummary>>,
    filters: &[Filter],
    sort: &Sort,
) -> Selected {
    let decides = sort.column.is_metadata() || filters.iter().any(|filter| filter.column.is_metadata());
    let mut unknown = Vec::new();
    let (facts, known) = match decides {
        true => {
            let facts = catalog.known_facts(model, versions, PATIENCE).await;
            let known = facts.iter().filter(|facts| facts.is_some()).count();
            if known == versions.len() && known > 0 {
                unknown = without_a_value(&facts, filters, sort);
            }
            (facts, Some(known))
        }
        false => (vec![None; versions.len()], None),
    };
    let rows = versions.iter().zip(facts).map(|(version, facts)| Row { version: version.clone(), facts });
    let versions = arrange(rows.collect(), filters, sort).into_iter().map(|row| row.version).collect();
    Selected { versions, known, unknown }
}

/// Returns the metadata fields to filter and sort by that no version has: they are probably misspelled.
fn without_a_value(facts: &[Option<Arc<Facts>>], filters: &[Filter], sort: &Sort) -> Vec<String> {
    let columns = filters.iter().map(|filter| &filter.column).chain([&sort.column]);
    let mut unknown: Vec<String> = columns
        .filter_map(|column| match column {
            Column::Metadata(name) => Some(name.clone()),
            _ => None,
        })
        .filter(|name| facts.iter().flatten().all(|facts| facts.get(name).is_none()))
        .collect();
    unknown.sort();
    unknown.dedup();
    unknown
}

/// A version and its facts.
struct Row {
    version: VersionSummary,
    facts: Option<Arc<Facts>>,
}

impl Row {
    fn fact(&self, name: &str) -> Option<&Fact> {
        self.facts.as_ref().and_then(|facts| facts.get(name))
    }
}

/// Filters and sorts. Among equals the later version comes first; versions without a value come last.
fn arrange(mut rows: Vec<Row>, filters: &[Filter], sort: &Sort) -> Vec<Row> {
    rows.retain(|row| filters.iter().all(|filter| filter.holds(row)));
    rows.sort_by(|a, b| {
        let order = match &sort.column {
            Column::Version => Some(a.version.version.cmp(&b.version.version)),
            Column::Size => Some(a.version.size.cmp(&b.version.size)),
            Column::Files => Some(a.version.files.cmp(&b.version.files)),
            Column::Published => match (a.version.published, b.version.published) {
                (Some(a), Some(b)) => Some(a.cmp(&b)),
                (left, right) => return right.is_some().cmp(&left.is_some()),
            },
            Column::Metadata(name) => match (a.fact(name), b.fact(name)) {
                (Some(a), Some(b)) => compare(a, b),
                (left, right) => {
                    let order = right.is_some().cmp(&left.is_some());
                    return order.then_with(|| b.version.version.cmp(&a.version.version));
                }
            },
        };
        let order = order.unwrap_or(Ordering::Equal);
        let order = if sort.descending { order.reverse() } else { order };
        order.then_with(|| b.version.version.cmp(&a.version.version))
    });
    rows
}

/// Numbers sort before texts, and texts before booleans.
fn compare(a: &Fact, b: &Fact) -> Option<Ordering> {
    let rank = |fact: &Fact| match fact {
        Fact::Number(_) => 0,
        Fact::Text(_) => 1,
        Fact::Flag(_) => 2,
    };
    match (a, b) {
        (Fact::Number(_), Fact::Number(_)) => Some(a.number()?.total_cmp(&b.number()?)),
        (Fact::Text(a), Fact::Text(b)) => Some(a.cmp(b)),
        (Fact::Flag(a), Fact::Flag(b)) => Some(a.cmp(b)),
        _ => Some(rank(a).cmp(&rank(b))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_as_people_write_them() {
        let of = |text: &str| {
            let filter = Filter::parse(text).unwrap();
            (filter.column, filter.compare, filter.value)
        };
        let metadata = |name: &str| Column::Metadata(name.to_owned());
        assert_eq!(of("val_accuracy>=0.9"), (metadata("val_accuracy"), Compare::AtLeast, "0.9".to_owned()));
        assert_eq!(of("val_loss < 0.2"), (metadata("val_loss"), Compare::Less, "0.2".to_owned()));
        assert_eq!(of("note=a>=b"), (metadata("note"), Compare::Equal, "a>=b".to_owned()));
        assert_eq!(of("optimizer!=SGD"), (metadata("optimizer"), Compare::Other, "SGD".to_owned()));
        assert_eq!(of("size>1"), (Column::Size, Compare::More, "1".to_owned()));
        assert_eq!(of("metadata.size>1"), (metadata("size"), Compare::More, "1".to_owned()));
        assert!(Filter::parse("val_accuracy").is_err() && Filter::parse(">=1").is_err());
        for wrong in ["a>>1", "a>=>1", "a==1", "a=>1", "a<<1", "a<>1", "a > = 1", "a!==1", "a=="] {
            assert!(Filter::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(of("note=a>>b"), (metadata("note"), Compare::Equal, "a>>b".to_owned()));
    }
}
