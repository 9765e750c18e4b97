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

// Smallest and largest value of the cells that are looked at, for each image: range[image] = {least, most}. Both are NaN if any is.
// Grid: (1, images), block 256.
extern "C" __global__ void score_range(const float* __restrict__ map, const uint32_t* __restrict__ cells, int count, int size,
                                       float* __restrict__ range) {
    __shared__ float least[8], most[8];
    float low = __int_as_float(0x7f800000), high = -low;
    bool lost = count == 0;
    for (int i = threadIdx.x; i < count; i += 256) {
        const float value = map[(uint64_t)blockIdx.y * size + cells[i]];
        lost |= value != value;
        low = fminf(low, value);
        high = fmaxf(high, value);
    }
    if (lost) low = high = __int_as_float(0x7fc00000);
    for (int step = 16; step > 0; step /= 2) {
        const float a = __shfl_xor_sync(0xffffffffu, low, step), b = __shfl_xor_sync(0xffffffffu, high, step);
        low = a != a || a < low ? a : low;
        high = b != b || b > high ? b : high;
    }
    if (threadIdx.x % 32 == 0) {
        least[threadIdx.x / 32] = low;
        most[threadIdx.x / 32] = high;
    }
    __syncthreads();
    if (threadIdx.x != 0) return;
    for (int warp = 1; warp < 8; warp++) {
        low = low != low || low < least[warp] ? low : least[warp];
        high = high != high || high > most[warp] ? high : most[warp];
    }
    range[2 * blockIdx.y] = low;
    range[2 * blockIdx.y + 1] = high;
}
EXPORT(score_range)

static __device__ __forceinline__ int picture_tap(int o, int from, int to, float* t) {
    const float at = fmaxf(((float)o + 0.5f) * (float)from / (float)to - 0.5f, 0.0f);
    const int a = min((int)at, from - 1);
    *t = at - (float)a;
    return a;
}

// The map upsampled to a picture (bilinear, half-pixel centres), on the model's scale: `typical` is 0, the threshold 127.5; NaN is
// 255. Grid: (ceil(out_width / 32), ceil(out_height / 8), images), block (32, 8).
extern "C" __global__ void heatmap(const float* __restrict__ map, int height, int width, int out_height, int out_width,
                                   float typical, float scale, uint8_t* __restrict__ out) {
    const int ox = blockIdx.x * 32 + threadIdx.x, oy = blockIdx.y * 8 + threadIdx.y;
    if (ox >= out_width || oy >= out_height) return;
    const float* from = map + (uint64_t)blockIdx.z * height * width;
    float tx, ty;
    const int x = picture_tap(ox, width, out_width, &tx), y = picture_tap(oy, height, out_height, &ty);
    const int x1 = min(x + 1, width - 1), y1 = min(y + 1, height - 1);
    const float a = from[y * width + x] + (from[y * width + x1] - from[y * width + x]) * tx;
    const float b = from[y1 * width + x] + (from[y1 * width + x1] - from[y1 * width + x]) * tx;
    const float level = (a + (b - a) * ty - typical) * scale;
    // roundf is half away from zero, like f32::round.
    out[((uint64_t)blockIdx.z * out_height + oy) * out_width + ox] =
        level != level ? 255 : (uint8_t)fminf(fmaxf(roundf(level), 0.0f), 255.0f);
}
EXPORT(heatmap)
