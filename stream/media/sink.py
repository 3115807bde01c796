"""Writes frames and the packets of other streams to a file, a pipe, a network stream or numbered images.

A file appears under its name only when it is complete. The same input and options give the same bytes.
"""

import contextlib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Final, NoReturn

import av
from av.stream import Disposition

from emocolor.errors import ConfigurationError, SinkError

from ..files.output_file import Placeable, place_all
from ..files.stop_request import StopRequest
from .companion_streams import add_companions
from .encoder import STRICTNESS, VideoEncoder
from .encoder_choice import default_encoder, encoder_options, find_encoder, holds_hdr
from .locations import write_failure
from .packets import Packet
from .probe import TIMECODE
from .source import MediaUnit, VideoSource
from .source_info import SourceInfo
from .target import Target
from .writing.acceptance import streams_without_packets
from .writing.companion_writers import CompanionOutput
from .writing.continuous_audio import ContinuousAudio
from .writing.encoded_video import EncodedStream, EncodedVideo
from .writing.metadata import MOV_FORMATS, current_metadata, needs_apple_table, stream_metadata, with_apple_keys
from .writing.muxer import Muxer
from .writing.sink_options import AudioPolicy, SinkOptions
from .writing.timecode import shifted

__all__ = ["AudioPolicy", "SinkOptions", "VideoSink"]

BITEXACT: Final = 0x400
"""FFmpeg's AVFMT_FLAG_BITEXACT."""
ROTATION_FORMATS: Final = MOV_FORMATS | {"matroska", "webm"}
"""Containers that store a rotation for players."""
CHAPTER_FORMATS: Final = MOV_FORMATS | {"matroska", "webm", "ogg", "asf", "nut"}
CHAPTER_UNIT: Final = Fraction(1, 1000)
FRAGMENTED: Final = "+frag_keyframe+empty_moov+delay_moov+default_base_moof"
"""Flags of MOV's muxer for places in which nothing can be completed later. The index follows the first fragment, when
all codecs are known."""
BLU_RAY_EXTENSIONS: Final = (".m2ts", ".mts")
"""Of MPEG transport streams with a time before every packet, as on Blu-ray discs and in cameras."""
MUXER_OPTIONS: Final[dict[str, dict[str, str]]] = {
    # Offsets between streams are rounded to units of the movie's time scale, by default a millisecond.
    **{name: {"movie_timescale": "90000"} for name in MOV_FORMATS},
    # Encoded audio begins before zero; moved after it, the video would lie between AVI's numbers.
    "avi": {"avoid_negative_ts": "disabled"},
    **STRICTNESS,
}


