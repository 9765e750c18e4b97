//! A finished model learns one more good picture, or forgets one. What is added can be taken away again: the file is then, byte for
//! byte, what it was.

use thiserror::Error;

use super::claim::{Policy, threshold};
use super::images::{ImageError, Picture};
use super::options::MIN_IMAGES;
use super::parity::Judge;
use crate::model::Embed;
use crate::model::bundle::Bundle;
use crate::model::head::nearest::{Nearest, Searcher, squared};
use crate::model::head::score::Scorer;
use andon_core::Fault;

/// What one picture meant for the model.
#[derive(Clone, Debug, PartialEq)]
pub struct Adapted {
    /// Picture.
    pub name: String,
    /// Its score before.
    pub before: f32,
    /// Its score afterwards.
    pub after: f32,
    /// Rows that came of it.
    pub rows: usize,
}

/// Why the model stays as it is.
#[derive(Debug, Error)]
pub enum AdaptError {
    /// A picture cannot be read.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A picture cannot be scored.
    #[error("{name}: {fault}")]
    Fault {
        /// Picture.
        name: String,
        /// Reason.
        fault: Fault,
    },
    /// It has another size.
    #[error("{name} is {got:?} pixels, the model learned pictures of {want:?}")]
    Size {
        /// Picture.
        name: String,
        /// Its size.
        got: [u32; 2],
        /// The model's.
        want: [u32; 2],
    },
    /// It is in the model already.
    #[error("the model has learned a picture called {name} already; rename it, or --remove the other one first")]
    Known {
        /// Picture.
        name: String,
    },
    /// It is not in the model.
    #[error("the model has not learned a picture called {name}")]
    Unknown {
        /// Picture.
        name: String,
    },
    /// Too little would be left.
    #[error("{left} pictures would be left; at least {MIN_IMAGES} are needed: learn anew with `andon fit`")]
    TooFew {
        /// Pictures that would be left.
        left: usize,
    },
}

/// Scores with a bundle whose bank changes.
struct Model<'a> {
    embedder: &'a mut dyn Embed,
    scorer: Scorer,
    searcher: Searcher,
    threads: usize,
}

/// Adds good pictures: those of their patches that lie farther from every row than the rows lie apart become rows themselves,
/// farthest first, as in the greedy choice that made the bank. The threshold and its claim stay: pictures that somebody chose to add
/// are no fair sample.
///
/// # Errors
/// [`AdaptError`]; the bundle is unchanged then.
pub fn add(
    bundle: &mut Bundle,
    pictures: &[(String, Picture)],
    embedder: &mut dyn Embed,
    threads: usize,
) -> Result<Vec<Adapted>, AdaptError> {
    let mut new = bundle.clone();
    let mut model = Model::new(&new, embedder, threads);
    let mut told = Vec::new();
    for (name, picture) in pictures {
        if new.manifest.training.sources.contains(name) {
            return Err(AdaptError::Known { name: name.clone() });
        }
        let size = [picture.width, picture.height];
        if let Some(want) = new.manifest.frame_size.filter(|want| *want != size) {
            return Err(AdaptError::Size { name: name.clone(), got: size, want });
        }
        let fault = |fault| AdaptError::Fault { name: name.clone(), fault };
        let (before, features, near) = model.score(&new, picture).map_err(fault)?;
        if !before.is_finite() {
            return Err(fault(Fault::BadFrame));
        }
        let chosen = uncovered(&features, &near, new.manifest.dim as usize, new.manifest.training.spacing);
        let (dim, source) = (new.manifest.dim as usize, new.manifest.training.sources.len() as u32);
        let rows = chosen.iter().flat_map(|i| &features[i * dim..(i + 1) * dim]);
        new.bank = new.bank.iter().chain(rows).copied().collect();
        new.bank_source.extend(chosen.iter().map(|_| source));
        new.bank_cell.extend(chosen.iter().map(|i| model.scorer.cells()[*i]));
        new.bank_weight.extend(chosen.iter().map(|_| 1.0));
        new.manifest.training.sources.push(name.clone());
        new.manifest.training.added += 1;
        new.train_scores.push(before);
        model.searcher = Searcher::new(new.bank.clone(), dim, threads);
        let (after, ..) = model.score(&new, picture).map_err(fault)?;
        told.push(Adapted { name: name.clone(), before, after, rows: chosen.len() });
    }
    model.settle(&mut new).map_err(|fault| AdaptError::Fault { name: "parity set".into(), fault })?;
    *bundle = new;
    Ok(told)
}

