// Runs CUDA kernels on the CPU: the same .cu file, compiled by g++. Blocks run one after the other; the threads of a block are
// fibers that change places at barriers, or (ANDON_THREADS) threads of the system, so that ThreadSanitizer finds what no barrier
// orders. Knows the part of CUDA that the kernels in this folder use. It says nothing about speed, alignment or bank conflicts.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>
#ifdef ANDON_THREADS
#include <barrier>
#include <thread>
#else
#include <ucontext.h>
#endif

#define __global__
#define __device__
#define __forceinline__ inline __attribute__((always_inline))
#define __restrict__ __restrict
#define __launch_bounds__(...)
#define __shared__ static
#define __align__(bytes) __attribute__((aligned(bytes)))

struct dim3 {
    unsigned x = 1, y = 1, z = 1;
};
struct int2 {
    int x, y;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};

namespace host {

constexpr unsigned WARP = 32;

enum class State { Ready, AtBarrier, AtWarp, Done };

struct Thread {
    dim3 id;
    unsigned number = 0;
    State state = State::Ready;
#ifndef ANDON_THREADS
    ucontext_t context;
    std::unique_ptr<char[]> stack;
#endif
};

struct Block {
    dim3 grid, size, id;
    std::vector<Thread> threads;
    // What the threads of a warp show each other.
    std::vector<uint64_t> shown;
    std::function<void()> body;
#ifdef ANDON_THREADS
    std::unique_ptr<std::barrier<>> barrier;
    std::vector<std::unique_ptr<std::barrier<>>> warps;
#else
    ucontext_t scheduler;
#endif
};

// Fibers in falling order: finds code that depends on the order of threads.
inline bool backwards = false;

#ifdef ANDON_THREADS
inline Block* block;
inline thread_local Thread* thread;

inline void run(Block& b) {
    const unsigned n = (unsigned)b.threads.size();
    block = &b;
    b.barrier = std::make_unique<std::barrier<>>(n);
    b.warps.clear();
    for (unsigned first = 0; first < n; first += WARP)
        b.warps.push_back(std::make_unique<std::barrier<>>(std::min(WARP, n - first)));
    std::vector<std::thread> running;
    for (Thread& t : b.threads)
        running.emplace_back([&b, &t] {
            thread = &t;
            b.body();
            b.barrier->arrive_and_drop();
            b.warps[t.number / WARP]->arrive_and_drop();
        });
    for (std::thread& t : running) t.join();
}

inline void wait(State at) {
    if (at == State::AtBarrier)
        block->barrier->arrive_and_wait();
    else
        block->warps[thread->number / WARP]->arrive_and_wait();
}
#else
inline thread_local Block* block;
inline thread_local Thread* thread;

inline void wait(State at) {
    Thread* self = thread;
    self->state = at;
    swapcontext(&self->context, &block->scheduler);
    thread = self;
}

inline void fiber() {
    block->body();
    thread->state = State::Done;
    swapcontext(&thread->context, &block->scheduler);
}

// Lets the fibers [first, last) go on if every one of them waits at `at` or is done; false if there is none to let go.
inline bool release(Block& b, unsigned first, unsigned last, State at) {
    unsigned waiting = 0, done = 0;
    for (unsigned i = first; i < last; i++) {
        waiting += b.threads[i].state == at;
        done += b.threads[i].state == State::Done;
    }
    if (waiting == 0 || waiting + done != last - first) return false;
    for (unsigned i = first; i < last; i++)
        if (b.threads[i].state == at) b.threads[i].state = State::Ready;
    return true;
}

inline void run(Block& b) {
    constexpr size_t STACK = 64 << 10;
    const unsigned n = (unsigned)b.threads.size();
    block = &b;
    for (Thread& t : b.threads) {
        if (!t.stack) t.stack.reset(new char[STACK]);
        getcontext(&t.context);
        t.context.uc_stack.ss_sp = t.stack.get();
        t.context.uc_stack.ss_size = STACK;
        t.context.uc_link = nullptr;
        makecontext(&t.context, fiber, 0);
    }
    for (;;) {
        bool moved = false;
        for (unsigned k = 0; k < n; k++) {
            Thread& t = b.threads[backwards ? n - 1 - k : k];
            if (t.state != State::Ready) continue;
            moved = true;
            thread = &t;
            swapcontext(&b.scheduler, &t.context);
        }
        if (std::all_of(b.threads.begin(), b.threads.end(), [](const Thread& t) { return t.state == State::Done; })) return;
        moved |= release(b, 0, n, State::AtBarrier);
        for (unsigned first = 0; first < n; first += WARP) moved |= release(b, first, std::min(first + WARP, n), State::AtWarp);
        if (!moved) {
            fprintf(stderr, "cuda_host: threads of block %u,%u,%u wait at different barriers\n", b.id.x, b.id.y, b.id.z);
            abort();
        }
    }
}
#endif

inline void launch(dim3 grid, dim3 size, std::function<void()> body) {
    static thread_local Block b;
    const unsigned n = size.x * size.y * size.z;
    b.grid = grid;
    b.size = size;
    b.body = std::move(body);
    if (b.threads.size() != n) b.threads = std::vector<Thread>(n);
    b.shown.assign((n + WARP - 1) / WARP * WARP, 0);
    for (unsigned z = 0; z < grid.z; z++)
        for (unsigned y = 0; y < grid.y; y++)
            for (unsigned x = 0; x < grid.x; x++) {
                b.id = {x, y, z};
                for (unsigned i = 0; i < n; i++) {
                    b.threads[i].id = {i % size.x, i / size.x % size.y, i / (size.x * size.y)};
                    b.threads[i].number = i;
                    b.threads[i].state = State::Ready;
                }
                run(b);
            }
}

// Kernels by name, with arguments as cuLaunchKernel takes them, and the size of each argument.
struct Kernel {
    std::function<void(void**)> call;
    std::vector<size_t> arguments;
};

inline std::map<std::string, Kernel>& kernels() {
    static std::map<std::string, Kernel> all;
    return all;
}

template <class... A>
struct Export {
    Export(const char* name, void (*kernel)(A...)) {
        kernels()[name] = {[kernel](void** p) { call(kernel, p, std::index_sequence_for<A...>{}); }, {sizeof(A)...}};
    }
    template <size_t... I>
    static void call(void (*kernel)(A...), void** p, std::index_sequence<I...>) {
        kernel(*(std::remove_reference_t<A>*)p[I]...);
    }
};

template <class V>
V shown_by(V value, unsigned lane) {
    static_assert(sizeof(V) <= 8);
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof value);
    const unsigned self = thread->number, from = self / WARP * WARP + lane % WARP;
    block->shown[self] = bits;
    wait(State::AtWarp);
    bits = from < block->threads.size() ? block->shown[from] : bits;
    wait(State::AtWarp);
    memcpy(&value, &bits, sizeof value);
    return value;
}

