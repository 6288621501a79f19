//! The names of versions, and their order.

use serde::{Deserialize, Serialize};

use super::{name_type, plain};

/// Names one immutable publication of a model.
///
/// - 1 to 128 characters of `A-Z a-z 0-9 . _ + -`, the first one a letter or a digit
/// - a leading `v` before a digit is accepted on input and dropped: `v1.2` is `1.2`
///
/// Versions are in natural order of their text (runs of digits compare as numbers); two semantic versions compare as
/// such, so `1.0.0-rc.1` comes before `1.0.0`. The order is total: among all others, a semantic version sorts by its
/// `major.minor.patch`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(extend("pattern" = r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$"))
)]
pub struct Version(String);

name_type!(Version, "version", |text| {
    let text = match text.strip_prefix('v') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => rest,
        _ => text,
    };
    plain(text, |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '-'))
        .ok_or("use 1 to 128 letters, digits, `.`, `_`, `+` and `-`, the first one a letter or digit")
});

impl Version {
    /// Returns the default version of a publication at `time`: the UTC second as `YYYYMMDD_HHMMSS`.
    pub fn at(time: time::OffsetDateTime) -> Version {
        let t = time.to_offset(time::UtcOffset::UTC);
        Version(format!(
            "{:04}{:02}{:02}_{:02}{:02}{:02}",
            t.year(),
            u8::from(t.month()),
            t.day(),
            t.hour(),
            t.minute(),
            t.second()
        ))
    }

    /// Returns true for `latest` in any case, which no new version may be named: `MODEL@latest` means the latest version.
    /// Versions that already have this name can be read and deleted.
    pub fn is_latest(&self) -> bool {
        self.0.eq_ignore_ascii_case("latest")
    }

    /// Returns the text by which it sorts first, and the semantic version if it is one.
    fn core(&self) -> (&str, Option<semver::Version>) {
        // Listings sort tens of thousands of versions: one without a dot is not semantic, and need not be parsed.
        let semantic = self.0.contains('.').then(|| semver::Version::parse(&self.0).ok()).flatten();
        match semantic {
            Some(semantic) => (self.0.split(['-', '+']).next().unwrap_or_default(), Some(semantic)),
            None => (&self.0, None),
        }
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        // A semantic version sorts by its core first; only then does its pre-release count. Comparing each pair by the
        // rule that fits both would not be transitive.
        let ((a_core, a), (b_core, b)) = (self.core(), other.core());
        natural(a_core, b_core)
            .then_with(|| a.is_none().cmp(&b.is_none()))
            .then_with(|| a.cmp(&b))
            .then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Compares two texts, with runs of digits as numbers of any length.
fn natural(a: &str, b: &str) -> std::cmp::Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    let digits = |s: &[u8]| s.iter().take_while(|c| c.is_ascii_digit()).count();
    while let (Some(x), Some(y)) = (a.first(), b.first()) {
        let (n, m) = (digits(a), digits(b));
        let order = if n > 0 && m > 0 {
            let zeros = |s: &[u8]| s.iter().take_while(|c| **c == b'0').count();
            let (x, y) = (&a[zeros(&a[..n])..n], &b[zeros(&b[..m])..m]);
            let order = x.len().cmp(&y.len()).then_with(|| x.cmp(y));
            (a, b) = (&a[n..], &b[m..]);
            order
        } else {
            let order = x.cmp(y);
            (a, b) = (&a[1..], &b[1..]);
            order
        };
        if order.is_ne() {
            return order;
        }
    }
    a.len().cmp(&b.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn a_leading_v_before_a_digit_is_dropped() {
        assert_eq!(version("v20251028_181858").as_str(), "20251028_181858");
        assert_eq!(version("vision").as_str(), "vision");
        assert!("v".parse::<Version>().is_ok());
        assert!("1/2".parse::<Version>().is_err());
    }

    #[test]
    fn automatic_versions_are_utc_seconds() {
        let noon = time::macros::datetime!(2025-10-28 20:18:58.9 +2);
        assert_eq!(Version::at(noon).as_str(), "20251028_181858");
    }

    #[test]
    fn versions_sort_as_people_expect() {
        let sorted = [
            "1.0.0-rc.1",
            "1.0.0-rc.2",
            "1.0.0-rc.10",
            "1.0.0",
            "1.0.0-",
            "1.2",
            "1.9.0",
            "1.10.0",
            "9",
            "10",
            "20251028_181858",
            "20251028_181900",
            "final",
        ];
        let mut shuffled: Vec<Version> = sorted.iter().rev().map(|v| version(v)).collect();
        shuffled.sort();
        assert_eq!(shuffled.iter().map(Version::as_str).collect::<Vec<_>>(), sorted);
    }

    fn any_version() -> impl Strategy<Value = Version> {
        prop_oneof![
            "[0-9]\\.[0-9]\\.[0-9](-[a-z0-9.]{1,4}|[-+.][0-9a-z]{0,3})?",
            "[A-Za-z0-9][A-Za-z0-9._+-]{0,6}",
            "0{0,3}[0-9]{1,3}"
        ]
        .prop_map(|text| version(&text))
    }

    proptest! {
        #[test]
        fn the_order_of_versions_is_total(a in any_version(), b in any_version(), c in any_version()) {
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            prop_assert_eq!(a == b, a.cmp(&b).is_eq());
            if a <= b && b <= c {
                prop_assert!(a <= c, "{} {} {}", a, b, c);
            }
        }

        #[test]
        fn what_is_parsed_is_spelled_as_it_is_stored(text in "\\PC{0,20}") {
            if let Ok(version) = text.parse::<Version>() {
                prop_assert!(!version.as_str().is_empty());
                prop_assert_eq!(version.to_string().parse::<Version>(), Ok(version));
            }
        }
    }
}
