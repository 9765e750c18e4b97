// Compiled once for each generation of TensorRT whose headers there are, with
//   -Dnvinfer1=nvinfer1_<tag> -Dnvonnxparser=nvonnxparser_<tag> -DANDON_TRT=andon_trt_<tag> -DANDON_MAJOR=<major>
// so that several live in one program: the headers' classes are inline, and would be merged otherwise. Nothing is linked; the four
// C functions that TensorRT exports come from dlsym, and get the version of the library, not that of the headers: within a
// generation the classes only grow at their ends, and what is called here is in the oldest of each (8.5, 10.0, 11.0, RTX 1.3).
#include <NvInfer.h>
#include <NvOnnxParser.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <unordered_map>

#include "shim.h"

#if defined(ANDON_RTX) || NV_TENSORRT_MAJOR >= 11
#define ONLY_STRONGLY_TYPED 1
#else
#define ONLY_STRONGLY_TYPED 0
#endif
#if defined(ANDON_RTX) || NV_TENSORRT_MAJOR >= 10
#define REPORTS_PROGRESS 1
#else
#define REPORTS_PROGRESS 0
#endif

namespace {

using namespace nvinfer1;

void say(char *why, size_t room, const char *words) {
    if (room > 0) snprintf(why, room, "%s", words);
}

// Passes messages on, and keeps the last error, which is TensorRT's only way to say why.
struct Log : ILogger {
    AndonTrtLog to = nullptr;
    void *user = nullptr;
    std::mutex lock;
    std::string last;

    void log(Severity severity, AsciiChar const *message) noexcept override {
        if (severity <= Severity::kERROR) {
            std::lock_guard<std::mutex> held(lock);
            last = message;
        }
        if (to) to(user, static_cast<int32_t>(severity), message);
    }
    void clear() {
        std::lock_guard<std::mutex> held(lock);
        last.clear();
    }
    void explain(char *why, size_t room, const char *otherwise) {
        std::lock_guard<std::mutex> held(lock);
        say(why, room, last.empty() ? otherwise : last.c_str());
    }
};

// TensorRT keeps a pointer to the first logger that it sees, whatever becomes of who gave it: there is one, and it stays.
Log &the_log() {
    static Log *log = new Log;
    return *log;
}

struct Library {
    int32_t version = 0;
    Log &log = the_log();
    void *(*builder)(void *, int32_t) = nullptr;
    void *(*runtime)(void *, int32_t) = nullptr;
    void *(*parser)(void *, void *, int32_t) = nullptr;
};

struct Engine {
    Library *library;
    std::unique_ptr<IRuntime> runtime;
    std::unique_ptr<ICudaEngine> engine;
};

#if REPORTS_PROGRESS
struct Progress : IProgressMonitor {
    AndonTrtProgress to;
    void *user;
    std::mutex lock;
    std::unordered_map<std::string, int32_t> steps;

