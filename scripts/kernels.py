#!/usr/bin/env python3
"""Builds kernels/prebuilt/*.ptx and *.cubin from kernels/*.cu, or checks that they are what the sources give.

    scripts/kernels.py COMPILERS [--check]

COMPILERS is a folder into which `pip install --target` has put the packages of kernels/requirements-*.txt. NVRTC 11.8 compiles for compute
capability 5.3, and 7.0 where there are tensor cores; its PTX says version 7.8, which drivers before CUDA 11.8 refuse (JetPack 5 has 11.4).
Nothing in these kernels needs more than version 6.0 or 6.3, so that is what the files say, and ptxas of CUDA 11.8, 12.9 and 13.x proves it
for cards from Maxwell's successors to Blackwell. Cubins are the same PTX compiled for common cards, so that their drivers need not.
"""
import ctypes
import difflib
import glob
import os
import re
import subprocess
import sys
import tempfile

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
# Source, the least compute capability that it is for, and the least version of PTX that it needs.
MODULES = {"andon": ("compute_53", "6.0"), "matrix": ("compute_70", "6.3")}
# Which ptxas has to accept it for which cards: Xavier, Turing, Ampere, Orin, Ada, Hopper; Blackwell and Thor.
CARDS = {
    "cu11": ["sm_72", "sm_75", "sm_80", "sm_86", "sm_87", "sm_89", "sm_90"],
    "cu12": ["sm_72", "sm_75", "sm_87", "sm_90", "sm_100", "sm_120"],
    "cu13": ["sm_75", "sm_87", "sm_90", "sm_110", "sm_120"],
}
# Cards with cubins, and the oldest ptxas that makes them: drivers take those of their own generation of CUDA and of earlier ones.
# crates/andon-gpu/src/module/mod.rs has the same list.
CUBINS = {
    "sm_72": "cu11", "sm_75": "cu11", "sm_80": "cu11", "sm_86": "cu11", "sm_87": "cu11", "sm_89": "cu11", "sm_90": "cu11",
    "sm_120": "cu12", "sm_110": "cu13",
}  # fmt: skip


def find(compilers, pattern):
    found = sorted(glob.glob(os.path.join(compilers, pattern), recursive=True))
    return found[0] if found else sys.exit(f"kernels: no {pattern} in {compilers}; `make compilers` puts it there")


def source(name, seen):
    """The file with its own includes in their places, each once; those for the CPU are left out by the preprocessor."""
    if name in seen:
        return ""
    seen.add(name)
    text = open(os.path.join(root, "kernels", name), encoding="utf-8").read()
    own = lambda m: m.group(0) if m.group(1).startswith("host/") else source(m.group(1), seen)
    return re.sub(r'#include "([^"]+)"\n', own, text.replace("#pragma once\n", ""))


def compile_ptx(compilers, module):
    nvrtc = ctypes.CDLL(find(compilers, "cu11/**/libnvrtc.so.11*"))
    program = ctypes.c_void_p()
    text = source(f"{module}.cu", set()).encode()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), text, f"{module}.cu".encode(), 0, None, None) == 0
    options = [f"--gpu-architecture={MODULES[module][0]}".encode(), b"--fmad=false", b"--std=c++14"]
    failed = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    size = ctypes.c_size_t()
    if failed:
        nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        nvrtc.nvrtcGetProgramLog(program, log)
        sys.exit("kernels: " + log.value.decode())
    nvrtc.nvrtcGetPTXSize(program, ctypes.byref(size))
    ptx = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetPTX(program, ptx)
    return re.sub(r"^\.version 7\.8$", f".version {MODULES[module][1]}", ptx.value.decode(), flags=re.M)


def prove(compilers, module, ptx):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "andon.ptx")
        open(path, "w", encoding="utf-8").write(ptx)
        for version, cards in CARDS.items():
            ptxas = find(compilers, f"{version}/**/bin/ptxas")
            for card in cards:
                out = subprocess.run([ptxas, f"--gpu-name={card}", "-v", path, "-o", os.path.join(folder, "out.cubin")], capture_output=True, text=True)
                if out.returncode:
                    sys.exit(f"kernels: ptxas of {version} refuses the PTX for {card}:\n{out.stderr}")
                spilled = sum(int(n) for n in re.findall(r"(\d+) bytes spill stores", out.stderr))
                print(f"kernels: {module}: {version} {card}: ok, {spilled} bytes spilled")


def compile_cubin(compilers, ptx, card):
    with tempfile.TemporaryDirectory() as folder:
        path, out = os.path.join(folder, "andon.ptx"), os.path.join(folder, "out.cubin")
        open(path, "w", encoding="utf-8").write(ptx)
        subprocess.run([find(compilers, f"{CUBINS[card]}/**/bin/ptxas"), f"--gpu-name={card}", path, "-o", out], check=True)
        return open(out, "rb").read()


def keep(name, content):
    """Writes a file, or checks that it is there already."""
    path = os.path.join(root, "kernels/prebuilt", name)
    if "--check" not in sys.argv:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        open(path, "wb").write(content)
        print(f"kernels: wrote kernels/prebuilt/{name} ({len(content)} bytes)")
    elif not os.path.exists(path) or open(path, "rb").read() != content:
        if name.endswith(".ptx") and os.path.exists(path):
            old = open(path, encoding="utf-8").read().splitlines(True)
            sys.stdout.writelines(list(difflib.unified_diff(old, content.decode().splitlines(True), "kept", "built"))[:40])
        sys.exit(f"kernels: kernels/prebuilt/{name} is not what the sources give; run `make kernels`")


compilers = sys.argv[1]
for module in MODULES:
    ptx = compile_ptx(compilers, module)
    prove(compilers, module, ptx)
    keep(f"{module}.ptx", ptx.encode())
    for card in CUBINS:
        keep(f"{module}.{card}.cubin", compile_cubin(compilers, ptx, card))
