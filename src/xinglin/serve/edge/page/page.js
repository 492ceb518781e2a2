// The page: words, form, worker, badge. Keeps nothing: no storage, no history of cases.
import { say, setLanguage, language } from "./phrases.js";
import { make, show } from "./show.js";

const MAX = 20000;
const $ = (id) => document.getElementById(id);
const version = document.querySelector("meta[name=edge-version]").content;
const answers = new Map();  // finding id -> state, what was ticked or answered
let choices = new Map(), opened = null, last = null, state = "loading", kept = false, broken = null;

// --- the worker, one promise a message
const waiting = new Map();
let worker = null, serial = 0;
function ask(message) {
  const id = ++serial;
  return new Promise((resolve, reject) => { waiting.set(id, { resolve, reject }); worker.postMessage({ ...message, id }); });
}
function listen() {
  worker = new Worker("worker.js", { type: "module" });
  worker.onmessage = ({ data }) => {
    if (data.kind === "progress") { progress(data); return; }
    const { resolve, reject } = waiting.get(data.id);
    waiting.delete(data.id);
    if (data.error === undefined) resolve(data.value); else reject(data);
  };
  worker.onerror = (event) => { event.preventDefault(); fail({ error: event.message || "worker.js", file: null, why: null }); };
}
let step = { step: "files", share: 0 };
const STEPS = { files: "stepFiles", python: "stepPython", graph: "stepGraph", model: "stepModel" };
function progress(data) {
  step = data;
  $("bar").value = data.step === "files" ? 0.4 * data.share : 0.4 + 0.6 * data.share;
  $("step").textContent = say(STEPS[data.step]);
}

// --- words
function speak() {
  document.documentElement.lang = language();
  for (const node of document.querySelectorAll("[data-say]")) node.textContent = say(node.dataset.say);
  $("text").placeholder = say("placeholder");
  $("lang").textContent = language() === "zh" ? "English" : "中文";
  $("lang").lang = language() === "zh" ? "en" : "zh";
  progress(step); badge(); count(); ticked(); list(); foot();
  if (broken) fail(broken);
}
function badge() {
  const offline = navigator.onLine === false;
  const key = state === "broken" ? "badgeBroken" : state === "loading" ? "badgeLoading"
    : offline ? "badgeOffline" : kept ? "badgeKept" : state === "alone" ? "badgeOnline" : "badgeReady";
  $("badge").dataset.state = state === "broken" ? "broken" : state === "loading" ? "loading" : offline || kept ? "kept" : "ready";
  $("badge").textContent = say(key);
}
function foot() {
  $("disclaimer").textContent = $("disclaimer").dataset[language()];
  if (!opened) return;
  $("versions").textContent = say("versions", { xinglin: opened.xinglin, pack: opened.model.version, engine: opened.model.engine, edge: version.slice(0, 12) });
}
const length = (text) => [...text].length;
function count() { $("count").textContent = say("count", { n: length($("text").value) }); $("count").classList.toggle("over", length($("text").value) > MAX); }

// --- ticked findings
function list() {
  const column = language() === "zh" ? 1 : 2;
  $("findings").replaceChildren(...[...choices.values()].map((row) => make("option", { value: row[column] })));
}
function ticked() {
  $("ticked").replaceChildren(...[...answers].map(([key, given]) => make("li", { class: `chip ${given}` },
    `${say(given)} · ${choices.get(key)?.[language() === "zh" ? 1 : 2] ?? key}`,
    make("button", { type: "button", class: "remove", "aria-label": say("remove"), on: () => { answers.delete(key); ticked(); } }, "×"))));
}
function tick(key, given) { answers.set(key, given); ticked(); }
for (const button of document.querySelectorAll("[data-tick]")) button.addEventListener("click", () => {
  const name = $("finding").value.trim().toLowerCase();
  const row = [...choices.values()].find((item) => item.some((word) => word.toLowerCase() === name));
  $("tick-error").textContent = row ? "" : say("noFinding");
  if (!row) return;
  tick(row[0], button.dataset.tick);
  $("finding").value = "";
  $("finding").focus();
});

