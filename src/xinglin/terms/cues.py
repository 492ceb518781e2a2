"""The words that change what a mention means: negation, doubt, time, condition, and whose it is.

A table, not code: each kind lists its words, ``|`` between them, Chinese and then English. The longest
cue wins, so a longer harmless phrase shields the shorter cue inside it (不仅 shields 不, 无诱因 shields
无): that is NegEx's *pseudo-negation* (Chapman et al., J Biomed Inform 34:301, 2001); the families
experiencer, hypothetical and historical are ConText's (Harkema et al., J Biomed Inform 42:839, 2009).
"""

from __future__ import annotations

from enum import Enum, auto
from functools import cache

from xinglin.terms.matcher import Match, Matcher


class Cue(Enum):
    """What a cue does to mentions around it."""

    __hash__ = object.__hash__  # members are singletons; Enum's own hash is a slow Python call

    DENY = auto()
    """Forward negation of a list, over commas too while only bare mentions follow (否认, denies, no)."""
    NEGATE = auto()
    """Forward negation inside the clause; some words may stand between (无, 未见)."""
    NEGATE_NEAR = auto()
    """Forward negation of what stands near (没有, not)."""
    NEGATE_NEXT = auto()
    """Forward negation of what follows at once (不, 没)."""
    NEGATED = auto()
    """Backward negation (阴性, 不明显, was ruled out)."""
    RESOLVED = auto()
    """Backward: was there, is gone (已消失, has resolved)."""
    AFFIRMED = auto()
    """Backward affirmation (阳性, positive)."""
    DOUBT = auto()
    """Forward uncertainty (疑似, possible)."""
    DOUBTED = auto()
    """Backward uncertainty (待排, is possible)."""
    OPEN = auto()
    """Backward: under investigation; doubts a disease, not a symptom (发热待查)."""
    IF = auto()
    """Forward: hypothetical, advice, prevention."""
    PAST = auto()
    """Forward: earlier than this illness, until the present is named."""
    PAST_BRIEF = auto()
    """Forward: earlier, inside the clause (曾)."""
    HISTORY = auto()
    """Backward: X 史, history (of the patient)."""
    FAMILY = auto()
    """Forward: a blood relative."""
    FAMILY_HISTORY = auto()
    """Forward and backward: 家族史."""
    OTHER = auto()
    """Forward: someone else."""
    SELF = auto()
    """The patient again: ends the above."""
    NOW = auto()
    """The present illness again: ends the past."""
    STOP = auto()
    """Contrast or a new statement: ends negation and doubt (但, but)."""
    HAVE = auto()
    """States presence; ends negation unless it belongs to it (有, 出现, 伴, has)."""
    SHIELD = auto()
    """Looks like a cue and is none (不仅, 无诱因, no improvement)."""


