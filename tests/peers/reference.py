"""Independent references for the tests, one per sub-command. Arrays come and go as .npy files in a folder.

    reference.py resize DIR      cases.json + *.npy -> *_out.npy, by Pillow
    reference.py network DIR     model.onnx, input.npy -> NAME.npy for each output, by ONNX Runtime
    reference.py methods DIR     train.npy, test.npy, grid.npy, what each chose -> METHOD_distances.npy, by numpy, scipy, scikit-learn
    reference.py differences DIR picture.npy, x_hat.npy, z0.npy, z1.npy, det0.npy, det1.npy -> MEASURE.npy, by numpy and scipy
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


def differences():
    """Measures of a reconstruction, from their papers, of pictures in 0..1; and the likelihood of a flow's latents."""
    from scipy.ndimage import correlate, correlate1d

    mean, deviation = (np.array(v).reshape(3, 1, 1) for v in ([0.4, 0.5, 0.6], [0.2, 0.25, 0.3]))
    given = (load("picture").astype(np.float64) / 255 - mean) / deviation
    made = load("x_hat").astype(np.float64)[0]
    save("squared", ((given - made) ** 2).mean(0))
    lengths = np.sqrt((given**2).sum(0) * (made**2).sum(0))
    save("cosine", 1 - (given * made).sum(0) / (lengths + 1e-8))
    a, b = (v * deviation + mean for v in (given, made))
    window = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window /= window.sum()
    blur = lambda v: correlate1d(correlate1d(v, window, 1, mode="mirror"), window, 2, mode="mirror")
    ma, mb = blur(a), blur(b)
    va, vb, ab = blur(a * a) - ma**2, blur(b * b) - mb**2, blur(a * b) - ma * mb
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * ma * mb + c1) * (2 * ab + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
    save("ssim", 1 - similarity.mean(0))
    kernel = np.array([[1, 0, -1]] * 3) / 3
    planes, all_of = [v.mean(0) for v in (a, b)], []
    height, width = planes[0].shape
    for _ in range(4):
        if min(planes[0].shape) < 8:
            break
        p, q = (np.hypot(*(correlate(v, k, mode="mirror") for k in (kernel, kernel.T))) for v in planes)
        all_of.append(upsample(((2 * p * q + 0.0026) / (p**2 + q**2 + 0.0026))[None], height, width)[0])
        planes = [v[: v.shape[0] // 2 * 2, : v.shape[1] // 2 * 2] for v in planes]
        planes = [v.reshape(v.shape[0] // 2, 2, v.shape[1] // 2, 2).mean((1, 3)) for v in planes]
    save("gradients", 1 - np.mean(all_of, 0))
    likelihoods = []
    for z, determinant in ((load("z0"), load("det0")), (load("z1"), load("det1"))):
        z, determinant = z.astype(np.float64)[0], determinant.astype(np.float64).reshape(-1)
        determinant = determinant.reshape(z.shape[1:]) if determinant.size > 1 else determinant
        likelihoods.append(upsample(((z**2).mean(0) / 2 - determinant / len(z))[None], height, width)[0])
    save("latents", np.mean(likelihoods, 0))


def nearest(x, rows):
    from scipy.spatial.distance import cdist

    return cdist(x, rows).min(axis=1)


def subspace(train, test):
    """All patches' mean and covariance; the directions that explain 99 % of the variance are taken out, what is left is the distance."""
    flat = train.reshape(-1, train.shape[2])
    mean = flat.mean(0)
    values, vectors = np.linalg.eigh(np.cov(flat, rowvar=False))
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = np.searchsorted(np.cumsum(values), 0.99 * values.sum()) + 1
    basis = vectors[:, :kept]
    centred = test - mean
    return np.linalg.norm(centred - centred @ basis @ basis.T, axis=2)


def fastrecon(train, test):
    """The paper's regression, solved for each picture as its code does, with the ridge that keeps it solvable."""
    rows, pull = load("fastrecon_rows").astype(np.float64), 2.0
    products = rows @ rows.T
    products += 1e-6 * np.trace(products) / len(rows) * np.eye(len(rows))
    out = []
    for x in test:
        weights = np.linalg.solve((1 + pull) * products, ((x + pull * train.mean(0)) @ rows.T).T).T
        out.append(np.linalg.norm(x - weights @ rows, axis=1))
    return np.array(out)


def spade(train, test):
    """Every picture is kept; the three most alike, by their mean patches; places at most one column and row away."""
    side = load("grid").astype(int)[0]
    at = np.stack(np.divmod(np.arange(train.shape[1]), side), 1)
    out = np.empty(test.shape[:2])
    for n, x in enumerate(test):
        alike = np.argsort(np.linalg.norm(train.mean(1) - x.mean(0), axis=1), kind="stable")[:3]
        for cell in range(len(x)):
            near = np.abs(at - at[cell]).max(1) <= 1
            out[n, cell] = nearest(x[cell:cell + 1], train[alike][:, near].reshape(-1, x.shape[1]))[0]
    return out


def fapm(train, test):
    """Banks large enough for all patches, so that only the regions tell: two a side of the grid, each searched alone."""
    columns, rows = load("grid").astype(int)
    region = lambda i, side: i * 2 // side
    of = np.array([region(c // columns, rows) * 2 + region(c % columns, columns) for c in range(train.shape[1])])
    out = np.empty(test.shape[:2])
    for n, x in enumerate(test):
        for r in range(4):
            out[n, of == r] = nearest(x[of == r], train[:, of == r].reshape(-1, x.shape[1]))
    return out


def pni(train, test):
    """Places found out anew for the bank that was chosen; then every row of it by distance, the first that belongs."""
    from scipy.spatial.distance import cdist

    bank, side = load("pni_bank").astype(np.float64), load("grid").astype(int)[0]
    cells = train.shape[1]
    at = np.stack(np.divmod(np.arange(cells), side), 1)
    belongs = np.zeros((len(bank), cells), bool)
    for x in train:
        for cell, row in enumerate(cdist(x, bank).argmin(1)):
            belongs[row] |= np.abs(at - at[cell]).max(1) <= 1
    out = np.empty(test.shape[:2])
    for n, x in enumerate(test):
        for cell, distances in enumerate(cdist(x, bank)):
            order = np.argsort(distances)[:9]
            first = [row for row in order if belongs[row, cell]]
            out[n, cell] = distances[first[0] if first else order[-1]]
    return out


def inreach(train, test):
    """Channels by mutual nearest neighbours, written down as sets; the survivors are the bank."""
    from scipy.spatial.distance import cdist

    kept = set()
    for seed in range(min(4, len(train))):
        channels = [[(seed, cell)] for cell in range(train.shape[1])]
        for other in range(len(train)):
            if other == seed:
                continue
            distances = cdist(train[seed], train[other])
            there, back = distances.argmin(1), distances.argmin(0)
            for cell, found in enumerate(there):
                if back[found] == cell:
                    channels[cell].append((other, found))
        for channel in channels:
            if len(channel) <= 3:
                continue
            members = np.array([train[i, c] for i, c in channel])
            distances = np.linalg.norm(members - members.mean(0), axis=1)
            inside = distances <= distances.mean() + 5 * distances.std()
            kept |= {member for member, ok in zip(channel, inside) if ok}
    save("inreach_kept", np.array(len(kept), np.float64))
    bank = np.array([train[i, c] for i, c in sorted(kept)])
    return np.array([nearest(x, bank) for x in test])


def softpatch(train, test):
    """Local outlier factors by scikit-learn, place by place; the highest 15 % stay out; distances times the factor of what they land on."""
    from scipy.spatial.distance import cdist
    from sklearn.neighbors import LocalOutlierFactor

    factors = np.stack([
        -LocalOutlierFactor(n_neighbors=6).fit(train[:, cell]).negative_outlier_factor_ for cell in range(train.shape[1])
    ], 1)
    kept = int(factors.size * (1 - 0.15))
    inside = factors <= np.sort(factors, None)[kept - 1]
    bank, weights = train[inside], factors[inside].clip(0.25, 4)
    save("softpatch_kept", np.array(len(bank), np.float64))
    out = np.empty(test.shape[:2])
    for n, x in enumerate(test):
        distances = cdist(x, bank)
        out[n] = distances.min(1) * weights[distances.argmin(1)]
    return out


def sinbad(train, test):
    """Shares of patches below thresholds along given directions, whitened by scikit-learn's shrunk covariance of each size of part; nearest description, in multiples of what is usual
    between good pictures; the mean over the parts that a place lies in."""
    from scipy.spatial.distance import cdist
    from sklearn.covariance import ShrunkCovariance

    directions, thresholds = (load(f"sinbad_{n}").astype(np.float64) for n in ("projections", "thresholds"))
    along = train.reshape(-1, train.shape[2]) @ directions.T
    low, high = np.quantile(along, [0.01, 0.99], axis=0)
    steps = np.arange(1, thresholds.shape[1] + 1) / (thresholds.shape[1] + 1)
    assert np.allclose(thresholds, low[:, None] + (high - low)[:, None] * steps, rtol=1e-5, atol=1e-5)
    columns, rows = load("grid").astype(int)
    half = lambda side, quarter: (side * quarter // 4, -(-side * (quarter + 2) // 4))
    spans = [((0, columns), (0, rows))]
    spans += [(half(columns, x), half(rows, y)) for y in range(3) for x in range(3)]
    cells = np.arange(train.shape[1])
    inside = [
        (cells % columns >= x[0]) & (cells % columns < x[1]) & (cells // columns >= y[0]) & (cells // columns < y[1])
        for x, y in spans
    ]
    describe = lambda part: ((part @ directions.T)[:, :, None] <= thresholds).mean(0).ravel()
    good = [np.array([describe(x[mask]) for x in train]) for mask in inside]
    out = np.zeros(test.shape[:2])
    for group in (range(1), range(1, 10)):
        centred = np.concatenate([good[n] - good[n].mean(0) for n in group])
        fitted = ShrunkCovariance(shrinkage=0.1, assume_centered=True).fit(centred)
        between = lambda a, b: cdist(a, b, "mahalanobis", VI=np.linalg.inv(fitted.covariance_))
        for n in group:
            apart = between(good[n], good[n])
            np.fill_diagonal(apart, np.inf)
            usual = apart.min(1).mean()
            for k, x in enumerate(test):
                out[k, inside[n]] += between([describe(x[inside[n]])], good[n]).min() / usual
    return out / np.sum(inside, 0)


def methods():
    train, test = (load(n).astype(np.float64) for n in ("train", "test"))
    for method in (subspace, fastrecon, spade, fapm, pni, inreach, softpatch, sinbad):
        save(f"{method.__name__}_distances", method(train, test))


{"methods": methods, "resize": resize, "network": network, "differences": differences, "patchcore": patchcore, "padim": padim}[sys.argv[1]]()
