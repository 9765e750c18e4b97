// 16x16 pieces of matrices for tensor cores: the instructions where there are some, whole pieces in the first thread of a warp on the CPU.
#pragma once
#include "andon.cuh"

#ifdef ANDON_HOST
// A warp's pieces belong to the warp: one thread holds them and works for all.
static inline bool works() { return host::thread->number % host::WARP == 0; }

struct PieceA {
    float v[16][16];
    void load(const uint16_t* at, int line) {
        if (!works()) return;
        for (int i = 0; i < 16; i++)
            for (int k = 0; k < 16; k++) v[i][k] = from_half(at[i * line + k]);
    }
};

struct PieceB {
    float v[16][16];
    void load(const uint16_t* at, int line) {
        if (!works()) return;
        for (int j = 0; j < 16; j++)
            for (int k = 0; k < 16; k++) v[j][k] = from_half(at[j * line + k]);
    }
};

struct PieceC {
    float v[16][16];
    void zero() { memset(v, 0, sizeof v); }
    void add(const PieceA& a, const PieceB& b) {
        if (!works()) return;
        for (int i = 0; i < 16; i++)
            for (int j = 0; j < 16; j++) {
                float sum = v[i][j];
                for (int k = 0; k < 16; k++) sum += a.v[i][k] * b.v[j][k];
                v[i][j] = sum;
            }
    }
    void store(float* at, int line) {
        if (!works()) return;
        for (int i = 0; i < 16; i++)
            for (int j = 0; j < 16; j++) at[i * line + j] = v[i][j];
    }
};
#else
// Rows of queries: element (i, k) at at[i * line + k].
struct PieceA {
    uint32_t r[8];
    __device__ __forceinline__ void load(const uint16_t* at, int line) {
        asm volatile("wmma.load.a.sync.aligned.row.m16n16k16.f16 {%0,%1,%2,%3,%4,%5,%6,%7}, [%8], %9;"
                     : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]), "=r"(r[4]), "=r"(r[5]), "=r"(r[6]), "=r"(r[7])
                     : "l"(at), "r"(line)
                     : "memory");
    }
};

// Rows of the bank, which are the columns of the product: element (k, j) at at[j * line + k].
struct PieceB {
    uint32_t r[8];
    __device__ __forceinline__ void load(const uint16_t* at, int line) {
        asm volatile("wmma.load.b.sync.aligned.col.m16n16k16.f16 {%0,%1,%2,%3,%4,%5,%6,%7}, [%8], %9;"
                     : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]), "=r"(r[4]), "=r"(r[5]), "=r"(r[6]), "=r"(r[7])
                     : "l"(at), "r"(line)
                     : "memory");
    }
};

struct PieceC {
    float r[8];
    __device__ __forceinline__ void zero() {
        for (int i = 0; i < 8; i++) r[i] = 0.0f;
    }
    __device__ __forceinline__ void add(const PieceA& a, const PieceB& b) {
        asm volatile("wmma.mma.sync.aligned.row.col.m16n16k16.f32.f32 {%0,%1,%2,%3,%4,%5,%6,%7}, "
                     "{%8,%9,%10,%11,%12,%13,%14,%15}, {%16,%17,%18,%19,%20,%21,%22,%23}, {%0,%1,%2,%3,%4,%5,%6,%7};"
                     : "+f"(r[0]), "+f"(r[1]), "+f"(r[2]), "+f"(r[3]), "+f"(r[4]), "+f"(r[5]), "+f"(r[6]), "+f"(r[7])
                     : "r"(a.r[0]), "r"(a.r[1]), "r"(a.r[2]), "r"(a.r[3]), "r"(a.r[4]), "r"(a.r[5]), "r"(a.r[6]), "r"(a.r[7]),
                       "r"(b.r[0]), "r"(b.r[1]), "r"(b.r[2]), "r"(b.r[3]), "r"(b.r[4]), "r"(b.r[5]), "r"(b.r[6]), "r"(b.r[7]));
    }
    __device__ __forceinline__ void store(float* at, int line) {
        asm volatile("wmma.store.d.sync.aligned.row.m16n16k16.f32 [%0], {%1,%2,%3,%4,%5,%6,%7,%8}, %9;"
                     :
                     : "l"(at), "f"(r[0]), "f"(r[1]), "f"(r[2]), "f"(r[3]), "f"(r[4]), "f"(r[5]), "f"(r[6]), "f"(r[7]), "r"(line)
                     : "memory");
    }
};
#endif
