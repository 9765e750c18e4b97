//! `andon demo`: a simulated line, learned and running in under a minute.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use clap::Args;
use crossbeam_channel::bounded;

use super::exit::{Exit, Failure};
use super::setup::{self, EngineArgs};
use super::show::{Show, ToView};
use super::view::{Live, Screen, Summary};
use super::{limits, output, units};
use crate::assemble::simulated::{Judge, Learner, Station, station};
use crate::assemble::{LineBuilder, Page};
use crate::config;
use andon_core::Mono;
use andon_line::telemetry::LatencyHistogram;
use andon_sim::{Conveyor, SimSpec};
use andon_vision::fit::Phase;
use andon_vision::model::bundle::Bundle;

/// `andon demo`.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// How long the belt runs; 0 until you stop it.
    #[arg(long, default_value_t = 30, value_parser = limits::seconds)]
    seconds: u64,
    /// Parts a second.
    #[arg(long, default_value_t = 10.0, value_parser = limits::real(0.1..=1000.0))]
    rate: f64,
    /// Other parts, other defects.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of good parts to learn from.
    #[arg(long, default_value_t = 60, value_parser = limits::whole(1..=10_000u64))]
    learn: u64,
    /// Share of defective parts on the belt: 15% or 0.15.
    #[arg(long, default_value = "15%", value_parser = units::share)]
    defects: f64,
    /// No page for the browser beside the live view.
    #[cfg_attr(not(feature = "page"), arg(hide = true))]
    #[arg(long)]
    no_page: bool,
    /// No live view; the summary as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

impl Demo {
    pub fn run(self, log: Option<&str>) -> Result<Exit, Failure> {
        let start = Mono::now();
        // A log would tear the picture apart; what matters is shown in it.
        let _log = setup::logging(log, "error", false)?;
        let settings = config::load(None, config::environment(), &[]).map_err(Failure::config)?;
        let conveyor =
            Conveyor::new(SimSpec { seed: self.seed, defect_rate: self.defects as f32, ..SimSpec::default() });
        let bundle = Arc::new(self.learn(&conveyor)?);
        let judge = Judge::open(bundle.clone(), self.engine.options())?;
        // Until here a signal ends the program at once: learning has nothing to tidy up.
        let stop = setup::stop_flag()?;
        setup::note_degraded(judge.degraded());
        let engine = judge.engine_name();

        let mut screen = if self.json { None } else { Screen::enter()? };
        let wants_maps = screen.is_some();
        let (to_view, events) = bounded(4096);
        let limit = (self.seconds > 0).then(|| (self.seconds as f64 * self.rate).round() as u64);
        let Station { camera, lane, belt, valve } = station(&conveyor, judge, self.rate, limit)?;
        let page = self.page(&settings.config)?;
        let line = LineBuilder::new(&settings, stop.clone())
            .map_err(Failure::build)?
            .camera(camera)
            .lane(lane)
            .simulated()
            .metrics_may_fail()
            .only_sinks(&["zenoh"])
            .page(page)
            .sink(|station| Ok(Box::new(ToView { station: station.clone(), to: to_view, maps: wants_maps })))
            .start()
            .map_err(Failure::build)?;

        let url = line.page_url();
        if let Some(url) = url.as_ref().filter(|_| screen.is_none()) {
            output::note(&format!("the page of this line, for a browser: {url}"));
        }
        let title = url.map_or(format!("simulated flanges · {engine}"), |url| format!("{url} · {engine}"));
        let mut show = Show {
            live: Live::new(title, self.rate),
            conveyor: &conveyor,
            bundle: &bundle,
            started: Mono::now(),
            first: None,
            maps: VecDeque::new(),
            rejected: None,
            overhead: LatencyHistogram::new(),
            may_stay: Vec::new(),
            edges: LatencyHistogram::new(),
        };
        let ended = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| line.wait());
            let drawn = show.until(|| waiting.is_finished(), &events, &stop, &mut screen);
            if waiting.is_finished() && drawn.is_ok() {
                // The last parts are still on their way to the ejector.
                let until = Mono::now() + belt.tail();
                show.until(|| Mono::now() >= until, &events, &stop, &mut screen)?;
            }
            stop.store(true, Relaxed);
            let ended = waiting.join().map_err(|_| anyhow::anyhow!("the line's watcher panicked"));
            drawn.map_err(anyhow::Error::from).and(ended)
        });
        let stopped = Mono::now();
        let seconds = Mono::now().since(show.started).as_secs_f64();
        let report = line.finish();
        show.drain(&events);
        drop(screen);
        ended??;
        let (_, counts, latency) =
            report?.cameras.into_iter().next().ok_or_else(|| anyhow::anyhow!("the line lost its camera"))?;
        let first_verdict_s = show.first.map(|t| t.since(start).as_secs_f64());
        let tally = show.live.tally;
        let overhead = show.overhead.summary();
        // Parts that had not left the ejector when the line stopped are nobody's fault.
        let past = stopped.since(belt.start + belt.tail()).as_secs_f64() * self.rate;
        show.may_stay.truncate(past as usize + 1);
        let ejections = belt.ejections(&valve.edges(), show.may_stay.iter().copied());
        let (margin, edges) = (show.live.stats.map(|s| s.margin).unwrap_or_default(), show.edges.summary());
        let summary = Summary {
            tally,
            counts,
            latency,
            overhead,
            ejections,
            margin,
            edges,
            first_verdict_s,
            seconds,
            engine: engine.to_owned(),
        };
        match self.json {
            true => output::json(&summary.report())?,
            false => {
                output::line(&summary.table())?;
                output::line("\nnext, with your own pictures of good parts: andon fit GOOD/ -o part.andon")?;
            }
        }
        if !counts.adds_up() || counts.in_flight > 0 {
            return Err(anyhow::anyhow!("parts are unaccounted for: {counts:?}; please report this").into());
        }
        Ok(Exit::Ok)
    }

    /// The page of the simulated line. Nobody can log in: its users would be gone with it.
    #[cfg(feature = "page")]
    fn page(&self, c: &config::Config) -> Result<Option<Page>, Failure> {
        (!self.no_page).then(|| Page::passing(c).map_err(Failure::build)).transpose()
    }

    #[cfg(not(feature = "page"))]
    fn page(&self, _: &config::Config) -> Result<Option<Page>, Failure> {
        Ok(None)
    }

    fn learn(&self, conveyor: &Conveyor) -> Result<Bundle, Failure> {
        let learner = Learner::open(&self.engine.options())?;
        limits::memory(learner.bytes(self.learn), &format!("--learn {}", self.learn))
            .map_err(|why| Failure::new(Exit::Usage, anyhow::anyhow!(why)))?;
        let bar = super::progress::Progress::new();
        let mut progress = |phase: Phase, done: usize, total: usize| {
            bar.set_message(format!("learning: {}", phase.as_str()));
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        };
        let learned = learner.learn(conveyor, self.learn, self.seed, &mut progress)?;
        bar.finish_and_clear();
        Ok(learned)
    }
}
