//! A file that appears under its name when it is kept, be that at its beginning or when it is whole.
//!
//! Owns [`NewFile`]. Uses the file system only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::WriteError;

/// How many leftovers of other runs are passed by when a name is sought.
const NAMES: u32 = 100;

/// Written beside the place it will take; removed when dropped before it took it.
#[derive(Debug)]
pub(super) struct NewFile {
    file: File,
    /// Where it is until it is kept.
    beside: PathBuf,
    path: PathBuf,
    replace: bool,
    kept: bool,
}

impl NewFile {
    /// Begins a file that will be `path`. What stands in its way is said now rather than when all is done.
    pub(super) fn create(path: &Path, replace: bool) -> Result<Self, WriteError> {
        let failed = |error| WriteError::Io { path: path.to_owned(), error };
        match fs::symlink_metadata(path) {
            // Through a link we would replace the link, and through a device nothing.
            Ok(found) if !found.is_file() => return Err(WriteError::NotAFile(path.to_owned())),
            Ok(_) if !replace => return Err(WriteError::Exists(path.to_owned())),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let process = std::process::id();
        for number in 0..NAMES {
            let beside = path.with_file_name(format!(".{name}.{process}-{number}.partial"));
            match options().open(&beside) {
                Ok(file) => {
                    return Ok(Self { file, beside, path: path.to_owned(), replace, kept: false });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Err(failed(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "unfinished files of other runs are beside it",
        )))
    }

    /// Gives it its name.
    pub(super) fn keep(&mut self) -> Result<(), WriteError> {
        let named = if self.replace { fs::rename(&self.beside, &self.path) } else { self.name_if_free() };
        match named {
            Ok(()) => {
                self.kept = true;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && !self.replace => {
                Err(WriteError::Exists(self.path.clone()))
            }
            Err(error) => Err(WriteError::Io { path: self.path.clone(), error }),
        }
    }

    /// A second name for the file, unlike a new one, never takes the place of another file.
    fn name_if_free(&self) -> io::Result<()> {
        match fs::hard_link(&self.beside, &self.path) {
            Ok(()) => {
                // It has its name; that it has another one as well is no failure.
                let _ = fs::remove_file(&self.beside);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
            // Some file systems know one name only.
            Err(_) if !self.path.try_exists()? => fs::rename(&self.beside, &self.path),
            Err(_) => Err(io::ErrorKind::AlreadyExists.into()),
        }
    }
}

impl NewFile {
    /// Puts octets in the place of others, and goes on at the end.
    pub(super) fn put(&mut self, at: u64, octets: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(at))?;
        self.file.write_all(octets)?;
        self.file.seek(SeekFrom::End(0)).map(|_| ())
    }

    /// Cuts off what was written after the first `octets`.
    pub(super) fn cut(&mut self, octets: u64) -> io::Result<()> {
        self.file.set_len(octets)
    }
}

impl Write for NewFile {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.file.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.kept {
            // Nothing is left to do where even that fails.
            let _ = fs::remove_file(&self.beside);
        }
    }
}

/// Captures hold other people's traffic: nobody else may read them.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
