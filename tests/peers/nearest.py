"""Exact nearest neighbours by faiss and numpy, for `cargo bench --bench nearest`.

    python nearest.py DIR DIM THREADS

Reads `rows` and `queries` (f32) from DIR, prints the median ms of faiss's IndexFlatL2 and of numpy, and writes faiss's neighbours
to `found` (u32 row, f32 squared distance).
"""
import pathlib
import sys
import time

import faiss
import numpy as np

folder, dim, threads = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
rows = np.fromfile(folder / "rows", np.float32).reshape(-1, dim)
queries = np.fromfile(folder / "queries", np.float32).reshape(-1, dim)
faiss.omp_set_num_threads(threads)
index = faiss.IndexFlatL2(dim)
index.add(rows)
norms = (rows * rows).sum(1)


def by_numpy():
    return (norms[None] - 2 * (queries @ rows.T)).argmin(1)


def median_ms(work, budget=1.5):
    start = time.perf_counter()
    work()
    once = time.perf_counter() - start
    times = []
    for _ in range(min(31, max(3, int(budget / once))) | 1):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2] * 1e3


distances, found = index.search(queries, 1)
result = np.empty(len(queries), dtype=[("row", "<u4"), ("distance", "<f4")])
result["row"], result["distance"] = found[:, 0], distances[:, 0]
result.tofile(folder / "found")
print(median_ms(lambda: index.search(queries, 1)), median_ms(by_numpy))
