"""``xinglin labels truth | agreement | noise | select``: what many votes say, and what to label next."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from xinglin.cli.options import AsJson, Seed
from xinglin.cli.truth_multi import agreement_by_code, truth_of_sets
from xinglin.cli.truth_shown import (
    disclaim,
    grid,
    item_rows,
    rounded,
    show_grid,
    show_json,
    show_truth,
    summarised,
)

if TYPE_CHECKING:
    from xinglin.labels.agreement import Agreement, Level, Weights
    from xinglin.labels.crowd_files import Crowd

VotesFile = Annotated[
    Path,
    typer.Argument(help="投票文件,每行一票:条目、标注者、标签 Votes, a row each: .tsv .csv .jsonl (.gz)."),
]
Item = Annotated[str | None, typer.Option(help="条目的列名 Column of the item.")]
Annotator = Annotated[str | None, typer.Option(help="标注者的列名 Column of the annotator.")]
LabelColumn = Annotated[str | None, typer.Option("--label", help="标签的列名 Column of the label.")]
Multi = Annotated[
    bool,
    typer.Option(
        "--multi", help="一票可含多个编码,空格分隔 A vote may hold several codes, joined by spaces."
    ),
]
Top = Annotated[int, typer.Option(min=1, help="终端上最多显示几行 Rows shown on the terminal.")]
Probabilities = Annotated[
    Path,
    typer.Argument(
        help='JSONL,每行 {"item", "probabilities": {类别: 概率}} Item and probability of each class, a line each.'
    ),
]


def truth(
    file: VotesFile,
    method: Annotated[str, typer.Option(help="majority | dawid-skene | glad | mace")] = "dawid-skene",
    gold: Annotated[
        Path | None, typer.Option(help="已知真值,用于评分 Known truth, to score: item and label.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="每个条目的结果写到 Where every item's result goes (JSONL).")
    ] = None,
    item: Item = None,
    annotator: Annotator = None,
    label: LabelColumn = None,
    multi: Multi = False,
    top: Top = 15,
    as_json: AsJson = False,
) -> None:
    """从多人投票推断真值、标注者水平和每条的置信度。Infer truth, skill and confidence from many votes."""
    from xinglin.labels.crowd_files import read_votes
    from xinglin.labels.truth import infer_truth

    crowd = read_votes(file, gold, item=item, annotator=annotator, label=label)
    if multi:
        truth_of_sets(crowd, method, out, top, as_json)
        return
    found = infer_truth(crowd.votes, method)
    if out is not None:
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in item_rows(crowd, found))
        with out.open("w", encoding="utf-8") as stream:
            stream.writelines(lines)
    summary = summarised(crowd, found)
    if as_json:
        show_json(summary | {"out": str(out) if out else None})
        return
    show_truth(summary, top)
    if out is not None:
        typer.echo(f"逐条结果 every item: {out}")
    disclaim()


def agreement(
    file: VotesFile,
    level: Annotated[str, typer.Option(help="nominal | ordinal | interval")] = "nominal",
    weights: Annotated[str, typer.Option(help="Cohen: none | linear | quadratic")] = "none",
    item: Item = None,
    annotator: Annotator = None,
    label: LabelColumn = None,
    resamples: Annotated[
        int, typer.Option(min=0, max=100_000, help="自助抽样次数 Bootstrap resamples; 0: no interval.")
    ] = 1000,
    seed: Seed = 0,
    multi: Multi = False,
    top: Top = 15,
    as_json: AsJson = False,
) -> None:
    """标注者之间的一致性:Krippendorff、Fleiss、两两 Cohen。Agreement between annotators beyond chance.

    For ordinal and interval levels the classes are taken in sorted order: numbers as numbers.
    """
    from xinglin.labels.crowd_files import read_votes

    crowd = read_votes(file, item=item, annotator=annotator, label=label)
    if multi:
        agreement_by_code(crowd, resamples, seed, top, as_json)
        return
    options = cast("Level", level), cast("Weights", weights)
    rows = list(_agreements(crowd, *options, resamples, seed, top))
    if as_json:
        show_json(
            {
                "votes": len(crowd.votes),
                "items": len(crowd.items),
                "annotators": len(crowd.annotators),
                "classes": list(crowd.classes),
                "missing": crowd.missing,
                "agreement": rows,
            }
        )
        return
    table = grid("", "系数 coefficient [95 %]", "条目 items", "票 votes", "说明 note")
    for row in rows:
        table.add_row(row["name"], _shown(row), f"{row['items']:,}", f"{row['votes']:,}", row["note"])
    show_grid(table)
    if level != "nominal":
        typer.echo(f"类别顺序 order of classes: {' < '.join(crowd.classes)}")
    disclaim()


def noise(
    labels: Annotated[Path, typer.Argument(help="已有标签:条目、标签 The given labels: item and label.")],
    probabilities: Probabilities,
    item: Item = None,
    label: LabelColumn = None,
    top: Top = 20,
    as_json: AsJson = False,
) -> None:
    """可疑标签:按置信学习从样本外概率排序。Suspected labels, ranked by confident learning.

    PROBABILITIES: JSON lines {"item": ..., "probabilities": {class: probability}}, from a model that has not seen the
    item's label (cross-validation). LABELS: a row an item.
    """
    from xinglin.labels.label_files import read_given, read_probabilities
    from xinglin.labels.noise import label_noise

    items, classes, rows = read_probabilities(probabilities)
    given = read_given(labels, items, classes, item=item, label=label)
    found = label_noise(given, rows)
    suspects = [
        {
            "item": items[i],
            "label": classes[given[i]],
            "suggested": classes[found.suggested[i]],
            "quality": round(float(found.quality[i]), 6),
        }
        for i in found.suspects.tolist()
    ]
    by_class: list[dict[str, Any]] = [
        {"label": classes[row.label], "items": row.items, "suspects": row.suspects}
        | {"wrong": rounded(row.wrong), "missed": rounded(row.missed)}
        for row in found.classes
    ]
    if as_json:
        show_json(
            {
                "items": len(items),
                "classes": list(classes),
                "suspects": suspects,
                "by_class": by_class,
                "confident_joint": found.confident.tolist(),
            }
        )
        return
    table = grid("标签 label", "条目 items", "可疑 suspects", "估计误标 est. wrong", "估计漏标 est. missed")
    for row in by_class:
        table.add_row(
            str(row["label"]),
            f"{row['items']:,}",
            f"{row['suspects']:,}",
            _percent(row["wrong"]),
            _percent(row["missed"]),
        )
    show_grid(table)
    table = grid("条目 item", "现标签 label", "模型建议 suggested", "质量 quality")
    for entry in suspects[:top]:
        table.add_row(
            str(entry["item"]), str(entry["label"]), str(entry["suggested"]), f"{entry['quality']:.3f}"
        )
    show_grid(table)
    typer.echo(
        f"共 {len(suspects):,} 条可疑,请人复核,勿自动改写。{len(suspects):,} suspects: for review, never rewritten."
    )
    disclaim()


def select(
    probabilities: Probabilities,
    count: Annotated[int, typer.Option(min=1, help="选几条 How many to choose.")] = 50,
    labelled: Annotated[
        Path | None, typer.Option(help="已标注的条目编号,每行一个 Items that have a label, one a line.")
    ] = None,
    features: Annotated[
        Path | None,
        typer.Option(help="条目特征 .npy,行序同概率文件 Features (.npy), rows as in the probabilities."),
    ] = None,
    distances: Annotated[
        Path | None,
        typer.Option(
            help="条目到图谱锚点的边数 .npy Edges to each anchor of the graph (.npy), rows likewise."
        ),
    ] = None,
    uncertainty: Annotated[float, typer.Option(min=0, help="模型疑惑的指数 Exponent of doubt.")] = 1.0,
    diversity: Annotated[float, typer.Option(min=0, help="新颖的指数 Exponent of novelty.")] = 1.0,
    coverage: Annotated[float, typer.Option(min=0, help="图谱覆盖的权重 Weight of graph coverage.")] = 0.0,
    random: Annotated[bool, typer.Option("--random", help="随机挑选,作对照 At random: the floor.")] = False,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """挑选最值得标注的条目。Choose the items most worth a label.

    PROBABILITIES: JSON lines {"item": ..., "probabilities": {class: probability}} of the present model.
    """
    from xinglin.labels.label_files import read_array, read_known, read_probabilities
    from xinglin.labels.select import Mix, at_random
    from xinglin.labels.select import select as choose

    items, _, rows = read_probabilities(probabilities)
    known = read_known(labelled, items)
    if random:
        chosen = at_random(len(items), count, known, seed=seed)
    else:
        chosen = choose(
            *(len(items), count, known),
            probabilities=rows,
            features=read_array(features, len(items)) if features else None,
            distances=read_array(distances, len(items)) if distances else None,
            mix=Mix(uncertainty, diversity, coverage),
            seed=seed,
        )
    names = [items[i] for i in chosen.tolist()]
    if as_json:
        show_json({"chosen": names, "labelled": len(known), "items": len(items), "seed": seed})
        return
    for name in names:
        typer.echo(name)


def _agreements(
    crowd: Crowd, level: Level, weights: Weights, resamples: int, seed: int, pairs: int
) -> Iterator[dict[str, Any]]:
    """Krippendorff's alpha, Fleiss' kappa where it is defined, and Cohen's of the pairs with most items in common."""
    import numpy as np

    from xinglin.labels.agreement import cohen_kappa, fleiss_kappa, krippendorff_alpha

    votes = crowd.votes
    yield _row(
        f"Krippendorff α, {level}", krippendorff_alpha(votes, level=level, resamples=resamples, seed=seed)
    )
    each = np.bincount(votes.items)
    if len(set(each[each > 0].tolist())) == 1 and each.max() > 1:
        yield _row("Fleiss κ", fleiss_kappa(votes, resamples=resamples, seed=seed))
    else:
        yield _row("Fleiss κ", None, "各条票数不同 items differ in votes")
    kind = "" if weights == "none" else f", {weights}"
    seen = np.unique(np.stack([votes.items, votes.annotators]), axis=1, return_counts=True)
    twice = set(seen[0][1][seen[1] > 1].tolist())
    for first, second in _most_in_common(crowd, pairs):
        name = f"Cohen κ{kind}: {crowd.annotators[first]} – {crowd.annotators[second]}"
        if twice & {first, second}:
            yield _row(name, None, "同一条投了两次 voted twice on an item")
            continue
        yield _row(name, cohen_kappa(votes, first, second, weights=weights, resamples=resamples, seed=seed))


