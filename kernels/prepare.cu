// From a frame to the network's input: squash to its size, normalise. Pillow's BILINEAR filter in whole numbers, columns first,
// so that the pixels are those of src/preprocess/resize.rs bit for bit; its tables are made there and uploaded.
#include "andon.cuh"

#define BITS 22
#define HALF (1 << (BITS - 1))

// For each output position of an axis: where its input begins and how many weights it has (spans), and `taps` weights of 22
// fractional bits.
static __device__ __forceinline__ int to_byte(int sum) { return min(max(sum >> BITS, 0), 255); }

// Columns of `images` frames: each of `height` lines of `pitch` bytes, pixels of `bytes` bytes in which red, green and blue are at
// these places; frames lie `stride` bytes apart. Writes `between`: images x height x width x 3 bytes.
// Grid: (ceil(width / 32), ceil(height / 8), images), block (32, 8).
extern "C" __global__ void prepare_columns(const uint8_t* __restrict__ frames, uint64_t stride, int pitch, int height, int bytes,
                                           int red, int green, int blue, const int2* __restrict__ spans,
                                           const int* __restrict__ weights, int taps, int width, uint8_t* __restrict__ between) {
    const int x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 8 + threadIdx.y;
    if (x >= width || y >= height) return;
    const int2 span = spans[x];
    const uint8_t* pixel = frames + blockIdx.z * stride + (uint64_t)y * pitch + (uint64_t)span.x * bytes;
    int r = HALF, g = HALF, b = HALF;
    for (int i = 0; i < span.y; i++, pixel += bytes) {
        const int w = weights[x * taps + i];
        r += pixel[red] * w;
        g += pixel[green] * w;
        b += pixel[blue] * w;
    }
    uint8_t* to = between + (((uint64_t)blockIdx.z * height + y) * width + x) * 3;
    to[0] = (uint8_t)to_byte(r);
    to[1] = (uint8_t)to_byte(g);
    to[2] = (uint8_t)to_byte(b);
}
EXPORT(prepare_columns)

// Rows of what prepare_columns wrote, and (x - mean) * scale. Writes images x 3 planes x height x width values.
// Grid: (ceil(width / 32), ceil(height / 8), images), block (32, 8).
extern "C" __global__ void prepare_rows(const uint8_t* __restrict__ between, int lines, int width, const int2* __restrict__ spans,
                                        const int* __restrict__ weights, int taps, int height, const float* __restrict__ mean,
                                        const float* __restrict__ scale, float* __restrict__ out) {
    const int x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 8 + threadIdx.y;
    if (x >= width || y >= height) return;
    const int2 span = spans[y];
    const uint8_t* from = between + (((uint64_t)blockIdx.z * lines + span.x) * width + x) * 3;
    int sum[3] = {HALF, HALF, HALF};
    for (int i = 0; i < span.y; i++, from += width * 3) {
        const int w = weights[y * taps + i];
        for (int c = 0; c < 3; c++) sum[c] += from[c] * w;
    }
    for (int c = 0; c < 3; c++) {
        const uint64_t plane = (uint64_t)blockIdx.z * 3 + c;
        out[(plane * height + y) * width + x] = ((float)to_byte(sum[c]) - mean[c]) * scale[c];
    }
}
EXPORT(prepare_rows)
