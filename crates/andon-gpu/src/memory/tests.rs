//! Pinned memory beside a driver: the emulated one, or a GPU's.

use super::Pinned;
use crate::driver::Device;
use crate::error::CudaError;

fn device() -> Option<Device> {
    match Device::open(0) {
        Ok(device) => Some(device),
        Err(CudaError::NoDriver) => {
            eprintln!("skipped: no NVIDIA driver and no emulated one");
            None
        }
        Err(e) => panic!("{e}"),
    }
}

#[test]
fn pinned_memory_is_shut_until_its_copies_were_waited_for() {
    let Some(device) = device() else { return };
    let mut from = Pinned::new(&device, 4, false).unwrap();
    let mut to = Pinned::<f32>::new(&device, 4, false).unwrap();
    let mut buffer = device.zeros(4).unwrap();
    from.as_mut_slice().unwrap().copy_from_slice(&[1.0, 2.0, 3.0, 4.0f32]);
    device.enqueue_upload(&mut from, 4, &mut buffer).unwrap();
    assert!(matches!(from.as_mut_slice(), Err(CudaError::InFlight)));
    device.enqueue_download(&buffer, 3, &mut to).unwrap();
    assert!(matches!(to.as_slice(), Err(CudaError::InFlight)));
    device.wait().unwrap();
    assert_eq!(to.as_slice().unwrap(), [1.0, 2.0, 3.0, 0.0]);
    // Sizes are checked before anything is lent.
    assert!(matches!(device.enqueue_download(&buffer, 5, &mut to), Err(CudaError::Shape(_))));
    assert!(to.as_slice().is_ok());
}

#[test]
fn a_launched_graph_shuts_pinned_memory_as_well() {
    let Some(device) = device() else { return };
    let mut to = Pinned::<f32>::new(&device, 2, false).unwrap();
    let buffer = device.upload(&[5.0f32, 6.0]).unwrap();
    let mut graph = device.capture(|| device.enqueue_download(&buffer, 2, &mut to)).unwrap();
    device.wait().unwrap();
    assert_eq!(to.as_slice().unwrap(), [0.0, 0.0], "captured, not run");
    // SAFETY: buffer and pinned memory live until after the wait, and no slice is held.
    unsafe { graph.launch(&device) }.unwrap();
    assert!(matches!(to.as_slice(), Err(CudaError::InFlight)));
    device.settle().unwrap();
    assert_eq!(to.as_slice().unwrap(), [5.0, 6.0]);
}

#[test]
fn pinned_memory_belongs_to_one_stream() {
    let (Some(device), Some(other)) = (device(), device()) else { return };
    let mut pinned = Pinned::<u8>::new(&device, 8, false).unwrap();
    let mut buffer = other.zeros(8).unwrap();
    let refused = other.enqueue_upload(&mut pinned, 8, &mut buffer).unwrap_err();
    assert!(refused.to_string().contains("another stream"), "{refused}");
    assert!(pinned.as_slice().is_ok());
}
