//! Where the configuration file is.
//!
//! Under sudo it is the file of the user who asked, not that of root, and only if it is theirs or root's: whoever may
//! write to it decides what a program with rights is asked to do.

use std::fs::Metadata;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The longest file that is read.
const MOST_OCTETS: u64 = 1 << 20;

/// Why a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Why {
    /// --config names it.
    Option,
    /// `KEEPSCOPE_CONFIG` names it.
    Variable,
    /// It is where it is looked for.
    Default,
}

/// A place for a configuration file.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Place {
    /// The file.
    pub(in crate::cli) path: PathBuf,
    /// Why this one.
    pub(in crate::cli) why: Why,
}

/// The file that is read where the command line names this one; none where there is no home either.
pub(in crate::cli) fn find(named: Option<&Path>) -> Option<Place> {
    if let Some(path) = named {
        return Some(Place { path: path.to_owned(), why: Why::Option });
    }
    if let Some(path) = set("KEEPSCOPE_CONFIG") {
        return Some(Place { path: path.into(), why: Why::Variable });
    }
    // The XDG base directory specification says to pass over paths that are not absolute.
    let xdg = set("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = xdg.or_else(|| Some(home()?.join(".config")))?;
    Some(Place { path: folder.join("keepscope").join("config.toml"), why: Why::Default })
}

fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn home() -> Option<PathBuf> {
    match sudo_user() {
        Some(user) => home_of(user),
        None => set("HOME").map(PathBuf::from),
    }
}

/// Who asked, if sudo made us root.
fn sudo_user() -> Option<u32> {
    let user: u32 = set("SUDO_UID")?.parse().ok()?;
    (rustix::process::geteuid().is_root() && user != 0).then_some(user)
}

fn home_of(user: u32) -> Option<PathBuf> {
    let table = std::fs::read_to_string("/etc/passwd").ok()?;
    let mut lines = table.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let line = lines.find(|fields| fields.get(2).is_some_and(|id| id.parse() == Ok(user)))?;
    line.get(5).map(PathBuf::from)
}

/// Whether there is no such file as far as this user can tell: who became another user keeps the old `HOME`, and may
/// not look into it.
fn is_nowhere(error: &std::io::Error, path: &Path) -> bool {
    use std::io::ErrorKind::{NotFound, PermissionDenied};
    let hidden = || std::fs::metadata(path).is_err_and(|error| error.kind() == PermissionDenied);
    error.kind() == NotFound || (error.kind() == PermissionDenied && hidden())
}

impl Place {
    /// The text of the file; none where there need not be one and there is none.
    ///
    /// # Errors
    /// If it cannot be read, is too long, is no text, or under sudo belongs to somebody else.
    pub(in crate::cli) fn read(&self) -> Result<Option<String>, String> {
        let named = super::shown(&self.path);
        let told = |error: &dyn std::fmt::Display| {
            let by = if self.why == Why::Variable { " (named by KEEPSCOPE_CONFIG)" } else { "" };
            format!("{named}: {error}{by}")
        };
        let file = match std::fs::File::open(&self.path) {
            Ok(file) => file,
            Err(error) if self.why == Why::Default && is_nowhere(&error, &self.path) => return Ok(None),
            Err(error) => return Err(told(&error)),
        };
        let about = file.metadata().map_err(|error| told(&error))?;
        if about.is_dir() {
            return Err(told(&"a folder, not a file"));
        }
        if let Some(user) = sudo_user().filter(|_| self.why == Why::Default)
            && !is_of(&about, user)
        {
            return Err(told(&format!(
                "not read under sudo, since somebody else than user {user} or root may write to it"
            )));
        }
        let mut octets = Vec::new();
        file.take(MOST_OCTETS + 1).read_to_end(&mut octets).map_err(|error| told(&error))?;
        if octets.len() as u64 > MOST_OCTETS {
            return Err(told(&"longer than 1 MiB"));
        }
        String::from_utf8(octets).map(Some).map_err(|_| told(&"no text in UTF-8"))
    }
}

/// Whether nobody but this user and root can write to it.
fn is_of(about: &Metadata, user: u32) -> bool {
    (about.uid() == user || about.uid() == 0) && about.mode() & 0o002 == 0
}
