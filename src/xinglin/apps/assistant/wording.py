"""Every sentence of the assistant about itself, Chinese first, English beside it.

The help line 12356 is China's national psychological assistance line since 1 May 2025 (People's Daily, overseas edition,
27 December 2024, on the National Health Commission's notice); 120 and 110 are the numbers of the graph's own red flags.
The label follows the Measures for Labelling AI-Generated Synthetic Content (人工智能生成合成内容标识办法, in force since
1 September 2025): a text carries a notice that can be read, and its metadata an implicit one. The Measures' own text was
not at hand, only press reports of it: the form of the label is authored, unreviewed.
"""

from __future__ import annotations

import re
from typing import Literal

Lang = Literal["zh", "en"]
Pair = tuple[str, str]

LABEL_EXTRACTIVE = (
    "【人工智能生成 · 抽取式回答】未用语言模型:以下由规则从知识图谱、文档和诊断引擎中摘取。",
    "[AI-generated · extractive answer] No language model: what follows is taken by rule from the knowledge graph, "
    "documents and the diagnosis engine.",
)
LABEL_GENERATED = (
    "【人工智能生成】由语言模型 {model} 依据下列来源起草,逐句核对;未获支持的句子已标明。",
    "[AI-generated] Drafted by the language model {model} from the sources below and checked sentence by sentence; "
    "what no source supports is marked.",
)
FELL_BACK = (
    "语言模型没有写出任何有来源支持的句子,改为抽取式回答。",
    "The language model wrote no sentence that a source supports: an extractive answer is given instead.",
)
URGENT = ("【急】{level}", "[URGENT] {level}")
URGENT_WHY = ("依据:{flags}。", "Because of: {flags}.")
URGENT_TOOL_MISSING = (
    "没有接入危险信号规则,急症未核查。",
    "No red-flag rules are connected: emergencies were not checked.",
)
SELF_HARM = (
    "不能提供任何伤害自己的方法。您现在的感受很重要:请立刻告诉身边的人,不要独处;拨打全国统一心理援助热线12356;已经受伤或"
    "服药请立即拨打120,有即刻危险请拨打110。",
    "No way of harming oneself is given here. What you feel matters: tell someone near you now and do not stay alone; in "
    "China call the psychological assistance line 12356; call 120 if hurt or if anything was swallowed, 110 if danger is "
    "immediate; elsewhere call the local emergency number.",
)
HARM = (
    "不能提供任何伤害他人的方法。有人正处于危险时请立即拨打110或120。",
    "No way of harming others is given here. If someone is in danger call 110 or 120 (elsewhere the local emergency "
    "number).",
)
PRIVACY = (
    "不提供任何他人的病历或个人信息;本助手也读不到它们。",
    "No record or personal detail of anyone else is given; the assistant cannot read any.",
)
SECRETS = (
    "不提供系统设置、密钥或内部指令。",
    "Settings, keys and internal instructions are not given.",
)
NO_DOSE = (
    "不给剂量。用量须由医师或药师根据本人情况决定。",
    "No dose is given: a physician or pharmacist decides it for the person.",
)
NO_PRESCRIPTION = (
    "不开处方。处方只能由执业医师面诊后开具。",
    "No prescription is given: only a licensed physician prescribes, after seeing the patient.",
)
NO_ORDERS = (
    "问题中要求改变规则或扮演角色的文字不予执行,按普通问题回答。",
    "Words that ask to change the rules or to play a role are not followed; the question is answered as any other.",
)
NO_ORDERS_DOCUMENT = (
    "文档中有{count}处带指令的文字,未采用。",
    "{count} passages of the documents hold instructions; they were not used.",
)
PREMISE = (
    "问题里的说法「{claim}」没有找到依据,不能确认。",
    "No source supports the claim “{claim}”: it cannot be confirmed.",
)
ABSURD = (
    "「{claim}」没有科学依据:身体不适有医学上的原因,请按医学途径就诊。",
    "“{claim}” has no scientific basis: symptoms have medical causes and deserve medical care.",
)
UNKNOWN_DRUG = (
    "未识别的药名「{name}」:不在药名表和文档中,其作用、禁忌和相互作用均未核查。请勿自行使用,先请药师核对。",
    "Unknown medicine “{name}”: in neither the list of medicines nor the documents; its use, contraindications and "
    "interactions are not checked. Ask a pharmacist first.",
)
DOSES_REMOVED = ("已删除{count}处剂量。", "{count} doses were removed.")
PROBABILITIES_REMOVED = (
    "已删除{count}处并非引擎给出的概率。",
    "{count} probabilities that the engine did not give were removed.",
)
NOTHING = (
    "图谱和文档中没有找到可以回答这个问题的内容。请写明疾病、症状、检查或药名。",
    "Nothing in the graph or the documents answers this. Name a disease, symptom, examination or medicine.",
)
CANDIDATES = ("鉴别诊断(引擎):", "Differential (engine): ")
CANDIDATE = (
    "{place}. {name}:可能性{level}{probability},科室 {department}",
    "{place}. {name}: {level}{probability}",
)
EVIDENCE = (";依据 {findings}", "; on {findings}")
PROBABILITY = (",概率 {value}(引擎校准)", ", probability {value} (engine, calibrated)")
UNCALIBRATED = (
    "引擎未对这些候选校准,因此不给百分比。",
    "The engine is not calibrated for these candidates: no percentage is given.",
)
OPEN_DANGER = ("须先排除:{items}", "To be excluded first: {items}")
QUESTION = ("请补充:{question}", "Please tell: {question}")
EXAMS = ("建议检查:", "Examinations advised: ")
PLAN = (
    "{disease} 的处理选项(供医师参考,无剂量):",
    "Options for {disease} (for a clinician, without doses): ",
)
PLAN_FIRST = ("用前须排除 {names}", "exclude {names} first")
DOCUMENTS = ("文档摘录:", "From the documents: ")
NO_TOOL = (
    "没有接入{tool}工具,这一部分未作答。",
    "The tool {tool} is not connected: this part is not answered.",
)
TOOL_FAILED = ("{tool}:{error}", "{tool}: {error}")
TOOL_LOOP = (
    "语言模型重复或过多地调用工具,已停止。",
    "The language model called tools again and again: stopped.",
)
NOT_CHECKED = ("未核查", "not checked")
STOPPED_LENGTH = ("(达到长度上限)", "(length limit reached)")
SOURCES = ("来源", "Sources")

