//! With the feature `tensorrt`, compiles the TensorRT shim for every generation of TensorRT whose headers there are; no library is
//! linked, no CUDA is needed.

fn main() -> std::io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    #[cfg(feature = "tensorrt")]
    tensorrt::compile()?;
    Ok(())
}

#[cfg(feature = "tensorrt")]
mod tensorrt {
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};

    /// The workspace.
    const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    /// What TensorRT's headers take from CUDA's: two handles. CUDA itself need not be installed.
    const CUDA: &str =
        "#pragma once\ntypedef struct CUstream_st *cudaStream_t;\ntypedef struct CUevent_st *cudaEvent_t;\n";

    /// Folders that may hold `NvInfer.h`: named, fetched, installed.
    fn folders() -> Vec<PathBuf> {
        println!("cargo:rerun-if-env-changed=ANDON_TENSORRT_INCLUDE");
        let mut found: Vec<PathBuf> = std::env::var_os("ANDON_TENSORRT_INCLUDE")
            .map(|list| std::env::split_paths(&list).collect())
            .unwrap_or_default();
        let arch = std::env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
        found.push(format!("/usr/include/{arch}-linux-gnu").into());
        found.extend(["/usr/include", "/usr/local/tensorrt/include", "/usr/local/cuda/include"].map(PathBuf::from));
        let fetched = Path::new(ROOT).join("target/tensorrt/headers");
        println!("cargo:rerun-if-changed={}", fetched.display());
        found.extend(["10", "11", "rtx"].map(|tag| fetched.join(tag)));
        found
    }

    /// Generation and major version of the headers in a folder: `v10` and 10, or `rtx` and 1.
    fn generation(folder: &Path) -> Option<(String, u32)> {
        let text = std::fs::read_to_string(folder.join("NvInferVersion.h")).ok()?;
        folder.join("NvOnnxParser.h").exists().then_some(())?;
        let of = |name: &str| -> Option<u32> {
            let line = text.lines().find(|l| l.starts_with(&format!("#define {name} ")))?;
            line.split_whitespace().nth(2)?.parse().ok()
        };
        if let Some(major) = of("TRT_MAJOR_RTX") {
            return Some(("rtx".to_owned(), major));
        }
        let major = of("TRT_MAJOR_ENTERPRISE").or(of("NV_TENSORRT_MAJOR"))?;
        matches!(major, 8 | 10 | 11).then(|| (format!("v{major}"), major))
    }

    pub fn compile() -> std::io::Result<()> {
        println!("cargo:rerun-if-changed={ROOT}/kernels/tensorrt");
        let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
        std::fs::create_dir_all(out.join("cuda"))?;
        std::fs::write(out.join("cuda/cuda_runtime_api.h"), CUDA)?;
        let mut headers: BTreeMap<String, (u32, PathBuf)> = BTreeMap::new();
        for folder in folders() {
            if let Some((tag, major)) = generation(&folder) {
                headers.entry(tag).or_insert((major, folder));
            }
        }
        for tag in ["v8", "v10", "v11", "rtx"] {
            println!("cargo:rustc-check-cfg=cfg(trt_{tag})");
        }
        if headers.is_empty() {
            println!(
                "cargo:warning=no TensorRT headers: this build can open no TensorRT. Install libnvinfer-headers-dev (it comes with \
                 JetPack), name a folder with ANDON_TENSORRT_INCLUDE, or run `make headers`"
            );
        }
        for (tag, (major, folder)) in headers {
            let mut cc = cc::Build::new();
            cc.cpp(true).std("c++17").file(format!("{ROOT}/kernels/tensorrt/shim.cpp")).warnings(true);
            // NVIDIA's headers are not ours to keep free of warnings.
            cc.flag("-Wno-deprecated-declarations")
                .flag("-isystem")
                .flag(&folder)
                .flag("-isystem")
                .flag(out.join("cuda"));
            cc.define("nvinfer1", &*format!("nvinfer1_{tag}")).define("nvonnxparser", &*format!("nvonnxparser_{tag}"));
            cc.define("ANDON_TRT", &*format!("andon_trt_{tag}")).define("ANDON_MAJOR", &*major.to_string());
            if tag == "rtx" {
                cc.define("ANDON_RTX", None);
            }
            cc.compile(&format!("andon_trt_{tag}"));
            println!("cargo:rustc-cfg=trt_{tag}");
        }
        Ok(())
    }
}
