"""The cost model of clusters: what follows from measured pieces."""

import pytest

from tests.benchmarks.cluster import estimate, table

COSTS = {"render_s": 0.5, "plan_s": 0.03, "join_s": 0.01, "load_s": 1.0, "peak_mb": 500}


def test_hours_follow_from_costs():
    found = estimate(COSTS, film_hours=1000, cores=100, overhead=1.1)
    assert found.hours == pytest.approx(1000 * 0.5 * 1.1 / 100)
    assert found.core_hours == pytest.approx(1000 * 0.5 * 1.1 + 1000 * 0.04)
    assert found.drivers == 8  # 40 hours of planning and joining within 5.5


def test_a_small_cluster_has_one_driver():
    assert estimate(COSTS, film_hours=1, cores=1).drivers == 1


def test_a_table_holds_what_was_measured():
    ray = {"pieces": 20, "overhead": 1.03, "overhead_cpu": 1.01, "ray_start_s": 4.0}
    lines = list(table({"ray": ray, "costs": {"tint 640x360": COSTS}}))
    assert lines[0] == "20 pieces by Ray over two processes: 1.030, CPU 1.010"
    assert lines[2].startswith("tint 640x360: 0.5 core s per second of film, 500 MB; 10000 hours of film: 5,650 core")
