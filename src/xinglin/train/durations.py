"""Ages and durations in words, as patients and notes give them, in Chinese and English."""

from __future__ import annotations

import random

_DIGITS = "零一二三四五六七八九十"
_YEAR = 365.25


def numeral(number: int) -> str:
    """A small whole number in Chinese numerals (两 before a measure word)."""
    if number == 2:
        return "两"
    if number <= 10:
        return _DIGITS[number]
    if number < 20:
        return "十" + _DIGITS[number - 10]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _DIGITS[tens] + "十" + (_DIGITS[ones] if ones else "")
    return str(number)


def age_zh(age: float, dice: random.Random) -> str:
    """An age such as 58岁, 5个月, 3岁半, 生后6天."""
    if age < 0.08:
        days = max(1, round(age * _YEAR))
        return dice.choice((f"{days}天", f"出生{days}天", f"生后{days}天", f"{days}日龄"))
    if age < 2:
        months = max(1, round(age * 12))
        if months >= 12 and dice.random() < 0.5:
            return "1岁" if months == 12 else f"1岁{months - 12}个月"
        return dice.choice((f"{months}个月", f"{months}月", f"{numeral(months)}个月", f"{months}个多月"))
    years = int(age)
    if age < 7 and age - years > 0.4 and dice.random() < 0.4:
        return dice.choice((f"{years}岁半", f"{numeral(years)}岁半"))
    if dice.random() < 0.08:
        return ("二" if years == 2 else numeral(years)) + "岁"
    return f"{years}岁"


def age_en(age: float, dice: random.Random) -> str:
    """An age such as 58-year-old or 5 month old."""
    joint = dice.choice(("-", " "))
    if age < 0.08:
        number, unit = max(1, round(age * _YEAR)), "day"
    elif age < 2:
        number, unit = max(1, round(age * 12)), "month"
    else:
        number, unit = int(age), "year"
    return f"{number}{joint}{unit}{joint}old"


def _count(days: float) -> tuple[int, str]:
    if days < 1:
        hours = days * 24
        return (max(5, round(hours * 60 / 5) * 5), "minute") if hours < 1 else (round(hours), "hour")
    if days < 14 or (days < 30 and round(days) % 7):
        return round(days), "day"
    if days < 45:
        return round(days / 7), "week"
    if days < 700:
        return max(1, round(days / 30.4)), "month"
    return max(1, round(days / _YEAR)), "year"


_ZH = {
    "minute": ("分钟", "分钟", "min"),
    "hour": ("小时", "个小时", "h", "个钟头"),
    "day": ("天", "天", "天", "日", "d"),
    "week": ("周", "个星期", "个礼拜", "周"),
    "month": ("个月", "月", "个月"),
    "year": ("年", "年", "年"),
}


def lasting_zh(days: float, dice: random.Random, *, note: bool = False) -> str:
    """A duration such as 3天, 两三天, 半个多月, 10余年; a note writes it shorter."""
    number, unit = _count(days)
    if not note and unit == "day" and number == 15:
        return dice.choice(("半个月", "半个多月", "十五天", "15天"))
    if unit == "month" and number == 6 and dice.random() < 0.5:
        return dice.choice(("半年", "半年多", "6个月"))
    if unit == "hour" and number == 12 and dice.random() < 0.5:
        return "半天"
    if note:
        word = dice.choice(_ZH[unit])
        mark = dice.choice(("", "", "", "", "余", "+")) if number > 1 else ""
        if mark == "+":
            return f"{number}+{word}"
        return f"{number}{mark}{word}" if word not in ("h", "d", "min") else f"{number}{word}"
    word = dice.choice([item for item in _ZH[unit] if item not in ("h", "d", "min", "月", "日")])
    style = dice.random()
    if style < 0.1 and 1 < number < 9 and unit in ("day", "week", "month", "year"):
        return f"{numeral(number)}{'三' if number == 2 else _DIGITS[number + 1]}{word}"
    said = numeral(number) if style < 0.45 and number < 31 else str(number)
    more = dice.choice(("", "", "", "", "多")) if unit != "minute" and number > 0 else ""
    if more and word[0] == "个":
        return f"{said}个多{word[1:]}"
    return f"{said}{word}{more}"


def since_zh(days: float, dice: random.Random) -> str:
    """When it began, as a patient says it: 从昨天开始, 三天前, 上周起."""
    if days < 0.7:
        return dice.choice(("今天", "刚才", "今天早上起来", "刚刚", "今天上午开始", "今天突然", "半夜开始"))
    if days < 1.6:
        return dice.choice(("昨天", "从昨天开始", "昨晚", "昨天晚上开始", "昨天下午起"))
    if days < 2.6:
        return dice.choice(("前天", "前天开始", "这两天", "从前天起", "最近两天"))
    if 5 < days < 10 and dice.random() < 0.4:
        return dice.choice(("上周", "这一周", "上个礼拜开始", "最近一周", "近一周来"))
    if 20 < days < 45 and dice.random() < 0.4:
        return dice.choice(("上个月开始", "最近一个月", "这一个来月", "这个月"))
    if 200 < days < 500 and dice.random() < 0.4:
        return dice.choice(("去年开始", "这一年来", "从去年起", "这一年多"))
    span = lasting_zh(days, dice)
    frames = ("{}前", "这{}", "最近{}", "大概{}前开始", "有{}了", "近{}来", "{}前开始", "差不多{}了", "{}来")
    return dice.choice(frames).format(span)


def lasting_en(days: float, dice: random.Random) -> str:
    """A duration such as 3 days or two weeks."""
    number, unit = _count(days)
    words = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    said = words[number] if number <= 10 and dice.random() < 0.3 else str(number)
    short = {"day": "d", "hour": "h", "week": "wk", "month": "mo", "year": "y", "minute": "min"}
    if dice.random() < 0.07:
        return f"{number}{short[unit]}"
    return f"{said} {unit}{'' if number == 1 else 's'}"
