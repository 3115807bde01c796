"""Render long films in pieces from an event loop, and tell what happens. Started again, it goes on where it was.

python examples/archive_films.py finished film.mp4 other.mkv
"""

import asyncio
import sys
from pathlib import Path

from stream.archive.archive import FilmPlanned, Notice, PieceFinished, open_archive
from stream.archive.run import FilmResult


async def main(folder: Path, films: list[Path]) -> None:
    """Films that fail do not stop the others; leaving the block early would stop them all, and keep their pieces."""
    async with open_archive(films, folder, {"effect": "grade"}, workers=2) as archive:
        async for event in archive:
            match event:
                case FilmPlanned(film=film, frames=frames, pieces=pieces):
                    print(f"{film}: {frames} frames in {pieces} pieces")
                case PieceFinished(film=film, piece=piece, worker=worker, seconds=seconds):
                    print(f"{film}: piece {piece} took {worker} {seconds:.1f} s")
                case Notice(film=film, text=text):
                    print(f"{film}: {text}")
                case FilmResult(job=job, ending=ending, error=error):
                    print(f"{job.input.name}: {error or ending}")


if __name__ == "__main__":  # worker processes import this file
    finished = Path(sys.argv[1])
    finished.mkdir(exist_ok=True)
    asyncio.run(main(finished, [Path(film) for film in sys.argv[2:]]))
