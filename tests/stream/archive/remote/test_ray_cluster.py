"""Pieces as Ray tasks: what is reserved, what is tried again and what is not, on real clusters of this machine."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from emocolor.errors import (
    ConfigurationError,
    EngineError,
    MissingDependencyError,
    OutOfMemoryError,
    SinkError,
    SourceError,
)
from stream.archive.executors import InProcess
from stream.archive.film import FilmJob, files_of, missing, plan
from stream.archive.manifest import ManifestError
from stream.archive.planning import PieceLengths
from stream.archive.remote.ray_cluster import LOCAL, RayCluster, _check_fits, _elsewhere, is_io
from stream.archive.remote.storage import Storage
from stream.archive.run import run_film
from stream.files.stop_request import StopRequest
from tests.stream.archive.films import frames_of, make_film
from tests.stream.archive.remote.clusters import add_node, ray_cluster

SHOTS = PieceLengths(least=Fraction(0), most=Fraction(60))
NODES = [
    {"NodeID": "a", "Alive": True, "Resources": {"CPU": 4.0, "memory": 8e9}},
    {"NodeID": "b", "Alive": True, "Resources": {"CPU": 1.0, "memory": 8e9, "GPU": 1.0}},
    {"NodeID": "head", "Alive": True, "Resources": {"memory": 8e9}},
    {"NodeID": "c", "Alive": False, "Resources": {"CPU": 64.0, "memory": 8e9, "GPU": 8.0}},
]


@pytest.mark.parametrize(
    ("needs", "fits"),
    [
        ({"num_cpus": 2, "memory": 1e9}, True),
        ({"num_cpus": 1, "memory": 1e9, "num_gpus": 1}, True),
        ({"num_cpus": 2, "memory": 1e9, "num_gpus": 1}, False),
        ({"num_cpus": 8, "memory": 1e9}, False),
        ({"num_cpus": 1, "memory": 9e9}, False),
    ],
)
def test_what_no_node_can_take_is_refused_before_ray_waits_for_ever(needs, fits):
    with contextlib.nullcontext() if fits else pytest.raises(ConfigurationError, match="No node of the Ray cluster"):
        _check_fits(NODES, needs)


@pytest.mark.parametrize(
    ("avoided", "selector"), [(set(), None), ({"a"}, "!in(a)"), ({"b", "a"}, None), ({"c"}, "!in(c)")]
)
def test_a_piece_is_kept_off_nodes_where_it_failed_unless_there_is_no_other(avoided, selector):
    needs = {"num_cpus": 1, "memory": 1e9}
    assert _elsewhere(NODES, needs, avoided).get("label_selector") == (selector and {"ray.io/node-id": selector})


def caused(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (caused(SourceError("a"), OSError(5, "Input/output error")), True),
        (caused(SinkError("a"), caused(SinkError("b"), TimeoutError())), True),
        (SourceError("no video"), False),
        (caused(SourceError("a"), ValueError()), False),
        (caused(EngineError("this net cannot be used"), OSError()), False),
        (caused(OutOfMemoryError("a"), OSError()), False),
        (ManifestError("other versions"), False),
    ],
    ids=repr,
)
def test_errors_of_reading_and_writing_alone_are_tried_again(error, again):
    assert is_io(error) == again


def test_without_ray_one_line_tells_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(
        MissingDependencyError, match=r"^Ray is not installed: pip install 'emocolor-stream\[cluster\]'"
    ):
        RayCluster(LOCAL)


@pytest.mark.slow
@pytest.mark.parametrize("address", ["nowhere", "ray://host:10001", "host:port"])
def test_what_is_no_address_is_refused(address):
    pytest.importorskip("ray")
    with pytest.raises(ConfigurationError, match="is no address of a Ray cluster: give HOST:PORT, auto, or local"):
        RayCluster(address)


@pytest.mark.slow
def test_an_address_where_nothing_listens_is_told_at_once():
    pytest.importorskip("ray")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(ConfigurationError, match=r"No Ray cluster can be reached at 127\.0\.0\.1:"):
            RayCluster(f"127.0.0.1:{free.getsockname()[1]}")


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return make_film(tmp_path_factory.mktemp("films") / "film.mp4", (21, 21, 21, 21, 21, 5), rate=1)


@pytest.fixture
def job(film, tmp_path):
    return FilmJob(input=film, output=tmp_path / "film.mp4", values={"effect": "none", "output": {"codec": "libx264"}})


@pytest.fixture(scope="module")
def cluster():
    with ray_cluster() as made:
        add_node(made)
        yield made


@pytest.fixture
def odd_cluster(request):
    """One whose only node has the variables that the test asks for."""
    with ray_cluster() as made:
        yield made


def renderer(cluster, **more):
    return RayCluster(cluster.address, memory_bytes=10**9, retry_pause_s=0, **more)


def all_of(manifest):
    return [piece.index for piece in manifest.pieces]


def videos(manifest, job):
    return [files_of(manifest, piece, job).video.read_bytes() for piece in manifest.pieces]


def rendered_here(job, folder):
    """The same pieces, rendered by this process."""
    here = FilmJob(input=job.input, output=folder / "here" / "film.mp4", values=job.values)
    here.output.parent.mkdir()
    manifest = plan(here)
    list(InProcess().finished(here, all_of(manifest)))
    return videos(manifest, here)


@pytest.mark.slow
def test_a_node_that_is_lost_in_mid_work_changes_nothing(cluster, job, tmp_path):
    node, lost = add_node(cluster), list[str]()
    told = []
    manifest = plan(job)

    def tell(work):
        told.append(work)
        if not lost and f"-{node.node_id[:4]}, " in work.worker:
            lost.append(work.worker)
            cluster.remove_node(node, allow_graceful=False)

    done = list(renderer(cluster).finished(job, all_of(manifest), tell))
    assert sorted(done) == all_of(manifest)
    assert lost
    (piece,) = {work.piece for work in told if work.worker == lost[0]}
    assert {work.worker for work in told if work.piece == piece} > set(lost)
    assert missing(manifest, job) == []
    assert videos(manifest, job) == rendered_here(job, tmp_path)


@pytest.mark.slow
def test_a_driver_that_is_killed_goes_on(cluster, job, tmp_path):
    command = "import sys; from stream.cli import main; main(sys.argv[1:])"
    arguments = ["archive", str(job.input), "-o", str(tmp_path), "--ray", cluster.address, "--effect", "none"]
    driver = subprocess.Popen(
        [sys.executable, "-c", command, *arguments], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    for line in driver.stderr:
        if "is rendered" in line:
            break
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    driver.stderr.close()
    before = {path: path.stat().st_mtime_ns for path in job.folder.glob("*.json")}
    assert before
    kept = {}

    def watch(progress):
        kept.update({path: path.stat().st_mtime_ns for path in before if path.exists()})

    again = FilmJob(input=job.input, output=job.output, values={"effect": "none"})
    assert run_film(again, workers=1, ray=cluster.address, stop=StopRequest(), watch=watch).ending == "done"
    assert kept == before
    assert len(frames_of(job.output)) == 110


@pytest.mark.slow
def test_a_stop_drops_what_is_in_work(cluster, job):
    stop, manifest = StopRequest(), plan(job)
    finished = renderer(cluster, stop=stop).finished(job, all_of(manifest))
    done = [next(finished)]
    stop.stop()
    done += list(finished)
    assert len(done) < len(manifest.pieces)
    assert set(done).isdisjoint(piece.index for piece in missing(manifest, job))


@pytest.mark.slow
def test_a_shared_folder_that_is_gone_is_named_and_nothing_is_lost(cluster, job):
    manifest = plan(job)
    away = job.folder.rename(job.folder.with_name("away"))
    with pytest.raises(
        SinkError, match=rf"^Piece \d on node {socket.gethostname()}-\w+: .*manifest\.jsonl cannot be read"
    ):
        list(renderer(cluster).finished(job, all_of(manifest)))
    away.rename(job.folder)
    assert sorted(renderer(cluster).finished(job, all_of(manifest))) == all_of(manifest)


@pytest.mark.slow
def test_a_net_that_cannot_be_used_is_tried_once(cluster, job, tmp_path):
    net = tmp_path / "own.onnx"
    net.write_bytes(b"no net")
    manifest = plan(job)
    other = FilmJob(input=job.input, output=job.output, values={"effect": "colorize", "colorize": {"net": str(net)}})
    told = []
    with pytest.raises(EngineError, match=r"^Piece 0 on node "):
        list(renderer(cluster).finished(other, [0], told.append))
    assert len(told) <= 1
    assert len(manifest.pieces) == len(missing(manifest, job))


@pytest.mark.slow
def test_workers_that_die_are_replaced_twice(cluster, tmp_path):
    film = make_film(tmp_path / "long.mp4", (1500,))
    job = FilmJob(input=film, output=tmp_path / "film.mp4", values={"effect": "tint"})
    manifest = plan(job, lengths=SHOTS)
    killed = []

    def tell(work):
        killed.append(int(work.worker.rpartition(" ")[2]))
        os.kill(killed[-1], signal.SIGKILL)

    with pytest.raises(OutOfMemoryError, match="3 workers that rendered piece 0 ended without a word"):
        list(renderer(cluster).finished(job, [0], tell))
    assert len(set(killed)) == 3
    assert len(missing(manifest, job)) == 1


@pytest.mark.slow
def test_a_node_with_another_version_is_named_with_what_differs(odd_cluster, job, tmp_path):
    there = tmp_path / "av-99.0.dist-info"
    there.mkdir()
    (there / "METADATA").write_text("Metadata-Version: 2.1\nName: av\nVersion: 99.0\n")
    add_node(odd_cluster, PYTHONPATH=str(tmp_path))
    manifest = plan(job)
    with pytest.raises(
        ManifestError, match=r"^Piece \d on node .* av \(.*, now 99\.0\).*All nodes need the same versions"
    ):
        list(renderer(odd_cluster).finished(job, all_of(manifest)))


@pytest.mark.slow
def test_a_node_without_this_program_is_named(odd_cluster, job, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path.parent)  # workers look for modules in the driver's folder first
    (tmp_path / "stream").mkdir()
    (tmp_path / "stream" / "__init__.py").write_text("raise ModuleNotFoundError(\"No module named 'stream'\")")
    add_node(odd_cluster, PYTHONPATH=str(tmp_path))
    plan(job)
    with pytest.raises(MissingDependencyError, match=r"^The node [\d.]+ lacks the Python module stream: install"):
        list(renderer(odd_cluster).finished(job, [0]))


@pytest.mark.slow
def test_a_node_that_cannot_write_leaves_pieces_to_another(odd_cluster, job, tmp_path):
    """Results behind a URL; a node whose folder for temporary files is gone."""
    add_node(odd_cluster, TMPDIR=str(tmp_path / "gone"))
    add_node(odd_cluster)
    stored = FilmJob(input=job.input, output=Path("film.mp4"), values=job.values, store=f"local://{tmp_path}/there")
    assert run_film(stored, workers=1, ray=odd_cluster.address, stop=StopRequest()).ending == "done"
    assert Storage(stored.store).size("film.mp4")


@pytest.mark.slow
def test_ray_on_this_machine_leaves_no_token_at_home(job, tmp_path, monkeypatch):
    ray = pytest.importorskip("ray")
    from ray._common.usage import usage_lib

    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    manifest, before = plan(job), signal.getsignal(signal.SIGTERM)
    try:
        assert sorted(RayCluster(LOCAL).finished(job, all_of(manifest))) == all_of(manifest)
        assert not usage_lib.usage_stats_enabled()
    finally:
        ray.shutdown()
    assert signal.getsignal(signal.SIGTERM) is before
    assert not (tmp_path / "home").exists()
    assert videos(manifest, job) == rendered_here(job, tmp_path)
