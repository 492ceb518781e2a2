// Every word of the page, Chinese first.
export const PHRASES = {
  skip: ["到输入框", "To the text box"],
  private: ["病情只在本机计算:不上传、不保存,关闭页面即消失。", "Computed on this device: nothing is sent or stored; closing the page forgets it."],
  text: ["病情描述", "The case"],
  placeholder: ["例:男,58岁,胸痛3小时,大汗,血压 86/54", "e.g. 58-year-old man, chest pain for 3 hours, sweating, BP 86/54"],
  sample: ["填入示例", "Use an example"],
  sampleText: [
    "男,58岁。突发胸骨后压榨样痛3小时,向左肩放射,伴大汗、恶心。既往高血压10年,吸烟。无发热。血压 86/54 mmHg,心率 110 次/分。心电图示ST段抬高。",
    "58-year-old man. Crushing chest pain for 3 hours radiating to the left shoulder, with sweating and nausea. Hypertension for 10 years, smoker. No fever. BP 86/54 mmHg, heart rate 110. ECG shows ST elevation.",
  ],
  header: ["结构化信息(可不填)", "Structured facts (optional)"],
  age: ["年龄(岁)", "Age (years)"], sex: ["性别", "Sex"], pregnant: ["妊娠", "Pregnant"],
  allergies: ["过敏(用逗号分隔)", "Allergies (comma-separated)"], drugs: ["当前用药(用逗号分隔)", "Current drugs (comma-separated)"],
  unstated: ["未述", "Not stated"], female: ["女", "Female"], male: ["男", "Male"], yes: ["是", "Yes"], no: ["否", "No"],
  finding: ["勾选征象或检查结果", "Add a finding by name"], present: ["有", "Present"], absent: ["无", "Absent"], unknown: ["不清楚", "Unknown"],
  noFinding: ["没有这个名称的征象:请从列表中选择", "No finding of that name: choose from the list"],
  remove: ["移除", "Remove"],
  go: ["分析", "Analyse"], clear: ["清空", "Clear"],
  count: ["{n} / 20000 字", "{n} of 20,000 characters"],
  empty: ["请先描述病情或勾选征象", "Describe the case or add a finding first"],
  tooLong: ["文本过长({n} 字,最多 20000):请分段输入", "The text is too long ({n} characters, at most 20,000): split it"],
  badAge: ["年龄:请填 0 到 130 之间的数", "Age: give a number from 0 to 130"],
  working: ["正在分析……", "Analysing…"],
  badgeLoading: ["正在加载", "Loading"], badgeReady: ["可用,正在保存以便离线", "Ready; saving for offline use"],
  badgeKept: ["已可离线使用", "Works offline"], badgeOffline: ["离线使用中", "Offline"], badgeOnline: ["可用(未能保存为离线)", "Ready (could not be kept offline)"],
  badgeBroken: ["不能使用", "Not usable"],
  stepFiles: ["核对文件", "Checking files"], stepPython: ["启动运行时", "Starting the runtime"], stepGraph: ["装入知识图谱", "Loading the knowledge graph"], stepModel: ["装入文本模型", "Loading the text model"],
  damaged: ["文件 {file} 已损坏或不是原文件,未运行。请重新获取整个文件夹。", "File {file} is damaged or not the original; nothing was run. Get the whole folder again."],
  unreachable: ["文件 {file} 读不到(首次打开需要连到提供此页的机器)。", "File {file} cannot be reached (the first visit needs the machine that serves this page)."],
  failed: ["不能启动:{why}", "Could not start: {why}"],
  reload: ["重新加载", "Reload"],
  redFlags: ["危险信号", "Red flags"], because: ["依据:", "Because of: "],
  notExcluded: ["尚未排除的危险情况", "Dangers not yet excluded"],
  differential: ["鉴别诊断", "Differential"], noAnswer: ["不作排序", "No ranking"],
  percentNote: ["此处不给百分比:未在真实病例上校准。高/中/低为相对可能性。", "No percentages here: not calibrated on real cases. High/medium/low is relative."],
  evidence: ["依据", "Evidence"], options: ["处理选项(已核对禁忌)", "Options (checked against the patient)"],
  excludeFirst: ["先排除:", "Exclude first: "], for: ["支持", "for"], against: ["反对", "against"],
  modelSays: ["文本模型", "Text model"],
  provenance: ["知识条目 {rows} 条,有出处 {verified} 条,经医师审阅 {reviewed} 条", "{rows} graph rows, {verified} with a source, {reviewed} reviewed by a clinician"],
  exams: ["建议检查", "Recommended examinations"], later: ["以上阴性后再考虑", "Only after the above are negative"],
  question: ["下一个最有用的问题", "The most useful next question"],
  read: ["从描述中读到的", "What was read"], problems: ["请核对", "Please check"],
  answered: ["本机计算用时 {ms} 毫秒", "Computed on this device in {ms} ms"],
  print: ["打印", "Print"],
  selftest: ["自检(一致性向量)", "Self-test (conformance vectors)"],
  selftested: ["{agreed} / {of} 一致", "{agreed} of {of} agree"],
  versions: ["杏林 {xinglin} · 图谱 {pack} · {engine} · 数据包 {edge}", "Xinglin {xinglin} · graph {pack} · {engine} · package {edge}"],
};
let place = 0;
export const language = () => (place === 0 ? "zh" : "en");
export function setLanguage(lang) { place = lang === "en" ? 1 : 0; }
export function say(key, values = {}) {
  return PHRASES[key][place].replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}
export const joined = (names) => names.join(place === 0 ? "、" : ", ");
