//! A token for one run of the service: shown once by the program that starts the service, and only kept in memory.

use std::fmt;

use super::Scope;
use super::token::{Token, secret};
use super::tokens_error::TokensError;

/// The only token of a service without a token file. It has full access and is valid while the service runs.
#[derive(Clone)]
pub struct Login(String);

impl Login {
    /// Its name in the logs.
    pub const NAME: &'static str = "console";

    /// Creates a token.
    ///
    /// # Errors
    /// [`TokensError`], if the system's random number generator fails.
    pub fn new() -> Result<Login, TokensError> {
        Ok(Login(secret()?.0))
    }

    /// Returns the token, to show to users who may log in.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub(super) fn token(&self) -> Token {
        Token::of(Login::NAME, Scope::Delete, blake3::hash(self.0.as_bytes()))
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(hidden)")
    }
}
