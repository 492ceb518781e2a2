"""Sentences with what a clinician takes from them. ``+`` present, ``-`` absent, ``?`` unknown, ``0`` not
of the patient.

Each was written from the clinical meaning, not from what the program said.
"""

from __future__ import annotations

import pytest

from xinglin.terms.reading import read
from xinglin.terms.vocabulary import Vocabulary

CHINESE = [
    # plain
    ("胸痛3天", "胸痛+"),
    ("患者胸痛、气促,伴大汗", "胸痛+ 气促+ 大汗+"),
    ("发烧咳嗽", "发热+ 咳嗽+"),
    # negation over an enumeration
    ("无发热、咳嗽、胸痛", "发热- 咳嗽- 胸痛-"),
    ("无发热,咳嗽3天", "发热- 咳嗽+"),
    ("无发热、寒战,有咳嗽", "发热- 寒战- 咳嗽+"),
    ("没有发烧、咳嗽", "发热- 咳嗽-"),
    ("没发烧", "发热-"),
    ("不咳嗽", "咳嗽-"),
    ("不发烧,但咳嗽", "发热- 咳嗽+"),
    ("未见皮疹", "皮疹-"),
    ("未见明显皮疹及水肿", "皮疹- 水肿-"),
    ("双肺未闻及湿啰音", "湿啰音-"),
    ("否认高血压、糖尿病史", "高血压史- 糖尿病史-"),
    ("否认高血压,糖尿病,冠心病等病史", "高血压史- 糖尿病史- 冠心病史-"),
    ("否认肝炎、结核等传染病史,否认手术史", "肝炎史- 手术史-"),
    ("否认高血压、肾病、糖尿病", "高血压史- 糖尿病史-"),
    ("不伴恶心、呕吐", "恶心- 呕吐-"),
    ("腹痛不伴发热", "腹痛+ 发热-"),
    ("未出现晕厥", "晕厥-"),
    ("无明显头晕", "头晕-"),
    ("无胸痛及心悸", "胸痛- 心悸-"),
    ("无恶心呕吐", "恶心- 呕吐-"),
    ("无发热,咳嗽,咯血等不适", "发热- 咳嗽- 咯血-"),
    ("无黑朦、晕厥", "晕厥-"),
    ("既无胸痛也无气促", "胸痛- 气促-"),
    ("没有什么胸痛", "胸痛-"),
    ("并无发热", "发热-"),
    ("从未咯血", "咯血-"),
    ("病程中无发热", "发热-"),
    ("已排除心梗", "急性心肌梗死-"),
    ("无尿频、尿急、尿痛", "尿频- 尿急- 尿痛-"),
    # scope ends
    ("无胸痛,但有心悸", "胸痛- 心悸+"),
    ("无发热但咳嗽", "发热- 咳嗽+"),
    ("没有胸痛而有胸闷", "胸痛- 胸闷+"),
    ("无胸痛伴心悸", "胸痛- 心悸+"),
    ("无咳嗽,伴腹泻", "咳嗽- 腹泻+"),
    ("没有咳嗽,出现胸痛", "咳嗽- 胸痛+"),
    ("无胸痛。头晕", "胸痛- 头晕+"),
    ("无胸痛;头晕", "胸痛- 头晕+"),
    ("否认胸痛,但诉头晕", "胸痛- 头晕+"),
    ("没有吃药后来肚子疼", "腹痛+"),
    ("无外伤,现头痛", "头痛+"),
    ("没睡好,头疼", "头痛+"),
    ("没有规律服药,现心慌", "心悸+"),
    ("不发烧 咳嗽 头疼", "发热- 咳嗽+ 头痛+"),
    # negation after the mention
    ("胸痛不明显", "胸痛-"),
    ("墨菲征阴性", "墨菲征阳性-"),
    ("墨菲征(-)", "墨菲征阳性-"),
    ("墨菲征(+)", "墨菲征阳性+"),
    ("Murphy征阳性", "墨菲征阳性+"),
    ("压痛、反跳痛(-)", "压痛- 反跳痛-"),
    ("压痛(+),反跳痛(-)", "压痛+ 反跳痛-"),
    ("颈抵抗阴性", "颈抵抗-"),
    ("咳嗽已消失", "咳嗽-"),
    ("发热已退", "发热-"),
    ("胸痛、胸闷均消失", "胸痛- 胸闷-"),
    ("皮疹未见", "皮疹-"),
    ("胸痛没有了", "胸痛-"),
    ("恶心、呕吐均无", "恶心- 呕吐-"),
    # a negation inside the mention
    ("头不疼", "头痛-"),
    ("头倒是不疼", "头痛-"),
    ("肚子不痛", "腹痛-"),
    ("肚子也不疼,就是拉肚子", "腹痛- 腹泻+"),
    ("腹部无压痛、反跳痛", "压痛- 反跳痛-"),
    # pseudo-negation
    ("不能平卧", "端坐呼吸+"),
    ("无力", "乏力+"),
    ("全身无力", "乏力+"),
    ("没力气", "乏力+"),
    ("手脚都没什么力气", "乏力+"),
    ("没有力气", "乏力+"),
    ("无尿2天", "无尿+"),
    ("停止排气", "停止排气+"),
    ("不想吃饭", "食欲不振+"),
    ("食欲不振", "食欲不振+"),
    ("咳嗽没有缓解", "咳嗽+"),
    ("胸痛无缓解", "胸痛+"),
    ("胸痛不缓解", "胸痛+"),
    ("发热不退", "发热+"),
    ("无明显诱因出现胸痛", "胸痛+"),
    ("无诱因胸痛", "胸痛+"),
    ("不明原因发热", "发热+"),
    ("不仅胸痛,还头晕", "胸痛+ 头晕+"),
    ("不断咳嗽", "咳嗽+"),
    ("不停地呕吐", "呕吐+"),
    ("不是没有胸痛", "胸痛+"),
    ("并非没有发热", "发热+"),
    ("未予重视,咳嗽加重", "咳嗽+"),
    ("服药后无好转,仍发热", "发热+"),
    ("没多久就吐了", "呕吐+"),
    ("没有去医院,咳嗽加重", "咳嗽+"),
    ("无论休息与否均胸痛", "胸痛+"),
    ("非常头痛", "头痛+"),
    # no weakness
    ("无乏力", "乏力-"),
    ("没有乏力、头晕", "乏力- 头晕-"),
    ("没有不想吃饭", "食欲不振-"),
    # doubt
    ("可能肺炎", "肺炎?"),
    ("疑似肺炎", "肺炎?"),
    ("考虑肺栓塞", "肺栓塞?"),
    ("肺炎待排", "肺炎?"),
    ("肺炎?", "肺炎?"),
    ("不排除心梗", "急性心肌梗死?"),
    ("不能排除肺栓塞", "肺栓塞?"),
    ("肺栓塞不除外", "肺栓塞?"),
    ("需排除心梗", "急性心肌梗死?"),
    ("是不是肺炎", "肺炎?"),
    ("有无胸痛", "胸痛?"),
    ("是否发热不详", "发热?"),
    ("担心心梗", "急性心肌梗死?"),
    ("头痛怎么办?", "头痛+"),
    ("为什么会头痛?", "头痛+"),
    ("是肺炎吗?", "肺炎?"),
    ("发热待查", "发热+"),
    ("胸痛可能是心梗", "胸痛+ 急性心肌梗死?"),
    ("可能发烧", "发热?"),
    ("考虑肺炎,咳嗽明显", "肺炎? 咳嗽+"),
    # whose it is
    ("父亲死于心梗", "急性心肌梗死0 冠心病家族史+"),
    ("父亲有高血压,患者胸闷", "高血压史0 胸闷+"),
    ("母亲有糖尿病", "糖尿病史0 糖尿病家族史+"),
    ("家族史:母亲糖尿病", "糖尿病史0 糖尿病家族史+"),
    ("冠心病家族史", "冠心病家族史+ 冠心病史0"),
    ("有糖尿病家族史", "糖尿病家族史+ 糖尿病史0"),
    ("否认冠心病家族史", "冠心病家族史-"),
    ("同事感冒,我发烧", "普通感冒0 发热+"),
    ("室友咳嗽", "咳嗽0"),
    ("家人均无发热", "发热0"),
    ("我爸68岁,突然胸痛", "胸痛+"),
    ("我妈妈有糖尿病,我最近头晕", "糖尿病史0 头晕+"),
    ("孩子发烧两天", "发热+"),
    ("宝宝拉肚子", "腹泻+"),
    ("母亲代诉患儿咳嗽", "咳嗽+"),
    ("家属发现患者意识障碍", "意识障碍+"),
    ("家属诉患者呕吐", "呕吐+"),
    ("老公感冒了,我也咳嗽", "普通感冒0 咳嗽+"),
    # time
    ("既往高血压病史10年", "高血压史+"),
    ("高血压10年", "高血压史+"),
    ("曾患肝炎", "肝炎史+"),
    ("既往有头痛史", "头痛史+ 头痛0"),
    ("十年前胸痛", "胸痛?"),
    ("既往胸痛,本次头晕", "胸痛? 头晕+"),
    ("既往体健,3天前胸痛", "胸痛+"),
    ("5年前出现咳嗽,反复发作", "咳嗽+"),
    ("既往体健。近3天发热", "发热+"),
    ("曾有晕厥", "晕厥?"),
    # hypothetical
    ("如果出现胸痛请就医", "胸痛0"),
    ("若有胸痛、呼吸困难及时就诊", "胸痛0 气促0"),
    ("警惕心梗", "急性心肌梗死0"),
    ("一旦晕厥立即就医", "晕厥0"),
    ("预防感冒", "普通感冒0"),
    ("如果走快了就胸痛", "胸痛+"),
    ("咳嗽,如出现咯血来诊", "咳嗽+ 咯血0"),
    # written otherwise
    ("無發熱，頭痛3天", "发热- 头痛+"),
    ("胸口有点疼", "胸痛+"),
    ("胸部突发剧烈疼痛", "胸痛+"),
    ("肚子一直很疼", "腹痛+"),
    ("发了三天烧", "发热+"),
    ("拉了两天肚子", "腹泻+"),
    ("发热(-),咳嗽(+)", "发热- 咳嗽+"),
]

