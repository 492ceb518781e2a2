"""The page of a design: what was found, in drawings, numbers and poses; how the search went; what it does not say."""

from __future__ import annotations

import numpy as np

from xinglin.apps.drugs.design import DesignRun
from xinglin.apps.drugs.dock.known import KnownCheck
from xinglin.apps.drugs.dock.poses import pose_molecule
from xinglin.apps.drugs.report.charts import learning_svg, pareto_svg
from xinglin.apps.drugs.report.depict import drawing
from xinglin.apps.drugs.report.page import both, card, document, viewer
from xinglin.apps.drugs.report.scene import posed_ligand, scene
from xinglin.apps.drugs.reward import Aim, Scored, pareto_front
from xinglin.measure import Figure
from xinglin.measure.markup import Child, Markup, tag, verbatim

CARDS, POSES = 24, 12
"""Molecules drawn, and of these with a pose in the view."""


def design_page(run: DesignRun, check: KnownCheck | None) -> str:
    """Return the page of a design as one HTML document."""
    facts = [
        _fact("打分调用", "calls", f"{run.calls:,} / {run.options.calls:,}"),
        _fact("无法打分", "without a score", f"{run.failed:,}"),
        _fact("列出", "listed", f"{len(run.found)}"),
        _fact("种子", "seed", f"{run.options.seed}"),
    ]
    body: list[Child] = [
        _limits(run),
        _check(check),
        _poses(run),
        _molecules(run),
        tag("div", _curve(run), _pareto(run), cls="x-two"),
        _aims(run),
        _problems(run),
        _provenance(run),
    ]
    brand = ("杏林 · 分子设计", "Xinglin · molecules designed")
    return document(run.target.name, brand, [tag("ul", facts, cls="x-facts")], body)


def _fact(zh: str, en: str, value: str) -> Markup:
    return tag("li", both(zh, en), " ", tag("b", verbatim(value)))


def _limits(run: DesignRun) -> Markup:
    lines = [
        both(
            "对接分数不是亲和力,生成的分子未经合成或测定:每一个都须由实验证实。",
            "A docking score is no affinity; none of these molecules has been made or measured: each is a proposal.",
        ),
    ]
    if run.toxicity is None:
        lines.append(both("本次未预测毒性。", "Toxicity was not predicted in this run."))
    if not any(aim.name == "similarity" for aim in run.aims):
        lines.append(
            both("未给出已知分子,未计新颖性。", "No known molecules were given, so novelty was no aim.")
        )
    return tag("section", tag("ul", [tag("li", line) for line in lines]), cls="x-alarm")


def _check(check: KnownCheck | None) -> Markup:
    title = ("对接能否分辨已知分子", "Does docking tell known molecules apart?")
    if check is None:
        said = both(
            "未用已知活性与诱饵分子核对:不知道此靶点上对接分数有无意义(--check KNOWN.csv)。",
            "Not checked on known actives and decoys: whether the score means anything here is unknown (--check KNOWN.csv).",
        )
        return card(*title, tag("p", said), cls="x-alarm")
    head = [tag("th", both("排序依据", "ranked by"))]
    head += [tag("th", verbatim(name), cls="n") for name in ("EF1%", "AUROC", "Spearman")]
    rows = [
        tag("tr", tag("td", verbatim(name)), *[
            tag("td", verbatim(_figure(value)), cls="n") for value in (found.enrichment, found.auroc, found.spearman)
        ])
        for name, found in check.ranked.items()
    ]  # fmt: skip
    table = tag("div", tag("table", tag("thead", tag("tr", head)), tag("tbody", rows)), cls="x-scroll")
    warnings = [tag("li", verbatim(warning), cls="x-warn") for warning in check.warnings]
    return card(*title, table, tag("ul", warnings, cls="x-remarks") if warnings else None)


def _figure(value: Figure | None) -> str:
    return "–" if value is None else f"{value.value:.2f} [{value.low:.2f}, {value.high:.2f}] n={value.n}"


def _poses(run: DesignRun) -> Markup | None:
    ligands = []
    for rank, item in enumerate(run.found[:POSES], 1):
        if item.docked is not None and item.docked.answer.pose is not None:
            name = f"{rank}. {item.docked.score:.2f} kcal/mol"
            ligands.append(posed_ligand(name, pose_molecule(item.docked.answer.pose)))
    if not ligands:
        return None
    buttons = [
        tag("button", str(place + 1), type="button", data_view="poses", data_show=place, aria_pressed="false")
        for place in range(len(ligands))
    ]
    hint = both(
        "橙色为设计的分子;青色虚线为 3.5 Å 内的极性接触(不计角度)。",
        "Orange: the molecule; dashed: polar contacts within 3.5 Å, whatever the angle.",
    )
    return card(
        "结合姿态",
        "Poses",
        *viewer("poses", scene(run.target, ligands, box=False), ("口袋中的分子", "a molecule in the pocket")),
        tag("p", both("名次", "rank"), " ", buttons, cls="x-view-foot"),
        tag("p", hint, cls="x-muted"),
    )


