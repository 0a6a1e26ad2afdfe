"""Controls and paths, and the policy's algebra."""

from __future__ import annotations

import torch
from torch import Tensor

from mm_edge.model.policy import QUERIES, SCALE, STEPS, Policy, actions, path, sample


def test_going_straight_on() -> None:
    found = path(torch.zeros(1, STEPS, 2), torch.tensor([10.0]))
    assert torch.allclose(found[0, :, 0], 5.0 * torch.arange(1, STEPS + 1))
    assert (found[0, :, 1] == 0).all()


def test_a_left_bend_leads_to_the_left() -> None:
    left = torch.tensor([[0.0, 0.01 / SCALE[1]]]).expand(1, STEPS, 2)
    assert (path(left, torch.tensor([10.0]))[0, :, 1] > 0).all()


def test_actions_lead_along_their_path() -> None:
    torch.manual_seed(0)
    wanted = 0.5 * torch.randn(50, STEPS, 2)
    speed = torch.full((50,), 20.0)
    assert torch.allclose(actions(path(wanted, speed), speed), wanted, atol=1e-3)


def test_standing_is_an_action_too() -> None:
    found = actions(torch.zeros(1, STEPS, 2), torch.zeros(1))
    assert (found == 0).all()


def test_euler_steps_along_the_true_velocity_end_at_the_target() -> None:
    noise, target = torch.randn(3, STEPS, 2), torch.randn(3, STEPS, 2)
    assert torch.allclose(sample(lambda x, sigma: noise - target, noise), target, atol=1e-5)


def test_a_hidden_state_does_not_count() -> None:
    policy = Policy(d=32, width=64, heads=2, depth=2)
    for parameter in policy.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    states = torch.randn(2, 1, 5 + QUERIES, 32)
    bias = torch.zeros(1, 5 + QUERIES)
    bias[:, :3] = -1e9

    def velocity(states: Tensor, bias: Tensor) -> Tensor:
        return policy(torch.ones(1, STEPS, 2), torch.tensor([0.4]), torch.zeros(1, STEPS, 2), states, bias)

    assert torch.allclose(velocity(states, bias), velocity(states[:, :, 3:], bias[:, 3:]), atol=1e-5)
