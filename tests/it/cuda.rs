//! The kernels beside their references, through the real driver's interface: on a card where there is one, on the CPU where
//! `make test` has put the emulated driver on the library path.

use andon_gpu::{CudaError, Device, Gaussian, Grid, KnnIndex, Neighbors, PatchLayout, aggregate, self_test};
use serde_json::Value;

use crate::common;

pub(crate) fn device() -> Option<Device> {
    match Device::open(0) {
        Ok(device) => Some(device),
        Err(CudaError::NoDriver) => {
            assert!(std::env::var_os("ANDON_REQUIRE_PEERS").is_none(), "no libcuda.so: run `make test`");
            eprintln!("skipped: no NVIDIA driver and no emulated one");
            None
        }
        Err(e) => panic!("{e}"),
    }
}

#[test]
fn every_kernel_agrees_with_its_reference() {
    let Some(device) = device() else { return };
    for check in self_test(&device, 30, 7).unwrap() {
        assert!(check.holds(), "{check:?}");
    }
    // The emulated driver's second card shares its memory with the processor, as a Jetson's does.
    if let Ok(shared) = Device::open(1) {
        for check in self_test(&shared, 4, 8).unwrap() {
            assert!(check.holds(), "{check:?}");
        }
    }
}

#[test]
fn wrong_sizes_are_refused_before_anything_is_launched() {
    let Some(device) = device() else { return };
    let told = |e: Result<(), CudaError>| match e {
        Err(CudaError::Shape(why)) => why,
        other => panic!("{other:?}"),
    };
    let bank = KnnIndex::new(&device, &[0.0; 40], 4).unwrap();
    let queries = device.upload(&[0.0f32; 8]).unwrap();
    let mut neighbors = Neighbors::new(&device, 2, 1, &bank).unwrap();
    assert!(
        told(bank.search(&device, &queries, 3, 1, &mut neighbors))
            .contains("the queries holds 8 values, 12 are needed")
    );
    assert!(told(bank.search(&device, &queries, 2, 10, &mut neighbors)).contains("k is 1 to 9"));
    assert!(KnnIndex::new(&device, &[0.0; 41], 4).is_err_and(|e| e.to_string().contains("no rows of 4")));
    let map = device.upload(&[0.0f32; 12]).unwrap();
    let mut out = device.zeros(24).unwrap();
    let grid = Grid { images: 1, height: 3, width: 4 };
    let whole = PatchLayout::whole(&device, 12).unwrap();
    assert!(PatchLayout::new(&device, &[0, 2], 1, 2).is_err_and(|e| e.to_string().contains("row that is not there")));
    assert!(told(aggregate(&device, &map, (1, 3, 4), 2, 1.0, grid, &whole, 1, 0, &mut out)).contains("odd"));
    assert!(
        told(aggregate(&device, &map, (1, 3, 4), 3, 1.0, grid, &whole, 1, 1, &mut out))
            .contains("do not fit the patch")
    );
    assert!(told(aggregate(&device, &map, (2, 3, 4), 3, 1.0, grid, &whole, 2, 0, &mut out)).contains("24 are needed"));
    assert!(told(device.upload_into(&[0.0f32; 30], &mut out)).contains("do not fit"));
    // And nothing of it stays behind.
    device.wait().unwrap();
}

/// sqrt(c^T P c) with c = x - m, in f64.
fn mahalanobis(x: &[f32], mean: &[f32], precision: impl Fn(usize, usize) -> f32) -> f64 {
    let c: Vec<f64> = x.iter().zip(mean).map(|(x, m)| f64::from(*x) - f64::from(*m)).collect();
    let of = |row: usize| (0..c.len()).map(|k| c[row] * f64::from(precision(row, k)) * c[k]).sum::<f64>();
    (0..c.len()).map(of).sum::<f64>().sqrt()
}

