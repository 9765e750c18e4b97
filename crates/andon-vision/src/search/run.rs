//! Trying candidates: sizes first, then everything else at the best size, then what helped together.

use std::time::Duration;

use super::defects::{Defects, make};
use super::recipe::{self, Change, Recipe, shaped};
use super::synthetic::{KINDS, Kind};
use super::{Candidate, Found, Network, Search, SearchError};
use crate::eval::Curve;
use crate::fit::{Augment, FitJob, Phase};
use crate::methods::{self, FitSize, Probes, Trial};
use crate::model::Embed;
use crate::model::embedder::PatchEmbedder;
use andon_core::SplitMix64;

/// Groups that pictures are held out in.
const FOLDS: usize = 3;
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
/// Errors by which a candidate has to be better than what it would take the place of: the best of many looks better than it is.
const SURE: f64 = 2.0;
/// Quarter turns are not learned from where turned parts are told from those that lie as they came by this AUROC or more, halfway between chance and
/// certainty: how they lie belongs to the part then, and what only its turned copies look like would pass.
const LIES_ONE_WAY: f64 = 0.75;
/// Good pictures whose turned copies say that.
const TURNED: usize = 32;

/// Scores of one candidate.
struct Scored {
    change: Vec<Change>,
    recipe: Recipe,
    trial: Trial,
}

pub(super) struct Run<'a, 'p> {
    search: &'a Search<'a>,
    defects: Defects,
    tried: Vec<Scored>,
    too_large: Vec<String>,
    /// AUROC by which turned parts are told from the others, once it is known.
    turned: Option<f64>,
    /// The candidate that is taken so far.
    taken: usize,
    planned: usize,
    progress: &'p mut dyn FnMut(usize, usize, &str, f64),
}

impl<'a, 'p> Run<'a, 'p> {
    pub fn new(
        search: &'a Search<'a>,
        defects: Defects,
        progress: &'p mut dyn FnMut(usize, usize, &str, f64),
    ) -> Run<'a, 'p> {
        Run { search, defects, tried: Vec::new(), too_large: Vec::new(), turned: None, taken: 0, planned: 0, progress }
    }
}

