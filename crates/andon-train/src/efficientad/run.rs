//! The training itself: steps, looks at what is held out, checkpoints.

use std::path::Path;
use std::time::{Duration, Instant};

use andon_core::SplitMix64;
use andon_vision::fit::Picture;
use serde::Serialize;

use super::natural::Source;
use super::pictures::Pictures;
use super::quality::{Gallery, Seen};
use super::{Form, LearnError, Networks};
use crate::checkpoint;
use crate::networks::DROPOUT;
use crate::pictures::{changed, planes};
use crate::trainer::{Input, Trainer};

/// How much is spent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    /// So many steps.
    Steps(u64),
    /// As many steps as fit into this time, on this machine, as it is now.
    Time(Duration),
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// What is being done.
    pub stage: Stage,
    /// How much of it is done.
    pub done: u64,
    /// Of how much; 0 where that is not known yet.
    pub of: u64,
    /// Losses of the last step: hard features, penalty, autoencoder, student and autoencoder.
    pub losses: [f32; 4],
    /// Mean square of student and teacher on good pictures that were held out, at the last look.
    pub held_out: f32,
    /// How well defects that were put into those are told from them (AUROC), at the last look.
    pub auroc: Option<f64>,
    /// Time left, as it looks.
    pub left: Option<Duration>,
}

impl Standing {
    pub(super) fn at(stage: Stage, done: usize, of: usize) -> Standing {
        Standing {
            stage,
            done: done as u64,
            of: of as u64,
            losses: [f32::NAN; 4],
            held_out: f32::NAN,
            auroc: None,
            left: None,
        }
    }
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Reading pictures.
    Reading,
    /// What the teacher says of them.
    Teacher,
    /// Training steps.
    Training,
    /// What the networks make of what was held out.
    HeldOut,
}

/// After this share of the steps the rate is a tenth, as published.
const LATE: f64 = 0.95;
/// Steps by which the time of one is measured; more, if they are quick.
const TIMED: u64 = 5;
const TIMED_FOR: Duration = Duration::from_secs(2);
/// A look takes at most this share of the time.
const LOOKS: u32 = 20;
/// How often one is taken at most.
const LOOK_EVERY: Duration = Duration::from_secs(20);

/// What a run is made of.
pub(super) struct Run<'a> {
    pub networks: &'a Networks,
    pub form: Form,
    pub pictures: &'a Pictures,
    pub gallery: &'a Gallery,
    pub natural: Source<'a>,
    pub rate: f64,
    pub seed: u64,
    pub effort: Effort,
    /// When all began, reading included.
    pub began: Instant,
    pub checkpoint: &'a Path,
    /// Digest of all that the result depends on.
    pub of: &'a str,
    pub keep_every: Duration,
    /// Number of the pass that looks.
    pub probe: usize,
    pub progress: &'a mut dyn FnMut(&Standing) -> bool,
}

