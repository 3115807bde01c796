"""Sharing a session by a link, and watching it, in two pages of Chromium."""

import pytest

from tests.stream.live.page.browsing import start, stop, until, wait_for_frames, wait_for_reconnection

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def shared(live):
    """A page whose session is shared, and the link."""
    live.click("#share")
    live.wait_for_selector("#share-panel:not([hidden])")
    return live, live.input_value("#share-link")


def watch(owner, link):
    """Another person's page that watches, in a context without a camera."""
    page = owner.context.browser.new_context().new_page()
    page.set_default_timeout(45_000)
    page.goto(link)
    page.click("#begin")
    page.wait_for_selector("body[data-state=live]")
    return page


def test_a_page_is_not_shared_until_its_owner_does(live, server):
    listed = live.evaluate("fetch('api/sessions').then((response) => response.json())")
    assert listed == {"sessions": []}
    assert live.get_attribute("#share", "aria-pressed") == "false"
    assert live.is_hidden("#share-panel")
    assert live.is_hidden("#viewers")


def test_whoever_has_the_link_watches_and_the_owner_is_told(shared, server):
    owner, link = shared
    assert link.startswith(f"{server.address}#watch=")
    viewer = watch(owner, link)
    wait_for_frames(viewer, 10)
    assert viewer.evaluate("document.getElementById('recolored').videoWidth") > 0
    assert viewer.evaluate("document.getElementById('original').srcObject") is None, "it needs no camera"
    assert viewer.is_hidden("#controls")
    assert viewer.inner_text("#message") == "Live: you watch a shared session."
    until(owner, "document.getElementById('viewers').textContent === '1 person watches'")
    assert owner.is_visible("#viewers")
    viewer.click("#stop")
    owner.wait_for_selector("#viewers", state="hidden")
    viewer.context.close()


def test_stop_sharing_ends_the_watching(shared):
    owner, link = shared
    viewer = watch(owner, link)
    owner.click("#stop-sharing")
    assert owner.is_hidden("#share-panel")
    viewer.wait_for_selector("body[data-state=lost]")
    assert "not shared any more" in viewer.inner_text("#message")
    owner.wait_for_selector("#viewers", state="hidden")
    viewer.context.close()
    wait_for_frames(owner, 5)


def test_the_link_stays_after_a_new_connection(shared):
    owner, link = shared
    viewer = watch(owner, link)
    stream = "document.getElementById('recolored').srcObject.id"
    before = viewer.evaluate(stream)
    owner.check("#audio")
    wait_for_reconnection(owner)
    until(owner, "!document.getElementById('share-panel').hidden")
    assert owner.input_value("#share-link") == link
    until(viewer, f"document.body.dataset.state === 'live' && {stream} !== '{before}'")
    wait_for_frames(viewer, 5)
    viewer.context.close()


def test_after_a_stop_nothing_is_shared(shared):
    owner, link = shared
    stop(owner)
    assert owner.is_hidden("#share-panel")
    start(owner)
    assert owner.get_attribute("#share", "aria-pressed") == "false"
    late = owner.context.browser.new_context().new_page()
    late.goto(link)
    late.click("#begin")
    late.wait_for_selector("body[data-state=failed]")
    assert "not shared any more" in late.inner_text("#message")
    late.context.close()


def test_the_link_can_be_copied(shared):
    owner, link = shared
    owner.context.grant_permissions(["camera", "clipboard-read", "clipboard-write"])
    owner.click("#copy-link")
    until(owner, "document.getElementById('notice').textContent === 'Copied the link.'")
    assert owner.evaluate("navigator.clipboard.readText()") == link
