// From distances to the anomaly map, the image's score and the heatmap, as src/model/head/score.rs and src/model/heatmap.rs.
#include "andon.cuh"

// Distance times the weight of the nearest row, at the cell where each patch lies; other cells stay as they are (0).
// Grid: (ceil(count / 256), images), block 256.
extern "C" __global__ void score_cells(const uint64_t* __restrict__ best, const float* __restrict__ weights, int rows,
                                       const uint32_t* __restrict__ cells, int count, int size, float* __restrict__ map) {
    const int i = blockIdx.x * 256 + threadIdx.x;
    if (i >= count) return;
    const uint64_t key = best[(uint64_t)blockIdx.y * count + i];
    const uint32_t row = row_of(key);
    map[(uint64_t)blockIdx.y * size + cells[i]] = sqrtf(distance_of(key)) * (row < (uint32_t)rows ? weights[row] : 1.0f);
}
EXPORT(score_cells)

// Mirrors with the edge repeated: (c b a | a b c | c b a).
static __device__ __forceinline__ int mirrored(int i, int n) {
    i %= 2 * n;
    if (i < 0) i += 2 * n;
    return i < n ? i : 2 * n - 1 - i;
}

// One direction of a Gaussian of 2 * radius + 1 weights over maps of `height` x `width`: along the lines, or (`down`) along the
// columns. Grid: (ceil(width * height / 256), images), block 256.
extern "C" __global__ void score_smooth(const float* __restrict__ map, int height, int width, const float* __restrict__ kernel,
                                        int radius, int down, float* __restrict__ out) {
    const int cell = blockIdx.x * 256 + threadIdx.x, size = width * height;
    if (cell >= size) return;
    const float* from = map + (uint64_t)blockIdx.y * size;
    const int x = cell % width, y = cell / width;
    float sum = 0.0f;
    for (int i = -radius; i <= radius; i++) {
        const int at = down ? mirrored(y + i, height) * width + x : y * width + mirrored(x + i, width);
        sum += from[at] * kernel[i + radius];
    }
    out[(uint64_t)blockIdx.y * size + cell] = sum;
}
EXPORT(score_smooth)

// Divides a smoothed map by the smoothed mask, and leaves 0 where nothing is looked at.
// Grid: (ceil(size / 256), images), block 256.
extern "C" __global__ void score_share(float* __restrict__ map, const float* __restrict__ share, const uint8_t* __restrict__ looked,
                                       int size) {
    const int cell = blockIdx.x * 256 + threadIdx.x;
    if (cell >= size) return;
    float* value = map + (uint64_t)blockIdx.y * size + cell;
    *value = looked[cell] && share[cell] > 0.0f ? *value / share[cell] : 0.0f;
}
EXPORT(score_share)
