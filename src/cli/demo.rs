use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use clap::Args;
use crossbeam_channel::bounded;
use ulid::Ulid;

use super::exit::{Exit, Failure};
use super::recipe;
use super::setup::{self, EngineArgs};
use super::show::Show;
use super::sinks::{self, ToView};
use super::view::{Live, Screen, Summary};
use super::{camera, limits, output, run, units};
use crate::assemble;
use crate::config::{self, FrameSize};
use andon_core::Recorder;
use andon_core::Sink;
use andon_core::{CameraId, Mono, Threshold};
use andon_io::sinks::wire::Names;
use andon_line::runtime::{Active, CameraSpec, EjectorLine, LaneSpec, Line, LineControl, LineSpec, Status};
use andon_line::telemetry::{LatencyHistogram, Metrics};
use andon_service::Server;
use andon_sim::{Conveyor, LiveBelt, LiveEye, SimSpec};
use andon_vision::fit::{Augment, FitJob, FitOptions, Phase, Picture, Policy};
use andon_vision::methods::{fit, patchcore};
use andon_vision::model::bundle::Bundle;
use andon_vision::model::embedder::PatchEmbedder;
use andon_vision::model::{Colour, Embed, Learned};

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
    /// No live view; the summary as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

/// The part must have its verdict before it reaches the simulated ejector, 300 ms behind the camera.
const DEADLINE: Duration = Duration::from_millis(250);
/// From the line's start to the first part.
const LEAD: Duration = Duration::from_millis(300);

/// The belt with its photo eye and its valve.
fn lane(belt: LiveBelt, limit: Option<u64>, valve: &Recorder) -> LaneSpec {
    let mut lane = LaneSpec::free(CameraId(0), DEADLINE);
    lane.matching = belt.matching();
    lane.min_pitch = belt.min_pitch();
    lane.margin = Duration::from_millis(5);
    lane.belt = Arc::new(belt);
    lane.has_encoder = true;
    lane.triggers.push(Box::new(LiveEye { belt, limit, next: 0 }));
    let (name, output) = ("blow".to_owned(), Box::new(valve.clone()));
    lane.ejectors.push(EjectorLine { name, spec: belt.ejector(), output, confirm: None });
    lane
}

