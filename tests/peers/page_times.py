"""How fast the operator's page is, read off real Chromium pages; for docs/page.md. Not a test: it prints figures, and judges none.

    page_times.py URL [--viewers 8] [--seconds 60] [--user NAME --password WORD] [--pid PID]

Measures, on one page of as many as --viewers on the live page:
  verdict to pixel   from t_result of the verdict until its picture is loaded and two frames are drawn; of the last rejected part and of the last part
  first paint        of the live page, ten times in a fresh context
  action to answer   from the key of a review until the next part is there; needs --user, who may review, and parts that wait
  veil               from the box standing still (SIGSTOP to --pid) until the page says so; it goes on afterwards (SIGCONT)
Browser and box have to be on the same machine: times are differences of one clock.
"""
import argparse
import datetime
import os
import re
import shutil
import signal
import time

from playwright.sync_api import sync_playwright

WATCH = """() => {
  window.shown = {};
  const note = (image) => {
    const id = /\\/(?:picture|thumbnail)\\/([0-9A-Z]{26})/.exec(image.src)?.[1];
    const what = image.closest("#verdict .picture") ? "large" : image.closest(".chip") ? "small" : null;
    if (!id || !what || window.shown[what + id]) return;
    window.shown[what + id] = 1;
    const drawn = () => requestAnimationFrame(() => requestAnimationFrame(() => { window.shown[what + id] = performance.timeOrigin + performance.now(); }));
    if (image.complete && image.naturalWidth) drawn(); else image.addEventListener("load", drawn, { once: true });
  };
  // What is there already was drawn before anybody looked at the clock.
  for (const image of document.images) { note(image); }
  window.old = Object.keys(window.shown);
  new MutationObserver(() => { for (const image of document.images) note(image); }).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["src"] });
}"""
ANSWER = """() => new Promise((done) => {
  const before = document.querySelector("main"), begun = performance.now();
  const watch = new MutationObserver(() => {
    if (document.querySelector("main") === before || !document.querySelector("section.done")) return;
    watch.disconnect();
    requestAnimationFrame(() => done(performance.now() - begun));
  });
  watch.observe(document.body, { subtree: true, childList: true });
  document.querySelector('button[data-key="1"]').click();
})"""


def told(name, times):
    if not times:
        print(f"{name:<34} nothing was seen")
        return
    times = sorted(times)
    at = lambda share: times[min(len(times) - 1, int(share * len(times)))]
    print(f"{name:<34} n {len(times):>4}   p50 {at(0.5):7.0f} ms   p95 {at(0.95):7.0f} ms   max {times[-1]:7.0f} ms")


def result_ms(page, url, part):
    """When the part was judged, from the verdict as it went out: only with a history. Milliseconds since 1970."""
    text = page.request.get(f"{url}/part/{part}").text()
    found = re.search(r"t_result(?:&quot;|\")\s*:\s*(?:&quot;|\")([0-9T:.\-]+)Z", text)
    if not found:
        return None
    at = datetime.datetime.fromisoformat(found.group(1)[:26] + "+00:00")
    return at.timestamp() * 1000


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("url")
    parse.add_argument("--viewers", type=int, default=1)
    parse.add_argument("--seconds", type=float, default=60)
    parse.add_argument("--user")
    parse.add_argument("--password")
    parse.add_argument("--pid", type=int)
    given = parse.parse_args()
    url = given.url.rstrip("/")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        fresh = lambda: browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
        pages = [fresh() for _ in range(given.viewers)]
        for page in pages:
            page.goto(url + "/")
        page = pages[0]
        page.wait_for_timeout(2000)
        page.evaluate(WATCH)
        page.wait_for_timeout(1000 * given.seconds)
        shown = page.evaluate("() => Object.fromEntries(Object.entries(window.shown).filter(([k, v]) => v > 1 && !window.old.includes(k)))")
        judged, times = {}, {"large": [], "small": []}
        for key, at in shown.items():
            what, part = key[:5], key[5:]
            if part not in judged:
                judged[part] = result_ms(page, url, part)
            if judged[part] is not None:
                times[what].append(at - judged[part])
        print(f"{given.viewers} viewers, load {os.getloadavg()[0]:.1f}")
        told("verdict to pixel, last reject", times["large"])
        told("verdict to pixel, last part", times["small"])
        paints = []
        for _ in range(10):
            other = fresh()
            other.goto(url + "/", wait_until="load")
            other.wait_for_timeout(300)
            paints += other.evaluate("() => performance.getEntriesByName('first-contentful-paint').map((e) => e.startTime)")
            other.context.close()
        told("first paint", paints)
        if given.user:
            page = fresh()
            page.goto(url + "/login")
            page.fill("#name", given.user)
            page.fill("#password", given.password)
            with page.expect_navigation():
                page.keyboard.press("Enter")
            answers = []
            for _ in range(20):
                page.goto(url + "/review")
                if page.locator('button[data-key="1"]').count() == 0:
                    break
                answers.append(page.evaluate(ANSWER))
            told("action to answer, a review", answers)
        if given.pid:
            page = pages[0]
            page.goto(url + "/")
            page.wait_for_timeout(3000)
            veils = []
            for _ in range(3):
                os.kill(given.pid, signal.SIGSTOP)
                begun = time.time()
                try:
                    page.locator("#veil").wait_for(state="visible", timeout=15000)
                    veils.append(1000 * (time.time() - begun))
                finally:
                    os.kill(given.pid, signal.SIGCONT)
                page.locator("#veil").wait_for(state="hidden", timeout=20000)
                page.wait_for_timeout(2000)
            told("veil", veils)
        browser.close()


main()
