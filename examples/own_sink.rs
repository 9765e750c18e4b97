//! A sink of your own on a line from a configuration file: it appends one line of text for every part that did not pass to a file.
//!
//! `cargo run --release --example own_sink andon.toml rejects.txt`

#![allow(clippy::print_stderr, reason = "an example talks to its terminal")]

use std::error::Error;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use andon::assemble::LineBuilder;
use andon::assemble::precheck::{self, Checked};
use andon_core::{Accepted, NamedThread, Outcome, Record, Sink, spawn};
use crossbeam_channel::{Sender, bounded};
use signal_hook::consts::{SIGINT, SIGTERM};

/// Hands the lines to a thread that writes them: [`Sink::offer`] is called by the one thread that serves all sinks, and a disk may take
/// its time.
struct RejectList {
    /// `None` once the sink is closed.
    lines: Option<Sender<String>>,
    writer: Option<NamedThread>,
}

impl RejectList {
    fn start(mut file: File) -> io::Result<RejectList> {
        let (lines, waiting) = bounded::<String>(1024);
        let writer = spawn("reject-list", move || {
            for line in waiting {
                if let Err(e) = writeln!(file, "{line}") {
                    eprintln!("the list of rejected parts: {e}");
                }
            }
        })?;
        Ok(RejectList { lines: Some(lines), writer: Some(writer) })
    }
}

impl Sink for RejectList {
    fn name(&self) -> &'static str {
        "reject_list"
    }

    fn offer(&mut self, record: &Record) -> Accepted {
        let Record::Verdict(v) = record else { return Accepted::Ignored };
        if matches!(v.outcome, Outcome::Pass(_)) {
            return Accepted::Ignored;
        }
        let line =
            format!("camera {} part {}: {} ({})", v.camera.index(), v.seq.0, v.outcome.as_str(), v.reason.as_str());
        match self.lines.as_ref().map(|lines| lines.try_send(line)) {
            Some(Ok(())) => Accepted::Taken,
            // The disk does not keep up. The line counts it under this sink's name.
            _ => Accepted::Shed,
        }
    }

    fn close(&mut self) {
        // Without a sender the thread ends when it has written what waits.
        self.lines = None;
        if let Some(writer) = self.writer.take() {
            writer.join_within(Duration::from_secs(1));
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(config), Some(list)) = (args.next(), args.next()) else {
        return Err("usage: own_sink CONFIG LIST".into());
    };
    let file = File::options().create(true).append(true).open(&list)?;

    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, stop.clone())?;
    }
    let Checked { loaded, models } = precheck::load(Some(Path::new(&config)), &[], false)?;
    let line = LineBuilder::new(&loaded, stop)?
        // Its second argument is the installed program, which makes the outputs safe when this one is killed.
        .open_configured(models, Path::new("/usr/bin/andon"))?
        .sink(move |_| Ok(Box::new(RejectList::start(file)?)))
        .start()?;
    line.wait()?;
    let report = line.finish()?;
    for (camera, counts, _) in &report.cameras {
        eprintln!("{camera}: {} parts, {} of them passed", counts.offered, counts.pass);
    }
    Ok(())
}
