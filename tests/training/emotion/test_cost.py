"""What a face costs."""

import pytest

from training.emotion.cost import as_table, main, milliseconds


def test_more_passes_take_longer():
    one, many = (milliseconds(["s0"], passes, "f32", rounds=3)["s0"] for passes in (0, 20))
    assert 0 < one < many


def test_the_table_has_a_row_for_each_net():
    timed = {"one_pass_ms": 1.0, "sampled_ms": 2.0}
    table = as_table({"s0": {"passes": 20, "f32": timed, "bf16": timed, "bytes": 2_500_000}})
    assert table.splitlines()[2:] == ["| s0 | 20 | 1.00 | 2.00 | 2.00 | 2.5 |"]


@pytest.mark.parametrize("nets", [["s1"], ["ours", "s1"]])
def test_an_unknown_net_ends_in_one_line(nets, run_main):
    code, _, message = run_main(main, "--nets", *nets)
    assert code == 2
    assert message.startswith("error: No net s1. Nets: ")
