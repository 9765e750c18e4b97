//! The kernels beside their references, through the real driver's interface: on a card where there is one, on the CPU where
//! `make test` has put the emulated driver on the library path.

use andon_gpu::{CudaError, Device, DeviceBank, Grid, Near, Placement, self_test};
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
    let bank = DeviceBank::new(&device, &[0.0; 40], 4).unwrap();
    let queries = device.upload(&[0.0f32; 8]).unwrap();
    let mut near = Near::new(&device, 2, 1, &bank).unwrap();
    assert!(
        told(bank.search(&device, &queries, 3, 1, &mut near)).contains("the queries holds 8 values, 12 are needed")
    );
    assert!(told(bank.search(&device, &queries, 2, 10, &mut near)).contains("k is 1 to 9"));
    assert!(DeviceBank::new(&device, &[0.0; 41], 4).is_err_and(|e| e.to_string().contains("no rows of 4")));
    let map = device.upload(&[0.0f32; 12]).unwrap();
    let mut out = device.zeros(24).unwrap();
    let grid = Grid { images: 1, height: 3, width: 4 };
    let whole = Placement::whole(&device, 12).unwrap();
    assert!(Placement::new(&device, &[0, 2], 1, 2).is_err_and(|e| e.to_string().contains("row that is not there")));
    assert!(told(device.aggregate(&map, (1, 3, 4), 2, 1.0, grid, &whole, 1, 0, &mut out)).contains("odd"));
    assert!(
        told(device.aggregate(&map, (1, 3, 4), 3, 1.0, grid, &whole, 1, 1, &mut out)).contains("do not fit the patch")
    );
    assert!(told(device.aggregate(&map, (2, 3, 4), 3, 1.0, grid, &whole, 2, 0, &mut out)).contains("24 are needed"));
    assert!(told(device.upload_into(&[0.0f32; 30], &mut out)).contains("do not fit"));
    // And nothing of it stays behind.
    device.wait().unwrap();
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
    assert!(checks.len() >= 9 && checks.iter().all(|c| c["worst"].as_f64() <= c["bound"].as_f64()), "{report}");
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