    Progress(AndonTrtProgress to, void *user) : to(to), user(user) {}
    void phaseStart(char const *phase, char const *, int32_t count) noexcept override {
        std::lock_guard<std::mutex> held(lock);
        steps[phase] = count;
    }
    bool stepComplete(char const *phase, int32_t step) noexcept override {
        int32_t count;
        {
            std::lock_guard<std::mutex> held(lock);
            count = steps[phase];
        }
        return to(user, phase, step + 1, count);
    }
    void phaseFinish(char const *) noexcept override {}
};
#endif

// By name, as the type that it has.
template <typename F> bool find(void *library, const char *name, F *&function) {
    function = reinterpret_cast<F *>(dlsym(library, name));
    return function != nullptr;
}

int32_t major_of(int32_t version) {
    // 8.5.3 is 8503, 10.3.0 is 100300.
    return version >= 10000 ? version / 10000 : version / 1000;
}

void *open_library(const char *path, const char *parser_path, AndonTrtLog to, void *user, char *why, size_t room) {
    void *handle = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    if (!handle) return say(why, room, dlerror()), nullptr;
    int32_t (*version)() = nullptr;
    auto library = std::make_unique<Library>();
    library->log.to = to;
    library->log.user = user;
    bool whole = find(handle, "getInferLibVersion", version);
    whole = whole && find(handle, "createInferRuntime_INTERNAL", library->runtime);
    if (!whole) return say(why, room, "it is no TensorRT library"), nullptr;
    find(handle, "createInferBuilder_INTERNAL", library->builder);
    library->version = version();
    if (major_of(library->version) != ANDON_MAJOR) {
        return say(why, room, "it is of another generation than its name says"), nullptr;
    }
    // Engines can be run without a parser.
    void *parser = parser_path ? dlopen(parser_path, RTLD_NOW | RTLD_GLOBAL) : nullptr;
    if (parser) find(parser, "createNvOnnxParser_INTERNAL", library->parser);
    else if (parser_path) say(why, room, dlerror());
    return library.release();
}

// The libraries stay mapped: TensorRT does not survive being unloaded.
void close_library(void *library) { delete static_cast<Library *>(library); }

int32_t version(void *library) { return static_cast<Library *>(library)->version; }

bool can_build(void *library) {
    auto *l = static_cast<Library *>(library);
    return l->builder && l->parser;
}

// A copy that outlives the builder.
bool keep(const IHostMemory &memory, void *&bytes, size_t &count) {
    bytes = malloc(memory.size());
    count = bytes ? memory.size() : 0;
    if (bytes) memcpy(bytes, memory.data(), count);
    return bytes != nullptr;
}

Dims dims(int32_t rank, const int64_t *shape) {
    Dims d{};
    d.nbDims = rank;
    for (int32_t i = 0; i < rank; i++) d.d[i] = static_cast<decltype(d.d[0] + 0)>(shape[i]);
    return d;
}

uint32_t network_flags(const AndonTrtRequest &request) {
#if ONLY_STRONGLY_TYPED
    (void)request;
    return 0;
#elif NV_TENSORRT_MAJOR >= 10
    return request.strongly_typed ? 1u << static_cast<int>(NetworkDefinitionCreationFlag::kSTRONGLY_TYPED) : 0;
#else
    (void)request;
    return 1u << static_cast<int>(NetworkDefinitionCreationFlag::kEXPLICIT_BATCH);
#endif
}

bool configure(IBuilder &builder, IBuilderConfig &config, const AndonTrtRequest &request, char *why, size_t room) {
    config.setMemoryPoolLimit(MemoryPoolType::kWORKSPACE, request.workspace_bytes);
#if !ONLY_STRONGLY_TYPED
    if (request.half && !(request.strongly_typed && NV_TENSORRT_MAJOR >= 10)) config.setFlag(BuilderFlag::kFP16);
    if (request.eight_bit && !(request.strongly_typed && NV_TENSORRT_MAJOR >= 10)) config.setFlag(BuilderFlag::kINT8);
    // Only its own kernels: cuBLAS and cuDNN need not be installed.
    auto own = 1u << static_cast<uint32_t>(TacticSource::kEDGE_MASK_CONVOLUTIONS);
#if NV_TENSORRT_MAJOR >= 10 || NV_TENSORRT_MINOR >= 6
    own |= 1u << static_cast<uint32_t>(TacticSource::kJIT_CONVOLUTIONS);
#endif
    config.setTacticSources(own);
#endif
    // On by default: ten bits of every factor, which is not what single precision promises.
    if (!request.half) config.clearFlag(BuilderFlag::kTF32);
    if (!request.input) return true;
    IOptimizationProfile *profile = builder.createOptimizationProfile();
    bool set = profile;
    set = set && profile->setDimensions(request.input, OptProfileSelector::kMIN, dims(request.rank, request.least));
    set = set && profile->setDimensions(request.input, OptProfileSelector::kOPT, dims(request.rank, request.usual));
    set = set && profile->setDimensions(request.input, OptProfileSelector::kMAX, dims(request.rank, request.most));
    set = set && config.addOptimizationProfile(profile) >= 0;
    if (!set) say(why, room, "the batch sizes are refused");
    return set;
}

bool build(void *library, const AndonTrtRequest *request, AndonTrtBuilt *built, char *why, size_t room) {
    auto *l = static_cast<Library *>(library);
    *built = {};
    if (!can_build(l)) return say(why, room, "it has no builder, or its ONNX parser cannot be opened"), false;
    l->log.clear();
    std::unique_ptr<IBuilder> builder(static_cast<IBuilder *>(l->builder(&l->log, l->version)));
    if (!builder) return l->log.explain(why, room, "it makes no builder (is there a card?)"), false;
    std::unique_ptr<INetworkDefinition> network(builder->createNetworkV2(network_flags(*request)));
    std::unique_ptr<IBuilderConfig> config(builder->createBuilderConfig());
    if (!network || !config) return l->log.explain(why, room, "it makes no network"), false;
    auto *raw = static_cast<nvonnxparser::IParser *>(l->parser(network.get(), &l->log, NV_ONNX_PARSER_VERSION));
    std::unique_ptr<nvonnxparser::IParser> parser(raw);
    if (!parser) return l->log.explain(why, room, "it makes no ONNX parser"), false;
    if (!parser->parse(request->onnx, request->onnx_bytes)) {
        const char *words = parser->getNbErrors() > 0 ? parser->getError(0)->desc() : "the network is refused";
        return say(why, room, words), false;
    }
    if (!configure(*builder, *config, *request, why, room)) return false;
    std::unique_ptr<ITimingCache> timings;
#ifndef ANDON_RTX
    timings.reset(config->createTimingCache(request->timings, request->timings_bytes));
    // Of another card or version: begun anew.
    if (!timings) timings.reset(config->createTimingCache(nullptr, 0));
    if (timings && !config->setTimingCache(*timings, false)) {
        timings.reset(config->createTimingCache(nullptr, 0));
        if (timings) config->setTimingCache(*timings, false);
    }
#endif
#if REPORTS_PROGRESS
    Progress progress(request->progress, request->user);
    if (request->progress) config->setProgressMonitor(&progress);
#endif
    l->log.clear();
    std::unique_ptr<IHostMemory> memory(builder->buildSerializedNetwork(*network, *config));
    // Also of a build that was stopped: the next one goes on from there.
    if (timings) {
        std::unique_ptr<IHostMemory> kept(timings->serialize());
        if (kept) keep(*kept, built->timings, built->timings_bytes);
    }
    if (!memory) return l->log.explain(why, room, "the build was stopped"), false;
    if (!keep(*memory, built->engine, built->engine_bytes)) return say(why, room, "out of memory"), false;
    return true;
}

void release(AndonTrtBuilt *built) {
    free(built->engine);
    free(built->timings);
    *built = {};
}

void *load(void *library, const void *bytes, size_t count, char *why, size_t room) {
    auto *l = static_cast<Library *>(library);
    l->log.clear();
    auto engine = std::make_unique<Engine>();
    engine->library = l;
    engine->runtime.reset(static_cast<IRuntime *>(l->runtime(&l->log, l->version)));
    if (!engine->runtime) return l->log.explain(why, room, "it makes no runtime (is there a card?)"), nullptr;
    engine->engine.reset(engine->runtime->deserializeCudaEngine(bytes, count));
    if (!engine->engine) return l->log.explain(why, room, "the engine is refused"), nullptr;
    return engine.release();
}

void unload(void *engine) {
    auto *e = static_cast<Engine *>(engine);
    // Before its runtime.
    e->engine.reset();
    delete e;
}

int32_t tensors(void *engine) { return static_cast<Engine *>(engine)->engine->getNbIOTensors(); }

bool describe(const Dims &shape, AndonTrtTensor *tensor) {
    if (shape.nbDims < 0 || shape.nbDims > 8) return false;
    tensor->rank = shape.nbDims;
    for (int32_t i = 0; i < shape.nbDims; i++) tensor->shape[i] = shape.d[i];
    return true;
}

bool tensor(void *engine, int32_t index, AndonTrtTensor *tensor) {
    auto &e = *static_cast<Engine *>(engine)->engine;
    tensor->name = e.getIOTensorName(index);
    if (!tensor->name) return false;
    tensor->input = e.getTensorIOMode(tensor->name) == TensorIOMode::kINPUT;
    tensor->type = static_cast<int32_t>(e.getTensorDataType(tensor->name));
    return describe(e.getTensorShape(tensor->name), tensor);
}

void *context(void *engine, char *why, size_t room) {
    auto *e = static_cast<Engine *>(engine);
    e->library->log.clear();
#ifdef ANDON_RTX
    // At once, not in the background while others stand in for them: a recorded graph would keep those for ever.
    std::unique_ptr<IRuntimeConfig> config(e->engine->createRuntimeConfig());
    if (config) config->setDynamicShapesKernelSpecializationStrategy(DynamicShapesKernelSpecializationStrategy::kEAGER);
    void *made = config ? e->engine->createExecutionContext(config.get()) : e->engine->createExecutionContext();
#else
    void *made = e->engine->createExecutionContext();
#endif
    if (!made) e->library->log.explain(why, room, "no memory for its scratch space");
    return made;
}

void end_context(void *context) { delete static_cast<IExecutionContext *>(context); }

bool set_shape(void *context, const char *name, int32_t rank, const int64_t *shape) {
    return static_cast<IExecutionContext *>(context)->setInputShape(name, dims(rank, shape));
}

bool shape(void *context, const char *name, AndonTrtTensor *tensor) {
    tensor->name = name;
    return describe(static_cast<IExecutionContext *>(context)->getTensorShape(name), tensor);
}

bool set_address(void *context, const char *name, uint64_t address) {
    return static_cast<IExecutionContext *>(context)->setTensorAddress(name, reinterpret_cast<void *>(address));
}

bool enqueue(void *context, void *stream) {
    return static_cast<IExecutionContext *>(context)->enqueueV3(static_cast<cudaStream_t>(stream));
}

} // namespace

extern "C" const AndonTrt ANDON_TRT = {open_library, close_library, version, can_build, build,     release, load,        unload,
                                       tensors, tensor, context, end_context, set_shape, shape,   set_address, enqueue};
