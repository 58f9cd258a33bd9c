"""What a browser makes of the pages: chromium, driven by selenium, with axe to judge them."""

import time
from urllib.parse import unquote, urlsplit

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from runs import HOSTILE, fail

NARROW, WIDE = 400, 1280


class Browser:
    """Chromium, without a window. Collects what is wrong and goes on, so that all of it is told at once."""

    def __init__(self, axe):
        options = webdriver.ChromeOptions()
        # Of a root user, who has no sandbox, and of small machines.
        for it in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars"):
            options.add_argument(it)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        # The kinds of browsers and drivers that Debian has; nothing is fetched.
        options.binary_location = "/usr/bin/chromium"
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
        self.axe, self.looked, self.wrong = axe, 0, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.driver.quit()

    def width(self, width):
        # A window has a least width; what a page believes has none.
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def dark(self, is_dark):
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def go(self, url):
        self.driver.get(url)

    def text(self):
        return self.driver.find_element(By.TAG_NAME, "body").text

    def until(self, what, is_so):
        """Waits for what a page brings by itself."""
        end = time.monotonic() + 30
        while not is_so():
            if time.monotonic() > end:
                fail(f"{self.driver.current_url}: not seen: {what}. It shows: {self.text()[:2000]}")
            time.sleep(0.05)

    def look(self):
        """All that is judged of the page that is shown: wide and narrow, by day and in the dark."""
        for width in (WIDE, NARROW):
            for is_dark in (False, True):
                self.width(width)
                self.dark(is_dark)
                self._look(f"{self.driver.current_url} {width} wide{' dark' if is_dark else ''}")
        self.width(WIDE)
        self.dark(False)

    def _look(self, where):
        self.looked += 1
        if self.driver.title == "7":
            self.wrong.append(f"{where}: a name became more than text")
        across = self.driver.execute_script(
            "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        if across > 0:
            self.wrong.append(f"{where}: it is {across} pixels too wide")
        for it in self._axe(where):
            places = "; ".join(node["html"][:200] for node in it["nodes"][:3])
            self.wrong.append(f"{where}: axe: {it['id']} ({it['impact']}): {it['help']}: {places}")

    def _axe(self, where):
        # Put there from outside, where the page's own policy has no say.
        self.driver.execute_script(self.axe)
        found = self.driver.execute_async_script(
            "const done = arguments[0]; axe.run().then(done, (it) => done({ failed: String(it) }))"
        )
        if "failed" in found:
            fail(f"{where}: axe could not look: {found['failed']}")
        return found["violations"]

    def hears(self):
        """Errors on the console are wrong, but those that are expected."""
        for it in self.driver.get_log("browser"):
            if it["level"] == "SEVERE":
                self.wrong.append(f"console: {it['message']}")

    def links(self):
        """Where links of this page lead, on the same server."""
        here = urlsplit(self.driver.current_url).netloc
        # All at once: a page of a run that lasts may be a new one between two questions.
        links = self.driver.execute_script("return [...document.querySelectorAll('a[href]')].map((it) => it.href)")
        return [it.split("#")[0] for it in links if urlsplit(it).netloc == here]

    def judge(self):
        if self.wrong:
            fail("\n".join(dict.fromkeys(self.wrong)))


def walk(seen, start, wanted):
    """Follows all links from there and looks at each page once; those that lead to `wanted` words are there."""
    waiting, known = [start], {start}
    # Sorted and filtered tables are the same page again: one order of them does.
    kinds = set()
    while waiting:
        url = waiting.pop(0)
        kind = (urlsplit(url).path, "?" in url)
        if kind in kinds:
            continue
        kinds.add(kind)
        # What commands wrote is text for programs as well, and no page.
        if "/api/" in url:
            continue
        seen.go(url)
        seen.look()
        seen.hears()
        for it in seen.links():
            if it not in known:
                known.add(it)
                waiting.append(it)
    for word in wanted:
        if not any(word in unquote(it) for it in known):
            seen.wrong.append(f"no link from {start} leads to {word}")


def watch_a_run(seen, run):
    """A task is seen to end without a reload; all pages are good."""
    seen.width(WIDE)
    seen.go(run.url + "/")
    seen.until("the application's name as text", lambda: HOSTILE in seen.text())
    # The page may be a new one between looking for the link and a click on it.
    seen.driver.execute_script("document.querySelector('table a[href=\"stages/0/0/\"]').click()")
    seen.until("three of six tasks that have ended", lambda: "3 of 6" in seen.text())
    seen.driver.execute_script("window.here = true")
    run.let_go("first")
    seen.until("six of six tasks", lambda: "6 of 6" in seen.text())
    if not seen.driver.execute_script("return window.here === true"):
        seen.wrong.append("the page was loaded again")
    walk(seen, run.url + "/", ["/stages/", "/tasks/", "/executors/", "/waiting/", "/settings/"])
    by_keyboard(seen, run.url + "/")


def by_keyboard(seen, url):
    """The first link of the navigation is reached and followed with nothing but keys."""
    seen.go(url)
    for _ in range(12):
        seen.driver.switch_to.active_element.send_keys(Keys.TAB)
        focused = seen.driver.switch_to.active_element
        if focused.text == "Executors":
            focused.send_keys(Keys.ENTER)
            seen.until("the page of executors", lambda: seen.driver.current_url.endswith("/executors/"))
            return
    seen.wrong.append("the link to executors is not reached by the Tab key")


def sees_the_end(seen):
    """A page whose driver has gone says so."""
    seen.until("that the run is over", lambda: "The run is over" in seen.text())
    # That it was asked in vain is told on the console, too, and is as it should be. The page asks
    # as long as it stands.
    seen.go("about:blank")
    seen.driver.get_log("browser")


def read_the_history(seen, history, app):
    seen.go(history.url + "/")
    seen.until("the application in the list", lambda: HOSTILE in seen.text())
    walk(seen, history.url + "/", [f"/history/{app}/", "/stages/", "/tasks/", "/executors/", "/waiting/", "/settings/"])


def read_a_file(seen, file):
    """One file, of which nothing leads out into a network."""
    seen.driver.execute_cdp_cmd("Network.enable", {})
    offline = {"offline": True, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    seen.driver.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    seen.go(file.as_uri())
    seen.until("the application", lambda: HOSTILE in seen.text())
    seen.look()
    seen.hears()
