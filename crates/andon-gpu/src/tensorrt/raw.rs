//! The shim's C interface (`kernels/tensorrt/shim.h`), member by member.

use std::ffi::{c_char, c_void};
use std::mem::offset_of;

pub(super) type Log = extern "C" fn(*mut c_void, i32, *const c_char);
pub(super) type Progress = extern "C" fn(*mut c_void, *const c_char, i32, i32) -> bool;

#[repr(C)]
pub(super) struct Request {
    pub onnx: *const c_void,
    pub onnx_bytes: usize,
    pub strongly_typed: bool,
    pub half: bool,
    pub quantize_int8: bool,
    pub workspace_bytes: usize,
    pub input: *const c_char,
    pub rank: i32,
    pub least: *const i64,
    pub usual: *const i64,
    pub most: *const i64,
    pub timings: *const c_void,
    pub timings_bytes: usize,
    pub progress: Option<Progress>,
    pub user: *mut c_void,
}

#[repr(C)]
pub(super) struct Built {
    pub engine: *mut c_void,
    pub engine_bytes: usize,
    pub timings: *mut c_void,
    pub timings_bytes: usize,
}

#[repr(C)]
pub(super) struct Tensor {
    pub name: *const c_char,
    pub input: bool,
    pub kind: i32,
    pub rank: i32,
    pub shape: [i64; 8],
}

/// Functions that fail return null or false and write why.
#[repr(C)]
pub(super) struct Api {
    pub open: unsafe extern "C" fn(*const c_char, *const c_char, Log, *mut c_void, *mut c_char, usize) -> *mut c_void,
    pub close: unsafe extern "C" fn(*mut c_void),
    pub version: unsafe extern "C" fn(*mut c_void) -> i32,
    pub can_build: unsafe extern "C" fn(*mut c_void) -> bool,
    pub build: unsafe extern "C" fn(*mut c_void, *const Request, *mut Built, *mut c_char, usize) -> bool,
    pub release: unsafe extern "C" fn(*mut Built),
    pub load: unsafe extern "C" fn(*mut c_void, *const c_void, usize, *mut c_char, usize) -> *mut c_void,
    pub unload: unsafe extern "C" fn(*mut c_void),
    pub tensors: unsafe extern "C" fn(*mut c_void) -> i32,
    pub tensor: unsafe extern "C" fn(*mut c_void, i32, *mut Tensor) -> bool,
    pub context: unsafe extern "C" fn(*mut c_void, *mut c_char, usize) -> *mut c_void,
    pub end_context: unsafe extern "C" fn(*mut c_void),
    pub set_shape: unsafe extern "C" fn(*mut c_void, *const c_char, i32, *const i64) -> bool,
    pub shape: unsafe extern "C" fn(*mut c_void, *const c_char, *mut Tensor) -> bool,
    pub set_address: unsafe extern "C" fn(*mut c_void, *const c_char, u64) -> bool,
    pub enqueue: unsafe extern "C" fn(*mut c_void, *mut c_void) -> bool,
}

// The same numbers stand in `shim.h`, for the C++ side.
#[rustfmt::skip]
const _: () = {
    assert!(size_of::<Request>() == 104 && align_of::<Request>() == 8);
    assert!(offset_of!(Request, onnx) == 0);
    assert!(offset_of!(Request, onnx_bytes) == 8);
    assert!(offset_of!(Request, strongly_typed) == 16);
    assert!(offset_of!(Request, half) == 17);
    assert!(offset_of!(Request, quantize_int8) == 18);
    assert!(offset_of!(Request, workspace_bytes) == 24);
    assert!(offset_of!(Request, input) == 32);
    assert!(offset_of!(Request, rank) == 40);
    assert!(offset_of!(Request, least) == 48);
    assert!(offset_of!(Request, usual) == 56);
    assert!(offset_of!(Request, most) == 64);
    assert!(offset_of!(Request, timings) == 72);
    assert!(offset_of!(Request, timings_bytes) == 80);
    assert!(offset_of!(Request, progress) == 88);
    assert!(offset_of!(Request, user) == 96);
    assert!(size_of::<Built>() == 32 && align_of::<Built>() == 8);
    assert!(offset_of!(Built, engine) == 0);
    assert!(offset_of!(Built, engine_bytes) == 8);
    assert!(offset_of!(Built, timings) == 16);
    assert!(offset_of!(Built, timings_bytes) == 24);
    assert!(size_of::<Tensor>() == 88 && align_of::<Tensor>() == 8);
    assert!(offset_of!(Tensor, name) == 0);
    assert!(offset_of!(Tensor, input) == 8);
    assert!(offset_of!(Tensor, kind) == 12);
    assert!(offset_of!(Tensor, rank) == 16);
    assert!(offset_of!(Tensor, shape) == 24);
    assert!(size_of::<Api>() == 128 && align_of::<Api>() == 8);
    assert!(offset_of!(Api, open) == 0);
    assert!(offset_of!(Api, close) == 8);
    assert!(offset_of!(Api, version) == 16);
    assert!(offset_of!(Api, can_build) == 24);
    assert!(offset_of!(Api, build) == 32);
    assert!(offset_of!(Api, release) == 40);
    assert!(offset_of!(Api, load) == 48);
    assert!(offset_of!(Api, unload) == 56);
    assert!(offset_of!(Api, tensors) == 64);
    assert!(offset_of!(Api, tensor) == 72);
    assert!(offset_of!(Api, context) == 80);
    assert!(offset_of!(Api, end_context) == 88);
    assert!(offset_of!(Api, set_shape) == 96);
    assert!(offset_of!(Api, shape) == 104);
    assert!(offset_of!(Api, set_address) == 112);
    assert!(offset_of!(Api, enqueue) == 120);
};

unsafe extern "C" {
    #[cfg(trt_v8)]
    static andon_trt_v8: Api;
    #[cfg(trt_v10)]
    static andon_trt_v10: Api;
    #[cfg(trt_v11)]
    static andon_trt_v11: Api;
    #[cfg(trt_rtx)]
    static andon_trt_rtx: Api;
}

/// The shim of a generation; `None` where its headers were not there when this was built.
pub(super) fn api(generation: super::Generation) -> Option<&'static Api> {
    // SAFETY: constant tables that the shim defines, of the type that it gives them.
    #[allow(unused_unsafe, reason = "without any headers no table is left to name")]
    unsafe {
        match generation {
            #[cfg(trt_v8)]
            super::Generation::V8 => Some(&andon_trt_v8),
            #[cfg(trt_v10)]
            super::Generation::V10 => Some(&andon_trt_v10),
            #[cfg(trt_v11)]
            super::Generation::V11 => Some(&andon_trt_v11),
            #[cfg(trt_rtx)]
            super::Generation::Rtx => Some(&andon_trt_rtx),
            #[allow(unreachable_patterns, reason = "where all headers are there, nothing is left")]
            _ => None,
        }
    }
}
