use super::matrix::{MatrixBank, MatrixNear};
use super::{Buffer, CudaError, Device};
use andon_vision::model::head::nearest::Nearest;

/// Banks below this many rows, or with fewer values each, are searched without tensor cores: there is too little to share out.
const MATRIX_ROWS: usize = 1024;
const MATRIX_DIM: usize = 64;
/// Queries that decide whether tensor cores are trusted with a bank.
const TRIAL: usize = 64;
/// Both ways sum squares in single precision, in different orders: 1e-4 covers 1,536 of them.
const TRIAL_BOUND: f32 = 1e-4;

/// How a bank is searched; the answers are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SearchBy {
    /// By tensor cores where they are worth it and a trial agrees with the plain way.
    #[default]
    Best,
    /// All distances in single precision.
    Plain,
    /// By tensor cores.
    Matrix,
}

/// A memory bank on the card.
pub struct DeviceBank {
    rows: Buffer<f32>,
    count: usize,
    dim: usize,
    matrix: Option<MatrixBank>,
}

/// Nearest rows on the card, as the other kernels take them; reused between searches.
pub struct Near {
    pub(super) keys: Buffer<u64>,
    lists: Buffer<u64>,
    matrix: Option<MatrixNear>,
}

impl Near {
    /// Room for `k` rows of `queries` queries in `bank`; for one row each, of fewer queries too.
    ///
    /// # Errors
    /// No memory, or the card is lost.
    pub fn new(device: &Device, queries: usize, k: usize, bank: &DeviceBank) -> Result<Near, CudaError> {
        let lists = if k > 1 { bank.shares(queries).0 * queries * k } else { 0 };
        let matrix = bank.matrix.as_ref().filter(|_| k == 1).map(|m| m.room(device, queries)).transpose()?;
        Ok(Near { keys: device.zeros(queries * k)?, lists: device.zeros(lists)?, matrix })
    }

    /// Copies them back: row and distance of `k` rows for each query, ascending.
    ///
    /// # Errors
    /// A kernel failed, or the card is lost.
    pub fn download(&self, device: &Device) -> Result<Vec<Nearest>, CudaError> {
        let keys = device.download(&self.keys)?;
        Ok(keys.into_iter().map(unpack).collect())
    }
}

/// As the reference says it: NaN for a query with a NaN, infinity where there is no row.
pub(super) fn unpack(key: u64) -> Nearest {
    match key {
        u64::MAX => Nearest { index: 0, distance: f32::INFINITY },
        key => {
            let squared = f32::from_bits((key >> 32) as u32);
            Nearest { index: key as u32, distance: squared.sqrt() }
        }
    }
}

impl DeviceBank {
    /// Copies a bank of rows of `dim` values to the card.
    ///
    /// # Errors
    /// The values are no whole rows, no memory, or the card is lost.
    pub fn new(device: &Device, rows: &[f32], dim: usize) -> Result<DeviceBank, CudaError> {
        DeviceBank::searched_by(device, rows, dim, SearchBy::Best)
    }

    /// The same, searched in this way.
    ///
    /// # Errors
    /// As [`DeviceBank::new`]; [`SearchBy::Matrix`] on a card without tensor cores.
    pub fn searched_by(device: &Device, rows: &[f32], dim: usize, by: SearchBy) -> Result<DeviceBank, CudaError> {
        if dim == 0 || !rows.len().is_multiple_of(dim) || rows.is_empty() {
            return Err(CudaError::Shape(format!("{} values are no rows of {dim}", rows.len())));
        }
        let count = rows.len() / dim;
        let mut bank = DeviceBank { rows: device.upload(rows)?, count, dim, matrix: None };
        let worth = device.matrix.is_some() && count >= MATRIX_ROWS && dim >= MATRIX_DIM;
        if by == SearchBy::Matrix || (by == SearchBy::Best && worth) {
            bank.matrix = Some(MatrixBank::new(device, rows, &bank.rows, dim)?);
        }
        if by == SearchBy::Best && bank.matrix.is_some() && !bank.agrees(device, rows)? {
            tracing::error!("tensor cores find other rows than the plain search on this card, which is used instead");
            bank.matrix = None;
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
        let mut near = Near::new(device, TRIAL, 1, self)?;
        self.search(device, &queries, TRIAL, 1, &mut near)?;
        let ours = near.download(device)?;
        let matrix = self.matrix.take();
        self.search(device, &queries, TRIAL, 1, &mut near)?;
        self.matrix = matrix;
        let plain = near.download(device)?;
        let same = |(a, b): (&Nearest, &Nearest)| (a.distance - b.distance).abs() <= TRIAL_BOUND * b.distance.max(1e-3);
        Ok(ours.iter().zip(&plain).all(same))
    }

    /// Into how many shares the bank is cut, and the rows of each: enough blocks for a large card even when queries are few.
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
        near: &mut Near,
    ) -> Result<(), CudaError> {
        let shape = (self.count, self.dim, self.shares(count).1);
        if let (1, Some(matrix), Some(room)) = (k, &self.matrix, &mut near.matrix) {
            let rows = (&self.rows, self.count, self.dim);
            return matrix.search(device, (queries, count), rows, room, &mut near.keys);
        }
        if k == 1 {
            // No row at all, of which every row is a nearer one.
            let wanted = count.min(near.keys.len());
            device.fill(&mut near.keys, wanted, 0xff)?;
            return device.nearest(queries, count, &self.rows, shape, &mut near.keys);
        }
        device.nearest_k(queries, count, &self.rows, shape, k, &mut near.lists, &mut near.keys)
    }
}
