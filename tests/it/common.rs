//! What the tests share: where the peers and the data are, and how to say that something is skipped.
#![allow(dead_code, reason = "not every build of the tests uses every helper")]

use std::path::{Path, PathBuf};

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Python of the peers' virtual environment. `make test` makes it and sets `ANDON_REQUIRE_PEERS`, so there a missing
/// one is a failure; elsewhere the caller says `skipped`.
pub fn peers_python() -> Option<PathBuf> {
    let python =
        std::env::var_os("ANDON_PEERS_PYTHON").map_or_else(|| root().join("target/venv/bin/python"), PathBuf::from);
    if python.exists() {
        return Some(python);
    }
    assert!(
        std::env::var_os("ANDON_REQUIRE_PEERS").is_none(),
        "no peers' Python at {}: run `make venv`",
        python.display()
    );
    eprintln!("skipped: no Python peers at {} (run `make venv`)", python.display());
    None
}

/// The folder of real images, or `None` with a word about it.
pub fn data(set: &str) -> Option<PathBuf> {
    let base = std::env::var_os("ANDON_DATA").map_or_else(|| root().join("../shared/data"), PathBuf::from);
    let path = base.join(set);
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("skipped: no data at {}", path.display());
    None
}
