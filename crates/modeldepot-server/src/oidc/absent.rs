//! The provider in a build without the feature `oidc`: there is none.

use url::Url;

use super::{Answer, Failure, Oidc};
use crate::auth::Person;

/// A provider that cannot exist.
pub(crate) enum Provider {}

impl Provider {
    pub(crate) fn new(_: Oidc, _: Option<Url>, _: bool) -> Result<Provider, getrandom::Error> {
        Err(getrandom::Error::UNSUPPORTED)
    }

    pub(crate) fn host(&self) -> String {
        match *self {}
    }

    pub(crate) fn attempt_seconds(&self) -> u64 {
        match *self {}
    }

    pub(crate) async fn begin(&self, _: &str, _: &str) -> Result<(Url, String), Failure> {
        match *self {}
    }

    pub(crate) async fn finish(&self, _: &str, _: Answer, _: Option<&str>) -> Result<(Person, String), Failure> {
        match *self {}
    }

    pub(crate) fn logout_url(&self) -> Option<Url> {
        match *self {}
    }
}
