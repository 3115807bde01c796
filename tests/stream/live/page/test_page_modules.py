"""The page's modules one by one, in Chromium: what needs neither camera nor connection."""

import base64

import av
import pytest

from tests.stream.live.chromium import chromium
from tests.stream.live.page_server import serving

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    log = tmp_path_factory.mktemp("page") / "server.log"
    with chromium() as browser, serving(log) as server:
        page = browser.new_page()
        page.goto(server.address)
        page.wait_for_selector("#begin:not([hidden])")
        yield page


def run(page, module, body, argument=None):
    """What ``body``, a function of the module's names as ``m`` and an argument, returns in the page."""
    script = f"async (a) => {{ const m = await import('/static/{module}.js'); return await (({body})(m, a)); }}"
    return page.evaluate(script, argument)


STEPS = """(m, events) => {
  const told = [];
  const machine = new m.StateMachine((state, reason) => told.push([state, reason]));
  return [events.map(([event, reason]) => machine.send(event, reason)), told];
}"""


def test_the_states_follow_each_other(page):
    taken, told = run(
        page,
        "state_machine",
        STEPS,
        [["start"], ["granted"], ["connected"], ["lose", "gone"], ["retry"], ["connected"], ["fail", "x"], ["start"]],
    )
    assert all(taken)
    assert [state for state, _ in told] == (
        ["asking", "connecting", "live", "lost", "connecting", "live", "failed", "asking"]
    )
    assert told[3] == ["lost", "gone"]


@pytest.mark.parametrize(
    "events",
    [
        ["connected"],
        ["start", "start"],
        ["start", "connected"],
        ["start", "stop", "granted"],
        ["lose"],
        ["retry"],
        ["start", "granted", "lose", "start"],
    ],
)
def test_events_that_come_too_late_change_nothing(page, events):
    taken, told = run(page, "state_machine", STEPS, [[event] for event in events])
    assert taken == [True] * (len(events) - 1) + [False]
    assert len(told) == len(events) - 1


def test_waits_double_up_to_ten_seconds(page):
    waits = run(page, "state_machine", "(m) => [0, 1, 2, 3, 4, 5, 6, 60].map(m.waitBefore)")
    assert waits == [0.5, 1, 2, 4, 8, 10, 10, 10]


def one_hot(index):
    return [float(k == index) for k in range(7)]


TIMELINE = """(m, [seen, now]) => {
  const timeline = new m.Timeline();
  for (const [time, parts, certainty] of seen) timeline.add(time, parts, certainty);
  return {stretches: timeline.stretches(now), mean: timeline.mean(now)};
}"""


def test_a_minute_holds_means_and_forgets_what_is_older(page):
    seen = [[1.0, one_hot(0), 1.0], [100.05, one_hot(3), 0.5], [100.15, one_hot(4), 1.0]]
    found = run(page, "timeline", TIMELINE, [seen, 100.2])
    (stretch,) = found["stretches"]
    assert (stretch["from"], stretch["to"], stretch["certainty"]) == (239, 240, 0.75)
    assert found["mean"] == stretch["parts"] == [0, 0, 0, 0.5, 0.5, 0, 0]
    assert run(page, "timeline", TIMELINE, [seen, 161.0])["mean"] is None


def test_what_is_older_than_a_minute_is_forgotten(page):
    """Not only left out: a page may stay open for days."""
    seen = [[100.0, one_hot(3), 1.0], [161.0, one_hot(4), 1.0]]
    assert 0 not in [stretch["from"] for stretch in run(page, "timeline", TIMELINE, [seen, 159.9])["stretches"]]
    assert 0 in [stretch["from"] for stretch in run(page, "timeline", TIMELINE, [seen[:1], 159.9])["stretches"]]


def test_short_gaps_are_held_and_long_ones_stay_empty(page):
    seen = [[10.0, one_hot(3), 1.0], [10.6, one_hot(3), 1.0], [14.0, one_hot(4), 1.0]]
    stretches = run(page, "timeline", TIMELINE, [seen, 20.0])["stretches"]
    assert [(s["from"], s["to"]) for s in stretches] == [(199, 201), (201, 205), (215, 219)]
    assert run(page, "timeline", TIMELINE, [seen, 20.0])["mean"] == [0, 0, 0, 0.6, 0.4, 0, 0]