template <class V, class Better>
V replace_if(V* at, V value, Better better) {
    std::atomic_ref<V> place(*at);
    V old = place.load();
    while (better(value, old) && !place.compare_exchange_weak(old, value)) {
    }
    return old;
}

}  // namespace host

#define threadIdx (host::thread->id)
#define blockIdx (host::block->id)
#define blockDim (host::block->size)
#define gridDim (host::block->grid)
#define EXPORT(kernel) static host::Export exported_##kernel(#kernel, kernel);

static inline void __syncthreads() { host::wait(host::State::AtBarrier); }

template <class V>
V __shfl_xor_sync(unsigned, V value, int mask) {
    return host::shown_by(value, (host::thread->number % host::WARP) ^ mask);
}

// One bit for each lane that says yes.
static inline unsigned __ballot_sync(unsigned, bool yes) {
    unsigned all = 0;
    for (unsigned lane = 0; lane < host::WARP; lane++) all |= host::shown_by(yes ? 1u : 0u, lane) << lane;
    return all;
}

static inline int __ffs(int bits) { return __builtin_ffs(bits); }

template <class V>
V atomicAdd(V* at, V value) {
    return std::atomic_ref<V>(*at).fetch_add(value);
}

template <class V>
V atomicMin(V* at, V value) {
    return host::replace_if(at, value, [](V a, V b) { return a < b; });
}

template <class V>
V atomicMax(V* at, V value) {
    return host::replace_if(at, value, [](V a, V b) { return a > b; });
}

using std::max;
using std::min;

static inline int __float_as_int(float value) {
    int bits;
    memcpy(&bits, &value, 4);
    return bits;
}

static inline float __int_as_float(int bits) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
}
