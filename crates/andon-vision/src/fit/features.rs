//! The features of all good pictures, and what has to be remembered of the pictures themselves.

use std::collections::HashMap;

use super::augment::Augment;
use super::groups::Thumbnail;
use super::images::{ImageError, Picture};
use super::options::{FitError, MIN_IMAGES, Phase};
use super::parity;
use crate::model::head::score::Scorer;
use crate::model::{Backbone, Embed};
use andon_core::Fault;

/// Pictures in the parity set.
const PARITY: usize = 4;

/// Features block by block; a block is one picture, as it is or changed by augmentation.
pub struct FeatureSet {
    /// The pictures.
    pub names: Vec<String>,
    /// `dim` values for each cell of [`FeatureSet::cells`], block by block.
    pub values: Vec<f32>,
    /// The cells of the grid that are not masked, ascending.
    pub cells: Vec<u32>,
    /// Columns and rows of the grid.
    pub grid: [usize; 2],
    /// Values of a patch's feature.
    pub dim: usize,
    /// Picture of each block, ascending, and whether it is the picture itself.
    pub blocks: Vec<(u32, bool)>,
    /// The one size of all pictures; `None` if several are learned on purpose.
    pub size: Option<[u32; 2]>,
    /// Each picture in small, to find those that belong together.
    pub thumbnails: Vec<Thumbnail>,
    /// The first few pictures at input size.
    pub parity: Vec<Picture>,
}

impl FeatureSet {
    /// The features of each picture as it is: `cells * dim` values.
    pub fn originals(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.cells.len() * self.dim).zip(&self.blocks).filter(|(_, b)| b.1).map(|(v, _)| v)
    }
}

/// Reads pictures into a [`FeatureSet`].
pub struct FeatureReader<'a> {
    /// Makes the features.
    pub embedder: &'a mut dyn Embed,
    /// The network behind it, for the parity pictures' size.
    pub backbone: &'a Backbone,
    /// Which cells are masked.
    pub scorer: &'a Scorer,
    /// Changed copies.
    pub augment: Augment,
    /// Leaves pictures out that cannot be read.
    pub skip_bad: bool,
    /// Pictures of several sizes are learned on purpose.
    pub any_size: bool,
}

impl FeatureReader<'_> {
    /// Reads every picture once. Also returns those that were left out, with the reason.
    ///
    /// # Errors
    /// [`FitError`]: pictures that cannot be used, of several sizes, or too few.
    pub fn read(
        &mut self,
        pictures: &mut dyn ExactSizeIterator<Item = Result<(String, Picture), ImageError>>,
        progress: &mut dyn FnMut(Phase, usize, usize),
    ) -> Result<(FeatureSet, Vec<String>), FitError> {
        let total = pictures.len();
        let (mut bad, mut left_out) = (Vec::new(), Vec::new());
        let mut seen = HashMap::new();
        let mut set = FeatureSet {
            names: Vec::new(),
            values: Vec::new(),
            cells: self.scorer.cells().to_vec(),
            grid: self.embedder.grid().into(),
            dim: self.embedder.dim(),
            blocks: Vec::new(),
            size: None,
            thumbnails: Vec::new(),
            parity: Vec::new(),
        };
        for (i, picture) in pictures.enumerate() {
            progress(Phase::Features, i, total);
            let (name, picture) = match picture {
                Ok(named) => named,
                Err(e) => {
                    bad.push(e.to_string());
                    continue;
                }
            };
            if let Some(first) = seen.insert(picture.digest(), name.clone()) {
                // It would pretend to be evidence for the threshold.
                left_out.push(format!("{name} is a copy of {first}"));
                continue;
            }
            let size = [picture.width, picture.height];
            let [want_w, want_h] = *set.size.get_or_insert(size);
            if size != [want_w, want_h] && !self.any_size {
                let (first, [got_w, got_h]) = (set.names.first().cloned().unwrap_or_default(), size);
                return Err(FitError::Sizes { name, got_w, got_h, first, want_w, want_h });
            }
            let image = set.names.len() as u32;
            let embed = |fault| FitError::Embed { name: name.clone(), fault };
            let view = picture.view().ok_or(Fault::BadFrame).map_err(embed)?;
            // Turned copies are of the part in its pose: turned before, they would all be brought into the same.
            let [width, height] = self.backbone.picture_size();
            let upright = self.embedder.upright(&view).map_err(embed)?.map(|rgb| Picture { width, height, rgb });
            for (n, variant) in self.augment.variants(upright.as_ref().unwrap_or(&picture)).enumerate() {
                self.add(&name, &variant, total, &mut set)?;
                set.blocks.push((image, n == 0));
            }
            if set.parity.len() < PARITY {
                let view = picture.view().ok_or(FitError::Embed { name: name.clone(), fault: Fault::BadFrame })?;
                set.parity.push(parity::at_input_size(&view, self.backbone));
            }
            set.thumbnails.push(Thumbnail::of(&picture));
            set.names.push(name);
        }
        progress(Phase::Features, total, total);
        if !bad.is_empty() && !self.skip_bad {
            let shown = bad.iter().take(10).map(String::as_str).collect::<Vec<_>>().join("\n  ");
            return Err(FitError::BadImages { count: bad.len(), of: total, shown });
        }
        if set.names.len() < MIN_IMAGES {
            return Err(FitError::TooFew { got: set.names.len() });
        }
        set.size = set.size.filter(|_| !self.any_size);
        left_out.extend(bad);
        Ok((set, left_out))
    }

    fn add(&mut self, name: &str, picture: &Picture, total: usize, set: &mut FeatureSet) -> Result<(), FitError> {
        let embed = |fault| FitError::Embed { name: name.to_owned(), fault };
        let view = picture.view().ok_or(Fault::BadFrame).map_err(embed)?;
        let mut one = Vec::new();
        self.embedder.embed_upright(&view, &mut one).map_err(embed)?;
        self.scorer.keep_cells(&mut one, self.embedder.dim());
        if !one.iter().all(|v| v.is_finite()) {
            return Err(FitError::NotFinite { name: name.to_owned() });
        }
        if set.values.is_empty() {
            // Once: growing by doubling would need three times the memory for a moment.
            set.values.reserve_exact(one.len() * total * self.augment.count());
        }
        set.values.extend_from_slice(&one);
        Ok(())
    }
}
