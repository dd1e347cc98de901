"""Headless Chromium, with a profile of its own in the granted directory."""

import re
import struct

from .base import Case, told

# A page that needs its script, its style and a canvas.
PAGE = """<!doctype html><meta charset=utf-8><title>Try</title>
<style>body { background: rgb(0, 128, 255); margin: 0 }</style><canvas id=c width=10 height=10></canvas><p id=p></p>
<script>
const c = document.getElementById('c').getContext('2d'); c.fillRect(0, 0, 5, 5);
const black = c.getImageData(0, 0, 1, 1).data[3];
document.getElementById('p').textContent = 'told: ' + (6 * 7) + ' ' + black + ' ' + typeof WebAssembly;
localStorage.setItem('a', 'b');
</script>
"""

# /dev/shm is not in the jail; without `--disable-dev-shm-usage` Chromium keeps shared memory there.
FLAGS = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars"]


def set_up(place):
    (place.work / "page.html").write_text(PAGE)


def words(place, *flags):
    profile = f"--user-data-dir={place.work}/profile"
    return ["chromium", *FLAGS, *flags, profile, f"file://{place.work}/page.html"]


def picture(_printed, place):
    """Size and the colour type of the PNG; its pixels are the drawing library's."""
    path = place.work / "page.png"
    if not path.exists():
        return {}
    head = path.read_bytes()[:33]
    width, height = struct.unpack(">II", head[16:24])
    return {f"a picture of {width} × {height}": head[:4].decode("latin-1")[1:]}


def dom(printed, place):
    """What the page's script wrote."""
    return told("\n".join(re.findall(r"told: 42[\w ]*", printed)), place)


def browser(name, tell, *flags, **more):
    return Case(
        name, "Chromium", lambda place: words(place, *flags), needs=("chromium",), set_up=set_up,
        # Debian starts it by a script that reads its flags there.
        read=lambda place: ["/etc/chromium.d"], tell=tell, by_hand=True, **more,
    )


CASES = [
    browser("chromium --dump-dom", dom, "--no-sandbox", "--dump-dom"),
    # Its own sandbox is made of user namespaces.
    browser("chromium with its own sandbox", dom, "--dump-dom", not_as_root=True),
    browser("chromium --screenshot", picture, "--no-sandbox", "--window-size=320,200", "--screenshot=page.png"),
]
