//! Exact nearest neighbours in L2.

use std::ops::Range;
use std::sync::Arc;

/// The nearest bank row of one query.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Nearest {
    /// Row of the bank.
    pub index: u32,
    /// L2 distance (not squared).
    pub distance: f32,
}

/// Searches one bank; owns its threads and scratch memory.
pub struct Searcher {
    rows: Arc<[f32]>,
    dim: usize,
    excluded: Option<Range<usize>>,
}

impl Searcher {
    /// `rows` holds `n * dim` values, row by row; `threads` counts the calling thread.
    pub fn new(rows: Arc<[f32]>, dim: usize, _threads: usize) -> Searcher {
        Searcher { rows, dim, excluded: None }
    }

    /// Leaves these rows out of the following searches (leave-one-image-out scores); `None` searches all.
    pub fn exclude(&mut self, rows: Option<Range<usize>>) {
        self.excluded = rows;
    }

    /// One result per query; ties go to the lowest row. `queries` holds `q * dim` values.
    pub fn search_into(&mut self, queries: &[f32], out: &mut Vec<Nearest>) {
        out.clear();
        for q in queries.chunks_exact(self.dim) {
            let mut best = Nearest { index: 0, distance: f32::INFINITY };
            for (i, row) in self.rows.chunks_exact(self.dim).enumerate() {
                if self.excluded.as_ref().is_some_and(|r| r.contains(&i)) {
                    continue;
                }
                let d2: f32 = q.iter().zip(row).map(|(a, b)| (a - b) * (a - b)).sum();
                if d2.sqrt() < best.distance {
                    best = Nearest { index: i as u32, distance: d2.sqrt() };
                }
            }
            out.push(best);
        }
    }
}
