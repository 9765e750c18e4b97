//! Exact k nearest neighbours (`kernels/nearest.cu`, `kernels/matrix.cu`); the counterpart of `head::knn` on the CPU. Called by PatchCore's
//! head. An index never changes; what a search finds is the same for each algorithm.

mod launch;
pub(crate) mod self_test;
mod tensor_core;

use self::launch::{nearest, nearest_k};
use self::tensor_core::{TensorCoreIndex, TensorCoreScratch};
use crate::driver::Device;
use crate::error::CudaError;
use crate::memory::Buffer;
use andon_vision::model::head::knn::Nearest;

/// Banks below this many rows, or with fewer values each, are searched without tensor cores: there is too little to share out.
const TENSOR_CORE_ROWS: usize = 1024;
const TENSOR_CORE_DIM: usize = 64;
/// Queries that decide whether tensor cores are trusted with a bank.
const TRIAL: usize = 64;
/// Both ways sum squares in single precision, in different orders: 1e-4 covers 1,536 of them.
const TRIAL_BOUND: f32 = 1e-4;

/// How a bank is searched; the answers are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KnnAlgorithm {
    /// By tensor cores where they are worth it and a trial agrees with the plain way.
    #[default]
    Auto,
    /// All distances in single precision.
    Exact,
    /// By tensor cores.
    TensorCore,
}

/// A memory bank on the GPU that can be searched.
pub struct KnnIndex {
    rows: Buffer<f32>,
    count: usize,
    dim: usize,
    tensor_core: Option<TensorCoreIndex>,
}

/// What a search finds, on the GPU; reused between searches.
pub struct Neighbors {
    keys: Buffer<u64>,
    lists: Buffer<u64>,
    tensor_core: Option<TensorCoreScratch>,
}

impl Neighbors {
    /// The packed keys: distance in the upper half, row in the lower.
    pub(crate) fn keys(&self) -> &Buffer<u64> {
        &self.keys
    }

    /// Room for `k` rows of `queries` queries in `bank`; for one row each, of fewer queries too.
    ///
    /// # Errors
    /// No memory, or the device is lost.
    pub fn new(device: &Device, queries: usize, k: usize, bank: &KnnIndex) -> Result<Neighbors, CudaError> {
        let lists = if k > 1 { bank.shares(queries).0 * queries * k } else { 0 };
        let tensor_core =
            bank.tensor_core.as_ref().filter(|_| k == 1).map(|m| m.scratch(device, queries)).transpose()?;
        Ok(Neighbors { keys: device.zeros(queries * k)?, lists: device.zeros(lists)?, tensor_core })
    }

    /// Copies them back: row and distance of `k` rows for each query, ascending.
    ///
    /// # Errors
    /// A kernel failed, or the device is lost.
    pub fn download(&self, device: &Device) -> Result<Vec<Nearest>, CudaError> {
        let keys = device.download(&self.keys)?;
        Ok(keys.into_iter().map(unpack).collect())
    }
}

/// As the reference says it: NaN for a query with a NaN, infinity where there is no row.
pub(crate) fn unpack(key: u64) -> Nearest {
    match key {
        u64::MAX => Nearest { index: 0, distance: f32::INFINITY },
        key => {
            let squared = f32::from_bits((key >> 32) as u32);
            Nearest { index: key as u32, distance: squared.sqrt() }
        }
    }
}

impl KnnIndex {
    /// Copies a bank of rows of `dim` values to the GPU.
    ///
    /// # Errors
    /// The values are no whole rows, no memory, or the device is lost.
    pub fn new(device: &Device, rows: &[f32], dim: usize) -> Result<KnnIndex, CudaError> {
        KnnIndex::with_algorithm(device, rows, dim, KnnAlgorithm::Auto)
    }

