"""Stands before a broker and lets only MQTT 3.1 and 3.1.1 through, as an old broker does.

    old_broker.py PORT BROKER_PORT
"""
import json
import socket
import sys
import threading


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(client):
    # CONNECT: type, length (one or two bytes here), the protocol's name with its length, then the version.
    first = client.recv(65536)
    at = 2 if len(first) > 1 and first[1] < 128 else 3
    version = first[at + 2 + int.from_bytes(first[at : at + 2], "big")] if len(first) > at + 8 else 0
    if version > 4:
        client.sendall(bytes([0x20, 2, 0, 1]))
        client.close()
        return
    broker = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
    broker.sendall(first)
    threading.Thread(target=pump, args=(broker, client), daemon=True).start()
    pump(client, broker)


listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print(json.dumps({"ready": True}), flush=True)
while True:
    connection, _ = listener.accept()
    threading.Thread(target=serve, args=(connection,), daemon=True).start()
