//! What the index keeps about the server itself.

use redb::{Database, ReadableDatabase, TableDefinition};

use crate::error::Error;
use crate::keys::random;

/// Name → value.
const SETTINGS: TableDefinition<'static, &str, &str> = TableDefinition::new("settings");

/// The access key that programs of the owner sign with. Its secret is made with the data folder and known to no one else.
pub(crate) const CONSOLE_KEY: &str = "modeldepot-console";

const CONSOLE_SECRET: &str = "console secret";

/// Returns the secret key that goes with [`CONSOLE_KEY`]. It stays the same, so links that it signed outlive a restart.
pub(crate) fn console_secret(db: &Database, path: &std::path::Path) -> Result<String, Error> {
    let damaged = |source: redb::Error| Error::Index { path: path.to_owned(), source: source.into() };
    let find = || -> Result<Option<String>, redb::Error> {
        match db.begin_read()?.open_table(SETTINGS) {
            Ok(table) => Ok(table.get(CONSOLE_SECRET)?.map(|found| found.value().to_owned())),
            Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    };
    if let Some(secret) = find().map_err(damaged)? {
        return Ok(secret);
    }
    let secret = hex::encode(random::<32>()?);
    let keep = || -> Result<(), redb::Error> {
        let tx = db.begin_write()?;
        tx.open_table(SETTINGS)?.insert(CONSOLE_SECRET, secret.as_str())?;
        tx.commit()?;
        Ok(())
    };
    keep().map_err(damaged)?;
    Ok(secret)
}
