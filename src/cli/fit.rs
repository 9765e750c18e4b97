//! `andon fit`: learns a model from a folder of good pictures.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use serde_json::Value;

use super::exit::{Exit, Failure};
use super::fit_args::{self, FitArgs};
use super::fit_train::{self, TrainArgs};
use super::setup::{self, EngineArgs};
use super::{fit_auto, fit_groups, fit_methods, fit_output, limits, output};
use crate::assemble::auto;
use crate::assemble::operating::{self, Author};
use andon_train::cfa::CfaLearner;
use andon_train::simplenet::SimpleNetLearner;
use andon_vision::eval::{Dataset, reviewed};
use andon_vision::fit::{
    Aim, FitJob, FitOptions, Fitted, MistakeCosts, Phase, Policy, Survey, Take, ThresholdRule, list_images,
    read_in_range, survey,
};
use andon_vision::methods::{self, Learner, cfa, efficientad, patchcore, simplenet};
use andon_vision::model::Embed;
use andon_vision::model::embedder::PatchEmbedder;
use andon_vision::preprocess::align::Reference;
use andon_vision::search::Recipe;

/// `andon fit`.
#[derive(Debug, Args)]
#[command(after_long_help = fit_methods::help())]
pub(super) struct FitCommand {
    /// Folder with pictures of good parts (png, jpg, bmp, tiff); 30 or more.
    pub(super) good_dir: PathBuf,
    /// The model file to write.
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: PathBuf,
    /// Name of the part; without it, the output file's name.
    #[arg(long)]
    pub(super) name: Option<String>,
    /// How to learn, `patchcore` without it; the end of this help says what each does and which parameters it takes.
    #[arg(long, value_name = "METHOD", value_parser = fit_methods::method())]
    pub(super) method: Option<String>,
    /// A parameter of the method, as covariance=diagonal; may be given more than once.
    #[arg(long = "param", value_name = "KEY=VALUE", value_parser = fit_methods::param)]
    pub(super) params: Vec<(String, Value)>,
    /// Find the way to learn that suits the part: sizes, layers, networks and methods are compared on held-out good pictures and on defects that
    /// are put into them, and on those of --bad. Takes minutes. What is given by hand is not tried otherwise.
    #[arg(long)]
    pub(super) auto: bool,
    /// Patches in the memory bank: more are slower and finer; 4000 without it (patchcore).
    #[arg(long, value_name = "N", value_parser = limits::whole(0..=1_000_000usize))]
    pub(super) bank: Option<usize>,
    /// What judging a picture may take on this machine, as 12ms: with --auto all of it (30ms without the flag), else the comparison with
    /// the largest memory bank for which that suffices, in place of --bank (patchcore).
    #[arg(long, value_name = "TIME", value_parser = fit_args::duration)]
    pub(super) time_budget: Option<Duration>,
    /// Share of good parts that may be rejected: the threshold goes where that can be promised. Without it, just above the highest held-out score
    /// of the pictures that do not stand out. `andon threshold` changes it later, without learning.
    #[arg(long, value_name = "SHARE", value_parser = fit_args::share)]
    pub(super) max_false_reject: Option<f64>,
    /// Known defects: the threshold goes where the good pictures' held-out scores and the scores of these are told apart best, and the model keeps
    /// how many of them it finds. Nothing is learned from them.
    #[arg(long, value_name = "DIR", conflicts_with = "max_false_reject")]
    bad: Option<PathBuf>,
    /// How sure the promise must be.
    #[arg(long, value_name = "SHARE", default_value = "95%", value_parser = fit_args::share)]
    pub(super) confidence: f64,
    /// For pictures among which some defects may be: keep this share of patches, the most unusual for their place, out of the bank (patchcore).
    #[arg(long, value_name = "SHARE", value_parser = fit_args::share)]
    pub(super) denoise: Option<f64>,
    /// Groups in which pictures are held out to measure their scores; more take longer and promise a little more.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(2..))]
    folds: u16,
    /// Which pictures belong together (one part, one video, one shift), so that they are held out together and count once in the claim: `auto`
    /// finds near-copies and the frames of a video, `none` takes each for itself, anything else is a regular expression over file names, and
    /// pictures with the same match (of its first group in brackets, if it has one) belong together: 'part(\d+)_'. `folders` learns from the
    /// folders in the folder, each of which is a group.
    #[arg(long, value_name = "HOW", default_value = "auto")]
    pub(super) groups: String,
    /// A picture to leave out, by file name; may be given more than once.
    #[arg(long, value_name = "NAME")]
    exclude: Vec<String>,
    /// Seed of the choice of patches; the same seed and pictures give the same model.
    #[arg(long, default_value_t = 0)]
    pub(super) seed: u64,
    /// Which pictures to take when there are several kinds: WIDTHxHEIGHT, 8-bit, 16-bit, grey or colour; may be given more than once.
    #[arg(long, value_name = "KIND")]
    pub(super) take: Vec<Take>,
    /// Learn pictures of every size, and judge frames of every size later: a camera in a wrong mode is then not noticed.
    #[arg(long)]
    any_size: bool,
    /// Range of 16-bit values: the camera's bits (12), or black and white (200..3000); without it, the fewest bits that hold the pictures.
    #[arg(long, value_name = "RANGE", value_parser = fit_args::range)]
    pub(super) range: Option<[u16; 2]>,
    /// Leave out pictures that cannot be read instead of refusing all.
    #[arg(long)]
    pub(super) skip_bad: bool,
    /// Write a page into this folder: the oddest pictures with their held-out heatmaps, and what the threshold would be without each.
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Time stamp to write instead of now (RFC 3339), to make the same file again.
    #[arg(long, value_name = "TIME")]
    pub(super) created: Option<String>,
    /// The result as JSON, with the held-out score of every picture, the oddest first.
    #[arg(long)]
    pub(super) json: bool,
    /// How far it is, a line on standard error at least every so many seconds, for a program that starts it.
    #[arg(long, value_name = "SECONDS", hide = true)]
    pub(super) progress_every: Option<u64>,
    #[command(flatten)]
    pub(super) how: FitArgs,
    #[command(flatten)]
    pub(super) train: TrainArgs,
    #[command(flatten, next_help_heading = "Engine")]
    pub(super) engine: EngineArgs,
}

