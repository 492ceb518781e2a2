"""ExecuTorch: a classifier leaves as .pte and its runtime says what torch says; what it cannot take is named."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.text_models import random_checkpoint
from xinglin.errors import CheckpointError, InvalidInputError, MissingExtraError
from xinglin.model.shipped import shipped_folder
from xinglin.release.export import executorch as door

pytest.importorskip("torch")
SOURCE = Path(door.__file__).parents[3]
HERE = find_spec("executorch") is not None
SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from xinglin.errors import CheckpointError
from xinglin.release.export.executorch import FILE, export, runner
from xinglin.release.export.source import open_source
folder, out = Path(sys.argv[1]), Path(sys.argv[2])
source = open_source(folder)
draw = np.random.default_rng(0)
ids = draw.integers(5, 100, (3, 40))
mask = np.ones_like(ids)
mask[1, 17:], mask[2, 2:] = 0, 0
feed = {"input_ids": ids * mask, "attention_mask": mask}
right = source.run(feed)
assert right.std() > 0.1
for kind, allowed in (("fp32", 1e-3), ("int8", 0.2)):
    (path,) = export(folder, out, kind=kind)
    run, said = runner(out)
    assert "executorch" in said and "XNNPACK" in said, said
    found = run(feed)
    assert found.shape == right.shape
    delta = np.abs(found - right).max() / right.std()
    assert delta < allowed, (kind, delta)
    print(kind, path.stat().st_size, delta)
whole = path.read_bytes()
for broken in (b"", whole[:100], b"x" * 4000):
    path.write_bytes(broken)
    try:
        runner(out)
    except CheckpointError as error:
        assert FILE in str(error)
    else:
        raise SystemExit("a broken file was opened")
print("fine")
"""


@pytest.mark.slow
def test_the_runtime_says_what_torch_says(folder: Path, tmp_path: Path) -> None:
    python = os.environ.get("XINGLIN_TEST_EXECUTORCH") or (sys.executable if HERE else None)
    if python is None:
        pytest.skip("no executorch: install it, or set XINGLIN_TEST_EXECUTORCH to an interpreter that has it")
    (tmp_path / "out").mkdir()
    done = subprocess.run(
        [python, "-c", SCRIPT, str(folder), str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(SOURCE), "XINGLIN_HOME": str(tmp_path / "home")},
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip().endswith("fine")


@pytest.mark.skipif(HERE, reason="executorch is installed")
def test_without_it_the_extra_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingExtraError, match=r"xinglin\[phone\]"):
        door.export(shipped_folder(), tmp_path)
    with pytest.raises(MissingExtraError, match=r"xinglin\[phone\]"):
        door.runner(tmp_path)


def test_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="int4"):
        door.export(shipped_folder(), tmp_path, kind="int4")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not HERE, reason="needs executorch")
def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=door.FILE):
        door.runner(tmp_path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_checkpoint(tmp_path_factory.mktemp("model") / "random", ["甲", "乙", "丙"], exported=False)


@pytest.mark.parametrize("length", [2, 65, 66, 200])
def test_one_unpadded_text_needs_no_mask(folder: Path, length: int) -> None:
    """Up to the window of local attention, one beyond it, and far beyond."""
    import torch

    from xinglin.release.export.single import Single
    from xinglin.release.export.source import open_source

    source = open_source(folder)
    ids = torch.arange(5, 5 + length)[None] % 100
    with torch.no_grad():
        whole = source.module(ids, torch.ones_like(ids))[0]
        alone = Single(source.module.whole)(ids)
    assert whole.std() > 0.1, "a comparison of nothing with nothing"
    torch.testing.assert_close(alone, whole, atol=1e-5, rtol=1e-5)
