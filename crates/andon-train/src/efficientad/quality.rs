//! How good the networks are so far: what they make of good pictures that were held out, and of defects put into those.

use andon_core::SplitMix64;
use andon_vision::eval::Curve;
use andon_vision::fit::Picture;
use andon_vision::methods::efficientad::Half;
use andon_vision::model::head::score::{ImageScore, Scorer, Scoring};
use andon_vision::search::synthetic::{self, KINDS};

use super::maps::{BORDER, Scale};
use super::pictures::Pictures;
use super::{LearnError, Networks};
use crate::networks::Size;
use crate::pictures::planes;
use crate::trainer::{Input, Trainer};

/// Quantiles between which a map is brought to 0 and 0.1, as published.
const QUANTILES: [f64; 2] = [0.9, 0.995];
/// What the upper one becomes.
const UPPER: f32 = 0.1;
/// Defects that are put into held-out pictures.
const DEFECTS: usize = 96;
/// Pictures of each kind that a look on the way goes by.
const GLANCE: usize = 16;
/// Pictures that were learned from by which it is known what is usual at a place, at most. Those that are held out are no part of it: their scores
/// give the claim.
pub(super) const USUAL: usize = 64;
/// What is usual is smoothed by so many places: a part never lies quite the same.
const SMOOTHING: f32 = 2.0;
/// Where nearly nothing is usual, so much of the mean counts as usual.
const FLOOR: f32 = 0.3;

/// What is looked at.
pub(super) struct Gallery {
    good: Vec<Vec<f32>>,
    bad: Vec<Vec<f32>>,
    /// Pictures that were learned from; none where all places are alike, as published.
    usual: Vec<Picture>,
    /// Columns and rows of the maps.
    grid: [usize; 2],
    /// Which places of the maps are judged.
    judged: Vec<bool>,
    shape: [usize; 4],
}

/// What was seen.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    /// Mean square of student and teacher on held-out good pictures; 1 is a student that says always the same.
    pub off: f32,
    /// How well the student's map tells the defects from the good pictures; `None` without defects.
    pub student: Option<f64>,
    /// The same with the autoencoder's half.
    pub both: Option<f64>,
    /// The quantiles of the student's map.
    pub student_quantiles: [f32; 2],
    /// The quantiles of the autoencoder's map.
    pub autoencoder_quantiles: [f32; 2],
    /// Values of the student that are the same everywhere.
    pub dead: usize,
    /// Factors for the places of both maps, which the quantiles have in them.
    pub places: Option<[Vec<f32>; 2]>,
}

impl Seen {
    /// How well the better of both maps tells the defects from the good pictures.
    pub fn best(&self) -> Option<f64> {
        if self.both > self.student { self.both } else { self.student }
    }

    /// Whether the autoencoder counts, and how the maps become one.
    pub fn scale(&self, wanted: Half) -> Scale {
        let on = match wanted {
            Half::On => true,
            Half::Off => false,
            Half::Auto => self.both > self.student,
        };
        let share = if on { 0.5 } else { 1.0 };
        Scale {
            student: factor(self.student_quantiles, share),
            autoencoder: on.then(|| factor(self.autoencoder_quantiles, share)),
            places: self.places.clone(),
        }
    }
}

fn factor([low, high]: [f32; 2], share: f32) -> f32 {
    share * UPPER / (high - low).max(f32::MIN_POSITIVE)
}

impl Gallery {
    /// Draws the defects. `mask` says which cells of the finished map (`columns` to a row) are judged.
    pub fn new(pictures: &Pictures, networks: &Networks, mask: Option<(&[bool], usize)>, seed: u64) -> Gallery {
        let all: Vec<&Picture> = pictures.held_out.iter().map(|i| &pictures.small[*i]).collect();
        let [rows, columns] = networks.pdn.grid(networks.picture, false).unwrap_or([1; 2]);
        let grid = [columns, rows];
        let judged: Vec<bool> = (0..rows * columns)
            .map(|i| {
                let Some((mask, across)) = mask else { return true };
                let down = mask.len() / across;
                let at = |i: usize, n: usize, cells: usize| (2 * (i + BORDER) + 1) * cells / (2 * (n + 2 * BORDER));
                mask[at(i / columns, rows, down) * across + at(i % columns, columns, across)]
            })
            .collect();
        let visible = |u: f32, v: f32| {
            let at = |u: f32, n: usize| (((u * (n + 2 * BORDER) as f32) as usize).saturating_sub(BORDER)).min(n - 1);
            judged[at(v, rows) * columns + at(u, columns)]
        };
        let mut random = SplitMix64::new(seed ^ 0xdefec7);
        let mut bad = Vec::new();
        for turn in 0..DEFECTS {
            let picture = all[turn % all.len()];
            let other = all[(turn + 1 + random.below(all.len() as u64 - 1) as usize) % all.len()];
            // Where the part has nothing that could be doubled or blurred, the next kind takes its place.
            let seed = random.next_u64();
            let kinds = (0..KINDS.len()).map(|i| KINDS[(turn + i) % KINDS.len()]);
            let made = kinds.filter_map(|kind| {
                synthetic::add(picture, other, kind, &visible, &mut SplitMix64::new(seed)).map(|(made, _)| made)
            });
            bad.extend(made.take(1).map(|picture| planes(&picture.rgb)));
        }
        let [rows, columns] = networks.picture;
        let good = all.into_iter().map(|picture| planes(&picture.rgb)).collect();
        let usual = match networks.pdn.size() {
            Size::Xs => pictures.learned.iter().take(USUAL).map(|i| pictures.small[*i].clone()).collect(),
            Size::S | Size::M => Vec::new(),
        };
        Gallery { good, bad, usual, grid, judged, shape: [1, 3, rows, columns] }
    }

