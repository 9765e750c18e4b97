//! A whole line without hardware, built as `andon run` builds a real one: a simulated camera, a simulated belt with its photo eye, and
//! an ejector whose output is only recorded. It learns a model from good parts, runs fifty parts and says what became of them.
//!
//! `cargo run --release --example line`
//!
//! For a station of your own, put your own [`CameraParts`](andon::assemble::CameraParts) (anything that implements
//! `andon_core::Source`, with a detector from `assemble::open`) and [`LaneParts`](andon::assemble::LaneParts) (outputs, inputs and
//! encoders that implement the contracts of `andon_core`) in place of those of `simulated`. For a configuration file, call
//! `assemble::precheck::load` and `LineBuilder::open_configured`.

#![allow(clippy::print_stdout, reason = "an example talks to its terminal")]

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use andon::assemble::LineBuilder;
use andon::assemble::simulated::{Judge, Learner, station};
use andon::config;
use andon_core::{Accepted, Record, Sink};
use andon_sim::{Conveyor, SimSpec};
use andon_vision::model::engine::EngineOptions;

/// Parts on the belt.
const PARTS: u64 = 50;
/// Parts a second.
const RATE: f64 = 10.0;

/// A sink of our own: it prints what was decided about each part.
struct Print;

impl Sink for Print {
    fn name(&self) -> &'static str {
        "print"
    }

    fn offer(&mut self, record: &Record) -> Accepted {
        let Record::Verdict(verdict) = record else { return Accepted::Ignored };
        println!("part {}: {} ({})", verdict.seq.0, verdict.outcome.as_str(), verdict.reason.as_str());
        Accepted::Taken
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // Nothing is written in a file here: the defaults, without the endpoints that another line on this computer may have.
    let flags = [("zenoh.enabled", "false".to_owned()), ("metrics.enabled", "false".to_owned())];
    let settings = config::load(None, [], &flags)?;

    let conveyor = Conveyor::new(SimSpec::default());
    let engine = EngineOptions::default();
    let model = Learner::open(&engine)?.learn(&conveyor, 20, 1, &mut |_, _, _| {})?;
    let judge = Judge::open(Arc::new(model), engine)?;
    let station = station(&conveyor, judge, RATE, Some(PARTS))?;

    // Set it from elsewhere to stop the line; this one ends with its last part.
    let stop = Arc::new(AtomicBool::new(false));
    let line = LineBuilder::new(&settings, stop)?
        .camera(station.camera)
        .lane(station.lane)
        .simulated()
        .sink(|_| Ok(Box::new(Print)))
        .start()?;
    line.wait()?;
    // The last parts are still on their way to the ejector.
    std::thread::sleep(station.belt.tail());
    let report = line.finish()?;

    for (camera, counts, latency) in &report.cameras {
        let p99_ms = latency.p99_us as f64 / 1000.0;
        println!(
            "{camera}: {} parts, {} PASS, {} REJECT, p99 {p99_ms:.1} ms",
            counts.offered, counts.pass, counts.reject
        );
    }
    println!("the ejector's valve switched {} times", station.valve.edges().len());
    Ok(())
}
