"""The layout of the page in Chromium, and what people with disabilities need."""

import pytest

from tests.stream.live.page.browsing import start

pytestmark = pytest.mark.timeout(240)


def test_the_videos_are_shown_side_by_side_or_split(live):
    seen = (
        "(id) => {const b = document.getElementById(id).getBoundingClientRect(); return [b.x, b.y, b.width, b.height]}"
    )
    assert live.evaluate(seen, "original")[2] == 0
    live.check("[name=view][value=side-by-side]", force=True)
    left, right = (live.evaluate(seen, name) for name in ("original", "recolored"))
    assert right[0] == pytest.approx(left[0] + left[2], abs=1)
    assert left[1:] == pytest.approx(right[1:], abs=1)
    live.check("[name=view][value=split]", force=True)
    assert live.evaluate(seen, "original") == pytest.approx(live.evaluate(seen, "recolored"), abs=1)
    live.locator("#split").fill("25")
    assert live.evaluate("getComputedStyle(document.querySelector('.recolored')).clipPath") == "inset(0px 0px 0px 25%)"


@pytest.mark.parametrize("width", [360, 1024, 1600])
def test_nothing_is_cut_off_at_any_width(opened, width):
    page = start(opened(viewport={"width": width, "height": 800}))
    page.click("#share")
    page.wait_for_selector("#share-panel:not([hidden])")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, select, .chips label, .palettes label")]
          .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 32)
          .map((one) => one.outerHTML)"""
    )
    assert small == []


def test_on_a_phone_the_video_stays_in_view(opened):
    page = start(opened(viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True))
    page.evaluate("document.getElementById('camera').scrollIntoView({block: 'end'})")
    top, bottom = page.evaluate(
        "(() => {const b = document.getElementById('player').getBoundingClientRect(); return [b.top, b.bottom]})()"
    )
    assert top == 0
    assert 150 < bottom < 400


LOW_CONTRAST = """() => {
  const canvas = Object.assign(document.createElement("canvas"), {width: 1, height: 1});
  const context = canvas.getContext("2d", {willReadFrequently: true});
  const rgba = (color) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
  const ground = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const one of document.querySelectorAll("body *")) {
    const text = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!text || one.disabled || one.closest("button")?.disabled || !one.checkVisibility()) continue;
    const [light, dark] = [rgba(getComputedStyle(one).color), ground(one)].map(luminance).sort((a, b) => b - a);
    const ratio = (light + 0.05) / (dark + 0.05);
    if (ratio < 4.5) found.push([one.outerHTML.slice(0, 80), ratio]);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_schemes(opened, scheme):
    """Contrast of 4.5 to 1 (WCAG 2.2, criterion 1.4.3, level AA)."""
    page = opened(color_scheme=scheme)
    assert page.evaluate(LOW_CONTRAST) == []
    start(page)
    page.wait_for_selector(".face")
    page.click("summary")
    page.click("#record")
    page.click("#share")
    page.wait_for_selector("#share-panel:not([hidden])")
    page.click("#snapshot")
    page.wait_for_selector("#notice:not(:empty)")
    assert page.evaluate(LOW_CONTRAST) == []


UNNAMED = """() => [...document.querySelectorAll("button, input, select, summary, [role=img], video")]
  .filter((one) => one.checkVisibility())
  .filter((one) => !(one.ariaLabel || one.labels?.length || one.textContent.trim()))
  .map((one) => one.outerHTML)"""


def test_everything_has_a_name_and_messages_are_announced(opened):
    page = opened()
    assert page.evaluate(UNNAMED) == []
    assert page.get_attribute("#message", "role") == "status"
    assert page.get_attribute("#notice", "role") == "alert"
    assert page.locator("html").get_attribute("lang") == "en"
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.name"))
    named = {"begin", "mirror", "full-screen", "view", "effect", "tint.palette", "tint.alpha", "tint.mode", "camera"}
    assert named <= set(reached)


def test_nothing_moves_where_reduced_motion_is_preferred(opened):
    page = opened(reduced_motion="reduce")
    moving = (
        "[...document.querySelectorAll('*')].filter((one) => getComputedStyle(one).transitionDuration !== '0s').length"
    )
    assert page.evaluate(moving) == 0
