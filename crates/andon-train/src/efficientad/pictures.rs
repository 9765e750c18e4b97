//! The good pictures: read once, brought to the networks' size, and dealt into those that are learned from and those that are held out.

use std::collections::HashMap;
use std::sync::Arc;

use andon_core::Fault;
use andon_vision::fit::groups::{self, Thumbnail};
use andon_vision::fit::{FitError, FitOptions, NamedPicture, Picture, at_input_size};
use andon_vision::model::Backbone;
use andon_vision::preprocess::InputSpec;
use andon_vision::preprocess::align::{Aligner, Reference};

use super::LearnError;

/// Groups of pictures without which nothing can be held out.
pub(super) const LEAST_GROUPS: usize = 6;
/// Pictures that are held out at least, if that leaves as many to learn from.
const LEAST_HELD_OUT: usize = 10;

/// Good pictures at the networks' size.
pub(super) struct Pictures {
    /// Names, and the number that each has where it was read from.
    pub named: Vec<(String, usize)>,
    /// Pixels of each.
    pub small: Vec<Picture>,
    /// Numbers of those that are learned from.
    pub learned: Vec<usize>,
    /// Numbers of those that are held out.
    pub held_out: Vec<usize>,
    /// Pictures that were left out, each with the reason.
    pub left_out: Vec<String>,
    /// Digest of all pixels.
    pub digest: String,
}

/// What is read.
pub(super) struct Reading<'a> {
    pub count: usize,
    pub read: &'a dyn Fn(usize) -> NamedPicture,
    pub skip_bad: bool,
    pub options: &'a FitOptions,
    pub input: &'a InputSpec,
    pub align: Option<&'a Arc<Reference>>,
    /// Share that is held out.
    pub held_out: f64,
}

impl Pictures {
    /// `progress` is told how many were read, and says no to stop.
    pub fn read(from: &Reading<'_>, progress: &mut dyn FnMut(usize) -> bool) -> Result<Pictures, LearnError> {
        let backbone = Backbone {
            name: String::new(),
            onnx: Arc::from([]),
            input: from.input.clone(),
            outputs: Vec::new(),
            layers: Vec::new(),
            tiles: [1, 1],
            align: None,
        };
        let mut aligner =
            from.align.map(|reference| Aligner::new(reference.clone(), backbone.picture_size(), from.input.range));
        let (mut named, mut small, mut thumbnails) = (Vec::new(), Vec::new(), Vec::new());
        let (mut bad, mut left_out, mut seen) = (Vec::new(), Vec::new(), HashMap::new());
        let (mut first, mut digest) = (None, blake3::Hasher::new());
        for number in 0..from.count {
            if !progress(number) {
                return Err(LearnError::Stopped);
            }
            let (name, picture) = match (from.read)(number) {
                Ok(named) => named,
                Err(e) => {
                    bad.push(e.to_string());
                    continue;
                }
            };
            if let Some(other) = seen.insert(picture.digest(), name.clone()) {
                left_out.push(format!("{name} is a copy of {other}"));
                continue;
            }
            let size = [picture.width, picture.height];
            let (first_name, want) = first.get_or_insert_with(|| (name.clone(), size)).clone();
            if size != want && !from.options.learned.any_size {
                let ([got_w, got_h], [want_w, want_h]) = (size, want);
                return Err(FitError::Sizes { name, got_w, got_h, first: first_name, want_w, want_h }.into());
            }
            let failed = |fault| FitError::Embed { name: name.clone(), fault };
            let view = picture.view().ok_or(Fault::BadFrame).map_err(failed)?;
            let seen_as = match &mut aligner {
                Some(aligner) => at_input_size(&aligner.align(&view).map_err(failed)?, &backbone),
                None => at_input_size(&view, &backbone),
            };
            digest.update(name.as_bytes());
            digest.update(&seen_as.rgb);
            thumbnails.push(Thumbnail::of(&picture));
            small.push(seen_as);
            named.push((name, number));
        }
        if !bad.is_empty() && !from.skip_bad {
            let shown = bad.iter().take(10).map(String::as_str).collect::<Vec<_>>().join("\n  ");
            return Err(FitError::BadImages { count: bad.len(), of: from.count, shown }.into());
        }
        left_out.extend(bad);
        let names: Vec<String> = named.iter().map(|(name, _)| name.clone()).collect();
        let grouped = from.options.grouping.of(&names, &thumbnails);
        if grouped.count() < LEAST_GROUPS {
            return Err(LearnError::TooFew { got: names.len(), groups: grouped.count(), least: LEAST_GROUPS });
        }
        let (learned, held_out) = deal(&grouped.groups, from.held_out);
        Ok(Pictures { named, small, learned, held_out, left_out, digest: digest.finalize().to_hex().to_string() })
    }
}

/// Deals pictures into those that are learned from and those that are held out; no group is on both sides.
fn deal(groups: &[u32], share: f64) -> (Vec<usize>, Vec<usize>) {
    let n = groups.len();
    let wanted = ((n as f64 * share).round() as usize).max(LEAST_HELD_OUT.min(n / 2)).max(1);
    let fold_of = groups::folds(groups, (n / wanted).max(2));
    (0..n).partition(|i| fold_of[*i] != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_group_is_on_both_sides_and_the_share_is_about_what_was_asked_for() {
        for (n, size, share) in [(200, 1, 0.2), (200, 5, 0.1), (24, 1, 0.1), (12, 2, 0.2), (7, 1, 0.5)] {
            let groups: Vec<u32> = (0..n as u32).map(|i| i / size).collect();
            let (learned, held_out) = deal(&groups, share);
            assert_eq!(learned.len() + held_out.len(), n);
            assert!(learned.iter().all(|i| held_out.iter().all(|j| groups[*i] != groups[*j])));
            let least = LEAST_HELD_OUT.min(n / 2).max((n as f64 * share) as usize);
            assert!(held_out.len() + 2 >= least && held_out.len() <= n.div_ceil(2) + 1, "{n}: {}", held_out.len());
        }
    }
}
