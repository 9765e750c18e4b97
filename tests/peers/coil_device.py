"""An I/O module on Modbus TCP, from the PyPI package pymodbus: coils, discrete inputs and an encoder's register.

    coil_device.py PORT [--watchdog SECONDS] [--late SECONDS]

Prints one JSON line for every change of a coil, with its time on CLOCK_MONOTONIC. Like real modules it has a watchdog: when
nobody writes for that long, every coil falls to 0 and that is told too. `--late` answers that much later. Commands on standard
input, each told back when it is done: {"input": [number, level]}, {"encoder": counts per second}, {"count": new value of the encoder}.
"""
import argparse
import asyncio
import json
import sys
import threading
import time

from pymodbus.server import StartAsyncTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

parser = argparse.ArgumentParser()
parser.add_argument("port", type=int)
parser.add_argument("--watchdog", type=float, default=0.3)
parser.add_argument("--late", type=float, default=0.0)
args = parser.parse_args()

POINTS = 32
READ_INPUTS, READ_REGISTERS, WRITE_COIL, WRITE_COILS = 2, 3, 5, 15

lock = threading.Lock()
written = time.monotonic()
coils = [False] * POINTS
inputs = [False] * POINTS
encoder = {"rate": 0.0, "start": time.monotonic(), "zero": 0.0}


def tell(**record):
    with lock:
        print(json.dumps(record), flush=True)


def switch(number, on, **more):
    if coils[number] != on:
        coils[number] = on
        tell(coil=number, on=on, t=time.monotonic_ns(), **more)


async def access(function, start, address, count, registers, values):
    """Called by pymodbus before it answers."""
    global written
    if function in (WRITE_COIL, WRITE_COILS) and values is not None:
        written = time.monotonic()
        if args.late:
            await asyncio.sleep(args.late)
        for n, value in enumerate(values):
            switch(address + n, bool(value))
    elif function == READ_INPUTS:
        for n, level in enumerate(inputs):
            word, bit = n // 16, 1 << n % 16
            registers[word] = registers[word] | bit if level else registers[word] & ~bit
    elif function == READ_REGISTERS:
        count = int(encoder["zero"] + (time.monotonic() - encoder["start"]) * encoder["rate"])
        registers[0] = count % 65536


def commands():
    for line in sys.stdin:
        command = json.loads(line)
        if "input" in command:
            number, level = command["input"]
            inputs[number] = bool(level)
            tell(input=number, on=bool(level), t=time.monotonic_ns())
        if "encoder" in command:
            encoder.update(rate=float(command["encoder"]), start=time.monotonic(), zero=0.0)
            tell(encoder=encoder["rate"])
        if "count" in command:
            encoder.update(zero=float(command["count"]), start=time.monotonic())
            tell(count=encoder["zero"])


async def watchdog():
    while True:
        await asyncio.sleep(0.01)
        if time.monotonic() - written > args.watchdog:
            for number in range(POINTS):
                switch(number, False, watchdog=True)


async def main():
    threading.Thread(target=commands, daemon=True).start()
    bits = [SimData(0, values=[False] * POINTS, datatype=DataType.BITS)]
    registers = [SimData(0, values=[0] * POINTS, datatype=DataType.REGISTERS)]
    device = SimDevice(1, simdata=(bits, bits, registers, registers), action=access)
    dog = asyncio.create_task(watchdog())
    asyncio.get_running_loop().call_later(0.3, lambda: tell(ready=True))
    await StartAsyncTcpServer(device, address=("127.0.0.1", args.port))
    await dog


asyncio.run(main())
