//! `modeldepot doctor`: checks from the settings to the permissions, one after the other.
//!
//! Each check reports what was tried, the result and what to change. If a setting is wrong and the right one is known,
//! later checks use the right one.

mod folder;
mod line;
mod login;
mod network;
mod rights;
mod service;
mod style;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use modeldepot::{Error as Depot, S3Client, Settings};
use modeldepot_server::{Check, Doctor};

use self::line::{Line, State};
use self::network::Place;
use self::service::Service;
use crate::args::{DoctorArgs, Globals};
use crate::commands::Context;
use crate::config::{self, InUse};
use crate::error::Error;
use crate::interrupt::unless_interrupted;

/// How long one network check may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The checks that need an answering service, in order.
const NEED_A_SERVICE: [&str; 8] =
    ["answer", "clock", "credentials", "region", "addressing", "bucket", "permissions", "abilities"];

/// The checks so far. Each is reported as soon as it is done.
struct Report<'a> {
    settings: &'a Settings,
    tell: Box<dyn FnMut(&Line) + Send + 'a>,
    lines: Vec<Line>,
    since: Instant,
}

pub(crate) async fn run(args: DoctorArgs, globals: &Globals, cx: &Context<'_>) -> Result<(), Error> {
    let in_use = config::origins(globals, cx.settings)?;
    let scratch = rights::scratch();
    let mut told = Ok(());
    let tell = |line: &Line| {
        if !cx.ui.json && told.is_ok() {
            told = line.text().iter().try_for_each(|line| cx.ui.answer(line));
        }
    };
    let mut report = Report::new(cx.settings, tell);
    let mut wrote = None;
    let ended = unless_interrupted(examine(&mut report, &in_use, &scratch, &mut wrote)).await;
    if ended.is_err()
        && let Some(client) = wrote
    {
        // If canceled in between, remove what was written.
        let _ = within(&client, "delete", client.delete_object(&cx.settings.buckets.models, &scratch)).await;
    }
    ended?;
    report.add_all(folder::look(&args.pull_folder));
    let lines = report.end();
    told?;
    if cx.ui.json {
        cx.ui.answer_json(&lines.iter().map(Line::to_json).collect::<Vec<_>>())?;
    }
    let failed: Vec<_> = lines
        .iter()
        .filter_map(|line| match line.state {
            State::Bad(kind) => Some(kind),
            _ => None,
        })
        .collect();
    match failed.first() {
        None => Ok(()),
        Some(kind) => Err(Error::Checks { failed: failed.len(), all: lines.len(), kind: *kind }),
    }
}

/// Returns the checks for the console's health page: the same as the command's, without the folder for pulls. The page
/// decides when to probe.
pub(crate) fn for_the_console(globals: &Globals, settings: &Settings) -> Result<Doctor, Error> {
    let in_use = Arc::new(config::origins(globals, settings)?);
    let settings = Arc::new(settings.clone());
    let of = move |probes: bool| {
        let (in_use, settings) = (Arc::clone(&in_use), Arc::clone(&settings));
        move || examined(Arc::clone(&in_use), Arc::clone(&settings), probes)
    };
    Ok(Doctor::new(of(false), of(true)))
}

async fn examined(in_use: Arc<Vec<InUse>>, settings: Arc<Settings>, probes: bool) -> Vec<Check> {
    let mut report = Report::new(&settings, |_| {});
    if probes {
        if let Some(service) = look(&mut report, &in_use).await {
            // The other checks are on the page already.
            report.lines.clear();
            write(&mut report, &service, &rights::scratch(), &mut None).await;
        }
    } else if let Some(service) = look(&mut report, &in_use).await {
        rights::reading(&service, |line| report.add(line)).await;
        rights::known(&service, |line| report.add(line)).await;
    }
    report.lines.iter().map(Line::check).collect()
}

async fn examine(report: &mut Report<'_>, in_use: &[InUse], scratch: &str, wrote: &mut Option<S3Client>) {
    if let Some(service) = look(report, in_use).await {
        write(report, &service, scratch, wrote).await;
    }
}

/// Runs all checks that need no writing; returns the service if it can be written to.
async fn look(report: &mut Report<'_>, in_use: &[InUse]) -> Option<Service> {
    report.add(settings(in_use));
    let settings = report.settings;
    let mut service = reach(report).await?;

    let source = source(in_use);
    report.add_all(login::login(&mut service, &source).await);
    if report.failed("credentials") || report.skipped("credentials") {
        report.skip_from("addressing", "the credentials were not accepted");
        return None;
    }
    report.add(login::addressing(&mut service).await);
    let mut missing = false;
    for (index, bucket) in settings.buckets.all().into_iter().enumerate() {
        let line = login::bucket(&service, bucket).await;
        missing |= index == 0 && !line.is_good();
        report.add(line);
    }
    if missing {
        report.skip_from("permissions", "the models bucket cannot be used");
        return None;
    }
    Some(service)
}

