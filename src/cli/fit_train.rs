//! `andon fit --method efficientad`: a method that trains networks of its own.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;

use super::exit::{Exit, Failure};
use super::fit::FitCommand;
use super::progress::Progress;
use super::{fit_groups, limits, output, setup, units};
use andon_train::efficientad::{Effort, Job, Penalty, Stage, Standing, bytes, learn};
use andon_train::teacher::Teacher;
use andon_vision::eval::Dataset;
use andon_vision::fit::{Mask, Survey, list_images, read_in_range};
use andon_vision::methods::efficientad::{ID, Params, Size};

/// How a method is trained, from the command line.
#[derive(Debug, Args)]
#[command(next_help_heading = "Training (efficientad)")]
pub(super) struct TrainArgs {
    /// How long training may take in all, as 15m or 3h: as many steps are taken as fit. Without it and --steps, 15m for `xs` and the 70,000
    /// steps of the paper for `s` and `m`. Training runs at the lowest priority; after a signal, a crash or a full disk the same command goes on from
    /// FILE.training, to the same model.
    #[arg(long, value_name = "TIME", value_parser = units::long_time, conflicts_with = "steps")]
    time: Option<Duration>,
    /// Training steps, each on one picture.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    steps: Option<u64>,
    /// The teacher: a file of `andon distill`, or public weights of the paper's networks as ONNX, safetensors or PyTorch's file. `xs` has one built in.
    #[arg(long, value_name = "FILE")]
    teacher: Option<PathBuf>,
    /// Photographs of all kinds, and none of the product: they keep the student from learning everything. Without it, pictures are generated for
    /// that.
    #[arg(long, value_name = "DIR")]
    natural: Option<PathBuf>,
    /// How often it is written down where the training stands.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = units::long_time)]
    keep_every: Duration,
}

impl TrainArgs {
    /// Whether any of them was given.
    pub fn is_some(&self) -> bool {
        self.time.is_some() || self.steps.is_some() || self.teacher.is_some() || self.natural.is_some()
    }

    fn effort(&self, size: Size) -> Effort {
        /// Enough for parts that look alike, see docs/efficientad.md.
        const USUAL: Duration = Duration::from_secs(15 * 60);
        /// As published.
        const STEPS: u64 = 70_000;
        match (self.steps, self.time, size) {
            (Some(steps), ..) => Effort::Steps(steps),
            (None, Some(time), _) => Effort::Time(time),
            (None, None, Size::Xs) => Effort::Time(USUAL),
            (None, None, _) => Effort::Steps(STEPS),
        }
    }

    fn teacher(&self, size: Size) -> anyhow::Result<Teacher> {
        match &self.teacher {
            Some(file) => Ok(Teacher::read(file, size)?),
            None => Teacher::built_in(size).with_context(|| {
                format!(
                    "--param size={0}: no teacher of this size is built in; give one with --teacher (public weights, or of \
                     `andon distill --network {0}`)",
                    size.as_str()
                )
            }),
        }
    }

    fn penalty(&self) -> anyhow::Result<Penalty> {
        let Some(folder) = &self.natural else { return Ok(Penalty::Made) };
        let listing = list_images(folder)?;
        if let Some(note) = listing.note(folder) {
            output::note(&note);
        }
        Ok(Penalty::Natural(listing.pictures))
    }
}