class VideoSink:
    """One output, written by one thread.

    Call ``write`` for every unit, then ``finish``; or ``abort``, which leaves no file behind.
    """

    warnings: list[str]
    """What the output cannot hold, and what was converted for it, one line each; writing may add to them."""

    def __init__(
        self,
        target: str,
        source: VideoSource | SourceInfo,
        options: SinkOptions | None = None,
        *,
        on_device: bool = False,
        encoded: EncodedStream | None = None,
        stop: StopRequest | None = None,
    ) -> None:
        """Check everything that can be checked before the work starts; the source must still be open.

        ``on_device``: frames come in a GPU's memory, and NVENC encodes them there. ``encoded``: packets like those of
        this stream come in place of frames. ``stop`` ends waits for the reader of a pipe.

        Raises ConfigurationError for options that do not fit, SinkError for a place or a container that cannot be used.
        """
        options = options or SinkOptions()
        info = source if isinstance(source, SourceInfo) else source.info
        self.warnings = []
        self._info = info
        self._target = Target(
            target, format_name=options.format, overwrite=options.overwrite, source=info.location, stop=stop
        )
        try:
            self._prepare(options, on_device=on_device, encoded=encoded)
        except BaseException:
            self._target.remove()
            raise

    def _prepare(self, options: SinkOptions, *, on_device: bool, encoded: EncodedStream | None) -> None:
        self._check_single_image()
        self._container = av.open(
            self._target.file,
            "w",
            format=self._target.carrier,
            container_options=self._muxer_options(),
        )
        # Without it muxers write random identifiers and version strings, so that two runs differ.
        self._container.flags |= BITEXACT
        self._video = (
            self._video_encoder(options, on_device=on_device)
            if encoded is None
            else EncodedVideo(self._container, encoded)
        )
        self._copy_metadata()
        self._companions: dict[int, CompanionOutput] = add_companions(
            self._container, self._info.companions, options.audio, self.warnings, video=self._video.template
        )
        self._muxer = Muxer(self._container)
        self._copied: dict[int, int] = {}
        """The streams that are copied: from their index in the output to that in the input."""
        self._waiting: list[Packet] = []
        """Packets of other streams that came before the first frame."""
        self._closed = False

    def _video_encoder(self, options: SinkOptions, *, on_device: bool) -> VideoEncoder:
        info = self._info
        codec = find_encoder(options.codec or default_encoder(self._target.format, self._target.extension))
        settings = encoder_options(
            codec,
            crf=options.crf,
            preset=options.preset,
            options=options.options,
            hdr=info.hdr,
            field_order=info.field_order,
        )
        if info.hdr is not None and not holds_hdr(codec.name):
            self.warnings.append(f"HDR metadata of the display and light levels cannot be passed to {codec.name}.")
        return VideoEncoder(
            self._container,
            codec,
            info,
            pix_fmt=options.pix_fmt,
            options=settings,
            warnings=self.warnings,
            on_device=on_device,
        )

    @property
    def frames_written(self) -> int:
        """Frames given to the encoder so far."""
        return self._video.frames

    @property
    def lost_packets(self) -> int:
        """Packets of the other streams that could not be decoded, or that the container refused."""
        undecodable = sum(companion.undecodable for companion in self._companions.values())
        return undecodable + self._muxer.refused

    @property
    def summary(self) -> str:
        """Container, encoder and the other streams, in one line."""
        others = [f"with {other.label}" for other in self._info.companions if other.index in self._companions]
        return ", ".join([self._target.format, self._video.summary, *others])

    def write(self, unit: MediaUnit) -> None:
        """Encode the unit's frame, and write its packets of other streams. Raises SinkError."""
        self._waiting.extend(unit.packets)
        if unit.frame is None and self.frames_written == 0:
            return  # the encoder is opened by the first frame, and the header is written after that
        if unit.frame is not None and self.frames_written == 0:
            self._move_timecode(unit.frame.pts * unit.frame.time_base)
        assert isinstance(self._video, VideoEncoder)
        encoded = self._video.encode(unit.frame) if unit.frame is not None else []
        self._write_others(self._waiting)
        self._waiting.clear()
        self._mux(encoded)

    def write_encoded(self, video: Sequence[Packet], others: Sequence[Packet]) -> None:
        """Write packets of the video, in place of frames, and those of other streams before them. Raises SinkError."""
        assert isinstance(self._video, EncodedVideo)
        if video and self.frames_written == 0 and video[0].pts is not None:
            self._move_timecode(video[0].pts * video[0].time_base)
        self._write_others(others)
        self._mux(self._video.put(video))

    def _write_others(self, packets: Sequence[Packet]) -> None:
        for packet in packets:
            index = packet.stream.index
            if (companion := self._companions.get(index)) is not None:
                written = companion.put(packet)
                if written and companion.copies:
                    self._copied[written[0].stream.index] = index
                self._mux(written, copied=companion.copies)

    @property
    def outputs(self) -> list[Placeable]:
        """What waits for its name once the sink is complete."""
        return [] if self._target.output is None else [self._target.output]

    @property
    def part(self) -> Path:
        """Where the output lies until it has its name. Raises ConfigurationError for what is no file."""
        if not self._target.is_seekable or self._target.output is None:
            raise ConfigurationError(f"{self._target.display_name} is no file, so that it cannot be read again.")
        return self._target.output.part

    def finish(self) -> None:
        """Write what is left, and put the file in place. Raises SinkError; call ``abort`` then."""
        self.complete()
        place_all(self.outputs)

    def complete(self) -> None:
        """Write what is left; the file waits under its temporary name. Raises SinkError; call ``abort`` then."""
        if self.frames_written == 0:
            raise SinkError(f"No frame came, so {self._target.display_name} is not written.")
        for other in self._info.companions:
            output = self._companions.get(other.index)
            if output is not None and output.undecodable and not output.decoded:
                self.warnings.append(f"Nothing of {other.label} could be decoded: its track is empty.")
        self._mux(self._video.flush())
        for companion in self._companions.values():
            self._mux(companion.flush(), copied=companion.copies)
            if isinstance(companion, ContinuousAudio) and self._video.end is not None:
                self._mux(companion.fill(self._video.end))
        self._closed = True
        try:
            self._muxer.close()
            self._target.finish()
        except (av.FFmpegError, OSError, ValueError) as error:
            self._fail(error)
        if self._muxer.refused_at_end:
            self._check_whole()
        if self._muxer.refused and self._target.is_seekable:
            self._warn_of_empty_streams()

    def abort(self) -> None:
        """Close, and remove what was written; never raises, so that the error that led here is the one that shows."""
        if not self._closed:
            self._closed = True
            with contextlib.suppress(av.FFmpegError, OSError, ValueError):
                self._container.close()
        self._target.remove()

    def _check_whole(self) -> None:
        """A muxer that refuses something while it ends the file may refuse the whole of its index."""
        shown = self._target.display_name
        try:
            whole = self._target.is_seekable and bool(av.open(self._target.name).streams.video)
        except (av.FFmpegError, OSError):
            whole = False
        if not whole:
            raise SinkError(f"{shown} cannot be ended. Set the option output.audio to aac, or use another container.")
        self.warnings.append(f"The container refused a packet when {shown} was ended: what followed it may be missing.")

    def _warn_of_empty_streams(self) -> None:
        empty = [self._copied[index] for index in streams_without_packets(self._target.name, self._copied)]
        for other in [other for other in self._info.companions if other.index in empty]:
            self.warnings.append(
                f"{self._target.format} took no packet of {other.label}: its track is empty."
                + " Set the option output.audio to aac to convert it." * (other.kind == "audio")
            )

    def _mux(self, packets: list[Packet], *, copied: bool = False) -> None:
        try:
            self._muxer.write(packets, copied=copied)
        except (av.FFmpegError, OSError, ValueError) as error:
            self._fail(error)

    def _fail(self, error: Exception) -> NoReturn:
        disk_full = f"{self._target.disk_usage()}. Free some space, or write elsewhere"
        raise write_failure(self._target.display_name, error, disk_full=disk_full) from error

    def _muxer_options(self) -> dict[str, str]:
        name = self._target.format
        options = dict(MUXER_OPTIONS.get(name, {}))
        if self._target.extension.lower() in BLU_RAY_EXTENSIONS:
            options["mpegts_m2ts_mode"] = "1"  # FFmpeg tells by the name, which is a temporary one here
        if name in MOV_FORMATS:
            flags = "+faststart" if self._target.is_seekable else FRAGMENTED
            table = needs_apple_table(name, current_metadata(self._info.metadata))
            options["movflags"] = flags + "+use_metadata_tags" * table
        return options

    def _check_single_image(self) -> None:
        if self._target.format == "image2" and not self._target.is_pattern and self._info.frame_count != 1:
            raise SinkError(
                f"{self._target.display_name} holds one image, but the input is a video. "
                "Number the images with a pattern such as frames/%04d.png."
            )

    def _move_timecode(self, start: Fraction) -> None:
        """Let the timecode begin with the first frame that is written, at ``start`` seconds."""
        skipped = start - self._info.video_start
        rate = self._info.frame_rate
        for metadata in (self._container.metadata, self._video.stream.metadata):
            for key in [key for key in metadata if key.lower() == TIMECODE]:
                if rate and (moved := shifted(metadata[key], round(skipped * rate), rate)):
                    metadata[key] = moved

    def _copy_metadata(self) -> None:
        """Copy rotation, names, languages and chapters from the input."""
        info, name, stream = self._info, self._target.format, self._video.stream
        stream.metadata.update(stream_metadata(name, info.video_metadata))
        stream.disposition = Disposition(info.video_disposition)
        if info.display_matrix is not None and name in ROTATION_FORMATS:
            stream.set_display_matrix(info.display_matrix)
        elif info.display_matrix is not None:
            self.warnings.append(f"{name} cannot store a rotation: players will show the video as it is stored.")
        metadata = current_metadata(info.metadata)
        self._container.metadata.update(with_apple_keys(metadata) if needs_apple_table(name, metadata) else metadata)
        if info.chapters and name in CHAPTER_FORMATS:
            self._container.set_chapters(
                [
                    {
                        "id": number,
                        "start": round(chapter.start / CHAPTER_UNIT),
                        "end": round(chapter.end / CHAPTER_UNIT),
                        "time_base": CHAPTER_UNIT,
                        "metadata": chapter.metadata,
                    }
                    for number, chapter in enumerate(info.chapters, start=1)
                ]
            )
        elif info.chapters:
            self.warnings.append(f"{name} cannot hold chapters: they are left out.")
