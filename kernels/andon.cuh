// What every kernel includes. Under NVRTC it stands in for the headers that are not there; with ANDON_HOST the same source runs
// on the CPU (host/cuda_host.hpp). All kernels are compiled without contraction of a*b+c: what has to be fused says fmaf, and
// everything else gives the same bits as the reference in Rust.
#pragma once

#ifdef ANDON_HOST
#include "host/cuda_host.hpp"
#else
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef int int32_t;
typedef unsigned int uint32_t;
typedef unsigned long long uint64_t;
// Makes a kernel known to the CPU's launcher; nothing to do on a device.
#define EXPORT(kernel)
#endif

// Half precision as its bits, rounded to the nearest, to even.
#ifdef ANDON_HOST
static inline uint16_t to_half(float v) {
    const _Float16 h = (_Float16)v;
    uint16_t bits;
    memcpy(&bits, &h, 2);
    return bits;
}

static inline float from_half(uint16_t bits) {
    _Float16 h;
    memcpy(&h, &bits, 2);
    return (float)h;
}
#else
static __device__ __forceinline__ uint16_t to_half(float v) {
    uint16_t bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(v));
    return bits;
}

static __device__ __forceinline__ float from_half(uint16_t bits) {
    float v;
    asm("cvt.f32.f16 %0, %1;" : "=f"(v) : "h"(bits));
    return v;
}
#endif

// A distance and the row that it belongs to in one word, so that the smaller word is the nearer row and, among equals, the lower
// one. Distances are not negative, so their bits sort like their values; NaN is above infinity.
static __device__ __forceinline__ uint64_t pack(float distance, uint32_t row) {
    return (uint64_t)(uint32_t)__float_as_int(distance) << 32 | row;
}

static __device__ __forceinline__ float distance_of(uint64_t key) { return __int_as_float((int)(key >> 32)); }

static __device__ __forceinline__ uint32_t row_of(uint64_t key) { return (uint32_t)key; }

// No row at all: NaN at the end of every order.
#define NO_ROW 0xffffffffffffffffull
