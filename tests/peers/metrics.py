"""Evaluation metrics by other means than andon's: scikit-learn, and the published definitions of AUPRO and AUPIMO written
down slowly, threshold by threshold, with numpy and scipy in f64.

    metrics.py DIR

Reads `maps.npy` [n, h, w], `masks.npy` [n, h, w] and `scores.npy` [n] (a picture is defective if `bad.npy` says so), writes
`metrics.json`.
"""
import json
import pathlib
import sys

import numpy as np
from scipy.integrate import quad
from scipy.ndimage import label
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

folder = pathlib.Path(sys.argv[1])
maps, masks = np.load(folder / "maps.npy").astype(np.float64), np.load(folder / "masks.npy") > 0
scores, bad = np.load(folder / "scores.npy").astype(np.float64), np.load(folder / "bad.npy") > 0


def aupro(limit):
    regions = []
    for index, mask in enumerate(masks):
        labelled, count = label(mask, structure=np.ones((3, 3)))
        regions += [(index, labelled == n) for n in range(1, count + 1)]
    rates, overlaps = [0.0], [0.0]
    for threshold in np.unique(maps)[::-1]:
        found = maps >= threshold
        rates.append((found & ~masks).sum() / (~masks).sum())
        overlaps.append(np.mean([found[i][region].mean() for i, region in regions]))
    rates, overlaps = np.array(rates), np.array(overlaps)
    inside = rates <= limit
    x, y = rates[inside], overlaps[inside]
    if x[-1] < limit:
        beyond = np.argmax(~inside)
        share = (limit - x[-1]) / (rates[beyond] - x[-1])
        x, y = np.append(x, limit), np.append(y, y[-1] + share * (overlaps[beyond] - y[-1]))
    return np.trapezoid(y, x) / limit


def aupimo(low=1e-5, high=1e-4):
    good = maps[~bad]
    thresholds = np.unique(good)[::-1]
    rates = np.array([0.0] + [np.mean([(g >= t).mean() for g in good]) for t in thresholds])
    result = []
    for image, mask in zip(maps[bad], masks[bad]):
        if not mask.any():
            continue
        inside = image[mask]
        recall = [(inside > thresholds[0]).mean()] + [(inside >= t).mean() for t in thresholds]
        knots = rates[(rates > low) & (rates < high)]
        edges = np.concatenate([[low], knots, [high]])
        area = sum(
            quad(lambda z: np.interp(np.exp(z), rates, recall), np.log(a), np.log(b), epsabs=1e-12)[0]
            for a, b in zip(edges, edges[1:])
            if b > a
        )
        result.append(area / np.log(high / low))
    return float(np.mean(result))


precision, recall, _ = precision_recall_curve(bad, scores)
f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
# A defective picture with an empty mask has no truth for its pixels.
keep = ~bad | masks.any(axis=(1, 2))
maps, masks, bad_of = maps[keep], masks[keep], bad
bad = bad[keep]
(folder / "metrics.json").write_text(json.dumps({
    "auroc": roc_auc_score(bad_of, scores),
    "average_precision": average_precision_score(bad_of, scores),
    "f1_max": float(f1.max()),
    "pixel_auroc": roc_auc_score(masks.ravel(), maps.ravel()),
    "pixel_average_precision": average_precision_score(masks.ravel(), maps.ravel()),
    "aupro_30": aupro(0.3),
    "aupro_5": aupro(0.05),
    "aupimo": aupimo(),
}))
