// The one interface of the program to every TensorRT: plain C, the same for every version. `crates/andon-gpu/src/tensorrt/raw.rs` mirrors it
// member by member, and both assert the layout.
#pragma once
#include <cstddef>
#include <cstdint>

extern "C" {

// Severity as TensorRT has it: 0 internal error, 1 error, 2 warning, 3 information, 4 verbose.
typedef void (*AndonTrtLog)(void *user, int32_t severity, const char *message);
// A step of a named phase is done, of so many; false asks to stop the build. Called from any thread.
typedef bool (*AndonTrtProgress)(void *user, const char *phase, int32_t step, int32_t steps);

// An engine to be built. All pointers stay the caller's.
struct AndonTrtRequest {
    const void *onnx;
    size_t onnx_bytes;
    // Takes the types of the graph as they are, where the version can; else `half` and `eight_bit` allow them.
    bool strongly_typed, half, eight_bit;
    size_t workspace_bytes;
    // The input with a batch of any size, or null: smallest, usual and largest shape.
    const char *input;
    int32_t rank;
    const int64_t *least, *usual, *most;
    // Timings of an earlier build, or null.
    const void *timings;
    size_t timings_bytes;
    AndonTrtProgress progress;
    void *user;
};

// What was built: to be given back by `release`.
struct AndonTrtBuilt {
    void *engine;
    size_t engine_bytes;
    void *timings;
    size_t timings_bytes;
};

struct AndonTrtTensor {
    const char *name;
    bool input;
    // As TensorRT has it: 0 float, 1 half, 2 int8, 3 int32, ...
    int32_t type;
    int32_t rank;
    // -1 where any size is taken.
    int64_t shape[8];
};

// Functions that fail return null or false and say why in `why`, at most `room` bytes with the terminating zero.
struct AndonTrt {
    void *(*open)(const char *library, const char *parser, AndonTrtLog log, void *user, char *why, size_t room);
    void (*close)(void *library);
    int32_t (*version)(void *library);
    bool (*can_build)(void *library);
    bool (*build)(void *library, const AndonTrtRequest *, AndonTrtBuilt *, char *why, size_t room);
    void (*release)(AndonTrtBuilt *);
    void *(*load)(void *library, const void *engine, size_t bytes, char *why, size_t room);
    void (*unload)(void *engine);
    int32_t (*tensors)(void *engine);
    bool (*tensor)(void *engine, int32_t index, AndonTrtTensor *);
    // A context of an engine with its own scratch memory on the card, for one thread at a time.
    void *(*context)(void *engine, char *why, size_t room);
    void (*end_context)(void *context);
    bool (*set_shape)(void *context, const char *name, int32_t rank, const int64_t *shape);
    // The shape that follows from those set; -1 while one is missing.
    bool (*shape)(void *context, const char *name, AndonTrtTensor *);
    bool (*set_address)(void *context, const char *name, uint64_t address);
    // Puts the work on the stream (a CUstream) and returns.
    bool (*enqueue)(void *context, void *stream);
};
}

// The layout, with the numbers that raw.rs asserts for Rust: a member that moves on one side alone does not compile.
#define ANDON_LIES_AT(type, member, offset) static_assert(offsetof(type, member) == offset, #type "::" #member)
static_assert(sizeof(AndonTrtRequest) == 104 && alignof(AndonTrtRequest) == 8, "AndonTrtRequest");
ANDON_LIES_AT(AndonTrtRequest, onnx, 0);
ANDON_LIES_AT(AndonTrtRequest, onnx_bytes, 8);
ANDON_LIES_AT(AndonTrtRequest, strongly_typed, 16);
ANDON_LIES_AT(AndonTrtRequest, half, 17);
ANDON_LIES_AT(AndonTrtRequest, eight_bit, 18);
ANDON_LIES_AT(AndonTrtRequest, workspace_bytes, 24);
ANDON_LIES_AT(AndonTrtRequest, input, 32);
ANDON_LIES_AT(AndonTrtRequest, rank, 40);
ANDON_LIES_AT(AndonTrtRequest, least, 48);
ANDON_LIES_AT(AndonTrtRequest, usual, 56);
ANDON_LIES_AT(AndonTrtRequest, most, 64);
ANDON_LIES_AT(AndonTrtRequest, timings, 72);
ANDON_LIES_AT(AndonTrtRequest, timings_bytes, 80);
ANDON_LIES_AT(AndonTrtRequest, progress, 88);
ANDON_LIES_AT(AndonTrtRequest, user, 96);
static_assert(sizeof(AndonTrtBuilt) == 32 && alignof(AndonTrtBuilt) == 8, "AndonTrtBuilt");
ANDON_LIES_AT(AndonTrtBuilt, engine, 0);
ANDON_LIES_AT(AndonTrtBuilt, engine_bytes, 8);
ANDON_LIES_AT(AndonTrtBuilt, timings, 16);
ANDON_LIES_AT(AndonTrtBuilt, timings_bytes, 24);
static_assert(sizeof(AndonTrtTensor) == 88 && alignof(AndonTrtTensor) == 8, "AndonTrtTensor");
ANDON_LIES_AT(AndonTrtTensor, name, 0);
ANDON_LIES_AT(AndonTrtTensor, input, 8);
ANDON_LIES_AT(AndonTrtTensor, type, 12);
ANDON_LIES_AT(AndonTrtTensor, rank, 16);
ANDON_LIES_AT(AndonTrtTensor, shape, 24);
static_assert(sizeof(AndonTrt) == 128 && alignof(AndonTrt) == 8, "AndonTrt");
ANDON_LIES_AT(AndonTrt, open, 0);
ANDON_LIES_AT(AndonTrt, close, 8);
ANDON_LIES_AT(AndonTrt, version, 16);
ANDON_LIES_AT(AndonTrt, can_build, 24);
ANDON_LIES_AT(AndonTrt, build, 32);
ANDON_LIES_AT(AndonTrt, release, 40);
ANDON_LIES_AT(AndonTrt, load, 48);
ANDON_LIES_AT(AndonTrt, unload, 56);
ANDON_LIES_AT(AndonTrt, tensors, 64);
ANDON_LIES_AT(AndonTrt, tensor, 72);
ANDON_LIES_AT(AndonTrt, context, 80);
ANDON_LIES_AT(AndonTrt, end_context, 88);
ANDON_LIES_AT(AndonTrt, set_shape, 96);
ANDON_LIES_AT(AndonTrt, shape, 104);
ANDON_LIES_AT(AndonTrt, set_address, 112);
ANDON_LIES_AT(AndonTrt, enqueue, 120);
#undef ANDON_LIES_AT
