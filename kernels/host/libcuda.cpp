// Stands in for NVIDIA's libcuda.so where there is no GPU: the part of the driver's interface that this project uses, with the
// kernels of this folder run on the CPU. Everything is done before a call returns, so it cannot show a missing synchronisation.
// It is stricter than a driver where that finds mistakes: every copy is checked against its allocation, a function has to be in the
// PTX or cubin that was loaded, and with the parameters that its source has.
//
//   g++ -std=c++20 -O2 -shared -fPIC -ffp-contract=off -DANDON_HOST -Ikernels kernels/host/libcuda.cpp -o libcuda.so
#include "../andon.cu"
#include "../matrix.cu"
#include "cubin.hpp"

#include <chrono>
#include <mutex>

typedef int CUresult;
typedef unsigned long long CUdeviceptr;
#define API extern "C" __attribute__((visibility("default"))) CUresult

enum : CUresult { OK = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_DEVICE = 101, INVALID_IMAGE = 200, NO_BINARY = 209, NOT_FOUND = 500, LAUNCH_FAILED = 719 };

namespace {

int context;
thread_local void* current;
// One kernel at a time: what is `__shared__` is static here. And the allocations are everybody's.
std::recursive_mutex card;
using Alone = std::lock_guard<std::recursive_mutex>;
std::map<CUdeviceptr, size_t> allocations;
// At most so many bytes, so that running out can be tested: ANDON_EMULATED_BYTES.
size_t limit() {
    const char* given = getenv("ANDON_EMULATED_BYTES");
    return given ? strtoull(given, nullptr, 10) : 8ull << 30;
}

// A card that is lost after so many kernels, and stays lost: ANDON_EMULATED_LOST_AFTER.
std::atomic<long> launched;
CUresult lost(long kernels = 0) {
    static const char* given = getenv("ANDON_EMULATED_LOST_AFTER");
    return given && launched.fetch_add(kernels) + kernels > strtol(given, nullptr, 10) ? LAUNCH_FAILED : OK;
}

bool inside(CUdeviceptr at, size_t bytes) {
    Alone alone(card);
    auto after = allocations.upper_bound(at);
    if (after == allocations.begin()) return false;
    auto [start, size] = *--after;
    return at + bytes <= start + size;
}

struct Module {
    std::string ptx;
    // Of a cubin.
    std::map<std::string, std::vector<size_t>> kernels;
};

struct Function {
    const host::Kernel* kernel;
};

// Parameters of an entry of a PTX: bytes of each. Empty if there is no such entry.
std::vector<size_t> parameters(const std::string& ptx, const std::string& name) {
    std::vector<size_t> found;
    size_t at = ptx.find(".entry " + name + "(");
    if (at == std::string::npos) return found;
    const std::string list = ptx.substr(at, ptx.find(')', at) - at);
    for (size_t p = list.find(".param ."); p != std::string::npos; p = list.find(".param .", p + 1)) {
        const char kind = list[p + 8];                           // u32, f32, b64, ...
        found.push_back(strtoul(&list[p + 9], nullptr, 10) / 8 * (kind ? 1 : 0));
    }
    return found;
}

struct Graph {
    std::vector<std::function<void()>> work;
};
thread_local Graph* recording;

CUresult run(std::function<void()> work) {
    if (CUresult no = lost()) return no;
    Alone alone(card);
    if (recording)
        recording->work.push_back(std::move(work));
    else
        work();
    return OK;
}

}  // namespace

API cuInit(unsigned) {
#ifndef ANDON_THREADS
    host::backwards = getenv("ANDON_EMULATED_BACKWARDS") != nullptr;
#endif
    return OK;
}
API cuDriverGetVersion(int* version) { return *version = 11040, OK; }
API cuDeviceGetCount(int* count) { return *count = 2, OK; }
// The second card shares its memory with the processor.
API cuDeviceGet(int* device, int ordinal) { return *device = ordinal, ordinal > 1 ? INVALID_DEVICE : OK; }
API cuDeviceGetName(char* name, int length, int) { return snprintf(name, length, "CPU emulation"), OK; }
API cuDeviceTotalMem_v2(size_t* bytes, int) { return *bytes = limit(), OK; }