ENGLISH = [
    ("Chest pain for 3 days", "胸痛+"),
    ("No fever", "发热-"),
    ("No fever, cough, or chest pain.", "发热- 咳嗽- 胸痛-"),
    ("Denies chest pain, fever or cough but has headache", "胸痛- 发热- 咳嗽- 头痛+"),
    ("He denies nausea and vomiting", "恶心- 呕吐-"),
    ("without fever", "发热-"),
    ("negative for chest pain", "胸痛-"),
    ("free of chest pain", "胸痛-"),
    ("pneumonia was ruled out", "肺炎-"),
    ("MI has been ruled out", "急性心肌梗死-"),
    ("does not have chest pain", "胸痛-"),
    ("no evidence of acute pulmonary embolism", "肺栓塞-"),
    ("no longer has chest pain", "胸痛-"),
    ("He is not febrile", "发热-"),
    ("never had syncope", "晕厥-"),
    ("No fever. Headache since yesterday.", "发热- 头痛+"),
    ("no fever but cough", "发热- 咳嗽+"),
    ("no fever; however, headache is severe", "发热- 头痛+"),
    ("denies fever, has cough", "发热- 咳嗽+"),
    ("No fever, cough for 3 days", "发热- 咳嗽+"),
    ("not only chest pain but also syncope", "胸痛+ 晕厥+"),
    ("no improvement in chest pain", "胸痛+"),
    ("chest pain without relief", "胸痛+"),
    ("chest pain not relieved by rest", "胸痛+"),
    ("cannot lie flat", "端坐呼吸+"),
    ("cannot rule out pneumonia", "肺炎?"),
    ("rule out pulmonary embolism", "肺栓塞?"),
    ("possible pneumonia", "肺炎?"),
    ("suspected pulmonary embolism", "肺栓塞?"),
    ("concern for MI", "急性心肌梗死?"),
    ("pneumonia is possible", "肺炎?"),
    ("pneumonia cannot be excluded", "肺炎?"),
    ("worried about a heart attack", "急性心肌梗死?"),
    ("Is it pneumonia?", "肺炎?"),
    ("Why do I have a headache?", "头痛+"),
    ("Father died of MI", "急性心肌梗死0 冠心病家族史+"),
    ("Mother had diabetes. Patient reports fatigue.", "糖尿病史0 糖尿病家族史+ 乏力+"),
    ("Family history of diabetes", "糖尿病家族史+"),
    ("No family history of diabetes", "糖尿病家族史-"),
    ("family history: hypertension in mother", "高血压史0"),
    ("My mother is 70 and has chest pain", "胸痛+"),
    ("My son has fever and cough", "发热+ 咳嗽+"),
    ("My father had a heart attack. I have chest pain", "急性心肌梗死0 胸痛+"),
    ("roommate has fever, patient has cough", "发热0 咳嗽+"),
    ("wife reports he has chest pain", "胸痛+"),
    ("history of hypertension", "高血压史+"),
    ("PMH: hypertension, diabetes", "高血压史+ 糖尿病史+"),
    ("no history of diabetes", "糖尿病史-"),
    ("history of headaches", "头痛史+"),
    ("past history of syncope, now presents with chest pain", "晕厥? 胸痛+"),
    ("return if chest pain, fever or syncope", "胸痛0 发热0 晕厥0"),
    ("If you develop chest pain, call 911", "胸痛0"),
    ("watch for fever", "发热0"),
    ("chest pain has resolved", "胸痛-"),
    ("fever subsided", "发热-"),
    ("Murphy's sign negative", "墨菲征阳性-"),
    ("Murphy's sign is positive", "墨菲征阳性+"),
    ("no known cause of fever", "发热+"),
    ("3-day history of chest pain", "胸痛+"),
    ("presents with shortness of breath and swelling", "气促+ 水肿+"),
    ("patient denies any chest pain, palpitations, shortness of breath", "胸痛- 心悸- 气促-"),
    ("denies fever, chills, nausea, vomiting, diarrhea", "发热- 寒战- 恶心- 呕吐- 腹泻-"),
    ("no chest pain or palpitations, positive for dizziness", "胸痛- 心悸- 头晕+"),
    ("There is no rash or edema", "皮疹- 水肿-"),
    ("neither fever nor cough", "发热- 咳嗽-"),
    ("without chest pain, but with palpitations", "胸痛- 心悸+"),
]
_WORDS = {"+": "present", "-": "absent", "?": "unknown", "0": None}


def _check(text: str, expected: str, vocabulary: Vocabulary) -> None:
    reading = read(text, vocabulary)
    states: dict[str, str] = {f.code.display: f.state for f in reading.findings if f.origin == "text"}
    for mention in reading.mentions:  # diseases are mentions, not findings
        if mention.term.kind == "disease" and mention.who == "patient" and not mention.hypothetical:
            states.setdefault(mention.term.name, mention.state)
    got = {item[:-1]: states.get(item[:-1]) for item in expected.split()}
    assert got == {item[:-1]: _WORDS[item[-1]] for item in expected.split()}
    for mention in reading.mentions:
        start, end = mention.span
        assert 0 <= start < end <= len(text)


def test_counts() -> None:
    assert len(CHINESE) + len(ENGLISH) >= 150


@pytest.mark.parametrize(("text", "expected"), CHINESE)
def test_chinese(text: str, expected: str, vocabulary: Vocabulary) -> None:
    _check(text, expected, vocabulary)


@pytest.mark.parametrize(("text", "expected"), ENGLISH)
def test_english(text: str, expected: str, vocabulary: Vocabulary) -> None:
    _check(text, expected, vocabulary)
