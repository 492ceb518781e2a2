"""Subject-and-complaint phrases: every family by example, negated, and what must not match."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.terms import phrases, read
from xinglin.terms.characters import normalise
from xinglin.terms.matcher import Matcher
from xinglin.terms.phrases import matches_of_phrases

NAMES = sorted(
    {name for _, said in phrases.ROWS for cell in said.values() for name in cell.split("|")}
    | {name for _, _, name in phrases.CLAUSES}
)
MATCHER: Matcher[str] = Matcher((normalise(name), name) for name in NAMES)
"""Knows the findings by name only, so whatever it yields comes from the families."""


def found(text: str) -> dict[str, bool]:
    """Finding -> whether it is negated; of overlapping matches of one finding the longest counts."""
    matches = sorted(matches_of_phrases(normalise(text), MATCHER), key=lambda m: m.size)
    return {m.payload: m.negated for m in matches}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        # excretions and their colour
        ("我注意到大便颜色变成了黑色", "黑便"),
        ("大便最近呈灰白色", "陶土色便"),
        ("宝宝便便有点绿", "绿便"),
        ("大便里有鲜红色的血", "便血"),
        ("便便看起来稀稀的", "稀便"),
        ("大便变得很干很难排", "便秘"),
        ("大便次数也多了", "腹泻"),
        ("大便上带着鼻涕一样的东西", "黏液便"),
        ("大便越来越细,像铅笔", "大便变细"),
        ("大便总是控制不住", "大便失禁"),
        ("拉了好几次水", "水样便"),
        ("拉的都是黄水", "水样便"),
        ("一天要跑十几趟厕所", "腹泻"),
        ("已经五天没有大便", "便秘"),
        ("两三天才能去一次厕所", "便秘"),
        ("尿液的颜色也变得很黄", "酱油色尿"),
        ("小便像浓茶一样", "酱油色尿"),
        ("尿也黄", "尿色异常"),
        ("小便颜色有点红", "肉眼血尿"),
        ("尿像米汤", "尿液混浊"),
        ("小便上面一层泡沫", "泡沫尿"),
        ("小便时像针扎", "尿痛"),
        ("撒尿疼", "尿痛"),
        ("小便次数比较多", "尿频"),
        ("尿的次数少了", "少尿"),
        ("撒尿要等半天才出来", "排尿困难"),
        ("小便有时候控制不住", "尿失禁"),
        ("咳出来的痰是黄色的", "脓痰"),
        ("痰里好像有血丝", "咯血"),
        ("痰是白色的", "白黏痰"),
        ("痰有点像铁锈", "铁锈色痰"),
        ("咳的痰是粉红色", "粉红色泡沫痰"),
        ("痰特别臭", "大量脓臭痰"),
        ("吐出来的东西像咖啡色的渣子", "呕血"),
        ("昨天突然吐了一大口血", "呕血"),
        ("吐的都是黄水", "胆汁性呕吐"),
        ("白带变多了", "白带异常"),
        ("白带像豆腐渣", "豆腐渣样白带"),
        ("月经不太正常", "月经不规律"),
        ("月经量特别多", "月经过多"),
        ("月经量越来越少", "月经过少"),
        ("月经拖很久", "经期延长"),
        ("四十九天没有来月经", "停经"),
        ("阴道不时有点出血", "阴道流血"),
        ("阴道有液体流出来", "破水"),
        ("胎动感觉少了", "胎动减少"),
        ("宝宝动得没有之前频繁", "胎动减少"),
        ("恶露一直不断", "恶露异常"),
        # colour of skin and eyes
        ("眼睛白膜变黄", "黄疸"),
        ("皮肤和眼睛都变黄了", "黄疸"),
        ("嘴唇有点发紫", "发绀"),
        ("脸色一下子煞白", "面色苍白"),
        ("脚趾头都黑了", "皮肤坏死"),
        # weight, speech, sight
        ("体重短时间下降不少", "消瘦"),
        ("体重最近明显增加", "体重增加"),
        ("说话开始变得不清楚", "言语不清"),
        ("突然说话就不清楚了", "突发言语障碍"),
        ("视线有时候会重叠", "复视"),
        ("视力也变得模糊", "视力下降"),
        ("看东西有点变形", "视物变形"),
        ("左眼皮垂了两年", "上睑下垂"),
        ("眼皮有点肿", "眼睑水肿"),
        ("眼睛里面有点疼", "眼痛"),
        ("眼睛今天很红", "眼红"),
        ("眼睛看着很干", "眼干"),
        # posture, night, effort
        ("晚上躺下都觉得喘不过气来", "端坐呼吸"),
        ("夜里根本躺不平", "端坐呼吸"),
        ("晚上会被憋醒", "夜间阵发性呼吸困难"),
        ("走几步就喘", "劳力性呼吸困难"),
        ("喘不上气,特别是做事情的时候", "劳力性呼吸困难"),
        ("只要一活动就会感到胸口疼", "劳力性胸痛"),
        ("胸口疼,有时候很厉害,休息一会儿就好一些", "休息后缓解的胸痛"),
        # limbs
        ("左边的手脚都没什么力气", "偏侧肢体无力"),
        ("右边手脚没了力气", "偏侧肢体无力"),
        ("半边身子动不了", "偏侧肢体无力"),
        ("右半边身子发麻", "偏侧肢体麻木"),
        ("左手左脚突然乱动", "局灶性抽搐"),
        ("手脚不听使唤", "肌无力"),
        ("突然右手不听使唤", "突发单肢无力"),
        ("左手拿东西老是拿不稳", "肌无力"),
        ("双手拿东西拿不稳", "手部精细动作笨拙"),
        ("腿两天前开始感觉没劲", "双下肢无力"),
        ("腿都麻了", "下肢麻木"),
        ("手指尖总是发麻", "肢体麻木"),
        ("手老是抖", "震颤"),
        ("四肢僵硬抽动", "抽搐"),
        ("小腿半夜抽筋", "肌肉痉挛"),
        ("左小腿上方肿了一个月", "单侧下肢肿胀"),
        ("两条腿都肿", "下肢水肿"),
        ("右前臂肿了起来", "上肢水肿"),
        ("早上起床的时候,关节会僵硬", "晨僵"),
        ("走路也不太稳", "共济失调"),
        ("好像踩在棉花上一样", "手套袜套样麻木"),
        # pain by place
        ("胸口闷得慌,还疼", "胸痛"),
        ("胸口最近总觉得闷", "胸闷"),
        ("胸口像被针扎一样", "针刺样胸痛"),
        ("胸口像压了块大石头", "压榨性胸痛"),
        ("吃东西的时候胸口像火烧一样", "烧心"),
        ("肚子已经疼了十多天", "腹痛"),
        ("肚子一阵一阵绞痛", "阵发性腹部绞痛"),
        ("肚子疼得厉害还胀", "腹胀"),
        ("肚子上面这半年来不时地隐隐作痛", "上腹痛"),
        ("肚子上面靠近右边的地方疼", "右上腹痛"),
        ("右上腹部已经断断续续疼了一年", "右上腹痛"),
        ("肚子的右上方开始绞痛", "右上腹痛"),
        ("右边肚子上方疼痛", "右上腹痛"),
        ("肚子疼,右下腹最明显", "右下腹痛"),
        ("我右下肚子痛", "右下腹痛"),
        ("左下腹这几天隐隐作痛", "左下腹痛"),
        ("左上腹部有点疼", "左上腹痛"),
        ("肚子痛,主要是下面那块", "下腹痛"),
        ("肚子疼,主要是上面那块", "上腹痛"),
        ("下腹部一直坠得慌", "下腹坠胀"),
        ("肚脐那里面疼", "脐周痛"),
        ("肚脐眼里有淡黄色的分泌物", "脐部红肿流脓"),
        ("腰上这两天疼", "腰痛"),
        ("右边腰疼", "胁腹痛"),
        ("左边腰像刀子割一样", "腰肋部绞痛"),
        ("前额已经胀痛了十多年", "头痛"),
        ("头有时候还会晕", "头晕"),
        ("后脑勺一跳一跳地疼", "枕部头痛"),
        ("两边太阳穴那里一直在胀痛", "颞部头痛"),
        ("脖子已经疼了有一年", "颈痛"),
        ("脖子发僵", "颈项强直"),
        ("后背这几天疼", "背痛"),
        ("疼得厉害,往后背拐", "放射至背部"),
        ("疼痛有时候还能传到我右肩背上", "放射至右肩"),
        ("胸口疼,左边的胳膊也跟着酸痛", "放射至左臂"),
        ("腰部疼痛,而且疼痛还会延伸到双腿", "坐骨神经样放射痛"),
        ("肋骨一碰就疼", "肋部疼痛"),
        ("双髋已经疼了有两年", "髋痛"),
        ("膝盖上下楼疼", "膝痛"),
        ("左手腕摔肿了", "关节肿胀"),
        ("屁股周围肿得厉害", "肛周红肿"),
        ("肛门总觉得坠", "里急后重"),
        ("肩膀一抬就痛", "肩痛"),
        ("脚底一踩就疼", "足痛"),
        ("全身酸疼", "肌肉痛"),
        # head, neck, lumps
        ("鼻子已经堵了三个月", "鼻塞"),
        ("左边鼻孔不时地会流血", "鼻出血"),
        ("耳朵里总是嗡嗡", "耳鸣"),
        ("声音变得嘶哑", "声音嘶哑"),
        ("嗓子一咽就疼", "咽痛"),
        ("左边脖子上有个肿块", "颈部肿块"),
        ("左侧颈部多发性淋巴结肿大", "颈部淋巴结肿大"),
        ("右边乳房里有个硬块", "乳房肿块"),
        ("肚子上方有个硬块", "腹部包块"),
        ("右边阴囊里面有个肿块", "睾丸肿块"),
        ("外阴那里长了个小包块", "外阴肿物"),
        ("私处长了一些小肉粒", "生殖器疣状物"),
        ("腹股沟有个包块", "腹股沟肿块"),
        # others
        ("吃油腻的东西就觉得恶心", "厌油腻"),
        ("对油腻的食物越来越提不起兴趣", "厌油腻"),
        ("发烧的时候抽搐", "热性抽搐"),
        ("伤口老是流脓", "伤口感染表现"),
        # words within words
        ("今天有点见红", "阴道流血"),
        ("对海鲜过敏", "过敏体质"),
        ("病理:肺腺癌", "腺癌病理"),
        ("有乙肝", "慢性乙肝史"),
        ("老是肠鸣", "肠鸣增多"),
        # reports
        ("TI-RADS IV C类", "甲状腺TI-RADS高类别"),
        ("左叶囊性结节(TI-RADS 2类)", "甲状腺结节影"),
        ("BI-RADS 4b类", "乳腺BI-RADS高类别"),
        ("右侧侧脑室旁脑梗死", "脑梗死灶"),
        ("II、III、aVFST段弓背向上抬高", "ST段抬高"),
        ("肝实质回声增粗", "肝实质回声增粗"),
        ("胆囊多发结石", "胆囊结石"),
        ("胆总管上段轻度扩张", "胆管扩张"),
        ("右下肺大片密度增高", "胸片肺部浸润影"),
        ("左肺上叶占位", "肺部肿块"),
        ("左胫骨远端骨折", "骨折线"),
        ("左侧多发肋骨骨折", "肋骨骨折影"),
        ("三尖瓣轻度返流", "心脏瓣膜病变"),
        ("盆腔少量积液", "盆腔积液"),
        ("右附件混合性回声团", "附件包块"),
        ("右颈总动脉硬化斑块形成", "颈动脉斑块"),
        ("前壁肌层探及大小约1.1*1.0cm的低回声结节", "子宫肌瘤影"),
        ("HPV病毒检测: 低危型43型阳性", "人乳头瘤病毒阳性"),
    ],
)
def test_present(text: str, name: str) -> None:
    assert found(text).get(name) is False


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("大便颜色不黑", "黑便"),
        ("眼睛没有变黄", "黄疸"),
        ("皮肤没有发黄", "黄疸"),
        ("小便颜色不红", "肉眼血尿"),
        ("痰不黄", "脓痰"),
        ("肚子现在不疼了", "腹痛"),
        ("右下腹没有疼痛", "右下腹痛"),
        ("胸口这两天不怎么疼", "胸痛"),
        ("躺下不喘", "端坐呼吸"),
        ("走路不喘", "劳力性呼吸困难"),
        ("左边手脚不麻", "偏侧肢体麻木"),
        ("体重没有下降", "消瘦"),
        ("脖子上没有肿块", "颈部肿块"),
        ("盆腔未见明显液性暗区", "盆腔积液"),
        ("左小腿不肿", "单侧下肢肿胀"),
    ],
)
def test_negated(text: str, name: str) -> None:
    assert found(text).get(name) is True


@pytest.mark.parametrize(
    "text",
    [
        "大便正常,头发很黑",
        "大便和小便都正常",
        "体重也没有变化",
        "吃了黄豆",
        "说话没问题",
        "说话清楚",
        "走路没问题",
        "躺下休息了一会",
        "头孢吃了以后好些",
        "吃了止痛药",
        "腹部无压痛",
        "可见红斑",
        "打乙肝疫苗",
        "乙肝五项均阴性",
        "过敏性鼻炎",
        "过敏原检查",
        "甲状腺癌,乳腺癌",
        "肠鸣音正常",
        "尿红细胞4+",
        "麻烦医生看一下手",
        "胸部X光检查: 无异常",
        "宫缩阵阵",
        "骨折史三年",
        "心疼孩子",
    ],
)
def test_no_match(text: str) -> None:
    assert found(text) == {}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("三天前胸部疼", "胸痛"),
        ("今天早上腹部疼", "上腹痛"),
        ("左脚后跟肿了一年", "单侧下肢肿胀"),
        ("脖子上有个硬硬的肿块", "颈项强直"),
        ("大便的时候肛门疼", "腹痛"),
        ("腰椎间盘突出,腿疼", "腰痛"),
        ("肚子饿,头疼", "腹痛"),
        ("TI-RADS 2类", "甲状腺TI-RADS高类别"),
        ("腰手术以后腿疼", "腰痛"),
    ],
)
def test_not_that_finding(text: str, name: str) -> None:
    matches = found(text)
    if name == "胸痛":  # 胸部 is a subject, 前胸 across 三天前 is not
        assert all(m.start != 2 for m in matches_of_phrases(normalise(text), MATCHER))
    else:
        assert name not in matches


def test_a_second_complaint_of_the_same_subject_is_its_own_match() -> None:
    text = normalise("胸口闷得慌,还疼")
    spans = {m.payload: text[m.start : m.end] for m in matches_of_phrases(text, MATCHER)}
    assert spans == {"胸闷": "胸口闷", "胸痛": "疼"}


def test_inner_findings_survive() -> None:
    assert "手指痛" not in found("拇指摔伤后开始疼痛")


def test_size_leaves_out_what_stands_between() -> None:
    match = max(matches_of_phrases("尿液的颜色也变得很黄", MATCHER), key=lambda m: m.size)
    assert (match.start, match.end) == (0, 10)
    assert match.size < match.end - match.start


def test_a_finding_that_the_vocabulary_lacks_yields_nothing() -> None:
    assert matches_of_phrases("大便颜色变成了黑色", Matcher([("发热", "发热")])) == []


def test_reading_uses_the_families() -> None:
    states = {f.code.display: f.state for f in read("大便颜色变成了黑色,小便颜色不红").findings}
    assert states["黑便"] == "present"
    assert states["肉眼血尿"] == "absent"


def test_every_pattern_compiles_and_names_one_finding_a_group() -> None:
    for index, (_, said) in enumerate(phrases.ROWS):
        pattern, names = phrases._tail(index)
        assert len(names) == len(said)
        assert set(pattern.groupindex) == {"neg"} | {f"f{i}" for i in range(len(said))}
    for gate, pattern_text, _ in phrases.CLAUSES:
        assert gate
        assert re.compile(pattern_text)


def test_every_subject_can_be_reached() -> None:
    for row, _ in phrases.ROWS:
        for subject in phrases._subjects(row):
            assert subject == normalise(subject)
            assert not set(subject) & set("@&|?")


_ALPHABET = sorted(
    {char for row, said in phrases.ROWS[:12] for char in row + "".join(said)} | set("不没,。还 ")
)


@given(st.text(_ALPHABET, max_size=40))
def test_any_text_is_survived_and_spans_are_in_it(text: str) -> None:
    text = normalise(text)
    for match in matches_of_phrases(text, MATCHER):
        assert 0 <= match.start < match.end <= len(text)
        assert 0 < match.size <= match.end - match.start


def test_it_is_fast_enough_for_a_keystroke() -> None:
    text = normalise("胸口闷得慌,还疼,走几步就喘,晚上躺下都觉得喘不过气来,小便的颜色也变得很黄。" * 3)[:120]
    matches_of_phrases(text, MATCHER)
    best = min(_seconds(text) for _ in range(20))
    assert best < 0.001  # measured 0.1 ms; the rest is for slow machines


def _seconds(text: str) -> float:
    start = time.perf_counter()
    matches_of_phrases(text, MATCHER)
    return time.perf_counter() - start