impl Demo {
    pub fn run(self, log: Option<&str>) -> Result<Exit, Failure> {
        let start = Mono::now();
        // A log would tear the picture apart; what matters is shown in it.
        let _log = setup::logging(log, "error", false)?;
        let settings = config::load(None, super::precheck::environment(), &[]).map_err(Failure::config)?;
        let conveyor =
            Conveyor::new(SimSpec { seed: self.seed, defect_rate: self.defects as f32, ..SimSpec::default() });
        let bundle = Arc::new(self.learn(&conveyor)?);
        let ready = assemble::open(&bundle, &self.engine.options(), FrameSize::AsTrained)?;
        // Until here a signal ends the program at once: learning has nothing to tidy up.
        let stop = setup::stop_flag()?;
        setup::say_degraded(ready.degraded.as_deref());

        let engine = ready.detector.engine_name();
        let threshold = Threshold::new(bundle.manifest.threshold)
            .ok_or_else(|| anyhow::anyhow!("the learned threshold cannot be used"))?;
        let active =
            Active { threshold, model: assemble::model_tag(&bundle, engine), degraded: ready.degraded.is_some() };
        let names = Names {
            site: settings.config.site.clone(),
            line: settings.config.line.clone(),
            station: settings.config.station.clone(),
            box_name: settings.config.box_name.clone(),
            cameras: vec!["sim".to_owned()],
            lanes: vec!["belt".to_owned()],
            ejectors: vec![vec!["blow".to_owned()]],
            outputs: vec![vec!["valve".to_owned()]],
            inputs: vec![vec!["eye".to_owned()]],
            simulated: true,
            boot: Ulid::generate(),
            ..Names::default()
        };
        let status = Status::new([("sim".to_owned(), active.clone())], names.lanes.iter().cloned());
        let metrics = Metrics::new(&names.cameras);
        let (health, watched) = (run::health(status.clone(), metrics.delivery.clone()), status.clone());
        metrics.watch(move || watched.line_state());
        let server = settings.config.metrics.and_then(|a| Server::start(a, metrics.clone(), health).ok());
        let control = Arc::new(LineControl {
            status: status.clone(),
            threshold_unsafe: Vec::new(),
            takes_triggers: false,
            config_json: config::masked(&settings.raw)?.to_string(),
        });
        let zenoh = sinks::zenoh(&settings.config.zenoh, &names, control, vec![bundle.clone()])?;

        let mut screen = if self.json { None } else { Screen::enter()? };
        let (to_view, events) = bounded(4096);
        let mut all: Vec<Box<dyn Sink>> = zenoh.into_iter().collect();
        all.push(Box::new(ToView { names: names.clone(), to: to_view, maps: screen.is_some() }));
        let limit = (self.seconds > 0).then(|| (self.seconds as f64 * self.rate).round() as u64);
        let make_detector = assemble::maker(ready, bundle.clone(), self.engine.options(), FrameSize::AsTrained);
        // Part 0 comes when everything is up.
        let belt = LiveBelt { start: Mono::now() + LEAD, rate: self.rate };
        let source = camera::simulated(conveyor.clone(), belt, limit)?;
        let valve = Recorder::new("valve");
        let lane = lane(belt, limit, &valve);
        let spec = CameraSpec {
            name: "sim".to_owned(),
            source,
            make_detector,
            replacement: None,
            active,
            deadline: DEADLINE,
            presence: None,
        };
        let line = Line::start(LineSpec { cameras: vec![spec], lanes: vec![lane], sinks: all, metrics, status })?;

        let title = format!("simulated flanges · {engine}");
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
            let waiting = scope.spawn(|| line.wait(&stop));
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
        drop((screen, server));
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

    fn learn(&self, conveyor: &Conveyor) -> Result<Bundle, Failure> {
        let backbone = recipe::default_backbone();
        let options = self.engine.options();
        let (mut embedder, _) = PatchEmbedder::open(&backbone, &options)?;
        let side = conveyor.spec().side;
        // Features, and the coreset's distances, of every patch; the bank and its copies are small beside them.
        let (cells, dim) = (embedder.grid().0 * embedder.grid().1, embedder.dim());
        limits::memory(self.learn * (cells * (4 * dim + 24)) as u64, &format!("--learn {}", self.learn))
            .map_err(|why| Failure::new(Exit::Usage, anyhow::anyhow!(why)))?;
        let mut pictures = (0..self.learn as usize).map(|k| {
            let mut rgb = Vec::new();
            conveyor.paint_good(k as u64, &mut rgb);
            Ok((format!("good_{k:04}"), Picture { width: side, height: side, rgb }))
        });
        let fit_options = FitOptions {
            name: "flange".to_owned(),
            method: patchcore::ID.to_owned(),
            params: patchcore::Params::default().to_value(),
            seed: self.seed,
            scoring: recipe::DEFAULT_SCORING,
            policy: Policy::default(),
            mask: None,
            augment: Augment::default(),
            folds: 5,
            threads: options.threads,
            created: None,
            engine: embedder.engine_name().to_owned(),
            learned: Learned { any_size: false, colour: Colour::Colour },
        };
        let bar = super::progress::Progress::new();
        let mut progress = |phase: Phase, done: usize, total: usize| {
            bar.set_message(format!("learning: {}", phase.as_str()));
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        };
        let mut fitted = fit(FitJob {
            pictures: &mut pictures,
            skip_bad: false,
            embedder: &mut embedder,
            backbone: &backbone,
            options: &fit_options,
            progress: &mut progress,
        })?;
        bar.finish_and_clear();
        // Gives it its digest.
        fitted.bundle.to_bytes()?;
        Ok(fitted.bundle)
    }
}
