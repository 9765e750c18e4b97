// Mahalanobis distances of patches to one Gaussian for each place (PaDiM), squared differences weighted by a diagonal or a full
// inverse covariance. A negative sum, which rounding can leave of a matrix that is nearly singular, counts as 0.
#include "andon.cuh"

#define WARPS 8

static __device__ __forceinline__ float warp_sum(float value) {
    for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(0xffffffffu, value, step);
    return value;
}

// features: images x places x dim; mean and inverse variances: places x dim. A warp for each patch.
// Grid: (ceil(places / 8), images), block (32, 8).
extern "C" __global__ void gauss_diagonal(const float* __restrict__ features, int places, int dim, const float* __restrict__ mean,
                                          const float* __restrict__ inverse, float* __restrict__ out) {
    const int place = blockIdx.x * WARPS + threadIdx.y;
    if (place >= places) return;
    const float* x = features + ((uint64_t)blockIdx.y * places + place) * dim;
    const uint64_t at = (uint64_t)place * dim;
    float sum = 0.0f;
    for (int d = threadIdx.x; d < dim; d += 32) {
        const float c = x[d] - mean[at + d];
        sum = fmaf(c * c, inverse[at + d], sum);
    }
    sum = warp_sum(sum);
    if (threadIdx.x == 0) out[(uint64_t)blockIdx.y * places + place] = sqrtf(sum < 0.0f ? 0.0f : sum);
}
EXPORT(gauss_diagonal)

// As above with a full inverse covariance, places x dim x dim, symmetric, dim at most 1,024. A block for each patch; each warp takes
// lines of the matrix, whose values lie side by side.
// Grid: (places, images), block (32, 8).
extern "C" __global__ void gauss_full(const float* __restrict__ features, int places, int dim, const float* __restrict__ mean,
                                      const float* __restrict__ inverse, float* __restrict__ out) {
    __shared__ float centred[1024];
    __shared__ float sums[WARPS];
    const int place = blockIdx.x, t = threadIdx.y * 32 + threadIdx.x;
    const float* x = features + ((uint64_t)blockIdx.y * places + place) * dim;
    for (int d = t; d < dim; d += 32 * WARPS) centred[d] = x[d] - mean[(uint64_t)place * dim + d];
    __syncthreads();
    float total = 0.0f;
    for (int line = threadIdx.y; line < dim; line += WARPS) {
        const float* row = inverse + ((uint64_t)place * dim + line) * dim;
        float sum = 0.0f;
        for (int d = threadIdx.x; d < dim; d += 32) sum = fmaf(row[d], centred[d], sum);
        total = fmaf(warp_sum(sum), centred[line], total);
    }
    if (threadIdx.x == 0) sums[threadIdx.y] = total;
    __syncthreads();
    if (t != 0) return;
    float sum = sums[0];
    for (int warp = 1; warp < WARPS; warp++) sum += sums[warp];
    out[(uint64_t)blockIdx.y * places + place] = sqrtf(sum < 0.0f ? 0.0f : sum);
}
EXPORT(gauss_full)