// --- one case
function patient() {
  const header = {};
  const age = $("age").value.trim();
  if (age) {
    const number = Number(age);
    if (!(number >= 0 && number <= 130)) throw new Error(say("badAge"));
    header.age = number;
  }
  if ($("sex").value) header.sex = $("sex").value;
  if ($("pregnant").value) header.pregnant = $("pregnant").value === "true";
  for (const name of ["allergies", "drugs"]) {
    const names = $(name).value.split(/[,,、;;]/).map((word) => word.trim()).filter(Boolean);
    if (names.length) header[name] = names;
  }
  return Object.keys(header).length ? header : null;
}
async function analyse() {
  if (!opened || $("go").disabled) return;
  $("error").textContent = "";
  const text = $("text").value.trim() ? $("text").value : "";
  let header;
  try {
    if (!text && !answers.size) throw new Error(say("empty"));
    if (length(text) > MAX) throw new Error(say("tooLong", { n: length(text) }));
    header = patient();
  } catch (error) {
    $("error").textContent = error.message;
    $("text").focus();
    return;
  }
  const body = { text, lang: language(), answers: Object.fromEntries(answers) };
  if (header) body.patient = header;
  $("go").disabled = true;
  $("go").textContent = say("working");
  try {
    const { reply, ms } = await ask({ kind: "diagnose", body: JSON.stringify(body) });
    if (reply.status !== 200) { $("error").textContent = reply.body.detail; return; }
    last = body;
    show($("answer"), reply.body, ms, opened.names, (key, given) => { tick(key, given); analyse(); });
    $("answer").focus({ preventScroll: true });
    $("answer").scrollIntoView({ block: "start" });
  } catch (error) {
    $("error").textContent = error.error ?? String(error);
  } finally {
    $("go").disabled = false;
    $("go").textContent = say("go");
  }
}
function clear() {
  for (const id of ["text", "age", "sex", "pregnant", "allergies", "drugs", "finding"]) $(id).value = "";
  answers.clear(); last = null;
  for (const id of ["answer", "error", "tick-error", "selftested"]) $(id).replaceChildren();
  ticked(); count(); $("text").focus();
}

// --- states
function fail(problem) {
  broken = problem; state = "broken";
  const line = problem.file ? say(problem.why === "unreachable" ? "unreachable" : "damaged", { file: problem.file }) : say("failed", { why: problem.error });
  $("fatal").replaceChildren(make("p", {}, line), make("button", { type: "button", class: "quiet", on: () => location.reload() }, say("reload")));
  $("fatal").hidden = false;
  $("loading").hidden = true;
  $("go").disabled = true;
  badge();
}
async function keep() {
  const container = navigator.serviceWorker;
  if (!container) { state = "alone"; badge(); return; }
  container.addEventListener("message", ({ data }) => {
    if (data.kind === "damaged") fail({ error: data.file, file: data.file, why: "digest" });
  });
  try {
    await container.register("sw.js", { updateViaCache: "none" });
    await container.ready;
    kept = true;
  } catch { state = state === "broken" ? state : "alone"; }
  badge();
}

$("form").addEventListener("submit", (event) => { event.preventDefault(); analyse(); });
$("text").addEventListener("input", count);
$("text").addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) analyse(); });
$("sample").addEventListener("click", () => { $("text").value = say("sampleText"); count(); });
$("clear").addEventListener("click", clear);
$("lang").addEventListener("click", () => { setLanguage(language() === "zh" ? "en" : "zh"); speak(); if (last) analyse(); });
$("selftest").addEventListener("click", async () => {
  $("selftested").textContent = "…";
  try { $("selftested").textContent = say("selftested", await ask({ kind: "vectors" })); } catch (error) { $("selftested").textContent = error.error; }
});
addEventListener("beforeprint", () => { for (const fold of document.querySelectorAll("#answer details")) fold.open = true; });
addEventListener("online", badge);
addEventListener("offline", badge);

if (!document.documentElement.hasAttribute("data-refused")) {
  if (!(navigator.language || "zh").toLowerCase().startsWith("zh")) setLanguage("en");
  speak();
  listen();
  try {
    opened = await ask({ kind: "open", version });
    choices = new Map(opened.choices.map((row) => [row[0], row]));
    state = "ready";
    $("loading").hidden = true;
    $("go").disabled = $("selftest").disabled = false;
    document.documentElement.dataset.ready = String(Math.round(opened.ms));
    speak();
    await keep();
  } catch (problem) { fail(problem.error === undefined ? { error: String(problem), file: null, why: null } : problem); }
} else { state = "broken"; speak(); $("loading").hidden = true; }
