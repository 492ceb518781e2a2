"""Chinese names without a language model: labels, cues, surnames, titles, and what may follow a name.

A label with a colon (姓名:) makes a name of what follows, whatever it looks like. Elsewhere a surname must lead and the
text behind it must be able to follow a name. A name once established is found again everywhere in the text
(``again``). Names of a minority with a middle dot are known by the dot. Folded text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache

from xinglin.records.deidentify.lexicon import characters, words
from xinglin.records.deidentify.spans import Span

HAN = "\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0002fa1f"

SURNAMES = characters("surnames")
FUNCTION_SURNAMES = characters("function_surnames")
"""Surnames that more often are a word of grammar or an adjective: without a colon they need more behind the name."""
NEVER_BARE = characters("never_bare_surnames")
NOT_BEFORE_TITLE = characters("not_before_title")
"""Surnames that are also function words: alone before a title (和医生) they are read as the word."""
COMPOUND_SURNAMES, TITLES = words("compound_surnames"), words("titles")
NAME_LABELS = words("name_labels")
"""Before a colon: what follows is a name whatever it looks like."""
NAME_CUES = words("name_cues")
"""Before a name without a colon: a surname and what follows the name must agree as well."""
WEAK_CUES = frozenset(words("weak_cues"))
"""Cues that also stand before ordinary words: the name needs a title, an act or the like behind it."""
COMMON = frozenset(words("common"))
"""Frequent words of two characters: a name more likely ends before one than within it."""
AFTER_NAME = words("after_name")
"""What may follow a name directly."""
ORDINARY = words("ordinary")
"""Ordinary words that begin with a surname: where one starts, no bare name does."""
TRANSLITERATED = characters("transliterated")
"""Characters that write minority and foreign names by sound."""
CANNOT_BE_NAME = frozenset(words("cannot_be_name"))


def _any(words: Iterable[str]) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))


def _spaced(labels: Iterable[str]) -> str:
    """The labels, those of two characters also set apart: 姓 名."""
    either = (f"{word[0]}[ ]{{0,4}}{word[1]}" if len(word) == 2 else word for word in labels)
    return "|".join(sorted(either, key=len, reverse=True))


_SURNAME = f"(?:{_any(COMPOUND_SURNAMES)}|[{''.join(sorted(SURNAMES))}])"
_BOUNDARY = re.compile(rf"$|[^{HAN}\xb7]")
_FOLLOWS = re.compile(f"(?:{_any([*AFTER_NAME, *TITLES])})")
_TITLE = re.compile(f"[ ]?(?:{_any(TITLES)})")
_LABEL = re.compile(
    rf"(?:{_spaced(NAME_LABELS)})[ ]*\*?[ ]*(?:\([^()\n]{{0,10}}\))?[ ]*[:|][ \n|]*"
    rf"(?P<v>[{HAN}](?:[ ]{{0,3}}[{HAN}\xb7])*)"
)
_ANY_LABEL = re.compile(
    rf"[{HAN}]{{1,6}}(?:人|者|员|师|医生|护士|长|亲|属|方)[ ]*(?:\([^()\n]{{0,10}}\))?[ ]*[:|"
    rf"][ ]*(?P<v>{_SURNAME}[ ]{{0,2}}[{HAN}]{{1,2}})(?![{HAN}])"
)
"""Whatever a form calls a person (打印人, 采血员): the value is a name if it begins with a surname and stands alone."""
_MORE = re.compile(
    rf"[ ]*(?:[、/,;&+|]|和|及|与)[ ]*(?P<v>{_SURNAME}[{HAN}]{{1,2}}?)"
    rf"(?=[ ]*(?:[、/,;。.)&+|\n]|和|及|与|$|{_any(TITLES)})|[ ]+)"
)
_CUE = re.compile(
    rf"(?P<c>{_any([*NAME_CUES, *NAME_LABELS])})(?P<g>[ ]?(?:[:()\"|]|为|是|系|叫)?[ ]?)(?P<v>{_SURNAME})"
)
_TITLED = re.compile(rf"(?P<v>{_SURNAME}[{HAN}]{{0,2}}?){_TITLE.pattern}(?![病区组])")
_SEX = re.compile(
    rf"(?:^|(?<=[\n。;;:,,、 \t|()/\]]))(?P<v>{_SURNAME}[{HAN}]{{1,2}})(?=[ ]*[,、|"
    rf"/()\t ][ ]*(?:性别[::]?)?[ ]*(?:[男女](?![{HAN}])|[男女]性|[男女][,、 ]|[0-9]{{1,3}}[ ]?(?:岁|"
    rf"月龄|个月|天)))"
)
_PAIR = re.compile(
    rf"(?:^|(?<=[\n。;:]))[ ]*(?P<v>{_SURNAME}[{HAN}]{{1,2}})[ ]?/[ ]?(?P<w>{_SURNAME}[{HAN}]{{1,2}})"
    rf"(?=[ ]*(?:$|[\n/。]))"
)
_LEADING = re.compile(
    rf"(?:^|(?<=[\n。!?;:]))[ ]*(?:(?:{_any(words('leading_words'))})[,]?)?(?P<v>{_SURNAME})"
)
_ROLE = re.compile(rf"(?<=[,、;。\n])[ ]*(?P<v>{_SURNAME})")
_ROLES = re.compile(
    "副主任|一助|二助|三助|助手|主刀|术者|麻醉|主持|记录|查房|会诊|指示|代诉|代签|签字|签名|陪同|护送|"
    "补充病史|代为|医师|医生|大夫|护士|主任|护师|主治|教授|报告|审核|器械|巡回"
)
_SURELY = re.compile(
    "[一二三四五六七八九十两半数几][天日周月年个次小]|诉(?!讼)|于[ ]?[0-9一二]|[男女](?:[,、 。性]|"
    '$)|[,、][男女]|(?:自述|主诉|诉|因)[0-9"]'
)
_SPOKEN = re.compile(rf"[与同和向给跟](?P<v>{_SURNAME})")
_SPEAKING = re.compile(
    "(?:再次|反复|充分|电话|当面|及其|本人)?(?:沟通|谈话|联系|交代|通话|商议|协商|见面|解释|说明|"
    "告知|确认|核实|讨论|道歉|致歉)"
)
_GRAMMAR = frozenset("的及与等因于被诉称述已曾仍系均也将未并且或但即则遂故予让使嘱")
_THANKS = frozenset(("谢谢", "感谢", "致谢", "多谢", "答谢"))
_SENTENCE = re.compile("[我你他她您的是吗了呢吧请这那什么怎]")
_GAP = re.compile(r"[ ]{0,2}\n?")
_DOTTED = re.compile(rf"[{HAN}]{{1,12}}(?:\xb7[{HAN}]{{1,12}})+")
_BEFORE_DOTTED = re.compile(rf"^.*(?:{_any([*NAME_CUES, *NAME_LABELS, *words('dotted_cues')])})")
_ACTS = re.compile(
    r"(?:[,、(]?(?:电话|手机|联系电话|联系方式)|(?:的?家属|家长|女士|先生)|值班|当班|的(?:女儿|儿子|妻子|丈夫|父亲|母亲|家属|爱人|姐姐|"
    r"妹妹|哥哥|弟弟|老伴|家人)|于|因|诉|自诉|主诉|述|自述|来院|来我院|入院|出院|转入|转院|今日|今晨|"
    r"昨日|昨晚|昨夜|本人|"
    r"到院|就诊|复诊|称|家住|现住|代诉|拒绝|要求|"
    r"同意|签字|电话|突发|突然|再次|既往|术后|术前|病情|神志|系(?![统列])|男|女|[,,、 ]{0,2}[男女][,,、。 ]|"
    r"[,,、 ]{0,2}[0-9]{1,3}岁|[(][男女])"
)
_AMBIGUOUS = frozenset(words("ambiguous"))
"""Names that are words as well: found by label, cue or sex, and again only where a cue stands before."""


def find_names(text: str) -> Iterator[Span]:
    """Yield names of persons written in Chinese characters."""
    for match in _LABEL.finditer(text):
        yield from _labelled(text, match)
    for match in _ANY_LABEL.finditer(text):
        if match["v"] not in CANNOT_BE_NAME and not _ordinary(text, match.start("v"), surely=True):
            yield Span(*match.span("v"), "PERSON", 0.85)
    for match in _CUE.finditer(text):
        name = _after_cue(text, match)
        if name is not None:
            yield name
            yield from _rest_of_list(text, name.end)
    for match in _TITLED.finditer(text):
        yield from _titled(text, match)
    for match in _SEX.finditer(text):
        if match["v"] not in CANNOT_BE_NAME and not _ordinary(text, match.start("v"), surely=True):
            yield Span(*match.span("v"), "PERSON", 0.85)
    for match in _LEADING.finditer(text):
        end = _end_of_name(text, match.start("v"), match.end("v"), _ACTS)
        if end is not None and match["v"] not in FUNCTION_SURNAMES and not _ordinary(text, match.start("v")):
            yield Span(match.start("v"), end, "PERSON", 0.7)
    for match in _ROLE.finditer(text):
        end = _end_of_name(text, match.start("v"), match.end("v"), _ROLES)
        if end is not None and match["v"] not in FUNCTION_SURNAMES and not _ordinary(text, match.start("v")):
            yield Span(match.start("v"), end, "PERSON", 0.7)
    for match in _SPOKEN.finditer(text):
        end = _end_of_name(text, match.start("v"), match.end("v"), _SPEAKING)
        if end is not None and not _ordinary(text, match.start("v")):
            yield Span(match.start("v"), end, "PERSON", 0.7)
    for match in _PAIR.finditer(text):
        yield Span(*match.span("v"), "PERSON", 0.8)
        yield Span(*match.span("w"), "PERSON", 0.8)
    for match in _DOTTED.finditer(text):
        yield from _dotted(text, match)


def again(text: str, names: Iterable[Span]) -> Iterator[Span]:
    """Yield the places where an established name of two or more characters stands once more."""
    known = {text[span.start : span.end] for span in names}
    for name in sorted(known, key=len, reverse=True):
        bare = re.sub(r"\s", "", name)
        if len(bare) < 2 or not re.fullmatch(rf"[{HAN}\xb7]+", bare):
            continue
        for match in re.finditer(r"[ \n]{0,2}".join(map(re.escape, bare)), text):
            if bare not in _AMBIGUOUS or _stands_alone(text, match.start(), match.end()):
                yield Span(*match.span(), "PERSON", 0.75)


def _stands_alone(text: str, start: int, end: int) -> bool:
    left = start == 0 or not re.match(f"[{HAN}]", text[start - 1])
    return left and (_BOUNDARY.match(text, end) is not None or _ACTS.match(text, end) is not None)


def _labelled(text: str, match: re.Match[str]) -> Iterator[Span]:
    start, value = match.start("v"), match["v"]
    # A blank ends the value, but for a name set apart (张 三, 欧阳 娜娜).
    words = value.split()
    if len(words) > 1:
        apart = len(words[0]) == 1 or words[0] in COMPOUND_SURNAMES
        value = (
            value[: value.index(words[1], len(words[0])) + len(words[1])]
            if apart and len(words[1]) <= 2
            else words[0]
        )
    bare = re.sub(r"\s", "", value)
    if bare in CANNOT_BE_NAME or any(bare.startswith(word) for word in CANNOT_BE_NAME if len(word) > 1):
        return
    if "\xb7" in bare:
        yield Span(start, start + len(value), "PERSON", 1.0)
        return
    if len(bare) == len(value) and len(bare) > 2:
        end = _end_of_name(text, start, _surname_end(text, start), None)
        length = len(value) if end is None else end - start
        by_sound = _by_sound(value)
        if by_sound > 3:
            length = by_sound  # a minority name without a dot
        elif (
            length < len(value)
            and not _FOLLOWS.match(text, start + length)
            and not _next_label(text, start + length)
        ):
            if len(value) > 4:
                return  # a sentence follows the label, as in a dialogue
            length = len(value)
        value = value[:length]
    if _SENTENCE.search(value):
        return
    if 1 < len(re.sub(r"\s", "", value)) <= 20:
        span = Span(start, start + len(value), "PERSON", 1.0)
        yield span
        yield from _rest_of_list(text, span.end)


@cache
def _label_start() -> re.Pattern[str]:
    return re.compile(
        _any(
            [
                *NAME_LABELS,
                "性别",
                "年龄",
                "民族",
                "职业",
                "婚姻",
                "电话",
                "住址",
                "籍贯",
                "出生",
                "科室",
                "床号",
                "住院号",
                "日期",
                "时间",
                "身份证",
                "关系",
                "与患者",
            ]
        )
    )


def _next_label(text: str, at: int) -> bool:
    return _label_start().match(text, at) is not None


def _rest_of_list(text: str, at: int) -> Iterator[Span]:
    """The further names of a list: 张三、李四、王五."""
    while True:
        title = _TITLE.match(text, at)
        match = _MORE.match(text, title.end() if title else at)
        if match is None or match["v"] in CANNOT_BE_NAME or _ordinary(text, match.start("v")):
            return
        yield Span(*match.span("v"), "PERSON", 0.85)
        at = match.end("v")


def _after_cue(text: str, match: re.Match[str]) -> Span | None:
    start = match.start("v")
    weak = match["c"] in WEAK_CUES and not match["g"].strip()
    end = _end_of_name(text, start, match.end("v"), None)
    if end is None:
        return None
    if text[start] in NEVER_BARE and ":" not in match["g"]:
        return None
    name = re.sub(r"\s", "", text[start:end])
    if name in CANNOT_BE_NAME or _ordinary(text, start, surely=not weak and name in _AMBIGUOUS):
        return None
    surely = _TITLE.match(text, end) or _ACTS.match(text, end) or _ROLES.match(text, end)
    if weak and not surely and text[start] in FUNCTION_SURNAMES:
        return None
    if weak and not surely and match["g"] == " " and _follows(text, end) == 3 and match["c"] in TITLES:
        surely = _BOUNDARY.match(text, end)  # 医师 张三, alone at the end of a line
    if (
        weak
        and not surely
        and match["c"] in TITLES
        and text[start : start + 2] not in COMMON
        and _follows(text, end) == 3
    ):
        surely = _BOUNDARY.match(text, end)
    if weak and not surely and not (_FOLLOWS.match(text, end) and _follows(text, end) >= 2):
        return None
    if (
        text[start] in FUNCTION_SURNAMES
        and not match["g"].strip()
        and _follows(text, end) < (1 if end - start > 2 and text[start] in "曾向于" else 2)
        and not _TITLE.match(text, end)
    ):
        return None
    return Span(start, end, "PERSON", 0.9 if not weak else 0.75)


def _titled(text: str, match: re.Match[str]) -> Iterator[Span]:
    """王主任, 李建国医师: the surname alone, or with the given name, before a title."""
    start, end = match.span("v")
    value = match["v"]
    for skip in range(len(value)):
        rest, at = value[skip:], start + skip
        surname = re.match(_SURNAME, rest)
        if surname is None or rest in CANNOT_BE_NAME or rest[0] in NEVER_BARE or _ordinary(text, at):
            continue
        given = len(rest) - surname.end()
        free = at == 0 or not _is_han(text, at - 1)
        if given > 2 or (given == 0 and rest in NOT_BEFORE_TITLE) or text[max(0, at - 1) : at + 1] in _THANKS:
            continue
        # A word that goes on to the left, or a surname that is more often another word, needs a cue before it.
        if (
            free and (rest[0] not in FUNCTION_SURNAMES or (given == 2 and rest[0] not in NEVER_BARE))
        ) or _cue_before(text, at):
            yield Span(at, end, "PERSON", 0.85)
            yield from _rest_of_list(text, end)
            return


@cache
def _cues() -> re.Pattern[str]:
    return re.compile(rf"(?:{_any([*NAME_CUES, *NAME_LABELS, *words('title_cues')])})[ ]?$")


def _cue_before(text: str, at: int) -> bool:
    return _cues().search(text[max(0, at - 8) : at]) is not None


def _dotted(text: str, match: re.Match[str]) -> Iterator[Span]:
    if text[match.start() - 1 : match.start()] in ("《", "<") or text[match.end() : match.end() + 1] in (
        "》",
        ">",
    ):
        return
    first, *_, last = match.group().split("\xb7")
    cut = _BEFORE_DOTTED.match(first)
    rest = first[cut.end() :] if cut and cut.end() < len(first) else first
    lead = len(rest) - _by_sound(rest[::-1]) if _by_sound(rest[::-1]) >= 2 else 0
    start = match.start() + len(first) - len(rest) + lead
    sound = _by_sound(last)
    tail = match.end() - len(last)
    end = tail + (
        sound
        if sound >= 2
        else next((at for at in range(2, len(last)) if _FOLLOWS.match(last, at)), len(last))
    )
    if tail - 1 - start >= 2 and 2 <= end - tail <= 8:
        yield Span(start, end, "PERSON", 0.9)


def _by_sound(word: str) -> int:
    """How many characters at the start of a word are ones that write names by sound."""
    return next((at for at, char in enumerate(word) if char not in TRANSLITERATED), len(word))


def _surname_end(text: str, start: int) -> int:
    match = re.compile(_SURNAME).match(text, start)
    return match.end() if match else start + 1


def _end_of_name(text: str, start: int, given: int, needed: re.Pattern[str] | None) -> int | None:
    """Return where a name ends: after one or two characters, whichever is followed the better.

    Args:
        text: folded text.
        start: where the surname starts.
        given: where the given name starts.
        needed: what must follow; ``None``: a boundary or any word that may follow a name, or else two characters.
    """
    if _TITLE.match(text, given) or (
        text[given : given + 1] == " " and _label_start().search(text, given, given + 6)
    ):
        return None  # 李主任: the surname alone, which stands before a title
    gap = _GAP.match(text, given)
    first = gap.end() if gap else given
    if not _is_han(text, first):
        return None
    ends = [first + 1]
    if _is_han(text, first + 1):
        ends.append(first + 2)
    if needed is not None:
        ends = [end for end in ends if needed.match(text, end)]
    if not ends:
        return None
    # Of two that nothing tells apart, the longer: three characters are the commoner.
    # Two words that may follow tell for the shorter name; where nothing tells, three characters are the commoner.
    return max(
        ends, key=lambda end: (min(_follows(text, end), 4.0), -end if _follows(text, end) >= 1.5 else end)
    )


def _is_han(text: str, at: int) -> bool:
    return re.match(f"[{HAN}]", text[at : at + 1]) is not None


def _follows(text: str, end: int) -> float:
    """How well a name may end here: by what follows, less if the name would end in a word of grammar."""
    if _SURELY.match(text, end):
        score = 4.0
    elif _BOUNDARY.match(text, end):
        score = 1.5 if text[end : end + 1].isalnum() else 3.0
    else:
        match = _FOLLOWS.match(text, end)
        score = float(len(match.group())) if match else 0.0
        if score < 2 and text[end : end + 2] in COMMON:
            score = 1.8
    return score - 1.5 if text[end - 1] in _GRAMMAR else score


@cache
def _ordinary_words() -> re.Pattern[str]:
    return re.compile(_any(ORDINARY))


def _ordinary(text: str, start: int, *, surely: bool = False) -> bool:
    """Whether an ordinary word starts here; ``surely`` lets a name that is also a word pass."""
    match = _ordinary_words().match(text, start)
    return match is not None and not (surely and match.group() in _AMBIGUOUS)
