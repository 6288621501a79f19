//! Addressing styles: the bucket in the path or in the host name.

use modeldepot::{Addressing, Settings};

/// Returns true if requests name the bucket in the host.
pub(super) fn in_host(settings: &Settings) -> bool {
    match settings.addressing {
        Addressing::Auto => settings.endpoint.is_none(),
        Addressing::Path => false,
        Addressing::VirtualHost => true,
    }
}

/// Returns the same settings with the other addressing style.
pub(super) fn other_style(settings: &Settings) -> Settings {
    let addressing = if in_host(settings) { Addressing::Path } else { Addressing::VirtualHost };
    settings.clone().addressing(addressing)
}