    /// A quick look, at some of all.
    pub fn glance(&self, trainer: &mut Trainer, probe: usize) -> Result<Seen, LearnError> {
        self.look_at(trainer, probe, GLANCE, None, &mut || true)
    }

    /// A whole look. `go_on` is asked before each picture.
    pub fn look(
        &self,
        trainer: &mut Trainer,
        probe: usize,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Seen, LearnError> {
        let places = self.places(trainer, probe, go_on)?;
        self.look_at(trainer, probe, usize::MAX, places, go_on)
    }

    /// Pictures that a whole look goes by.
    pub fn len(&self) -> usize {
        self.good.len() + self.bad.len() + self.usual.len()
    }

    /// A factor for each place of both maps: less than 1 where more than elsewhere is usual.
    fn places(
        &self,
        trainer: &mut Trainer,
        probe: usize,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<[Vec<f32>; 2]>, LearnError> {
        if self.usual.is_empty() {
            return Ok(None);
        }
        let mut sums = [0, 1].map(|_| vec![0.0f32; self.judged.len()]);
        for picture in &self.usual {
            if !go_on() {
                return Err(LearnError::Stopped);
            }
            let made = trainer.probe(probe, &[Input { shape: &self.shape, values: &planes(&picture.rgb) }])?;
            for (sum, map) in sums.iter_mut().zip(&made) {
                sum.iter_mut().zip(map).for_each(|(sum, v)| *sum += v);
            }
        }
        Ok(Some(sums.map(|sum| self.factors(&sum))))
    }

    /// From what is usual at each place, in any unit.
    fn factors(&self, usual: &[f32]) -> Vec<f32> {
        let [columns, rows] = self.grid;
        let scoring = Scoring { smoothing: SMOOTHING, image: ImageScore::Max, min_area: 0 };
        let mut smooth = Vec::new();
        let judged = || usual.iter().zip(&self.judged).filter(|(_, judged)| **judged).map(|(v, _)| *v);
        Scorer::new(scoring, columns, rows, &self.judged).map_of(judged(), &mut smooth);
        let mean = judged().sum::<f32>() / judged().count().max(1) as f32;
        let factor = |(v, judged): (&f32, &bool)| match *judged && mean > 0.0 {
            true => (1.0 + FLOOR) * mean / (v + FLOOR * mean),
            false => 1.0,
        };
        smooth.iter().zip(&self.judged).map(factor).collect()
    }

    fn look_at(
        &self,
        trainer: &mut Trainer,
        probe: usize,
        most: usize,
        places: Option<[Vec<f32>; 2]>,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Seen, LearnError> {
        let mut seen = [[Vec::new(), Vec::new()], [Vec::new(), Vec::new()]];
        let mut spread = Spread::default();
        let (mut off, mut values) = (0.0, 0);
        for (of, pictures) in [&self.good, &self.bad].into_iter().enumerate() {
            for picture in pictures.iter().take(most) {
                if !go_on() {
                    return Err(LearnError::Stopped);
                }
                let mut made = trainer.probe(probe, &[Input { shape: &self.shape, values: picture }])?;
                let says = made.pop().unwrap_or_default();
                if of == 0 {
                    spread.add(&says, self.judged.len());
                    let judged = made[0].iter().zip(&self.judged).filter(|(_, judged)| **judged);
                    judged.for_each(|(v, _)| (off, values) = (off + f64::from(*v), values + 1));
                }
                for (half, mut map) in made.into_iter().enumerate() {
                    if let Some(places) = &places {
                        map.iter_mut().zip(&places[half]).for_each(|(v, factor)| *v *= factor);
                    }
                    let judged = map.iter().zip(&self.judged).filter(|(_, judged)| **judged).map(|(v, _)| *v);
                    seen[of][half].push(judged.collect::<Vec<f32>>());
                }
            }
        }
        let [good, bad] = &seen;
        let student_quantiles = quantiles(&good[0]);
        let autoencoder_quantiles = quantiles(&good[1]);
        let [a, b] = [student_quantiles, autoencoder_quantiles].map(|q| factor(q, 0.5));
        let highest = |maps: &[Vec<Vec<f32>>; 2], a: f32, b: f32| -> Vec<f32> {
            let pairs = maps[0].iter().zip(&maps[1]);
            pairs.map(|(s, e)| s.iter().zip(e).map(|(s, e)| a * s + b * e).fold(0.0, f32::max)).collect()
        };
        let told_apart = |a: f32, b: f32| {
            let labelled = |maps, bad| highest(maps, a, b).into_iter().map(move |score| (score, bad));
            Curve::new(labelled(good, false).chain(labelled(bad, true)).collect()).auroc()
        };
        Ok(Seen {
            off: (off / f64::from(values.max(1))) as f32,
            student: told_apart(a, 0.0),
            both: told_apart(a, b),
            student_quantiles,
            autoencoder_quantiles,
            dead: spread.dead(),
            places,
        })
    }
}

/// Sums of each channel's values and of their squares.
#[derive(Default)]
struct Spread(Vec<[f64; 3]>);

impl Spread {
    fn add(&mut self, values: &[f32], places: usize) {
        self.0.resize(values.len() / places.max(1), [0.0; 3]);
        for (sums, plane) in self.0.iter_mut().zip(values.chunks_exact(places.max(1))) {
            for v in plane {
                let v = f64::from(*v);
                (sums[0], sums[1], sums[2]) = (sums[0] + 1.0, sums[1] + v, sums[2] + v * v);
            }
        }
    }

    /// Channels that are as good as constant, where the teacher's deviation is 1.
    fn dead(&self) -> usize {
        const ALMOST_CONSTANT: f64 = 1e-6;
        self.0.iter().filter(|[n, sum, square]| (square / n - (sum / n).powi(2)) < ALMOST_CONSTANT).count()
    }
}

/// The quantiles of all values together, linear between neighbours.
fn quantiles(maps: &[Vec<f32>]) -> [f32; 2] {
    let mut all = maps.concat();
    all.sort_unstable_by(f32::total_cmp);
    QUANTILES.map(|q| {
        let at = q * (all.len().max(1) - 1) as f64;
        let value = |i: usize| all.get(i.min(all.len().saturating_sub(1))).copied().unwrap_or(f32::NAN);
        let (low, high) = (value(at as usize), value(at as usize + 1));
        low + (high - low) * at.fract() as f32
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_numpy() {
        // numpy.quantile([0..=10], [0.9, 0.995])
        let [low, high] = quantiles(&[(0..=10).rev().map(|v| v as f32).collect()]);
        assert!((low - 9.0).abs() < 1e-6 && (high - 9.95).abs() < 1e-6, "{low} {high}");
    }

    #[test]
    fn the_autoencoder_counts_only_where_it_helps() {
        let seen = |student, both| Seen {
            off: 0.1,
            student,
            both,
            student_quantiles: [1.0, 2.0],
            autoencoder_quantiles: [2.0, 4.0],
            dead: 0,
            places: None,
        };
        let better = seen(Some(0.8), Some(0.9));
        assert_eq!(better.scale(Half::Auto), Scale { student: 0.05, autoencoder: Some(0.025), places: None });
        assert_eq!(better.scale(Half::Off), Scale { student: 0.1, autoencoder: None, places: None });
        assert_eq!(seen(Some(0.9), Some(0.9)).scale(Half::Auto).autoencoder, None);
        assert_eq!(seen(Some(0.9), Some(0.8)).scale(Half::On).autoencoder, Some(0.025));
        assert_eq!(seen(None, None).scale(Half::Auto).autoencoder, None);
    }

    #[test]
    fn a_place_where_much_is_usual_counts_for_less_and_one_that_is_not_judged_for_nothing() {
        let grid = [20, 10];
        let mut judged = vec![true; 200];
        judged[199] = false;
        let gallery = Gallery { good: Vec::new(), bad: Vec::new(), usual: Vec::new(), grid, judged, shape: [1; 4] };
        let even = gallery.factors(&[5.0; 200]);
        assert!(even.iter().all(|f| (f - 1.0).abs() < 1e-5), "{even:?}");
        let busy: Vec<f32> = (0..200).map(|i| if i % 20 < 10 { 9.0 } else { 1.0 }).collect();
        let factors = gallery.factors(&busy);
        assert!((factors[100] - 6.5 / 10.5).abs() < 0.01 && (factors[119] - 6.5 / 2.5).abs() < 0.05, "{factors:?}");
        assert_eq!(factors[199], 1.0);
        assert!(gallery.factors(&[0.0; 200]).iter().all(|f| *f == 1.0), "nothing is usual");
    }
}