_WORDS: dict[Cue, str] = {
    Cue.DENY: "否认|均否认|否认有|矢口否认|denies|denied|denying|deny|no|without|negative for|free of|"
    "absence of|"
    "no evidence of|no signs of|no sign of|no history of|denies any|no complaints of|never had|lacks|"
    "neither|nor",
    Cue.NEGATE: "无|无明显|无明确|无典型|无显著|并无|均无|亦无|也无|从无|尚无|未见|未见明显|未见明确|"
    "未出现|未发现|未诉|"
    "未触及|未闻及|未扪及|未及|未引出|未再出现|未伴|未伴有|未曾|从未|未发生|未再|不伴|不伴有|不伴随|"
    "不存在|并不|"
    "已排除|排除了|排除|除外|可排除|可除外|已除外|基本排除|排外|不考虑|不支持|没见|没出现|没发现|没再|"
    "没有出现|没有发现|没有任何|"
    "没有明显|没有再|没有见|也没有|都没有|并没有|从没有|没有过|没有什么|ruled out|rules out|no longer|"
    "no longer has|no longer have|never|"
    "exclude the|excluded|absent",
    Cue.NEGATE_NEAR: "没想过|没有想过|从没想过|从来没想过|未想过|没有|未有|未|"
    "并没|从没|从来没|并非|不是|不再|不觉|不感|not|cannot|isn't|wasn't|"
    "doesn't have|"
    "does not have|did not have|didn't have|don't have|do not have|hasn't had|has not had|not have|not had|"
    "doesn't|didn't|don't|hasn't|haven't|does not|did not|do not|has not|have not|is not|was not",
    Cue.NEGATE_NEXT: "没|不|非|non-|non|不怎么|不太|也不|也没|都没|都不|没啥|没怎么",
    Cue.NEGATED: "阴性|(-)|[-]|( - )|(阴性)|(阴)|不明显|不显著|未引出|未见|未及|未触及|未闻及|未扪及|"
    "未出现|不存在|没有|无|均无|均未见|"
    "均阴性|否认|已排除|已除外|可排除|正常|未见异常|无异常|was ruled out|were ruled out|ruled out|"
    "is absent|are absent|"
    "was absent|absent|negative|was negative|not present|not seen|not noted|not found|denied|is unlikely|"
    "unlikely|was excluded|excluded",
    Cue.RESOLVED: "已消失|消失|已退|退了|已退热|已缓解|已经缓解|现已缓解|已好|已经好了|好了|已愈|已痊愈|"
    "痊愈|已治愈|治愈|没有了|没了|"
    "不见了|已停|停止|停了|已止|止住了|已控制|已恢复|恢复正常|已恢复正常|完全缓解|已完全缓解|消退|已消退|"
    "消失了|"
    "resolved|has resolved|have resolved|had resolved|has gone|is gone|went away|has gone away|"
    "disappeared|has disappeared|subsided|"
    "has subsided|completely resolved",
    Cue.AFFIRMED: "阳性|(+)|(++)|(+++)|[+]|(阳性)|(阳)|均阳性|positive|is present|was present|are present|"
    "were present",
    Cue.DOUBT: "可能|可能是|可能有|可能为|可能存在|疑似|疑|疑为|疑有|怀疑|怀疑是|可疑|考虑|考虑为|考虑是|"
    "首先考虑|似乎|似有|"
    "似乎有|好像有|好像是|不排除|不能排除|不除外|不能除外|尚不能排除|不能完全排除|未排除|未除外|无法排除|"
    "难以排除|需排除|"
    "待排除|需除外|以排除|请排除|进一步排除|注意排除|以除外|为排除|应排除|要排除|需要排除|首先排除|"
    "必须排除|建议排除|尽快排除|待除外|是不是|是否|是否有|有无|有没有|会不会|会不会是|担心|担心是|害怕是|"
    "怕是|恐怕是|不确定|不确定有无|不知道有没有|不清楚|不详|possible|possibly|probable|probably|suspected|"
    "suspicious for|suspect|suspicion of|suspicion for|concern for|concerning for|concerned about|"
    "worried about|likely|"
    "may have|might have|may be|might be|could be|maybe|perhaps|questionable|query|r/o|rule out|rule-out|"
    "to rule out|cannot rule out|can't rule out|"
    "could not rule out|not ruled out|not rule out|to exclude|cannot exclude|can't exclude|whether|"
    "unclear if|unsure if|not sure if|"
    "differential includes|presumed",
    Cue.DOUBTED: "待排|待排除|待除外|可能|可能性大|可能性大些|可能性较大|可疑|不排除|不能排除|不除外|"
    "不能除外|?|??|(?)|吗|么|"
    "不详|不确定|不清|is possible|possible|suspected|cannot be excluded|cannot be ruled out|"
    "can't be ruled out|"
    "not ruled out|has not been ruled out|is suspected|is likely|likely|questionable",
    Cue.OPEN: "待查|查因|原因待查",
    Cue.IF: "如果|如有|如出现|如发生|如再|如伴|如再次出现|若|若有|若出现|若伴|一旦|一旦出现|万一|假如|"
    "假使|倘若|要是|"
    "警惕|以防|预防|避免|防止|谨防|注意观察|注意有无|观察有无|出现以下|if|return if|in case of|should you|"
    "should he|should she|"
    "watch for|watch out for|monitor for|monitoring for|return for|look out for|to prevent|prevention of|"
    "prophylaxis|"
    "prophylaxis for|risk of|at risk for|risk for|unless|screen for|screening for|vaccinated against|"
    "education on",
    Cue.PAST: "既往|既往史|既往有|既往曾|过去|过去史|以前|以往|从前|小时候|幼时|幼年|年轻时|早年|往年|"
    "history of|h/o|hx of|hx|"
    "past history of|past medical history|past medical history of|pmh|pmhx|pmh of|prior history of|"
    "medical history|remote history of|"
    "past surgical history|significant for|history significant for|medical history includes|"
    "medical history is significant for|as a child|in childhood|previous|previously|prior|status post|s/p",
    Cue.PAST_BRIEF: "曾|曾有|曾经|曾因|曾患|有过|患过|得过|once had|years ago|used to have",
    Cue.HISTORY: "史|病史|的病史|既往史|旧病史|疾病史|in the past|years ago|as a child|in childhood",
    Cue.FAMILY: "父亲|母亲|父母|父|母|爸爸|妈妈|爸|妈|爷爷|奶奶|外公|外婆|姥姥|姥爷|祖父|祖母|外祖父|"
    "外祖母|哥哥|弟弟|姐姐|妹妹|"
    "兄弟|姐妹|兄|弟|姐|妹|哥|儿子|女儿|叔叔|姑姑|舅舅|姨妈|姨|伯父|堂兄|表哥|亲属|直系亲属|一级亲属|亲戚|"
    "家人|家里人|家属|子女|"
    "孪生|双胞胎兄弟|father|mother|parents|dad|mom|mum|brother|brothers|sister|sisters|grandfather|"
    "grandmother|grandparents|uncle|aunt|cousin|son|daughter|sibling|siblings|relative|relatives|twin",
    Cue.FAMILY_HISTORY: "家族史|家族中|家族性遗传史|家族病史|家族遗传史|家族|family history of|"
    "family history|family hx|fh|fhx|family hx of",
    Cue.OTHER: "同事|室友|同学|邻居|朋友|男友|女友|男朋友|女朋友|丈夫|妻子|老公|老婆|爱人|配偶|家中有人|"
    "家里有人|身边有人|周围有人|"
    "有人|班里|班上|同桌|同屋|客户|幼儿园有|学校有|另一个病人|其他人|别人|他人|宠物|家里的狗|roommate|"
    "coworker|co-worker|colleague|colleagues|classmate|classmates|neighbor|neighbour|friend|friends|"
    "husband|wife|spouse|"
    "partner|boyfriend|girlfriend|contacts|household contacts|sick contact|people around|others",
    Cue.SELF: "患者|患儿|病人|本人|自己|我|俺|本身|自诉|自述|她本人|the patient|patient|pt|he|she|i|i've|"
    "i'm|my",
    Cue.NOW: "今|今天|今日|今晨|今早|今晚|昨天|昨日|昨晚|昨夜|前天|现|现在|目前|近日|近来|近期|近几天|"
    "近两天|最近|本次|此次|这次|这几天|"
    "入院|来诊|就诊|突发|突然|突起|now|currently|today|yesterday|this time|presents|presented|presenting|"
    "presents with|"
    "this morning|tonight|last night|comes in with|complains of|complaining of|c/o",
    Cue.STOP: "但|但是|但有|但仍|但出现|然而|不过|可是|却|而|而有|而是|仅|仅有|只有|只是|只|唯|仍|仍有|"
    "尚有|尚可|反而|转为|改为|"
    "后出现|之后|随后|继而|继之|遂|引起|引起的|导致|导致的|所致|造成|引发|caused by|causing|因此|所以|"
    "由于|but|however|although|though|except|except for|apart from|aside from|other than|yet|still|"
    "which|who|secondary to|due to|because of|then|instead|only|nevertheless|besides",
    Cue.HAVE: "有|伴|伴有|伴随|并有|出现|并出现|可见|见|发现|存在|表现为|发生|诉|主诉|has|have|had|having|"
    "reports|reported|"
    "complains|developed|develops|noticed|started|began|shows|showed|revealed|reveals|positive for|is|was|"
    "are|were|feels|felt|gets|got|with",
    Cue.SHIELD: "无诱因|无明显诱因|无明显诱因下|无明显原因|无原因|无意中|无意间|无意|无论|无法|无关|无效|"
    "无好转|无缓解|无改善|无减轻|无明显缓解|"
    "无明显好转|无明显改善|无明显减轻|无规律|无数|无处|毫无|无奈|无从|无缘无故|无故|"
    "没有缓解|没有好转|没有改善|没有减轻|没有明显好转|没有明显缓解|没有用|没有效果|没有规律|没有原因|"
    "没有诱因|没有及时|没有重视|没有在意|没有治疗|没有吃药|没有服药|没有去医院|没有就医|"
    "没缓解|没好转|没见好转|没见好|没好|没用|没效|没效果|没多久|没几天|没过|没想到|没注意|没在意|没管|"
    "没吃|没睡|没去|没看|没治|没办法|没法|没停|没断|没少|没有少|没有停|没有断|"
    "未缓解|未好转|未见好转|未见缓解|未见改善|未减轻|未改善|未治疗|未诊治|未服药|未用药|未处理|未予|"
    "未予重视|未重视|未在意|未就诊|未就医|未愈|未行|未做|未查|未检查|未控制|未规律|未明|未婚|未育|未孕|"
    "未成年|"
    "不是没有|不是没|并非没有|并不是没有|不无|不乏|不仅|不仅有|不仅仅|不但|不但有|不光|不光是|不只|不只是|"
    "不单|不能|不能平卧|不可|不敢|不想|不愿|不断|不停|不停地|不止|不已|不住|不住地|不禁|不由|不由自主|"
    "不时|不时地|"
    "不明|不明原因|不知|不知道|不知何故|不管|不论|不久|不同|不同程度|不规则|不规律|不典型|不完全|不全|"
    "不足|不适|不良|不清楚|不稳|不稳定|不得不|不缓解|不减轻|不见好转|不见好|不好转|不退|不愈|不消|不到|"
    "不一会|不太好|"
    "并不少见|非常|除非|非特异|非典型|非凡|而且|而后|从而|时而|因而|进而|有时|有时候|有余|有关|有所|所有|"
    "具有|含有|没有人|如下|如此|例如|"
    "比如|诸如|如厕|如常|如同|犹如|若干|我国|见好|意见|常见|现象|出现在|表现|发现在|今后|今年|体现|"
    "父母双方|有力|只要|只能|不只|史无|历史|"
    "主要是|重要是|只要是|需要是|无人|母乳|酵母|字母|小姐|徒弟|墨西哥|弟子|老师父|只眼|不是很好|不要紧|"
    "可能性|"
    "no improvement|no relief|no change|no better|not better|no increase|no decrease|without improvement|"
    "without relief|without any relief|without change|not only|"
    "not relieved|not improved|not improving|not responding|not necessarily|not certain|no change in|"
    "not drain|no further|no doubt|not to mention|not just|not sure why|"
    "if anything|as if|even if|no known cause|no apparent cause|for no reason|without cause|"
    "without warning|without apparent cause|without obvious cause|not without|no significant change",
}  # fmt: skip
"""A word may stand in several kinds: 未见 negates forward, and backward at the end of its clause."""


