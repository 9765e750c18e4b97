//! Which way to learn suits a part: every candidate learns from some of the good pictures and scores the others, as they are and with
//! defects put into them, and the cheapest within one standard error of the best is taken. Deterministic but for the time that a candidate
//! takes, which decides what the budget allows.
//!
//! ```text
//!  good pictures ──┬─► held out ───────────────► scores of good ─┐
//!                  └─► + a defect (seeded) ────► scores of bad ──┴─► AUROC of the candidate, its error, its time
//!  known defects ──────────────────────────────► scores of bad ──┘
//! ```

pub mod recipe;
pub mod synthetic;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::eval::Curve;
use crate::fit::{FitError, FitJob, Phase, Picture};
use crate::methods::{self, FitSize, Probes, Trial};
use crate::model::embedder::PatchEmbedder;
use crate::model::engine::{EngineError, EngineOptions};
use crate::model::{Backbone, Embed};
use crate::preprocess::align::Reference;
use andon_core::SplitMix64;
pub use recipe::{Change, Recipe, shaped};
use synthetic::{KINDS, Kind, Strength};

/// A network that may take the place of the first one.
#[derive(Clone, Debug)]
pub struct Network {
    /// The network; its size is that of the recipe it is put into.
    pub backbone: Backbone,
    /// Its sides are multiples of this.
    pub step: u32,
    /// The flags that choose it.
    pub flag: String,
}

/// What was said by hand and is not tried otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Fixed {
    /// The size.
    pub size: bool,
    /// Augmentation.
    pub augment: bool,
    /// The pose.
    pub align: bool,
    /// Smoothing.
    pub smoothing: bool,
    /// Layers.
    pub layers: bool,
    /// The neighbourhood.
    pub pool: bool,
    /// The method.
    pub method: bool,
    /// The memory bank's size.
    pub bank: bool,
    /// The network.
    pub network: bool,
}

/// A search.
pub struct Search<'a> {
    /// The good pictures that candidates are compared on, no two alike.
    pub pictures: &'a [(String, Picture)],
    /// Good pictures that will be learned from in the end.
    pub in_all: usize,
    /// Known defects; nothing is learned from them.
    pub known: &'a [Picture],
    /// The size of all pictures; `None` if there are several, which are then seen as squares.
    pub shape: Option<[u32; 2]>,
    /// What is learned without a search.
    pub base: Recipe,
    /// Outputs of the base's network that it does not use, finer than those that it does.
    pub finer: Vec<String>,
    /// The pose of the pictures, where bringing parts into it may help.
    pub pose: Option<Arc<Reference>>,
    /// Other networks.
    pub networks: Vec<Network>,
    /// What is not tried otherwise.
    pub fixed: Fixed,
    /// Which cells of a grid of so many columns and rows are judged; `None` judges all.
    pub mask: &'a dyn Fn(usize, usize) -> Option<Vec<bool>>,
    /// How networks are run.
    pub engine: &'a EngineOptions,
    /// What judging a picture may take on this machine.
    pub budget: Duration,
    /// Seed of the defects.
    pub seed: u64,
    /// Bytes that learning from all pictures may take.
    pub memory: u64,
}

/// A candidate and what it came to.
#[derive(Clone, Debug, Serialize)]
pub struct Candidate {
    /// What is changed against the base, in words; empty for the base.
    pub what: String,
    /// The flags of `andon fit` that make it.
    pub flags: String,
    /// Milliseconds that judging one picture takes.
    pub ms: f64,
    /// What candidates are compared by: AUROC, 0.5 (chance) to 1.
    pub merit: f64,
    /// Merit less that of the best candidate that the budget allows, and the standard error of that difference.
    pub behind: [f64; 2],
    /// AUROC of good pictures against all synthetic defects.
    pub synthetic: f64,
    /// The same by kind of defect.
    pub kinds: Vec<(Kind, f64)>,
    /// AUROC of good pictures against known defects.
    pub known: Option<f64>,
    /// Whether the budget allows it.
    pub affordable: bool,
    /// Held-out scores of the good pictures.
    pub good_scores: Vec<f32>,
    /// Scores of the defects that were put in, in the order of [`Found::put`], then of the known ones.
    pub defect_scores: Vec<f32>,
}

/// What a search came to.
#[derive(Clone, Debug)]
pub struct Found {
    /// Every candidate, in the order in which they were tried.
    pub candidates: Vec<Candidate>,
    /// Which is taken.
    pub chosen: usize,
    /// The recipe of the one that is taken.
    pub recipe: Recipe,
    /// The best that the budget does not allow, if it is better by more than an error.
    pub beyond: Option<usize>,
    /// The defects that were put into good pictures.
    pub put: Vec<Put>,
    /// What was not tried because learning it would take too much memory, in words.
    pub too_large: Vec<String>,
    /// Good pictures, synthetic defects and known ones that candidates were compared on.
    pub compared: [usize; 3],
}

