"""Every sentence of the report, Chinese first, English beside it."""

from __future__ import annotations

from typing import Literal

from xinglin.explain.basis import Pair
from xinglin.measure.markup import Markup, tag, verbatim
from xinglin.measure.typography import full_width

Lang = Literal["zh", "en", "both"]

PHRASES: dict[str, Pair] = {
    "title": ("诊断依据", "Why this diagnosis"),
    "triage": ("分诊", "Triage"),
    "red_flags": ("危险信号", "Red flags"),
    "first": ("首位候选", "First candidate"),
    "explained": ("所解释的候选(第 {place} 位)", "Candidate explained (place {place})"),
    "candidates": ("候选排序", "Candidates"),
    "relative": (
        "条形只表示相对排序,不是患病概率。",
        "Bars show relative rank, not the probability of a disease.",
    ),
    "abstained": ("本例不作排序结论", "No ranking is claimed for this case"),
    "abstained_body": (
        "以下仍解释模型会排在首位的疾病,只供了解模型的行为,不是结论。",
        "What follows explains what the model would have put first: it shows how the model behaves and is no conclusion.",
    ),
    "note": ("病历中的依据", "The note, as the model used it"),
    "for": ("支持", "for"),
    "against": ("不支持", "against"),
    "strength": ("线越粗、色越深,作用越大", "the thicker and darker, the stronger"),
    "plain": ("未标出:作用很小或不参与", "unmarked: little or no effect"),
    "no_text": (
        "没有文字可供逐词解释:病例来自记录或追问。以下为图谱路径与反事实。",
        "There is no text to explain word by word: the case comes from a record or from answers. Below are the graph's "
        "paths and what would change the answer.",
    ),
    "flat": (
        "删去任何一处都不改变这个疾病的得分:文字没有影响这个答案。",
        "Deleting any part of the note leaves this disease's score as it is: the text did not move this answer.",
    ),
    "waterfall": ("从空白病历到这份病历", "From an empty note to this note"),
    "waterfall_hint": (
        "单位:对数优势(自然对数),模型自己的得分;+0.69 即优势加倍。",
        "Unit: natural-log odds, the model's own score; +0.69 doubles the odds.",
    ),
    "base": ("空白病历", "empty note"),
    "full": ("整份病历", "whole note"),
    "rest": ("其余 {count} 处", "{count} more"),
    "between": ("标点与虚词", "punctuation and filler words"),
    "gap": ("方法未能解释的部分", "what the method leaves unexplained"),
    "method_exact": ("精确 Shapley 值", "exact Shapley values"),
    "method_permutation": ("Shapley 值(抽样排列,近似)", "Shapley values (sampled orders, approximate)"),
    "method_shap": ("SHAP(分区 Shapley,近似)", "SHAP (Partition, approximate)"),
    "method_lime": ("LIME(局部线性近似)", "LIME (local linear fit)"),
    "method_gradients": ("积分梯度", "integrated gradients"),
    "method_occlusion": ("逐处删除", "occlusion"),
    "asked": ("问了模型 {count} 次,{seconds} 秒", "{count} variants asked, {seconds} s"),
    "trust": ("这份解释可信吗", "Can this explanation be trusted?"),
    "trust_good": (
        "通过了所做的全部检查。它说的是模型如何作答,不是疾病的原因。",
        "It passed every check made. It tells how the model answers, not what causes the disease.",
    ),
    "trust_bad": (
        "未通过 {count} 项检查:{names}。不要据此解读模型。",
        "It failed {count} of its checks: {names}. Do not read the model by it.",
    ),
    "trust_none": ("未作忠实度检查。", "Its faithfulness was not checked."),
    "chance": ("随机顺序", "random order"),
    "this": ("本解释", "this explanation"),
    "better": ("好于随机", "better than random"),
    "comprehensiveness": ("删去最要紧处,得分下降", "Fall when the strongest parts are deleted"),
    "sufficiency": ("只留最要紧处,得分下降", "Fall when only the strongest parts are kept"),
    "deletion": ("按序逐处删除(曲线下面积)", "Deleting in order (area under the curve)"),
    "insertion": ("按序逐处加入(曲线下面积)", "Adding in order (area under the curve)"),
    "stability": ("换随机种子后的一致性", "Agreement between random seeds"),
    "randomised": ("与随机权重模型的相似度", "Likeness to the explanation of random weights"),
    "not_possible": ("此模型不能做", "not possible for this model"),
    "stability_words": ("1 为完全一致", "1 is the same every time"),
    "randomised_words": (
        "接近 1 说明它只反映文字,不反映学到的知识",
        "near 1 it would show the text and nothing of what was learnt",
    ),
    "paths": ("知识图谱中的路径", "Paths in the knowledge graph"),
    "paths_hint": (
        "发现 → 疾病 → 检查;线越粗越强",
        "finding → disease → examination; the thicker, the stronger",
    ),
    "paths_none": (
        "图谱中没有从本例发现到这个疾病的路径。",
        "The graph has no path from this case's findings to this disease.",
    ),
    "path_findings": ("发现", "Findings"),
    "path_disease": ("疾病", "Disease"),
    "path_exams": ("检查", "Examinations"),
    "sources": ("来源", "Sources"),
    "authored": ("自行编写,未经审阅", "authored, unreviewed"),
    "reviewed": ("审阅:{name}", "reviewed by {name}"),
    "dashed_box": ("虚线框:自行编写,未经审阅", "dashed box: authored, unreviewed"),
    "dashed_line": ("虚线:不支持", "dashed line: against"),
    "by_kin": ("图谱写作“{name}”", "the graph says “{name}”"),
    "no_exam": ("图谱未列检查", "the graph names none"),
    "change": ("什么会改变答案", "What would change the answer"),
    "change_to": (
        "{ifs},首位候选就会由“{before}”变为“{after}”。",
        "{ifs}, the first candidate would change from {before} to {after}.",
    ),
    "change_none": (
        "改变任意一处或两处{what},首位候选仍是“{before}”。",
        "No change of one or two {what} puts another disease before {before}.",
    ),
    "change_not_found": (
        "试算 {count} 次(最有希望的在先),没有找到使另一疾病排到“{before}”之前的一处或两处{what};其余组合未试。",
        "No change of one or two {what} that puts another disease before {before} was found in {count} trials, the most "
        "promising first; the other combinations were not tried.",
    ),
    "findings": ("发现", "findings"),
    "words": ("文字", "parts of the text"),
    "and": ("并且", " and "),
    "if_present_absent": ("如果没有“{name}”", "if there were no {name}"),
    "if_present_unknown": ("如果没有提到“{name}”", "if {name} had not been mentioned"),
    "if_absent_present": ("如果有“{name}”(现为无)", "if there were {name} (now absent)"),
    "if_absent_unknown": ("如果不曾否认“{name}”", "if {name} had not been denied"),
    "if_unknown_present": ("如果还有“{name}”", "if {name} were found as well"),
    "if_unknown_absent": ("如果查明没有“{name}”", "if {name} were ruled out"),
    "if_deleted": ("如果删去“{name}”", "if the words “{name}” were deleted"),
    "only_findings": (
        "只改发现,文字不变:文本模型读到的仍是原文。",
        "Only the finding is changed: the text model still reads the note as it stands.",
    ),
    "versions": ("模型与数据版本", "Model and data versions"),
    "package": ("软件", "Software"),
    "engine": ("引擎", "Engine"),
    "engine_graph": ("知识图谱", "knowledge graph"),
    "engine_model": ("文本模型", "text model"),
    "engine_both": ("知识图谱与文本模型合用", "knowledge graph joined with text model"),
    "pack": ("知识包", "Knowledge pack"),
    "model": ("文本模型", "Text model"),
    "join": ("合并权重", "Weights of the join"),
    "made": ("生成时间", "Made"),
    "data": ("训练数据", "Training data"),
    "data_sets": (
        "{count} 个数据集,其中弱标签 {weak} 个",
        "{count} data sets, {weak} of them with weak labels",
    ),
    "records": ("{count} 条", "{count} records"),
    "weak": ("弱标签", "weak labels"),
    "cohort": ("全局依据:模型凭什么作答", "What the model goes by, over a data set"),
    "cohort_source": ("数据", "Data"),
    "cohort_cases": ("解释的病例", "Cases explained"),
    "cohort_first": (
        "每例解释它自己的首位候选。",
        "In each case its own first candidate is explained.",
    ),
    "cohort_target": ("每例都解释“{name}”。", "In every case {name} is explained."),
    "cohort_abstained": (
        "{of} 例中有 {count} 例本不作排序结论,仍计入。",
        "For {count} of the {of} cases no ranking is claimed; they are counted here all the same.",
    ),
    "cohort_left_out": (
        "{count} 例未能解释(无文字、过长或模型无此标签),未计入。",
        "{count} cases could not be explained (no text, too long, or no such label) and are not counted.",
    ),
    "cohort_meaning": (
        "这里说的是模型的行为,不是疾病的原因;数据换了,图也会换。",
        "This shows how the model behaves, not what causes a disease; other data give another picture.",
    ),
    "drivers": ("作用最大的表现、数值与词语", "The strongest findings, values and words"),
    "drivers_hint": (
        "每点一例,按作用总和排列;单位:对数优势(自然对数)。区间为 95 %(按病例自助法)。",
        "A dot is a case; ordered by the sum of strengths; unit: natural-log odds. Intervals are 95 %, bootstrapped over "
        "cases.",
    ),
    "drivers_none": (
        "没有一处在足够多的病例中出现。",
        "No unit occurs in enough cases.",
    ),
    "as_table": ("数值表", "As a table"),
    "unit": ("单位", "Unit"),
    "cases": ("病例数", "Cases"),
    "mean_strength": ("平均作用大小 [95 %]", "Mean strength [95 %]"),
    "mean_direction": ("平均方向", "Mean direction"),
    "by_class": ("各类别凭什么", "By class"),
    "by_class_none": (
        "没有一个类别有至少 {count} 例。",
        "No class has at least {count} cases.",
    ),
    "by_class_more": (
        "另有 {count} 个类别病例较少或排在其后,见 JSON。",
        "{count} more classes have fewer cases or come after these: see the JSON.",
    ),
    "subgroups": ("性别与年龄段", "By sex and age band"),
    "subgroups_none": (
        "没有病例写明性别或年龄。",
        "No case states sex or age.",
    ),
    "subgroup_stated": (
        "{of} 例中 {count} 例写明{name}。",
        "{name}: stated in {count} of {of} cases.",
    ),
    "subgroups_hint": (
        "格内为平均方向;“·”表示该组中出现太少。各组病例不同,差别未必来自性别或年龄。",
        "Cells show the mean direction; a dot: too rare in that group. The groups hold different cases, so a difference "
        "need not come from sex or age.",
    ),
    "cohort_trust": ("这些解释可信吗", "Can these explanations be trusted?"),
    "cohort_passed": (
        "随机抽查 {of} 例,{count} 例通过全部检查(95 % 区间 {low} 至 {high})。",
        "Of {of} cases drawn at random, {count} passed every check (95 % interval {low} to {high}).",
    ),
    "check": ("检查", "Check"),
    "gain": ("好于随机多少 [95 %]", "Better than random by [95 %]"),
    "failed_comprehensiveness": ("删去关键处", "deleting the strongest parts"),
    "failed_sufficiency": ("只留关键处", "keeping only the strongest parts"),
    "failed_deletion": ("逐处删除", "deletion"),
    "failed_insertion": ("逐处加入", "insertion"),
    "failed_stability": ("随机种子间的一致性", "agreement between seeds"),
    "failed_randomised": ("随机权重对照", "random weights"),
}
QUALIFIERS: dict[str, Pair] = {
    "obligate": ("必有", "obligate"),
    "very_frequent": ("很常见", "very frequent"),
    "frequent": ("常见", "frequent"),
    "occasional": ("偶见", "occasional"),
    "very_rare": ("罕见", "very rare"),
    "excluded": ("不出现", "excluded"),
    "strong": ("强危险因素", "strong risk factor"),
    "moderate": ("危险因素", "risk factor"),
    "weak": ("弱危险因素", "weak risk factor"),
    "first": ("首选", "first line"),
    "confirm": ("确诊", "confirms"),
    "exclude": ("排除", "rules out"),
    "stage": ("评估程度", "stages"),
    "after_negative": ("前述阴性后", "after negatives"),
}


