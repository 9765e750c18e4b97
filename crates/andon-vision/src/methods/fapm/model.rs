//! The banks of the regions, and how they score features on the CPU.

use std::sync::Arc;

use serde_json::Value;

use super::{Fapm, Params};
use crate::methods::Facts;
use crate::methods::patches::{Around, FeatureMethod, Learning, PatchHead, PatchModel};
use crate::model::bundle::Bundle;
use crate::model::head::knn::{KnnSearcher, Nearest};
use crate::model::head::score::Scorer;
use crate::model::tensors::{Tensor, Tensors};

/// A memory bank for each region. In the model file:
///
/// | tensor | type, shape | what |
/// |---|---|---|
/// | `fapm/bank` | f32 `[n, dim]` | patches, region by region |
/// | `fapm/start` | u32 `[regions * regions + 1]` | where each region's patches begin, and where the last end |
/// | `fapm/source` | u32 `[n]` | which training image a row comes from |
/// | `fapm/cell` | u32 `[n]` | which cell of the grid it comes from |
#[derive(Clone, Debug, PartialEq)]
pub struct FapmModel {
    params: Params,
    dim: usize,
    bank: Arc<[f32]>,
    start: Arc<[u32]>,
    source: Arc<[u32]>,
    cell: Arc<[u32]>,
    /// The judged cells of the grid, and the region of each.
    region_of: Arc<[u32]>,
}

/// The region of each judged cell, row by row.
pub(super) fn regions_of(cells: &[u32], [width, height]: [usize; 2], regions: usize) -> Vec<u32> {
    let region = |at: usize, side: usize| at * regions / side.max(1);
    let of = |cell: usize| region(cell / width, height) * regions + region(cell % width, width);
    cells.iter().map(|cell| of(*cell as usize) as u32).collect()
}

impl FapmModel {
    /// Of the patches of each region.
    pub(super) fn new(params: &Params, learning: &Learning<'_>, banks: &[Vec<u32>]) -> FapmModel {
        let set = learning.set;
        let cells = set.cells.len() as u32;
        let all = || banks.iter().flatten();
        let ends = banks.iter().scan(0, |end, bank| {
            *end += bank.len() as u32;
            Some(*end)
        });
        FapmModel {
            params: params.clone(),
            dim: set.dim,
            bank: all().flat_map(|i| learning.patch(*i)).copied().collect(),
            start: std::iter::once(0).chain(ends).collect(),
            source: all().map(|i| set.blocks[(*i / cells) as usize].0).collect(),
            cell: all().map(|i| set.cells[(*i % cells) as usize]).collect(),
            region_of: regions_of(&set.cells, set.grid, params.regions).into(),
        }
    }

    /// The banks of a bundle, checked.
    ///
    /// # Errors
    /// What is missing or does not fit together.
    pub fn of(bundle: &Bundle) -> Result<FapmModel, String> {
        let m = &bundle.manifest;
        if m.method.id != Fapm::ID {
            return Err(format!("it was learned by the method `{}`, not `{}`", m.method.id, Fapm::ID));
        }
        let params: Params = m.method.read()?;
        Fapm::check(&params)?;
        let (rows, dim) = bundle.tensors.matrix("bank")?;
        if rows == 0 || dim == 0 {
            return Err("the memory banks are empty".to_owned());
        }
        let cells: Vec<u32> = (0..).zip(&bundle.mask).filter(|(_, judged)| **judged != 0).map(|(c, _)| c).collect();
        let model = FapmModel {
            dim,
            bank: bundle.tensors.f32("bank", &[rows, dim])?,
            start: bundle.tensors.u32("start", &[params.regions * params.regions + 1])?,
            source: bundle.tensors.u32("source", &[rows])?,
            cell: bundle.tensors.u32("cell", &[rows])?,
            region_of: regions_of(&cells, m.grid.map(|side| side as usize), params.regions).into(),
            params,
        };
        let (images, grid) = (m.training.sources.len(), m.grid[0] * m.grid[1]);
        let whole = model.start.first() == Some(&0) && model.start.last().is_some_and(|end| *end as usize == rows);
        let inhabited = |region: &u32| model.rows_around(*region as usize, &model.around()).next().is_some();
        let rules = [
            (whole && model.start.is_sorted(), "the regions' banks are not in their order"),
            (model.source.iter().all(|s| (*s as usize) < images), "a bank names an image that is not listed"),
            (model.cell.iter().all(|c| *c < grid), "a bank names a cell outside the grid"),
            (
                whole && model.start.is_sorted() && model.region_of.iter().all(inhabited),
                "a region has nothing to compare with",
            ),
        ];
        rules.into_iter().find(|(holds, _)| !holds).map_or(Ok(model), |(_, why)| Err(why.to_owned()))
    }

