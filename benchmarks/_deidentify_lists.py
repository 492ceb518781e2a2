"""Names, places and hospitals to plant: invented, and none of them in the recognisers' own lists (a check says so).

Surnames, provinces and the larger cities are closed classes: a recogniser has to know them, so they are drawn from
common knowledge. ``RARE`` surnames, districts, roads, estates and hospitals are in no list of the package.
"""

SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付傅方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
RARE = "笪郇亢眭禚矫战衡粘乌初修果佴逮"
COMPOUND = ("欧阳", "上官", "司马", "诸葛", "皇甫", "慕容", "令狐", "端木")
GIVEN = (
    "秀兰 桂芳 建军 志强 淑珍 玉梅 海涛 晓东 丽娟 国庆 凤英 俊杰 雨桐 子涵 梓萱 浩然 欣怡 一诺 思远 佳宁 宇航 美玲 春燕 德胜 永福 长河 铁柱 来娣 招弟 "
    "素云 惠敏 振华 卫东 爱国 红霞 秋菊 雪莲 守仁 克俭 兴旺 宝山 金凤 银环 翠花 芷若 亦菲 沐辰 景行 若曦 诗涵 博文 明轩 皓宇 睿渊 语嫣 知行 怀瑾 "
    "伟 芳 娜 敏 静 丽 强 磊 军 洋 勇 艳 杰 涛 超 霞 平 刚 辉 鹏 琳 萍 红 燕 飞 玲 桐 昊 琪 媛 蕊 骏 岚 鑫 晗 薇 璇 哲 彬 翔 莹 倩 颖 岩 峥 "
    "自强 和平 在明 于飞 今朝 为民 从容 行健 之桃 因果 有为 无忌 病已 去病 安之 若愚 同心 到位 现林 已然 年丰 时雨"
).split()
"""The last line holds characters that also follow names (自, 和, 于, 今, 有)."""
WORDLIKE = (
    "高峰",
    "白云",
    "黄河",
    "高原",
    "安宁",
    "向阳",
    "江山",
    "石头",
    "白露",
    "马上",
    "温和",
    "方向",
    "水平",
    "平安",
    "海洋",
    "丁香",
)
MINORITY = (
    "买买提·吐尔逊", "古丽娜尔·艾合买提", "阿不都热依木·卡德尔", "努尔兰·哈力别克", "热依汗古丽·麦麦提", "帕提曼·依明", "次仁·旺堆", "巴特尔·乌云", "阿依古丽·玉山江", "卓玛·拉姆",
)  # fmt: skip
DISTRICTS = (
    "槐荫区 历城区 天桥区 雁塔区 碑林区 莲湖区 武侯区 锦江区 青羊区 岳麓区 芙蓉区 洪山区 江汉区 硚口区 鼓楼区 秦淮区 建邺区 相城区 吴中区 余杭区 拱墅区 天河区 番禺区 "
    "南山区 福田区 海淀区 丰台区 通州区 闵行区 徐汇区 浦东新区 河西区 渝北区 沙坪坝区 盘龙区 官渡区 云岩区 城关区 兴庆区 思明区 仓山区 蜀山区 包河区 裕华区 桥西区"
).split()
COUNTIES = "平阴县 商河县 长清县 阳谷县 莘县 沂水县 费县 单县 曹县 蓝田县 周至县 户县 望城县 浏阳市 宁乡市 崇州市 彭州市 都江堰市 昆山市 太仓市 义乌市 诸暨市 增城市 从化市 晋江市 石狮市".split()
TOWNS = "段店镇 党家庄镇 仲宫镇 柳埠镇 马坊乡 红旗街道 建设路街道 文化街道 曲塘镇 白塔镇 双桥镇 龙泉镇 石桥乡 望江街道 青龙镇".split()
VILLAGES = "前王村 后李庄 大柳树村 杨家沟村 小河沿村 张家屯 桃园村 二道河村 柿子园村 赵家堡村".split()
ROADS = "经十路 泉城路 二环东路 解放大道 人民南路 长江中路 学府街 文昌街 翠微巷 朝晖路 凤起路 滨河大道 科技一路 丁香路 玉兰街 钟楼巷 槐树胡同 柳荫街 永安里 和平西路 新华北街 凯旋路 望湖路 锦绣大道".split()
ESTATES = "阳光花园 锦绣家园 翡翠城 金色港湾 龙湖公寓 绿地新村 御景苑 紫荆小区 名士豪庭 幸福里 东方家园 桂花园 电力小区 纺织厂宿舍 铁路新村".split()
HOSPITALS = (
    "济阳县人民医院 泰山区第二人民医院 明湖医院 千佛山医院 岱岳中医医院 鹊华骨科医院 仁爱妇产医院 康宁精神卫生中心医院 长江航运总医院 钢城区中心医院 云门山眼科医院 "
    "东昌府区妇幼保健院 柳泉街道社区卫生服务中心 马坊乡卫生院 前王村卫生室 华山肿瘤医院 滨江大学附属第一医院 岭东医科大学第二附属医院 武陵医学院附属医院 盛泽镇中心卫生院 "
    "博爱口腔门诊部 安和康复医院 铜官山区疾病预防控制中心 鹿鸣山庄疗养院 启明星儿童医院 瑞和诊所 海港医院 煤炭总医院 桃源县中医院 青云镇卫生院"
).split()
ABBREVIATIONS = "滨医附院 岭医一附院 市二院 省三院 县一院 武大三院 江大附二院 区五院".split()
COMPANIES = "宏达机械有限公司 东风纺织厂 启航小学 滨河中学 明德大学 顺达物流有限公司 兴业建筑工程有限公司 绿源食品有限公司 市第三中学 红星农场小学".split()