#[test]
fn distances_to_gaussians_are_those_of_the_formula() {
    let Some(device) = device() else { return };
    let (frames, cells, dim) = (2, 5, 3);
    let features: Vec<f32> = (0..frames * cells * dim).map(|n| (n * 37 % 101) as f32 / 50.0 - 1.0).collect();
    let means: Vec<f32> = (0..cells * dim).map(|n| (n * 53 % 17) as f32 / 16.0).collect();
    let variances: Vec<f32> = (0..cells * dim).map(|n| 0.25 + (n % 7) as f32).collect();
    let square = |cell: usize| [2.0 + cell as f32, 1.0, 0.5, 1.0, 3.0, -0.5, 0.5, -0.5, 4.0];
    let precisions: Vec<f32> = (0..cells).flat_map(square).collect();
    let mut distances = device.zeros(frames * cells).unwrap();
    let on_gpu = device.upload(&features).unwrap();
    let diagonal = Gaussian::diagonal(&device, &means, &variances, dim).unwrap();
    let full = Gaussian::full(&device, &means, &precisions, dim).unwrap();
    assert_eq!((diagonal.cells(), full.cells(), full.dim()), (cells, cells, dim));
    for gaussian in [&diagonal, &full] {
        gaussian.launch(&device, &on_gpu, frames, &mut distances).unwrap();
        for (patch, ours) in device.download(&distances).unwrap().into_iter().enumerate() {
            let cell = patch % cells;
            let (x, m) = (&features[patch * dim..][..dim], &means[cell * dim..][..dim]);
            let expected = match std::ptr::eq(gaussian, &full) {
                true => mahalanobis(x, m, |r, k| precisions[cell * dim * dim + r * dim + k]),
                false => mahalanobis(x, m, |r, k| if r == k { variances[cell * dim + r] } else { 0.0 }),
            };
            assert!((f64::from(ours) - expected).abs() < 1e-5 * expected.max(1.0), "patch {patch}: {ours} {expected}");
        }
    }
    // The same by whitening: the length of W c.
    let triangle = |cell: usize| [1.5 + cell as f32, 0.5, 2.0, -1.0, 0.25, 0.75];
    let triangles: Vec<f32> = (0..cells).flat_map(triangle).collect();
    let whitening = Gaussian::whitening(&device, &means, &triangles, dim).unwrap();
    whitening.launch(&device, &on_gpu, frames, &mut distances).unwrap();
    for (patch, ours) in device.download(&distances).unwrap().into_iter().enumerate() {
        let (x, m) = (&features[patch * dim..][..dim], &means[patch % cells * dim..][..dim]);
        let c: Vec<f64> = x.iter().zip(m).map(|(x, m)| f64::from(*x) - f64::from(*m)).collect();
        let w = triangle(patch % cells).map(f64::from);
        let rows = [w[0] * c[0], w[1] * c[0] + w[2] * c[1], w[3] * c[0] + w[4] * c[1] + w[5] * c[2]];
        let expected = rows.iter().map(|y| y * y).sum::<f64>().sqrt();
        assert!((f64::from(ours) - expected).abs() < 1e-5 * expected.max(1.0), "patch {patch}: {ours} {expected}");
    }
    let refused = |made: Result<Gaussian, CudaError>| made.err().unwrap().to_string();
    assert!(refused(Gaussian::diagonal(&device, &means, &variances, 4)).contains("whole cells"));
    assert!(refused(Gaussian::diagonal(&device, &means, &variances[1..], dim)).contains("as many inverse variances"));
    assert!(refused(Gaussian::full(&device, &means, &variances, dim)).contains("a square of inverse covariances"));
    assert!(refused(Gaussian::full(&device, &[0.0; 1025], &[0.0], 1025)).contains("more than 1,024"));
    let short = diagonal.launch(&device, &on_gpu, frames + 1, &mut distances).unwrap_err().to_string();
    assert!(short.contains("the features holds 30 values, 45 are needed"), "{short}");
}

fn doctor(environment: &[(&str, &str)]) -> common::Said {
    let mut command = common::andon(&["doctor", "--gpu", "--quick", "--json"]);
    common::run(command.envs(environment.iter().copied()))
}

#[test]
fn the_doctor_checks_the_card_and_says_what_is_missing() {
    if device().is_none() {
        return;
    }
    let s = doctor(&[]);
    let report: Value = serde_json::from_str(&s.out).unwrap();
    assert_eq!(s.code, 0, "{} {}", s.out, s.err);
    let checks = report["checks"].as_array().unwrap();
    assert!(checks.len() == 8 && checks.iter().all(|c| c["worst"].as_f64() <= c["bound"].as_f64()), "{report}");
    let emulated = report["card"].as_str().unwrap().contains("emulation");
    let s = doctor(&[("LD_LIBRARY_PATH", "/nonexistent")]);
    assert!(!emulated || (s.code == 1 && s.err.contains("no NVIDIA driver")), "{} {}", s.out, s.err);
    if emulated {
        assert_eq!(report["kernels"], "before");
        // Threads in another order, on a driver that has to compile the kernels itself; and no memory.
        let s = doctor(&[("ANDON_EMULATED_BACKWARDS", "1"), ("ANDON_EMULATED_OLD", "1")]);
        assert!(s.code == 0 && s.out.contains("\"kernels\":\"by_the_driver\""), "{} {}", s.out, s.err);
        let s = doctor(&[("ANDON_EMULATED_BYTES", "1000")]);
        assert!(s.code == 1 && s.err.contains("out of memory"), "{} {}", s.out, s.err);
        // The emulated NVML's card is too hot.
        let s = common::run(&mut common::andon(&["doctor"]));
        assert!(s.out.contains("CPU emulation 93 °C 900 of 1980 MHz, held back: too hot, power limit"), "{}", s.out);
        // A card that is lost half-way.
        let s = doctor(&[("ANDON_EMULATED_LOST_AFTER", "50")]);
        assert!(s.code == 1 && s.err.contains("unspecified launch failure"), "{} {}", s.out, s.err);
    }
}
