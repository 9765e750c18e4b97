"""A Modbus TCP client, from the PyPI package pymodbus: reads and writes what there is, and asks for what there is not.

    modbus_client.py PORT

Prints {"ready": true} and one JSON line: what was read, and the exception codes.
"""
import json
import sys

from pymodbus.client import ModbusTcpClient

client = ModbusTcpClient("127.0.0.1", port=int(sys.argv[1]), timeout=2)
assert client.connect()
print(json.dumps({"ready": True}), flush=True)
version = client.read_input_registers(1, count=1).registers[0]
most = len(client.read_holding_registers(0, count=125).registers)
bits = client.read_discrete_inputs(0, count=20).bits
control = 1 << 1 | 1 << 3
assert not client.write_registers(140, [control], device_id=42).isError()
assert not client.write_coils(16, [True, False, True]).isError()
coils = client.read_coils(16, count=3).bits[:3]
assert client.read_holding_registers(140, count=1).registers == [1 << 3 | 1 | 1 << 2]
refused = [
    client.read_input_registers(199, count=2),
    client.write_register(0, 1),
    client.mask_write_register(address=140, and_mask=0xF2, or_mask=0x25),
    client.read_device_information(),
]
print(json.dumps({"read": [version, most, len(bits[:20])], "coils": coils, "refused": [a.exception_code for a in refused]}))