def test_a_minute_is_told_in_words(page):
    emotions = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
    told = [
        run(page, "timeline", "(m, [mean, emotions]) => m.inWords(mean, emotions)", [mean, emotions])
        for mean in ([0.01, 0, 0, 0.71, 0.08, 0, 0.2], [0.05, 0, 0, 0.95, 0, 0, 0], None)
    ]
    assert told == [
        "Last minute: mostly happy (71 %), then neutral (20 %)",
        "Last minute: mostly happy (95 %)",
        "Last minute: not seen",
    ]


DRAWN = """(m, stretches) => {
  const canvas = document.createElement("canvas");
  canvas.style.cssText = "position: fixed; width: 240px; height: 70px";
  document.body.append(canvas);
  const colors = ["red", "lime", "purple", "yellow", "blue", "orange", "gray"];
  m.draw(canvas, stretches, colors, "transparent");
  const at = (x, y) => [...canvas.getContext("2d").getImageData(x, y, 1, 1).data];
  const found = [at(230, 60), at(230, 10), at(100, 35), [canvas.width, canvas.height]];
  canvas.remove();
  return found;
}"""


def test_a_minute_is_drawn_in_the_palette_and_paler_where_unsure(page):
    half = [0, 0, 0, 0.5, 0, 0, 0.5]
    bottom, top, empty, size = run(page, "timeline", DRAWN, [{"from": 220, "to": 240, "parts": half, "certainty": 1.0}])
    scale = page.evaluate("devicePixelRatio")
    assert size == [240 * scale, 70 * scale]
    assert (bottom, top, empty) == ([128, 128, 128, 255], [255, 255, 0, 255], [0, 0, 0, 0])
    (_, unsure, _, _) = run(page, "timeline", DRAWN, [{"from": 220, "to": 240, "parts": half, "certainty": 0.0}])
    assert unsure[3] == pytest.approx(0.3 * 255, abs=2)


CONTROLS = """async (m, steps) => {
  const options = await (await fetch("api/options")).json();
  const form = document.getElementById("controls").cloneNode(true);
  form.querySelector("#options").replaceChildren();
  const sent = [];
  const controls = new m.Controls(form, options, {send: (values) => sent.push(values), changed: () => {}});
  const input = form.elements["tint.alpha"];
  for (const [step, value] of steps) {
    if (step === "drag") {
      input.value = value;
      input.dispatchEvent(new Event("input", {bubbles: true}));
    } else if (step === "wait") await new Promise((resolve) => setTimeout(resolve, value));
    else if (step === "confirm") controls.confirm({"tint.alpha": value});
    else controls.refuse();
  }
  return {sent, shown: Number(input.value), wanted: controls.wanted["tint.alpha"]};
}"""


def test_a_slider_sends_at_once_then_at_a_steady_pace_and_never_loses_the_last(page):
    drags = [["drag", k / 100] for k in range(20, 80)]
    found = run(page, "controls", CONTROLS, [*drags, ["wait", 200]])
    assert found["sent"] == [{"tint.alpha": 0.2}, {"tint.alpha": 0.79}]


def test_an_old_confirmation_does_not_pull_the_slider_back(page):
    found = run(page, "controls", CONTROLS, [["drag", 0.2], ["drag", 0.9], ["confirm", 0.2]])
    assert (found["shown"], found["wanted"]) == (0.9, 0.9)
    found = run(page, "controls", CONTROLS, [["drag", 0.2], ["confirm", 0.2], ["confirm", 0.6]])
    assert (found["shown"], found["wanted"]) == (0.6, 0.6)


def test_what_is_refused_goes_back_to_what_was_confirmed(page):
    found = run(page, "controls", CONTROLS, [["confirm", 0.4], ["drag", 0.9], ["refuse", 0]])
    assert (found["shown"], found["wanted"]) == (0.4, 0.4)


CHAINS = """async (m, [effect, first, overlay]) => {
  const options = await (await fetch("api/options")).json();
  const form = document.getElementById("controls").cloneNode(true);
  form.querySelector("#options").replaceChildren();
  document.body.append(form); // what is hidden can be told in a document alone
  let values;
  new m.Controls(form, options, {send: () => {}, changed: (all) => (values = all)});
  form.querySelector(`[name=effect][value=${effect}]`).click();
  if (first) form.elements.first.click();
  if (overlay) form.elements.overlay.click();
  const shown = [...form.querySelectorAll("[data-effect]:not([hidden])")].map((group) => group.dataset.effect);
  form.remove();
  return [values.effect, shown.sort()];
}"""


