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

// The same from NV12: frames of luma, each with pairs of colour differences `chroma` bytes behind where it begins, in lines of
// `chroma_pitch`. Both as they are for the whole frame; the piece begins at column `left` and line `top` of it, and pixel (x, y) has the pair
// ((x + odd_x) / 2, (y + odd_y) / 2). `colour` as in src/preprocess/yuv.rs: black, luma, red, green from blue, green from red, blue.
extern "C" __global__ void prepare_columns_nv12(const uint8_t* __restrict__ frames, uint64_t stride, int pitch, uint64_t chroma,
                                                int chroma_pitch, int left, int top, int odd_x, int odd_y, int height,
                                                const int* __restrict__ colour, const int2* __restrict__ spans,
                                                const int* __restrict__ weights, int taps, int width,
                                                uint8_t* __restrict__ between) {
    const int x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 8 + threadIdx.y;
    if (x >= width || y >= height) return;
    const int2 span = spans[x];
    const uint8_t* frame = frames + blockIdx.z * stride;
    const uint8_t* luma = frame + (uint64_t)(top + y) * pitch;
    const uint8_t* pairs = frame + chroma + (uint64_t)((top + y + odd_y) / 2) * chroma_pitch;
    int r = HALF, g = HALF, b = HALF;
    for (int i = 0; i < span.y; i++) {
        const int w = weights[x * taps + i], column = left + span.x + i;
        const uint8_t* pair = pairs + (column + odd_x) / 2 * 2;
        const int blue = pair[0] - 128, red = pair[1] - 128;
        const int light = (luma[column] - colour[0]) * colour[1] + (1 << 15);
        r += min(max((light + red * colour[2]) >> 16, 0), 255) * w;
        g += min(max((light - blue * colour[3] - red * colour[4]) >> 16, 0), 255) * w;
        b += min(max((light + blue * colour[5]) >> 16, 0), 255) * w;
    }
    uint8_t* to = between + (((uint64_t)blockIdx.z * height + y) * width + x) * 3;
    to[0] = (uint8_t)to_byte(r);
    to[1] = (uint8_t)to_byte(g);
    to[2] = (uint8_t)to_byte(b);
}
EXPORT(prepare_columns_nv12)

static __device__ __forceinline__ void put(float* at, float v) { *at = v; }
static __device__ __forceinline__ void put(uint16_t* at, float v) { *at = to_half(v); }

template <typename T>
static __device__ __forceinline__ void rows(const uint8_t* __restrict__ between, int lines, int width, const int2* __restrict__ spans,
                                            const int* __restrict__ weights, int taps, int height, const float* __restrict__ mean,
                                            const float* __restrict__ scale, T* __restrict__ out) {
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
        put(out + (plane * height + y) * width + x, ((float)to_byte(sum[c]) - mean[c]) * scale[c]);
    }
}
// Rows of what prepare_columns wrote, and (x - mean) * scale. Writes images x 3 planes x height x width values, in single or half precision.
// Grid: (ceil(width / 32), ceil(height / 8), images), block (32, 8).
extern "C" __global__ void prepare_rows(const uint8_t* __restrict__ between, int lines, int width, const int2* __restrict__ spans,
                                        const int* __restrict__ weights, int taps, int height, const float* __restrict__ mean,
                                        const float* __restrict__ scale, float* __restrict__ out) {
    rows(between, lines, width, spans, weights, taps, height, mean, scale, out);
}
EXPORT(prepare_rows)

extern "C" __global__ void prepare_rows_half(const uint8_t* __restrict__ between, int lines, int width, const int2* __restrict__ spans,
                                        const int* __restrict__ weights, int taps, int height, const float* __restrict__ mean,
                                        const float* __restrict__ scale, uint16_t* __restrict__ out) {
    rows(between, lines, width, spans, weights, taps, height, mean, scale, out);
}
EXPORT(prepare_rows_half)
