//! What answers at the port: TLS, and whether it is S3.

use modeldepot::s3::Answer;
use modeldepot::{Addressing, Error as Depot, ErrorKind, S3Client, Settings, causes};
use time::{Duration, OffsetDateTime};

use super::line::{Line, whole};
use super::network::Place;
use super::raw;
use crate::config;
use crate::error::Error;
use crate::ui::date;

/// A difference of clocks that is none: an answer takes its time, and says the second only.
const NOTHING: Duration = Duration::seconds(5);

/// The difference of clocks from which on something is to be done. Signatures allow 15 minutes.
const SKEW: Duration = Duration::minutes(5);

/// An S3 service that answers, and the settings with which it was made to. They are the user's own, but for what was
/// found to be wrong with them.
pub(super) struct Service {
    pub(super) settings: Settings,
    pub(super) client: S3Client,
    pub(super) answer: Answer,
    /// What was said of the bucket in the host, when the service was reached only without it.
    pub(super) host_failed: Option<String>,
}

/// Returns true when the bucket is named in the host of requests.
pub(super) fn in_host(settings: &Settings) -> bool {
    match settings.addressing {
        Addressing::Auto => settings.endpoint.is_none(),
        Addressing::Path => false,
        Addressing::VirtualHost => true,
    }
}

/// Returns the same settings with the other way to name buckets.
pub(super) fn other_style(settings: &Settings) -> Settings {
    let addressing = if in_host(settings) { Addressing::Path } else { Addressing::VirtualHost };
    Settings { addressing, ..settings.clone() }
}

