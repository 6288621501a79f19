//! The provider of a service that was built without the feature `oidc`: there is none.

use url::Url;

/// A provider that cannot be.
pub(crate) enum Provider {}

impl Provider {
    pub(crate) fn host(&self) -> String {
        match *self {}
    }

    pub(crate) fn logout_url(&self) -> Option<Url> {
        match *self {}
    }
}
