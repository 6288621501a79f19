//! Lifetime of the presigned links that the service creates: anyone with a link can use it without a token.

use std::time::Duration;

use modeldepot::{ErrorKind, ModelName};

use crate::auth::{Caller, Scope};
use crate::problem::{Problem, Result};

/// The longest lifetime of a link for a caller who may only read: enough to start a download. One in progress is not
/// cut off.
pub(crate) const READER_LIFE: Duration = Duration::from_secs(15 * 60);

/// The default lifetime of a link.
const USUAL_LIFE: Duration = Duration::from_secs(3600);

/// Returns the lifetime of a link to a model's file. It never outlives the caller's token.
///
/// # Errors
/// A problem of kind `denied` if the requested lifetime is longer than the caller may grant.
pub(crate) fn life(caller: &Caller, model: &ModelName, asked: Option<Duration>) -> Result<Duration> {
    let life = match (asked, caller.may(Scope::Share, model)) {
        (asked, true) => asked.unwrap_or(USUAL_LIFE),
        (None, false) => READER_LIFE,
        (Some(asked), false) if asked <= READER_LIFE => asked,
        (Some(_), false) => {
            let minutes = READER_LIFE.as_secs() / 60;
            let detail = format!("{} may create links valid for at most {minutes} minutes", caller.who);
            return Err(Problem::new(ErrorKind::Denied, detail)
                .hint(format!("request a shorter lifetime, or use a token with scope `{}`", Scope::Share)));
        }
    };
    Ok(caller.life(life))
}
