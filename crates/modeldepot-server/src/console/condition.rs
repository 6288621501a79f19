//! What a table of versions is filtered by: `val_accuracy>=0.9 architecture=resnet18 2025`.

use modeldepot::VersionSummary;

use crate::catalog::{Fact, Facts};

/// One word of a filter.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    /// The version's name has this in it.
    Name(String),
    /// A value of its metadata compares like this.
    Value { name: String, is: Is, with: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Is {
    AtLeast,
    AtMost,
    Not,
    More,
    Less,
    Equal,
}

const SIGNS: [(&str, Is); 6] =
    [(">=", Is::AtLeast), ("<=", Is::AtMost), ("!=", Is::Not), (">", Is::More), ("<", Is::Less), ("=", Is::Equal)];

/// Reads a filter: words that must all hold.
pub(super) fn parse(text: &str) -> Vec<Condition> {
    // Signs may stand free: `loss < 0.2`.
    let mut text = text.replace(',', " ");
    for (sign, _) in SIGNS {
        for free in [format!(" {sign} "), format!(" {sign}"), format!("{sign} ")] {
            text = text.replace(&free, sign);
        }
    }
    text.split_whitespace().map(word).collect()
}

fn word(word: &str) -> Condition {
    let found = SIGNS.iter().filter_map(|(sign, is)| Some((word.find(sign)?, *sign, *is)));
    // The first place; there, the longer sign, which stands first.
    match found.min_by_key(|(at, ..)| *at) {
        Some((at, sign, is)) if at > 0 => {
            Condition::Value { name: word[..at].to_owned(), is, with: word[at + sign.len()..].to_owned() }
        }
        _ => Condition::Name(word.to_lowercase()),
    }
}

impl Condition {
    /// Returns true when it can be told from the name alone.
    pub(super) fn is_of_the_name(&self) -> bool {
        matches!(self, Condition::Name(_))
    }

    /// Returns whether it holds. What a version does not say is neither more nor less than anything.
    pub(super) fn holds(&self, version: &VersionSummary, facts: Option<&Facts>) -> bool {
        match self {
            Condition::Name(part) => version.version.as_str().to_lowercase().contains(part),
            Condition::Value { name, is, with } => {
                facts.and_then(|facts| facts.get(name)).is_some_and(|fact| compares(fact, *is, with))
            }
        }
    }
}

fn compares(fact: &Fact, is: Is, with: &str) -> bool {
    if let (Some(number), Ok(with)) = (fact.number(), with.parse::<f64>()) {
        return match is {
            Is::AtLeast => number >= with,
            Is::AtMost => number <= with,
            Is::More => number > with,
            Is::Less => number < with,
            Is::Equal => number == with,
            Is::Not => number != with,
        };
    }
    let text = match fact {
        Fact::Number(number) => number.to_string(),
        Fact::Flag(flag) => flag.to_string(),
        Fact::Text(text) => text.to_string(),
    };
    match is {
        Is::Equal => text.eq_ignore_ascii_case(with),
        Is::Not => !text.eq_ignore_ascii_case(with),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_hold_or_do_not() {
        let version = VersionSummary { version: "20251028_181858".parse().unwrap(), files: 1, size: 1, published: None };
        let metadata = serde_json::json!({"val_accuracy": 0.95, "architecture": "ResNet18", "pretrained": true});
        let facts = Facts::of(metadata.as_object().unwrap());
        let holds = |filter: &str| parse(filter).iter().all(|it| it.holds(&version, Some(&facts)));
        for filter in ["", "2025", "val_accuracy>=0.95", "val_accuracy > 0.9 architecture=resnet18", "pretrained=true",
            "val_accuracy<1,architecture!=vgg", "val_accuracy= 0.950"] {
            assert!(holds(filter), "{filter}");
        }
        for filter in ["2024", "val_accuracy>0.95", "val_loss<9", "architecture>a", "architecture=vgg", ">=3"] {
            assert!(!holds(filter), "{filter}");
        }
    }
}
