"""What is looked for: one name an entity, its words in a placeholder, and where the law asks for it.

Safe Harbor letters are those of 45 CFR 164.514(b)(2)(i); biometric identifiers (P) and full-face photographs (Q)
are no text and are not found here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entity:
    """One kind of identifier."""

    name: str
    zh: str
    en: str
    safe_harbor: str
    """Letter of the identifier in 45 CFR 164.514(b)(2)(i)."""
    rank: int
    """Which of two overlapping spans of equal score and length stays: the lower rank."""


ENTITIES = {
    entity.name: entity
    for entity in (
        Entity("ID_NUMBER", "证件号", "ID", "R", 1),
        Entity("SOCIAL_SECURITY", "社保号", "SSN", "G", 2),
        Entity("INSURANCE", "医保号", "PLAN", "I", 3),
        Entity("BANK_CARD", "银行卡", "ACCOUNT", "J", 4),
        Entity("EMAIL", "邮箱", "EMAIL", "F", 5),
        Entity("URL", "网址", "URL", "N", 6),
        Entity("IP_ADDRESS", "网络地址", "IP", "O", 7),
        Entity("SOCIAL_ACCOUNT", "社交账号", "HANDLE", "R", 8),
        Entity("PHONE", "电话", "PHONE", "D", 9),
        Entity("PLATE", "车牌", "PLATE", "L", 10),
        Entity("DEVICE", "设备号", "DEVICE", "M", 11),
        Entity("LICENSE", "执照号", "LICENSE", "K", 12),
        Entity("RECORD_NUMBER", "病历号", "RECORD", "H", 13),
        Entity("DATE", "日期", "DATE", "C", 14),
        Entity("AGE_OVER_89", "年龄", "AGE", "C", 15),
        Entity("INSTITUTION", "机构", "INSTITUTION", "B", 16),
        Entity("ADDRESS", "地址", "ADDRESS", "B", 17),
        Entity("PERSON", "姓名", "NAME", "A", 18),
    )
}
"""In order of rank; fax numbers (E) are phones."""
