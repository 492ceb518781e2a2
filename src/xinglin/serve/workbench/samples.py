"""Six invented patients to try the page with; none is a real person."""

from __future__ import annotations

from dataclasses import dataclass

from xinglin.measure.typography import full_width


@dataclass(frozen=True, slots=True)
class Sample:
    """One example for the menu."""

    zh: str
    en: str
    text: str

    def name(self, lang: str) -> str:
        """Return what the menu shows."""
        return full_width(self.zh) if lang == "zh" else self.en

    @property
    def words(self) -> str:
        """The text with Chinese punctuation, as a clinician types it."""
        return full_width(self.text)


SAMPLES = (
    Sample(
        "胸痛与心电图改变", "Chest pain, ECG change (Chinese)", "患者男性,58岁,胸痛3天,心电图显示ST段压低"
    ),
    Sample(
        "婴儿腹泻脱水",
        "Infant with diarrhoea (Chinese)",
        "患儿男,8个月,腹泻3天,每天水样便10余次,伴呕吐。今天尿少、哭时泪少,精神差。体温38.5℃,无血便。",
    ),
    Sample(
        "化验单:口渴多尿与呕吐",
        "Pasted lab table: thirst and vomiting (Chinese)",
        "女,34岁。口渴、多尿2周,恶心呕吐、腹痛1天,呼吸深快,意识清楚。\n\n"
        "项目\t结果\t单位\t参考范围\n葡萄糖\t24.6\tmmol/L\t3.9-6.1\n钾\t5.6\tmmol/L\t3.5-5.3\n"
        "β-羟丁酸\t6.2\tmmol/L\t0-0.3\nC反应蛋白\t8\tmg/L\t0-10\n血红蛋白\t142\tg/L\t115-150",
    ),
    Sample(
        "孕晚期头痛与高血压",
        "Late pregnancy with headache (Chinese)",
        "孕妇,29岁,孕34周,头痛2天,视物模糊半天,上腹部不适。血压168/112mmHg,双下肢水肿,尿蛋白3+,无抽搐。",
    ),
    Sample(
        "普通上呼吸道症状",
        "Runny nose and sore throat (Chinese)",
        "女,25岁,流涕、打喷嚏、咽痛2天,轻微咳嗽,无发热,无呼吸困难,食欲正常。",
    ),
    Sample(
        "英文:突发肢体无力",
        "Sudden weakness (English)",
        "72-year-old woman with atrial fibrillation, not on anticoagulants. Sudden weakness of the right arm "
        "and slurred speech for 1 hour. No headache, no seizure. BP 172/95 mmHg, glucose 6.8 mmol/L. "
        "Allergic to penicillin.",
    ),
)