/// Why a search came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// Learning failed.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// The network.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// No defect could be put into any picture.
    #[error("no defect could be put into the pictures: are they evenly grey, or is all of them masked?")]
    NoDefects,
    /// Not even the base fits.
    #[error("learning {what} needs more memory than is free; take fewer pictures")]
    TooLarge {
        /// What was to be learned.
        what: String,
    },
    /// Nothing is fast enough.
    #[error("the fastest candidate takes {fastest:.1} ms a picture here, and the budget is {budget:.1} ms; raise --time-budget")]
    TooSlow {
        /// Milliseconds of the fastest.
        fastest: f64,
        /// Milliseconds that were allowed.
        budget: f64,
    },
}

/// Groups that pictures are held out in.
const FOLDS: usize = 3;
/// Synthetic defects in all, at least, where there are pictures enough.
const DEFECTS: usize = 240;
/// Synthetic defects in one picture's copies at most.
const MOST_A_PICTURE: usize = 16;
/// Sides whose squares give the numbers of pixels that are tried.
const SIDES: [u32; 10] = [160, 192, 224, 272, 320, 384, 448, 528, 608, 736];
/// A picture is blown up to so many times its side at most.
const BLOWN_UP: f64 = 2.0;
/// Candidates that take so many times the budget are tried, to say what more time would buy.
const BEYOND: f64 = 2.2;
/// So many larger sizes in a row that are worse than the best end the climb.
const WORSE: usize = 2;
/// Resamplings for the error of a difference.
const RESAMPLED: usize = 200;
/// A known defect weighs so many times as much as the synthetic ones.
const KNOWN_WEIGHT: f64 = 2.0;

/// Scores of one candidate.
struct Scored {
    change: Vec<Change>,
    recipe: Recipe,
    trial: Trial,
}

/// Tries candidates. `progress` is told how many are done, of about how many, what is tried, and how much of it is done (0..=1).
///
/// # Errors
/// [`SearchError`].
pub fn search(
    search: &Search<'_>,
    progress: &mut dyn FnMut(usize, usize, &str, f64),
) -> Result<Found, SearchError> {
    let defects = Defects::draw(search).ok_or(SearchError::NoDefects)?;
    let mut run = Run { search, defects, tried: Vec::new(), too_large: Vec::new(), planned: 0, progress };
    run.sizes()?;
    run.others()?;
    run.finish()
}

/// A defect that is put into a picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Put {
    /// The number of the good picture.
    pub image: usize,
    /// What is done to it.
    pub kind: Kind,
    /// How strong it is.
    pub strength: Strength,
    seed: u64,
}

/// Which defects are put into which picture.
struct Defects {
    synthetic: Vec<Put>,
    /// For each probe, synthetic ones first: the picture that it is scored beside.
    beside: Vec<usize>,
}

impl Defects {
    fn draw(search: &Search<'_>) -> Option<Defects> {
        let n = search.pictures.len();
        let each = DEFECTS.div_ceil(n.max(1)).clamp(1, MOST_A_PICTURE);
        let mut random = SplitMix64::new(search.seed);
        let mut synthetic = Vec::new();
        for image in 0..n {
            for turn in 0..each {
                let seed = random.next_u64();
                // Where the part has nothing that could be doubled or blurred, the next kind takes its place.
                let turns = (0..KINDS.len()).map(|i| KINDS[(image * each + turn + i) % KINDS.len()]);
                let put = turns.filter_map(|kind| make(search, image, kind, seed).map(|(_, s)| (kind, s))).next();
                if let Some((kind, strength)) = put {
                    synthetic.push(Put { image, kind, strength, seed });
                }
            }
        }
        let known = (0..search.known.len()).map(|i| i % n.max(1));
        let beside = synthetic.iter().map(|put| put.image).chain(known).collect();
        (!synthetic.is_empty()).then_some(Defects { synthetic, beside })
    }
}

/// The picture with its defect.
fn make(search: &Search<'_>, image: usize, kind: Kind, seed: u64) -> Option<(Picture, Strength)> {
    /// Side of the grid on which the mask is looked up.
    const MASK: usize = 64;
    let mask = (search.mask)(MASK, MASK);
    let at = |u: f32| ((u * MASK as f32) as usize).min(MASK - 1);
    let allowed = |u: f32, v: f32| mask.as_ref().is_none_or(|m| m[at(v) * MASK + at(u)]);
    let mut random = SplitMix64::new(seed);
    let others = search.pictures.len() as u64;
    let other = (image + 1 + random.below(others.saturating_sub(1)) as usize) % search.pictures.len();
    synthetic::add(&search.pictures[image].1, &search.pictures[other].1, kind, &allowed, &mut random)
}

