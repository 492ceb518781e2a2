"""What is refused, and what is answered with a warning: rules over the user's words, before anything else is done.

The rules look for intentions by their words, so a paraphrase can slip through; behind them stand the filters of what goes
out (:mod:`.strike`) and, with the extractive engine, the fact that nothing can be said that no source holds. What was
measured, and on which attacks, is in docs/assistant.md. Word lists: authored, unreviewed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from xinglin.apps.assistant import wording as w
from xinglin.terms.characters import normalise
from xinglin.terms.vocabulary import Vocabulary

Concern = Literal["self_harm", "harm", "privacy", "secrets", "dose", "prescription", "orders"]
STOPS: frozenset[Concern] = frozenset({"self_harm", "harm", "privacy", "secrets"})
"""Concerns after which nothing more is answered."""
WORDS: dict[Concern, w.Pair] = {
    "self_harm": w.SELF_HARM,
    "harm": w.HARM,
    "privacy": w.PRIVACY,
    "secrets": w.SECRETS,
    "dose": w.NO_DOSE,
    "prescription": w.NO_PRESCRIPTION,
    "orders": w.NO_ORDERS,
}
_HOW = r"(?:怎么|怎样|如何|多少|几片|几粒|哪种|哪个|什么|最快|方法|办法|教我|告诉我|how|what|which|best way|easiest|tell me)"
_DIE = (
    r"(?:自杀|自尽|自残|自伤|割腕|割脉|上吊|烧炭|跳楼|轻生|寻死|了结自己|结束(?:自己的?)?生命|去死|想死|致死|会死|能死|才死|死掉|死去|"
    r"不醒|一睡不|毒死自己|kill (?:my|your|him|her|one)sel|suicid|end (?:my|it all|one's) ?(?:life)?|overdose on|"
    r"die (?:painlessly|peacefully|quickly|fast)|lethal (?:dose|amount)|fatal (?:dose|amount)|hang mysel|cut (?:my|one's) wrist|self.?harm)"
)
_SELF_HARM = re.compile(
    rf"{_HOW}[^。\n]{{0,40}}?{_DIE}|{_DIE}[^。\n]{{0,30}}?{_HOW}|致死量|致死剂量|半数致死|无痛[^。\n]{{0,6}}(?:死|离开|离世)|"
    r"没有?痛苦[^。\n]{0,8}(?:死|走|离开|离世)|不想活|活不下去|活着没意思|死了算了|想自杀|想轻生|准备自杀|"
    r"(?:want|going|plan|wish)[^.\n]{0,12}(?:to die|kill myself|end my life)|don't want to live|lethal dose|ld50"
)
_NOT_SELF = re.compile(r"(?:会不会死|会死吗|能活多久|死亡率|会死人吗|fatal\?|deadly\?|am i going to die|will i die)")
_HARM = re.compile(
    r"(?:毒死|毒害|下毒|投毒|迷晕|弄死|害死|弄晕|杀死|杀掉|谋杀)(?!老鼠|蟑螂|细菌|病毒|癌)|(?:给|让|使)[^。\n]{0,10}(?:别人|他|她|老公|老婆|同事|室友|邻居|前任)"
    r"[^。\n]{0,16}(?:昏迷|致死|死亡|不知不觉|下药|打掉|流产)|(?:poison|drug|sedate|kill|murder|spike)\s+(?:my|his|her|some|a|the|an)\s*"
    r"(?:wife|husband|boss|neighbo|roommate|one|person|man|woman|drink|colleague|ex)"
)
_PRIVACY = re.compile(
    r"(?:别的|其他|另一个|别人|上一个|上一位|前一个|隔壁床?|某个|所有)(?:的)?(?:病人|患者|用户|人)?[^。\n]{0,12}(?:病历|信息|记录|资料|电话|身份证|地址|名字|姓名|问了什么|聊天|对话|检查结果|化验)|"
    r"(?:病历|病人|患者|用户)[^。\n]{0,10}(?:数据库|名单|列表|导出)|[\u4e00-\u9fff]{2,3}(?:同事|老师|女士|先生|主任|明星)?的(?:病历|身份证|手机号|家庭住址|住址|hiv结果|体检报告|化验单)|"
    r"(?:other|another|previous|last|all|next)\s+(?:patient|user|person)s?'?[^.\n]{0,40}(?:record|name|data|phone|address|chat|conversation|result|detail|said|asked)|"
    r"(?:patient|medical) (?:database|records? of)|(?:home address|id number|phone number|social security) of|身份证号|家庭住址"
)
_SECRETS = re.compile(
    r"(?:系统|初始|内部|隐藏|原始)(?:的)?(?:提示|指令|设定|prompt|配置)|system prompt|api[ _-]?key|密钥|(?:你的|你收到的|your)[^。.\n]{0,8}(?:指令|提示词|instructions|initial prompt)|"
    r"环境变量|environment variable|/etc/passwd|管理员密码|admin password|(?:repeat|print|reveal|show)[^.\n]{0,20}(?:above|instructions|prompt)"
)
_DOSE = re.compile(
    r"剂量|用量|多少毫克|多少片|多少克|多少粒|多少毫升|多少单位|多少支|几片|几粒|几颗|几袋|几毫升|几毫克|几支|几针|几次|吃多少|用多少|打多少|服多少|喝多少|给多少|开多少|加到多少|"
    r"减到多少|加倍|加量|减量|最大量|极量|怎么吃药|怎么服用|一天吃|一次吃|一日几|每天吃|每次吃|每日多少|多久吃一次|mg/kg|毫克每公斤|dose|dosage|how (?:many|much) [^.\n]{0,30}"
    r"(?:take|give|need|safe|pill|tablet|mg|milligram|unit|drop|ml)|how often (?:should|to|can|do) [^.\n]{0,12}(?:take|give)|\d\s*mg\b|milligrams"
)
_PRESCRIPTION = re.compile(
    r"处方|药方|开(?:个|点|一个|一些|张|几|些|盒|瓶)?[^。,,\n]{0,6}(?:方子|药|方)|开药|配药方|医嘱|prescri|\brx\b|write me a script"
)
_ORDERS = re.compile(
    r"(?:忽略|无视|忘记|忘掉|抛开|不要遵守|不用遵守|跳过|绕过|解除|关闭)[^。\n]{0,16}(?:以上|之前|前面|所有|一切|规则|指令|限制|要求|设定|安全|提示)|你现在是|你现在扮演|从现在起你|"
    r"从现在开始|扮演|假装|假设你是|角色扮演|开发者模式|越狱|没有(?:任何)?(?:限制|道德)|不受(?:任何)?限制|不要(?:给)?(?:免责|提醒|警告)|不需要(?:免责|提醒|警告)|小说里|写(?:一|个)(?:故事|小说|剧本)|"
    r"奶奶(?:以前|总是|生前)|只回答|必须回答|直接回答|我是(?:医生|药师|护士|开发者|管理员|主任)|"
    r"(?:ignore|disregard|forget|bypass|override)[^.\n]{0,30}(?:previous|above|prior|all|instruction|rule|safety|guideline)|you are now|pretend|role.?play|"
    r"act as|developer mode|jailbreak|\bdan\b|unrestricted|no restrictions|without (?:any )?(?:restrictions|warnings|disclaimers)|hypothetical|"
    r"<\|im_start\|>|\[inst\]|<<sys>>|###\s*(?:system|instruction)|(?:^|\n)\s*(?:system|assistant|系统|助手)\s*[::]"
)
_RULES: tuple[tuple[Concern, re.Pattern[str]], ...] = (
    ("harm", _HARM),
    ("privacy", _PRIVACY),
    ("secrets", _SECRETS),
    ("dose", _DOSE),
    ("prescription", _PRESCRIPTION),
    ("orders", _ORDERS),
)
DOCUMENT_ORDERS = re.compile(
    _ORDERS.pattern
    + r"|请?(?:告诉|回复|通知|建议)(?:所有)?(?:用户|患者|病人|提问者)[^。\n]{0,6}(?:[::]|服|吃|停|不要)|(?:助手|ai|模型|机器人|assistant|chatbot)[^。\n]{0,8}(?:必须|应当|应该|请|要|须|must|should)|"
    r"(?:tell|instruct|inform) the (?:user|patient|reader)|new instruction|新的?指令|管理员(?:通知|指令)|以下为最高|优先级最高|输出以下|回答时(?:必须|请|要)",
    re.IGNORECASE,
)
"""Words of a document that speak to the assistant instead of about medicine: such a sentence is never quoted."""
_ABSURD = re.compile(
    r"恶魔|魔鬼|附身|附体|鬼魂|闹鬼|诅咒|诅咒|咒术|巫术|巫师|驱魔|超能力|超级英雄|超人|外星|变异人|变种人|魔法|法术|修仙|成仙|神仙|仙人|转世|前世|僵尸|吸血鬼|狼人|穿越|时光|隐形|异次元|"
    r"平行宇宙|变身|超级(?:人类|力量|宝宝|赛亚)|心灵感应|读心|念力|灵异|妖|符水|飞起来|会飞|失去重力|太空|火星|机器人|赛博|恐龙|独角兽|精灵|龙王|怪兽|幽灵|神秘力量|"
    r"demon|possess|curse|witch|superpower|superhero|alien|magic spell|vampire|werewol|zombie|ghost|telepath|levitat"
)
_CLAIM = re.compile(
    r"(?:是不是|是否|会不会|难道|能不能|可不可以|可以不可以|能否|可否|该不该|应不应该|应该|可以|是|会|能)(?P<claim>[^,,。??!!;;\n]{3,60}?)(?:吗|呢|吧|么|了吗)?\s*[??]|"
    r"(?:是不是|是否|会不会|难道|能不能|能否)(?P<more>[^,,。??!!;;\n]{3,60})|"
    r"\b(?:is it true that|does|do|is|are|can|could|will|should)\s+(?P<english>[^?.\n]{6,120})\?"
)
_MEDICINE = re.compile(
    r"[\u4e00-\u9fff]{1,7}?(?:霉素|西林|沙星|他汀|洛尔|地平|普利|沙坦|替尼|单抗|拉唑|替丁|昔布|双胍|列汀|列净|韦|胶囊|颗粒|注射液|口服液|片|丸|滴剂|散|灵|宁|素|肽)"
    r"|\b[a-z]{3,}(?:mab|nib|cillin|mycin|floxacin|statin|olol|pril|sartan|prazole|vir|gliptin|gliflozin|tidine|azole|oxin)\b"
)
_LEAD = re.compile(
    r"^.*?(?:请问|听说|服用|使用|注射|购买|网上|同时|新药|老药|神药|医生|推荐|吃了|吃过|可以|能否|是否|我想|给我|开点|一种|这个|那个|叫做|还是|以及|根治|治疗|关于|介绍|一下|药物|中药|西药|进口|国产|德国|美国|日本|"
    r"吃|用|喝|打|的|和|与|跟|把|叫|买|开|给|对|有|是|让|说|加|配|或|在|我|他|她|请|盒|瓶)"
)
_ORDINARY = (
    "维生素激素抗生素胰岛素毒素色素因素元素尿素要素组织素血素病毒素X光片胸片拍片照片图片名片刀片尿片鸦片一片两片几片吃片胶片药片切片安宁不灵失灵机灵心灵分散扩散阵散发散甲状腺素"
    "肾上腺素生长素雌激素孕激素褪黑素花青素叶黄素抗毒素干扰素白蛋白肽多肽卡片薯片芯片阿片麻药丸药丸胶囊颗粒口服液注射液片剂生物素毒素素安宁康宁南宁济宁辽宁"
)


@dataclass(frozen=True, slots=True)
class Screened:
    """What a question holds beside its medical content."""

    concerns: tuple[Concern, ...]
    absurd: str | None
    """A claim of the question that is outside of medicine."""
    claim: str | None
    """Any other claim that the question asks to be confirmed."""
    unknown_drugs: tuple[str, ...]

    @property
    def stops(self) -> bool:
        """Whether nothing more is answered."""
        return any(concern in STOPS for concern in self.concerns)


def screen(text: str, vocabulary: Vocabulary) -> Screened:
    """Return what has to be refused or warned of in a question."""
    normal = normalise(text)
    plain = re.sub(r"[\s*_\-·.]+", "", normal)  # 自 杀, 自.杀, 自*杀
    found: list[Concern] = []
    self_harm = _SELF_HARM.search(normal) or _SELF_HARM.search(plain)
    if self_harm and not (_NOT_SELF.search(normal) and not re.search(r"自杀|自残|想死|suicid|kill", normal)):
        found.append("self_harm")
    found += [name for name, rule in _RULES if rule.search(normal) or rule.search(plain)]
    absurd, claim = claims(normal)
    return Screened(tuple(found), absurd, claim, unknown_drugs(normal, vocabulary))


def claims(normal: str) -> tuple[str | None, str | None]:
    """Return (a claim outside of medicine, any other claim) of a normalised question."""
    said = [next(group for group in match.groups() if group) for match in _CLAIM.finditer(normal)]
    hit = _ABSURD.search(normal)
    if hit is not None:
        about = next((claim for claim in said if hit.group() in claim), None)
        return (about or _clause(normal, hit.start())).strip(), None
    return None, (said[-1].strip() if said else None)


def _clause(text: str, place: int) -> str:
    start = max(text.rfind(stop, 0, place) for stop in ",。?!;\n") + 1
    ends = [found for stop in ",。?!;\n" if (found := text.find(stop, place)) >= 0]
    return text[start : min(ends, default=len(text))][:60]


def unknown_drugs(normal: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Return words that look like the name of a medicine and that no list knows."""
    known = [(match.start, match.end) for match in vocabulary.drug_names.all_matches(normal)]
    known += [(match.start, match.end) for match in vocabulary.terms.all_matches(normal)]
    known += [(match.start, match.end) for match in vocabulary.analyte_names.all_matches(normal)]
    found: dict[str, None] = {}
    for match in _MEDICINE.finditer(normal):
        if any(start < match.end() and match.end() - 2 < end for start, end in known):
            continue
        name = match.group()
        while (lead := _LEAD.match(name)) is not None and len(name) - lead.end() >= 2:
            name = name[lead.end() :]
        if len(name) >= 3 and name not in _ORDINARY:
            found[name] = None
    return tuple(found)