/// Sends the first request. Without a service, the last line says why.
pub(super) async fn reach(place: &Place, settings: &Settings) -> (Vec<Line>, Option<Service>) {
    let client = match S3Client::connect_depot(settings).await {
        Ok(client) => client,
        Err(error) => return (vec![Line::failed("TLS", "read the authorities", error.into(), settings)], None),
    };
    let mut service = match client.ask(&settings.buckets.models).await {
        Ok(answer) => Service { settings: settings.clone(), client, answer, host_failed: None },
        Err(error) => match without_the_host(settings, &error).await {
            Some(service) => service,
            None => return (unanswered(place, error, settings).await, None),
        },
    };
    let now = config::now();
    let mut lines = vec![if place.is_tls() {
        let authorities = if settings.ca_bundle.is_some() { ", with the authorities given" } else { "" };
        Line::good("TLS", "shake hands", format!("the certificate is trusted{authorities}"))
    } else {
        Line::good("TLS", "", "not in use: the endpoint is http://")
    }];
    let head = &service.answer.head;
    let server = head.server.clone().unwrap_or_else(|| "no name given".to_owned());
    if !is_s3(&service.answer) {
        let line = stranger(place, &service.answer).await;
        if line.check == "TLS" {
            lines.clear();
        }
        lines.push(line);
        return (lines, None);
    }
    let tried = "ask as S3";
    if is_console(&service.answer) {
        let line = Line::bad("answer", ErrorKind::Invalid, tried, "MinIO, but not its S3 API").change(CONSOLE);
        lines.push(line);
        return (lines, None);
    }
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

/// Tries without the bucket's name in the host, which may be unknown where the host alone is not.
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

const CONSOLE: &str = "this is MinIO's console; the API is on another port, often 9000: set S3_ENDPOINT to it";

/// MinIO's console answers a browser with HTML, and what is signed with a refusal of its own.
fn is_console(answer: &Answer) -> bool {
    let named = answer.head.server.as_deref().is_some_and(|server| server.contains("MinIO Console"));
    let said = answer.refusal.as_ref().map(|error| causes(error)).unwrap_or_default();
    named || said.iter().any(|said| said.contains("must be made to API port"))
}

fn is_s3(answer: &Answer) -> bool {
    let head = &answer.head;
    let xml = head.content_type.as_deref().is_some_and(|kind| kind.contains("xml"));
    answer.refusal.is_none() || head.request_id.is_some() || xml
}

/// Says what answers that is no S3 service.
async fn stranger(place: &Place, answer: &Answer) -> Line {
    const OTHER: &str = "this is no S3 API: is another service on that port, or a proxy or login page in between?";
    let tried = "ask as S3";
    if !place.is_tls() && raw::get(&place.host, place.port).await.is_ok_and(|plain| plain.wants_tls()) {
        return wants_tls(place);
    }
    let head = &answer.head;
    let kind = head.content_type.as_deref().unwrap_or("no content type");
    let server = head.server.as_deref().map_or_else(|| "no Server".to_owned(), |server| format!("Server: {server}"));
    let found = format!("HTTP {}, {kind}, {server}", answer.status);
    let line = Line::bad("answer", ErrorKind::Invalid, tried, printable(&found));
    line.change(if is_console(answer) { CONSOLE } else { OTHER })
}

/// Says why nothing came back.
async fn unanswered(place: &Place, error: Depot, settings: &Settings) -> Vec<Line> {
    if matches!(error, Depot::NoCredentials { .. }) {
        return vec![Line::failed("credentials", "find a login", error.into(), settings)];
    }
    if matches!(error, Depot::ProxyUnreachable { .. } | Depot::ProxyRefused { .. }) {
        return vec![Line::failed("answer", "ask as S3", error.into(), settings)];
    }
    let error = Error::from(error);
    let said = whole(&error);
    let plain = raw::get(&place.host, place.port).await;
    if !place.is_tls() {
        let tried = "ask as S3";
        return vec![match plain {
            Ok(plain) if plain.wants_tls() => wants_tls(place),
            Ok(plain) if !plain.first_line.is_empty() => {
                let found = format!("it speaks no HTTP: `{}`", printable(&plain.first_line));
                Line::bad("answer", ErrorKind::Invalid, tried, found).change("another service is on that port")
            }
            Ok(plain) if plain.status.is_some() => Line::failed("answer", tried, error, settings),
            _ if raw::speaks_tls(&place.host, place.port).await => wants_tls(place),
            _ => Line::failed("answer", tried, error, settings)
                .change("the port is open and nothing answers in HTTP: another service, or one that hangs"),
        }];
    }
    let bad = |found: &str| Line::bad("TLS", ErrorKind::Unavailable, "shake hands", found);
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let line = if has(&["UnknownIssuer", "UnsupportedSignatureAlgorithm", "BadSignature"]) {
        bad("the certificate is of an authority that this machine does not know")
            .change("name that authority's certificate, or the server's own if it is self-signed, with --ca-bundle or AWS_CA_BUNDLE")
    } else if has(&["not valid for", "NotValidForName"]) {
        bad(&format!("the certificate is for another name than `{}`", place.host))
            .details(vec![printable(&said)])
            .change("use the name that the certificate is for as S3_ENDPOINT, or have one made for this name")
    } else if has(&["certificate expired", "Expired"]) {
        bad("the certificate has expired").change("have it renewed; or is this machine's clock wrong?")
    } else if has(&["not valid yet", "NotValidYet"]) {
        bad("the certificate is not valid yet").change("is this machine's clock wrong?")
    } else if has(&["CaUsedAsEndEntity"]) {
        bad("the server shows a certificate authority's own certificate, which no client should take")
            .change("have that authority sign a certificate for the server; a self-signed one needs `basicConstraints=CA:FALSE`")
    } else if plain.is_ok_and(|plain| plain.status.is_some() && !plain.wants_tls()) {
        Line::bad("TLS", ErrorKind::Invalid, "shake hands", "plain HTTP is spoken on that port")
            .change(format!("set S3_ENDPOINT={}", place.with_scheme("http")))
    } else {
        Line::failed("TLS", "shake hands", error, settings)
            .change("the port is open and does not finish a TLS handshake: another service, or one that hangs")
    };
    vec![line]
}

fn wants_tls(place: &Place) -> Line {
    Line::bad("TLS", ErrorKind::Invalid, "ask in plain HTTP", "TLS is spoken on that port")
        .change(format!("set S3_ENDPOINT={}", place.with_scheme("https")))
}

fn clock(theirs: Option<OffsetDateTime>, ours: OffsetDateTime) -> Line {
    let tried = "compare the clocks";
    let Some(theirs) = theirs else {
        return Line::note("clock", tried, "the server does not say what time it is");
    };
    let ahead = ours - theirs;
    let amount = ahead.abs();
    let found = if amount < NOTHING {
        "less than 5 seconds from the server's".to_owned()
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
        .change("set the clock that is wrong (NTP); from 15 minutes on every signature is refused")
}

/// What a stranger sends must not steer the terminal.
fn printable(text: &str) -> String {
    text.escape_debug().to_string().replace("\\\"", "\"")
}
