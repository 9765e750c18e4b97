#!/usr/bin/env python3
"""Builds kernels/prebuilt/andon.ptx from kernels/andon.cu, or checks that it is what the sources give.

    scripts/kernels.py COMPILERS [--check]

COMPILERS is a folder into which `pip install --target` has put the packages of kernels/requirements.txt. NVRTC 11.8 compiles for
compute capability 5.3; its PTX says version 7.8, which drivers before CUDA 11.8 refuse (JetPack 5 has 11.4). Nothing in these
kernels needs more than version 6.0, so that is what the file says, and ptxas of CUDA 11.8, 12.9 and 13.x proves it for cards from
Maxwell's successors to Blackwell.
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
target = os.path.join(root, "kernels/prebuilt/andon.ptx")
# Which ptxas has to accept it for which cards: Xavier, Turing, Ampere, Orin, Ada, Hopper; Blackwell and Thor.
CARDS = {
    "cu11": ["sm_72", "sm_75", "sm_80", "sm_86", "sm_87", "sm_89", "sm_90"],
    "cu12": ["sm_72", "sm_75", "sm_87", "sm_90", "sm_100", "sm_120"],
    "cu13": ["sm_75", "sm_87", "sm_90", "sm_110", "sm_120"],
}


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


def compile_ptx(compilers):
    nvrtc = ctypes.CDLL(find(compilers, "cu11/**/libnvrtc.so.11*"))
    program = ctypes.c_void_p()
    text = source("andon.cu", set()).encode()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), text, b"andon.cu", 0, None, None) == 0
    options = [b"--gpu-architecture=compute_53", b"--fmad=false", b"--std=c++14"]
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
    return re.sub(r"^\.version 7\.8$", ".version 6.0", ptx.value.decode(), flags=re.M)


def prove(compilers, ptx):
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
                print(f"kernels: {version} {card}: ok, {spilled} bytes spilled")


compilers = sys.argv[1]
ptx = compile_ptx(compilers)
if "--check" in sys.argv:
    kept = open(target, encoding="utf-8").read()
    if kept != ptx:
        sys.stdout.writelines(list(difflib.unified_diff(kept.splitlines(True), ptx.splitlines(True), "kept", "built"))[:40])
        sys.exit("kernels: kernels/prebuilt/andon.ptx is not what the sources give; run `make kernels`")
prove(compilers, ptx)
if "--check" not in sys.argv:
    os.makedirs(os.path.dirname(target), exist_ok=True)
    open(target, "w", encoding="utf-8").write(ptx)
    print(f"kernels: wrote {os.path.relpath(target)} ({len(ptx)} bytes)")
