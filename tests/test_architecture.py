"""The house keeps its shape: rooms point down, import lazily, and stay small."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "xinglin"
ROOMS = sorted(path.parent for path in SOURCE.rglob("__init__.py"))
FILES = sorted(SOURCE.rglob("*.py"))


def test_imports_point_down() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "1 kept, 0 broken" in done.stdout


@pytest.mark.parametrize("room", ROOMS, ids=lambda path: str(path.relative_to(SOURCE.parent)))
def test_importing_a_room_does_nothing_heavy(room: Path) -> None:
    name = ".".join(room.relative_to(SOURCE.parent).parts)
    heavy = ("numpy", "sqlalchemy", "nicegui", "fastapi", "onnxruntime", "torch", "pydantic", "rich.table")
    code = f"import sys, {name}; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_diagnosis_needs_no_torch() -> None:
    code = (
        "import sys\n"
        "class No:\n"
        "    def find_spec(self, name, *a):\n"
        "        if name.split('.')[0] in ('torch', 'transformers', 'accelerate', 'sklearn'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, No())\n"
        "import xinglin\n"
        "print(xinglin.diagnose('胸痛3天')['candidates'][0]['code']['system'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "icd10-who"


def test_files_are_one_idea_long() -> None:
    assert len(FILES) > 50
    assert {str(path): n for path in FILES if (n := len(path.read_text().splitlines())) > 450} == {}


def test_no_bare_assert_and_no_swallowed_error() -> None:
    bad = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Assert):
                bad.append(f"{path.name}:{node.lineno} assert")
            if isinstance(node, ast.ExceptHandler) and (
                node.type is None or (len(node.body) == 1 and isinstance(node.body[0], ast.Pass))
            ):
                bad.append(f"{path.name}:{node.lineno} swallowed")
    assert bad == []
