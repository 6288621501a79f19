//! Programs whose ports are taken for that of an S3 API.

use std::fmt;

use super::tls::NO_CERTIFICATE;
use crate::advice::{Advice, note};

/// A program that is not an S3 API, known by its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Product {
    /// MinIO's console, on the port beside the API's.
    MinioConsole,
    /// `modeldepot serve`, or the console of `modeldepot up`.
    Modeldepot,
    /// SeaweedFS's master.
    SeaweedMaster,
    /// SeaweedFS's filer.
    SeaweedFiler,
    /// One of SeaweedFS's volume servers.
    SeaweedVolume,
    /// Ceph's dashboard.
    CephDashboard,
    /// Prometheus.
    Prometheus,
    /// Garage's administration API.
    GarageAdmin,
    /// A web site that AWS makes of a bucket.
    S3Website,
    /// Amazon's network of caches.
    CloudFront,
    /// A server that answers only to those who show a certificate.
    WantsCertificate,
    /// nginx's page of a fresh installation.
    Nginx,
    /// A page of MLflow.
    Mlflow,
    /// Grafana.
    Grafana,
}

impl Product {
    /// Knows a program by its answer; `text` is the beginning of the body.
    pub(super) fn of<'h>(header: &impl Fn(&str) -> Option<&'h str>, media_type: &str, text: &str) -> Option<Product> {
        let server = header("server").unwrap_or_default();
        let titled = |title: &str| text.contains(&format!("<title>{title}"));
        let leads_to = |path: &str| header("location").is_some_and(|location| location == path);
        Some(match () {
            () if server.contains("MinIO Console") || titled("MinIO Console") => Product::MinioConsole,
            // It answers to what is signed in XML.
            () if text.contains("must be made to API port") => Product::MinioConsole,
            () if media_type.contains("problem+json") && text.contains("\"/docs#") => Product::Modeldepot,
            () if header("x-modeldepot-request-id").is_some() => Product::Modeldepot,
            () if server.starts_with("SeaweedFS Filer") || titled("SeaweedFS Filer") => Product::SeaweedFiler,
            () if server.starts_with("SeaweedFS Volume") => Product::SeaweedVolume,
            () if server.starts_with("SeaweedFS") || titled("SeaweedFS") => Product::SeaweedMaster,
            () if server.starts_with("Ceph-Dashboard") || titled("Ceph<") => Product::CephDashboard,
            () if titled("Prometheus") || leads_to("/graph") || leads_to("/query") => Product::Prometheus,
            () if text.starts_with("Garage is fully operational") || text.starts_with("Garage is operational") => {
                Product::GarageAdmin
            }
            () if header("x-amz-error-code").is_some() && media_type.starts_with("text/html") => Product::S3Website,
            () if server == "CloudFront" => Product::CloudFront,
            () if text.contains("No required SSL certificate was sent") => Product::WantsCertificate,
            () if titled("Welcome to nginx!") => Product::Nginx,
            () if titled("MLflow") => Product::Mlflow,
            () if titled("Grafana") => Product::Grafana,
            () => return None,
        })
    }

    /// Returns what to do.
    pub(super) fn advice(self) -> Advice {
        match self {
            Product::MinioConsole => note!("the S3 API is on another port, often 9000: set S3_ENDPOINT to it"),
            Product::Modeldepot => return Advice::UseServerOfService,
            Product::SeaweedMaster | Product::SeaweedFiler | Product::SeaweedVolume => note!(
                "the S3 API is on another port, often 8333 (`weed s3`, or `weed server -s3`): set S3_ENDPOINT to it"
            ),
            Product::CephDashboard => {
                note!("the object gateway is on another port, often 7480 or 80: set S3_ENDPOINT to it")
            }
            Product::GarageAdmin => note!("the S3 API is on another port, often 3900: set S3_ENDPOINT to it"),
            Product::S3Website => note!(
                "a web site's endpoint only reads pages: leave S3_ENDPOINT empty, and set S3_REGION to the bucket's \
                 region"
            ),
            Product::CloudFront => note!(
                "a distribution serves files and is not the API: leave S3_ENDPOINT empty, and set S3_REGION to the \
                 bucket's region"
            ),
            Product::WantsCertificate => NO_CERTIFICATE,
            Product::Prometheus | Product::Nginx | Product::Mlflow | Product::Grafana => {
                note!("another service is on that port: set S3_ENDPOINT to the S3 server's own address and port")
            }
        }
        .into()
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Product::MinioConsole => "MinIO's console",
            Product::Modeldepot => "modeldepot's own console and REST API",
            Product::SeaweedMaster => "SeaweedFS's master",
            Product::SeaweedFiler => "SeaweedFS's filer",
            Product::SeaweedVolume => "a volume server of SeaweedFS",
            Product::CephDashboard => "Ceph's dashboard",
            Product::Prometheus => "Prometheus",
            Product::GarageAdmin => "Garage's administration API",
            Product::S3Website => "the web site of a bucket",
            Product::CloudFront => "a CloudFront distribution",
            Product::WantsCertificate => "a server that requires a client certificate",
            Product::Nginx => "a fresh nginx",
            Product::Mlflow => "MLflow",
            Product::Grafana => "Grafana",
        })
    }
}
