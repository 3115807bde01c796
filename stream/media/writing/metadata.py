"""What the output states about itself and its streams: names, languages, places, as far as its container holds them."""

from collections.abc import Mapping
from typing import Final

from av.stream import Disposition

MOV_FORMATS: Final = frozenset({"mp4", "mov", "ipod", "3gp", "3g2", "psp"})
"""FFmpeg's formats of one muxer, that of QuickTime and MP4."""
STALE_KEYS: Final = (
    "encoder",
    "duration",
    "bps",
    "number_of_",
    "_statistics",
    "vendor_id",
    "major_brand",
    "minor_version",
    "compatible_brands",
)
"""Prefixes of metadata keys that describe the input file itself and would be wrong in the output."""
KEYS_OF_ITUNES: Final = frozenset(
    {"title", "artist", "album_artist", "composer", "album", "date", "comment", "genre", "copyright", "grouping"}
    | {"lyrics", "description", "synopsis", "show", "episode_id", "network", "keywords", "episode_sort"}
    | {"season_number", "media_type", "track", "disc", "compilation", "hd_video", "gapless_playback", "location"}
)
"""What FFmpeg's muxer writes into MP4's own tags."""
OWN_KEYS: Final[Mapping[str, frozenset[str]]] = {
    "mp4": KEYS_OF_ITUNES,
    "mov": frozenset({"title", "artist", "album", "date", "comment", "genre", "copyright", "location"})
    | {"make", "model", "keywords"},
}
"""Keys that these formats hold without Apple's metadata table, in which they hold any key."""
KEYS_ELSEWHERE: Final = frozenset({"creation_time", "timecode", "language"})
"""Keys that are written into headers and tracks."""
APPLE_PREFIX: Final = "com.apple.quicktime."
APPLE_KEYS: Final = {"location": "location.ISO6709", "make": "make", "model": "model", "title": "title"}
"""Names in Apple's metadata table, in which players look for nothing else."""
_QUICKTIME_CODES: Final = (
    "alb amh ara arm asm aze baq bel ben bul bur cat ces chi dan dut eng epo est fin fra geo ger gre grn guj heb hin "
    "hun ice ind ita jav jpn kan kas kaz khm kin kir kor kur lao lat lav lit mac mal mar may mlg mlt mol mon nep nor "
    "ori orm per pol por pus que ron run rus san sin slk slv smi snd som spa swa tam tat tel tgk tgl tha tib tir tuk "
    "tur uig ukr urd uzb vie wel yid"
)
QUICKTIME_LANGUAGES: Final = frozenset(_QUICKTIME_CODES.split())
"""ISO 639-2 codes in FFmpeg's table of QuickTime's languages."""
QUICKTIME_NAMES: Final = {"swe": "sve", "hrv": "hr ", "fao": "fo ", "gle": "iri", "srp": "sr ", "pan": "pa "}
"""Names of its own in that table, by ISO 639-2 codes."""
SAME_LANGUAGES: Final = {
    **{"deu": "ger", "fre": "fra", "nld": "dut", "ell": "gre", "isl": "ice", "zho": "chi", "sqi": "alb", "rum": "ron"},
    **{"cze": "ces", "slo": "slk", "mkd": "mac", "hye": "arm", "kat": "geo", "bod": "tib", "mya": "bur", "msa": "may"},
    **{"fas": "per", "eus": "baq", "cym": "wel", "nob": "nor", "nno": "nor"},
}
"""The code in QuickTime's table for languages that have another, or belong to one that is there."""
UNKNOWN_LANGUAGES: Final = frozenset({"", "und"})
FORMATS_OF_FEW_LANGUAGES: Final = frozenset({"mov", "avi", "flv", "mxf", "gxf", "mpeg", "vob", "dvd", "svcd", "vcd"})
"""MOV has codes for some, the others, as FFmpeg writes them, for none."""
FLAGS_OF_TRACKS: Final = (
    ("forced", Disposition.forced),
    ("for the hearing impaired", Disposition.hearing_impaired),
    ("for the visually impaired", Disposition.visual_impaired),
    ("commentary", Disposition.comment),
    ("dubbed", Disposition.dub),
    ("original", Disposition.original),
)


def current_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    """Metadata without the keys that describe the input file itself."""
    return {key: value for key, value in metadata.items() if not key.lower().startswith(STALE_KEYS)}


def needs_apple_table(format_name: str, metadata: Mapping[str, str]) -> bool:
    """Whether some of ``metadata`` would be lost in a MOV or MP4 file without Apple's table of any keys."""
    own = OWN_KEYS.get(format_name)
    if own is None:
        return False
    # FFmpeg's demuxer repeats some keys with a language, as in location-eng.
    return any(
        key.lower() not in own | KEYS_ELSEWHERE and metadata.get(key.rpartition("-")[0]) != value
        for key, value in metadata.items()
    )


def with_apple_keys(metadata: Mapping[str, str]) -> dict[str, str]:
    """Metadata for Apple's table: what has a name of Apple's is there under that name too."""
    named = {APPLE_PREFIX + name: metadata[key] for key, name in APPLE_KEYS.items() if key in metadata}
    return {**named, **metadata}


def stream_metadata(format_name: str, metadata: Mapping[str, str]) -> dict[str, str]:
    """A stream's metadata as an output of that container format should have it."""
    kept = current_metadata(metadata)
    if format_name not in MOV_FORMATS:
        kept.pop("handler_name", None)
    if "name" in kept:  # MOV's demuxer gives what was written as "title" under "name"
        kept.setdefault("title", kept.pop("name"))
    if "language" in kept:
        kept["language"] = _language(format_name, kept["language"])
    return kept


def _language(format_name: str, language: str) -> str:
    """The language's code as the muxer knows it."""
    iso = next((code for code, name in QUICKTIME_NAMES.items() if name == language), language)
    return QUICKTIME_NAMES.get(iso, SAME_LANGUAGES.get(iso, iso)) if format_name == "mov" else iso


def language_is_lost(format_name: str, language: str) -> bool:
    """Whether the container has no code for a language that :func:`stream_metadata` gave."""
    if language in UNKNOWN_LANGUAGES or format_name not in FORMATS_OF_FEW_LANGUAGES:
        return False
    return format_name != "mov" or language not in QUICKTIME_LANGUAGES | set(QUICKTIME_NAMES.values())


def lost_flags(format_name: str, disposition: int) -> list[str]:
    """What a stream is marked as that the container cannot say, in words."""
    if format_name != "mov":
        return []
    return [name for name, flag in FLAGS_OF_TRACKS if disposition & flag]
