// Connected regions of a map at or above a threshold (8-connected), as src/model/head/regions.rs: each has the lowest of its cells
// as its label, its number of cells, its box and its peak. NaN is no region.
#include "andon.cuh"

#define THREADS 256

// What is found about the region whose label is this cell; count is 0 for every other cell.
struct Found {
    uint32_t count;
    uint32_t left, top, right, bottom;  // inclusive
    uint32_t peak_cell;                 // the lowest cell with the peak's value
    uint64_t peak;                      // order_of(value) and the cell counted from above, so that the larger word is the peak
};
// The layout, with the numbers that crates/andon-gpu/src/ops/regions/mod.rs asserts for Rust. NVRTC has no offsetof; the CPU's compiler looks at the members.
static_assert(sizeof(Found) == 32 && alignof(Found) == 8, "Found");
#ifdef ANDON_HOST
static_assert(offsetof(Found, count) == 0, "Found::count");
static_assert(offsetof(Found, left) == 4, "Found::left");
static_assert(offsetof(Found, top) == 8, "Found::top");
static_assert(offsetof(Found, right) == 12, "Found::right");
static_assert(offsetof(Found, bottom) == 16, "Found::bottom");
static_assert(offsetof(Found, peak_cell) == 20, "Found::peak_cell");
static_assert(offsetof(Found, peak) == 24, "Found::peak");
#endif

// Sorts like the value for every finite float.
static __device__ __forceinline__ uint32_t order_of(float value) {
    const uint32_t bits = (uint32_t)__float_as_int(value);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

// One map of height x width an image. labels, next: size words; found: size records. Labels start as the cell's own number and take
// the lowest of their neighbours', or what that one's own label has become, until nothing changes. Grid: images, block 256.
extern "C" __global__ void regions(const float* __restrict__ map, int height, int width, float threshold,
                                   uint32_t* __restrict__ labels, uint32_t* __restrict__ next, Found* __restrict__ found) {
    __shared__ int changed;
    const int size = height * width;
    map += (uint64_t)blockIdx.x * size;
    labels += (uint64_t)blockIdx.x * size;
    next += (uint64_t)blockIdx.x * size;
    found += (uint64_t)blockIdx.x * size;
    for (int i = threadIdx.x; i < size; i += THREADS) {
        labels[i] = map[i] >= threshold ? (uint32_t)i : 0xffffffffu;
        found[i] = {0, 0xffffffffu, 0xffffffffu, 0, 0, 0, 0};
    }
    for (bool again = true; again;) {
        __syncthreads();
        if (threadIdx.x == 0) changed = 0;
        __syncthreads();
        bool mine = false;
        for (int i = threadIdx.x; i < size; i += THREADS) {
            next[i] = labels[i];
            if (labels[i] == 0xffffffffu) continue;
            const int x = i % width, y = i / width;
            uint32_t least = labels[i];
            for (int v = max(y - 1, 0); v <= min(y + 1, height - 1); v++)
                for (int u = max(x - 1, 0); u <= min(x + 1, width - 1); u++) least = min(least, labels[v * width + u]);
            next[i] = labels[least];
            mine |= next[i] != labels[i];
        }
        if (mine) atomicMax(&changed, 1);
        __syncthreads();
        again = changed != 0;
        for (int i = threadIdx.x; i < size; i += THREADS) labels[i] = next[i];
    }
    __syncthreads();
    for (int i = threadIdx.x; i < size; i += THREADS) {
        if (labels[i] == 0xffffffffu) continue;
        Found* of = &found[labels[i]];
        atomicAdd(&of->count, 1u);
        atomicMin(&of->left, (uint32_t)(i % width));
        atomicMin(&of->top, (uint32_t)(i / width));
        atomicMax(&of->right, (uint32_t)(i % width));
        atomicMax(&of->bottom, (uint32_t)(i / width));
        atomicMax(&of->peak, (uint64_t)order_of(map[i]) << 32 | (0xffffffffu - (uint32_t)i));
    }
    __syncthreads();
    for (int i = threadIdx.x; i < size; i += THREADS) found[i].peak_cell = 0xffffffffu - (uint32_t)found[i].peak;
}
EXPORT(regions)
