//! The service at the port: TLS, and whether it speaks S3.

use modeldepot::advice::Advice;
use modeldepot::diagnosis::Stranger;
use modeldepot::s3::Answer;
use modeldepot::{Error as Depot, ErrorKind, S3Client, Settings, causes};
use time::{Duration, OffsetDateTime};

use super::line::Line;
use super::network::Place;
use super::style::{in_host, other_style};
use crate::config;
use crate::ui::date;

/// The first check.
const ASK: &str = "send an S3 request";

/// A difference of clocks that is ignored: an answer takes time, and its date has whole seconds.
const NOTHING: Duration = Duration::seconds(5);

/// The difference of clocks that needs action. Signatures allow 15 minutes.
const SKEW: Duration = Duration::minutes(5);

/// An S3 service that answers, and the settings that reached it. These are the user's, with corrections for what was
/// wrong.
pub(super) struct Service {
    pub(super) settings: Settings,
    pub(super) client: S3Client,
    pub(super) answer: Answer,
    /// The error with the bucket in the host name, if the service only answered without it.
    pub(super) host_failed: Option<String>,
}

/// Sends the first request. If there is no service, the last line says why.
pub(super) async fn reach(place: &Place, settings: &Settings) -> (Vec<Line>, Option<Service>) {
    let client = match S3Client::connect_depot(settings).await {
        Ok(client) => client,
        Err(error) => {
            return (vec![Line::failed("TLS", "read the certificate authorities", error.into(), settings)], None);
        }
    };
    let mut service = match client.ask(&settings.buckets.models).await {
        Ok(answer) => Service { settings: settings.clone(), client, answer, host_failed: None },
        Err(error) => match without_the_host(settings, &error).await {
            Some(service) => service,
            None => return (unanswered(place, error, settings), None),
        },
    };
    let now = config::now();
    let mut lines = vec![tls(place, settings)];
    let head = &service.answer.head;
    let server = head.server.clone().unwrap_or_else(|| "no Server header".to_owned());
    let tried = ASK;
    match service.answer.refusal.take() {
        Some(error) if error.kind() == ErrorKind::Unavailable => {
            lines.push(Line::failed("answer", tried, error.into(), settings));
            return (lines, None);
        }
        refusal => service.answer.refusal = refusal,
    }
    lines.push(Line::good("answer", tried, format!("an S3 service ({server})")));
    lines.push(clock(head.date, now));
    (lines, Some(service))
}

/// Reports that TLS works.
fn tls(place: &Place, settings: &Settings) -> Line {
    if place.is_tls() {
        let authorities = if settings.ca_bundle.is_some() { " with the configured authorities" } else { "" };
        Line::good("TLS", "TLS handshake", format!("the certificate is trusted{authorities}"))
    } else {
        Line::good("TLS", "", "not in use: the endpoint is http://")
    }
}

/// Tries without the bucket in the host name, which DNS may not know although it knows the host.
async fn without_the_host(settings: &Settings, error: &Depot) -> Option<Service> {
    if !in_host(settings) || error.kind() != ErrorKind::Unavailable {
        return None;
    }
    let settings = other_style(settings);
    let client = S3Client::connect_depot(&settings).await.ok()?;
    let answer = client.ask(&settings.buckets.models).await.ok()?;
    let said = causes(error).last().cloned().unwrap_or_else(|| error.to_string());
    Some(Service { settings, client, answer, host_failed: Some(said) })
}

/// Explains why no S3 service answers, as every verb does.
fn unanswered(place: &Place, error: Depot, settings: &Settings) -> Vec<Line> {
    let hands = "TLS handshake";
    let (check, tried) = match &error {
        Depot::Other(error) if error.advice() == Some(&Advice::LogIn) => ("credentials", "find credentials"),
        Depot::Tls { .. } => ("TLS", hands),
        Depot::NotS3 { found, .. } => match **found {
            Stranger::PlainHttp | Stranger::NotTls => ("TLS", hands),
            Stranger::Tls => ("TLS", "send a plain HTTP request"),
            Stranger::Banner { .. } if place.is_tls() => ("TLS", hands),
            _ => ("answer", ASK),
        },
        _ => ("answer", ASK),
    };
    let shaken = check == "answer" && matches!(error, Depot::NotS3 { .. });
    let mut lines = Vec::new();
    if shaken || (check == "answer" && !place.is_tls()) {
        lines.push(tls(place, settings));
    }
    lines.push(Line::failed(check, tried, error.into(), settings));
    lines
}

fn clock(theirs: Option<OffsetDateTime>, ours: OffsetDateTime) -> Line {
    let tried = "compare the clocks";
    let Some(theirs) = theirs else {
        return Line::note("clock", tried, "the server sends no Date header");
    };
    let ahead = ours - theirs;
    let amount = ahead.abs();
    let found = if amount < NOTHING {
        "within 5 seconds of the server".to_owned()
    } else {
        let way = if ahead.is_positive() { "ahead of" } else { "behind" };
        format!("{} s {way} the server", amount.whole_seconds())
    };
    if amount <= SKEW {
        return Line::good("clock", tried, found);
    }
    let details = vec![format!("here {}, there {}", date(Some(ours)), date(Some(theirs)))];
    Line::bad("clock", ErrorKind::Denied, tried, found)
        .details(details)
        .change("correct the wrong clock (NTP); beyond 15 minutes every request is refused")
}
