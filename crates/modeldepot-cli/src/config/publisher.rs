//! The publisher recorded in manifests: a setting, else the CI job, else `user@host`.

use modeldepot::PublishedBy;
use url::Url;

use super::here;
use crate::error::Error;

/// The variable for it. An empty value records nobody.
const VARIABLE: &str = "MODELDEPOT_PUBLISHED_BY";

/// Variables in which CI systems store the URL of the job.
const JOBS: [&str; 5] = ["CI_JOB_URL", "BUILD_URL", "CIRCLE_BUILD_URL", "BUILDKITE_BUILD_URL", "DRONE_BUILD_LINK"];

/// Returns the publisher.
///
/// # Errors
/// If the configured value is not allowed.
pub(crate) fn published_by() -> Result<Option<PublishedBy>, Error> {
    match here(Vec::new())?.find(VARIABLE).0 {
        Some(text) if text.is_empty() => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|error: modeldepot::NameError| Error::Usage {
            message: error.to_string(),
            hint: "set MODELDEPOT_PUBLISHED_BY to a name, or to nothing to publish without one",
        }),
        None => Ok(detected(|name| std::env::var(name).ok(), account(), host())),
    }
}

/// Like `published_by`, for callers other than the command line.
///
/// # Errors
/// [`Failure`](crate::Failure), in the command's words.
pub fn publisher() -> Result<Option<PublishedBy>, crate::Failure> {
    Ok(published_by()?)
}

/// Detects the publisher; `None` if the result would not be allowed.
fn detected(
    variable: impl Fn(&str) -> Option<String>,
    account: Option<String>,
    host: Option<String>,
) -> Option<PublishedBy> {
    let filled = |name: &str| variable(name).filter(|text| !text.is_empty());
    let github = || {
        filled("GITHUB_ACTIONS")?;
        let (server, repository) = (filled("GITHUB_SERVER_URL")?, filled("GITHUB_REPOSITORY")?);
        Some(format!("{server}/{repository}/actions/runs/{}", filled("GITHUB_RUN_ID")?))
    };
    let job = github().or_else(|| JOBS.iter().find_map(|name| filled(name)));
    if let Some(job) = job.and_then(|job| address(&job)) {
        return Some(job);
    }
    let user = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| filled(name)).or(account)?;
    match host.filter(|host| !host.is_empty()) {
        Some(host) => format!("{user}@{host}").parse().ok(),
        None => user.parse().ok(),
    }
}

/// Returns a job's URL without parts that could be secret.
fn address(text: &str) -> Option<PublishedBy> {
    let mut url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    url.set_username("").and_then(|()| url.set_password(None)).ok()?;
    url.set_query(None);
    url.set_fragment(None);
    url.as_str().parse().ok()
}

/// Returns the name of the account that runs this process; schedulers and containers may not set a variable for it.
#[cfg(unix)]
fn account() -> Option<String> {
    named(rustix::process::getuid().as_raw(), &std::fs::read_to_string("/etc/passwd").ok()?)
}

#[cfg(unix)]
fn named(own: u32, passwd: &str) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, uid) = (fields.next()?, fields.nth(1)?);
        (uid.parse() == Ok(own) && !name.is_empty()).then(|| name.to_owned())
    })
}

#[cfg(not(unix))]
fn account() -> Option<String> {
    None
}

#[cfg(unix)]
fn host() -> Option<String> {
    rustix::system::uname().nodename().to_str().ok().map(str::to_owned)
}

#[cfg(not(unix))]
fn host() -> Option<String> {
    std::env::var("COMPUTERNAME").ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_named_by_its_address_without_secrets_and_a_person_by_user_and_host() {
        let of = |variables: &[(&str, &str)]| {
            let find = |name: &str| variables.iter().find(|it| it.0 == name).map(|it| it.1.to_owned());
            detected(find, None, Some("laptop".to_owned())).map(String::from)
        };
        let person = ("USER", "ana");
        let github = [
            person,
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_REPOSITORY", "plants/models"),
            ("GITHUB_RUN_ID", "7"),
        ];
        assert_eq!(of(&github).as_deref(), Some("https://github.com/plants/models/actions/runs/7"));
        let gitlab = of(&[person, ("CI_JOB_URL", "https://bot:secret@gitlab.example/-/jobs/7?token=secret#x")]);
        assert_eq!(gitlab.as_deref(), Some("https://gitlab.example/-/jobs/7"));
        assert_eq!(of(&[person, ("BUILD_URL", "http://jenkins/job/7/")]).as_deref(), Some("http://jenkins/job/7/"));
        // Other text is not taken for a URL.
        for bad in ["javascript:alert(1)", "no address", ""] {
            assert_eq!(of(&[person, ("BUILD_URL", bad)]).as_deref(), Some("ana@laptop"), "{bad}");
        }
        assert_eq!(of(&[("USER", "a\nb")]), None);
        assert_eq!(of(&[]), None);
    }

    #[cfg(unix)]
    #[test]
    fn where_no_variable_says_it_the_account_is_named() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\n+nis\nana:x:1000:1000::/home/ana:/bin/zsh\n";
        assert_eq!(named(1000, passwd).as_deref(), Some("ana"));
        assert_eq!(named(1001, passwd), None);
        let of = |variables: &[(&str, &str)]| {
            let find = |name: &str| variables.iter().find(|it| it.0 == name).map(|it| it.1.to_owned());
            detected(find, Some("ana".to_owned()), Some("laptop".to_owned())).map(String::from)
        };
        assert_eq!(of(&[]).as_deref(), Some("ana@laptop"));
        assert_eq!(of(&[("USER", "bo")]).as_deref(), Some("bo@laptop"));
    }
}
