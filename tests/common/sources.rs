//! The sources of the project, as tests about them read them.

use std::path::{Path, PathBuf};

/// All Rust files below a folder, by their paths in it, with what stands in them.
pub fn below(root: &Path) -> Vec<(PathBuf, String)> {
    let (mut found, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source in UTF-8");
                found.push((path.strip_prefix(root).expect("a path in the folder").to_owned(), text));
            }
        }
    }
    found.sort();
    found
}
