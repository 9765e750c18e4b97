// Launches the kernels that share memory between threads, with shapes that do not fit their tiles, for ThreadSanitizer
// (scripts/kernels-race.sh). What they compute is compared elsewhere.
#include "../andon.cu"

template <class... A>
static void launch(dim3 grid, dim3 block, void (*kernel)(A...), std::type_identity_t<A>... arguments) {
    host::launch(grid, block, [=] { kernel(arguments...); });
}

static std::vector<float> values(size_t n) {
    std::vector<float> all(n);
    uint32_t state = 1;
    for (float& v : all) v = (float)((state = state * 1664525u + 1013904223u) >> 8) / 8388608.0f - 1.0f;
    return all;
}

int main() {
    auto queries = values(70 * 20), bank = values(130 * 20);
    std::vector<uint64_t> best(70, NO_ROW), lists(2 * 70 * 3);
    launch({2, 2}, {16, 16}, nearest, queries.data(), 70, bank.data(), 130, 20, 64, best.data());
    launch({2, 2}, {16, 16}, nearest_k, queries.data(), 70, bank.data(), 130, 20, 64, 3, lists.data());

    auto map = values(9 * 5 * 7);
    std::vector<float> patches(5 * 7 * 9);
    launch({2, 2}, {32, 8}, aggregate, map.data(), 9, 5, 7, 3, 1.0f, 5, 7, 9, 0, patches.data());

    auto features = values(6 * 40), mean = values(6 * 40), inverse = values(6 * 40 * 40);
    std::vector<float> distances(6);
    launch({1, 1}, {32, 8}, gauss_diagonal, features.data(), 6, 40, mean.data(), inverse.data(), distances.data());
    launch({6, 1}, {32, 8}, gauss_full, features.data(), 6, 40, mean.data(), inverse.data(), distances.data());

    std::vector<uint32_t> cells(400), labels(400), next(400);
    for (uint32_t i = 0; i < 400; i++) cells[i] = i;
    auto scores = values(400);
    std::vector<float> range(2);
    std::vector<Found> found(400);
    launch({1, 1}, {256}, score_range, scores.data(), cells.data(), 400, 400, range.data());
    launch({1}, {256}, regions, scores.data(), 20, 20, 0.0f, labels.data(), next.data(), found.data());
    return 0;
}