/// The command alone, to be made of words.
#[derive(Debug, clap::Parser)]
#[command(no_binary_name = true)]
struct Words {
    #[command(flatten)]
    fit: FitCommand,
}

impl FitCommand {
    /// `andon fit` with these words behind it.
    pub(super) fn of(words: Vec<std::ffi::OsString>) -> anyhow::Result<FitCommand> {
        Ok(<Words as clap::Parser>::try_parse_from(words)?.fit)
    }

    pub fn run(self, log: Option<&str>) -> Result<Exit, Failure> {
        let _log = setup::logging(log, "warn", false)?;
        output::writable(&self.output)?;
        if let Some(exit) = self.how.first_run(&self.engine.options())? {
            return Ok(exit);
        }
        let surveyed = self.survey(&self.files()?)?;
        let files = &surveyed.pictures;
        let options = self.engine.options();
        let mask = self.how.place.mask(files, self.any_size)?;
        let mut known = self.bad.as_deref().map(reviewed).transpose()?;
        known.iter_mut().flat_map(|data| &mut data.samples).for_each(|sample| sample.bad = true);
        let (method, params) = self.training_asked_for();
        if method == efficientad::ID {
            return fit_train::run(&self, &surveyed, mask.as_ref(), known);
        }
        if params {
            let why =
                anyhow::anyhow!("--time, --steps, --teacher and --natural are about a training, and {method} has none");
            return Err(Failure::new(Exit::Usage, why));
        }
        let mut choose = Vec::new();
        if self.auto {
            // Every second known defect chooses, the others say what is found.
            (choose, known) = known.map(auto::halves).map_or((choose, None), |(some, rest)| (some, Some(rest)));
        }
        let found = match self.auto {
            true => Some(fit_auto::find(&self, &surveyed, &choose, mask.as_ref())?),
            false => None,
        };
        let Recipe { mut backbone, options: mut fit_options } = match &found {
            Some(found) => found.recipe.clone(),
            None => self.recipe(&surveyed, &self.how)?,
        };
        if found.is_some() && backbone.align.is_some() {
            // The search had some of the pictures; the pose is that of all, as it is without a search.
            backbone.align = Some(self.pose(&surveyed)?);
        }
        let (mut embedder, degraded) = PatchEmbedder::open(&backbone, &options)?;
        setup::note_degraded(degraded.as_deref());
        fit_options.mask = FitArgs::cells(mask.as_ref(), embedder.grid())?;
        embedder.engine_name().clone_into(&mut fit_options.engine);
        let size = fit_output::size(files.len(), &embedder, &fit_options);
        let head = SimpleNetLearner { engine: options.clone() };
        let descriptor = CfaLearner { engine: options.clone() };
        let learner: &dyn Learner = match fit_options.method.as_str() {
            simplenet::ID => &head,
            cfa::ID => &descriptor,
            id => methods::learner(id)?,
        };
        let cost = learner.cost(&size, &fit_options)?;
        let patches = size.pictures * fit_options.augment.count() * size.cells;
        limits::memory(cost.bytes as u64, &format!("learning {patches} patches of {} pictures", files.len()))
            .map_err(|why| anyhow::anyhow!("{why}; take fewer pictures or tiles, a smaller --size, or no --augment"))?;
        if !self.json {
            if let Some(line) = surveyed.size.map(|size| fit_output::what_is_seen(size, &backbone, embedder.grid())) {
                output::note(&line);
            }
            output::note(&fit_output::estimate(&size, cost, &mut embedder, &backbone, &fit_options));
        }
        let bar = super::progress::Progress::every(self.progress_every);
        let mut stage = None;
        let mut progress = |now: Phase, done: usize, total: usize| {
            if stage != Some(now) {
                stage = Some(now);
                bar.reset();
                bar.set_message(now.as_str());
            }
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        };
        let mut pictures = files.iter().map(|path| {
            read_in_range(path, surveyed.range).map(|picture| (fit_groups::name(&self.good_dir, path), picture))
        });
        let start = Instant::now();
        let mut fitted = learner.fit(FitJob {
            pictures: &mut pictures,
            skip_bad: self.skip_bad,
            embedder: &mut embedder,
            backbone: &backbone,
            options: &fit_options,
            progress: &mut progress,
        })?;
        bar.finish_and_clear();
        fitted.left_out.extend(surveyed.left_out);
        let search = found.as_ref().map(fit_auto::as_json);
        self.finish(fitted, known, files, start.elapsed(), search)
    }