@pytest.mark.parametrize(
    ("choice", "chain", "groups"),
    [
        (["tint", False, False], "tint", ["tint"]),
        (["grade", True, False], "colorize,grade", ["colorize", "grade"]),
        (["style", False, True], "style,overlay", ["overlay", "style"]),
        (["colorize", False, False], "colorize", ["colorize"]),
        (["none", False, False], "none", []),
        (["none", False, True], "overlay", ["overlay"]),
    ],
)
def test_an_effect_shows_its_options(page, choice, chain, groups):
    assert run(page, "controls", CHAINS, choice) == [chain, groups]


FIELDS = """async (m) => {
  const options = await (await fetch("api/options")).json();
  const toy = {name: "toy", description: "Darken.", schema: {properties: {
    dimness: {type: "number", minimum: 0, maximum: 2, default: 0.25, title: "Dimness", description: "How dark.",
      "x-live": true, "x-step": 0.05, "x-unit": "f"},
    hidden: {type: "number", "x-live": false},
    way: {enum: ["up", "down"], default: "up", title: "Way", "x-live": true},
    on: {type: "boolean", default: false, title: "On", "x-live": true},
    words: {type: "string", default: "", title: "Words", "x-live": true},
  }}};
  options.effects.push(toy);
  Object.assign(options.controls, {"toy.dimness": 0.5, "toy.way": "down", "toy.on": true, "toy.words": "some"});
  const form = document.getElementById("controls").cloneNode(true);
  form.querySelector("#options").replaceChildren();
  const sent = [];
  new m.Controls(form, options, {send: (values) => sent.push(values), changed: () => {}});
  const { elements } = form;
  const range = elements["toy.dimness"];
  return {
    range: [range.type, range.min, range.max, range.step, range.value, range.labels?.[0]?.textContent ?? "Dimness"],
    words: form.querySelector('[data-effect="toy"] output').value,
    way: elements["toy.way"].value,
    on: elements["toy.on"].checked,
    text: [elements["toy.words"].type, elements["toy.words"].value],
    hidden: "toy.hidden" in elements,
    legend: form.querySelector('[data-effect="toy"] legend').textContent,
  };
}"""


def test_the_form_is_made_of_the_schema(page):
    """An effect that the page has never heard of gets a control for each live option."""
    found = run(page, "controls", FIELDS, None)
    assert found == {
        "range": ["range", "0", "2", "0.05", "0.5", "Dimness"],
        "words": "0.5 f",
        "way": "down",
        "on": True,
        "text": ["text", "some"],
        "hidden": False,
        "legend": "toy",
    }


STATE = {
    "size": [640, 360],
    "fps_in": 29.97,
    "fps_out": 24.6,
    "recent_latency_ms": 8.125,
    "latency_ms": {"p50": 8.5, "p95": 21.7, "p99": None},
    "level": 2,
    "levels": 6,
    "quality": {"rate_hz": 5, "passes": 4, "net": "ours", "scale": 0.75},
    "stage_ms": {"render": 1.25},
    "drops": {"newer frame": 3},
}
STATISTICS = """(m, state) => {
  const details = document.getElementById("more-statistics").closest("details");
  details.open = true;
  m.showStatistics(state);
  const short = [...document.querySelectorAll("[data-statistic]")].map((place) => place.textContent);
  const rows = [...document.querySelectorAll("#more-statistics div")]
    .map((row) => [...row.children].map((cell) => cell.textContent));
  m.showStatistics(null);
  details.open = false;
  return [short, rows, document.querySelector("[data-statistic]").textContent];
}"""


