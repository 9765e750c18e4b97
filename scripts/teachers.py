"""Writes the files of PyTorch by which the reading of teachers is tested: a state dictionary and a whole module, both in half precision.

    python scripts/teachers.py

Needs torch; the tests need it not.
"""

import importlib.util
import pathlib

import torch

here = pathlib.Path(__file__).resolve().parent
spec = importlib.util.spec_from_file_location("gradients", here / "gradients.py")
gradients = importlib.util.module_from_spec(spec)
spec.loader.exec_module(gradients)

drawn = [(w.detach(), b.detach()) for w, b in gradients.convs(gradients.pdn_shapes("xs"), gradients.Draw(5))]
layers = []
for weight, bias in drawn:
    layer = torch.nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2])
    layer.weight.data, layer.bias.data = weight.half(), bias.half()
    layers += [layer, torch.nn.ReLU()]
network = torch.nn.Sequential(*layers[:-1])
out = here.parent / "crates" / "andon-train" / "reference"
torch.save(network.state_dict(), out / "teacher_state.pt")
torch.save(network, out / "teacher_module.pt")
