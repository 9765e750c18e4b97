"""A subscriber that shares no code with andon: the PyPI package eclipse-zenoh.

    subscriber.py ENDPOINT SECONDS [KEY ...] [--query SELECTOR ...] [--put KEY=PAYLOAD ...] [--delete KEY ...] [--heatmaps]

Verdicts are read as docs/zenoh.md says: what was sent before or got lost on the way is asked for.

Prints one JSON line `{"ready": true}` when it listens and the box is there, one for every sample (key, encoding, quality of service, payload,
arrival on CLOCK_MONOTONIC), one for every query reply, and one for every change of liveliness.
"""
import argparse
import io
import json
import sys
import threading
import time

import zenoh
from zenoh.ext import HistoryConfig, RecoveryConfig, declare_advanced_subscriber

parser = argparse.ArgumentParser()
parser.add_argument("endpoint")
parser.add_argument("seconds", type=float)
parser.add_argument("keys", nargs="*", default=["andon/**/verdict"])
parser.add_argument("--query", action="append", default=[])
parser.add_argument("--heatmaps", action="store_true")
parser.add_argument("--put", action="append", default=[], metavar="KEY=PAYLOAD")
parser.add_argument("--delete", action="append", default=[], metavar="KEY")
args = parser.parse_args()

lock = threading.Lock()


def tell(**record):
    with lock:
        print(json.dumps(record), flush=True)


def name(value):
    """The name of one of zenoh's constants, which do not print it themselves."""
    kind = type(value)
    aliases = ("DEFAULT", "MAX", "MIN")
    return next(n for n in dir(kind) if n.isupper() and not n.startswith(aliases) and getattr(kind, n) == value)


def on_sample(sample):
    if sample.kind == zenoh.SampleKind.DELETE:
        return
    now = time.monotonic_ns()
    record = {
        "key": str(sample.key_expr),
        "encoding": str(sample.encoding),
        "priority": name(sample.priority),
        "congestion": name(sample.congestion_control),
        "express": sample.express,
        "arrived": now,
    }
    payload = sample.payload.to_bytes()
    if str(sample.encoding).startswith("image/png"):
        from PIL import Image

        picture = Image.open(io.BytesIO(payload))
        picture.load()
        levels = picture.getdata()
        record["picture"] = {"mode": picture.mode, "size": picture.size, "max": max(levels), "min": min(levels)}
        record["attachment"] = json.loads(sample.attachment.to_bytes())
    else:
        record["payload"] = json.loads(payload)
    tell(**record)


config = zenoh.Config()
config.insert_json5("mode", '"client"')
config.insert_json5("connect/endpoints", json.dumps([args.endpoint]))
config.insert_json5("scouting/multicast/enabled", "false")
for _ in range(50):
    try:
        session = zenoh.open(config)
        break
    except zenoh.ZError:
        time.sleep(0.1)
else:
    sys.exit(f"cannot connect to {args.endpoint}")



def subscribe(key):
    if not key.endswith("/verdict"):
        return session.declare_subscriber(key, on_sample)
    history, recovery = HistoryConfig(detect_late_publishers=True), RecoveryConfig(heartbeat=True)
    return declare_advanced_subscriber(session, key, on_sample, history=history, recovery=recovery)


keep = [subscribe(key) for key in args.keys]
if args.heatmaps:
    keep.append(session.declare_subscriber("andon/**/heatmap", on_sample))
keep.append(
    session.liveliness().declare_subscriber(
        "andon/**/status", lambda s: tell(alive=s.kind == zenoh.SampleKind.PUT, key=str(s.key_expr)), history=True
    )
)
# The box says that it is alive when it takes everything, and has heard of the subscriptions before it answers.
end = time.monotonic() + 20
while not list(session.liveliness().get("andon/**/status")):
    if time.monotonic() > end:
        sys.exit("nothing is alive on andon/**/status")
    time.sleep(0.05)
tell(ready=True)
for put in args.put:
    key, payload = put.split("=", 1)
    session.put(key, payload, congestion_control=zenoh.CongestionControl.BLOCK)
for key in args.delete:
    session.delete(key, congestion_control=zenoh.CongestionControl.BLOCK)
for selector in args.query:
    payload = None
    if "#" in selector:
        selector, payload = selector.split("#", 1)
    for reply in session.get(selector, payload=payload, timeout=3.0):
        value = reply.ok if reply.ok is not None else reply.err
        key = str(value.key_expr) if reply.ok is not None else None
        tell(selector=selector, key=key, ok=reply.ok is not None, text=value.payload.to_string())
if args.seconds > 0:
    time.sleep(args.seconds)
session.close()