    /// The same, searched in this way.
    ///
    /// # Errors
    /// As [`KnnIndex::new`]; [`KnnAlgorithm::TensorCore`] on a GPU without tensor cores.
    pub fn with_algorithm(device: &Device, rows: &[f32], dim: usize, by: KnnAlgorithm) -> Result<KnnIndex, CudaError> {
        if dim == 0 || !rows.len().is_multiple_of(dim) || rows.is_empty() {
            return Err(CudaError::Shape(format!("{} values are no rows of {dim}", rows.len())));
        }
        let count = rows.len() / dim;
        let mut bank = KnnIndex { rows: device.upload(rows)?, count, dim, tensor_core: None };
        let worth = device.tensor_core_kernels.is_some() && count >= TENSOR_CORE_ROWS && dim >= TENSOR_CORE_DIM;
        if by == KnnAlgorithm::TensorCore || (by == KnnAlgorithm::Auto && worth) {
            bank.tensor_core = Some(TensorCoreIndex::new(device, rows, &bank.rows, dim)?);
        }
        if by == KnnAlgorithm::Auto && bank.tensor_core.is_some() && !bank.agrees(device, rows)? {
            tracing::error!("tensor cores find other rows than the plain search on this card, which is used instead");
            bank.tensor_core = None;
        }
        Ok(bank)
    }

    /// Whether both ways find the same distances for points between rows.
    fn agrees(&mut self, device: &Device, rows: &[f32]) -> Result<bool, CudaError> {
        let step = (self.count / TRIAL).max(1);
        let row = |n: usize| &rows[n % self.count * self.dim..][..self.dim];
        let between = |n: usize| row(n * step).iter().zip(row(n * step + 1)).map(|(a, b)| a + 0.37 * (b - a));
        let queries: Vec<f32> = (0..TRIAL).flat_map(between).collect();
        let queries = device.upload(&queries)?;
        let mut neighbors = Neighbors::new(device, TRIAL, 1, self)?;
        self.search(device, &queries, TRIAL, 1, &mut neighbors)?;
        let ours = neighbors.download(device)?;
        let tensor_core = self.tensor_core.take();
        self.search(device, &queries, TRIAL, 1, &mut neighbors)?;
        self.tensor_core = tensor_core;
        let plain = neighbors.download(device)?;
        let same = |(a, b): (&Nearest, &Nearest)| (a.distance - b.distance).abs() <= TRIAL_BOUND * b.distance.max(1e-3);
        Ok(ours.iter().zip(&plain).all(same))
    }

    /// Into how many shares the bank is cut, and the rows of each: enough blocks for a large GPU even when queries are few.
    fn shares(&self, queries: usize) -> (usize, usize) {
        let wanted = 512usize.div_ceil(queries.div_ceil(64).max(1));
        let share = self.count.div_ceil(wanted).next_multiple_of(64);
        (self.count.div_ceil(share), share)
    }

    /// The `k` (1 to 9) nearest rows of `count` queries, exactly: equal distances go to the lower row.
    ///
    /// # Errors
    /// Buffers too small, or a launch that fails.
    pub fn search(
        &self,
        device: &Device,
        queries: &Buffer<f32>,
        count: usize,
        k: usize,
        neighbors: &mut Neighbors,
    ) -> Result<(), CudaError> {
        let shape = (self.count, self.dim, self.shares(count).1);
        if let (1, Some(tensor_core), Some(scratch)) = (k, &self.tensor_core, &mut neighbors.tensor_core) {
            let rows = (&self.rows, self.count, self.dim);
            return tensor_core.search(device, (queries, count), rows, scratch, &mut neighbors.keys);
        }
        if k == 1 {
            // No row at all, of which every row is a nearer one.
            let wanted = count.min(neighbors.keys.len());
            device.fill(&mut neighbors.keys, wanted, 0xff)?;
            return nearest(device, queries, count, &self.rows, shape, &mut neighbors.keys);
        }
        nearest_k(device, queries, count, &self.rows, shape, k, &mut neighbors.lists, &mut neighbors.keys)
    }
}
