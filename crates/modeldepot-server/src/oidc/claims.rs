//! The identity and groups of a person, as claimed by the provider.

use std::collections::BTreeMap;

use openidconnect::core::CoreGenderClaim;
use openidconnect::{AdditionalClaims, IdTokenClaims, UserInfoClaims};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The longest name of a person, in bytes.
const LONGEST_NAME: usize = 128;

/// Claims that the specification does not define.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Extra(BTreeMap<String, Value>);

impl AdditionalClaims for Extra {}

/// The claims of interest in an ID token or a userinfo response.
pub(super) struct Claims<'a> {
    subject: &'a str,
    preferred: Option<&'a str>,
    email: Option<&'a str>,
    email_verified: Option<bool>,
    extra: &'a Extra,
}

impl<'a> From<&'a IdTokenClaims<Extra, CoreGenderClaim>> for Claims<'a> {
    fn from(claims: &'a IdTokenClaims<Extra, CoreGenderClaim>) -> Claims<'a> {
        Claims {
            subject: claims.subject().as_str(),
            preferred: claims.preferred_username().map(|name| name.as_str()),
            email: claims.email().map(|email| email.as_str()),
            email_verified: claims.email_verified(),
            extra: claims.additional_claims(),
        }
    }
}

impl<'a> From<&'a UserInfoClaims<Extra, CoreGenderClaim>> for Claims<'a> {
    fn from(claims: &'a UserInfoClaims<Extra, CoreGenderClaim>) -> Claims<'a> {
        Claims {
            subject: claims.subject().as_str(),
            preferred: claims.preferred_username().map(|name| name.as_str()),
            email: claims.email().map(|email| email.as_str()),
            email_verified: claims.email_verified(),
            extra: claims.additional_claims(),
        }
    }
}

impl Claims<'_> {
    /// Returns the person's name: the user name, else the email address, else the subject.
    pub(super) fn name(&self) -> Option<String> {
        // Anyone may have entered an unverified address.
        let email = self.email.filter(|_| self.email_verified != Some(false));
        [self.preferred, email].into_iter().flatten().map(clean).find(|name| !name.is_empty())
    }

    pub(super) fn subject(&self) -> String {
        clean(self.subject)
    }

    /// Returns the groups in a claim.
    pub(super) fn groups(&self, claim: &str) -> Option<Vec<String>> {
        match claim {
            "sub" => Some(vec![self.subject.to_owned()]),
            // Only if the provider has verified it.
            "email" => self.email.filter(|_| self.email_verified == Some(true)).map(|email| vec![email.to_owned()]),
            _ => texts(self.find(claim)?),
        }
    }

    /// Returns true if the provider says that the claim is kept elsewhere, as Entra does for people in many groups.
    pub(super) fn leaves_out(&self, claim: &str) -> bool {
        self.extra.0.get("_claim_names").is_some_and(|names| names.get(claim).is_some())
    }

    fn find(&self, claim: &str) -> Option<&Value> {
        // The name itself may contain dots: `https://example.com/groups`.
        if let Some(value) = self.extra.0.get(claim) {
            return Some(value);
        }
        let mut steps = claim.split('.');
        let first = self.extra.0.get(steps.next()?)?;
        steps.try_fold(first, |value, step| value.get(step))
    }
}

/// Returns the strings of a list, or a single string as a list.
fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) if text.is_empty() => Some(Vec::new()),
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(items) => Some(items.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        _ => None,
    }
}

/// Removes invisible characters from a name, and shortens it for logs.
fn clean(name: &str) -> String {
    let seen = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let mut kept = String::new();
    for c in name.chars().filter(seen) {
        if kept.len() + c.len_utf8() > LONGEST_NAME {
            break;
        }
        kept.push(c);
    }
    kept.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn groups(extra: Value, claim: &str) -> Option<Vec<String>> {
        let extra: Extra = serde_json::from_value(extra).unwrap();
        let claims = Claims {
            subject: "248",
            preferred: None,
            email: Some("ana@example.com"),
            email_verified: Some(false),
            extra: &extra,
        };
        claims.groups(claim)
    }

    #[test]
    fn groups_are_found_where_providers_put_them() {
        let some = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(groups(json!({"groups": ["a", 7, "b"]}), "groups"), some(&["a", "b"]));
        assert_eq!(groups(json!({"hd": "example.com"}), "hd"), some(&["example.com"]));
        let nested = json!({"realm_access": {"roles": ["a"]}, "https://example.com/groups": ["b"]});
        assert_eq!(groups(nested.clone(), "realm_access.roles"), some(&["a"]));
        assert_eq!(groups(nested.clone(), "https://example.com/groups"), some(&["b"]));
        assert_eq!(groups(nested, "realm_access.groups"), None);
        assert_eq!(groups(json!({"groups": {}}), "groups"), None);
        assert_eq!(groups(json!({"groups": ""}), "groups"), some(&[]));
        assert_eq!(groups(json!({}), "sub"), some(&["248"]));
        assert_eq!(groups(json!({}), "email"), None, "an address that is not verified is nobody's");
    }

    #[test]
    fn names_have_nothing_unseen() {
        assert_eq!(clean(" ana\n\u{1b}[31m\u{202e} "), "ana[31m");
        assert_eq!(clean("\u{feff} \u{200b}"), "");
        assert_eq!(clean(&"a".repeat(1000)).len(), LONGEST_NAME);
    }
}
