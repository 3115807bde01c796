"""Ray clusters on this machine, node by node."""

import contextlib
from collections.abc import Iterator

import pytest

MEMORY = 8_000_000_000


@contextlib.contextmanager
def ray_cluster() -> Iterator["object"]:
    """One with a head alone, which has no cores: ``add_node(cluster)`` gives it some. This process is not connected."""
    pytest.importorskip("ray", reason="the extra cluster is not installed")
    import ray
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_TOKEN", "0123456789abcdef0123456789abcdef")
        ray.shutdown()  # from another one
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        try:
            yield cluster
        finally:
            ray.shutdown()
            cluster.shutdown()


def add_node(cluster, **environment: str):
    """A node with one core, whose processes have these variables."""
    return cluster.add_node(num_cpus=1, memory=MEMORY, env_vars=environment)
