"""The operator's page in a real Chromium, driven as its users would; nothing off the box is reachable.

    browser.py URL SHOTS      stands by with a browser; each line of standard input is a step, as ["login", "anna", "secret"], each answer a line of JSON

A step that finds a fault answers {"fault": ...}. SHOTS is a folder for screenshots.
"""
import json
import pathlib
import re
import shutil
import sys
import time

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

url, shots = sys.argv[1].rstrip("/"), pathlib.Path(sys.argv[2])
SIZES = {"1280x800": (1280, 800), "390x844": (390, 844), "1920x1080": (1920, 1080)}
# What a browser says by itself of answers that are refusals on purpose.
EXPECTED = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d")


class Fault(Exception):
    pass


def must(holds, what):
    if not holds:
        raise Fault(what)


class Session:
    def __init__(self, browser):
        self.context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
        self.elsewhere, self.errors = [], []
        self.context.route("**/*", self.gate)
        self.page = self.context.new_page()
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda e: self.errors.append(str(e)))
        self.page.on("dialog", lambda d: (self.errors.append("a dialog: " + d.message), d.dismiss()))

    def gate(self, route):
        if route.request.url.startswith((url + "/", "data:", "blob:")):
            route.continue_()
        else:
            self.elsewhere.append(route.request.url)
            route.abort()

    def open(self, path):
        self.page.goto(url + path, wait_until="load")

    def clean(self):
        wrong = [e for e in self.errors if not EXPECTED.search(e)]
        must(not self.elsewhere, f"asked for something off the box: {self.elsewhere[:3]}")
        must(not wrong, f"errors in the browser: {wrong[:3]}")
        self.errors.clear()

    def sees(self, text, seconds=10):
        self.page.get_by_text(re.compile(text)).first.wait_for(state="visible", timeout=1000 * seconds)

    def submits(self, act):
        """An act that sends a form: done when the page that answers is there."""
        with self.page.expect_navigation(wait_until="load", timeout=15000):
            act()

    def stays(self, act, then):
        """An act that is answered with a part of the page: what `then` selects comes, and the page is not loaded anew."""
        self.page.evaluate("() => { window.here = true }")
        act()
        self.page.locator(then).first.wait_for(state="visible", timeout=15000)
        must(self.page.evaluate("() => window.here === true"), "the page was loaded anew")

    # The steps.

    def acknowledge(self):
        """The worst alarm is acknowledged in the bar: it goes, and the page stays."""
        self.open("/")
        self.page.locator("#banner form").wait_for(state="visible", timeout=20000)
        address = self.page.get_attribute("#banner form", "action")
        self.page.evaluate("() => { window.here = true }")
        self.page.click("#banner form button")
        self.page.wait_for_function("(a) => !document.querySelector(`#banner form[action='${a}']`)", arg=address, timeout=10000)
        must(self.page.evaluate("() => window.here === true"), "the page was loaded anew")
        self.open("/alarms")
        must("otto" in self.page.inner_text("#alarms"), "nobody saw it")
        self.clean()

    def plain(self, name, password):
        """A browser without scripts logs in and reviews a part: forms and pages alone."""
        context = self.page.context.browser.new_context(java_script_enabled=False)
        page = context.new_page()
        page.goto(url + "/login")
        page.fill("#name", name)
        page.fill("#password", password)
        page.click("form[action='/login'] button")
        page.goto(url + "/review")
        page.click("form.saying button[value=good]")
        page.locator("section.done").wait_for(state="visible", timeout=10000)
        context.close()

    def users(self, name, role, password):
        """An admin adds a user, gives him another role, and removes another one; each act says that it was done."""
        self.open("/users")
        self.page.fill("#name", name)
        self.page.select_option("#role", role)
        self.page.fill("#new-password", password)
        self.page.fill("#new-again", password)
        self.page.screenshot(path=shots / "users.png", full_page=True)
        self.submits(lambda: self.page.click("form[action='/users'] button"))
        must(self.page.locator("section.done").count() == 1, "nothing is said of it")
        self.submits(lambda: self.page.get_by_role("link", name=f"Change {name}", exact=True).click())
        self.page.screenshot(path=shots / "user.png", full_page=True)
        self.page.select_option("#role", "quality")
        self.submits(lambda: self.page.click("form[action='/users/role'] button"))
        text = self.page.inner_text("main")
        self.clean()
        return {"text": text}

    def remove(self, name):
        self.open("/users")
        self.submits(lambda: self.page.get_by_role("link", name=f"Change {name}", exact=True).click())
        self.submits(lambda: self.page.click("form[action='/users/remove'] button"))
        self.clean()
        return {"text": self.page.inner_text("main")}

    def own_password(self, current, new):
        self.open("/login")
        self.page.click("summary")
        self.page.fill("#current", current)
        self.page.fill("#new-password", new)
        self.page.fill("#new-again", new)
        self.submits(lambda: self.page.click("form[action='/password'] button"))
        self.clean()
        return {"in": self.page.locator("form[action='/logout']").count() == 1}

    def challenge(self):
        """The next two parts are known bad ones; the page shows them as they come, and what came of it, by itself."""
        self.open("/challenge")
        self.page.fill("input[name=parts]", "2")
        self.submits(lambda: self.page.click("form[action='/challenge/0'] button"))
        self.page.screenshot(path=shots / "challenge.png", full_page=True)
        self.page.locator("form[action='/challenge/0']").wait_for(state="visible", timeout=20000)
        self.open("/challenge")
        self.page.screenshot(path=shots / "challenge-ended.png", full_page=True)
        self.clean()
        return {"text": self.page.inner_text("main")}

    def backup(self, to):
        """One button, one file."""
        self.open("/system")
        with self.page.expect_download(timeout=60000) as download:
            self.page.click("form[action='/backup'] button")
        download.value.save_as(to)
        self.clean()

    def aid(self):
        """A camera is set up: pictures come one after the other with their sharpness; one is kept, and the next ones stand beside it."""
        self.open("/aid?camera=0")
        number = "() => /\\d/.test(document.querySelector('#aid-sharpness').textContent)"
        self.page.wait_for_function(number, timeout=15000)
        self.page.wait_for_function("() => /\\d/.test(document.querySelector('#aid-pace').textContent)", timeout=15000)
        self.page.screenshot(path=shots / "aid.png")
        self.submits(lambda: self.page.click("#aid-keep"))
        self.page.wait_for_function(number, timeout=15000)
        self.page.click("#aid-half")
        self.page.click("#aid-grid")
        self.page.wait_for_timeout(500)
        self.page.screenshot(path=shots / "aid-half.png")
        self.page.set_viewport_size({"width": 390, "height": 844})
        self.page.wait_for_timeout(300)
        across = self.page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
        self.page.screenshot(path=shots / "aid-390x844.png", full_page=True)
        self.page.set_viewport_size({"width": 1280, "height": 800})
        must(across <= 0, f"wider than the screen by {across} px")
        self.clean()
        return {"text": self.page.inner_text("main")}

    def look(self):
        """Live shows verdicts that move on, without scrolling at the size of a panel and without overflow at any."""
        self.open("/")
        self.sees(r"^(PASS|REJECT)$")
        before = self.page.inner_text("body")
        deadline = time.time() + 10
        while self.page.inner_text("body") == before and time.time() < deadline:
            time.sleep(0.1)
        must(self.page.inner_text("body") != before, "the page stands still")
        overflow = "() => [document.documentElement.scrollWidth - innerWidth, document.documentElement.scrollHeight - innerHeight]"
        for name, (width, height) in SIZES.items():
            self.page.set_viewport_size({"width": width, "height": height})
            time.sleep(0.3)
            across, down = self.page.evaluate(overflow)
            must(across <= 0, f"{name}: wider than the screen by {across} px")
            must(name == "390x844" or down <= 0, f"{name}: higher than the screen by {down} px")
            self.page.screenshot(path=shots / f"live-{name}.png")
        self.page.set_viewport_size({"width": 1280, "height": 800})
        self.clean()

    def dress(self, language, theme):
        """The page in a language and in light or dark, as its visitor chose."""
        self.open("/login")
        self.submits(lambda: self.page.click(f"button[name=language][value={language}]"))
        self.submits(lambda: self.page.click(f"button[name=theme][value={theme}]"))
        must(self.page.get_attribute("html", "lang") == language, f"the page is not in {language}")

    def rules(self, path, dress):
        """A page breaks no rule of accessibility that a program can check."""
        self.open(path)
        self.page.screenshot(path=shots / f"page{path.replace('/', '-')}-{dress}.png")
        found = Axe().run(self.page)
        broken = [(v["id"], v["nodes"][0]["html"][:160]) for v in found.response["violations"]]
        must(not broken, f"{path}, {dress}: {broken}")
        self.clean()

    def login(self, name, password):
        self.open("/login")
        if self.page.locator("form[action='/logout']").count():
            self.submits(lambda: self.page.click("form[action='/logout'] button"))
            self.open("/login")
        self.page.fill("#name", name)
        self.page.fill("#password", password)
        self.submits(lambda: self.page.keyboard.press("Enter"))
        self.open("/login")
        return {"in": self.page.locator("form[action='/logout']").count() == 1}

    def threshold(self, value, reason):
        self.open("/threshold")
        if self.page.locator("#value-0").count() == 0:
            return {"may": False}
        self.page.fill("#value-0", value)
        self.page.fill("#reason-0", reason)
        self.submits(lambda: self.page.click("form[action='/threshold/0'] button"))
        self.open("/threshold")
        self.clean()
        return {"may": True, "text": self.page.inner_text("main") if self.page.locator("main").count() else self.page.inner_text("body")}

    def trial(self, value, parts, reason):
        """A threshold is tried for some parts, is seen on the live page, and gives way by itself."""
        self.open("/threshold")
        in_force = lambda: self.page.locator("form[action='/threshold/0']").locator("xpath=..").locator("p b").first.inner_text()
        before = in_force()
        self.page.fill("#value-0", value)
        self.page.fill("#reason-0", reason)
        self.page.fill("form[action='/threshold/0'] input[name=parts]", str(parts))
        self.submits(lambda: self.page.press("form[action='/threshold/0'] input[name=parts]", "Enter"))
        self.sees("Threshold on trial")
        must(in_force() != before, "the threshold is not in force")
        self.clean()
        self.open("/")
        self.sees("Threshold on trial")
        self.open("/threshold")
        self.sees("the one from before holds again", 120)
        # Without a new page, too: within a second of the line's figures.
        for _ in range(50):
            if in_force() == before:
                break
            self.page.wait_for_timeout(100)
        must(in_force() == before, f"{in_force()} is in force, not {before}")
        self.clean()
        return {}

    def text(self, path):
        self.open(path)
        found = self.page.evaluate("() => document.querySelectorAll('img[src=x], script:not([src])').length")
        must(found == 0, f"{path}: markup of somebody else's is in the page")
        self.clean()
        return {"text": self.page.inner_text("body")}

    def review(self):
        """A part of the queue by the keyboard alone: really bad, and the next one is there; taken back, it waits again."""
        self.open("/review")
        self.page.locator("form[action^='/review/']").first.wait_for(state="attached", timeout=10000)
        self.stays(lambda: self.page.keyboard.press("1"), "section.done")
        self.page.wait_for_function("() => location.search.includes('done=')", timeout=5000)
        self.page.screenshot(path=shots / "review.png")
        self.stays(lambda: self.page.keyboard.press("u"), "main:not(:has(section.done))")
        self.page.wait_for_function("() => !location.search.includes('done=')", timeout=5000)
        self.stays(lambda: self.page.keyboard.press("1"), "section.done")
        self.open("/review/results")
        self.clean()
        return {"text": self.page.inner_text("body")}

    def two(self, name, password):
        """The part that is open here is reviewed by somebody else meanwhile, in a browser of his own: who comes second is told, and nothing is changed until he says it again."""
        self.open("/review")
        part = self.page.get_attribute("form.saying", "action").rsplit("/", 1)[1]
        other = Session(self.page.context.browser)
        other.login(name, password)
        other.open(f"/review?part={part}")
        other.stays(lambda: other.page.keyboard.press("2"), "section.done")
        self.stays(lambda: self.page.keyboard.press("1"), "main:has-text('meanwhile')")
        told = self.page.inner_text("main")
        self.page.screenshot(path=shots / "two.png")
        other.open(f"/part/{part}")
        kept = other.page.inner_text("main")
        other.clean()
        other.context.close()
        self.clean()
        return {"told": told, "kept": kept}

    def keep(self, reason):
        """A threshold of the table is tried, kept in the model, found there with its reason, and taken back."""
        self.open("/whatif?span=this")
        self.page.screenshot(path=shots / "whatif.png", full_page=True)
        table = self.page.inner_text("#operating")
        self.submits(lambda: self.page.locator("#operating tbody a").last.click())
        value = self.page.input_value("#value")
        self.page.fill("input[name=reason]", reason)
        self.submits(lambda: self.page.click("button[value=yes]"))
        refused = self.page.locator("p.wrong").all_inner_texts()
        must(not refused, f"refused: {refused}")
        self.open("/models")
        self.page.screenshot(path=shots / "models.png", full_page=True)
        kept = self.page.inner_text("main")
        self.page.locator("form[action$='/threshold/undo'] input[name=reason]").fill("only tried")
        self.submits(lambda: self.page.click("form[action$='/threshold/undo'] button"))
        must(self.page.locator("form[action$='/threshold/undo']").count() == 0, "it is still there")
        self.clean()
        return {"table": table, "value": value, "kept": kept}

    def good(self):
        """From the strip to a rejected part, and what its model would make of it; the page says when that is known."""
        self.open("/")
        self.page.locator("#strip a").first.wait_for(state="visible", timeout=20000)
        self.submits(lambda: self.page.locator("#strip a").first.click())
        self.submits(lambda: self.page.locator("a[href^='/good/']").click())
        self.submits(lambda: self.page.click("form[action$='/try'] button"))
        self.page.locator("#good-trial .twice").wait_for(state="visible", timeout=60000)
        self.page.wait_for_function("() => [...document.querySelectorAll('.twice img')].every((i) => i.complete && i.naturalWidth > 0)", timeout=10000)
        self.page.screenshot(path=shots / "good.png", full_page=True)
        self.clean()
        return {"path": self.page.url[len(url):], "text": self.page.inner_text("main")}

    def veil(self):
        """The box is gone: what is shown is marked as old within a few seconds."""
        self.page.locator("#veil").wait_for(state="visible", timeout=8000)
        self.page.screenshot(path=shots / "veil.png")
        self.errors.clear()

    def live(self):
        self.open("/")

    def back(self):
        """The box is there again: the veil goes by itself, without a reload by hand."""
        self.page.locator("#veil").wait_for(state="hidden", timeout=20000)
        self.sees(r"^(PASS|REJECT)$", 20)
        self.errors.clear()


def main():
    shots.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        session = Session(browser)
        print(json.dumps({"ready": True}), flush=True)
        for line in sys.stdin:
            step, *words = json.loads(line)
            try:
                answer = getattr(session, step)(*words) or {}
            except Fault as fault:
                answer = {"fault": str(fault)}
            except Exception as e:
                session.page.screenshot(path=shots / "fault.png")
                answer = {"fault": f"{type(e).__name__}: {e}"}
            print(json.dumps({"step": step, **answer}), flush=True)
        browser.close()


main()