/// Trains, and writes the model.
pub(super) fn run(
    fit: &FitCommand,
    surveyed: &Survey,
    mask: Option<&Mask>,
    known: Option<Dataset>,
) -> Result<Exit, Failure> {
    /// As published.
    const SIZE: [u32; 2] = [256; 2];
    if fit.auto {
        let why = anyhow::anyhow!(
            "--auto compares ways to learn that take seconds, and {ID} takes minutes; leave --auto out"
        );
        return Err(Failure::new(Exit::Usage, why));
    }
    let mut how = fit.how.clone();
    let size = how.own_size(SIZE, ID)?;
    // The paper's map is not smoothed.
    how.smoothing.get_or_insert(0.0);
    let recipe = fit.recipe(surveyed, &how)?;
    let mut options = recipe.options;
    let params: Params = options.params()?;
    let teacher = fit.train.teacher(params.size)?;
    let penalty = fit.train.penalty()?;
    let files = &surveyed.pictures;
    options.mask = super::fit_args::FitArgs::cells(mask, andon_train::efficientad::map_size(params.size, size))?;
    let needed = bytes(params.size, size, files.len());
    limits::memory(needed, &format!("training {} on {} pictures", params.size.as_str(), files.len()))
        .map_err(|why| anyhow::anyhow!("{why}; take fewer pictures or a smaller --size"))?;
    let effort = fit.train.effort(params.size);
    let checkpoint = beside(&fit.output);
    lowest_priority()?;
    if !fit.json {
        output::note(&format!(
            "{} pictures at {}x{}, about {} of memory, {}{}",
            files.len(),
            size[0],
            size[1],
            limits::size(needed),
            match effort {
                Effort::Steps(steps) => format!("{steps} steps"),
                Effort::Time(time) => format!("{:.0} min", time.as_secs_f64() / 60.0),
            },
            if checkpoint.exists() { format!("; goes on from {}", checkpoint.display()) } else { String::new() }
        ));
    }
    let stop = setup::stop_flag()?;
    let bar = Progress::new();
    let mut stage = None;
    let mut progress = |at: &Standing| {
        if stage != Some(at.stage) {
            stage = Some(at.stage);
            bar.reset();
            bar.set_message(words(at));
        }
        bar.describe(words(at));
        bar.set_length(at.of);
        bar.set_position(at.done);
        !stop.load(Ordering::Relaxed)
    };
    let read = |number: usize| {
        let path = &files[number];
        read_in_range(path, surveyed.range).map(|picture| (fit_groups::name(&fit.good_dir, path), picture))
    };
    let start = Instant::now();
    let fitted = learn(Job {
        count: files.len(),
        read: &read,
        skip_bad: fit.skip_bad,
        options: &options,
        size,
        range: surveyed.range,
        align: recipe.backbone.align,
        teacher: &teacher,
        penalty: &penalty,
        effort,
        checkpoint: &checkpoint,
        keep_every: fit.train.keep_every,
        engine: &fit.engine.options(),
        progress: &mut progress,
    });
    bar.finish_and_clear();
    let mut fitted = fitted?;
    fitted.left_out.extend(surveyed.left_out.iter().cloned());
    let exit = fit.finish(fitted, known, files, start.elapsed(), None)?;
    match std::fs::remove_file(&checkpoint) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            output::note(&format!("{} is not needed any more and cannot be removed: {e}", checkpoint.display()));
        }
        _ => {}
    }
    Ok(exit)
}

/// Where it is kept how far the training is.
fn beside(output: &Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(".training");
    PathBuf::from(name)
}

/// Everything else on this machine goes first, a line above all; threads that start later inherit it.
fn lowest_priority() -> anyhow::Result<()> {
    if let Err(e) = rustix::process::nice(19) {
        bail!("cannot lower the priority of this process: {e}");
    }
    Ok(())
}

/// One line about where the run stands.
fn words(at: &Standing) -> String {
    match at.stage {
        Stage::Reading => "pictures".to_owned(),
        Stage::Teacher => "teacher".to_owned(),
        Stage::HeldOut => "held-out pictures".to_owned(),
        Stage::Training => {
            let losses = at.losses.map(|loss| format!("{loss:.3}")).join(" ");
            let seen = match at.auroc {
                Some(auroc) => format!(", held out {:.3}, AUROC of put-in defects {auroc:.3}", at.held_out),
                None => String::new(),
            };
            format!("step {}{}, losses {losses}{seen}", at.done, of(at))
        }
    }
}

fn of(at: &Standing) -> String {
    if at.of > 0 { format!(" of {}", at.of) } else { String::new() }
}