/// Runs the checks that write: permissions, and the capabilities of the server.
async fn write(report: &mut Report<'_>, service: &Service, scratch: &str, wrote: &mut Option<S3Client>) {
    *wrote = Some(service.client.clone());
    let may_write = rights::rights(service, scratch, |line| report.add(line)).await;
    *wrote = None;
    if may_write {
        rights::abilities(service, |line| report.add(line)).await;
    } else {
        report.skip_from("abilities", "probing the server needs the permission to put objects");
    }
}

/// Checks everything from the host name to an answer from S3.
async fn reach(report: &mut Report<'_>) -> Option<Service> {
    let settings = report.settings;
    let endpoint = match &settings.endpoint {
        Some(endpoint) => endpoint.to_string(),
        None => format!("https://s3.{}.amazonaws.com", settings.region),
    };
    let place = Place::new(&endpoint)?;
    let asked = network::asked(&place, settings)?;
    report.add(network::proxies(&place, settings));
    // A proxy resolves the endpoint's name itself.
    let proxy = settings.proxies.route(&asked).and_then(|proxy| Place::new(proxy.url()?.as_str()));
    let next = proxy.as_ref().unwrap_or(&place);
    let (line, addresses) = network::name(next, proxy.is_some()).await;
    report.add(line);
    if addresses.is_empty() {
        report.add(Line::skipped("port", "the name could not be resolved"));
    } else {
        report.add(network::port(next, &addresses, proxy.is_some()).await);
    }
    let open = report.is_good("port");
    if !open {
        report.add(Line::skipped("TLS", "no connection"));
        report.skip_from("answer", "no connection");
        return None;
    }
    let (lines, service) = service::reach(&place, settings).await;
    report.add_all(lines);
    if service.is_none() {
        let because = if report.failed("credentials") { "no credentials" } else { "no S3 service answers" };
        report.skip_from("answer", because);
    }
    service
}

/// Reports where each setting comes from.
fn settings(in_use: &[InUse]) -> Line {
    let width = in_use.iter().map(|one| one.value.chars().count()).max().unwrap_or(0);
    let mut details = Vec::new();
    let mut hidden = false;
    for InUse { name, value, origin, hidden: other } in in_use {
        details.push(format!("{name:<14} {value:<width$}  {origin}").trim_end().to_owned());
        if let Some(other) = other {
            hidden = true;
            details.push(format!("{:14} overrides: {other}", ""));
        }
    }
    let make = if hidden { Line::note } else { Line::good };
    let found = if hidden { "found; one overrides another" } else { "found" };
    make("settings", "read flags, environment, .env and AWS profile", found).details(details)
}

/// Describes the credentials by their origin.
fn source(in_use: &[InUse]) -> String {
    let found = in_use.iter().find(|one| matches!(one.name, "access key" | "credentials"));
    match found {
        Some(InUse { name: "access key", origin, .. }) => origin.to_string(),
        Some(other) => other.value.clone(),
        None => "the configured credentials".to_owned(),
    }
}

impl<'a> Report<'a> {
    fn new(settings: &'a Settings, tell: impl FnMut(&Line) + Send + 'a) -> Report<'a> {
        Report { settings, tell: Box::new(tell), lines: Vec::new(), since: Instant::now() }
    }

    fn end(self) -> Vec<Line> {
        self.lines
    }

    fn add(&mut self, mut line: Line) {
        line.took = self.since.elapsed();
        self.since = Instant::now();
        (self.tell)(&line);
        self.lines.push(line);
    }

    fn add_all(&mut self, lines: Vec<Line>) {
        lines.into_iter().for_each(|line| self.add(line));
    }

    /// Reports a check and all later ones as skipped.
    fn skip_from(&mut self, first: &str, because: &str) {
        let said: Vec<&str> = self.lines.iter().map(|line| line.check).collect();
        let rest = NEED_A_SERVICE.into_iter().skip_while(|check| *check != first);
        let rest: Vec<&str> = rest.filter(|check| !said.contains(check)).collect();
        (self.tell)(&Line::skipped("not tried", &format!("{because}: {}", rest.join(", "))));
        self.lines.extend(rest.into_iter().map(|check| Line::skipped(check, because)));
    }

    fn state(&self, check: &str) -> Option<State> {
        self.lines.iter().find(|line| line.check == check).map(|line| line.state)
    }

    fn is_good(&self, check: &str) -> bool {
        matches!(self.state(check), Some(State::Good | State::Note))
    }

    fn failed(&self, check: &str) -> bool {
        matches!(self.state(check), Some(State::Bad(_)))
    }

    fn skipped(&self, check: &str) -> bool {
        self.state(check) == Some(State::Skipped)
    }
}

/// Runs one check for at most five seconds.
async fn within<T>(
    client: &S3Client,
    action: &str,
    step: impl Future<Output = modeldepot::Result<T>>,
) -> Result<T, Error> {
    within_time(PATIENCE, client, action, step).await
}

async fn within_time<T>(
    patience: Duration,
    client: &S3Client,
    action: &str,
    step: impl Future<Output = modeldepot::Result<T>>,
) -> Result<T, Error> {
    match tokio::time::timeout(patience, step).await {
        Ok(done) => Ok(done?),
        Err(_) => {
            let said = format!("no answer in {} s", patience.as_secs());
            Err(Error::Depot(Depot::unavailable(action, client.endpoint(), said)))
        }
    }
}
