import pytest

from stream.redaction import redacted


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtmp://anna:secret@host/live", "rtmp://anna:***@host/live"),
        ("rtmp://host/app/KEY", "rtmp://host/app/***"),
        ("RTMPS://host:443/app/instance/KEY?auth=1", "RTMPS://host:443/app/***"),
        ("rtmp://host/app?token=KEY", "rtmp://host/app?token=***"),
        ("http://TOKEN@host/a.mp4", "http://***@host/a.mp4"),
        ("https://host/a?token=abc&x=2#part", "https://host/a?token=***&x=***#part"),
        ("https://host/a#token=abc", "https://host/a#token=***"),
        ("https://host/a?SECRET", "https://host/a?***"),
        ("rtsp://u:pa/ss@host:554/1", "rtsp://u:***@host:554/1"),
        ("rtsp://u:p@ss@host/1", "rtsp://u:***@host/1"),
        ("http://host:80/@user/x.mp4", "http://host:80/@user/x.mp4"),
        ("http://[::1]:80/a@b", "http://[::1]:80/a@b"),
        ("udp://127.0.0.1:9", "udp://127.0.0.1:9"),
        ("refused: 'http://a:b@h/x?token=1'; last", "refused: 'http://a:***@h/x?token=***'; last"),
        ("at 12:30.mp4", "at 12:30.mp4"),
        ("Cannot write rtmp://host/app/KEY: it ended.", "Cannot write rtmp://host/app/***: it ended."),
        ("(see http://host/a?b=c), then", "(see http://host/a?b=***), then"),
    ],
)
def test_urls_keep_what_is_no_secret(url, shown):
    assert redacted(url) == shown
