//! Which defects are put into which good picture.

use serde::Serialize;

use super::Search;
use super::synthetic::{self, KINDS, Kind, Strength};
use crate::fit::Picture;
use andon_core::SplitMix64;

/// Synthetic defects in all, at least, where there are pictures enough.
const DEFECTS: usize = 192;
/// Synthetic defects in one picture's copies at most.
const MOST_A_PICTURE: usize = 16;

/// A defect that is put into a picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Put {
    /// The number of the good picture.
    pub image: usize,
    /// What is done to it.
    pub kind: Kind,
    /// How strong it is.
    pub strength: Strength,
    /// Draws the same one again.
    pub seed: u64,
}

/// Which defects are put into which picture.
pub(super) struct Defects {
    pub synthetic: Vec<Put>,
    /// For each probe, synthetic ones first: the picture that it is scored beside.
    pub beside: Vec<usize>,
}

impl Defects {
    pub fn draw(search: &Search<'_>) -> Option<Defects> {
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
pub(super) fn make(search: &Search<'_>, image: usize, kind: Kind, seed: u64) -> Option<(Picture, Strength)> {
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
