//! A memory bank learns one more good picture, or forgets one. What is added can be taken away again: the file is then, byte for byte, what
//! it was.

use std::ops::Range;

use super::model::PatchCoreModel;
use crate::fit::{MIN_IMAGES, Picture, ThresholdRule, claim_of_chosen, threshold};
use crate::methods::adapt::{AdaptError, Adapted, Adapter};
use crate::methods::patches::{PatchHead, PatchModel, parity_set};
use crate::model::Embed;
use crate::model::bundle::Bundle;
use crate::model::head::knn::{Nearest, squared};
use crate::model::head::score::Scorer;
use andon_core::Fault;

/// Adds and removes rows of the bank.
pub(super) struct BankAdapter;

impl Adapter for BankAdapter {
    /// Those of the pictures' patches that lie farther from every row than the rows lie apart become rows themselves, farthest first, as in
    /// the greedy choice that made the bank.
    fn add(
        &self,
        bundle: &mut Bundle,
        pictures: &[(String, Picture)],
        embedder: &mut dyn Embed,
        threads: usize,
    ) -> Result<Vec<Adapted>, AdaptError> {
        let mut new = bundle.clone();
        let mut bank = PatchCoreModel::of(&new).map_err(AdaptError::Model)?;
        let mut session = Session::new(&new, &bank, embedder, threads);
        let mut added = Vec::new();
        for (name, picture) in pictures {
            if new.manifest.training.sources.contains(name) {
                return Err(AdaptError::Known { name: name.clone() });
            }
            let size = [picture.width, picture.height];
            if let Some(want) = new.manifest.frame_size.filter(|want| *want != size) {
                return Err(AdaptError::Size { name: name.clone(), got: size, want });
            }
            let fault = |fault| AdaptError::Fault { name: name.clone(), fault };
            let (before, features, near) = session.score(picture).map_err(fault)?;
            if !before.is_finite() {
                return Err(fault(Fault::BadFrame));
            }
            let dim = bank.dim();
            let chosen = uncovered(&features, &near, dim, bank.about.spacing);
            let source = new.manifest.training.sources.len() as u32;
            let rows = chosen.iter().flat_map(|i| &features[i * dim..(i + 1) * dim]);
            bank.bank = bank.bank.iter().chain(rows).copied().collect();
            bank.source = bank.source.iter().copied().chain(chosen.iter().map(|_| source)).collect();
            let cells = session.scorer.cells();
            bank.cell = bank.cell.iter().copied().chain(chosen.iter().map(|i| cells[*i])).collect();
            bank.weight = bank.weight.iter().copied().chain(chosen.iter().map(|_| 1.0)).collect();
            new.manifest.training.sources.push(name.clone());
            new.manifest.training.added += 1;
            new.train_scores.push(before);
            session.head = bank.head(threads);
            let (after, ..) = session.score(picture).map_err(fault)?;
            added.push(Adapted { name: name.clone(), before, after, rows: chosen.len() });
        }
        session.refresh_parity(&mut new, &bank)?;
        *bundle = new;
        Ok(added)
    }

    /// The pictures' rows go.
    fn remove(
        &self,
        bundle: &mut Bundle,
        names: &[String],
        embedder: &mut dyn Embed,
        threads: usize,
    ) -> Result<Vec<Adapted>, AdaptError> {
        let mut new = bundle.clone();
        let mut bank = PatchCoreModel::of(&new).map_err(AdaptError::Model)?;
        let mut removed = Vec::new();
        for name in names {
            let sources = &mut new.manifest.training.sources;
            let at =
                sources.iter().position(|s| s == name).ok_or_else(|| AdaptError::Unknown { name: name.clone() })?;
            if at >= sources.len() - new.manifest.training.added as usize {
                new.manifest.training.added -= 1;
            }
            sources.remove(at);
            let groups = &mut new.manifest.training.groups;
            if at < groups.len() {
                groups.remove(at);
            }
            let left = sources.len();
            let before = new.train_scores.remove(at);
            let rows = bank.source.partition_point(|s| (*s as usize) < at)
                ..bank.source.partition_point(|s| (*s as usize) <= at);
            if left < MIN_IMAGES || rows.len() == bank.rows() {
                return Err(AdaptError::TooFew { left });
            }
            let dim = bank.dim();
            bank.bank = [&bank.bank[..rows.start * dim], &bank.bank[rows.end * dim..]].concat().into();
            let renumbered = |s: u32| if s as usize > at { s - 1 } else { s };
            bank.source = without(&bank.source, &rows).map(renumbered).collect();
            bank.cell = without(&bank.cell, &rows).collect();
            bank.weight = without(&bank.weight, &rows).collect();
            removed.push(Adapted { name: name.clone(), before, after: f32::NAN, rows: rows.len() });
        }
        let (good, m) = (new.fair_scores(), &mut new.manifest);
        match &m.chosen {
            None => {
                if let Some((limit, claim)) = threshold(&good, ThresholdRule::of(m)) {
                    (m.threshold, m.claim) = (limit, claim);
                }
            }
            // A threshold that somebody chose stays as it is; what it promises rests on the pictures that are left.
            Some(chosen) if !chosen.reviewed && good != bundle.fair_scores() => {
                m.claim = claim_of_chosen(&good, m.threshold, m.claim.confidence, chosen.weighed);
            }
            Some(_) => {}
        }
        Session::new(&new, &bank, embedder, threads).refresh_parity(&mut new, &bank)?;
        *bundle = new;
        Ok(removed)
    }
}

fn without<'a, T: Copy>(values: &'a [T], gap: &Range<usize>) -> impl Iterator<Item = T> + 'a {
    values[..gap.start].iter().chain(&values[gap.end..]).copied()
}

/// Scores with a bank that changes.
struct Session<'a> {
    embedder: &'a mut dyn Embed,
    scorer: Scorer,
    head: Box<dyn PatchHead>,
    threads: usize,
}

impl<'a> Session<'a> {
    fn new(bundle: &Bundle, bank: &PatchCoreModel, embedder: &'a mut dyn Embed, threads: usize) -> Session<'a> {
        let (width, height) = bundle.grid();
        let scorer = Scorer::new(bundle.manifest.scoring, width, height, &bundle.judged_cells());
        Session { embedder, scorer, head: bank.head(threads), threads }
    }

    fn score(&mut self, picture: &Picture) -> Result<(f32, Vec<f32>, Vec<Nearest>), Fault> {
        let (mut features, mut near, mut map) = (Vec::new(), Vec::new(), Vec::new());
        self.embedder.embed(&picture.view().ok_or(Fault::BadFrame)?, &mut features)?;
        self.scorer.keep_cells(&mut features, self.embedder.dim());
        let score = self.head.score_into(&features, &mut self.scorer, &mut map, &mut near);
        Ok((score, features, near))
    }

    /// Puts the changed bank into the bundle, with the parity pictures' scores by it.
    fn refresh_parity(&mut self, bundle: &mut Bundle, bank: &PatchCoreModel) -> Result<(), AdaptError> {
        bank.put_into(bundle);
        self.head = bank.head(self.threads);
        let [width, height] = bundle.network().picture_size();
        let pictures: Vec<Picture> =
            bundle.parity_frames().map(|frame| Picture { width, height, rgb: frame.data.to_vec() }).collect();
        let scores = parity_set(&pictures, self.embedder, &mut self.scorer, self.head.as_mut());
        bundle.parity_score = scores.map_err(|fault| AdaptError::Fault { name: "parity set".into(), fault })?.1;
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
