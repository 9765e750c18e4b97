"""Viewers of the operator's page without a browser, and what they cost the line; for docs/performance.md. Not a test: it prints figures, and judges none.

    andon run -c andon.toml --json > verdicts.jsonl &
    page_viewers.py URL [--viewers 8] [--aid --user NAME --password WORD] [--seconds 60] [--verdicts verdicts.jsonl]

Each viewer holds the stream of events of the live page and fetches every picture that it names. With --aid one more sets camera 0 up: the next picture is
asked for as soon as the last one came. --verdicts reads the latencies (capture to verdict) of the parts that were judged meanwhile off the line's own output.
Only the standard library.
"""
import argparse
import asyncio
import json
import re
import time
import urllib.parse

told = {"pictures": 0, "aid": 0}


async def get(host, path, cookies=""):
    reader, writer = await asyncio.open_connection(*host)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host[0]}:{host[1]}\r\nConnection: close\r\nCookie: {cookies}\r\n\r\n".encode())
    await writer.drain()
    answer = await reader.read()
    writer.close()
    return answer


async def post(host, path, form, cookies):
    reader, writer = await asyncio.open_connection(*host)
    body = urllib.parse.urlencode(form)
    head = f"POST {path} HTTP/1.1\r\nHost: {host[0]}:{host[1]}\r\nConnection: close\r\nCookie: {cookies}\r\n"
    writer.write(f"{head}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    await writer.drain()
    answer = await reader.read()
    writer.close()
    return answer


def cookies_of(answer):
    head = answer.split(b"\r\n\r\n", 1)[0].decode()
    return "; ".join(line.split(": ", 1)[1].split(";")[0] for line in head.splitlines() if line.lower().startswith("set-cookie: "))


async def viewer(host):
    reader, writer = await asyncio.open_connection(*host)
    writer.write(f"GET /events?view=live&camera=0 HTTP/1.1\r\nHost: {host[0]}:{host[1]}\r\n\r\n".encode())
    await writer.drain()
    seen = set()
    while data := await reader.read(65536):
        for part in re.findall(rb"/picture/([0-9A-Z]{26})", data):
            if part not in seen:
                seen.add(part)
                await get(host, "/picture/" + part.decode())
                told["pictures"] += 1


async def sets_up(host, user, password):
    page = await get(host, "/login")
    cookies = cookies_of(page)
    token = re.search(rb'name="csrf" value="([^"]+)"', page).group(1).decode()
    answer = await post(host, "/login", {"csrf": token, "name": user, "password": password}, cookies)
    cookies = "; ".join(filter(None, [cookies, cookies_of(answer)]))
    await get(host, "/aid?camera=0", cookies)
    last = ""
    while True:
        answer = await get(host, f"/aid/0/next?after={last}", cookies)
        head = answer.split(b"\r\n\r\n", 1)[0]
        if b" 403 " in head[:20] or b" 410 " in head[:20]:
            raise SystemExit("the camera may not be set up: " + head.splitlines()[0].decode())
        figures = re.search(rb"andon-figures: (.*)", head)
        if figures:
            last = json.loads(figures.group(1))["id"]
            told["aid"] += 1


async def main():
    words = argparse.ArgumentParser()
    words.add_argument("url")
    words.add_argument("--viewers", type=int, default=8)
    words.add_argument("--seconds", type=float, default=60)
    words.add_argument("--aid", action="store_true")
    words.add_argument("--user")
    words.add_argument("--password")
    words.add_argument("--verdicts")
    asked = words.parse_args()
    at = urllib.parse.urlparse(asked.url)
    host, begun = (at.hostname, at.port), time.time()
    tasks = [asyncio.create_task(viewer(host)) for _ in range(asked.viewers)]
    if asked.aid:
        tasks.append(asyncio.create_task(sets_up(host, asked.user, asked.password)))
    done, _ = await asyncio.wait(tasks or [asyncio.create_task(asyncio.sleep(asked.seconds))], timeout=asked.seconds)
    for task in done:
        task.result()
    for task in tasks:
        task.cancel()
    print(f"{asked.viewers} viewers, {told['pictures'] / asked.seconds:.1f} pictures a second; setting up: {told['aid'] / asked.seconds:.1f} a second")
    if not asked.verdicts:
        return
    lines = [json.loads(line) for line in open(asked.verdicts) if '"andon.verdict.v1"' in line]
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(begun))
    judged = [v for v in lines if v["t_capture"] >= stamp]
    times = sorted(v["latency_ms"]["total"] for v in judged if v["score"] is not None)
    at = lambda share: times[min(len(times) - 1, int(share * len(times)))]
    missed = sum(v["result"] in ("UNINSPECTED", "ERROR") for v in judged)
    print(f"{len(times)} parts: capture to verdict p50 {at(0.5):.1f} p95 {at(0.95):.1f} p99 {at(0.99):.1f} max {times[-1]:.1f} ms; not judged {missed}")


asyncio.run(main())