def test_statistics_are_shown_with_their_units(page):
    short, rows, cleared = run(page, "statistics", STATISTICS, STATE)
    assert short == ["25 fps", "8.1 ms", "640 × 360", "Reduced, step 2 of 5"]
    assert rows == [
        ["Frame rate in", "30.0 fps"],
        ["Frame rate out", "24.6 fps"],
        ["Latency, median", "8.5 ms"],
        ["Latency, 95th percentile", "22 ms"],
        ["Latency, 99th percentile", "–"],
        ["Face analyses, at most", "5 Hz"],
        ["Emotion net", "ours"],
        ["Monte Carlo passes", "4"],
        ["Rendered size", "75 %"],
        ["Time to render", "1.3 ms"],
        ["Dropped frames: newer frame", "3"],
    ]
    assert cleared == "–"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("NotAllowedError", "Access to the camera was denied. Allow it"),
        ("NotFoundError", "No camera was found. Connect one"),
        ("NotReadableError", "Another program may be using it"),
        ("OverconstrainedError", "Choose another one"),
        ("AbortError", "The camera does not open (AbortError)."),
    ],
)
def test_why_a_camera_does_not_open_is_told_in_words(page, error, words):
    script = """async (m, name) => {
      const open = navigator.mediaDevices.getUserMedia;
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("", name));
      try {
        await m.openCamera({camera: "", size: [640, 360], audio: false});
      } catch (error) {
        return [error instanceof m.CameraError, error.message];
      } finally {
        navigator.mediaDevices.getUserMedia = open;
      }
    }"""
    ours, message = run(page, "camera", script, error)
    assert ours
    assert words in message


def test_what_is_no_webm_is_saved_as_it_is(page):
    body = """async (m, [type, bytes]) => {
      const made = await m.seekable(new Blob([new Uint8Array(bytes)], {type}));
      return [...new Uint8Array(await made.arrayBuffer())];
    }"""
    head = [0x1A, 0x45, 0xDF, 0xA3, 0x80, 0x18, 0x53, 0x80, 0x67, 0x01, *[0xFF] * 7]
    for kind, content in [("video/mp4", [1, 2]), ("video/webm", []), ("video/webm", [0] * 40), ("video/webm", head)]:
        assert run(page, "webm", body, [kind, content]) == content


RECORD = """async (m, mimeType) => {
  const canvas = Object.assign(document.createElement("canvas"), {width: 160, height: 120});
  const context = canvas.getContext("2d");
  const recorder = new MediaRecorder(canvas.captureStream(25), {mimeType, videoKeyFrameIntervalDuration: 500});
  const parts = [];
  recorder.ondataavailable = (event) => parts.push(event.data);
  const stopped = new Promise((resolve) => (recorder.onstop = resolve));
  recorder.start(400);
  for (const end = performance.now() + 3000; performance.now() < end; ) {
    context.fillStyle = `hsl(${performance.now() / 10} 80% 50%)`;
    context.fillRect(0, 0, 160, 120);
    await new Promise((resolve) => requestAnimationFrame(resolve));
  }
  recorder.stop();
  await stopped;
  const made = await m.seekable(new Blob(parts, {type: "video/webm"}));
  const video = Object.assign(document.createElement("video"), {src: URL.createObjectURL(made), muted: true});
  await new Promise((resolve) => (video.onloadedmetadata = resolve));
  video.currentTime = 0.75 * video.duration;
  await new Promise((resolve) => (video.onseeked = resolve));
  const text = [...new Uint8Array(await made.arrayBuffer())].map((byte) => String.fromCharCode(byte)).join("");
  return {duration: video.duration, end: video.seekable.end(0), at: video.currentTime, text: btoa(text)};
}"""


@pytest.mark.parametrize("kind", ["video/webm;codecs=vp8", "video/webm;codecs=vp9"])
def test_a_recording_gets_a_duration_and_an_index(page, kind, tmp_path):
    """Players can seek in it, and find key frames without reading all of it. What MediaRecorder writes has neither."""
    made = run(page, "webm", RECORD, kind)
    assert made["end"] == pytest.approx(made["duration"], abs=0.01)
    assert made["at"] == pytest.approx(0.75 * made["duration"], abs=0.05)
    path = tmp_path / "film.webm"
    path.write_bytes(base64.b64decode(made["text"]))
    with av.open(str(path)) as film:
        assert len(film.streams.video[0].index_entries) > 1, "known before anything was decoded"
        times = [frame.time for frame in film.decode(video=0)]
        assert len(times) > 5
        assert film.duration / 1e6 == pytest.approx(made["duration"], abs=0.01)
        assert times[-1] < made["duration"] < times[-1] + 1
