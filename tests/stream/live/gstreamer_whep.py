"""A WHEP viewer made of GStreamer's webrtcbin: its ICE, DTLS, SRTP and decoders share no code with the server's.

    /usr/bin/python3 gstreamer_whep.py URL TOKEN VP8|H264

Not imported by any test: it is run by a Python that has ``gi``, which is the system's. It trickles its candidates,
writes one JSON object per line on standard output ("connected", then "video" with the size and the mean of each plane,
and "audio" with its peak), and ends the session by DELETE when its standard input is closed.
"""

import json
import sys
import threading
import urllib.request
from urllib.parse import urljoin

import gi

for name in ("Gst", "GstWebRTC", "GstSdp"):
    gi.require_version(name, "1.0")

from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

VIDEO_CAPS = {
    "VP8": "application/x-rtp,media=video,encoding-name=VP8,payload=96,clock-rate=90000",
    "H264": "application/x-rtp,media=video,encoding-name=H264,payload=97,clock-rate=90000,"
    "packetization-mode=(string)1,profile-level-id=(string)42e01f",
}
DECODERS = {
    "VP8": "rtpvp8depay ! vp8dec",
    "H264": "rtph264depay ! h264parse ! openh264dec",
    "OPUS": "rtpopusdepay ! opusdec",
}
AUDIO_CAPS = "application/x-rtp,media=audio,encoding-name=OPUS,payload=98,clock-rate=48000,encoding-params=(string)2"


def tell(event, **values):
    sys.stdout.write(json.dumps({"event": event, **values}) + "\n")  # in one piece: several threads tell
    sys.stdout.flush()


class Viewer:
    """One session, on GLib's main loop."""

    def __init__(self, url, token, codec):
        self.url, self.token = url, token
        self.resource = self.etag = None
        self.candidates = []
        self.pipeline = Gst.Pipeline()
        self.web = Gst.ElementFactory.make("webrtcbin")
        self.web.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        self.pipeline.add(self.web)
        for caps in (VIDEO_CAPS[codec], AUDIO_CAPS):
            receive = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
            self.web.emit("add-transceiver", receive, Gst.Caps.from_string(caps))
        self.web.connect("pad-added", self.pad_added)
        self.web.connect("on-ice-candidate", self.found_candidate)
        self.web.connect("notify::connection-state", self.state_changed)
        self.pipeline.set_state(Gst.State.PLAYING)
        self.web.emit("create-offer", None, Gst.Promise.new_with_change_func(self.offer_made))

    def offer_made(self, promise):
        reply = promise.get_reply()
        offer = reply.get_value("offer")  # lives as long as the reply does
        self.web.emit("set-local-description", offer, Gst.Promise.new())
        head, answer = self.ask("POST", self.url, offer.sdp.as_text(), "application/sdp", 201)
        self.resource, self.etag = urljoin(self.url, head["Location"]), head["ETag"]
        text = "".join(f"{line}\r\n" for line in offer.sdp.as_text().splitlines())
        attributes = [line for line in text.split("\r\n") if line.startswith(("a=ice-ufrag", "a=ice-pwd", "a=mid"))]
        self.fragment_head = [*dict.fromkeys(attributes[:2]), "m=video 9 UDP/TLS/RTP/SAVPF 0", attributes[2]]
        _, message = GstSdp.SDPMessage.new_from_text(answer)
        description = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        self.web.emit("set-remote-description", description, Gst.Promise.new())
        GLib.timeout_add(100, self.trickle)

    def found_candidate(self, _, index, candidate):
        self.candidates.append(f"a={candidate}")

    def trickle(self):
        found, self.candidates = self.candidates, []
        if found and self.resource:
            body = "\r\n".join([*self.fragment_head, *found, ""])
            self.ask("PATCH", self.resource, body, "application/trickle-ice-sdpfrag", 204)
        return self.resource is not None

    def state_changed(self, web, _):
        tell(web.get_property("connection-state").value_nick)

    def pad_added(self, _, pad):
        if pad.direction != Gst.PadDirection.SRC:
            return
        form = pad.get_current_caps().get_structure(0)
        video = form.get_string("media") == "video"
        convert = "videoconvert ! video/x-raw,format=I420" if video else "audioconvert ! audio/x-raw,format=S16LE"
        sink = Gst.parse_bin_from_description(
            f"queue ! {DECODERS[form.get_string('encoding-name').upper()]} ! {convert} "
            "! appsink name=sink emit-signals=true sync=false max-buffers=4 drop=true",
            True,
        )
        sink.get_by_name("sink").connect("new-sample", self.video if video else self.audio)
        self.pipeline.add(sink)
        sink.sync_state_with_parent()
        pad.link(sink.get_static_pad("sink"))

    def video(self, sink):
        sample = sink.emit("pull-sample")
        form = sample.get_caps().get_structure(0)
        width, height = form.get_value("width"), form.get_value("height")
        data = sample.get_buffer().extract_dup(0, sample.get_buffer().get_size())
        chroma = (len(data) - width * height) // 2
        planes = data[: width * height], data[width * height :][:chroma], data[width * height :][chroma:]
        tell("video", size=[width, height], means=[sum(plane) / len(plane) for plane in planes])
        return Gst.FlowReturn.OK

    def audio(self, sink):
        buffer = sink.emit("pull-sample").get_buffer()
        samples = memoryview(buffer.extract_dup(0, buffer.get_size())).cast("h")
        tell("audio", peak=max(map(abs, samples), default=0))
        return Gst.FlowReturn.OK

    def end(self):
        self.ask("DELETE", self.resource, None, None, 200)
        self.pipeline.set_state(Gst.State.NULL)
        tell("ended")

    def ask(self, method, url, body, kind, wanted):
        request = urllib.request.Request(url, body.encode() if body else None, method=method)
        request.add_header("Authorization", f"Bearer {self.token}")
        if kind:
            request.add_header("Content-Type", kind)
        if method == "PATCH":
            request.add_header("If-Match", self.etag)
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert answer.status == wanted, (method, answer.status)
            return answer.headers, answer.read().decode()


def main():
    Gst.init(None)
    loop = GLib.MainLoop()
    viewer = Viewer(*sys.argv[1:])

    def wait_for_the_end():
        sys.stdin.read()
        GLib.idle_add(loop.quit)

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    loop.run()
    viewer.end()


if __name__ == "__main__":
    main()
