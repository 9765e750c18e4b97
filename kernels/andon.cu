// Every kernel in one module.
#include "prepare.cu"
#include "aggregate.cu"
#undef CELLS
#undef CHANNELS
#include "nearest.cu"
#include "gauss.cu"
#include "score.cu"
