"""Opens the console in Debian's Chromium and does what an analyst would; prints what went wrong, and exits 1.

browser.py URL PICTURES console|report|markup: a replayed farm is served at URL, or its report lies there, or a machine that
gives itself markup for a name was seen; pictures of the pages are put into the folder PICTURES.
"""

import sys
import time

try:
    from selenium import webdriver
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait
except ImportError:
    sys.exit(77)

url, pictures, part = sys.argv[1:4]


def start():
    options = webdriver.ChromeOptions()
    for argument in ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1440,1000", "--hide-scrollbars",
                     "--force-device-scale-factor=1", "--disable-background-networking", "--no-first-run"]:
        options.add_argument(argument)
    options.binary_location = "/usr/bin/chromium"
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    try:
        return webdriver.Chrome(options=options)
    except WebDriverException as fault:
        print(fault.msg, file=sys.stderr)
        sys.exit(77)


browser = start()
wait = WebDriverWait(browser, 20)


def text():
    return browser.find_element(By.ID, "main").text


def see(*words):
    def seen(_):
        shown = text()
        return all(word in shown for word in words)
    try:
        wait.until(seen)
    except Exception:
        raise AssertionError(f"{words} not in:\n{text()}") from None


def open_page(route, *words):
    browser.get("about:blank")
    browser.get(f"{url}{route}" if url.endswith(".html") else f"{url}/{route}")
    see(*words)


def picture(name):
    time.sleep(0.3)
    height = browser.execute_script("return document.documentElement.scrollHeight")
    browser.set_window_size(1440, min(max(height + 90, 700), 2400))
    browser.save_screenshot(f"{pictures}/{name}.png")
    browser.set_window_size(1440, 1000)


def scheme(value):
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": value}]})


def analyst():
    scheme("light")
    open_page("#/", "open incident")
    picture("overview")

    browser.find_element(By.CSS_SELECTOR, "main tbody a[href^='#/incidents/']").click()
    see("What was seen", "Evidence", "nats", "It would be innocent if", "name of the driving machine OP-DESK")
    incident = browser.current_url
    picture("incident")
    entity = browser.find_element(By.CSS_SELECTOR, "main a[href^='#/sites/']")
    name = entity.text
    entity.click()
    see("Site", name, "Time line", "Work on its devices")
    site = browser.current_url
    picture("site")
    scheme("dark")
    picture("site-dark")
    scheme("light")

    browser.find_element(By.TAG_NAME, "body").send_keys("/")
    field = browser.find_element(By.CSS_SELECTOR, "#search input")
    assert browser.switch_to.active_element == field, "the slash brings one to the search"
    field.send_keys(name, Keys.ENTER)
    see("Found for", name)
    picture("search")
    open_page("#/devices", "in all")
    browser.find_element(By.TAG_NAME, "body").send_keys("jj", Keys.ENTER)
    see("Fingerprints", "Work on it")
    picture("device")
    open_page("#/accounts", "in all")
    accounts = browser.find_elements(By.CSS_SELECTOR, "main tbody a")
    if accounts:
        accounts[0].click()
        see("Where it was")
        picture("account")
    open_page("#/sessions", "Round trip")
    picture("sessions")
    open_page("#/nowhere/at-all", "There is no such page")

    browser.get("about:blank")
    browser.get(incident)
    see("What was seen")
    browser.find_element(By.ID, "open-dismiss").click()
    browser.find_element(By.NAME, "reason").send_keys("A family of three who all work here, said facilities <b>today</b>")
    picture("dismiss")
    browser.find_element(By.CSS_SELECTOR, "dialog button.strong").click()
    see("closed")
    assert not browser.find_elements(By.ID, "open-dismiss")
    browser.get("about:blank")
    browser.get(f"{url}/#/")
    see("Latest alerts")
    assert not browser.find_elements(By.CSS_SELECTOR, f"main a[href='{incident[incident.index('#'):]}']"), "it is gone"
    browser.get("about:blank")
    browser.get(site)
    see("closed")


def reader():
    scheme("light")
    browser.get(url)
    see("1 open incident", "What was not visible", "What was seen", "Evidence", "Work on its devices")
    picture("report")
    browser.find_element(By.CSS_SELECTOR, "main tbody a[href^='#/incidents/']").click()
    see("What was seen", "Evidence")
    assert not browser.find_elements(By.ID, "open-dismiss"), "a report is read"
    browser.find_element(By.CSS_SELECTOR, "main a[href^='#/sites/']").click()
    see("Time line")
    field = browser.find_element(By.CSS_SELECTOR, "#search input")
    field.send_keys("anydesk", Keys.ENTER)
    see("Found for", "Devices (")


def markup():
    name = "<img src=x onerror=alert(1)>"
    scheme("light")
    open_page("#/devices", name)
    browser.find_element(By.CSS_SELECTOR, "main tbody a").click()
    see(name, "<script>alert(2)</script>")
    field = browser.find_element(By.CSS_SELECTOR, "#search input")
    field.send_keys("onerror", Keys.ENTER)
    see("Found for", name)
    assert not browser.find_elements(By.CSS_SELECTOR, "main img, main script"), "a name became an element"


def quiet():
    """No fault in the console, and no request to anybody else."""
    import json
    faults = [entry["message"] for entry in browser.get_log("browser")
              if entry["level"] in ("SEVERE", "WARNING") and "/nowhere/" not in entry["message"]]
    assert not faults, faults
    asked = set()
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            asked.add(message["params"]["request"]["url"])
    elsewhere = [one for one in asked if not one.startswith((url, "about:", "data:", "chrome"))]
    assert asked and not elsewhere, elsewhere


try:
    {"console": analyst, "markup": markup, "report": reader}[part]()
    quiet()
except Exception as fault:  # pylint: disable=broad-except
    browser.save_screenshot(f"{pictures}/fault.png")
    print(f"{type(fault).__name__}: {fault}")
    sys.exit(1)
finally:
    browser.quit()
