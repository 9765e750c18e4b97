//! What the tables of all sinks have in common, and checks that several of them need.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::RecordKind;

/// What a table is checked against.
pub struct CheckContext<'a> {
    /// Relative paths are taken from here: the folder of the configuration.
    pub base: &'a Path,
    /// Plant, line and station.
    pub names: [&'a str; 3],
    /// The history is kept, from which sinks with an outbox send.
    pub keeps_history: bool,
}

impl CheckContext<'_> {
    /// A path as the configuration means it.
    pub fn path(&self, path: &Path) -> PathBuf {
        self.base.join(path)
    }

    /// The same for a path that may be left out.
    pub fn optional_path(&self, path: &Option<PathBuf>) -> Option<PathBuf> {
        path.as_deref().map(|path| self.path(path))
    }
}

/// The table of a sink in the configuration.
pub trait SinkConfig {
    /// The sink is wanted.
    fn is_enabled(&self) -> bool;

    /// The table with paths taken from the configuration's folder and defaults filled in; everything that is wrong goes to `wrong`, each
    /// line with its key and the remedy.
    fn check(&self, context: &CheckContext<'_>, wrong: &mut Vec<String>) -> Self
    where
        Self: Sized;

    /// What is wrong with the files and folders of a checked table, on this machine.
    fn check_machine(&self, _wrong: &mut Vec<String>) {}

    /// Each address of this box that it listens on, with its key; addresses that cannot be read are left out.
    fn listens(&self) -> Vec<(&'static str, SocketAddr)> {
        Vec::new()
    }

    /// A few words for people: the kind of sink and its address.
    fn describe(&self) -> String;
}

/// Where a server listens; names the key if the text is no address.
pub(super) fn listen_address(key: &str, given: &str, usual_port: u16, wrong: &mut Vec<String>) {
    if given.parse::<SocketAddr>().is_err() {
        wrong.push(format!("{key}: `{given}` is not ADDRESS:PORT, such as 192.168.1.2:{usual_port}"));
    }
}

/// What a sink with an outbox needs: the history, and at least one kind of records.
pub(super) fn check_outbox(table: &str, records: &[RecordKind], context: &CheckContext<'_>, wrong: &mut Vec<String>) {
    if !context.keeps_history {
        wrong.push(format!("{table}.enabled: needs store.enabled = true, where records wait while nobody takes them"));
    }
    if records.is_empty() {
        wrong.push(format!("{table}.records: empty; there are verdict, part, eject, event"));
    }
}

/// What a file is for, and so what has to be in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind {
    /// A password or a token in the first line.
    Secret,
    /// A certificate or a key.
    Pem,
    /// Anything that can be read.
    Text,
}

/// Names the key of a file that cannot be what it is for; nothing if there is no such key.
pub(super) fn check_file(key: &str, path: Option<&Path>, kind: FileKind, wrong: &mut Vec<String>) {
    let Some(path) = path else { return };
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) => return wrong.push(format!("{key}: cannot read {}: {e}", path.display())),
    };
    let text = String::from_utf8_lossy(&bytes);
    if kind == FileKind::Secret && text.lines().next().unwrap_or_default().trim().is_empty() {
        wrong.push(format!("{key}: the first line of {} is empty", path.display()));
    }
    if kind == FileKind::Pem && !text.contains("-----BEGIN ") {
        wrong.push(format!("{key}: {} holds no PEM (-----BEGIN …)", path.display()));
    }
}
