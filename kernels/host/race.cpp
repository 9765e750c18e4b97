// Launches the kernels that share memory between threads, with shapes that do not fit their tiles, for ThreadSanitizer
// (scripts/kernels-race.sh). What they compute is compared elsewhere.
#include "../andon.cu"
#include "../matrix.cu"

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
    std::vector<int> slots(35);
    for (int i = 0; i < 35; i++) slots[i] = i;
    launch({2, 2}, {32, 8}, aggregate, map.data(), 9, 5, 7, 3, 1.0f, 5, 7, slots.data(), 1, 35, 9, 0, patches.data());

    std::vector<uint16_t> query_halves(70 * 64), bank_halves(130 * 64);
    std::vector<float> query_norms(70), query_errors(70), bank_norms(130), bank_errors(130), low(70 * 3), tile(3, 100.0f);
    std::vector<uint32_t> high(70, 0x7f800000);
    launch({9}, {32, 8}, matrix_rows, queries.data(), 70, 20, 64, 1.0f, query_halves.data(), query_norms.data(), query_errors.data());
    launch({17}, {32, 8}, matrix_rows, bank.data(), 130, 20, 64, 1.0f, bank_halves.data(), bank_norms.data(), bank_errors.data());
    launch({1, 2}, {256}, matrix_bounds, query_halves.data(), query_norms.data(), 70, bank_halves.data(), bank_norms.data(), 130, 64,
           tile.data(), tile.data(), 3, 1e-5f, low.data(), high.data());
    launch({9}, {32, 8}, matrix_rank, queries.data(), 70, bank.data(), 130, 20, low.data(), high.data(), query_errors.data(), 3,
           best.data());

    auto features = values(6 * 40), mean = values(6 * 40), inverse = values(6 * 40 * 40);
    std::vector<float> distances(6);
    launch({1, 1}, {32, 8}, gauss_diagonal, features.data(), 6, 40, mean.data(), inverse.data(), distances.data());
    launch({6, 1}, {32, 8}, gauss_full, features.data(), 6, 40, mean.data(), inverse.data(), distances.data());
    return 0;
}
