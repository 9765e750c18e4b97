//! The only place that writes to standard output and error for people and pipes.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

/// One JSON object and a newline. A closed pipe is the reader's right.
pub(super) fn json(value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    write_out(&line)
}

/// Text and a newline.
pub(super) fn line(text: &str) -> io::Result<()> {
    write_out(format!("{text}\n").as_bytes())
}

/// A note that is not the result.
pub(super) fn note(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// The last word before a bad exit code.
pub(super) fn error(text: &str) {
    drop(writeln!(io::stderr().lock(), "andon: {text}"));
}

fn write_out(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Whether a file can be written here, asked before the work whose result it will hold: its folder is there and takes files. What is there
/// stays as it is.
///
/// # Errors
/// The file, the reason and the remedy.
pub(super) fn writable(path: &Path) -> anyhow::Result<()> {
    if path.is_dir() {
        anyhow::bail!("cannot write {}: it is a folder; name a file in it", path.display());
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        anyhow::bail!("cannot write {}: there is no folder {}; make it first", path.display(), folder.display());
    }
    atomic_write_file::AtomicWriteFile::open(path)
        .and_then(atomic_write_file::AtomicWriteFile::discard)
        .map_err(|e| anyhow::anyhow!("cannot write {}: {e}", path.display()))
}
