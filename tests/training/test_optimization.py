"""Learning rates, optimizers, the state of a run, and a loss that diverges."""

import math
from copy import deepcopy
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; training needs it")

from torch import nn  # noqa: E402

from emocolor.errors import ConfigurationError  # noqa: E402
from training.optimization import (  # noqa: E402
    DivergedError,
    Optimization,
    TrainingState,
    check_finite,
    cosine,
    learning_rate,
    make_optimizer,
    pick_device,
)


def test_the_cosine_runs_from_one_to_zero():
    assert [cosine(x) for x in (0, 0.5, 1)] == pytest.approx([1, 0.5, 0])


def test_the_learning_rate_warms_up_and_decays():
    recipe = Optimization(epochs=3, learning_rate=0.1, warmup_epochs=1)
    rates = [learning_rate(recipe, step, 10) for step in range(31)]
    assert rates[:10] == pytest.approx([0.01 * (step + 1) for step in range(10)])
    assert rates[20] == pytest.approx(0.05)
    assert rates[30] == pytest.approx(0)
    constant = Optimization(epochs=3, learning_rate=0.1, schedule="constant")
    assert {learning_rate(constant, step, 10) for step in range(30)} == {0.1}


def test_only_kernels_decay_and_frozen_parameters_stay_out():
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1).requires_grad_(False))
    kernels, others = make_optimizer(net, Optimization(optimizer="adamw", weight_decay=0.1)).param_groups
    assert [p.ndim for p in kernels["params"]] == [2]
    assert [p.ndim for p in others["params"]] == [1]
    assert (kernels["weight_decay"], others["weight_decay"]) == (0.1, 0)
    (everything,) = make_optimizer(net, Optimization()).param_groups
    assert len(everything["params"]) == 2


def step_of(state, x):
    state.set_learning_rate(0, 1)
    state.net(x).square().sum().backward()
    state.optimizer.step()
    state.optimizer.zero_grad()
    state.average.update_parameters(state.net)


def test_a_restored_state_goes_on_as_the_unbroken_one():
    torch.manual_seed(0)
    recipe, x = Optimization(learning_rate=0.1, ema=0.9), torch.rand(4, 2)
    whole, resumed = (TrainingState(nn.Linear(2, 1), recipe) for _ in range(2))
    assert whole.restore(None) == 0
    step_of(whole, x)
    step_of(whole, x)
    assert resumed.restore(deepcopy(whole.checkpoint(epoch=7))) == 7  # through a file in training
    for state in (whole, resumed):
        step_of(state, x)
    assert torch.equal(whole.net.weight, resumed.net.weight)
    assert torch.equal(whole.eval_net.weight, resumed.eval_net.weight)


def test_the_average_is_evaluated_where_there_is_one():
    torch.manual_seed(0)
    plain, averaged = (TrainingState(nn.Linear(2, 1), Optimization(ema=ema)) for ema in (0.0, 0.9))
    assert plain.eval_net is plain.net
    assert averaged.eval_net is averaged.average.module
    for _ in range(3):
        step_of(averaged, torch.rand(4, 2))
    assert torch.equal(averaged.checkpoint(1)["net"]["weight"], averaged.average.module.weight)
    assert not torch.equal(averaged.checkpoint(1)["net"]["weight"], averaged.net.weight)


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_diverges_ends_the_run_with_advice(loss):
    check_finite(torch.tensor(1.0), step=4, epoch=2, run=Path("run"))
    with pytest.raises(DivergedError, match=r"at step 4 \(epoch 2\); run keeps the checkpoint of epoch 1\. Lower") as e:
        check_finite(torch.tensor(loss), step=4, epoch=2, run=Path("run"))
    assert e.value.exit_code not in (0, ConfigurationError.exit_code)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 0}, "epochs"),
        ({"batch": 1}, "batch"),
        ({"optimizer": "sgd"}, "optimizer must be one of adam, adamw, got 'sgd'"),
        ({"weight_decay": 0.1}, 'weight_decay needs optimizer = "adamw"'),
    ],
)
def test_impossible_settings_are_refused(changes, words):
    with pytest.raises(ConfigurationError, match=words):
        Optimization(**changes)


def test_every_epoch_has_its_own_seed():
    recipe = Optimization(seed=3)
    assert len({recipe.epoch_seed(epoch) for epoch in range(100)} | {Optimization(seed=4).epoch_seed(0)}) == 101


def test_every_batch_has_its_own_seed():
    recipe = Optimization(seed=3)
    seeds = {recipe.batch_seed(epoch, number) for epoch in range(10) for number in range(100)}
    assert len(seeds | {Optimization(seed=4).batch_seed(0, 0)}) == 1001
    assert recipe.batch_seed(2, 5) == Optimization(seed=3).batch_seed(2, 5)


def test_a_device_is_picked():
    assert pick_device().type == ("cuda" if torch.cuda.is_available() else "cpu")
