// Stands in for NVIDIA's libnvidia-ml.so.1: one card that is too hot, so that it can be seen how that is told. The functions and their
// numbers are those of NVML's published interface.
//
//   g++ -std=c++20 -O2 -shared -fPIC kernels/host/libnvml.cpp -o libnvidia-ml.so.1
#include <cstdio>

#define API extern "C" __attribute__((visibility("default"))) int

API nvmlInit_v2() { return 0; }
API nvmlShutdown() { return 0; }
API nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) { return *device = nullptr, index ? 2 : 0; }
API nvmlDeviceGetName(void*, char* name, unsigned length) { return snprintf(name, length, "CPU emulation"), 0; }
API nvmlDeviceGetTemperature(void*, int, unsigned* celsius) { return *celsius = 93, 0; }
API nvmlDeviceGetClockInfo(void*, int, unsigned* mhz) { return *mhz = 900, 0; }
API nvmlDeviceGetMaxClockInfo(void*, int, unsigned* mhz) { return *mhz = 1980, 0; }
// Software thermal slowdown, and the power limit.
API nvmlDeviceGetCurrentClocksThrottleReasons(void*, unsigned long long* reasons) { return *reasons = 0x20 | 0x4, 0; }
