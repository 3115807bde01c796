"""How far every net that ships deviates from exact arithmetic, on every backend that this machine has.

    python -m tests.benchmarks.parity --crops fer2013.npz --photos val.tar [--net NAME ...] [--out FILE.json]

Exact means the net's graph in torch in float64 (``tests.benchmarks.float64_graph``), with the weights that ship. The
inputs are real and were held out from training:

- classifiers: gray face crops of FER2013's public test, with T = 20 Monte Carlo passes whose masks are drawn as the
  program draws them. Errors are those of probabilities, over all label sets of a net.
- colorizers: photos in gray as the effect passes them to the net, at the default vividness. An error of colour is a
  distance in the ab plane of CIELAB at one point of the net's map.
- style nets: the same photos, each in a seeded mixture of styles. Errors are those of samples, in codes of 255, which
  both sides rounded.

Writes JSON with the machine and the versions, fills the table of ``engines/README.md``, and exits with 1 if an error
is larger than its tolerance (``tests.benchmarks.parity_kinds``). With ``--net`` the metrics of other nets stay as they
were recorded. Needs torch and onnx; backends that this machine lacks are named and left out.
"""

import argparse
import importlib.util
import json
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from emocolor.errors import ConfigurationError, EmocolorError, EngineError, MissingDependencyError, SinkError
from emocolor.protocols import Precision
from engines.runners.base import Backend, Runner
from engines.runners.devices import wants_cuda
from engines.runners.selection import BACKENDS
from engines.spec import AnySpec
from tests.benchmarks.__main__ import machine
from tests.benchmarks.parity_kinds import KINDS, Arrays, Kind, Material
from training.data.faces import faceless, read_faces
from training.data.photos import read_photos
from training.records import write_json

RECORD: Final = Path(__file__).with_suffix(".json")
PAGE: Final = Path(__file__).parents[2] / "engines" / "README.md"
MARKS: Final = ("<!-- parity -->", "<!-- /parity -->")
FACES: Final = 256
PHOTOS: Final = 12
THREADS: Final = 1


def open_eager(spec: AnySpec, _: int, precision: Precision) -> Runner:
    """A net in eager torch on the CPU, as it was trained and exported."""
    from engines.nets.graphs import graph_of
    from engines.runners.torch import TorchRunner

    return TorchRunner(graph_of(spec), device="cpu", precision=precision)


EAGER: Final = Backend(name="torch", device="cpu", packages=("torch", "onnx"), precisions=("f32",), open=open_eager)


def present(backends: Sequence[Backend]) -> list[Backend]:
    """The backends that this machine has; a line on stderr for each that it lacks."""
    found = []
    for backend in backends:
        try:
            if lacking := [package for package in backend.packages if not installed(package)]:
                raise MissingDependencyError(f"{' and '.join(lacking)} not installed.")
            wants_cuda(backend.device)
        except EmocolorError as error:
            print(f"left out: {backend.name} on {backend.device}: {error}", file=sys.stderr)
        else:
            found.append(backend)
    return found


def installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def measure(kind: Kind, name: str, material: Material, backends: Sequence[Backend]) -> dict[str, Any]:
    """A net's errors on each backend, in the form of the record."""
    from tests.benchmarks.float64_graph import Float64Graph

    spec = kind.read(name)
    inputs = kind.inputs(spec, material)
    exact = outputs(Float64Graph(spec), inputs)
    print(f"{name}: exact outputs", file=sys.stderr)
    rows = []
    for backend in backends:
        for precision in backend.precisions:
            row: dict[str, Any] = {"backend": f"{backend.name}, {backend.device.upper()}", "precision": precision}
            try:
                found = outputs(backend.open(spec, THREADS, precision), inputs)
            except EngineError as error:
                rows.append(row | {"failed": str(error)})
            else:
                errors = {metric: rounded(value) for metric, value in kind.errors(found, exact).items()}
                rows.append(row | errors)
            print(f"{name}: {backend.name}, {precision}", file=sys.stderr)
    return {"sha256": spec.sha256, "machine": facts(), "rows": rows}


def outputs(runner: Runner, inputs: Sequence[Arrays]) -> list[Arrays]:
    """A net's outputs for each of the inputs."""
    return [runner.run(given) for given in inputs]


def rounded(value: float) -> float:
    """Three significant digits."""
    return float(f"{value:.3g}")


def too_large(nets: dict[str, dict[str, Any]]) -> Iterator[str]:
    """A line for every error that is above its tolerance or not a number, and for every net that could not be run."""
    for kind, found in nets.items():
        limited, titles, tolerances = KINDS[kind].limited, KINDS[kind].titles, KINDS[kind].tolerances
        for name, net in found.items():
            for row in net["rows"]:
                where, most = f"{name} on {row['backend']}, {row['precision']}", tolerances[row["precision"]]
                if "failed" in row:
                    yield f"{where}: {row['failed']}"
                elif not row[limited] <= most:
                    yield f"{where}: {titles[limited]} {row[limited]:g}, at most {most:g} is allowed."


def tables(nets: dict[str, dict[str, Any]]) -> str:
    """The recorded errors in Markdown, a table for each kind of net."""
    return "\n\n".join("\n".join(table(kind, nets[kind])) for kind in KINDS if nets.get(kind))


