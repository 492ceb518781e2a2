"""Merging against formulas written out by hand, and checkpoints that do not belong together."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tests.model.decoder.small import small_decoder
from xinglin.errors import CheckpointError, InvalidInputError

torch = pytest.importorskip("torch")
from xinglin.model.decoder import open_decoder  # noqa: E402
from xinglin.train.decoder.merge import linear, merge_checkpoints, slerp, ties  # noqa: E402
from xinglin.train.decoder.stages import merge_stage  # noqa: E402


def test_linear_is_the_weighted_mean() -> None:
    made = linear([torch.tensor([1.0, 2.0]), torch.tensor([5.0, -2.0])], [3, 1])
    torch.testing.assert_close(made, torch.tensor([2.0, 1.0]))


def test_slerp_goes_along_the_arc() -> None:
    one, other = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    for share in (0.0, 0.25, 0.5, 1.0):
        angle = share * math.pi / 2
        torch.testing.assert_close(slerp(one, other, share), torch.tensor([math.cos(angle), math.sin(angle)]))
    parallel = torch.tensor([2.0, 4.0])
    torch.testing.assert_close(slerp(parallel, 3 * parallel, 0.5), 2 * parallel)
    torch.testing.assert_close(slerp(torch.zeros(2), one, 0.5), one / 2)


def test_ties_keeps_the_largest_elects_a_sign_and_averages_what_agrees() -> None:
    base = torch.tensor([1.0, 1.0, 1.0, 1.0])
    first = base + torch.tensor([4.0, -3.0, 0.1, 0.0])
    second = base + torch.tensor([2.0, 1.0, 0.2, -5.0])
    # The larger half of each: (4, -3, 0, 0) and (2, 0, 0, -5); the second's 1.0 is dropped.
    torch.testing.assert_close(ties(base, [first, second], [1, 1], 0.5), torch.tensor([4.0, -2.0, 1.0, -4.0]))
    # All of each: signs +, -, +, -; the second's +1.0 disagrees and is left out.
    torch.testing.assert_close(
        ties(base, [first, second], [1, 1], 1.0), torch.tensor([4.0, -2.0, 1.15, -4.0])
    )


def test_checkpoints_become_one_sealed_checkpoint(tmp_path: Path) -> None:
    one, other = small_decoder(tmp_path / "a", seed=1), small_decoder(tmp_path / "b", seed=2)
    made = merge_stage(one, [other], tmp_path / "out", method="linear")
    states = [open_decoder(folder).model.state_dict() for folder in (one, other, tmp_path / "out")]
    for name, tensor in states[2].items():
        torch.testing.assert_close(tensor, (states[0][name] + states[1][name]) / 2)
    assert made.manifest["parents"] == [open_decoder(one).id, open_decoder(other).id]
    same = merge_checkpoints([one, one], "ties", base=one).state_dict()
    torch.testing.assert_close(same["model.norm.weight"], states[0]["model.norm.weight"])


def test_what_cannot_be_merged_is_said(tmp_path: Path) -> None:
    one = small_decoder(tmp_path / "a")
    with pytest.raises(CheckpointError, match="another architecture"):
        merge_checkpoints([one, small_decoder(tmp_path / "b", width=48)], "linear")
    with pytest.raises(InvalidInputError, match="common base"):
        merge_checkpoints([one, one], "ties")
    with pytest.raises(InvalidInputError, match="two checkpoints"):
        merge_checkpoints([one, one, one], "slerp")
    with pytest.raises(InvalidInputError, match="weights"):
        merge_checkpoints([one, one], "linear", weights=[1, -1])
    with pytest.raises(InvalidInputError, match="one of the two"):
        merge_stage(one, [], tmp_path / "out")
