//! Login failures, as shown to the user.
//!
//! They contain no code, token or secret. Text from the provider is untrusted, and pages escape it.

use axum::http::StatusCode;
use modeldepot::ErrorKind;

use crate::problem::Problem;

/// The longest text of the provider that is shown, in characters.
const LONGEST: usize = 300;

/// The most groups that are shown.
const GROUPS: usize = 20;

/// Why a login fails.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The provider does not answer, or not as a provider.
    Unreachable { host: String, causes: Vec<String> },
    /// Too many logins are waiting for the provider.
    Busy { host: String },
    /// The provider refused the login.
    Refused { host: String, error: String, description: Option<String> },
    /// The browser has no login in progress that matches.
    Stale(Stale),
    /// The answer belongs to another login.
    OtherState,
    /// The provider's answer cannot be trusted.
    Untrusted { host: String, why: String },
    /// The person is known, but has no grants.
    NotGranted { name: String, claim: String, groups: Option<Vec<String>>, left_out: bool },
    /// The service was addressed by a name that it cannot pass to the provider.
    Host { host: String },
    /// The system's random number generator failed.
    Random,
}

/// Why a cookie does not belong to a login in progress.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stale {
    /// It was not created by this process.
    Foreign,
    /// It has expired.
    Late,
    /// It was already used for a login.
    Spent,
}

impl From<Stale> for Failure {
    fn from(stale: Stale) -> Failure {
        Failure::Stale(stale)
    }
}

impl From<getrandom::Error> for Failure {
    fn from(_: getrandom::Error) -> Failure {
        Failure::Random
    }
}

impl Failure {
    /// Returns the failure as a word, for the log.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Failure::Unreachable { .. } => "unreachable",
            Failure::Busy { .. } => "busy",
            Failure::Refused { .. } => "refused by the provider",
            Failure::Stale(_) => "stale",
            Failure::OtherState => "state mismatch",
            Failure::Untrusted { .. } => "untrusted",
            Failure::NotGranted { .. } => "not granted",
            Failure::Host { .. } => "host",
            Failure::Random => "internal",
        }
    }

    /// Returns the person's name, if known.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Failure::NotGranted { name, .. } => Some(name),
            _ => None,
        }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Problem {
        let again = "log in again";
        match failure {
            Failure::Unreachable { host, causes } => {
                Problem::new(ErrorKind::Unavailable, format!("cannot reach the login provider `{host}`"))
                    .because(causes)
                    .hint("try again in a moment; if it persists, the operator of this service should check the issuer")
            }
            Failure::Busy { host } => {
                Problem::new(ErrorKind::Unavailable, format!("too many logins are waiting for `{host}`"))
                    .hint("try again in a moment")
            }
            Failure::Refused { host, error, description } => {
                let detail = format!("`{host}` refused the login: `{}`", told(&error));
                let causes = description.iter().map(|text| told(text)).collect();
                Problem::new(ErrorKind::Denied, detail)
                    .because(causes)
                    .hint(format!("log in again, or ask the administrators of `{host}`"))
            }
            Failure::Stale(Stale::Foreign) => {
                Problem::invalid("this login was not started in this browser, or the service has restarted since")
                    .hint("log in again; the browser must accept this site's cookies")
            }
            Failure::Stale(Stale::Late) => Problem::invalid("this login took too long").hint(again),
            Failure::Stale(Stale::Spent) => Problem::invalid("this login was already used").hint(again),
            Failure::OtherState => Problem::invalid("this response belongs to another login")
                .hint("log in again, in one tab of the browser at a time"),
            Failure::Untrusted { host, why } => {
                Problem::new(ErrorKind::Denied, format!("the response of `{host}` cannot be trusted"))
                    .status(StatusCode::BAD_GATEWAY)
                    .because(vec![told(&why)])
                    .hint("log in again; if it persists, the operator of this service should check the provider and the client ID")
            }
            Failure::NotGranted { name, claim, groups, left_out } => not_granted(&name, &claim, groups, left_out),
            Failure::Host { host } => {
                Problem::invalid(format!("the login provider cannot send you back to `{}`", told(&host)))
                    .hint("use `localhost`, or ask the operator to configure the public URL of this service")
            }
            Failure::Random => Problem::new(ErrorKind::Internal, "the system returned no random numbers"),
        }
    }
}

/// Names the person's groups and not those with grants, which may be other people's email addresses.
fn not_granted(name: &str, claim: &str, groups: Option<Vec<String>>, left_out: bool) -> Problem {
    let why = match &groups {
        None if left_out => format!("the provider left out the claim `{claim}`: it is too long"),
        None => format!("the provider sent no claim `{claim}`"),
        Some(groups) if groups.is_empty() => format!("the claim `{claim}` is empty"),
        Some(groups) => {
            let named: Vec<String> = groups.iter().take(GROUPS).map(|group| format!("`{}`", told(group))).collect();
            let more = if groups.len() > GROUPS { ", …" } else { "" };
            format!("the claim `{claim}` has {}{more}", named.join(", "))
        }
    };
    let hint = match groups {
        None => {
            format!("ask the operator to configure the provider to send the claim `{claim}`, or to request its scope")
        }
        Some(_) => {
            "ask the operator for a grant for one of your groups, or to add you to a group that has one".to_owned()
        }
    };
    Problem::new(ErrorKind::Denied, format!("`{}` is in no group that may use this service", told(name)))
        .because(vec![why])
        .hint(hint)
}

/// Returns an error and its causes.
pub(super) fn all_of(error: &(dyn std::error::Error + 'static)) -> Vec<String> {
    std::iter::once(error.to_string()).chain(modeldepot::causes(error)).collect()
}

/// Returns text from the provider or the URL as it is shown.
fn told(text: &str) -> String {
    text.chars().take(LONGEST).map(|c| if c == '`' { '\'' } else { c }).collect()
}
