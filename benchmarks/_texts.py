"""Texts to time a diagnosis on: authored for this file, Chinese and English, short and long."""

from __future__ import annotations

TEXTS = (
    "患者男性,58岁,胸痛3天,心电图显示ST段压低",
    "女,32岁,停经7周,突发右下腹痛2小时,伴少量阴道出血",
    "孩子3岁,发热2天,最高39.2℃,咳嗽流涕,精神可",
    "反复头痛10年,搏动性,伴恶心、畏光,活动后加重",
    "男,67岁,咳嗽咳痰20年,气促加重1周,吸烟40年,桶状胸",
    "上腹痛3小时,放射到后背,呕吐多次,昨晚大量饮酒,血淀粉酶 860 U/L",
    "女性,45岁,多饮多尿2个月,体重下降5kg,空腹血糖 13.2 mmol/L",
    "腰痛一侧,阵发绞痛,伴血尿,无发热",
    "尿频尿急尿痛两天,没有腰痛,也不发烧",
    "男,24岁,脐周痛转到右下腹1天,恶心,体温38.1℃,白细胞 14.6×10^9/L",
    "我妈70岁,今天早上突然说不清话,右边胳膊没力气",
    "晨起眼睑浮肿1周,尿泡沫多,血压 160/100 mmHg",
    "全身红色风团,瘙痒,吃虾后1小时出现,无呼吸困难",
    "心慌、手抖、怕热、多汗3个月,体重下降,脖子粗",
    "乏力、面色苍白半年,月经量多,血红蛋白 78 g/L",
    "反酸烧心,饭后加重,平躺时明显,已有一年",
    "咽痛3天,发热38.5℃,扁桃体肿大有脓点",
    "双手小关节肿痛,晨僵1小时以上,类风湿因子阳性",
    "右膝关节疼痛,上下楼加重,60岁,无红肿",
    "黄疸一周,尿色深,食欲差,ALT 620 U/L,乙肝表面抗原阳性",
    "腹泻水样便每天8次,口干,尿少,昨天吃了外卖",
    "失眠两个月,情绪低落,对什么都没兴趣,否认自杀想法",
    "夜间阵发性呼吸困难,双下肢水肿,既往心肌梗死,颈静脉怒张",
    "咳嗽1个月,夜间咳醒,运动后喘,过敏性鼻炎病史",
    "左小腿肿胀疼痛3天,骨折术后卧床两周",
    "带状分布的水疱,左侧胸背部刺痛5天,70岁",
    "患者女,63岁,因“反复活动后胸闷2年,加重伴气短1周”入院。既往高血压10年,最高180/110 mmHg,口服氨氯地平;"
    "糖尿病5年,口服二甲双胍。否认药物过敏。查体:血压 150/95 mmHg,心率 92 次/分,呼吸 20 次/分,体温 36.5℃。"
    "双肺底少许湿啰音,双下肢轻度水肿。BNP 860 pg/mL,肌钙蛋白正常,肌酐 102 μmol/L,血钾 4.1 mmol/L。",
    "体检发现血压高,150/95,没有不舒服",
    "A 65-year-old man with fever and productive cough for 4 days, temperature 39.1, denies chest pain",
    "Sudden severe headache, the worst of my life, with neck stiffness and vomiting, woman aged 44",
    "My 2-year-old has had diarrhoea and vomiting for two days and is passing less urine",
    "Burning when I pass urine, going often, no fever, no back pain. I am 28 and female",
    "Crushing chest pain for one hour, sweating, radiating to the left arm, history of hypertension",
    "Itchy red scaly patches on both elbows for years, nails are pitted",
    "Tired, gaining weight, constipated and cold all the time, TSH 22 mIU/L",
    "Painful swollen big toe since last night, I drink beer, uric acid 560 umol/L",
    "Palpitations and feeling anxious, tingling fingers, ECG normal",
    "Wheezing and shortness of breath at night, worse in spring, my mother has asthma, no chest pain",
    "Epigastric pain relieved by eating, black stools for three days, takes ibuprofen daily",
    "Man, 71, progressive breathlessness, dry cough, clubbing of the fingers, fine crackles at both bases, "
    "SpO2 89 %, heart rate 96, blood pressure 128/76, never smoked, worked with asbestos for thirty years",
)
