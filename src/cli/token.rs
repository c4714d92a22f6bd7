//! The secret that a partner and who asks it share, as both commands take it.
//!
//! Owns [`TokenArguments`]. From `--token-file`, `--token`, or the environment variable `KEEPSCOPE_TOKEN`, in this order.

use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use clap::Args;

use super::complain;
use crate::partner::TOKEN_VARIABLE;
use crate::partner::secret::{LONGEST, Secret, SecretError};

/// The secret's options.
#[derive(Debug, Args)]
pub(super) struct TokenArguments {
    /// Read the secret from this file, which others must not be able to read [default: the environment variable
    /// KEEPSCOPE_TOKEN]
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    token_file: Option<PathBuf>,

    /// The secret itself. Every user of this machine sees it in the list of processes: prefer the other two
    #[arg(long, value_name = "SECRET")]
    token: Option<String>,
}

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum TokenError {
    /// The file cannot be read.
    #[error("--token-file: {path}: {error}", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// Others can read or write it, so it is no secret.
    #[error("--token-file: every user can read or write {path}: chmod 600 {path}", path = .0.display())]
    Public(PathBuf),
    /// What was given is no secret.
    #[error("{given}: {error}")]
    NoSecret {
        /// How it was given.
        given: &'static str,
        /// What is wrong.
        error: SecretError,
    },
}

impl TokenArguments {
    /// The secret that was given, if any. Warns of one that others see.
    pub(super) fn secret(&self) -> Result<Secret, TokenError> {
        let checked =
            |given, text: &[u8]| Secret::new(text).map_err(|error| TokenError::NoSecret { given, error });
        if let Some(path) = &self.token_file {
            return checked("--token-file", &read(path)?);
        }
        if let Some(token) = &self.token {
            complain(
                "warning: --token shows the secret in the list of processes; use KEEPSCOPE_TOKEN or --token-file",
            );
            return checked("--token", token.as_bytes());
        }
        match std::env::var_os(TOKEN_VARIABLE).filter(|value| !value.is_empty()) {
            Some(value) => checked(TOKEN_VARIABLE, value.as_bytes()),
            None => Ok(Secret::none()),
        }
    }
}

/// Reads a file that only its owner and its group may read. A pipe (`<(...)` of a shell) is nobody else's either.
fn read(path: &Path) -> Result<Vec<u8>, TokenError> {
    let unreadable = |error| TokenError::Unreadable { path: path.to_owned(), error };
    let file = File::open(path).map_err(unreadable)?;
    let found = file.metadata().map_err(unreadable)?;
    if found.is_file() && found.mode() & 0o006 != 0 {
        return Err(TokenError::Public(path.to_owned()));
    }
    let mut text = Vec::new();
    // One octet and some white space too many, so that what is too long is seen to be.
    let most = u64::try_from(LONGEST).unwrap_or(u64::MAX).saturating_add(64);
    file.take(most).read_to_end(&mut text).map_err(unreadable)?;
    Ok(text)
}
