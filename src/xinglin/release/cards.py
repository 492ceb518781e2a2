"""Cards of models and data sets out of their own manifests, so that no card says what the files do not.

Sections after Mitchell et al. 2019 (model cards, doi 10.1145/3287560.3287596) and Gebru et al. 2021 (datasheets, doi
10.1145/3458723). What a manifest does not say stands as *not stated*, never guessed.

``python -m xinglin.release.cards FOLDER`` writes the cards of the models that come with the package.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xinglin.model.checkpoint import MANIFEST
from xinglin.model.parts import read_json
from xinglin.model.shipped import SHIPPED
from xinglin.records.manifest import Manifest, manifest_digest
from xinglin.types import DISCLAIMER

UNKNOWN = "未说明 not stated"


def model_card(manifest: Mapping[str, Any]) -> str:
    """Return the card of a checkpoint as Markdown.

    Args:
        manifest: of a sealed checkpoint (``model.checkpoint``).
    """
    parents = manifest.get("parents") or []
    code = manifest.get("code")
    written = (
        UNKNOWN if not code else f"xinglin {code.get('version', '?')}, commit `{code.get('commit', '?')}`"
    )
    parts = [
        f"# {manifest['name']}",
        _notice("manifest.json"),
        _table(
            ("项目 item", "内容 what it is"),
            [
                ("编号 id", f"`{manifest['id']}`"),
                ("类型 kind", str(manifest.get("kind", UNKNOWN))),
                ("代码 code", written),
                ("父模型 parents", ", ".join(f"`{one[:16]}…`" for one in parents) or "无 none"),
                ("种子 seeds", ", ".join(map(str, manifest.get("seeds") or [])) or UNKNOWN),
            ],
        ),
        "## 界限 Limits",
        str(manifest.get("limits") or UNKNOWN),
        f"{DISCLAIMER['zh']} {DISCLAIMER['en']}",
        "## 训练数据 Training data",
        _table(
            ("数据集 data set", "记录 records", "弱标签 weak", "许可 licence", "SHA-256"),
            _data(manifest.get("data") or []),
        ),
        "## 指标 Figures",
        _figures(manifest.get("metrics") or {}),
        "## 设置 Settings",
        "```json\n" + json.dumps(manifest.get("settings") or {}, ensure_ascii=False, indent=1) + "\n```",
        "## 核对 Check",
        "`xinglin model check FOLDER --public-key KEY.pub` checks seal and signature before anything is loaded. The files "
        "and their digests:",
        _table(
            ("文件 file", "SHA-256"), [(name, f"`{sha}`") for name, sha in sorted(manifest["files"].items())]
        ),
    ]
    return "\n\n".join(parts) + "\n"


def dataset_card(manifest: Manifest) -> str:
    """Return the card of a data set as Markdown, from its manifest."""
    counts, splits = manifest.counts, manifest.splits
    steps = [
        (one.step, one.code, json.dumps(one.parameters, ensure_ascii=False))
        for one in manifest.transformations
    ]
    divided = UNKNOWN
    if splits is not None:
        rows = [(name, _number(part.records), _number(part.subjects)) for name, part in splits.parts.items()]
        head = f"按 by {splits.by}, 种子 seed {splits.seed if splits.seed is not None else UNKNOWN}"
        divided = head + "\n\n" + _table(("部分 part", "记录 records", "受试者 subjects"), rows)
    parts = [
        f"# {manifest.name}",
        _notice("manifest.json"),
        _table(
            ("项目 item", "内容 what it is"),
            [
                ("摘要 digest", f"`{manifest_digest(manifest)}`"),
                ("许可 licence", manifest.licence),
                ("同意依据 consent", manifest.consent.basis),
                ("凭据 reference", manifest.consent.reference or UNKNOWN),
                ("记录 records", _number(counts.records)),
                ("受试者 subjects", _number(counts.subjects)),
                ("机构 sites", _number(counts.sites)),
                ("标注误差证书 certificate", "有 yes" if manifest.certificate else "无 none"),
            ],
        ),
        "## 处理 What was done to it",
        _table(("步骤 step", "程序 code", "参数 parameters"), steps) if steps else UNKNOWN,
        "## 划分 Splits",
        divided,
        "## 文件 Files",
        _table(
            ("文件 file", "字节 bytes", "SHA-256"),
            [(f.path, f"{f.bytes:,}", f"`{f.sha256}`") for f in manifest.files],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def shipped_cards() -> dict[str, str]:
    """Return the cards of the models that come with the package, by file name."""
    folders = sorted(path.parent for path in SHIPPED.glob(f"*/{MANIFEST}"))
    return {f"{folder.name}.md": model_card(read_json(folder / MANIFEST)) for folder in folders}


def _notice(source: str) -> str:
    return f"由 `{source}` 生成,请勿手改。Rendered from `{source}`; not edited by hand."


def _data(data: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    return [
        (
            str(one.get("name", UNKNOWN)),
            _number(one.get("records")),
            UNKNOWN if one.get("weak") is None else "是 yes" if one["weak"] else "否 no",
            str(one.get("licence", UNKNOWN)),
            f"`{str(one.get('sha256', '?'))[:16]}…`",
        )
        for one in data
    ]


def _figures(metrics: Mapping[str, Any]) -> str:
    if not metrics:
        return UNKNOWN
    rows = []
    for name, one in metrics.items():
        if not isinstance(one, Mapping):
            rows.append((name, str(one), "", ""))
            continue
        low, high = one.get("low"), one.get("high")
        span = "" if low is None or high is None else f"{low:.4g} – {high:.4g}"
        value = one.get("value")
        rows.append((name, UNKNOWN if value is None else f"{value:.4g}", span, _number(one.get("n"))))
    return _table(("指标 figure", "值 value", "95 %", "n"), rows)


def _number(value: Any) -> str:
    return UNKNOWN if value is None else f"{value:,}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main(arguments: Sequence[str]) -> int:
    """Write the cards of the shipped models into a folder."""
    if len(arguments) != 1:
        print("usage: python -m xinglin.release.cards FOLDER", file=sys.stderr)
        return 2
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in shipped_cards().items():
        (folder / name).write_text(text, encoding="utf-8")
        print(folder / name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
