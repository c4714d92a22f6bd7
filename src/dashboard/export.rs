//! New files: never over another one, readable by their owner only.

use std::fs::OpenOptions;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::effect::Body;
use super::model::Session;
use crate::capture::write::{CaptureWriter, WriteError};
use crate::pipeline::Pipeline;
use crate::report::marked::{self, MarkedError, Source};

/// Names that are tried.
const NAMES: u32 = 1000;

/// What a body is made from.
#[derive(Default)]
pub(super) struct From {
    /// The captures as they were read.
    pub(super) sources: Vec<Source>,
}

impl From {
    /// What a session has read.
    pub(super) fn of(session: &Session) -> From {
        let read = session.paths.iter().zip(session.store.captures());
        let source = |(path, report): (&PathBuf, &crate::report::CaptureReport)| Source {
            path: path.clone(),
            name: report.path.clone(),
            frames: report.packets,
        };
        From { sources: read.map(source).collect() }
    }
}

/// Writes a body to the first free name: `stem.suffix`, `stem-2.suffix` and so on, in `folder`.
pub(super) fn write(
    folder: &Path,
    stem: &str,
    suffix: &str,
    body: &Body,
    from: &From,
) -> Result<PathBuf, String> {
    for number in 1..=NAMES {
        let name = if number == 1 { format!("{stem}.{suffix}") } else { format!("{stem}-{number}.{suffix}") };
        let path = folder.join(name);
        let written = match body {
            Body::Octets(octets) => write_octets(&path, octets),
            Body::Packets(record) => write_packets(&path, std::slice::from_ref(record.as_ref()), from),
        };
        match written {
            Ok(()) => return Ok(path),
            Err(Failure::Taken) => {}
            Err(Failure::Other(problem)) => return Err(problem),
        }
    }
    Err(format!("{stem}.{suffix} and {NAMES} names like it are taken"))
}

enum Failure {
    Taken,
    Other(String),
}

fn write_octets(path: &Path, octets: &[u8]) -> Result<(), Failure> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::Taken,
        _ => Failure::Other(format!("{}: {error}", path.display())),
    };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(octets).map_err(|error| {
        // Half a file is worth nothing, and it is ours.
        let _ = std::fs::remove_file(path);
        failed(error)
    })
}

fn write_packets(
    path: &Path,
    records: &[crate::analysis::ConnectionRecord],
    from: &From,
) -> Result<(), Failure> {
    let write_error = |error: WriteError| match error {
        WriteError::Exists(_) | WriteError::NotAFile(_) => Failure::Taken,
        other => Failure::Other(other.to_string()),
    };
    let mut writer = CaptureWriter::create(path, false).map_err(write_error)?;
    // Unpredictable, so that no capture can be made to collide; results do not depend on it.
    let pipeline = Pipeline::new(RandomState::new().hash_one(0));
    match marked::write(&mut writer, &from.sources, records, pipeline, |_| ControlFlow::Continue(())) {
        Ok(_) => {}
        Err(MarkedError::Write(error)) => return Err(write_error(error)),
        Err(error) => return Err(Failure::Other(format!("{}: {error}", path.display()))),
    }
    writer.finish().map(|_| ()).map_err(write_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stand_beside_others_and_belong_to_their_owner() {
        let folder = std::env::temp_dir().join(format!("keepscope-export-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let from = From { sources: Vec::new() };
        let body = |text: &str| Body::Octets(text.as_bytes().to_vec());
        let one = write(&folder, "a", "json", &body("one"), &from).unwrap();
        let two = write(&folder, "a", "json", &body("two"), &from).unwrap();
        assert_eq!(
            (one.file_name().unwrap(), two.file_name().unwrap()),
            ("a.json".as_ref(), "a-2.json".as_ref())
        );
        assert_eq!(std::fs::read_to_string(&one).unwrap(), "one");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&one).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let missing = write(&folder.join("none"), "a", "json", &body("x"), &from);
        assert!(missing.unwrap_err().contains("none"));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
