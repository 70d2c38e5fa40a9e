#!/usr/bin/env python3
"""A person approves a device in Chromium, on a screen as small as a phone's, in both colour schemes.

Usage: approve.py LMP_FACTORY [DIRECTORY_FOR_SCREENSHOTS]
Needs: chromium and chromedriver (Debian: chromium, chromium-driver). Speaks W3C WebDriver itself.
"""

import base64
import json
import os
import pathlib
import re
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

PASSWORD = "correct horse battery"
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # W3C WebDriver, section 12
UUID = "67e67bf8-6f72-481d-a05e-bcf2784dd584"


class Browser:
    """One WebDriver session."""

    def __init__(self, port, dark):
        self.base = f"http://127.0.0.1:{port}"
        arguments = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-dev-shm-usage",
        ]
        if dark:
            arguments.append("--force-dark-mode")
        options = {
            "args": arguments,
            "mobileEmulation": {"deviceMetrics": {"width": 360, "height": 720, "pixelRatio": 2}},
        }
        wanted = {"acceptInsecureCerts": True, "goog:chromeOptions": options}
        session = self.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.base += f"/session/{session['sessionId']}"

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.base + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            sys.exit(f"WebDriver {method} {path}: {error.read().decode()}")

    def open(self, url):
        self.call("POST", "/url", {"url": url})

    def find(self, css):
        return self.call("POST", "/element", {"using": "css selector", "value": css})[ELEMENT]

    def write(self, css, text):
        self.call("POST", f"/element/{self.find(css)}/value", {"text": text})

    def click(self, css):
        self.call("POST", f"/element/{self.find(css)}/click", {})

    def expect(self, *texts):
        """Waits until the page that a click leads to shows every text."""
        deadline = time.monotonic() + 60
        while True:
            shown = self.run("return document.readyState == 'complete' && document.body.innerText")
            missing = [text for text in texts if text not in (shown or "")]
            if not missing:
                return
            if time.monotonic() > deadline:
                sys.exit(f"{missing} not on the page:\n{shown}")

    def run(self, script):
        return self.call("POST", "/execute/sync", {"script": script, "args": []})

    def keep(self, path):
        """Keeps a screenshot, after checking that nothing has to be scrolled sideways."""
        if self.run("return document.documentElement.scrollWidth > innerWidth"):
            sys.exit(f"{path.name}: the page is wider than the screen")
        path.write_bytes(base64.b64decode(self.call("GET", "/screenshot")))

    def close(self):
        self.call("DELETE", "")


def post(url, ca, **fields):
    """A form of the device; the status and the JSON answer."""
    trust = ssl.create_default_context(cafile=ca)
    data = urllib.parse.urlencode(fields).encode()
    try:
        with urllib.request.urlopen(url, data, timeout=60, context=trust) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def approve(browser, site, shots, decision):
    scope = "acme:devices:create"
    _, codes = post(f"{site['oauth']}/authorization/device/", site["ca_file"], client_id=UUID, scope=scope)

    browser.open(codes["verification_uri_complete"])
    browser.expect("Sign in to approve a device", codes["user_code"])
    browser.keep(shots / "1-login.png")
    browser.write("#name", "ann")
    browser.write("#password", "not the password")
    browser.click("main form button")
    browser.expect("The name or the password is wrong.")
    browser.keep(shots / "2-wrong-password.png")
    browser.write("#password", PASSWORD)
    browser.click("main form button")

    browser.expect("Approve this device?", UUID, "acme", codes["user_code"], "Signed in as ann")
    browser.keep(shots / "3-confirm.png")
    if browser.run("return document.cookie") != "":
        sys.exit("a script can read the session cookie")
    browser.click(f"button[value={decision}]")
    browser.expect("The device is approved" if decision == "approve" else "The device is denied")
    browser.keep(shots / "4-decided.png")

    grant = "urn:ietf:params:oauth:grant-type:device_code"
    status, answer = post(
        f"{site['oauth']}/token/", site["ca_file"], grant_type=grant,
        device_code=codes["device_code"], client_id=UUID, scope=scope,
    )
    if decision == "approve":
        assert status == 200 and answer["access_token"], answer
    else:
        assert (status, answer["error"]) == (400, "access_denied"), answer

    browser.click("main a")
    browser.expect("Which code does the device show?")
    browser.write("#user_code", codes["user_code"])
    browser.click("main form button")
    browser.expect("No device waits with this code")
    browser.keep(shots / "5-unknown-code.png")
    browser.click("button.link")
    browser.expect("Sign in to approve a device")


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    program = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as directory:
        shots = pathlib.Path(sys.argv[2] if len(sys.argv) == 3 else directory)
        data = ["--data-dir", f"{directory}/data"]
        any_port = "127.0.0.1:0"
        serve = [program, "serve", *data, "--factory", "acme", "--json",
                 "--listen", any_port, "--gateway-listen", any_port]
        with subprocess.Popen(serve, stdout=subprocess.PIPE) as server, \
                subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True) as driver:
            try:
                site = json.loads(server.stdout.readline())
                subprocess.run(
                    [program, "operator", "add", *data, "--password-file", "-", "ann"],
                    input=PASSWORD.encode(), check=True,
                )
                port = next(
                    found.group(1) for line in driver.stdout
                    if (found := re.search(r"started successfully on port (\d+)", line))
                )
                for scheme, decision in (("light", "approve"), ("dark", "deny")):
                    (shots / scheme).mkdir(parents=True, exist_ok=True)
                    browser = Browser(port, dark=scheme == "dark")
                    try:
                        approve(browser, site, shots / scheme, decision)
                    finally:
                        browser.close()
            finally:
                driver.terminate()
                server.terminate()
    print("approved in the light, denied in the dark")


if __name__ == "__main__":
    main()
