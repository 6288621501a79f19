//! Credentials, region, addressing style, and the buckets.

use modeldepot::{BucketName, Error as Depot, ErrorKind, S3Client, Settings};

use super::line::{Line, State};
use super::service::Service;
use super::style::{in_host, other_style};
use super::within;
use crate::error::Error;

/// How a service responded to the credentials.
enum Login {
    Known,
    Refused,
    /// They were not examined.
    Unknown,
}

/// Checks the credentials and the region. Continues with the region that the service named.
pub(super) async fn login(service: &mut Service, source: &str) -> Vec<Line> {
    let region = region(service).await;
    let (credentials, login) = credentials(service, source);
    let region = match (region, login) {
        (Some(wrong), _) => wrong,
        (None, Login::Known) => match &service.answer.region {
            Some(region) => {
                let found =
                    format!("`{}` is in `{region}`; requests are redirected there", service.settings.buckets.models);
                Line::note("region", sign_for(&service.settings), found)
                    .change(format!("set S3_REGION={region} to save a redirect per command"))
            }
            None => Line::good("region", sign_for(&service.settings), "accepted"),
        },
        (None, _) => Line::skipped("region", "the credentials were refused first"),
    };
    vec![credentials, region]
}

fn sign_for(settings: &Settings) -> String {
    format!("sign for `{}`", settings.region)
}

async fn region(service: &mut Service) -> Option<Line> {
    let error = service.answer.refusal.take();
    let Some(Depot::WrongRegion { expected, .. }) = &error else {
        service.answer.refusal = error;
        return None;
    };
    let tried = sign_for(&service.settings);
    let line = match expected {
        Some(expected) => {
            let line = Line::bad("region", ErrorKind::Denied, tried, format!("the server is in `{expected}`"))
                .change(format!("pass --region {expected}, or set S3_REGION={expected}"));
            let settings = service.settings.clone().region(expected);
            if let Ok(client) = S3Client::connect_depot(&settings).await
                && let Ok(answer) = client.ask(&settings.buckets.models).await
            {
                *service = Service { settings, client, answer, host_failed: service.host_failed.take() };
                return Some(line);
            }
            line
        }
        None => {
            Line::bad("region", ErrorKind::Denied, tried, "wrong region, and the server does not name the right one")
                .change("ask the administrator of the server, and set it with --region or S3_REGION")
        }
    };
    service.answer.refusal = error;
    Some(line)
}

fn credentials(service: &Service, source: &str) -> (Line, Login) {
    let tried = format!("log in with {source}");
    let settings = &service.settings;
    let bad = |found: &str| Line::bad("credentials", ErrorKind::Denied, tried.clone(), found);
    let line = match &service.answer.refusal {
        None | Some(Depot::BucketNotFound { .. }) => Line::good("credentials", tried, "accepted"),
        Some(Depot::Denied { code, .. }) => match code.as_str() {
            "InvalidAccessKeyId" => bad("the server does not know this access key (InvalidAccessKeyId)")
                .change("check S3_ACCESS_KEY: is it mistyped, deleted, or from another server?"),
            "SignatureDoesNotMatch" => bad("the secret key does not match the access key (SignatureDoesNotMatch)")
                .change("check S3_SECRET_KEY for typos; in `.env`, quote a key with `$` or `#`: '…'"),
            "RequestTimeTooSkewed" => bad("refused: the clocks differ too much").change("set the clock first"),
            "ExpiredToken" | "TokenRefreshRequired" => bad("the credentials have expired").change("log in again"),
            "InvalidToken" | "InvalidClientTokenId" => {
                bad("the session token is not valid for this server").change("log in again, or unset AWS_SESSION_TOKEN")
            }
            "AccessDenied" => Line::good("credentials", tried, "accepted; permissions are checked below"),
            code => bad(&format!("refused: {code}")).change("check S3_ACCESS_KEY and S3_SECRET_KEY"),
        },
        Some(Depot::WrongRegion { .. }) => {
            return (Line::skipped("credentials", "the region is wrong"), Login::Unknown);
        }
        Some(_) if service.answer.status < 400 => Line::good("credentials", tried, "accepted"),
        Some(other) => bad(&other.to_string()).change(format!("is `{}` the S3 API itself?", endpoint_of(settings))),
    };
    let login = if line.is_good() { Login::Known } else { Login::Refused };
    (line, login)
}

fn endpoint_of(settings: &Settings) -> String {
    settings.endpoint.as_ref().map_or_else(|| "AWS".to_owned(), ToString::to_string)
}

/// Checks the addressing style. Continues with the other style if only that finds the models bucket.
pub(super) async fn addressing(service: &mut Service) -> Line {
    let bucket = service.settings.buckets.models.clone();
    let word = |in_host: bool| if in_host { "host" } else { "path" };
    let asked_in_host = in_host(&service.settings);
    if let Some(said) = &service.host_failed {
        return Line::bad("addressing", ErrorKind::Invalid, format!("find `{bucket}` in the host"), said.clone())
            .change("pass --addressing path, or set S3_ADDRESSING=path; that works");
    }
    let tried = format!("find `{bucket}` in the {}", word(asked_in_host));
    if is_found(&service.answer.refusal) {
        return Line::good("addressing", tried, "found");
    }
    let settings = other_style(&service.settings);
    if let Ok(client) = S3Client::connect_depot(&settings).await
        && let Ok(answer) = client.ask(&bucket).await
        && is_found(&answer.refusal)
    {
        let style = if asked_in_host { "path" } else { "virtual" };
        let found = format!("not found, but found in the {}", word(!asked_in_host));
        *service = Service { settings, client, answer, host_failed: None };
        return Line::bad("addressing", ErrorKind::Invalid, tried, found)
            .change(format!("pass --addressing {style}, or set S3_ADDRESSING={style}"));
    }
    let found = "found in neither the host nor the path: the bucket does not exist, so the style is unknown";
    Line::new("addressing", State::Note, tried, found)
}

fn is_found(refusal: &Option<Depot>) -> bool {
    matches!(refusal, None | Some(Depot::Denied { .. }))
}

/// Checks one of the buckets.
pub(super) async fn bucket(service: &Service, bucket: &BucketName) -> Line {
    let tried = format!("check `{bucket}`");
    match within(&service.client, "check a bucket", service.client.bucket_exists(bucket)).await {
        Ok(true) => Line::good("bucket", tried, "exists"),
        Ok(false) => Line::bad("bucket", ErrorKind::NotFound, tried, "it does not exist")
            .change("run `modeldepot init` to create the buckets, or correct the name in S3_BUCKET_…"),
        Err(Error::Depot(Depot::Denied { .. })) => {
            Line::note("bucket", tried, "no permission to see whether it exists")
        }
        Err(error) => Line::failed("bucket", tried, error, &service.settings),
    }
}