def _most_in_common(crowd: Crowd, count: int) -> list[tuple[int, int]]:
    import numpy as np
    from scipy.sparse import csr_matrix, triu

    votes = crowd.votes
    seen = csr_matrix(
        (np.ones(len(votes)), (votes.items, votes.annotators)), shape=(votes.n_items, votes.n_annotators)
    )
    seen.data[:] = 1.0
    shared = triu(seen.T @ seen, k=1).tocoo()
    order = np.argsort(-shared.data, kind="stable")[:count]
    return [(int(shared.row[k]), int(shared.col[k])) for k in order]


def _row(name: str, found: Agreement | None, note: str = "") -> dict[str, Any]:
    if found is None:
        return {"name": name, "value": None, "low": None, "high": None, "items": 0, "votes": 0, "note": note}
    if found.value is None:
        note = "无分歧可期,无从定义 undefined: no disagreement to expect"
    return {
        "name": name,
        "value": rounded(found.value),
        "low": rounded(found.low),
        "high": rounded(found.high),
        "items": found.items,
        "votes": found.votes,
        "note": note,
    }


def _shown(row: dict[str, Any]) -> str:
    if row["value"] is None:
        return "–"
    interval = f" [{row['low']:.3f}, {row['high']:.3f}]" if row["low"] is not None else ""
    return f"{row['value']:.3f}{interval}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
