use super::{Buffer, CudaError, Device};
use crate::model::head::nearest::Nearest;

/// A memory bank on the card.
pub struct DeviceBank {
    rows: Buffer<f32>,
    count: usize,
    dim: usize,
}

/// Nearest rows on the card, as the other kernels take them; reused between searches.
pub struct Near {
    pub(super) keys: Buffer<u64>,
    lists: Buffer<u64>,
    fresh: Vec<u64>,
}

impl Near {
    /// Room for `k` rows of `queries` queries in `bank`.
    ///
    /// # Errors
    /// No memory, or the card is lost.
    pub fn new(device: &Device, queries: usize, k: usize, bank: &DeviceBank) -> Result<Near, CudaError> {
        let lists = if k > 1 { bank.shares(queries).0 * queries * k } else { 0 };
        let fresh = vec![u64::MAX; queries * k];
        Ok(Near { keys: device.upload(&fresh)?, lists: device.zeros(lists)?, fresh })
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
fn unpack(key: u64) -> Nearest {
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
        if dim == 0 || !rows.len().is_multiple_of(dim) || rows.is_empty() {
            return Err(CudaError::Shape(format!("{} values are no rows of {dim}", rows.len())));
        }
        Ok(DeviceBank { rows: device.upload(rows)?, count: rows.len() / dim, dim })
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
        if k == 1 {
            device.upload_into(&near.fresh, &mut near.keys)?;
            return device.nearest(queries, count, &self.rows, shape, &mut near.keys);
        }
        device.nearest_k(queries, count, &self.rows, shape, k, &mut near.lists, &mut near.keys)
    }
}