def table(kind: str, nets: dict[str, Any]) -> Iterator[str]:
    titles = KINDS[kind].titles
    yield f"| {kind} | backend | {' | '.join(titles.values())} |"
    yield "|---" * (2 + len(titles)) + "|"
    for name, net in sorted(nets.items()):
        for row in net["rows"]:
            cells = ["failed" if "failed" in row else cell(KINDS[kind], metric, row) for metric in titles]
            yield f"| `{name}` | {row['backend']}, {row['precision']} | {' | '.join(cells)} |"


def cell(kind: Kind, metric: str, row: dict[str, Any]) -> str:
    """A metric, with its tolerance if it has one."""
    shown = f"{100 * row[metric]:.4g} %" if metric == "top1" else f"{row[metric]:.2g}"
    return f"{shown} (at most {kind.tolerances[row['precision']]:g})" if metric == kind.limited else shown


def filled(page: str, text: str) -> str:
    """A page with ``text`` between its marks. Raises ``ConfigurationError`` if it lacks them."""
    start, end = MARKS
    before, opened, rest = page.partition(start)
    _, closed, after = rest.partition(end)
    if not (opened and closed):
        raise ConfigurationError(f"The page to fill lacks the marks {start} and {end}.")
    return f"{before}{start}\n\n{text}\n\n{end}{after}"


def text_of(page: Path) -> str:
    try:
        return page.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"The page {page} cannot be read: {error}.") from error


def facts() -> dict[str, Any]:
    """The machine, its GPU if torch finds one, and the versions of all packages that may have run."""
    import torch

    found = machine()
    packages = {package for backend in (*BACKENDS, EAGER) for package in backend.packages}
    found["versions"] |= {package: version(package) for package in sorted(packages) if installed(package)}
    return found | ({"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {})


def read_material(crops: Path, photos: Sequence[Path]) -> Material:
    """Faces and photos, evenly spread over those given; raises ``SourceError``."""
    faces = read_faces(crops, "public")
    faces = faces.subset(~faceless(faces))
    frames = read_photos(photos)
    return Material(
        faces=faces.subset(spread(len(faces), FACES)),
        photos=tuple(frames.photo(index) for index in spread(len(frames), PHOTOS)),
    )


def spread(total: int, wanted: int) -> NDArray[np.int64]:
    """Evenly spread indices of ``wanted`` of ``total`` things, or of all if there are fewer."""
    return np.linspace(0, total - 1, min(total, wanted)).round().astype(np.int64)


def recorded(path: Path) -> dict[str, dict[str, Any]]:
    """The nets' metrics from an earlier run; none if there is no record."""
    try:
        nets: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["nets"]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError) as error:
        raise ConfigurationError(f"{path} holds no record of this script ({error!r}); give another --out.") from error
    return nets


def check(only: Sequence[str], out: Path) -> None:
    """Raise an ``EmocolorError`` for what can be known to be wrong before anything is opened."""
    known = [name for kind in KINDS.values() for name in kind.names()]
    if unknown := sorted(set(only) - set(known)):
        raise ConfigurationError(f"No net {', '.join(unknown)} ships. Nets: {', '.join(known)}.")
    if not out.parent.is_dir():
        raise SinkError(f"Cannot write {out}: there is no folder {out.parent}.")
    if lacking := [name for name in ("torch", "onnx") if importlib.util.find_spec(name) is None]:
        raise MissingDependencyError(f"Parity needs {' and '.join(lacking)}: pip install 'emocolor-stream[train]'.")


def run(crops: Path, photos: Sequence[Path], only: Sequence[str], out: Path, page: Path) -> dict[str, dict[str, Any]]:
    """Measure nets and return the whole record; record and page are written after each net.

    ``only`` names the nets to measure, or none for all; the others stay as they were recorded.
    """
    check(only, out)
    before, text = recorded(out) if only else {}, text_of(page)
    filled(text, "")
    material, backends = read_material(crops, photos), present([*BACKENDS, EAGER])
    ship = {kind: KINDS[kind].names() for kind in KINDS}
    nets = {kind: {name: net for name, net in before.get(kind, {}).items() if name in ship[kind]} for kind in KINDS}
    for kind, name in ((kind, name) for kind, names in ship.items() for name in names if not only or name in only):
        nets[kind][name] = measure(KINDS[kind], name, material, backends)
        write_json(out, {"faces": len(material.faces), "photos": len(material.photos), "nets": nets})
        page.write_text(filled(text, tables(nets)), encoding="utf-8")
    return nets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crops", type=Path, required=True, help="FER2013 as npz, with usage")
    parser.add_argument("--photos", type=Path, nargs="+", required=True, help="folders, tar files or frames")
    parser.add_argument("--net", nargs="+", default=[], help="nets to measure (default: all)")
    parser.add_argument("--out", type=Path, default=RECORD)
    parser.add_argument("--page", type=Path, default=PAGE, help="where the table goes (default: engines/README.md)")
    given = parser.parse_args()
    try:
        nets = run(given.crops, given.photos, given.net, given.out, given.page)
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    print(tables(nets))
    large = list(too_large(nets))
    parser.exit(1 if large else 0, "".join(f"error: {line}\n" for line in large))


if __name__ == "__main__":
    main()
