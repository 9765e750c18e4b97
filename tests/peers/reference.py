"""Independent references for the tests, one per sub-command. Arrays come and go as .npy files in a folder.

    reference.py resize DIR      cases.json + *.npy -> *_out.npy, by Pillow
    reference.py network DIR     model.onnx, input.npy -> NAME.npy for each output, by ONNX Runtime
    reference.py patchcore DIR   stride8.npy, stride16.npy, bank.npy -> features, distances, map, score, by numpy and scipy
"""
import json
import pathlib
import sys

import numpy as np

folder = pathlib.Path(sys.argv[2])


def load(name):
    return np.load(folder / f"{name}.npy")


def save(name, array):
    np.save(folder / f"{name}.npy", np.ascontiguousarray(array))


def resize():
    from PIL import Image

    for case in json.loads((folder / "cases.json").read_text()):
        picture = Image.fromarray(load(case["name"]))
        out = picture.resize((case["width"], case["height"]), Image.Resampling.BILINEAR)
        save(case["name"] + "_out", np.asarray(out.convert("RGB")))


def network():
    import onnxruntime

    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    for name, value in zip(names, session.run(names, {session.get_inputs()[0].name: load("input")})):
        save(name, value)


def upsample(planes, height, width):
    """Bilinear with half-pixel centres, straight from the definition, in float64."""
    def taps(n_in, n_out):
        at = np.maximum((np.arange(n_out) + 0.5) * n_in / n_out - 0.5, 0)
        low = np.minimum(at.astype(int), n_in - 1)
        return low, np.minimum(low + 1, n_in - 1), at - low

    y0, y1, ty = taps(planes.shape[1], height)
    x0, x1, tx = taps(planes.shape[2], width)
    rows = planes[:, y0] * (1 - ty)[None, :, None] + planes[:, y1] * ty[None, :, None]
    return rows[:, :, x0] * (1 - tx) + rows[:, :, x1] * tx


def patchcore():
    from scipy.ndimage import gaussian_filter, uniform_filter
    from scipy.spatial.distance import cdist

    fine, coarse, bank = (load(n).astype(np.float64) for n in ("stride8", "stride16", "bank"))
    pooled = [
        np.stack([uniform_filter(plane, 3, mode="constant", cval=0.0) for plane in planes[0]])
        for planes in (fine, coarse)
    ]
    height, width = pooled[0].shape[1:]
    features = np.concatenate([pooled[0], upsample(pooled[1], height, width)])
    features = features.reshape(len(features), -1).T
    distances = cdist(features, bank).min(axis=1)
    save("features", features.astype(np.float32))
    save("distances", distances)
    save("score", distances.max())
    anomaly = gaussian_filter(distances.reshape(height, width), 1.5, mode="reflect", truncate=4.0)
    save("map", anomaly)
    save("heatmap", upsample(anomaly[None], 256, 256)[0])


def padim():
    """As anomalib's MultiVariateGaussian: unbiased covariance plus 0.01 and 1e-5 on the diagonal, inverted; Mahalanobis distance by place."""
    train, test = (load(n).astype(np.float64) for n in ("train", "test"))
    for name in ("full", "diagonal"):
        channels = load(f"{name}_channels").astype(int)
        x, y = train[:, :, channels], test[:, :, channels]
        distances = np.empty(y.shape[:2])
        for cell in range(x.shape[1]):
            covariance = np.cov(x[:, cell], rowvar=False)
            if name == "diagonal":
                covariance = np.diag(np.diag(covariance))
            inverse = np.linalg.inv(covariance + (0.01 + 1e-5) * np.eye(len(channels)))
            difference = y[:, cell] - x[:, cell].mean(0)
            distances[:, cell] = np.sqrt(np.einsum("ni,ij,nj->n", difference, inverse, difference))
        save(f"{name}_distances", distances)


{"resize": resize, "network": network, "patchcore": patchcore, "padim": padim}[sys.argv[1]]()
