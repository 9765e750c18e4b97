"""Other people's exports: the pictures of a set of cases, and how far outputs are from what is expected at the set's fixed positions.

    conformance.py pictures SET OUT     OUT/CASE/RUN_ITEM.npy, pictures as bytes [rows, columns, 3]
    conformance.py compare SET OUT      OUT/CASE/ENGINE.json lists values, OUT/CASE/ENGINE_RUN_NUMBER.npy has them -> OUT/compared.json
"""
import importlib.util
import json
import pathlib
import sys

import numpy as np

known, out = pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
spec = importlib.util.spec_from_file_location("fill", known / "fill.py")
fill = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fill)
# A few units of f32 at 1: 1 less something near 1 is rounded as 1 is, however small it comes out.
ROUNDED = 5e-7


def cases():
    return sorted(path.parent for path in known.glob("*/expected.json"))


def pictures():
    for case in cases():
        feeds = json.loads((case / "meta.json").read_text())["feeds"]
        feed = next(feed for feed in feeds if feed["kind"] == "picture")
        (out / case.name).mkdir(parents=True, exist_ok=True)
        for run in range(3):
            for item in range(feed.get("batch", 1)):
                picture = fill.picture(3 * (feed["seed"] + item) + run, feed["height"], feed["width"])
                np.save(out / case.name / f"{run}_{item}.npy", picture)


def off(got, want, whole, allowed, cells):
    """In shares of what is allowed. Of whole numbers, and of `cells` that a rounded tie turns into another each, 2 % of the places may differ."""
    if whole:
        return float(np.mean(np.round(got) != want)) / 0.02
    limit = max(max(np.abs(want).max(), 1e-12) * allowed, ROUNDED)
    if cells and want.size > 4:
        return float(np.mean(np.abs(got - want) > limit)) / 0.02
    return float(np.abs(got - want).max() / limit)


def compare():
    found = {}
    for case in cases():
        expected = json.loads((case / "expected.json").read_text())
        exact = np.load(case / "expected.npz")
        cells = "share of equal cells" in " ".join(json.loads((case / "meta.json").read_text()).get("odd", []))
        for listed in sorted((out / case.name).glob("*.json")):
            worst = {}
            for number, value in enumerate(json.loads(listed.read_text())):
                name, raw = value["output"], value["raw"]
                for run in range(3):
                    record = expected["runs"][run][name]
                    want = exact[f"{run}/{name}"].astype(np.float64)
                    got = np.load(out / case.name / f"{listed.stem}_{run}_{number}.npy").astype(np.float64)
                    assert got.size == np.prod(record["shape"]), (case.name, name, got.shape, record["shape"])
                    got = got.reshape(-1)[fill.positions(got.size)]
                    largest = [record[end] for end in ("min", "max") if end in record]
                    if raw:
                        # What was clamped says nothing of the value before.
                        inside = (want > 0) & (want < 1)
                        if not inside.any():
                            continue
                        want, got = (want[inside] - 0.5) * raw["range"] + raw["threshold"], got[inside]
                        largest = [(end - 0.5) * raw["range"] + raw["threshold"] for end in largest]
                    scale = np.append(want, largest) if largest else want
                    padded = np.concatenate([got, scale[len(want):]])
                    whole = record["dtype"] == "bool" or "int" in record["dtype"]
                    share = off(padded, scale, whole, max(1e-4, record.get("tolerance", 0)), cells)
                    worst[value["value"]] = max(worst.get(value["value"], 0), share)
            found[f"{case.name} {listed.stem}"] = worst
    (out / "compared.json").write_text(json.dumps(found))


{"pictures": pictures, "compare": compare}[sys.argv[1]]()
