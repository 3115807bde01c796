"""How old footage is restored, as a user sets it. Apart from the filters, so that reading options loads no codecs."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from emocolor.options import Options, option

Deinterlacing = Literal["auto", "on", "off"]


@dataclass(frozen=True, kw_only=True)
class RestorationOptions(Options):
    """How old footage is restored before it is analysed and recoloured."""

    section: ClassVar[str] = "restoration"

    deinterlace: Annotated[
        Deinterlacing, option("Make interlaced frames progressive: where they are found, everywhere, or nowhere.")
    ] = "off"
    denoise: Annotated[float, option("How much grain is taken out of luma; 0.5 suits most film.", ge=0, le=1)] = 0.0
    deflicker: Annotated[bool, option("Even out exposure that varies from frame to frame.")] = False

    @property
    def is_needed(self) -> bool:
        """Whether any filter is on."""
        return self != RestorationOptions()
