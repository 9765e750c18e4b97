//! `andon distill`: teaches a small network what a large one makes of many pictures; the result is a teacher for EfficientAD.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::Args;

use super::exit::{Exit, Failure};
use super::setup::{self, EngineArgs};
use super::{first_run, output};
use andon_train::distill::{Job, Plan, SIDE, Standing, distill};
use andon_train::networks::Size;
use andon_train::teacher::Teacher;
use andon_vision::fit::list_images;
use andon_vision::import::Normalise;
use andon_vision::model::Embed;
use andon_vision::model::embedder::PatchEmbedder;

/// `andon distill`.
#[derive(Debug, Args)]
pub(super) struct Distill {
    /// The network that is taught: `xs` for one core of a CPU, `s` and `m` as published.
    #[arg(long, value_name = "SIZE", default_value = "xs", value_parser = size)]
    network: Size,
    /// The large network that teaches it: an ONNX file with feature maps as outputs.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// Its outputs that are learned, finest first; the finest has a stride of 8 pixels.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', required = true)]
    layers: Vec<String>,
    /// What the large network wants, as `andon fit --normalise` has it.
    #[arg(long, value_name = "HOW", value_parser = super::fit_args::normalise)]
    normalise: Normalise,
    /// Pictures of all kinds, as many as there are.
    #[arg(long, value_name = "DIR")]
    pictures: PathBuf,
    /// Where targets, checkpoint and the curve of the loss are kept; the same command goes on from there.
    #[arg(long, value_name = "DIR")]
    work: PathBuf,
    /// The teacher's file.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Weights to begin with, a file that this command wrote before: it is taught further, from other pictures perhaps. Without it they are random.
    #[arg(long, value_name = "FILE")]
    start: Option<PathBuf>,
    /// Steps in all; without it 60,000, as published.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    steps: Option<u64>,
    /// Pictures of one step; without it 8 for `xs`, else 16.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    batch: Option<u16>,
    /// The rate of learning at the start; without it 0.001, falling to 0, for `xs`, else 0.0001.
    #[arg(long, value_name = "RATE", value_parser = rate)]
    rate: Option<f64>,
    /// Seed of all that is drawn.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// What the teacher's file says of its licence: that of the large network and of the pictures is yours to know.
    #[arg(long, value_name = "TEXT", default_value = "not stated")]
    licence: String,
    #[command(flatten)]
    engine: EngineArgs,
}

fn size(text: &str) -> Result<Size, String> {
    Size::ALL.into_iter().find(|size| size.as_str() == text).ok_or_else(|| "xs, s or m".to_owned())
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| *rate > 0.0 && *rate <= 1.0);
    rate.ok_or_else(|| "a number above 0, at most 1".to_owned())
}

impl Distill {
    pub fn run(self, log: Option<&str>) -> Result<Exit, Failure> {
        /// How often a run that is killed without a word is kept.
        const KEEP_EVERY: Duration = Duration::from_secs(60);
        let _log = setup::logging(log, "warn", false)?;
        output::writable(&self.output)?;
        let side = 2 * SIDE as u32;
        let options = self.engine.options();
        if let Some(exit) = first_run::of_features(&self.from, self.normalise, [side; 2], &options)? {
            return Ok(exit);
        }
        std::fs::create_dir_all(&self.work)
            .map_err(|e| anyhow::anyhow!("cannot make the folder {}: {e}", self.work.display()))?;
        let listing = list_images(&self.pictures)?;
        if let Some(note) = listing.note(&self.pictures) {
            output::note(&note);
        }
        let mut plan = Plan::of(self.network);
        plan.seed = self.seed;
        plan.rate = self.rate.unwrap_or(plan.rate);
        plan.steps = self.steps.unwrap_or(plan.steps);
        plan.batch = self.batch.map_or(plan.batch, usize::from);
        let start = self.start.as_ref().map(|file| Teacher::read(file, self.network)).transpose()?;
        let trunk = super::fit_args::network(&self.from, self.normalise, &self.layers, [side; 2])?;
        let (mut embedder, degraded) = PatchEmbedder::open(&trunk, &options)?;
        setup::note_degraded(degraded.as_deref());
        let mut widths = Vec::new();
        for layer in &self.layers {
            let one = super::fit_args::network(&self.from, self.normalise, std::slice::from_ref(layer), [side; 2])?;
            widths.push(PatchEmbedder::open(&one, &options)?.0.dim());
        }
        let stop = setup::stop_flag()?;
        let bar = super::progress::Progress::new();
        let mut preparing = |what: &str, done: usize, total: usize| {
            bar.set_message(what.to_owned());
            bar.set_length(total as u64);
            bar.set_position(done as u64);
            !stop.load(Ordering::Relaxed)
        };
        let steps = plan.steps;
        let mut is_first = true;
        let mut training = |at: &Standing| {
            if std::mem::take(&mut is_first) {
                bar.reset();
            }
            // A run that goes on looks at what is held out only later.
            let held_out = match at.held_out.is_finite() {
                true => format!(", held out {:.4}", at.held_out),
                false => String::new(),
            };
            bar.describe(format!("loss {:.4}{held_out}", at.loss));
            bar.set_length(steps);
            bar.set_position(at.step);
            !stop.load(Ordering::Relaxed)
        };
        let made = distill(Job {
            plan: &plan,
            files: &listing.pictures,
            trunk: &mut embedder,
            layers: &widths,
            trunk_digest: format!("{} {:?} {:?}", blake3::hash(&trunk.onnx), self.layers, self.normalise),
            start: start.as_ref(),
            work: &self.work,
            keep_every: KEEP_EVERY,
            engine: &options,
            preparing: &mut preparing,
            training: &mut training,
        });
        bar.finish_and_clear();
        let (mut teacher, standing) = made?;
        for (key, value) in [
            ("trunk", trunk.name.clone()),
            ("layers", self.layers.join(",")),
            ("start", start.as_ref().map(|before| before.history()).unwrap_or_else(|| "random".to_owned())),
            ("licence", self.licence),
            ("made", format!("{:.0}", jiff::Timestamp::now())),
        ] {
            teacher.about.insert(key.to_owned(), value);
        }
        teacher.write(&self.output)?;
        output::line(&format!(
            "{}: {} steps on {} pictures, mean square {:.4} on pictures that were held out",
            self.output.display(),
            standing.step,
            listing.pictures.len(),
            standing.held_out
        ))?;
        Ok(Exit::Ok)
    }
}
