//! Grants of tokens and groups: scopes, each for all models or for those that match a pattern.

use std::fmt;
use std::str::FromStr;

use modeldepot::ModelName;

/// The most grants in one list.
const MOST: usize = 32;

/// The longest pattern: as long as the longest model name.
const LONGEST: usize = 128;

/// What a caller may do. Each scope includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// See and fetch.
    Read,
    /// Create links that others may use, valid for longer than the caller's own download needs.
    Share,
    /// Publish.
    Publish,
    /// Delete.
    Delete,
}

impl Scope {
    /// Every scope in ascending order.
    pub const ALL: [Scope; 4] = [Scope::Read, Scope::Share, Scope::Publish, Scope::Delete];

    /// Returns the scope as written.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Share => "share",
            Scope::Publish => "publish",
            Scope::Delete => "delete",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = GrantsError;

    fn from_str(text: &str) -> Result<Scope, GrantsError> {
        Scope::ALL
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or_else(|| GrantsError { text: text.to_owned(), rule: "use `read`, `share`, `publish` or `delete`" })
    }
}

/// The part of a list of grants that was refused, and the rule that it breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid grant: {rule}", text.chars().take(80).collect::<String>().escape_debug())]
pub struct GrantsError {
    /// The refused part.
    pub text: String,
    /// The rule, as a sentence without a full stop.
    pub rule: &'static str,
}

/// A pattern for model names: `*` matches any characters, also none, and `?` matches one.
///
/// - 1 to 128 characters of `A-Z a-z 0-9 . _ - * ?`
/// - several `*` in a row count as one
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelPattern(String);

impl ModelPattern {
    /// Returns the pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns true if the pattern matches the whole name.
    pub fn matches(&self, name: &ModelName) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_str().as_bytes());
        let (mut p, mut n) = (0, 0);
        // Where to resume after a mismatch: behind the last `*`, which takes one more character. Backtracking to the
        // last `*` is enough, and bounds the time by the product of the two lengths.
        let mut again = None;
        while n < name.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    again = Some((p + 1, n));
                    p += 1;
                }
                Some(&c) if c == b'?' || c == name[n] => (p, n) = (p + 1, n + 1),
                _ => {
                    let Some((after, taken)) = again else { return false };
                    again = Some((after, taken + 1));
                    (p, n) = (after, taken + 1);
                }
            }
        }
        pattern[p..].iter().all(|c| *c == b'*')
    }
}

impl FromStr for ModelPattern {
    type Err = GrantsError;

    fn from_str(text: &str) -> Result<ModelPattern, GrantsError> {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '*' | '?');
        if !(1..=LONGEST).contains(&text.len()) || !text.chars().all(good) {
            let rule = "a pattern is 1 to 128 letters, digits, `.`, `_`, `-`, `*` and `?`";
            return Err(GrantsError { text: text.to_owned(), rule });
        }
        let mut pattern = String::with_capacity(text.len());
        for c in text.chars() {
            if c != '*' || !pattern.ends_with('*') {
                pattern.push(c);
            }
        }
        Ok(ModelPattern(pattern))
    }
}

impl fmt::Display for ModelPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A scope, for everything or for the models that match a pattern.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Grant {
    /// What is permitted.
    pub scope: Scope,
    /// The models. `None` stands for everything: all models, and buckets and their objects.
    pub models: Option<ModelPattern>,
}

impl FromStr for Grant {
    type Err = GrantsError;

    fn from_str(text: &str) -> Result<Grant, GrantsError> {
        match text.split_once(':') {
            None => Ok(Grant { scope: text.parse()?, models: None }),
            Some((scope, models)) => Ok(Grant { scope: scope.parse()?, models: Some(models.parse()?) }),
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.models {
            None => write!(f, "{}", self.scope),
            Some(models) => write!(f, "{}:{models}", self.scope),
        }
    }
}

/// All grants of a caller: `read,publish:plant-*`.
///
/// - 1 to 32 grants, separated by commas
/// - a grant without a pattern is for everything; one with a pattern, even `*`, is only for models, never for buckets
///   and their objects
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Grants(Vec<Grant>);

impl Grants {
    /// Returns true if the caller has the scope for a model or, without one, for everything else: buckets, objects and
    /// the service itself.
    pub fn allows(&self, scope: Scope, model: Option<&ModelName>) -> bool {
        self.0.iter().any(|grant| {
            grant.scope >= scope
                && match (&grant.models, model) {
                    (None, _) => true,
                    (Some(pattern), Some(model)) => pattern.matches(model),
                    (Some(_), None) => false,
                }
        })
    }

    /// Returns true if the caller has the scope for some possible model name.
    pub fn allows_some(&self, scope: Scope) -> bool {
        self.highest() >= scope
    }

    /// Returns the largest scope of all grants, whatever they apply to.
    pub fn highest(&self) -> Scope {
        self.0.iter().map(|grant| grant.scope).max().unwrap_or(Scope::Read)
    }

    /// Returns the grants in the given order.
    pub fn iter(&self) -> impl Iterator<Item = &Grant> {
        self.0.iter()
    }

    /// Returns the grants of both, as for a person in several groups.
    #[must_use]
    pub fn union(&self, other: &Grants) -> Grants {
        Grants::of(self.0.iter().chain(&other.0).cloned().collect())
    }