FIRST = (
    "Margaret Theodore Beatrice Harold Ingrid Malcolm Priya Dmitri Fatima Lucinda Everett Rosalind Desmond Winifred Cedric Yolanda Ambrose Giselle Leopold Marisol "
    "Anthony Patricia Kevin Sandra Brian Deborah Ronald Sharon Timothy Cynthia Jeffrey Kathleen Gregory Pamela Raymond Gloria Terrence Odette Hassan Mei"
).split()
LAST = (
    "Abernathy Kowalczyk Featherstone O'Malley Ramirez-Soto Vandenberg McAllister Thibodeaux Okonkwo Lindqvist Castellanos Hargrove Pemberton Nakamura Whitfield Delacroix "
    "Brannigan Szymanski Applewhite Montague Satterfield Yamaguchi Fitzgerald Holloway Ostrowski Bancroft Villanueva Winterbourne Grzybowski Prendergast Rose Long Hope Stone"
).split()
STREETS = "Maple|Cedarwood|Juniper Hollow|Willow Creek|Old Mill|Birchwood|Sycamore|Larkspur|Whispering Pines|Foxglove|Kingsbury|Harvest Moon|Stonebridge|Magnolia".split(
    "|"
)
TOWNS_EN = (
    "Fairhaven",
    "Cedar Falls",
    "Brookhollow",
    "Millersburg",
    "Stonewall",
    "Lakeport",
    "New Arden",
    "Westbury",
    "Oak Ridge",
    "Harmony",
)
STATES = ("OH", "TX", "PA", "CA", "IL", "NC", "MA", "WA", "GA", "MN")
HOSPITALS_EN = (
    "Lakeview Memorial Hospital", "Saint Brigid Medical Center", "Cedar Valley Regional Hospital", "Harborview Children's Hospital", "Mount Arden Clinic", "Pinecrest Rehabilitation Center",
    "Willowbrook Nursing Home", "Fairhaven University Hospital", "Stonebridge Family Practice", "Northgate Cancer Center", "Our Lady of Mercy Hospital", "Bluewater Health System",
)  # fmt: skip