/// Takes pictures out: their rows go, and the threshold is set anew from the held-out scores that remain. Those were measured while the
/// picture was known, so after taking out more than a few it is better to learn anew.
///
/// # Errors
/// [`AdaptError`]; the bundle is unchanged then.
pub fn remove(
    bundle: &mut Bundle,
    names: &[String],
    embedder: &mut dyn Embed,
    threads: usize,
) -> Result<Vec<Adapted>, AdaptError> {
    let mut new = bundle.clone();
    let mut told = Vec::new();
    for name in names {
        let sources = &mut new.manifest.training.sources;
        let at = sources.iter().position(|s| s == name).ok_or_else(|| AdaptError::Unknown { name: name.clone() })?;
        if at >= sources.len() - new.manifest.training.added as usize {
            new.manifest.training.added -= 1;
        }
        sources.remove(at);
        let left = sources.len();
        let before = new.train_scores.remove(at);
        let dim = new.manifest.dim as usize;
        let rows = new.bank_source.partition_point(|s| (*s as usize) < at)
            ..new.bank_source.partition_point(|s| (*s as usize) <= at);
        if left < MIN_IMAGES || rows.len() == new.rows() {
            return Err(AdaptError::TooFew { left });
        }
        new.bank = [&new.bank[..rows.start * dim], &new.bank[rows.end * dim..]].concat().into();
        new.bank_source.drain(rows.clone());
        new.bank_cell.drain(rows.clone());
        new.bank_weight.drain(rows.clone());
        new.bank_source.iter_mut().filter(|s| **s as usize > at).for_each(|s| *s -= 1);
        told.push(Adapted { name: name.clone(), before, after: f32::NAN, rows: rows.len() });
    }
    let fair = new.train_scores.len() - new.manifest.training.added as usize;
    let policy = Policy {
        max_false_reject: new.manifest.training.asked_false_reject,
        confidence: new.manifest.claim.confidence,
    };
    if let Some((limit, claim)) = threshold(&new.train_scores[..fair], policy) {
        (new.manifest.threshold, new.manifest.claim) = (limit, claim);
    }
    let mut model = Model::new(&new, embedder, threads);
    model.settle(&mut new).map_err(|fault| AdaptError::Fault { name: "parity set".into(), fault })?;
    *bundle = new;
    Ok(told)
}

impl<'a> Model<'a> {
    fn new(bundle: &Bundle, embedder: &'a mut dyn Embed, threads: usize) -> Model<'a> {
        let m = &bundle.manifest;
        let mask: Vec<bool> = bundle.mask.iter().map(|v| *v != 0).collect();
        Model {
            embedder,
            scorer: Scorer::new(m.scoring, m.grid[0] as usize, m.grid[1] as usize, &mask),
            searcher: Searcher::new(bundle.bank.clone(), m.dim as usize, threads),
            threads,
        }
    }

    fn score(&mut self, bundle: &Bundle, picture: &Picture) -> Result<(f32, Vec<f32>, Vec<Nearest>), Fault> {
        let (mut features, mut near, mut map) = (Vec::new(), Vec::new(), Vec::new());
        self.embedder.embed(&picture.view().ok_or(Fault::BadFrame)?, &mut features)?;
        self.scorer.keep_cells(&mut features, bundle.manifest.dim as usize);
        self.searcher.search_into(&features, &mut near);
        self.scorer.map_into(&near, &bundle.bank_weight, &mut map);
        let score = self.scorer.score(&map, &near, &features, &bundle.bank, &mut self.searcher);
        Ok((score, features, near))
    }

    /// The parity scores of the changed bank.
    fn settle(&mut self, bundle: &mut Bundle) -> Result<(), Fault> {
        self.searcher = Searcher::new(bundle.bank.clone(), bundle.manifest.dim as usize, self.threads);
        let [width, height] = bundle.network().picture_size();
        let pictures: Vec<Picture> =
            bundle.parity_frames().map(|frame| Picture { width, height, rgb: frame.data.to_vec() }).collect();
        let mut judge = Judge { embedder: &mut *self.embedder, scorer: &mut self.scorer, searcher: &mut self.searcher };
        bundle.parity_score = judge.make(&pictures, &bundle.bank, &bundle.bank_weight)?.1;
        Ok(())
    }
}

/// Patches farther than `spacing` from every row and from each other, farthest first.
fn uncovered(features: &[f32], near: &[Nearest], dim: usize, spacing: f32) -> Vec<usize> {
    let mut distance: Vec<f32> = near.iter().map(|n| n.distance).collect();
    let row = |i: usize| &features[i * dim..(i + 1) * dim];
    let mut chosen = Vec::new();
    loop {
        let far = distance.iter().copied().enumerate().reduce(|a, b| if b.1 > a.1 { b } else { a });
        match far {
            Some((i, d)) if d > spacing => {
                chosen.push(i);
                for (j, d) in distance.iter_mut().enumerate() {
                    *d = d.min(squared(row(i), row(j)).sqrt());
                }
            }
            _ => return chosen,
        }
    }
}
