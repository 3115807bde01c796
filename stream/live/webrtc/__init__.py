"""WebRTC sessions through aiortc."""