API cuDeviceGetAttribute(int* value, int attribute, int device) {
    switch (attribute) {
        case 1: *value = 1024; break;   // threads a block
        case 10: *value = 32; break;    // threads a warp
        case 16: *value = 8; break;     // multiprocessors
        case 18: *value = device; break;    // integrated
        case 75: *value = 8; break;     // compute capability 8.7, an Orin
        case 76: *value = 7; break;
        default: *value = 0;            // among them: no memory pools
    }
    return OK;
}

API cuDevicePrimaryCtxRetain(void** c, int) { return *c = &context, OK; }
API cuDevicePrimaryCtxRelease_v2(int) { return OK; }
API cuDevicePrimaryCtxRelease(int) { return OK; }
API cuCtxSetCurrent(void* c) { return current = c, OK; }
API cuCtxGetCurrent(void** c) { return *c = current, OK; }
API cuCtxSynchronize() { return OK; }
API cuStreamCreate(void** stream, unsigned) { return *stream = malloc(1), OK; }
API cuStreamDestroy_v2(void* stream) { return free(stream), OK; }
API cuStreamSynchronize(void*) { return lost(); }
API cuStreamWaitEvent(void*, void*, unsigned) { return OK; }
using Clock = std::chrono::steady_clock;
API cuEventCreate(void** event, unsigned) { return *event = new Clock::time_point, OK; }
API cuEventDestroy_v2(void* event) { return delete (Clock::time_point*)event, OK; }
API cuEventRecordWithFlags(void* event, void*, unsigned external) {
    // Outside of a recording there is nothing to be external to; inside, a plain record is an order of work and leaves no time.
    if ((external != 0) != (recording != nullptr)) return INVALID_VALUE;
    return run([=] { *(Clock::time_point*)event = Clock::now(); });
}
API cuEventSynchronize(void*) { return OK; }
API cuEventQuery(void*) { return OK; }
API cuEventElapsedTime(float* ms, void* from, void* to) {
    return *ms = std::chrono::duration<float, std::milli>(*(Clock::time_point*)to - *(Clock::time_point*)from).count(), OK;
}

API cuMemGetInfo_v2(size_t* available, size_t* total) {
    Alone alone(card);
    size_t used = 0;
    for (auto& [_, size] : allocations) used += size;
    return *total = limit(), *available = limit() - std::min(limit(), used), OK;
}

API cuMemAlloc_v2(CUdeviceptr* at, size_t bytes) {
    Alone alone(card);
    size_t available, total;
    cuMemGetInfo_v2(&available, &total);
    if (CUresult no = lost()) return no;
    if (bytes == 0) return INVALID_VALUE;
    if (bytes > available) return OUT_OF_MEMORY;
    void* memory = malloc(bytes);
    memset(memory, 0xCD, bytes);  // what was never written is not 0
    *at = (CUdeviceptr)memory;
    allocations[*at] = bytes;
    return OK;
}

API cuMemAllocAsync(CUdeviceptr* at, size_t bytes, void*) { return cuMemAlloc_v2(at, bytes); }

API cuMemFree_v2(CUdeviceptr at) {
    Alone alone(card);
    if (!allocations.erase(at)) return INVALID_VALUE;
    return free((void*)at), OK;
}

API cuMemFreeAsync(CUdeviceptr at, void*) { return cuMemFree_v2(at); }
API cuMemHostAlloc(void** at, size_t bytes, unsigned) { return *at = malloc(bytes ? bytes : 1), OK; }
API cuMemHostGetDevicePointer_v2(CUdeviceptr* at, void* host, unsigned) { return *at = (CUdeviceptr)host, OK; }
API cuMemFreeHost(void* at) { return free(at), OK; }

API cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t bytes, void*) {
    if (!inside(to, bytes)) return INVALID_VALUE;
    return run([=] { memset((void*)to, value, bytes); });
}

API cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void* from, size_t bytes, void*) {
    if (!inside(to, bytes)) return INVALID_VALUE;
    return run([=] { memcpy((void*)to, from, bytes); });
}

