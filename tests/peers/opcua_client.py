"""An OPC UA client, from the PyPI package asyncua: subscribes to a camera's results.

    opcua_client.py PORT CAMERA SECONDS

Prints {"ready": true}, one JSON line for every change of ResultReady with the fields of that result, and the state at the end.
"""
import asyncio
import json
import sys

from asyncua import Client, ua

port, camera, seconds = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
FIELDS = ["ResultId", "ResultState", "ResultEvaluation", "Result", "Reason", "PartId", "IsSimulated", "CreationTime", "ProcessingTime", "Score", "Threshold"]


def tell(**record):
    print(json.dumps(record, default=str), flush=True)


async def main():
    client = Client(f"opc.tcp://127.0.0.1:{port}/", timeout=5)
    for _ in range(60):
        try:
            await client.connect()
            break
        except (ConnectionError, asyncio.TimeoutError, OSError):
            await asyncio.sleep(0.25)
    space = await client.get_namespace_index("urn:andon:machine-vision")
    node = lambda name: client.get_node(f"ns={space};s={camera}.{name}")
    queue = asyncio.Queue()

    class Handler:
        def datachange_notification(self, _, value, data):
            queue.put_nowait(value)

    subscription = await client.create_subscription(50, Handler())
    await subscription.subscribe_data_change(node("ResultReady"), queuesize=100)
    try:
        await node("ResultReady").write_value(ua.Variant(1, ua.VariantType.UInt64))
        writable = True
    except ua.UaStatusCodeError:
        writable = False
    tell(ready=True, writable=writable)
    end = asyncio.get_running_loop().time() + seconds
    while (left := end - asyncio.get_running_loop().time()) > 0:
        try:
            number = await asyncio.wait_for(queue.get(), left)
        except asyncio.TimeoutError:
            break
        values = await client.read_values([node(name) for name in FIELDS])  # one request: the fields belong together
        tell(number=number, **dict(zip(FIELDS, values)))
    tell(state=await node("CurrentState").read_value(), operational=await node("Operational").read_value(), offered=await node("Offered").read_value())
    await client.disconnect()


asyncio.run(main())
