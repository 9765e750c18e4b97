#!/usr/bin/env python3
"""Writes crates/andon-train/reference/gradients.json: losses and gradients of every layer and of whole training steps, by PyTorch in float64.

The tests of andon-train compare their own with it and need no PyTorch. Inputs are not stored: both sides draw them from the same generator.
Needs: torch (any build), numpy.   Run: python3 scripts/gradients.py
"""
import json, math, pathlib
import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
MASK = (1 << 64) - 1


def draws(seed, count):
    """`count` numbers of SplitMix64 from 0 up to 1."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.uint64(0x9E3779B97F4A7C15) * np.arange(1, count + 1, dtype=np.uint64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) / float(1 << 53)


class Draw:
    """A generator that is drawn from again and again."""

    def __init__(self, seed):
        self.seed, self.at = seed, 0

    def unit(self, count):
        values = draws((self.seed + self.at * 0x9E3779B97F4A7C15) & MASK, count)
        self.at += count
        return values

    def uniform(self, shape, inputs):
        largest = 1.0 / math.sqrt(inputs)
        values = ((self.unit(math.prod(shape)) * 2 - 1) * largest).astype(np.float32)
        return torch.tensor(values.astype(np.float64)).reshape(shape)


def tensor(seed, shape):
    values = (draws(seed, math.prod(shape)) * 2 - 1).astype(np.float32).astype(np.float64)
    return torch.tensor(values).reshape(shape)


def case(shapes, loss):
    """Loss and gradients of a layer whose inputs have these shapes."""
    inputs = [tensor(i + 1, shape).requires_grad_() for i, shape in enumerate(shapes)]
    y = loss(*inputs)
    if y.dim():
        y = (y * tensor(99, tuple(y.shape))).mean()
    y.backward()
    return {"loss": y.item(), "gradients": [[float(f"{v:.9g}") for v in x.grad.flatten().tolist()] for x in inputs]}


def norm(x, gain, shift):
    return F.batch_norm(x, None, None, gain.flatten(), shift.flatten(), training=True, eps=1e-5)


def hardest(a, b):
    off = (a - b) ** 2
    return off[off >= torch.quantile(off, 0.9)].mean()


def cosine(a, b):
    return (1 - F.cosine_similarity(a, b, dim=1, eps=1e-12)).mean()


def hinge(x):
    return F.relu(0.5 - x).mean() + F.relu(0.5 + x).mean()


def focal(x):
    target = (tensor(50, tuple(x.shape)) > 0).double()
    p = torch.sigmoid(x)
    right = p * target + (1 - p) * (1 - target)
    weight = 0.25 * target + 0.75 * (1 - target)
    return (-weight * (1 - right) ** 2.0 * torch.log(right)).mean()


def positive(f):
    return lambda x: f(x * x + 0.5)


CASES = {
    "conv_few": ([(1, 3, 9, 8), (5, 3, 4, 4), (5,)], lambda x, w, b: F.conv2d(x, w, b)),
    "conv_many": ([(1, 33, 7, 6), (4, 33, 3, 3), (4,)], lambda x, w, b: F.conv2d(x, w, b, padding=1)),
    "conv_stride": ([(1, 4, 11, 10), (6, 4, 4, 4), (6,)], lambda x, w, b: F.conv2d(x, w, b, stride=2, padding=1)),
    "conv_whole": ([(1, 4, 5, 3), (6, 4, 5, 3), (6,)], lambda x, w, b: F.conv2d(x, w, b)),
    "conv_one": ([(1, 34, 5, 3), (6, 34, 1, 1), (6,)], lambda x, w, b: F.conv2d(x, w, b)),
    "conv_batch": ([(3, 4, 7, 7), (5, 4, 3, 3), (5,)], lambda x, w, b: F.conv2d(x, w, b, stride=2)),
    "conv_transpose": ([(1, 4, 4, 5), (4, 6, 3, 3), (6,)], lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2, padding=1)),
    "conv_transpose_batch": ([(2, 3, 4, 4), (3, 2, 4, 4), (2,)], lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2)),
    "average_pool": ([(2, 3, 7, 9)], lambda x: F.avg_pool2d(x, 2)),
    "average_pool_padded": ([(1, 3, 7, 8)], lambda x: F.avg_pool2d(x, 2, padding=1)),
    "linear": ([(5, 7), (3, 7), (3,)], lambda x, w, b: F.linear(x, w, b)),
    "relu": ([(4, 6)], F.relu),
    "leaky_relu": ([(4, 6)], lambda x: F.leaky_relu(x, 0.2)),
    "gelu": ([(4, 6)], F.gelu),
    "sigmoid": ([(4, 6)], torch.sigmoid),
    "softmax": ([(4, 6)], lambda x: F.softmax(x, -1)),
    "log": ([(4, 6)], positive(torch.log)),
    "power": ([(4, 6)], positive(lambda x: x**1.5)),
    "resize_up": ([(2, 2, 3, 4)], lambda x: F.interpolate(x, (8, 9), mode="bilinear")),
    "resize_down": ([(1, 2, 12, 9)], lambda x: F.interpolate(x, (5, 4), mode="bilinear")),
    "channels": ([(2, 5, 2, 3)], lambda x: x[:, 1:4]),
    "concat": ([(2, 2, 3), (2, 1, 3)], lambda a, b: torch.cat([a, b], 1)),
    "batch_norm": ([(2, 3, 4, 5), (1, 3, 1, 1), (1, 3, 1, 1)], norm),
    "batch_norm_rows": ([(8, 3), (1, 3), (1, 3)], norm),
    "arithmetic": ([(3, 4), (3, 4), ()], lambda a, b, s: a * b * 0.5 + (a - s) * s + (s - b)),
    "mean_square": ([(2, 3, 4), (2, 3, 4)], lambda a, b: ((a - b) ** 2).mean()),
    "hardest": ([(1, 4, 9, 7), (1, 4, 9, 7)], hardest),
    "cosine": ([(2, 5, 3), (2, 5, 3)], cosine),
    "hinge": ([(4, 6)], hinge),
    "focal": ([(4, 6)], focal),
}


# -- EfficientAD ----------------------------------------------------------------------------------------------------------------------

NETWORKS = {  # filters, kernel, stride, pool behind it
    "xs": [(32, 4, 2, 0), (64, 4, 2, 0), (64, 3, 1, 0), (64, 3, 1, 0), (64, 3, 1, 0), (96, 1, 1, 0)],
    "s": [(128, 4, 1, 1), (256, 4, 1, 1), (256, 3, 1, 0), (384, 4, 1, 0)],
}
THIN = {"xs": (16, 32, 4), "s": (32, 64, 6)}


def convs(shapes, draw):
    pairs = []
    for shape in shapes:
        inputs = shape[1] * shape[2] * shape[3]
        pairs.append((draw.uniform(shape, inputs).requires_grad_(), draw.uniform(shape[:1], inputs).requires_grad_()))
    return pairs


def pdn_shapes(size):
    channels, shapes = 3, []
    for filters, kernel, _, _ in NETWORKS[size]:
        shapes.append((filters, channels, kernel, kernel))
        channels = filters
    return shapes


def trunk(size, weights, x):
    for (w, b), (_, _, stride, pool) in list(zip(weights, NETWORKS[size]))[:-1]:
        x = F.relu(F.conv2d(x, w, b, stride=stride))
        if pool:
            x = F.avg_pool2d(x, 2)
    return x


def pdn(size, weights, x):
    return F.conv2d(trunk(size, weights, x), *weights[-1])


def autoencoder(size, weights, x, side, grid, masks):
    _, _, stages = THIN[size]
    for w, b in weights[:5]:
        x = F.relu(F.conv2d(x, w, b, stride=2, padding=1))
    x = F.conv2d(x, *weights[5])
    sides = [side // 64 - 1, side // 32, side // 16 - 1, side // 8, side // 4 - 1, side // 2 - 1][:stages]
    for at, (w, b), mask in zip(sides, weights[6:], masks):
        x = F.interpolate(x, (max(at, 1),) * 2, mode="bilinear")
        x = F.relu(F.conv2d(x, w, b, padding=2)) * mask
    x = F.interpolate(x, grid, mode="bilinear")
    w, b = weights[6 + stages]
    x = F.relu(F.conv2d(x, w, b, padding=1))
    w, b = weights[7 + stages]
    return F.conv2d(x, w, b, padding=1)


def step_case(size, side, steps, joined, rate=1e-4):
    few, many, stages = THIN[size]
    teacher = [(w.detach(), b.detach()) for w, b in convs(pdn_shapes(size), Draw(5))]
    draw = Draw(7)
    shapes = pdn_shapes(size)
    student = convs(shapes, draw)
    head2 = convs(shapes[-1:], draw)
    encoder = [(few, 3, 4, 4), (few, few, 4, 4), (many, few, 4, 4), (many, many, 4, 4), (many, many, 4, 4)]
    encoder.append((many, many, side // 32, side // 32))
    decoder = [(many, many, 4, 4)] * stages + [(many, many, 3, 3), (shapes[-1][0], many, 3, 3)]
    auto = convs(encoder + decoder, draw)
    everything = [v for pair in student + head2 + auto for v in pair]
    adam = torch.optim.Adam(everything, lr=rate, weight_decay=1e-5)
    losses, gradients = [], None
    for step in range(steps):
        x, penalty, changed = (tensor(1000 + 10 * step + i, (1, 3, side, side)) for i in range(3))
        if joined:
            changed = x
        says = pdn(size, teacher, x)
        grid = tuple(says.shape[2:])
        count = says.numel()
        off = (says - pdn(size, student, x)) ** 2
        kept = off[off >= torch.topk(off.flatten(), count - math.ceil(0.999 * (count - 1) - 1e-9)).values.min()]
        hard = kept.mean()
        pen = (pdn(size, student, penalty) ** 2).mean()
        shown = says if joined else pdn(size, teacher, changed)
        sides = [side // 64 - 1, side // 32, side // 16 - 1, side // 8, side // 4 - 1, side // 2 - 1][:stages]
        masks = []
        for i, at in enumerate(sides):
            shape = (1, many, max(at, 1) + 1, max(at, 1) + 1)
            kept = draws(2000 + 10 * step + i, math.prod(shape)) >= 0.2
            masks.append(torch.tensor(kept * np.float64(np.float32(1.25))).reshape(shape))
        guess = autoencoder(size, auto, changed, side, grid, masks)
        square = ((guess - shown) ** 2).mean()
        second = F.conv2d(trunk(size, student, changed), *head2[0])
        agreed = ((guess - second) ** 2).mean()
        loss = hard + pen + square + agreed
        adam.zero_grad()
        loss.backward()
        losses.append([v.item() for v in (hard, pen, square, agreed)])
        if step == 0:
            gradients = []
            for v in everything:
                g = v.grad.flatten()
                at = [(17 * i) % g.numel() for i in range(8)]
                gradients.append({"largest": g.abs().max().item(), "norm": g.norm().item(), "at": at, "values": g[at].tolist()})
        adam.step()
    return {"losses": losses, "gradients": gradients}


def main():
    out = {"layers": {name: case(*spec) for name, spec in CASES.items()}}
    out["steps"] = {
        "xs": step_case("xs", 128, 20, joined=True),
        "s": step_case("s", 128, 20, joined=False),
    }
    path = pathlib.Path(__file__).parent.parent / "crates/andon-train/reference/gradients.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(out, separators=(",", ":")) + "\n")
    print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
