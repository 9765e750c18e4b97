// Exact nearest rows of a bank. Squared differences are summed directly, without norms, so that near-duplicates lose nothing:
// a row's distance to itself is 0. The plain twin of every faster path: the others are compared with this one.
#include "andon.cuh"

#define TILE 64   // queries and rows of a block's tile
#define DEPTH 16  // values of both that are in shared memory at a time
#define SIDE 16   // threads a side; each has TILE / SIDE x TILE / SIDE distances
#define EACH (TILE / SIDE)
#define MAX_K 9

struct Tiles {
    float queries[DEPTH][TILE + 4];
    float bank[DEPTH][TILE + 4];
};

// Distances of queries [q0, q0 + 64) to rows [b0, b0 + 64), squared; what lies outside counts as 0.
static __device__ __forceinline__ void distances(Tiles& tiles, const float* __restrict__ queries, int q0, int q_end,
                                                 const float* __restrict__ bank, int b0, int b_end, int dim,
                                                 float (&sum)[EACH][EACH]) {
    const int tx = threadIdx.x, ty = threadIdx.y, t = ty * SIDE + tx;
    for (int i = 0; i < EACH; i++)
        for (int j = 0; j < EACH; j++) sum[i][j] = 0.0f;
    for (int d0 = 0; d0 < dim; d0 += DEPTH) {
        for (int e = t; e < TILE * DEPTH; e += SIDE * SIDE) {
            const int row = e / DEPTH, d = e % DEPTH;
            const bool inside = d0 + d < dim;
            tiles.queries[d][row] = inside && q0 + row < q_end ? queries[(uint64_t)(q0 + row) * dim + d0 + d] : 0.0f;
            tiles.bank[d][row] = inside && b0 + row < b_end ? bank[(uint64_t)(b0 + row) * dim + d0 + d] : 0.0f;
        }
        __syncthreads();
        for (int d = 0; d < DEPTH; d++) {
            float q[EACH], b[EACH];
            for (int i = 0; i < EACH; i++) q[i] = tiles.queries[d][ty * EACH + i];
            for (int j = 0; j < EACH; j++) b[j] = tiles.bank[d][tx * EACH + j];
            for (int i = 0; i < EACH; i++)
                for (int j = 0; j < EACH; j++) {
                    const float difference = q[i] - b[j];
                    sum[i][j] = fmaf(difference, difference, sum[i][j]);
                }
        }
        __syncthreads();
    }
}

// The nearest row of each of `count` queries of `dim` values among rows [blockIdx.y * share, + share) of the bank's `rows`, left in
// best[query] if it is nearer than what is there. best starts as NO_ROW; a query with a NaN keeps a NaN.
// Grid: (ceil(count / 64), ceil(rows / share)), block (16, 16); share is a multiple of 64.
extern "C" __global__ void __launch_bounds__(SIDE* SIDE)
    nearest(const float* __restrict__ queries, int count, const float* __restrict__ bank, int rows, int dim, int share,
            uint64_t* __restrict__ best) {
    __shared__ Tiles tiles;
    __shared__ uint64_t found[TILE][SIDE + 1];
    const int q0 = blockIdx.x * TILE, first = blockIdx.y * share, end = min(first + share, rows);
    uint64_t least[EACH];
    for (int i = 0; i < EACH; i++) least[i] = NO_ROW;
    for (int b0 = first; b0 < end; b0 += TILE) {
        float sum[EACH][EACH];
        distances(tiles, queries, q0, count, bank, b0, end, dim, sum);
        for (int i = 0; i < EACH; i++)
            for (int j = 0; j < EACH; j++) {
                const int row = b0 + (int)threadIdx.x * EACH + j;
                if (row < end) least[i] = min(least[i], pack(sum[i][j], (uint32_t)row));
            }
    }
    for (int i = 0; i < EACH; i++) found[threadIdx.y * EACH + i][threadIdx.x] = least[i];
    __syncthreads();
    const int t = threadIdx.y * SIDE + threadIdx.x;
    if (t < TILE && q0 + t < count) {
        uint64_t key = found[t][0];
        for (int i = 1; i < SIDE; i++) key = min(key, found[t][i]);
        atomicMin(&best[q0 + t], key);
    }
}
EXPORT(nearest)

// Puts a key into a list of k, ascending, if it belongs there.
static __device__ __forceinline__ void insert(uint64_t (&list)[MAX_K], int k, uint64_t key) {
    if (key >= list[k - 1]) return;
    int at = k - 1;
    for (; at > 0 && list[at - 1] > key; at--) list[at] = list[at - 1];
    list[at] = key;
}

// The k (at most 9) nearest rows, ascending, of each query among the rows of this block's share: lists[blockIdx.y][query][k].
// Grid and block as for nearest.
extern "C" __global__ void __launch_bounds__(SIDE* SIDE)
    nearest_k(const float* __restrict__ queries, int count, const float* __restrict__ bank, int rows, int dim, int share, int k,
              uint64_t* __restrict__ lists) {
    __shared__ Tiles tiles;
    __shared__ float all[TILE][TILE + 1];
    const int q0 = blockIdx.x * TILE, first = blockIdx.y * share, end = min(first + share, rows);
    const int t = threadIdx.y * SIDE + threadIdx.x;
    uint64_t list[MAX_K];
    for (int i = 0; i < MAX_K; i++) list[i] = NO_ROW;
    for (int b0 = first; b0 < end; b0 += TILE) {
        float sum[EACH][EACH];
        distances(tiles, queries, q0, count, bank, b0, end, dim, sum);
        for (int i = 0; i < EACH; i++)
            for (int j = 0; j < EACH; j++) all[threadIdx.y * EACH + i][threadIdx.x * EACH + j] = sum[i][j];
        __syncthreads();
        if (t < TILE)
            for (int j = 0; j < min(TILE, end - b0); j++) insert(list, k, pack(all[t][j], (uint32_t)(b0 + j)));
        __syncthreads();
    }
    if (t < TILE && q0 + t < count)
        for (int i = 0; i < k; i++) lists[((uint64_t)blockIdx.y * count + q0 + t) * k + i] = list[i];
}
EXPORT(nearest_k)

// One list of k for each query out of those of all shares.
// Grid: ceil(count / 256), block 256.
extern "C" __global__ void nearest_merge(const uint64_t* __restrict__ lists, int shares, int count, int k,
                                         uint64_t* __restrict__ merged) {
    const int query = blockIdx.x * 256 + threadIdx.x;
    if (query >= count) return;
    uint64_t list[MAX_K];
    for (int i = 0; i < MAX_K; i++) list[i] = NO_ROW;
    for (int s = 0; s < shares; s++)
        for (int i = 0; i < k; i++) insert(list, k, lists[((uint64_t)s * count + query) * k + i]);
    for (int i = 0; i < k; i++) merged[(uint64_t)query * k + i] = list[i];
}
EXPORT(nearest_merge)