    /// Writes the model and says what it is.
    pub(super) fn finish(
        &self,
        mut fitted: Fitted,
        known: Option<Dataset>,
        files: &[PathBuf],
        took: Duration,
        search: Option<Value>,
    ) -> Result<Exit, Failure> {
        let seconds = took.as_secs_f64();
        if let Some((folder, data)) = self.bad.as_ref().zip(known) {
            self.weigh(&mut fitted, folder, data)?;
        }
        for line in &fitted.left_out {
            output::note(&format!("left out: {line}"));
        }
        fitted.bundle.write(&self.output)?;
        if let Some(line) = fitted.grouped.as_ref().and_then(fit_groups::note) {
            output::note(&line);
        }
        let rule = rule(self.max_false_reject, self.confidence);
        let report = match &self.report {
            Some(folder) => Some(fit_output::write_page(folder, &fitted, rule, &self.good_dir, files)?),
            None => None,
        };
        let facts = methods::of(&fitted.bundle).and_then(|m| m.facts(&fitted.bundle)).map_err(anyhow::Error::msg)?;
        if self.json {
            let report = report.as_deref();
            output::json(&fit_output::as_json(&self.output, &fitted, &facts, seconds, report, search))?;
            return Ok(Exit::Ok);
        }
        fit_output::print(&self.output, &fitted, &facts, seconds)?;
        if let Some(path) = report {
            output::line(&format!("  report        {}", path.display()))?;
        }
        Ok(Exit::Ok)
    }

    /// The method, and whether one of the flags was given that only a training has.
    fn training_asked_for(&self) -> (&str, bool) {
        (self.method.as_deref().unwrap_or(patchcore::ID), self.train.is_some())
    }

    /// How to learn as the flags say.
    pub(super) fn recipe(&self, surveyed: &Survey, how: &FitArgs) -> Result<Recipe, Failure> {
        let mut backbone = how.backbone(surveyed.size)?;
        backbone.input.range = surveyed.range;
        if how.align {
            backbone.align = Some(self.pose(surveyed)?);
        }
        let stem = self.output.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        let options = FitOptions {
            name: self.name.clone().unwrap_or(stem),
            method: self.method.clone().unwrap_or_else(|| patchcore::ID.to_owned()),
            params: fit_methods::params(self)?,
            seed: self.seed,
            scoring: how.scoring(),
            rule: rule(self.max_false_reject, self.confidence),
            mask: None,
            augment: how.augment(),
            folds: usize::from(self.folds),
            grouping: fit_groups::grouping(&self.groups, &self.good_dir, &surveyed.pictures)?,
            threads: self.engine.options().threads,
            created: self.created.clone(),
            engine: String::new(),
            learned: surveyed.learned,
        };
        Ok(Recipe { backbone, options })
    }