    /// Drops grants that are implied by others.
    fn of(given: Vec<Grant>) -> Grants {
        let mut kept: Vec<Grant> = Vec::with_capacity(given.len());
        let holds = |a: &Grant, b: &Grant| a.scope >= b.scope && (a.models.is_none() || a.models == b.models);
        for grant in given {
            if !kept.iter().any(|known| holds(known, &grant)) {
                kept.retain(|known| !holds(&grant, known));
                kept.push(grant);
            }
        }
        Grants(kept)
    }
}

impl From<Scope> for Grants {
    /// Grants the scope for everything.
    fn from(scope: Scope) -> Grants {
        Grants(vec![Grant { scope, models: None }])
    }
}

impl FromStr for Grants {
    type Err = GrantsError;

    fn from_str(text: &str) -> Result<Grants, GrantsError> {
        let given: Vec<&str> = text.split(',').take(MOST + 1).collect();
        if given.len() > MOST {
            return Err(GrantsError { text: text.to_owned(), rule: "use at most 32 grants" });
        }
        Ok(Grants::of(given.into_iter().map(|grant| grant.trim().parse()).collect::<Result<_, _>>()?))
    }
}

impl fmt::Display for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, grant) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            write!(f, "{grant}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(text: &str) -> Grants {
        text.parse().unwrap()
    }

    fn model(text: &str) -> ModelName {
        text.parse().unwrap()
    }

    #[test]
    fn each_scope_includes_those_before_it() {
        for (index, scope) in Scope::ALL.into_iter().enumerate() {
            assert_eq!(scope.as_str().parse(), Ok(scope));
            for (other, wanted) in Scope::ALL.into_iter().enumerate() {
                assert_eq!(Grants::from(scope).allows(wanted, Some(&model("m"))), other <= index, "{scope} {wanted}");
                assert_eq!(Grants::from(scope).allows(wanted, None), other <= index, "{scope} {wanted}");
            }
        }
    }

    #[test]
    fn a_pattern_is_for_the_models_that_it_matches_and_nothing_else() {
        let mixed = grants("read,publish:plant-*");
        assert!(mixed.allows(Scope::Read, Some(&model("soil"))) && mixed.allows(Scope::Read, None));
        assert!(mixed.allows(Scope::Publish, Some(&model("plant-7"))) && !mixed.allows(Scope::Publish, None));
        assert!(!mixed.allows(Scope::Publish, Some(&model("soil"))));
        assert!(!mixed.allows(Scope::Delete, Some(&model("plant-7"))));
        assert_eq!((mixed.highest(), mixed.allows_some(Scope::Publish)), (Scope::Publish, true));
        // A pattern never covers buckets.
        assert!(
            grants("delete:*").allows(Scope::Delete, Some(&model("any")))
                && !grants("delete:*").allows(Scope::Read, None)
        );
    }

    #[test]
    fn patterns() {
        for (pattern, yes, no) in [
            ("plant-*", vec!["plant-", "plant-7", "plant-a-b"], vec!["plant", "aplant-7", "PLANT-7"]),
            ("*", vec!["a", "plant-7"], vec![]),
            ("*-v?", vec!["a-v1", "a-v1-v2"], vec!["a-v", "a-v12"]),
            ("a*b*c", vec!["abc", "a1b2c", "abbcbc"], vec!["ab", "acb", "abcd"]),
            ("exact", vec!["exact"], vec!["exact1", "exac", "xexact"]),
            ("a.b", vec!["a.b"], vec!["axb"]),
            ("?", vec!["a"], vec!["ab"]),
        ] {
            let parsed: ModelPattern = pattern.parse().unwrap();
            yes.iter().for_each(|name| assert!(parsed.matches(&model(name)), "{pattern} {name}"));
            no.iter().for_each(|name| assert!(!parsed.matches(&model(name)), "{pattern} {name}"));
        }
        // Even the worst case ends quickly.
        let worst: ModelPattern = "*a".repeat(64).parse().unwrap();
        assert!(!worst.matches(&model(&"ab".repeat(64))));
    }

    #[test]
    fn what_is_written_is_read_again() {
        for (text, shown) in [
            ("read", "read"),
            ("publish:plant-*, read", "publish:plant-*,read"),
            ("read:a**b", "read:a*b"),
            ("read,publish,read:x", "publish"),
            ("read:x,publish:x,delete:y", "publish:x,delete:y"),
        ] {
            assert_eq!(grants(text).to_string(), shown);
            assert_eq!(grants(shown), grants(text));
        }
        assert_eq!(grants("read").union(&grants("publish:a,share")).to_string(), "publish:a,share");
        for bad in ["", ",", "read,", "write", "read:", "read:a b", "read:é", "read:a/b", "read:a:b", "Read", ":x"] {
            assert!(bad.parse::<Grants>().is_err(), "{bad}");
        }
        assert!(format!("read:{}", "a".repeat(129)).parse::<Grants>().is_err());
        assert!(vec!["read"; 32].join(",").parse::<Grants>().is_ok());
        assert!(vec!["read"; 33].join(",").parse::<Grants>().is_err());
        insta::assert_snapshot!("wr\u{1b}ite".parse::<Grants>().unwrap_err(), @r"`wr\u{1b}ite` is not a valid grant: use `read`, `share`, `publish` or `delete`");
    }
}