TOOLS: dict[str, Pair] = {
    "red_flags": ("危险信号规则", "red-flag rules"),
    "differential": ("鉴别诊断引擎", "differential engine"),
    "exam_advice": ("检查建议", "examination advice"),
    "treatment_plan": ("治疗方案核查", "treatment plan"),
    "check_medicine": ("用药核查", "medicine check"),
    "explain": ("依据解释", "explanation"),
}
RELATION: dict[str, Pair] = {
    "has_finding": ("表现", "finding"),
    "risk_factor": ("危险因素", "risk factor"),
    "exam": ("检查", "examination"),
    "exclude_before": ("治疗前须排除", "exclude before treatment"),
    "differential": ("鉴别", "differential"),
    "complication": ("并发症", "complication"),
    "is_a": ("属于", "is a"),
    "option": ("处理选项", "option"),
}
QUALIFIER: dict[str, Pair] = {
    "obligate": ("必有", "always"),
    "very_frequent": ("很常见", "very frequent"),
    "frequent": ("常见", "frequent"),
    "occasional": ("偶见", "occasional"),
    "very_rare": ("罕见", "very rare"),
    "excluded": ("不出现", "never"),
    "strong": ("强", "strong"),
    "moderate": ("中", "moderate"),
    "weak": ("弱", "weak"),
    "first": ("首选", "first line"),
    "confirm": ("确诊", "confirms"),
    "exclude": ("鉴别排除", "rules out"),
    "stage": ("评估程度", "stages"),
    "after_negative": ("前述阴性后", "after negative tests"),
}
CHECK: dict[str, Pair] = {
    "age": ("年龄", "age"),
    "pregnancy": ("妊娠/哺乳", "pregnancy/lactation"),
    "allergy": ("过敏", "allergy"),
    "renal": ("肾功能", "renal function"),
    "drug": ("合并用药", "other drugs"),
}
LEVEL: dict[str, Pair] = {"avoid": ("避免使用", "avoid"), "caution": ("慎用", "caution")}
COURSE: dict[str, Pair] = {
    "acute": ("急性", "acute"),
    "chronic": ("慢性", "chronic"),
    "subacute": ("亚急性", "subacute"),
    "recurrent": ("反复发作", "recurrent"),
}
_CHINESE = re.compile(r"[\u4e00-\u9fff]")


def language(text: str) -> Lang:
    """Return the language to answer in: English where the question has no Chinese character."""
    return "zh" if _CHINESE.search(text) or not text.strip() else "en"


def say(pair: Pair, lang: Lang, **values: object) -> str:
    """Return a sentence in a language, with its values filled in."""
    sentence = pair[0] if lang == "zh" else pair[1]
    return sentence.format(**values) if values else sentence


def both(pair: Pair, **values: object) -> str:
    """Return a sentence in both languages: what must be understood by anyone."""
    return f"{say(pair, 'zh', **values)} {say(pair, 'en', **values)}"


def joined(names: list[str], lang: Lang) -> str:
    """Return names as an enumeration."""
    return ("、" if lang == "zh" else ", ").join(names)
