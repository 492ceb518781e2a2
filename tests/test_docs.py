"""What the documents say is what the code does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from xinglin.apps.diagnosis.render import as_json  # noqa: F401  (the documented renderer exists)
from xinglin.types import DISCLAIMER

ROOT = Path(__file__).resolve().parents[1]
VERBS = [
    "diagnose",
    "explain",
    "code",
    "evaluate",
    "calibrate",
    "serve",
    "dossier",
    "drugs",
    "graph",
    "audit",
    "train",
    "model",
    "release",
    "federate",
    "imaging",
    "data",
    "records",
    "labels",
    "concepts",
    "chat",
    "assistant",
    "challenge",
    "decision",
    "ledger",
    "plugins",
]
NOTICE = "未经注册"


def help_of(*verbs: str) -> str:
    command = [sys.executable, "-m", "xinglin", *verbs, "--help"]
    return subprocess.run(command, capture_output=True, text=True, check=True, env={"COLUMNS": "200"}).stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_in_both_languages(verb: str) -> None:
    text = help_of(verb)
    assert re.search(r"[\u4e00-\u9fff]", text)
    assert re.search(r"[A-Za-z]{4}", text)


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_the_readme_is_true(readme: str) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^    make ([a-z-]+)|^make ([a-z-]+)", text, re.M))
    assert {"demo", "test"} <= {a or b for a, b in targets}
    for target in {a or b for a, b in targets}:
        assert re.search(rf"^{target}:", makefile, re.M), target
    for verb in set(re.findall(r"^ *(?:\$ )?xinglin ([a-z]+)", text, re.M)):
        assert verb in VERBS
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (ROOT / link).exists(), link
    assert NOTICE in text
    options = {option for verb in VERBS for option in re.findall(r"--[a-z-]+", help_of(verb))}
    # A verb of a verb (records intake) has options of its own.
    for verb, below in set(
        re.findall(
            r"^ *xinglin (audit|data|drugs|federate|imaging|labels|model|records|train) ([a-z-]+)", text, re.M
        )
    ):
        options |= set(re.findall(r"--[a-z-]+", help_of(verb, below)))
    shown = {
        flag for line in text.splitlines() if "xinglin " in line for flag in re.findall(r"(--[a-z-]+)", line)
    }
    assert shown <= options | {"--help", "--json", "--version"}, shown - options


def test_every_key_of_the_answer_is_documented(tmp_path: Path) -> None:
    import xinglin

    text = (ROOT / "docs" / "answer.md").read_text(encoding="utf-8")
    given = xinglin.diagnose("胸痛3天,心电图显示ST段压低")
    keys = set(given) | set(given["candidates"][0]) | set(given["exams"][0]) | set(given["red_flags"][0])
    undocumented = {key for key in keys if key not in text}
    assert undocumented <= {"prediction_set_title", "reviewed_by"}
    assert given["disclaimer"] == DISCLAIMER["zh"]


def test_no_path_or_host_of_a_machine_is_committed() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    bad = []
    for name in listed.stdout.split():
        path = ROOT / name
        if path.suffix in (".py", ".md", ".toml", ".txt", ".tsv") or path.name in ("Makefile", "run"):
            text = path.read_text(encoding="utf-8", errors="replace")
            if re.search(r"/(work|farm|root|opt)/[a-z]|file:///", text) and name != "tests/test_docs.py":
                bad.append(name)
    assert bad == []
