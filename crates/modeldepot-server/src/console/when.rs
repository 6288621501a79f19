//! Times: relative and exact.

use maud::{Markup, html};
use modeldepot::units;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Shows a time as both: `3 hours ago`, with the exact time as a tooltip.
pub(super) fn when(time: Option<OffsetDateTime>) -> Markup {
    let Some(time) = time.filter(|time| *time != OffsetDateTime::UNIX_EPOCH) else {
        return html! { span.muted { "unknown" } };
    };
    let utc = time.to_offset(time::UtcOffset::UTC);
    let absolute = units::date(Some(utc));
    html! {
        time.time datetime=(utc.format(&Rfc3339).unwrap_or_default()) title=(absolute) {
            (absolute) " " small { (units::ago(utc, OffsetDateTime::now_utc())) }
        }
    }
}
