"""Bounds the tags of an input: FFmpeg reads them whole, however long they are."""

from collections.abc import Iterator, Mapping
from typing import Final

import av

MAX_TAG_CHARACTERS: Final = 1 << 20
"""More than any text that people write about a film; XMP of cameras is shorter."""
MAX_CHARACTERS: Final = 16 << 20
"""Of all tags of the input and its streams."""
MAX_NAMED: Final = 3
SHOWN_CHARACTERS: Final = 40


def bound_tags(container: av.container.InputContainer) -> list[str]:
    """Remove the tags that are too long from the container and its streams, in place; a warning, if there are any."""
    removed = [name for chapter in container.chapters() for name in _too_long(chapter["metadata"])]
    room = MAX_CHARACTERS
    for tags in (container.metadata, *(stream.metadata for stream in container.streams)):
        for name in list(tags):
            size = len(name) + len(tags[name])
            if size > min(MAX_TAG_CHARACTERS, room):
                removed.append(name)
                del tags[name]
            else:
                room -= size
    if not removed:
        return []
    named = ", ".join(name[:SHOWN_CHARACTERS] for name in removed[:MAX_NAMED])
    more = f" and {len(removed) - MAX_NAMED} more" if len(removed) > MAX_NAMED else ""
    return [f"Tags that are too long are left out: {named}{more}."]


def bounded(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags without those that are too long."""
    too_long = set(_too_long(tags))
    return {name: text for name, text in tags.items() if name not in too_long}


def _too_long(tags: Mapping[str, str]) -> Iterator[str]:
    return (name for name, text in tags.items() if len(name) + len(text) > MAX_TAG_CHARACTERS)