impl Run<'_> {
    /// Trains to the end. `planned` is what a run that goes on had decided; 0 if nothing.
    pub fn train(&mut self, trainer: &mut Trainer, planned: u64) -> Result<(u64, Seen), LearnError> {
        let mut planned = match self.effort {
            Effort::Steps(steps) => steps,
            Effort::Time(_) => planned,
        };
        let mut standing = Standing::at(Stage::Training, 0, 0);
        let (first, started) = (trainer.steps(), Instant::now());
        let (mut kept, mut looked, mut looking) = (Instant::now(), None, Duration::ZERO);
        while planned == 0 || trainer.steps() < planned {
            let step = trainer.steps();
            standing.losses = self.step(trainer, planned)?;
            let (sum, taken) = (standing.losses.iter().sum::<f32>(), trainer.steps() - first);
            if !sum.is_finite() {
                return Err(LearnError::Diverged { loss: sum, step });
            }
            let each = (started.elapsed() - looking) / taken as u32;
            if planned == 0 && taken >= TIMED && started.elapsed() >= TIMED_FOR {
                planned = self.plan(trainer, taken, each)?;
            }
            let pause = looked.is_none_or(|at: Instant| at.elapsed() >= LOOK_EVERY);
            if planned > 0 && pause && looking < started.elapsed() / LOOKS {
                let at = Instant::now();
                let seen = self.gallery.glance(trainer, self.probe)?;
                (standing.held_out, standing.auroc) = (seen.off, seen.best());
                looking += at.elapsed();
                looked = Some(Instant::now());
            }
            (standing.done, standing.of) = (trainer.steps(), planned);
            standing.left = (planned > 0).then(|| each * planned.saturating_sub(trainer.steps()) as u32);
            let go_on = (self.progress)(&standing);
            if planned > 0 && (!go_on || kept.elapsed() >= self.keep_every) {
                self.keep(trainer, planned)?;
                kept = Instant::now();
            }
            if !go_on {
                return Err(LearnError::Stopped);
            }
        }
        self.keep(trainer, planned)?;
        let (mut done, of) = (0, self.gallery.len());
        let seen = self.gallery.look(trainer, self.probe, &mut || {
            done += 1;
            (self.progress)(&Standing { losses: standing.losses, ..Standing::at(Stage::HeldOut, done, of) })
        })?;
        Ok((planned, seen))
    }

    fn keep(&self, trainer: &Trainer, planned: u64) -> Result<(), LearnError> {
        let mut snapshot = trainer.snapshot()?;
        snapshot.planned = planned;
        Ok(checkpoint::write(self.checkpoint, &snapshot, self.of)?)
    }

    /// How many steps fit into what is left of the time, when `taken` steps took `each`.
    fn plan(&self, trainer: &mut Trainer, taken: u64, each: Duration) -> Result<u64, LearnError> {
        let Effort::Time(time) = self.effort else { return Ok(taken) };
        let at = Instant::now();
        self.gallery.glance(trainer, self.probe)?;
        // The whole look at the end, once by this engine and once by the one of the line.
        let glance = at.elapsed() * self.gallery.len() as u32 / 32;
        let left = time.saturating_sub(self.began.elapsed()).saturating_sub(glance * 2);
        let left = left.as_secs_f64() / (1.0 + 1.0 / f64::from(LOOKS));
        Ok(trainer.steps() + (left / each.as_secs_f64().max(1e-6)) as u64)
    }

    /// What a step draws depends on its number alone, so that a run that goes on draws what it would have drawn.
    fn step(&mut self, trainer: &mut Trainer, planned: u64) -> Result<[f32; 4], LearnError> {
        let step = trainer.steps();
        let mut random = SplitMix64::new(SplitMix64::mix(self.seed ^ SplitMix64::mix(step + 1)));
        let mut losses = [0.0; 4];
        self.passes(trainer, &mut random, &mut losses)?;
        let late = planned > 0 && step as f64 >= LATE * planned as f64;
        trainer.step(if late { self.rate / 10.0 } else { self.rate }, 1)?;
        Ok(losses)
    }

    /// The passes of one step, which add their gradients up.
    pub fn passes(
        &mut self,
        trainer: &mut Trainer,
        random: &mut SplitMix64,
        losses: &mut [f32; 4],
    ) -> Result<(), LearnError> {
        let [rows, columns] = self.networks.picture;
        let shape = [1, 3, rows, columns];
        let picture = self.draw(random).rgb.clone();
        let natural = self.natural.draw(random)?;
        let [n_rows, n_columns] = self.networks.penalty;
        let n_shape = [1, 3, n_rows, n_columns];
        let shapes = self.networks.autoencoder.masks();
        let kept = (1.0 / (1.0 - DROPOUT)) as f32;
        let masks: Vec<Vec<f32>> = shapes
            .iter()
            .map(|shape| {
                let values = (0..shape.iter().product()).map(|_| if random.unit() < DROPOUT { 0.0 } else { kept });
                values.collect()
            })
            .collect();
        let masks: Vec<Input<'_>> = shapes.iter().zip(&masks).map(|(shape, values)| Input { shape, values }).collect();
        let as_it_is = planes(&picture);
        let of = |values| Input { shape: &shape, values };
        match self.form {
            Form::Joined => {
                let first = trainer.pass(0, &[vec![of(&as_it_is)], masks].concat())?;
                (losses[0], losses[2], losses[3]) = (first[0], first[1], first[2]);
                losses[1] = trainer.pass(1, &[Input { shape: &n_shape, values: &natural }])?[0];
            }
            Form::Published => {
                let other = planes(&changed(&picture, random));
                losses[0] = trainer.pass(0, &[of(&as_it_is)])?[0];
                losses[1] = trainer.pass(1, &[Input { shape: &n_shape, values: &natural }])?[0];
                let last = trainer.pass(2, &[vec![of(&other)], masks].concat())?;
                (losses[2], losses[3]) = (last[0], last[1]);
            }
        }
        Ok(())
    }

    fn draw(&self, random: &mut SplitMix64) -> &Picture {
        let Pictures { learned, small, .. } = self.pictures;
        &small[learned[random.below(learned.len() as u64) as usize]]
    }
}
