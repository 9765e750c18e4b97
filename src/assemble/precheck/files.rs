//! Files, folders and devices that a configuration names.

use super::io_points;
use crate::assemble::page;
use crate::config::Config;
use andon_io::sinks::SINKS;

pub(super) fn check(c: &Config, wrong: &mut Vec<String>) {
    for sink in SINKS.iter().map(|kind| (kind.config)(&c.sinks)).filter(|sink| sink.is_enabled()) {
        sink.check_machine(wrong);
    }
    if c.pictures.enabled {
        c.pictures.check_machine(wrong);
    }
    wrong.extend(page::not_writable(c));
    for path in c.page.tls.iter().flat_map(|(certificate, key)| [certificate, key]).filter(|_| c.page_enabled) {
        if let Err(e) = std::fs::File::open(path) {
            wrong.push(format!("page: {} cannot be read: {e}", path.display()));
        }
    }
    let mut told: Vec<String> = Vec::new();
    for point in io_points(c) {
        if let Some(why) = point.address.get().check_machine()
            && !told.contains(&why)
        {
            wrong.push(format!("{}: {why}", point.name));
            told.push(why);
        }
    }
}
