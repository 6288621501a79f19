//! The server's own settings in the index.

use redb::{TableDefinition, TableError, WriteTransaction};

use super::opened::Opened;
use crate::access::keys::random;
use crate::error::Error;

/// Name → value.
const SETTINGS: TableDefinition<'static, &str, &str> = TableDefinition::new("settings");

const CONSOLE_SECRET: &str = "console secret";

/// Returns the secret key for [`CONSOLE_KEY`](crate::access::keys::CONSOLE_KEY). It is kept, so that links signed with
/// it survive a restart.
pub(crate) fn console_secret(opened: &Opened, path: &std::path::Path) -> Result<String, Error> {
    let damaged = |source: redb::Error| Error::Index { path: path.to_owned(), source: source.into() };
    let find = || -> Result<Option<String>, redb::Error> {
        match opened.read()?.open_table(SETTINGS) {
            Ok(table) => Ok(table.get(CONSOLE_SECRET)?.map(|found| found.value().to_owned())),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    };
    if let Some(secret) = find().map_err(damaged)? {
        return Ok(secret);
    }
    let secret = hex::encode(random::<32>()?);
    let keep = |tx: WriteTransaction| -> Result<(), redb::Error> {
        tx.open_table(SETTINGS)?.insert(CONSOLE_SECRET, secret.as_str())?;
        tx.commit()?;
        Ok(())
    };
    opened.write(keep).and_then(|kept| kept).map_err(damaged)?;
    Ok(secret)
}