impl Run<'_, '_> {
    /// The base, then every size that the budget may allow, the smallest first.
    pub fn sizes(&mut self) -> Result<(), SearchError> {
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
    pub fn others(&mut self) -> Result<(), SearchError> {
        let search = self.search;
        let Some(mut at) = self.best() else { return Ok(()) };
        // The usual way, unless another size is surely better.
        let [gain, error] = self.difference(at, 0);
        if self.affordable(0) && gain <= SURE * error {
            at = 0;
        }
        self.taken = at;
        let (base, before) = (self.tried[at].recipe.clone(), self.tried[at].change.clone());
        let (time, budget) = (self.tried[at].trial.time, search.budget);
        let mut changes = recipe::changes(&base, search);
        // What is sure to take too long is not worth the minutes.
        changes.retain(|change| time.mul_f64(change.slower(&base)) <= budget);
        if changes.contains(&Change::Rotate) && self.turned_apart()? >= LIES_ONE_WAY {
            changes.retain(|change| *change != Change::Rotate);
        }
        self.planned = self.tried.len() + changes.len();
        let mut helped = Vec::new();
        for change in changes {
            let recipe = base.with(&change, &search.networks, search.pose.as_ref());
            if self.attempt(recipe, before.iter().cloned().chain([change.clone()]).collect())?.is_none() {
                continue;
            }
            let last = self.tried.len() - 1;
            let [gain, error] = self.difference(last, at);
            if self.affordable(last) && gain > SURE * error && gain > 0.0 {
                helped.push((gain, change, last));
            }
        }
        helped.sort_by(|a, b| b.0.total_cmp(&a.0));
        // The best alone was tried; each further one has to help beside those before it.
        let (mut recipe, mut change) = (base, before);
        for (i, (_, next, alone)) in helped.into_iter().enumerate() {
            if !recipe.is_changed_by(&next) {
                continue;
            }
            let (other, together) =
                (recipe.with(&next, &search.networks, search.pose.as_ref()), [change.clone(), vec![next]].concat());
            if i == 0 {
                self.taken = alone;
            } else {
                self.planned += 1;
                if self.attempt(other.clone(), together.clone())?.is_none() {
                    continue;
                }
                let last = self.tried.len() - 1;
                let [gain, error] = self.difference(last, self.taken);
                if !(self.affordable(last) && gain > SURE * error) {
                    continue;
                }
                self.taken = last;
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
        let method = methods::learner(&recipe.options.method)?;
        let judged = recipe.options.mask.as_ref().map_or(columns * rows, |m| m.iter().filter(|seen| **seen).count());
        let size = FitSize { pictures: search.in_all, cells: judged, dim: embedder.dim() };
        if method.cost(&size, &recipe.options)?.bytes > search.memory as f64 {
            self.too_large.push(what);
            return Ok(None);
        }
        let Defects { synthetic, beside } = &self.defects;
        let probe = |i: usize| match synthetic.get(i) {
            Some(put) => match make(search, put.image, put.kind, put.seed) {
                Some((picture, _)) => picture,
                None => search.pictures[put.image].1.clone(),
            },
            None => search.known[i - synthetic.len()].clone(),
        };
        let told = &mut self.progress;
        let probes = Probes { beside, make: &probe };
        let trial = trial(search, &recipe, &mut embedder, &probes, &mut |share| told(done, planned, &what, share))?;
        let time = trial.time;
        recipe.options.folds = search.base.options.folds;
        self.tried.push(Scored { change, recipe, trial });
        Ok(Some(time))
    }

    /// AUROC by which what is learned without a search tells turned good pictures from good ones.
    fn turned_apart(&mut self) -> Result<f64, SearchError> {
        let search = self.search;
        let (done, planned) = (self.tried.len(), self.planned.max(self.tried.len() + 1));
        let mut recipe = search.base.clone();
        let (mut embedder, _) = PatchEmbedder::open(&recipe.backbone, search.engine)?;
        let (columns, rows) = embedder.grid();
        recipe.options.mask = (search.mask)(columns, rows);
        recipe.options.folds = FOLDS;
        let turn = Augment { rotate: true, brightness: false };
        let turns = turn.count() - 1;
        let n = search.pictures.len();
        let beside: Vec<usize> = (0..turns * n.min(TURNED)).map(|i| i / turns * n / n.min(TURNED)).collect();
        let make = |i: usize| {
            let picture = &search.pictures[beside[i]].1;
            turn.variants(picture).nth(1 + i % turns).unwrap_or_else(|| picture.clone())
        };
        let told = &mut self.progress;
        let probes = Probes { beside: &beside, make: &make };
        let what = "does it lie one way";
        let trial = trial(search, &recipe, &mut embedder, &probes, &mut |share| told(done, planned, what, share))?;
        let apart = auroc(trial.good.iter().copied(), trial.probes.iter().copied()).unwrap_or(0.5);
        self.turned = Some(apart);
        Ok(apart)
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

    /// What was found.
    pub fn finish(self) -> Result<Found, SearchError> {
        if self.best().is_none() {
            let fastest = self.tried.iter().map(|t| t.trial.time).min().unwrap_or_default();
            let ms = |time: Duration| time.as_secs_f64() * 1e3;
            return Err(SearchError::TooSlow { fastest: ms(fastest), budget: ms(self.search.budget) });
        }
        let chosen = self.taken;
        let dear = (0..self.tried.len()).filter(|i| !self.affordable(*i));
        let dearest = dear.max_by(|a, b| self.merit(*a).total_cmp(&self.merit(*b)));
        let beyond = dearest.filter(|i| {
            let [gain, error] = self.difference(*i, chosen);
            gain > error
        });
        let candidates = (0..self.tried.len()).map(|i| self.candidate(i, chosen)).collect();
        let recipe = self.tried[chosen].recipe.clone();
        let put = self.defects.synthetic;
        Ok(Found {
            candidates,
            chosen,
            recipe,
            beyond,
            too_large: self.too_large,
            lies_one_way: self.turned.filter(|apart| *apart >= LIES_ONE_WAY),
            compared: [self.search.pictures.len(), put.len(), self.search.known.len()],
            put,
        })
    }

    fn candidate(&self, at: usize, chosen: usize) -> Candidate {
        let Scored { change, trial, .. } = &self.tried[at];
        let networks = &self.search.networks;
        let split = self.defects.synthetic.len();
        let of = |wanted: &dyn Fn(usize) -> bool| {
            let bad = trial.probes.iter().enumerate().filter(|(i, _)| wanted(*i)).map(|(_, score)| *score);
            auroc(trial.good.iter().copied(), bad)
        };
        let of_kind =
            |kind: Kind| of(&|i| self.defects.synthetic.get(i).is_some_and(|put| put.kind == kind)).map(|a| (kind, a));
        Candidate {
            what: words(change, networks),
            flags: change.iter().map(|c| c.flag(networks)).collect::<Vec<_>>().join(" "),
            ms: trial.time.as_secs_f64() * 1e3,
            merit: self.merit(at),
            against: self.difference(at, chosen),
            synthetic: of(&|i| i < split).unwrap_or(0.5),
            kinds: KINDS.into_iter().filter_map(of_kind).collect(),
            known: of(&|i| i >= split),
            affordable: self.affordable(at),
            good_scores: trial.good.clone(),
            defect_scores: trial.probes.clone(),
        }
    }
}

/// What a recipe makes of the good pictures, each held out, and of probes. `progress` is told the share that is done.
fn trial(
    search: &Search<'_>,
    recipe: &Recipe,
    embedder: &mut PatchEmbedder,
    probes: &Probes<'_>,
    progress: &mut dyn FnMut(f64),
) -> Result<Trial, SearchError> {
    let mut pictures = search.pictures.iter().cloned().map(Ok);
    let mut tell = |phase: Phase, step: usize, of: usize| {
        let share = step as f64 / of.max(1) as f64;
        progress(match phase {
            Phase::Features => 0.3 * share,
            Phase::HeldOut => 0.3 + 0.7 * share,
            _ => 0.3,
        });
    };
    let job = FitJob {
        pictures: &mut pictures,
        skip_bad: false,
        embedder,
        backbone: &recipe.backbone,
        options: &recipe.options,
        progress: &mut tell,
    };
    Ok(methods::learner(&recipe.options.method)?.trial(job, probes)?)
}

fn words(change: &[Change], networks: &[Network]) -> String {
    change.iter().map(|c| c.words(networks)).collect::<Vec<_>>().join(", ")
}

fn auroc(good: impl Iterator<Item = f32>, bad: impl Iterator<Item = f32>) -> Option<f64> {
    Curve::new(good.map(|s| (s, false)).chain(bad.map(|s| (s, true))).collect()).auroc()
}
