"""A real browser without a window, and what it says of a page."""

import json
import shutil

from selenium import webdriver

_ARGUMENTS = (
    *("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"),
    *("disable-component-update", "disable-sync", "window-size=1000,1000"),
)


def open_browser(folder):
    """Chromium that keeps what it must in a folder, and tells what its pages say and ask for."""
    programs = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    assert all(programs.values()), f"{programs}; python -m fiqa_spark.runtime.machine chromium installs them"
    options = webdriver.ChromeOptions()
    options.binary_location = programs["chromium"]
    for argument in (*_ARGUMENTS, f"user-data-dir={folder}"):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options, webdriver.ChromeService(programs["chromedriver"]))


class Visit:
    """A page in the browser, and what the browser said of it."""

    def __init__(self, browser, path):
        self.browser, self.address = browser, path.as_uri()
        # What the browser did on its own when it started is not the page's.
        browser.get("about:blank")
        browser.get_log("performance")
        browser.get(self.address)
        self.messages = browser.get_log("browser")
        events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
        self.requests = [
            event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"
        ]

    def ask(self, expression):
        return self.browser.execute_script(f"return {expression}")
