"""What tests of the page do in the browser: start a session, wait for what it shows."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av

PATIENCE_MS = 45_000
"""For what takes a moment, on a machine that may be busy."""
S0_TINT = ("--alpha", ".5", "--mix", "rgb", "--base", "gray", "--certainty", "0")
"""What sessions start with: the whole frame takes the colour of the emotion, so that it can be measured."""
ALPHA = '[id="tint.alpha"]'
MEAN_COLOR = """(() => {
  const canvas = Object.assign(document.createElement("canvas"), {width: 16, height: 9});
  const context = canvas.getContext("2d");
  context.drawImage(document.getElementById("recolored"), 0, 0, 16, 9);
  const pixels = context.getImageData(0, 0, 16, 9).data;
  return [0, 1, 2].map((channel) => pixels.filter((_, k) => k % 4 === channel).reduce((a, b) => a + b) / 144);
})()"""
"""Of the recoloured video: red, green and blue in [0, 255]."""
PROBABILITIES = """Object.fromEntries(
  [...(document.querySelector(".face:not(.away)")?.querySelectorAll(".bars li") ?? [])]
    .map((bar) => [bar.dataset.emotion, parseInt(bar.querySelector(".part").textContent) / 100]))"""
"""As the bars of a visible face tell them: emotion to probability."""
FULL = "the server responded with a status of 503"
"""What Chromium writes by itself where the server is full."""
_UNTIL = """async ([condition, patience]) => {
  const end = performance.now() + patience;
  while (performance.now() < end) {
    const found = CONDITION;
    if (found) return found;
    await new Promise((resolve) => requestAnimationFrame(resolve));
  }
  return null;
}"""
_MORE_FRAMES = """async (count) => {
  const video = document.getElementById("recolored");
  for (let k = 0; k < count; k++) await new Promise((resolve) => video.requestVideoFrameCallback(resolve));
}"""


def until(page: Any, condition: str) -> Any:
    """Wait until an expression is truthy, and return its value.

    It is evaluated at every repaint. Playwright's own way to wait evaluates text in the page, which the page's policy
    forbids.
    """
    found = page.evaluate(_UNTIL.replace("CONDITION", f"({condition})"), [condition, PATIENCE_MS])
    assert found is not None, f"never came true: {condition}"
    return found


def wait_for_frames(page: Any, count: int) -> None:
    """Until so many more frames of the recoloured video were shown."""
    page.evaluate(_MORE_FRAMES, count)


def at_some_frame(page: Any, expression: str, accept: Callable[[Any], bool], within: int = 900) -> Any:
    """The value of an expression at the first frame of the recoloured video at which it is accepted."""
    for _ in range(within):
        found = page.evaluate(expression)
        if accept(found):
            return found
        wait_for_frames(page, 1)
    raise AssertionError(f"never accepted, at last {found}")


def start(page: Any) -> Any:
    """Press Start, and wait until the session is live."""
    page.click("#begin")
    page.wait_for_selector("body[data-state=live]")
    return page


def stop(page: Any) -> None:
    """Press Stop, and wait until the server has ended the session and finished its recording."""
    with page.expect_response(lambda response: response.request.method == "DELETE"):
        page.click("#stop")


def wait_for_reconnection(page: Any) -> None:
    """Until the session has left its state and is live again."""
    page.wait_for_selector("body:not([data-state=live])")
    page.wait_for_selector("body[data-state=live]")


def frames_in(path: Path) -> int:
    """How many video frames a file holds."""
    with av.open(str(path)) as film:
        return sum(1 for _ in film.decode(video=0))


class Pages:
    """Opens pages of a server, each in a context of its own, and collects what they complain about."""

    def __init__(self, browser: Any, address: str) -> None:
        self._browser = browser
        self._address = address
        self._contexts: list[Any] = []
        self.complaints: list[str] = []

    def __call__(self, *, camera: bool = True, **settings: Any) -> Any:
        """A page that has loaded; with ``camera``, it may use the camera and the microphone."""
        context = self._browser.new_context(permissions=["camera", "microphone"] if camera else [], **settings)
        self._contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(self._address)
        return page

    def close(self) -> None:
        """End the sessions that still run, so that the next test finds none."""
        for context in self._contexts:
            for page in context.pages:
                if page.get_attribute("body", "data-state") == "live":
                    stop(page)
            context.close()


@contextmanager
def pages_of(browser: Any, address: str) -> Iterator[Pages]:
    """Pages that must not have an error."""
    pages = Pages(browser, address)
    try:
        yield pages
    finally:
        pages.close()
    assert [text for text in pages.complaints if FULL not in text] == []