API cuMemcpyDtoHAsync_v2(void* to, CUdeviceptr from, size_t bytes, void*) {
    if (!inside(from, bytes)) return INVALID_VALUE;
    return run([=] { memcpy(to, (void*)from, bytes); });
}

API cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, void*) {
    if (!inside(to, bytes) || !inside(from, bytes)) return INVALID_VALUE;
    return run([=] { memmove((void*)to, (void*)from, bytes); });
}

API cuModuleLoadData(void** module, const void* image) {
    if (cubin::is_one(image)) {
        // A driver that is older than what made it: ANDON_EMULATED_OLD.
        if (cubin::card((const char*)image) != 87 || getenv("ANDON_EMULATED_OLD")) return NO_BINARY;
        return *module = new Module{"", cubin::kernels((const char*)image)}, OK;
    }
    const std::string ptx((const char*)image);
    if (ptx.find(".version") == std::string::npos) return INVALID_IMAGE;
    return *module = new Module{ptx, {}}, OK;
}

API cuModuleUnload(void* module) { return delete (Module*)module, OK; }

API cuModuleGetFunction(void** function, void* module, const char* name) {
    auto found = host::kernels().find(name);
    if (found == host::kernels().end()) return NOT_FOUND;
    const auto* from = (Module*)module;
    const auto sizes = from->kernels.count(name) ? from->kernels.at(name) : parameters(from->ptx, name);
    if (sizes != found->second.arguments) {
        fprintf(stderr, "libcuda emulation: `%s` was compiled with other parameters than its source has; run `make kernels`\n", name);
        return NOT_FOUND;
    }
    return *function = new Function{&found->second}, OK;
}

API cuFuncSetAttribute(void*, int, int) { return OK; }

API cuLaunchKernel(void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned, void*,
                   void** arguments, void**) {
    if (CUresult no = lost(1)) return no;
    if (bx * by * bz == 0 || bx * by * bz > 1024 || gx * gy * gz == 0) return INVALID_VALUE;
    const host::Kernel* kernel = ((Function*)function)->kernel;
    // The values of now: those of a graph are taken when it is recorded.
    auto values = std::make_shared<std::vector<std::vector<char>>>();
    for (size_t i = 0; i < kernel->arguments.size(); i++) {
        const char* from = (const char*)arguments[i];
        values->emplace_back(from, from + kernel->arguments[i]);
    }
    return run([=] {
        std::vector<void*> pointers;
        for (auto& value : *values) pointers.push_back(value.data());
        host::launch({gx, gy, gz}, {bx, by, bz}, [&] { kernel->call(pointers.data()); });
    });
}

API cuStreamBeginCapture_v2(void*, int) { return recording = new Graph, OK; }

API cuStreamEndCapture(void*, void** graph) {
    *graph = recording;
    recording = nullptr;
    return OK;
}

API cuGraphInstantiateWithFlags(void** executable, void* graph, unsigned long long) { return *executable = new Graph(*(Graph*)graph), OK; }
API cuGraphLaunch(void* executable, void*) {
    if (CUresult no = lost(1)) return no;
    Alone alone(card);
    for (auto& work : ((Graph*)executable)->work) work();
    return OK;
}
API cuGraphUpload(void*, void*) { return OK; }
API cuGraphExecDestroy(void* executable) { return delete (Graph*)executable, OK; }
API cuGraphDestroy(void* graph) { return delete (Graph*)graph, OK; }

API cuGetErrorName(CUresult, const char** text) { return *text = "CUDA_ERROR_EMULATED", OK; }

API cuGetErrorString(CUresult code, const char** text) {
    switch (code) {
        case INVALID_VALUE: *text = "invalid value"; break;
        case OUT_OF_MEMORY: *text = "out of memory"; break;
        case INVALID_DEVICE: *text = "invalid device"; break;
        case INVALID_IMAGE: *text = "not a PTX"; break;
        case NO_BINARY: *text = "no kernel image is available for execution on the device"; break;
        case NOT_FOUND: *text = "named symbol not found"; break;
        case LAUNCH_FAILED: *text = "unspecified launch failure"; break;
        default: *text = "error";
    }
    return OK;
}
