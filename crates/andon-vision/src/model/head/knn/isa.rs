//! Which instructions the inner loop uses, chosen once from what the processor says of itself.

/// An instruction set with the number format that candidates are found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Isa {
    /// 8-bit products on AVX-512 VNNI.
    #[cfg(target_arch = "x86_64")]
    Vnni,
    /// f32 on AVX-512.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// 16-bit products on AVX2.
    #[cfg(target_arch = "x86_64")]
    Avx2Int,
    /// f32 on AVX2.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// f32 on NEON.
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// f32 without asking for any vector instruction.
    Plain,
}

/// How the bank and the queries are written down for the search of candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "whole numbers have kernels on x86 only"))]
pub(super) enum Format {
    F32,
    /// Four signed 8-bit values a step; queries with 128 added.
    I8,
    /// Two signed 16-bit values a step.
    I16,
}

impl Isa {
    /// All that this machine can run, fastest first.
    pub fn available() -> Vec<Isa> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let avx512 = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("fma");
            if avx512 && is_x86_feature_detected!("avx512vnni") {
                all.push(Isa::Vnni);
            }
            if avx512 {
                all.push(Isa::Avx512);
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                all.extend([Isa::Avx2Int, Isa::Avx2]);
            }
        }
        #[cfg(target_arch = "aarch64")]
        all.push(Isa::Neon);
        all.push(Isa::Plain);
        all
    }

    /// The fastest, or the fastest that finds its candidates in f32.
    pub fn best(reduced: bool) -> Isa {
        Self::available().into_iter().find(|isa| reduced || isa.format() == Format::F32).unwrap_or(Isa::Plain)
    }

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Vnni => "AVX-512 VNNI, 8-bit candidates",
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => "AVX-512, f32",
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2Int => "AVX2, 16-bit candidates",
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => "AVX2, f32",
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => "NEON, f32",
            Isa::Plain => "plain, f32",
        }
    }

    pub fn format(self) -> Format {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Vnni => Format::I8,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2Int => Format::I16,
            _ => Format::F32,
        }
    }

    /// Queries in a block.
    pub fn block(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Vnni | Isa::Avx512 => 8,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2Int | Isa::Avx2 => 6,
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => 6,
            Isa::Plain => 4,
        }
    }

    /// Rows in a panel.
    pub fn panel(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Vnni | Isa::Avx512 => 32,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2Int | Isa::Avx2 => 16,
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => 16,
            Isa::Plain => 8,
        }
    }
}
