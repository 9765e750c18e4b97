// Patch features from feature maps, as src/model/head/aggregate.rs: a map averaged over its neighbours with the zero padding
// counted, weighted, brought to the grid of the finest map with half-pixel centres, and laid patch by patch beside the others.
#include "andon.cuh"

#define CELLS 32
#define CHANNELS 8

static __device__ float pooled(const float* __restrict__ plane, int width, int height, int y, int x, int reach, float factor) {
    const int left = max(x - reach, 0), right = min(x + reach, width - 1);
    const int low = max(y - reach, 0), high = min(y + reach, height - 1);
    float sum = 0.0f;
    for (int v = low; v <= high; v++) {
        float row = plane[v * width + left];
        for (int u = left + 1; u <= right; u++) row += plane[v * width + u];
        sum = v == low ? row : sum + row;
    }
    return sum * factor;
}

// The lower of two neighbours of output position `o`; `t` is the weight of the upper one.
static __device__ __forceinline__ int tap(int o, int from, int to, float* t) {
    const float at = fmaxf(((float)o + 0.5f) * ((float)from / (float)to) - 0.5f, 0.0f);
    const int a = min((int)at, from - 1);
    *t = at - (float)a;
    return a;
}

// One map of images: channels x height x width values each; image i is piece i / frames of frame i % frames. Writes values
// [base, base + channels) of patches of `dim` values: patch p of piece s becomes row slots[s * patches + p] of the `rows` of its
// frame, or none where that is negative. Reads run along a line of the map, writes along the values of a patch; the tile in shared
// memory turns one into the other.
// Grid: (ceil(patches / 32), ceil(channels / 8), images), block (32, 8).
extern "C" __global__ void aggregate(const float* __restrict__ map, int channels, int height, int width, int pool, float weight,
                                     int grid_height, int grid_width, const int* __restrict__ slots, int frames, int rows, int dim,
                                     int base, float* __restrict__ out) {
    __shared__ float tile[CHANNELS][CELLS + 1];
    const int patches = grid_height * grid_width;
    const int patch = blockIdx.x * CELLS + threadIdx.x, channel = blockIdx.y * CHANNELS + threadIdx.y;
    if (patch < patches && channel < channels) {
        const float* plane = map + ((uint64_t)blockIdx.z * channels + channel) * height * width;
        const float factor = weight / (float)(pool * pool);
        const int gy = patch / grid_width, gx = patch % grid_width, reach = pool / 2;
        float value;
        if (height == grid_height && width == grid_width) {
            value = pooled(plane, width, height, gy, gx, reach, factor);
        } else {
            float tx, ty;
            const int x = tap(gx, width, grid_width, &tx), y = tap(gy, height, grid_height, &ty);
            const int x1 = min(x + 1, width - 1), y1 = min(y + 1, height - 1);
            const float a = pooled(plane, width, height, y, x, reach, factor);
            const float b = pooled(plane, width, height, y, x1, reach, factor);
            const float c = pooled(plane, width, height, y1, x, reach, factor);
            const float d = pooled(plane, width, height, y1, x1, reach, factor);
            const float top = a + (b - a) * tx, bottom = c + (d - c) * tx;
            value = top + (bottom - top) * ty;
        }
        tile[threadIdx.y][threadIdx.x] = value;
    }
    __syncthreads();
    const int t = threadIdx.y * CELLS + threadIdx.x, c = t % CHANNELS, p = t / CHANNELS;
    const int to_patch = blockIdx.x * CELLS + p, to_channel = blockIdx.y * CHANNELS + c;
    if (to_patch < patches && to_channel < channels) {
        const int piece = blockIdx.z / frames, frame = blockIdx.z % frames;
        const int slot = slots[piece * patches + to_patch];
        if (slot >= 0) out[((uint64_t)frame * rows + slot) * dim + base + to_channel] = tile[c][p];
    }
}
EXPORT(aggregate)
