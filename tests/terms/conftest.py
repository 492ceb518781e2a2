"""A small vocabulary of our own, so that these tests do not move when the starter vocabulary grows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from xinglin.terms.vocabulary import Term, Vocabulary, load_vocabulary
from xinglin.types import Code

FINDINGS = """\
发热|fever|symptom||发烧,体温升高|febrile,pyrexia,fevers
高热|high fever|symptom|发热|高烧|
低体温|hypothermia|vital|||
咳嗽|cough|symptom||咳|coughing
干咳|dry cough|symptom|咳嗽||
咳痰|sputum production|symptom||咳黄痰|productive cough
咯血|hemoptysis|symptom||咳血|coughing blood
胸痛|chest pain|symptom||胸口疼,胸疼,胸部疼痛|chest discomfort
压榨性胸痛|crushing chest pain|symptom|胸痛|压榨样胸痛|
胸闷|chest tightness|symptom||胸口闷|
气促|shortness of breath|symptom||气短,呼吸困难,喘不上气|dyspnea,breathlessness
心悸|palpitations|symptom||心慌|
头痛|headache|symptom||头疼|headaches
头晕|dizziness|symptom|||dizzy,lightheadedness
晕厥|syncope|symptom||昏倒|fainting,passed out
恶心|nausea|symptom||想吐|nauseous
呕吐|vomiting|symptom||吐|vomit,emesis
腹痛|abdominal pain|symptom||肚子疼,肚子痛,腹部疼痛|stomach pain
右下腹痛|right lower quadrant pain|symptom|腹痛|右下腹疼痛|rlq pain
腹泻|diarrhea|symptom||拉肚子|diarrhoea
腹胀|abdominal distension|symptom|||bloating
便血|hematochezia|symptom||大便带血|bloody stool
尿频|urinary frequency|symptom|||
尿急|urinary urgency|symptom|||
尿痛|dysuria|symptom|||
无尿|anuria|symptom||没有尿|
乏力|fatigue|symptom||无力,没力气,没有力气,全身无力|tired
大汗|profuse sweating|symptom||出大汗|diaphoresis
端坐呼吸|orthopnea|symptom||不能平卧|cannot lie flat
停止排气|obstipation|symptom||不排气|
食欲不振|loss of appetite|symptom||不想吃饭,胃口不好|anorexia,poor appetite
寒战|rigors|symptom||打寒战|chills
皮疹|rash|symptom||出疹|
水肿|edema|sign||浮肿|swelling
黄疸|jaundice|sign|||
压痛|tenderness|sign|||
反跳痛|rebound tenderness|sign|||rebound
湿啰音|moist rales|sign||啰音|crackles,rales
颈抵抗|neck stiffness|sign||颈强直|stiff neck
墨菲征阳性|murphy sign|sign||墨菲征,Murphy征|murphy's sign
意识障碍|impaired consciousness|sign||神志不清|confusion
昏迷|coma|sign|意识障碍||
低血压|hypotension|vital|||low blood pressure
血压升高|elevated blood pressure|vital||血压高|
心动过速|tachycardia|vital|||
低氧血症|hypoxemia|vital|||
白细胞升高|leukocytosis|lab||白细胞↑|
白细胞减少|leukopenia|lab|||
血红蛋白降低|low hemoglobin|lab||贫血|anemia
重度贫血|severe anemia|lab|血红蛋白降低||
血钾升高|hyperkalemia|lab|||
血钾降低|hypokalemia|lab|||
血糖升高|hyperglycemia|lab|||
血糖降低|hypoglycemia|lab|||
肌钙蛋白升高|elevated troponin|lab|||
C反应蛋白升高|elevated crp|lab|||
尿蛋白阳性|proteinuria|lab||尿蛋白(+)|
乙肝表面抗原阳性|hbsag positive|lab||HBsAg阳性|
肾小球滤过率降低|reduced gfr|lab|||
高血压史|history of hypertension|history||高血压,高血压病|hypertension,htn
糖尿病史|history of diabetes|history||糖尿病|diabetes,dm
冠心病史|history of coronary disease|history||冠心病|coronary artery disease,cad
头痛史|history of headaches|history|||
肝炎史|history of hepatitis|history||肝炎|hepatitis
手术史|history of surgery|history||做过手术|
吸烟|smoking|risk||抽烟|smokes,smoker
饮酒|alcohol use|risk||喝酒|drinks alcohol
冠心病家族史|family history of heart disease|risk||父亲心梗|
糖尿病家族史|family history of diabetes|risk|||
停经|missed period|symptom||月经没来|
"""

ANALYTES = """\
体温|body temperature|vital|℃|℃=1,度=1|T|temperature,temp|||25|45|8310-5
收缩压|systolic blood pressure|vital|mmHg|mmHg=1,kPa=7.5006|SBP|systolic|||20|320|8480-6
舒张压|diastolic blood pressure|vital|mmHg|mmHg=1,kPa=7.5006|DBP|diastolic|||5|220|8462-4
心率|heart rate|vital|次/分|次/分=1,bpm=1|HR,P,脉搏|pulse,hr|||10|350|8867-4
呼吸频率|respiratory rate|vital|次/分|次/分=1|R,RR,呼吸|rr,respirations|||2|150|9279-1
血氧饱和度|oxygen saturation|vital|%|%=1|SpO2,血氧|o2 sat,sats||低氧血症|20|100|59408-5
GCS评分|glasgow coma scale|vital|分|分=1|GCS|gcs|||3|15|9269-2
白细胞计数|white cells|lab|10^9/L|10^9/L=1,×10^9/L=1,/uL=0.001|WBC,白细胞||白细胞升高|白细胞减少|0.05|600|
血红蛋白|hemoglobin|lab|g/L|g/L=1,g/dL=10|Hb,HGB|hb||血红蛋白降低|10|280|
血小板计数|platelet count|lab|10^9/L|10^9/L=1,×10^9/L=1|PLT,血小板|platelets|||0.5|4000|
C反应蛋白浓度|c-reactive protein|lab|mg/L|mg/L=1,mg/dL=10|CRP,C反应蛋白|crp|C反应蛋白升高||0|800|
肌钙蛋白I|troponin i|lab|ng/mL|ng/mL=1,ng/L=0.001,pg/mL=0.001|肌钙蛋白,cTnI|troponin|肌钙蛋白升高||0|500|
血钾|serum potassium|lab|mmol/L|mmol/L=1,mEq/L=1|K,K+|potassium|血钾升高|血钾降低|1|15|
血糖值|blood glucose|lab|mmol/L|mmol/L=1,mg/dL=0.0555|血糖,GLU|glucose|血糖升高|血糖降低|0.1|100|
血肌酐|serum creatinine|lab|μmol/L|μmol/L=1,mg/dL=88.4|肌酐,Cr|creatinine|||5|4000|
估算肾小球滤过率|estimated gfr|lab|mL/min/1.73m2|ml/min=1|eGFR|||肾小球滤过率降低|0|250|33914-3
"""

RANGES = """\
血氧饱和度|any|||95|100
白细胞计数|any|18||3.5|9.5
白细胞计数|any|0|18|4.5|14
血红蛋白|male|18||130|175
血红蛋白|female|18||115|150
血红蛋白|any|18||115|175
C反应蛋白浓度|any||||10
肌钙蛋白I|any|18|||0.04
血钾|any|18||3.5|5.3
血糖值|any|||3.9|7.8
估算肾小球滤过率|any|18||90|
"""

CUTOFFS = """\
体温|any|||>=|37.3|发热
体温|any|||>=|39.1|高热
体温|any|||<|35|低体温
收缩压|any|18||<|90|低血压
收缩压|any|1|3|<|72|低血压
收缩压|any|18||>=|140|血压升高
舒张压|any|18||>=|90|血压升高
心率|any|18||>|100|心动过速
心率|any|0|1|>|180|心动过速
GCS评分|any|||<|15|意识障碍
GCS评分|any|||<=|8|昏迷
血红蛋白|any|18||<|60|重度贫血
"""

DRUGS = """\
青霉素|penicillin|青霉素类|青霉素钠,PG|penicillins
头孢菌素|cephalosporin|头孢菌素类|头孢,先锋霉素|cephalosporins
华法林|warfarin|抗凝药|华法令|coumadin
阿司匹林|aspirin|抗血小板药|拜阿司匹灵|asa
二甲双胍|metformin|双胍类|格华止|glucophage
"""

_TAIL = "authored, unreviewed\t\t"


def _write(path: Path, header: str, table: str) -> None:
    lines = [header.replace(" ", "\t")]
    lines += [_row(line) for line in table.splitlines()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _row(line: str) -> str:
    return "\t".join(cell.replace(",", "|") for cell in line.split("|")) + "\t" + _TAIL


TAIL = " source verified reviewed_by"
HEADERS = {
    "findings-core.tsv": ("name en kind parents aliases aliases_en" + TAIL, FINDINGS),
    "analytes.tsv": (
        "name en kind unit units aliases aliases_en high low plausible_min plausible_max loinc" + TAIL,
        ANALYTES,
    ),
    "ranges.tsv": ("analyte sex age_min age_max low high" + TAIL, RANGES),
    "cutoffs.tsv": ("analyte sex age_min age_max op value finding" + TAIL, CUTOFFS),
    "drugs.tsv": ("name en classes aliases aliases_en" + TAIL, DRUGS),
}

EXTRA = (
    Term(Code("xinglin-disease", "pneumonia", "肺炎"), "肺炎", "pneumonia", "disease", ("肺部感染",)),
    Term(
        Code("xinglin-disease", "acute-myocardial-infarction", "急性心肌梗死"),
        "急性心肌梗死",
        "acute myocardial infarction",
        "disease",
        ("心梗", "心肌梗死"),
        ("mi", "myocardial infarction", "heart attack"),
    ),
    Term(
        Code("xinglin-disease", "pulmonary-embolism", "肺栓塞"),
        "肺栓塞",
        "pulmonary embolism",
        "disease",
        (),
        ("pe",),
    ),
    Term(Code("xinglin-disease", "hypertension", "高血压"), "高血压", "essential hypertension", "disease"),
    Term(
        Code("xinglin-disease", "common-cold", "普通感冒"),
        "普通感冒",
        "common cold",
        "disease",
        ("感冒",),
        ("a cold",),
    ),
    Term(
        Code("xinglin-exam", "ecg", "心电图"), "心电图", "electrocardiogram", "exam", ("ECG",), ("ecg", "ekg")
    ),
)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vocabulary folder in the schema of docs/starter-graph.md."""
    path = tmp_path_factory.mktemp("vocabulary")
    for name, (header, table) in HEADERS.items():
        _write(path / name, header, table)
    return path


@pytest.fixture(scope="session")
def vocabulary(folder: Path) -> Vocabulary:
    loaded = load_vocabulary(folder, EXTRA)
    assert loaded.conflicts == ()
    return loaded


@pytest.fixture(scope="session")
def data() -> Path:
    """The open data sets (read-only); tests that need them skip loudly where they are absent."""
    root = Path(os.environ.get("XINGLIN_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
    if not root.is_dir():
        pytest.skip(f"SKIPPED LOUDLY: open data absent at {root}; set XINGLIN_DATA")
    return root
