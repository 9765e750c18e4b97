"""anomalib's greedy coreset, for `cargo bench --bench coreset`.

    python coreset.py POINTS DIM K FIRST

Reads f32 points, prints seconds and the chosen indices. The projection is replaced by the identity, so that both sides work in
the same space; the selection itself is anomalib's.
"""
import sys
import time

import numpy as np
import torch
from anomalib.models.components.sampling import KCenterGreedy

points = torch.from_numpy(np.fromfile(sys.argv[1], np.float32).reshape(-1, int(sys.argv[2])))
count, first = int(sys.argv[3]), int(sys.argv[4])
sampler = KCenterGreedy(embedding=points, sampling_ratio=count / len(points))


class Identity:
    def fit(self, values):
        return self

    def transform(self, values):
        return values


sampler.model = Identity()
torch.randint = lambda **_: torch.tensor([first])  # the same first point as ours
start = time.perf_counter()
chosen = sampler.select_coreset_idxs()
print(time.perf_counter() - start, *[int(i) for i in chosen])