def _molecules(run: DesignRun) -> Markup:
    if not run.found:
        return card(
            "分子", "Molecules", tag("p", both("没有得到可打分的分子。", "No molecule could be scored."))
        )
    shown = [_molecule(rank, item, run.aims) for rank, item in enumerate(run.found[:CARDS], 1)]
    said = both("右列:数值 → 该目标的得分(0 至 1)。", "On the right: a value → its worth, 0 to 1.")
    more = both(
        f"其余见 molecules.csv,共 {len(run.found)} 个。",
        f"The rest is in molecules.csv, {len(run.found)} in all.",
    )
    grid = tag("div", shown, cls="x-molecules")
    return card("分子", "Molecules", tag("p", said, cls="x-muted"), grid, tag("p", more, cls="x-muted"))


def _molecule(rank: int, item: Scored, aims: tuple[Aim, ...]) -> Markup:
    rows = [tag("dt", both("奖励", "reward")), tag("dd", tag("b", verbatim(f"{item.reward:.3f}")))]
    for aim in aims:
        rows += [
            tag("dt", both(aim.zh, aim.name)),
            tag("dd", verbatim(f"{item.values[aim.name]:.2f} → {item.desirabilities[aim.name]:.2f}")),
        ]
    docked = item.docked
    notes = "; ".join(docked.notes) if docked is not None else ""
    return tag(
        "article",
        tag("b", verbatim(f"{rank}")),
        tag("div", drawing(item.smiles), cls="x-drawing"),
        tag("dl", rows),
        tag("code", verbatim(item.smiles)),
        tag("p", verbatim(notes), cls="x-muted") if notes else None,
        cls="x-molecule",
    )


def _curve(run: DesignRun) -> Markup:
    hint = both("实线:最好者;虚线:最好十个的均值。", "Solid: the best; dashed: mean of the ten best.")
    return card(
        "学习曲线", "Learning curve", tag("figure", learning_svg(run.curve)), tag("p", hint, cls="x-muted")
    )


def _pareto(run: DesignRun) -> Markup:
    scored = [item for item in run.every if not np.isnan(item.reward)]
    names = ("docking", "qed")
    if not {aim.name for aim in run.aims} >= set(names):
        return card(
            "权衡", "Trade-off", tag("p", both("未以对接与类药性为目标。", "Docking and QED were no aims."))
        )
    points = [(item.values["docking"], item.values["qed"]) for item in scored]
    chart = pareto_svg(points, pareto_front(scored, names), "对接分数 docking score, kcal/mol", "QED")
    hint = both("红点:没有分子在两方面同时更好。", "Red: no other molecule is better in both.")
    return card("帕累托前沿", "Pareto front", tag("figure", chart), tag("p", hint, cls="x-muted"))


def _aims(run: DesignRun) -> Markup:
    head = [tag("th", both(*words), cls="n" if place else None) for place, words in enumerate(
        (("目标", "aim"), ("0 分", "worth 0"), ("1 分", "worth 1"), ("权重", "weight")))]  # fmt: skip
    rows = [
        tag("tr", tag("td", both(aim.zh, aim.en)), tag("td", f"{aim.worst:g}", cls="n"), tag("td", f"{aim.best:g}", cls="n"),
            tag("td", f"{aim.weight:g}", cls="n"))
        for aim in run.aims
    ]  # fmt: skip
    hint = both(
        "每个目标在两端之间线性变换,奖励为加权几何平均。界限为自行编写、未经审阅。",
        "Each aim is a straight line between its ends, the reward their weighted geometric mean. The ends are authored, "
        "unreviewed.",
    )
    table = tag("div", tag("table", tag("thead", tag("tr", head)), tag("tbody", rows)), cls="x-scroll")
    return card("奖励", "Reward", table, tag("p", hint, cls="x-muted"))


def _problems(run: DesignRun) -> Markup | None:
    if not run.problems and not run.refusals:
        return None
    rows = [
        tag("tr", tag("td", verbatim(name)), tag("td", f"{count:,}", cls="n"))
        for name, count in sorted(run.problems.items(), key=lambda item: -item[1])
    ]
    head = tag("tr", tag("th", both("原因", "why")), tag("th", both("个数", "count"), cls="n"))
    hint = both(
        "无分数者只计数,不参与学习,也不记 0 分。",
        "What has no score is counted, never learned from, never 0.",
    )
    table = tag("div", tag("table", tag("thead", head), tag("tbody", rows)), cls="x-scroll")
    return card("没有分数的分子", "Molecules without a score", table, tag("p", hint, cls="x-muted"))


def _provenance(run: DesignRun) -> Markup:
    lines = [
        f"target {run.target.digest}",
        f"prior {run.prior or '–'}",
        f"docking exhaustiveness {run.docking.exhaustiveness}, seed {run.docking.seed}, {run.docking.scoring}",
        f"toxicity {run.toxicity or '–'}",
    ]
    return card("来源", "Provenance", *[tag("p", tag("code", verbatim(line))) for line in lines])