@cache
def cue_matcher() -> Matcher[frozenset[Cue]]:
    """The matcher over all cue words; built on first use."""
    kinds: dict[str, set[Cue]] = {}
    for kind, words in _WORDS.items():
        for word in words.split("|"):
            kinds.setdefault(word, set()).add(kind)
    return Matcher((word, frozenset(kind)) for word, kind in kinds.items())


def find_cues(text: str, mentions: list[tuple[int, int]]) -> list[Match[frozenset[Cue]]]:
    """Cues of normalised ``text`` in order, less those inside a mention.

    A cue that reaches into a mention which itself begins with a negation goes too: in 都没力气 the 没
    belongs to
    没力气, and 都没 is no cue.
    """
    covered = bytearray(len(text))
    for start, end in mentions:
        covered[start:end] = b"\1" * (end - start)
    own = {start for start, _ in mentions if text[start] in "没无不未非"}
    matches = [
        m
        for m in cue_matcher().all_matches(text)
        if 0 in covered[m.start : m.end] and not own.intersection(range(m.start + 1, m.end))
    ]
    return _longest_first(matches, len(text))


def _longest_first(matches: list[Match[frozenset[Cue]]], size: int) -> list[Match[frozenset[Cue]]]:
    taken = bytearray(size)
    kept = []
    for match in sorted(matches, key=lambda m: (m.start - m.end, m.start)):
        if 1 not in taken[match.start : match.end]:
            taken[match.start : match.end] = b"\1" * match.size
            kept.append(match)
    kept.sort(key=lambda m: m.start)
    return kept