struct Run<'a, 'p> {
    search: &'a Search<'a>,
    defects: Defects,
    tried: Vec<Scored>,
    too_large: Vec<String>,
    planned: usize,
    progress: &'p mut dyn FnMut(usize, usize, &str, f64),
}

impl Run<'_, '_> {
    /// The base, then every size that the budget may allow, the smallest first.
    fn sizes(&mut self) -> Result<(), SearchError> {
        let search = self.search;
        let base = search.base.backbone.picture_size();
        let shape = search.shape.unwrap_or([1, 1]);
        let own = search.shape.map_or(f64::from(u32::MAX), |[w, h]| (f64::from(w) * f64::from(h)).sqrt());
        let sizes = |sides: &mut dyn Iterator<Item = u32>| -> Vec<[u32; 2]> {
            let mut sizes: Vec<[u32; 2]> = sides.map(|side| shaped(shape, side, 16)).filter(|s| *s != base).collect();
            sizes.dedup();
            if search.fixed.size || search.base.backbone.tiles != [1, 1] { Vec::new() } else { sizes }
        };
        let pixels = |size: &[u32; 2]| u64::from(size[0]) * u64::from(size[1]);
        let all = sizes(&mut SIDES.into_iter());
        let larger = sizes(&mut SIDES.into_iter().filter(|side| f64::from(*side) <= own * BLOWN_UP));
        let larger = larger.into_iter().filter(|size| pixels(size) > search.base.pixels());
        let smaller = all.into_iter().rev().filter(|size| pixels(size) < search.base.pixels());
        let (larger, smaller): (Vec<_>, Vec<_>) = (larger.collect(), smaller.collect());
        self.planned = 1 + larger.len() + 1 + recipe::changes(&search.base, search).len();
        let Some(first) = self.attempt(search.base.clone(), Vec::new())? else {
            return Err(SearchError::TooLarge { what: format!("{} pictures", search.in_all) });
        };
        let per_pixel = first.as_secs_f64() / search.base.pixels() as f64;
        let dear = |size: &[u32; 2]| pixels(size) as f64 * per_pixel > search.budget.as_secs_f64() * BEYOND;
        let larger: Vec<_> = larger.into_iter().filter(|size| !dear(size)).collect();
        self.planned = 1 + larger.len() + 1 + recipe::changes(&search.base, search).len();
        self.climb(larger, WORSE)?;
        self.climb(smaller, 1)
    }

    /// Tries sizes in this order until so many in a row are worse than the best by more than the error.
    fn climb(&mut self, sizes: Vec<[u32; 2]>, patience: usize) -> Result<(), SearchError> {
        let mut worse = 0;
        for size in sizes {
            let change = Change::Size(size);
            let recipe = self.search.base.with(&change, &self.search.networks, self.search.pose.as_ref());
            if self.attempt(recipe, vec![change])?.is_none() {
                continue;
            }
            let last = self.tried.len() - 1;
            let best = (0..last).max_by(|a, b| self.merit(*a).total_cmp(&self.merit(*b))).unwrap_or(0);
            let [gain, error] = self.difference(last, best);
            worse = if gain < -error { worse + 1 } else { 0 };
            if worse >= patience {
                break;
            }
        }
        Ok(())
    }

    /// Each other change at the best size; then those that helped, together.
    fn others(&mut self) -> Result<(), SearchError> {
        let search = self.search;
        let Some(at) = self.best() else { return Ok(()) };
        let (base, before) = (self.tried[at].recipe.clone(), self.tried[at].change.clone());
        let (time, budget) = (self.tried[at].trial.time, search.budget);
        let mut changes = recipe::changes(&base, search);
        // What is sure to take too long is not worth the minutes.
        changes.retain(|change| time.mul_f64(change.slower(&base)) <= budget);
        self.planned = self.tried.len() + changes.len();
        let mut helped = Vec::new();
        for change in changes {
            let recipe = base.with(&change, &search.networks, search.pose.as_ref());
            if self.attempt(recipe, before.iter().cloned().chain([change.clone()]).collect())?.is_none() {
                continue;
            }
            let last = self.tried.len() - 1;
            let [gain, error] = self.difference(last, at);
            if self.affordable(last) && gain > error && gain > 0.0 {
                helped.push((gain, change));
            }
        }
        helped.sort_by(|a, b| b.0.total_cmp(&a.0));
        // The best alone was tried; each further one has to help beside those before it.
        let (mut recipe, mut change) = (base, before);
        for (i, (_, next)) in helped.into_iter().enumerate() {
            if !recipe.is_changed_by(&next) {
                continue;
            }
            let (other, together) = (recipe.with(&next, &search.networks, search.pose.as_ref()), [change.clone(), vec![next]].concat());
            if i > 0 {
                let best = self.best().unwrap_or(at);
                self.planned += 1;
                if self.attempt(other.clone(), together.clone())?.is_none() {
                    continue;
                }
                let last = self.tried.len() - 1;
                let [gain, error] = self.difference(last, best);
                if !(self.affordable(last) && gain > error) {
                    continue;
                }
            }
            (recipe, change) = (other, together);
        }
        Ok(())
    }

