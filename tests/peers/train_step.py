"""Milliseconds of EfficientAD's training step in PyTorch: train_step.py SIZE FORM SIDE STEPS THREADS. Prints the median. Needs torch and numpy.

The same passes as andon-train: half of the student's last convolution where only half is read.
"""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "scripts"))
import gradients as ref  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

size, form, side, steps, threads = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
torch.set_num_threads(threads)
torch.set_default_dtype(torch.float32)
few, many, stages = ref.THIN[size]


def single(pairs):
    return [tuple(v.detach().float().requires_grad_() for v in pair) for pair in pairs]


shapes = ref.pdn_shapes(size)
teacher = [(w.detach(), b.detach()) for w, b in single(ref.convs(shapes, ref.Draw(5)))]
student, head2 = single(ref.convs(shapes, ref.Draw(7))), single(ref.convs(shapes[-1:], ref.Draw(8)))
encoder = [(few, 3, 4, 4), (few, few, 4, 4), (many, few, 4, 4), (many, many, 4, 4), (many, many, 4, 4)]
encoder.append((many, many, side // 32, side // 32))
decoder = [(many, many, 4, 4)] * stages + [(many, many, 3, 3), (shapes[-1][0], many, 3, 3)]
auto = single(ref.convs(encoder + decoder, ref.Draw(9)))
everything = [v for pair in student + head2 + auto for v in pair]
adam = torch.optim.Adam(everything, lr=1e-4, weight_decay=1e-5)
sides = [side // 64 - 1, side // 32, side // 16 - 1, side // 8, side // 4 - 1, side // 2 - 1][:stages]
small = side // 2 if form == "joined" else side
taken = []
for step in range(steps):
    x, penalty, changed = torch.randn(1, 3, side, side), torch.randn(1, 3, small, small), torch.randn(1, 3, side, side)
    start = time.perf_counter()
    with torch.no_grad():
        says = ref.pdn(size, teacher, x)
        count = says.numel() // 1000
    seen = ref.trunk(size, student, x)
    off = (F.conv2d(seen, *student[-1]) - says) ** 2
    loss = off[off >= torch.topk(off.flatten(), count + 1).values.min()].mean()
    loss = loss + (ref.pdn(size, student, penalty) ** 2).mean()
    if form == "joined":
        changed, shown = x, says
    else:
        with torch.no_grad():
            shown = ref.pdn(size, teacher, changed)
        seen = ref.trunk(size, student, changed)
    masks = [(torch.rand(1, many, max(s, 1) + 1, max(s, 1) + 1) >= 0.2).float() * 1.25 for s in sides]
    guess = ref.autoencoder(size, auto, changed, side, tuple(says.shape[2:]), masks)
    loss = loss + ((guess - shown) ** 2).mean() + ((guess - F.conv2d(seen, *head2[0])) ** 2).mean()
    adam.zero_grad()
    loss.backward()
    adam.step()
    taken.append(time.perf_counter() - start)
print(f"{1e3 * sorted(taken[1:])[len(taken[1:]) // 2]:.1f}")
