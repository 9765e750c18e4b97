// Exact nearest rows of a bank by tensor cores. Half precision finds, for each query, a limit below which the nearest row must be and
// the few tiles of 64 rows that can hold it; these are then measured in single precision. For q', b' the vectors as rounded,
// |q' - b'| - |b - b'| <= |q - b| + |q - q'| and |q - b| <= |q' - b'| + |b - b'| + |q - q'| (triangle inequality); the roundings are
// measured, and the error of the products' sums is bounded by `slack`. The distances themselves are never written to memory.
#include "matrix.cuh"

#define SIDE_Q 128   // queries of a block
#define SIDE_B 128   // rows of a block: two tiles
#define ROWS 64      // rows of a tile
#define STEP 32      // values of both that are in shared memory at a time
#define LINE (STEP + 8)
#define OUT_LINE (ROWS + 4)

// Rows times `scale` in half precision, `depth` values each (a multiple of 32, zeros behind `dim`); the squared length of what was
// written, and its distance to what it stands for. One warp a row.
// Grid: ceil(count / 8), block (32, 8).
extern "C" __global__ void matrix_rows(const float* __restrict__ rows, int count, int dim, int depth, float scale,
                                       uint16_t* __restrict__ halves, float* __restrict__ norms, float* __restrict__ errors) {
    const int row = blockIdx.x * 8 + threadIdx.y;
    if (row >= count) return;
    float norm = 0.0f, error = 0.0f;
    for (int d = threadIdx.x; d < depth; d += 32) {
        const float value = d < dim ? rows[(uint64_t)row * dim + d] * scale : 0.0f;
        const uint16_t bits = to_half(value);
        const float kept = from_half(bits);
        norm = fmaf(kept, kept, norm);
        error = fmaf(value - kept, value - kept, error);
        halves[(uint64_t)row * depth + d] = bits;
    }
    for (int step = 16; step > 0; step /= 2) {
        norm += __shfl_xor_sync(0xffffffffu, norm, step);
        error += __shfl_xor_sync(0xffffffffu, error, step);
    }
    if (threadIdx.x == 0) {
        norms[row] = norm;
        // Rounded up, as a bound has to be.
        errors[row] = sqrtf(error) * 1.0001f;
    }
}
EXPORT(matrix_rows)

// 16 halves of a line of queries or rows, or zeros where there is no such line.
struct Line {
    uint4 a, b;
};

static __device__ __forceinline__ Line fetch(const uint16_t* __restrict__ from, int row, int end, int depth, int d) {
    Line line = {{0, 0, 0, 0}, {0, 0, 0, 0}};
    if (row < end) {
        const uint4* at = (const uint4*)(from + (uint64_t)row * depth + d);
        line.a = at[0];
        line.b = at[1];
    }
    return line;
}

static __device__ __forceinline__ void put(uint16_t* to, const Line& line) {
    ((uint4*)to)[0] = line.a;
    ((uint4*)to)[1] = line.b;
}

union Shared {
    struct {
        uint16_t queries[2][SIDE_Q][LINE];
        uint16_t rows[2][SIDE_B][LINE];
    } in;
    float out[SIDE_Q][OUT_LINE];
};

