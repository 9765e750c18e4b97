//! Every op beside its CPU reference, over random shapes: `andon doctor --gpu` on a GPU, the tests on the emulated driver. The comparisons
//! themselves stand in `ops/<op>/self_test.rs`.

use serde::Serialize;

use crate::driver::Device;
use crate::error::CudaError;
use crate::ops::aggregate::self_test as aggregate;
use crate::ops::compare::Random;
use crate::ops::knn::self_test as knn;
use crate::ops::mahalanobis::self_test as mahalanobis;
use crate::ops::preprocess::self_test as preprocess;
use crate::ops::score::self_test as score;

type Case = fn(&Device, &mut Random) -> Result<f64, CudaError>;

/// The comparison of one kernel.
#[derive(Clone, Debug, Serialize)]
pub struct KernelCheck {
    /// The kernel.
    pub kernel: &'static str,
    /// Its reference.
    pub reference: &'static str,
    /// Random cases.
    pub cases: usize,
    /// The largest deviation found.
    pub worst: f64,
    /// What is allowed, and in which measure.
    pub bound: f64,
    /// The measure.
    pub measure: &'static str,
}

impl KernelCheck {
    /// Whether every case was within its bound.
    pub fn holds(&self) -> bool {
        self.worst <= self.bound
    }
}

/// Runs every kernel against its reference, `cases` random shapes each; the same seed gives the same shapes.
///
/// # Errors
/// A launch fails. A kernel that computes something else is no error but a [`KernelCheck`] that does not hold.
pub fn self_test(device: &Device, cases: usize, seed: u64) -> Result<Vec<KernelCheck>, CudaError> {
    const ALL: [(&str, &str, f64, &str, Case); 8] = [
        ("prepare", "preprocess::Preprocessor", 0.0, "values of other bits", preprocess::compare),
        ("aggregate", "model::head::aggregate", 0.0, "values of other bits", aggregate::compare),
        // A sum of n squares in f32 is off by n half units of the last place at most: 1,536 x 6e-8.
        (
            "nearest",
            "all distances in f64",
            1e-4,
            "relative error of the distance found, and of the nearest",
            knn::compare_exact,
        ),
        (
            "nearest_matrix",
            "all distances in f64",
            1e-4,
            "relative error of the distance found, and of the nearest",
            knn::compare_tensor_core,
        ),
        ("nearest_k", "all distances in f64", 1e-4, "relative error of each of the k distances", knn::compare_k),
        ("score", "model::head::score::Scorer", 0.0, "values of other bits", score::compare),
        ("gauss_diagonal", "Mahalanobis distance in f64", 1e-4, "relative error", mahalanobis::compare_diagonal),
        ("gauss_full", "Mahalanobis distance in f64", 1e-4, "relative error", mahalanobis::compare_full),
    ];
    let mut found = Vec::new();
    for (n, (kernel, reference, bound, measure, case)) in ALL.into_iter().enumerate() {
        let mut random = Random(seed ^ (n as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut worst = 0.0f64;
        for _ in 0..cases {
            let off = case(device, &mut random)?;
            worst = if off.is_nan() { f64::INFINITY } else { worst.max(off) };
        }
        found.push(KernelCheck { kernel, reference, cases, worst, bound, measure });
    }
    Ok(found)
}