    /// The regions around each region.
    fn around(&self) -> Around {
        let regions = self.params.regions;
        let all: Vec<u32> = (0..(regions * regions) as u32).collect();
        Around::new(&all, regions, self.params.reach)
    }

    /// The rows of a region's bank and of those around it, ascending.
    fn rows_around(&self, region: usize, around: &Around) -> impl Iterator<Item = u32> {
        let ranges: Vec<_> =
            around.of(region).iter().map(|r| self.start[*r as usize]..self.start[*r as usize + 1]).collect();
        ranges.into_iter().flatten()
    }
}

impl PatchModel for FapmModel {
    fn dim(&self) -> usize {
        self.dim
    }

    fn nearest_good(&self, patch: u32) -> Option<(u32, u32)> {
        let row = patch as usize;
        Some((*self.source.get(row)?, *self.cell.get(row)?))
    }

    fn head(&self, _: usize) -> Box<dyn PatchHead> {
        let around = self.around();
        let regions = (0..self.start.len() - 1).filter(|region| self.region_of.contains(&(*region as u32)));
        let searched = regions.map(|region| {
            let rows: Vec<u32> = self.rows_around(region, &around).collect();
            let values: Vec<f32> = rows
                .iter()
                .flat_map(|row| &self.bank[*row as usize * self.dim..(*row as usize + 1) * self.dim])
                .copied()
                .collect();
            let places = (0..self.region_of.len()).filter(|p| self.region_of[*p] == region as u32).collect();
            Region { places, searcher: KnnSearcher::new(values.into(), self.dim, 1), rows }
        });
        Box::new(FapmHead {
            dim: self.dim,
            regions: searched.collect(),
            queries: Vec::with_capacity(self.region_of.len() * self.dim),
            found: Vec::with_capacity(self.region_of.len()),
        })
    }

    fn part(&self) -> (Value, Tensors) {
        let rows = self.source.len();
        let mut tensors = Tensors::default();
        tensors.insert("bank", Tensor::f32(&[rows, self.dim], self.bank.clone()));
        tensors.insert("start", Tensor::u32(&[self.start.len()], self.start.clone()));
        tensors.insert("source", Tensor::u32(&[rows], self.source.clone()));
        tensors.insert("cell", Tensor::u32(&[rows], self.cell.clone()));
        (serde_json::to_value(&self.params).unwrap_or_default(), tensors)
    }

    fn facts(&self) -> Facts {
        let (rows, regions) = (self.source.len(), self.params.regions);
        Facts {
            label: "memory banks",
            text: format!("{rows} patches in {regions}x{regions} regions, {} values each", self.dim),
            bank_rows: Some(rows),
            dim: self.dim,
        }
    }
}

/// A region that has judged cells.
struct Region {
    /// Places of its cells among the judged ones.
    places: Vec<usize>,
    /// Searches its bank and those around it.
    searcher: KnnSearcher,
    /// Which row of all banks each of those is.
    rows: Vec<u32>,
}

struct FapmHead {
    dim: usize,
    regions: Vec<Region>,
    queries: Vec<f32>,
    found: Vec<Nearest>,
}

impl PatchHead for FapmHead {
    fn score_into(
        &mut self,
        features: &[f32],
        scorer: &mut Scorer,
        map: &mut Vec<f32>,
        nearest: &mut Vec<Nearest>,
    ) -> f32 {
        let dim = self.dim;
        nearest.clear();
        nearest.resize(features.len() / dim, Nearest { index: 0, distance: f32::NAN });
        for Region { places, searcher, rows } in &mut self.regions {
            self.queries.clear();
            self.queries.extend(places.iter().flat_map(|p| &features[p * dim..(p + 1) * dim]));
            searcher.search_into(&self.queries, &mut self.found);
            for (place, found) in places.iter().zip(&self.found) {
                nearest[*place] = Nearest { index: rows[found.index as usize], distance: found.distance };
            }
        }
        scorer.map_of(nearest.iter().map(|n| n.distance), map);
        scorer.score_of_map(map)
    }
}