// For each query and each tile of 64 rows a lower bound of the distance to the tile's rows (less the query's own rounding), -1 where a
// value is no number: low[query * tiles + tile]; and for each query the least upper bound, as the bits of a float, which start as
// infinity: high[query]. tile_norms and tile_errors hold the largest of the tile's rows. Lines of both matrices are 16-byte aligned.
// Grid: (ceil(count / 128), ceil(rows / 128)), block 256.
extern "C" __global__ void __launch_bounds__(256)
    matrix_bounds(const uint16_t* __restrict__ queries, const float* __restrict__ query_norms, int count,
                  const uint16_t* __restrict__ bank, const float* __restrict__ bank_norms, int rows, int depth,
                  const float* __restrict__ tile_norms, const float* __restrict__ tile_errors, int tiles, float slack,
                  float* __restrict__ low, uint32_t* __restrict__ high) {
    __shared__ __align__(32) Shared shared;
    const int t = threadIdx.x, warp = t / 32;
    const int q0 = blockIdx.x * SIDE_Q, b0 = blockIdx.y * SIDE_B;
    // Every warp has 32 queries and 64 rows: the rows of one tile.
    const int down = warp / 2 * 32, tile = warp % 2;
    PieceC sums[2][4];
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 4; j++) sums[i][j].zero();

    // Every thread brings half a line of each.
    const int line = t / 2, part = t % 2 * 16;
    Line query = fetch(queries, q0 + line, count, depth, part);
    Line row = fetch(bank, b0 + line, rows, depth, part);
    int side = 0;
    put(&shared.in.queries[side][line][part], query);
    put(&shared.in.rows[side][line][part], row);
    __syncthreads();
    for (int d = 0; d < depth; d += STEP) {
        const bool more = d + STEP < depth;
        if (more) {
            query = fetch(queries, q0 + line, count, depth, d + STEP + part);
            row = fetch(bank, b0 + line, rows, depth, d + STEP + part);
        }
        for (int k = 0; k < STEP; k += 16) {
            PieceA a[2];
            PieceB b;
            for (int i = 0; i < 2; i++) a[i].load(&shared.in.queries[side][down + 16 * i][k], LINE);
            for (int j = 0; j < 4; j++) {
                b.load(&shared.in.rows[side][tile * ROWS + 16 * j][k], LINE);
                for (int i = 0; i < 2; i++) sums[i][j].add(a[i], b);
            }
        }
        side ^= 1;
        if (more) {
            put(&shared.in.queries[side][line][part], query);
            put(&shared.in.rows[side][line][part], row);
        }
        __syncthreads();
    }

    // One tile after the other through shared memory: a pair of threads looks through the 64 products of a query.
    for (int now = 0; now < 2; now++) {
        if (tile == now)
            for (int i = 0; i < 2; i++)
                for (int j = 0; j < 4; j++) sums[i][j].store(&shared.out[down + 16 * i][16 * j], OUT_LINE);
        __syncthreads();
        const int at = blockIdx.y * 2 + now, q = q0 + line;
        const float norm = q < count ? query_norms[q] : 0.0f;
        float least = __int_as_float(0x7f800000);
        int lost = 0;
        for (int c = 0; c < 32; c++) {
            // Neighbouring pairs begin at different columns, so that their banks of memory differ.
            const int column = t % 2 * 32 + (c + line) % 32, r = at * ROWS + column;
            if (r >= rows) continue;
            const float squared = norm + bank_norms[r] - 2.0f * shared.out[line][column];
            lost |= squared != squared;
            least = fminf(least, squared);
        }
        least = fminf(least, __shfl_xor_sync(0xffffffffu, least, 1));
        lost |= __shfl_xor_sync(0xffffffffu, lost, 1);
        if (t % 2 == 0 && q < count && at < tiles) {
            const float off = slack * (norm + tile_norms[at]), error = tile_errors[at];
            low[(uint64_t)q * tiles + at] = lost ? -1.0f : sqrtf(fmaxf(least - off, 0.0f)) - error;
            const float most = sqrtf(fmaxf(least + off, 0.0f)) + error;
            if (most == most) atomicMin(&high[q], (uint32_t)__float_as_int(most));
        }
        __syncthreads();
    }
}
EXPORT(matrix_bounds)

// The nearest row of each query among the tiles that its bounds leave, in single precision: best[query] as in nearest. One warp a query.
// Grid: ceil(count / 8), block (32, 8).
extern "C" __global__ void matrix_rank(const float* __restrict__ queries, int count, const float* __restrict__ bank, int rows, int dim,
                                       const float* __restrict__ low, const uint32_t* __restrict__ high,
                                       const float* __restrict__ errors, int tiles, uint64_t* __restrict__ best) {
    const int q = blockIdx.x * 8 + threadIdx.y, lane = threadIdx.x;
    if (q >= count) return;
    const float limit = (__int_as_float((int)high[q]) + 2.0f * errors[q]) * 1.0001f;
    uint64_t key = NO_ROW;
    for (int first = 0; first < tiles; first += 32) {
        const bool near = first + lane < tiles && !(low[(uint64_t)q * tiles + first + lane] > limit);
        for (uint32_t left = __ballot_sync(0xffffffffu, near); left != 0; left &= left - 1) {
            const int r0 = (first + __ffs((int)left) - 1) * ROWS, end = min(r0 + ROWS, rows);
            for (int r = r0; r < end; r++) {
                float sum = 0.0f;
                for (int d = lane; d < dim; d += 32) {
                    const float difference = queries[(uint64_t)q * dim + d] - bank[(uint64_t)r * dim + d];
                    sum = fmaf(difference, difference, sum);
                }
                for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
                key = min(key, pack(sum, (uint32_t)r));
            }
        }
    }
    if (lane == 0) best[q] = key;
}
EXPORT(matrix_rank)