    /// What parts look like in their one pose.
    fn pose(&self, surveyed: &Survey) -> Result<Arc<Reference>, Failure> {
        let bar = super::progress::Progress::every(self.progress_every);
        bar.set_message("poses");
        let mut progress = |done: usize, total: usize| {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        };
        let reference = auto::pose(&surveyed.pictures, surveyed.range, &mut progress);
        bar.finish_and_clear();
        let reference = reference.context("--align: no pose can be found in these pictures")?;
        if !self.json {
            let percent = |residual: f32| residual * 100.0;
            output::note(&format!(
                "parts are brought into one pose: {:.0} % off it at the median, and above {:.0} % a part is an ERROR{}",
                percent(reference.usual_residual),
                percent(reference.most_residual),
                if reference.usual_residual > auto::POORLY {
                    "; that is a poor fit: do the pictures show one kind of part, whole?"
                } else {
                    ""
                }
            ));
        }
        Ok(Arc::new(reference))
    }

    /// Chooses the threshold with known defects in sight.
    fn weigh(&self, fitted: &mut Fitted, folder: &Path, data: Dataset) -> Result<(), Failure> {
        // Gives it its digest, by which engines are kept.
        fitted.bundle.to_bytes()?;
        let bundle = Arc::new(fitted.bundle.clone());
        let bar = super::progress::Progress::every(self.progress_every);
        bar.set_message("known defects");
        let mut progress = |done: usize, total: usize| {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        };
        let scores = operating::score(&bundle, data, &self.engine.options(), &mut progress)?;
        bar.finish_and_clear();
        fitted.left_out.extend(scores.left_out.iter().cloned());
        let author = Author {
            by: "andon fit".to_owned(),
            at: fitted.bundle.manifest.created.clone(),
            how: format!("--bad {}", folder.display()),
            why: String::new(),
        };
        operating::set(&mut fitted.bundle, &scores, Aim::Cost(MistakeCosts { miss: 1.0, reject: 1.0 }), author)?;
        Ok(())
    }

    fn files(&self) -> anyhow::Result<Vec<PathBuf>> {
        let mut files = match self.groups.as_str() {
            "folders" => fit_groups::in_folders(&self.good_dir)?,
            _ => {
                let listing = list_images(&self.good_dir)?;
                if let Some(note) = listing.note(&self.good_dir) {
                    output::note(&note);
                }
                listing.pictures
            }
        };
        for name in &self.exclude {
            let before = files.len();
            files.retain(|f| f.file_name().is_none_or(|n| n != name.as_str()));
            if files.len() == before {
                anyhow::bail!("--exclude: no picture {name} in {}", self.good_dir.display());
            }
        }
        if files.is_empty() {
            anyhow::bail!("--exclude leaves no picture in {}", self.good_dir.display());
        }
        Ok(files)
    }

    /// What kind of pictures these are; says the range of 16-bit values.
    fn survey(&self, files: &[PathBuf]) -> Result<Survey, Failure> {
        let bar = super::progress::Progress::every(self.progress_every);
        bar.set_message("looking at the pictures");
        bar.set_length(files.len() as u64);
        let surveyed = survey(files, &self.take, self.any_size, self.range, &mut |done| bar.set_position(done as u64));
        bar.finish_and_clear();
        let surveyed = surveyed?;
        match surveyed.range {
            Some([black, white]) => output::note(&format!(
                "16-bit values up to {}: {black} is black and {white} white, in the model and for every frame; --range changes it",
                surveyed.brightest
            )),
            None if self.range.is_some() => {
                let why = anyhow::anyhow!("--range is about 16-bit pictures, and these have 8 bits");
                return Err(Failure::new(Exit::Usage, why));
            }
            None => {}
        }
        Ok(surveyed)
    }
}

/// By what the threshold is chosen.
pub(super) fn rule(max_false_reject: Option<f64>, confidence: f64) -> ThresholdRule {
    match max_false_reject {
        None => ThresholdRule::Ordinary { confidence },
        Some(max_false_reject) => ThresholdRule::FalseReject(Policy { max_false_reject, confidence }),
    }
}
