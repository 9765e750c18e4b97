"""Image AUROC of a model on a data set in MVTec layout, by scikit-learn.

    andon inspect --json --any-size part.andon DATASET/test/* | python tests/peers/auroc.py

Reads the lines of `andon inspect`; a picture is good if its folder is called `good`. Prints the AUROC over all pictures and
of each kind of defect against the good ones.
"""
import collections
import json
import pathlib
import sys

from sklearn.metrics import roc_auc_score

scores = collections.defaultdict(list)
for line in sys.stdin:
    record = json.loads(line)
    if record["score"] is None:
        sys.exit(f"no score for {record['image']}: {record.get('error')}")
    scores[pathlib.Path(record["image"]).parent.name].append(record["score"])

good = scores.pop("good")
bad = [s for kind in scores.values() for s in kind]


def auroc(defects):
    return roc_auc_score([0] * len(good) + [1] * len(defects), good + defects)


print(f"{'all':<12} {auroc(bad):.4f}  {len(good)} good, {len(bad)} defective")
for kind, values in sorted(scores.items()):
    print(f"{kind:<12} {auroc(values):.4f}  {len(values)}")
