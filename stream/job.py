"""One film: opened off the event loop, iterated with ``for`` or ``async for``, stopped, or discarded."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

from emocolor.chroma.detection import ColorDetection, detect_color
from emocolor.cuts import CutDetector
from emocolor.frames import Frame
from emocolor.options import options_of
from emocolor.protocols import Precision
from engines.runners.devices import check_device

from .files.places import check_distinct
from .files.stop_request import StopRequest
from .graph import FileParts, file_stages, hardware_for
from .media.locations import files_of, local_path
from .media.sink import VideoSink
from .media.source import MediaUnit, VideoSource
from .media.source_info import Damage, SourceInfo
from .nets import check_nets
from .pipeline.analysis import mark_cuts
from .pipeline.cores import usable_cores
from .pipeline.pipeline import Pipeline
from .pipeline.steps import Step
from .report.comparison import ComparisonWriter
from .report.timeline import TimelineWriter
from .restore.color_detection import color_notes, detect_input_color
from .settings import JobSettings


class Job:
    """One video on its way from source to sink::

        with Job(JobSettings(input="in.mp4", output="out.mp4")) as job:
            for step in job:
                print(step.frame.time, step.scene.emotion)

        async with await Job.open(settings) as job:     # opening blocks, so it is done in a thread
            async for step in job: ...

    When the loop ends by itself the output is in place; when it is left early, or fails, no output is left behind.
    ``stop`` ends the input instead, so that what was done is finished properly.
    """

    def __init__(self, settings: JobSettings, *, cores: int | None = None, stop: StopRequest | None = None) -> None:
        """Check the nets, open the input and check the output; nothing runs before the job is entered.

        Nets share ``cores`` of the CPU, by default all that the process may use; results do not depend on how many.
        ``stop`` ends waits for pipes, those of opening included; by default the job makes its own.
        This may wait for files, networks and devices: on an event loop use :meth:`open`. Raises an ``EmocolorError``
        that says what to do where one of them cannot be used.
        """
        self.settings = settings
        self.warnings: list[str] = []
        """Things a user should know about what is done, one line each; processing may add to them."""
        # Nets and devices that cannot be used are known before anything is opened.
        hardware = hardware_for(settings, cuda=check_device(settings.device, *_precisions(settings)))
        check_nets(settings.groups)
        self._stop = stop or StopRequest()
        self.source = VideoSource(settings.input, settings.source, hardware=hardware, stop=self._stop)
        self.sink: VideoSink | None = None
        self._timeline: TimelineWriter | None = None
        self._strip: ComparisonWriter | None = None
        try:
            self._open_outputs()
            stages = file_stages(settings, self._parts(cores or usable_cores()))
            self._pipeline = Pipeline(self._units, stages, on_cancel=self._stop.cancel)
        except BaseException:
            self.discard()
            raise

    def _units(self) -> Iterator[MediaUnit]:
        return mark_cuts(self.source.units(), CutDetector())

    def _parts(self, cores: int) -> FileParts:
        return FileParts(
            info=self.source.info,
            on_device=self.source.on_device,
            sink=self.sink,
            timeline=self._timeline,
            strip=self._strip,
            has_colors=self._input_has_colors,
            frames_have_colors=self._frames_have_colors,
            cores=cores,
        )

    def _open_outputs(self) -> None:
        settings, overwrite, inputs = self.settings, self.settings.sink.overwrite, files_of(self.settings.input)
        check_distinct([local_path(settings.output) if settings.output else None, settings.timeline, settings.strip])
        if settings.output is not None:
            self.sink = VideoSink(
                settings.output,
                info_of_output(self.source.info, settings),
                settings.sink,
                on_device=self.source.on_device,
                stop=self._stop,
            )
        if settings.timeline is not None:
            self._timeline = TimelineWriter(settings.timeline, overwrite=overwrite, inputs=inputs, stop=self._stop)
        if settings.strip is not None and self.sink is not None:
            self._strip = ComparisonWriter(
                settings.strip,
                before=settings.input,
                after=self.sink.part,
                start=settings.source.start_seconds or 0.0,
                overwrite=overwrite,
                warnings=self.warnings,
            )

    @classmethod
    async def open(cls, settings: JobSettings, *, stop: StopRequest | None = None) -> Self:
        """Open a job in a thread, so that a slow disk or a dead address does not hold up the event loop."""
        return await asyncio.to_thread(cls, settings, stop=stop)

    @property
    def info(self) -> SourceInfo:
        """What is known of the input."""
        return self.source.info

    @property
    def damage(self) -> Damage:
        """The damage of the input as far as it was read, and what of it only writing showed."""
        lost = 0 if self.sink is None else self.sink.lost_packets
        return replace(self.source.damage, companion_packets=lost)

    @property
    def cpu_seconds(self) -> dict[str, float]:
        """CPU time of each stage, once the job has ended; see :class:`~stream.pipeline.pipeline.Pipeline`."""
        return self._pipeline.cpu_seconds

    def stop(self) -> None:
        """End the input here; what has been read is still processed and written.

        A pipe that accepts nothing for five seconds from now on fails the job.
        """
        self._stop.stop()
        self.source.stop()

    def cancel(self) -> None:
        """Drop everything; the loop over the job ends, and its outputs are removed when the job is left."""
        self._pipeline.cancel()

    def discard(self) -> None:
        """Give up a job that was not entered, leaving no file behind."""
        self.source.close()
        for output in (self.sink, self._timeline, self._strip):
            if output is not None:
                output.abort()

    def remove_parts(self) -> None:
        """Remove what is unfinished, for a process that ends without waiting for the threads of the job."""
        for output in (self.sink, self._timeline, self._strip):
            for unfinished in output.outputs if output is not None else ():
                unfinished.discard()

    def __enter__(self) -> Self:
        self._pipeline.__enter__()
        return self

    def __iter__(self) -> Iterator[Step]:
        """A step per frame, in order, after it was written; units without a frame are left out."""
        for step in self._pipeline:
            if step.frame is not None:
                yield step

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._pipeline.__exit__(kind, error, trace)
        finally:
            self.source.close()

    async def __aenter__(self) -> Self:
        await self._pipeline.__aenter__()
        return self

    async def __aiter__(self) -> AsyncIterator[Step]:
        """As ``__iter__``, off the event loop."""
        async for step in self._pipeline:
            if step.frame is not None:
                yield step

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._pipeline.__aexit__(kind, error, trace)
        finally:
            self.source.close()

    def _input_has_colors(self) -> bool | None:
        found = detect_input_color(self.settings.input, self.settings.source, self.source.info)
        return None if found is None else self._noted(found)

    def _frames_have_colors(self, frames: Sequence[Frame]) -> bool:
        return self._noted(detect_color(frames))

    def _noted(self, found: ColorDetection) -> bool:
        self.warnings.extend(color_notes(found))
        return found.is_colored


def _precisions(settings: JobSettings) -> list[Precision]:
    """The precision of every net that runs."""
    return [
        getattr(group, one.name)
        for group in settings.groups
        for one in options_of(type(group))
        if one.name == "precision"
    ]


def info_of_output(info: SourceInfo, settings: JobSettings) -> SourceInfo:
    """What the sink is told of the frames that it gets."""
    deinterlaced = settings.restoration.deinterlace != "off"
    return replace(info, field_order="progressive") if deinterlaced else info