    /// Learns by a recipe, keeps what it came to, and returns what a picture takes; `None` if all pictures would take too much memory.
    fn attempt(&mut self, mut recipe: Recipe, change: Vec<Change>) -> Result<Option<Duration>, SearchError> {
        let search = self.search;
        let what = words(&change, &search.networks);
        let (done, planned) = (self.tried.len(), self.planned.max(self.tried.len() + 1));
        (self.progress)(done, planned, &what, 0.0);
        let (mut embedder, _) = PatchEmbedder::open(&recipe.backbone, search.engine)?;
        let (columns, rows) = embedder.grid();
        recipe.options.mask = (search.mask)(columns, rows);
        recipe.options.folds = FOLDS;
        let method = methods::by_id(&recipe.options.method).ok_or_else(|| FitError::Method {
            id: recipe.options.method.clone(),
            known: methods::known(),
        })?;
        let judged = recipe.options.mask.as_ref().map_or(columns * rows, |m| m.iter().filter(|seen| **seen).count());
        let size = FitSize { pictures: search.in_all, cells: judged, dim: embedder.dim() };
        if method.cost(&size, &recipe.options)?.bytes > search.memory as f64 {
            self.too_large.push(what);
            return Ok(None);
        }
        let mut pictures = search.pictures.iter().cloned().map(Ok);
        let Defects { synthetic, beside } = &self.defects;
        let probe = |i: usize| match synthetic.get(i) {
            Some(put) => match make(search, put.image, put.kind, put.seed) {
                Some((picture, _)) => picture,
                None => search.pictures[put.image].1.clone(),
            },
            None => search.known[i - synthetic.len()].clone(),
        };
        let told = &mut self.progress;
        let mut tell = |phase: Phase, step: usize, of: usize| {
            let share = step as f64 / of.max(1) as f64;
            let overall = match phase {
                Phase::Features => 0.3 * share,
                Phase::HeldOut => 0.3 + 0.7 * share,
                _ => 0.3,
            };
            told(done, planned, &what, overall);
        };
        let job = FitJob {
            pictures: &mut pictures,
            skip_bad: false,
            embedder: &mut embedder,
            backbone: &recipe.backbone,
            options: &recipe.options,
            progress: &mut tell,
        };
        let trial = method.trial(job, &Probes { beside, make: &probe })?;
        let time = trial.time;
        recipe.options.folds = search.base.options.folds;
        self.tried.push(Scored { change, recipe, trial });
        Ok(Some(time))
    }

    fn affordable(&self, at: usize) -> bool {
        self.tried[at].trial.time <= self.search.budget
    }

    /// The affordable candidate of the highest merit.
    fn best(&self) -> Option<usize> {
        let merits = (0..self.tried.len()).filter(|i| self.affordable(*i)).map(|i| (self.merit(i), i));
        merits.reduce(|a, b| if b.0 > a.0 { b } else { a }).map(|(_, i)| i)
    }

    fn merit(&self, at: usize) -> f64 {
        let trial = &self.tried[at].trial;
        let goods: Vec<usize> = (0..trial.good.len()).collect();
        let probes: Vec<usize> = (0..trial.probes.len()).collect();
        self.merit_of(trial, &goods, &probes)
    }

    /// AUROC over these good pictures and probes.
    fn merit_of(&self, trial: &Trial, goods: &[usize], probes: &[usize]) -> f64 {
        let split = self.defects.synthetic.len();
        let part = |known: bool| {
            let bad = probes.iter().filter(|i| (**i >= split) == known).map(|i| trial.probes[*i]);
            auroc(goods.iter().map(|i| trial.good[*i]), bad)
        };
        match (part(false), part(true)) {
            (Some(synthetic), Some(known)) => (synthetic + KNOWN_WEIGHT * known) / (1.0 + KNOWN_WEIGHT),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => 0.5,
        }
    }

