"""The Chinese registers: a patient's own words, a parent, a relative, notes, telegrams, an examination's stem.

Each takes a drawn case and dice, and gives one text. Punctuation is written full-width here and varied afterwards.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from xinglin.train import chinese as zh
from xinglin.train.durations import age_zh, lasting_zh, since_zh
from xinglin.train.patients import Case
from xinglin.train.wording import Wording, Wordings

_TWICE = re.compile("[，、,](?=[，。；、,.])|(?<=[。；：])[，。；]|(?<=^)[，。、]")
_AGAIN = re.compile("患者[，。]?(?:于|近)?患者")
_HALF = str.maketrans("，；：（）？！", ",;:()?!")
_SPACED = str.maketrans("，。；、", "    ")
_TAKES_TIME = re.compile("[0-9一二三四五六七八九十两几半]$")


class ChineseTold:
    """Renders cases in Chinese.

    Args:
        wording: gives measured values.
        exams: finding -> names of the examinations that show it.
    """

    def __init__(self, wording: Wording, exams: dict[str, tuple[str, ...]]) -> None:
        self._wording = wording
        self._exams = exams

    def patient(self, case: Case, dice: random.Random) -> str:
        """The patient's own words, or a question in a forum."""
        who = ""
        if dice.random() < 0.3:
            sex = dice.choice(zh.SEXES[case.sex][:3])
            who = dice.choice(
                ("{}，{}，", "我今年{1}，", "本人{}，{}，", "{1}{0}，", "我是{}的，{}。", "{}{}，")
            ).format(sex, age_zh(case.age, dice))
        return self._talk(case, dice, dice.choice(zh.HELLO) + who, "")

    def parent(self, case: Case, dice: random.Random) -> str:
        """A parent who speaks of a child."""
        who = dice.choice(zh.CHILDREN[case.sex])
        if dice.random() < 0.6:
            who += dice.choice(("{}，", "今年{}，", "{}了，", "现在{}，", "（{}）", "才{}，")).format(
                age_zh(case.age, dice)
            )
        return self._talk(case, dice, dice.choice(zh.HELLO), who)

    def relative(self, case: Case, dice: random.Random) -> str:
        """Someone who speaks of a member of the family."""
        who = dice.choice(zh.RELATIVES[case.sex])
        if dice.random() < 0.5:
            who += dice.choice(("{}，", "今年{}，", "{}了，", "（{}）")).format(age_zh(case.age, dice))
        return self._talk(case, dice, dice.choice(zh.HELLO), who)

    def short(self, case: Case, dice: random.Random) -> str:
        """A complaint of a few words: 胸痛3天."""
        words = self._words(case, dice, "either")
        span = lasting_zh(case.days, dice, note=dice.random() < 0.6)
        style = dice.random()
        joined = dice.choice(("，", "、", " ", "伴", "，", "和")).join(words)
        if style < 0.4:
            return f"{joined}{dice.choice(('', '', ' ', '，', '有'))}{span}"
        if style < 0.6:
            return joined
        if style < 0.8:
            return f"{since_zh(case.days, dice)}{joined}{dice.choice(zh.ASK) if dice.random() < 0.4 else ''}"
        return f"{joined}{dice.choice(('怎么回事', '是什么原因', '怎么办', '是什么病', '', '，求助'))}"

    def telegram(self, case: Case, dice: random.Random) -> str:
        """Telegraphic style: 患者男性,58岁,胸痛3天,心电图显示ST段压低."""
        words = self._words(case, dice, "note")
        words[0] = self._timed(words[0], case, dice)
        parts = [*self._who(case, dice), *words]
        parts += [self._result(test, case, dice, zh.TEST_NOTE) for test in case.tests]
        if dice.random() < 0.3:
            parts += self._denials(case, dice, zh.NOT_NOTE, 2)
        if case.background and dice.random() < 0.5:
            parts.append(self._history(case, dice))
        mark = dice.choice(("，", "，", "，", "；", "。", " ", ",", "、"))
        return mark.join(parts) + dice.choice(("", "", "。"))

    def stem(self, case: Case, dice: random.Random) -> str:
        """The stem of an examination question, or a summary of a case."""
        words = self._words(case, dice, "note")
        begin = (
            dice.choice(("，", "。", "，因“")).join(self._who(case, dice)) if dice.random() < 0.9 else "患者"
        )
        quoted = "“" in begin
        words[0] = self._timed(words[0], case, dice)
        head = "，".join(words[: max(1, len(words) // 2)])
        text = f"{begin if quoted else begin + dice.choice(('，', '。', '，因', '，主诉'))}{head}"
        text += "”就诊。" if quoted else dice.choice(("。", "来诊。", "就诊。", "，急诊入院。", "入院。"))
        text += "，".join([*words[max(1, len(words) // 2) :], *self._denials(case, dice, zh.NOT_NOTE, 2)])
        if case.background:
            text += f"。{self._history(case, dice)}"
        if dice.random() < 0.6:
            text += f"。查体：{'，'.join([*self._vitals(case, dice), *self._plain(case, dice)])}"
        if case.tests:
            text += f"。{'，'.join(self._result(test, case, dice, zh.TEST_NOTE) for test in case.tests)}"
        return text + "。" + dice.choice(("", "", "", "最可能的诊断是", "应首先考虑", "该患者可能的诊断是"))

    def note(self, case: Case, dice: random.Random) -> str:
        """An outpatient note with its lines."""
        words = self._words(case, dice, "note")
        chief = self._timed(dice.choice(("，", "、", "伴")).join(words[:2]), case, dice)
        onset = dice.choice(zh.ONSET).format(lasting_zh(case.days, dice, note=True))
        story = f"{onset}{'，'.join(words)}"
        denials = self._denials(case, dice, zh.NOT_NOTE, 4)
        if denials:
            story += "，" + dice.choice(("，", "、", "，")).join(denials)
        story += "。" + dice.choice(zh.COURSE)
        lines = [("主诉", chief), ("现病史", story)]
        if dice.random() < 0.75:
            past = [self._history(case, dice)] if case.background else []
            if dice.random() < 0.7:
                past.append(dice.choice(zh.PAST).rstrip("。"))
            lines.append(("既往史", "，".join(past or [dice.choice(zh.PAST).rstrip("。")])))
        if dice.random() < 0.7:
            lines.append(("查体", "，".join([*self._vitals(case, dice), *self._plain(case, dice)])))
        if case.tests or dice.random() < 0.2:
            results = [self._result(test, case, dice, zh.TEST_NOTE) for test in case.tests]
            if dice.random() < 0.3 or not results:
                results.append(dice.choice(zh.PLAIN_RESULTS))
            lines.append(("辅助检查", dice.choice(("；", "，", "。")).join(results)))
        titles = {
            "查体": ("查体", "体格检查", "体检", "PE"),
            "辅助检查": ("辅助检查", "辅检", "检查结果", "检验"),
        }
        left, right = dice.choice((("", "："), ("【", "】"), ("", ":"), ("", "："), ("", " ")))
        written = [f"{left}{dice.choice(titles.get(t, (t,)))}{right}{body}" for t, body in lines if body]
        if dice.random() < 0.45:
            sex, age = dice.choice(zh.SEXES[case.sex][:2]), age_zh(case.age, dice)
            written.insert(
                0,
                dice.choice(
                    ("性别：{} 年龄：{}", "{}，{}", "{} {}", "患者，{}，{}", "姓名：*** {} {}")
                ).format(sex, age),
            )
        return dice.choice(("\n", "\n", "。", "  ", "。")).join(written)

    def admission(self, case: Case, dice: random.Random) -> str:
        """An admission note: one flowing paragraph."""
        words = self._words(case, dice, "note")
        onset = dice.choice(zh.ONSET).format(lasting_zh(case.days, dice, note=True))
        text = "，".join(self._who(case, dice)) if dice.random() < 0.7 else "患者"
        if dice.random() < 0.5:
            admitted = dice.choice(("入院", "收住入院", "收入我科", "由急诊收入院"))
            text += f"，因“{self._timed(words[0], case, dice)}”{admitted}"
        text += f"。{onset}{'，'.join(words)}"
        denials = self._denials(case, dice, zh.NOT_NOTE, 5)
        if denials:
            text += "，" + dice.choice(("，", "、")).join(denials)
        text += f"。{dice.choice(zh.COURSE)}{dice.choice(zh.GENERAL)}"
        if case.background:
            text += self._history(case, dice) + "。"
        if dice.random() < 0.5:
            text += dice.choice(zh.PAST)
        if dice.random() < 0.7:
            begin = dice.choice(("入院查体：", "查体：", "体格检查："))
            text += begin + "，".join([*self._vitals(case, dice), *self._plain(case, dice)]) + "。"
        if case.tests:
            begin = dice.choice(("辅助检查：", "", "入院后完善检查，", "检查结果回报："))
            text += (
                begin + "；".join(self._result(test, case, dice, zh.TEST_NOTE) for test in case.tests) + "。"
            )
        return text

    # parts

    def _talk(self, case: Case, dice: random.Random, hello: str, who: str) -> str:
        words = self._words(case, dice, "lay")
        text = hello + who
        if dice.random() < 0.8:
            text += since_zh(case.days, dice)
        text += words[0]
        for word in words[1:]:
            text += dice.choice(zh.LINKS) + word
        if case.worse is not None and dice.random() < 0.6:
            text += f"，{since_zh(case.worse, dice)}{dice.choice(('加重了', '更厉害了', '又犯了', '明显加重', '越来越重'))}"
        text += dice.choice(("。", "，", "。", " "))
        if dice.random() < 0.5:
            text += "，".join(self._denials(case, dice, zh.NOT_LAY, 2)) + "。"
        extra = [
            self._result(test, case, dice, zh.TEST_LAY) + dice.choice(("。", "，")) for test in case.tests
        ]
        if case.background and dice.random() < 0.55:
            extra.append(
                f"{dice.choice(('以前', '之前', '', '有', '本来就'))}{self._lay(case.background[0], dice)}。"
            )
        for pool, chance in ((zh.TRIED, 0.3), (zh.WORRY, 0.25), (zh.IDLE, 0.12)):
            if dice.random() < chance:
                extra.append(dice.choice(pool))
        dice.shuffle(extra)
        return text + "".join(extra) + dice.choice(zh.ASK)

    def _words(self, case: Case, dice: random.Random, style: str) -> list[str]:
        words: list[str] = []
        for said in case.findings:
            value = None
            if style != "lay" and said.group != "symptom" and dice.random() < 0.4:
                value = self._wording.value(said.term.name, case.age, case.sex, dice, "zh")
            words.append(value or self._word(said, dice, style))
        return words or [
            self._result(test, case, dice, zh.TEST_LAY if style == "lay" else zh.TEST_NOTE)
            for test in case.tests[:1]
        ]

    @staticmethod
    def _word(said: Wordings, dice: random.Random, style: str) -> str:
        pick = dice.random()
        if style == "lay":
            return dice.choice(said.lay) if pick < 0.75 else dice.choice(said.clinical)
        if style == "either":
            return dice.choice(said.lay) if pick < 0.45 else dice.choice(said.clinical)
        return said.clinical[0] if pick < 0.55 else dice.choice(said.clinical)

    def _lay(self, said: Wordings, dice: random.Random) -> str:
        return self._word(said, dice, "lay")

    def _timed(self, word: str, case: Case, dice: random.Random) -> str:
        """胸痛 -> 胸痛3天, 反复胸痛2年，加重1天."""
        span = lasting_zh(case.days, dice, note=True)
        gap = " " if _TAKES_TIME.search(word) else ""
        if case.worse is not None:
            worse = lasting_zh(case.worse, dice, note=True)
            again = dice.choice(("加重", "再发", "加重", "复发"))
            return f"{dice.choice(('反复', '间断', '', '反复', '间歇性'))}{word}{gap}{span}，{again}{worse}"
        return f"{word}{gap}{span}" if dice.random() < 0.85 else f"{dice.choice(('突发', '出现', ''))}{word}"

    @staticmethod
    def _who(case: Case, dice: random.Random) -> list[str]:
        sex, age = dice.choice(zh.SEXES[case.sex]), age_zh(case.age, dice)
        infant = ("患儿", "患儿") if case.child else ("患者", "")
        return dice.choice(
            (
                [f"{infant[0]}{sex[:1]}{dice.choice(('', '性'))}", age],
                [f"{infant[0]}，{sex[:2]}", age],
                [sex, age],
                [age + dice.choice(("", "的")) + sex[:2].replace("患", "")],
                [f"{sex[:1]} {age}"],
                [f"{infant[0]}{age}"],
                [infant[0]],
                [f"{sex}，{age}"],
            )
        )

    def _denials(self, case: Case, dice: random.Random, frames: Sequence[str], most: int) -> list[str]:
        denied = list(case.denied[: dice.randint(0, most)])
        if not denied:
            return []
        words = [dice.choice(said.clinical[:3]) for said in denied]
        if len(words) > 1 and dice.random() < 0.5:
            return [dice.choice(frames).format("、".join(words))]
        return [dice.choice(frames).format(word) for word in words]

    def _result(self, said: Wordings, case: Case, dice: random.Random, frames: Sequence[str]) -> str:
        exam = dice.choice(self._exams.get(said.term.name, ("检查",)))
        if said.term.kind == "lab" and dice.random() < 0.45:
            value = self._wording.value(said.term.name, case.age, case.sex, dice, "zh")
            if value:
                return value if dice.random() < 0.7 else f"{exam}{dice.choice(('：', '示', '', ':'))}{value}"
        word = said.clinical[0] if dice.random() < 0.5 else dice.choice(said.clinical)
        return dice.choice(frames).format(word, exam=exam)

    def _history(self, case: Case, dice: random.Random) -> str:
        words = [dice.choice(said.clinical) for said in case.background]
        frames = ("既往{}", "有{}", "{}", "既往有{}", "平素{}", "病史：{}")
        return dice.choice(frames).format("、".join(words[: dice.randint(1, 3)]))

    def _vitals(self, case: Case, dice: random.Random) -> list[str]:
        """Normal vital signs where no finding of the case speaks of them; never a made-up abnormality."""
        have = "".join(said.term.name for said in case.findings)
        parts = []
        if case.age < 12 or dice.random() < 0.45:
            return []
        if not re.search("热|温", have):
            parts.append(f"T{dice.choice(('', ' ', ':'))}{dice.uniform(36.1, 37.0):.1f}℃")
        if not re.search("心|脉|律", have):
            parts.append(f"P {dice.randint(62, 94)}次/分")
        if not re.search("呼吸|喘|气", have):
            parts.append(f"R {dice.randint(14, 20)}次/分")
        if not re.search("血压|休克", have):
            parts.append(f"BP {dice.randint(102, 136)}/{dice.randint(62, 86)}mmHg")
        return parts

    @staticmethod
    def _plain(case: Case, dice: random.Random) -> list[str]:
        have = "".join(said.term.name for said in case.findings)
        parts = [dice.choice(zh.EXAM_PLAIN)] if not re.search("意识|昏|嗜睡|休克|精神", have) else []
        normal = dice.sample(list(zh.EXAM_NORMAL), 2)
        return parts + [text for text in normal if not re.search(zh.EXAM_NORMAL[text], have)]


def punctuated(text: str, dice: random.Random) -> str:
    """The text with doubled marks dropped, and full-width, half-width or hardly any punctuation."""
    text = _AGAIN.sub("患者", _TWICE.sub("", _TWICE.sub("", text)))
    style = dice.random()
    if style < 0.6:
        return text.strip()
    if style < 0.85:
        return text.translate(_HALF).strip()
    if style < 0.93:
        return text.translate(_HALF).replace("。", ".").strip()
    return re.sub(" +", " ", text.translate(_SPACED)).strip()