def pair(key: str, **values: object) -> Pair:
    """Return a sentence in both languages; a value may be a pair itself."""
    zh, en = PHRASES[key]
    # Only our own words are typeset: what a clinician typed stays as typed.
    return _filled(full_width(zh), values, 0), _filled(en, values, 1)


def _filled(sentence: str, values: dict[str, object], side: int) -> str:
    chosen = {key: value[side] if isinstance(value, tuple) else value for key, value in values.items()}
    return sentence.format(**chosen) if values else sentence


def typeset(words: Pair) -> Pair:
    """Return a sentence of ours with the punctuation of each language; never for what a clinician typed."""
    return full_width(words[0]), words[1]


def shown(words: Pair, lang: Lang) -> Markup:
    """Return a pair as markup: one language, or the Chinese with the English beside it."""
    zh, en = words
    if lang == "zh" or (lang == "both" and zh == en):
        return verbatim(zh)
    if lang == "en":
        return verbatim(en)
    return Markup(
        tag("span", verbatim(zh), lang="zh-CN") + " " + tag("span", verbatim(en), lang="en", cls="xw-en")
    )


def say(key: str, lang: Lang, **values: object) -> Markup:
    """Return a sentence as markup."""
    return shown(pair(key, **values), lang)


def plain(words: Pair, lang: Lang) -> str:
    """Return a pair as plain text, for attributes and the terminal."""
    zh, en = words
    return zh if lang == "zh" or (lang == "both" and zh == en) else en if lang == "en" else f"{zh} {en}"


def qualifier(name: str | None, lang: Lang) -> str:
    """Return a frequency, strength or role in words; only the Chinese where both languages are shown."""
    words = QUALIFIERS.get(name or "", (name or "", name or ""))
    return words[1] if lang == "en" else words[0]


def signed(value: float) -> str:
    """Return a number with its sign, a true minus."""
    return f"{round(value, 2) + 0.0:+.2f}".replace("-", "−")