    /// Merit of `a` less that of `b`, and its standard error: both scored the same pictures, so they are drawn together.
    fn difference(&self, a: usize, b: usize) -> [f64; 2] {
        let (first, second) = (&self.tried[a].trial, &self.tried[b].trial);
        let gain = self.merit(a) - self.merit(b);
        let n = first.good.len();
        let mut of_image = vec![Vec::new(); n];
        for (probe, image) in self.defects.beside.iter().enumerate() {
            of_image[*image].push(probe);
        }
        let mut random = SplitMix64::new(self.search.seed ^ 0x5eed);
        let mut gains = Vec::with_capacity(RESAMPLED);
        for _ in 0..RESAMPLED {
            let goods: Vec<usize> = (0..n).map(|_| random.below(n as u64) as usize).collect();
            let probes: Vec<usize> = goods.iter().flat_map(|i| &of_image[*i]).copied().collect();
            gains.push(self.merit_of(first, &goods, &probes) - self.merit_of(second, &goods, &probes));
        }
        let mean = gains.iter().sum::<f64>() / gains.len() as f64;
        let variance = gains.iter().map(|g| (g - mean) * (g - mean)).sum::<f64>() / gains.len() as f64;
        [gain, variance.sqrt()]
    }

    /// The cheapest candidate within one standard error of the best (Breiman et al., "Classification and Regression Trees", 1984).
    fn finish(self) -> Result<Found, SearchError> {
        let Some(best) = self.best() else {
            let fastest = self.tried.iter().map(|t| t.trial.time).min().unwrap_or_default();
            let ms = |time: Duration| time.as_secs_f64() * 1e3;
            return Err(SearchError::TooSlow { fastest: ms(fastest), budget: ms(self.search.budget) });
        };
        let near = |i: &usize| {
            let [gain, error] = self.difference(*i, best);
            self.affordable(*i) && gain >= -error
        };
        // Not by the measured time: that differs from run to run, and the same seed shall choose the same.
        let cost = |i: &usize| (self.tried[*i].recipe.cost(), self.tried[*i].change.len(), *i);
        let chosen = (0..self.tried.len()).filter(near).min_by_key(cost).unwrap_or(best);
        let dear = (0..self.tried.len()).filter(|i| !self.affordable(*i));
        let dearest = dear.max_by(|a, b| self.merit(*a).total_cmp(&self.merit(*b)));
        let beyond = dearest.filter(|i| {
            let [gain, error] = self.difference(*i, chosen);
            gain > error
        });
        let candidates = (0..self.tried.len()).map(|i| self.candidate(i, best)).collect();
        let recipe = self.tried[chosen].recipe.clone();
        let put = self.defects.synthetic;
        Ok(Found {
            candidates,
            chosen,
            recipe,
            beyond,
            too_large: self.too_large,
            compared: [self.search.pictures.len(), put.len(), self.search.known.len()],
            put,
        })
    }

    fn candidate(&self, at: usize, best: usize) -> Candidate {
        let Scored { change, trial, .. } = &self.tried[at];
        let networks = &self.search.networks;
        let split = self.defects.synthetic.len();
        let of = |wanted: &dyn Fn(usize) -> bool| {
            let bad = trial.probes.iter().enumerate().filter(|(i, _)| wanted(*i)).map(|(_, score)| *score);
            auroc(trial.good.iter().copied(), bad)
        };
        let of_kind = |kind: Kind| of(&|i| self.defects.synthetic.get(i).is_some_and(|put| put.kind == kind)).map(|a| (kind, a));
        Candidate {
            what: words(change, networks),
            flags: change.iter().map(|c| c.flag(networks)).collect::<Vec<_>>().join(" "),
            ms: trial.time.as_secs_f64() * 1e3,
            merit: self.merit(at),
            behind: self.difference(at, best),
            synthetic: of(&|i| i < split).unwrap_or(0.5),
            kinds: KINDS.into_iter().filter_map(of_kind).collect(),
            known: of(&|i| i >= split),
            affordable: self.affordable(at),
            good_scores: trial.good.clone(),
            defect_scores: trial.probes.clone(),
        }
    }
}

fn words(change: &[Change], networks: &[Network]) -> String {
    change.iter().map(|c| c.words(networks)).collect::<Vec<_>>().join(", ")
}

fn auroc(good: impl Iterator<Item = f32>, bad: impl Iterator<Item = f32>) -> Option<f64> {
    Curve::new(good.map(|s| (s, false)).chain(bad.map(|s| (s, true))).collect()).auroc()
}
