"""A PLC on Modbus TCP, from the PyPI package pymodbus: keeps to the handshake of docs/plc.md.

    plc.py PORT SECONDS [--trigger HZ] [--read-only]

Prints {"ready": true}, one JSON line for every result that it fetched, and the last status at the end. With --trigger it
announces parts itself by the trigger bit.
"""
import argparse
import json
import time

from pymodbus.client import ModbusTcpClient

parser = argparse.ArgumentParser()
parser.add_argument("port", type=int)
parser.add_argument("seconds", type=float)
parser.add_argument("--trigger", type=float, default=0.0)
parser.add_argument("--read-only", action="store_true")
args = parser.parse_args()

TRIGGER, ENABLE, ACK, BUFFER, CLEAR = (1 << n for n in range(5))
CONTROL = 40


def tell(**record):
    print(json.dumps(record), flush=True)


client = ModbusTcpClient("127.0.0.1", port=args.port, timeout=2)
end = time.monotonic() + args.seconds
while not client.connect():
    time.sleep(0.1)
    if time.monotonic() > end:
        raise SystemExit("no server")


def registers():
    answer = client.read_input_registers(0, count=40)
    assert not answer.isError(), answer
    return answer.registers


def control(word):
    answer = client.write_register(CONTROL, word)
    return not answer.isError()


def pair(r, at):
    return r[at] << 16 | r[at + 1]


def signed(r, at):
    value = pair(r, at)
    return value - (1 << 32) if value >> 31 else value


if args.read_only:
    tell(ready=True, refused=not control(ENABLE))
    time.sleep(args.seconds)
    tell(last=registers())
    raise SystemExit

base = ENABLE | BUFFER
assert control(base)
tell(ready=True, version=registers()[1])
due = time.monotonic()
while time.monotonic() < end:
    if args.trigger and time.monotonic() >= due:
        due += 1 / args.trigger
        before = time.monotonic_ns()
        control(base | TRIGGER)
        ack = bool(registers()[0] & 1 << 2)
        control(base)
        tell(triggered=before, ack=ack)
    r = registers()
    if r[0] & 1 << 4:
        tell(part=pair(r, 5), code=r[3], job_pass=bool(r[0] & 1 << 7), score=signed(r, 9), threshold=signed(r, 11),
             latency=r[13], margin=r[14], t=time.monotonic_ns())
        control(base | ACK)
        control(base)
    time.sleep(0.002)
control(base | CLEAR)
control(base)
tell(last=registers())
