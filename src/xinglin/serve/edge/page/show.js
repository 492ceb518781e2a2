// An answer of the engine -> elements. Text only: nothing of an answer is read as markup.
import { say, joined, language } from "./phrases.js";

export function make(tag, options = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (name === "class") node.className = value;
    else if (name === "on") node.addEventListener("click", value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

const section = (title, kind, ...children) => make("section", { class: `card ${kind}` }, make("h2", {}, title), ...children);

function triage(answer) {
  return make("div", { class: `triage level-${answer.triage_level}` }, make("strong", {}, answer.triage));
}

function redFlags(answer) {
  if (!answer.red_flags.length) return null;
  return section(say("redFlags"), "red", make("ul", { class: "rows" }, ...answer.red_flags.map((flag) => make("li", {},
    make("b", {}, flag.display), " ", make("span", { class: `pill level-${flag.level}` }, flag.level_display),
    make("p", {}, flag.action),
    flag.facts.length ? make("p", { class: "muted" }, say("because") + joined(flag.facts)) : null))));
}

function open(answer) {
  if (!answer.not_excluded.length) return null;
  return section(say("notExcluded"), "amber", make("ul", { class: "rows" }, ...answer.not_excluded.map((sign) => make("li", {},
    make("b", {}, sign.display), make("p", {}, sign.question)))));
}

function evidence(candidate) {
  const rows = candidate.evidence.map((item) => {
    const side = item.weight >= 0 ? "for" : "against";
    const name = item.origin === "model" ? say("modelSays") : item.state === "absent" ? `${say("absent")} · ${item.finding}` : item.finding;
    const width = Math.min(10, Math.max(1, Math.round(Math.abs(item.weight) * 2)));
    return make("li", { class: `ev ${side}` }, make("span", {}, name),
      make("i", { class: `bar w${width}`, role: "img", "aria-label": say(side) }),
      make("span", { class: "number" }, (item.weight > 0 ? "+" : "") + item.weight.toFixed(2)));
  });
  return rows.length ? make("ul", { class: "evidence" }, ...rows) : null;
}

function options(candidate) {
  if (!candidate.options.length) return null;
  return make("div", {}, make("h4", {}, say("options")), make("ul", { class: "rows small" }, ...candidate.options.map((option) => {
    const notes = option.checks.filter((check) => check.outcome !== "clear").map((check) =>
      `${check.check_display}: ${check.display}${check.condition ? ` (${check.condition})` : ""}`);
    return make("li", {}, make("b", {}, option.display), " ", make("span", { class: "muted" }, option.kind_display),
      notes.length ? make("p", { class: "muted" }, notes.join(language() === "zh" ? ";" : "; ")) : null);
  })));
}

function candidate(item, index) {
  const chance = item.probability === null ? item.level_display : `${(item.probability * 100).toFixed(0)} %`;
  const first = item.exclude_before.map((other) => other.display);
  return make("li", {}, make("details", { open: index === 0 },
    make("summary", {}, make("span", { class: "rank" }, String(index + 1)), make("b", {}, item.code.display),
      make("span", { class: `pill chance-${item.level}` }, chance), make("span", { class: "muted code" }, item.code.value)),
    first.length ? make("p", { class: "first" }, say("excludeFirst") + joined(first)) : null,
    make("h4", {}, say("evidence")), evidence(item), options(item),
    make("p", { class: "muted" }, say("provenance", item.provenance))));
}

function differential(answer) {
  if (!answer.candidates.length) return section(say("noAnswer"), "", make("p", {}, answer.reason ?? ""));
  const uncalibrated = answer.candidates.every((item) => item.probability === null);
  return section(say("differential"), "", answer.reason ? make("p", { class: "note" }, answer.reason) : null,
    make("ol", { class: "candidates" }, ...answer.candidates.map(candidate)),
    uncalibrated ? make("p", { class: "muted" }, say("percentNote")) : null,
    answer.prediction_set.length ? make("p", { class: "set" }, make("b", {}, answer.prediction_set_title), " ",
      joined(answer.prediction_set.map((item) => item.display))) : null);
}

function exams(answer) {
  if (!answer.exams.length) return null;
  const row = (exam) => make("li", {}, make("b", {}, exam.display), " ", make("span", { class: "pill plain" }, exam.available_display),
    make("p", { class: "muted" }, exam.reason));
  const later = answer.exams.filter((exam) => exam.stage !== "now");
  return section(say("exams"), "", make("ul", { class: "rows" }, ...answer.exams.filter((exam) => exam.stage === "now").map(row)),
    later.length ? make("details", {}, make("summary", {}, say("later")), make("ul", { class: "rows" }, ...later.map(row))) : null);
}

function question(answer, tick) {
  if (!answer.question) return null;
  const asked = answer.question.finding;
  return section(say("question"), "ask", make("p", {}, answer.question.text), make("div", { class: "acts" },
    ...["present", "absent", "unknown"].map((state) => make("button", { type: "button", class: "quiet", on: () => tick(asked, state) }, say(state)))));
}

function read(answer) {
  if (!answer.findings.length) return null;
  const shown = answer.findings.map((item) => make("li", { class: `chip ${item.state}` },
    `${item.state === "present" ? "" : `${item.state_display} · `}${item.code.display}${item.value === null ? "" : ` ${item.value} ${item.unit ?? ""}`}`));
  return make("details", { class: "card" }, make("summary", {}, `${say("read")} (${answer.findings.length})`), make("ul", { class: "chips" }, ...shown));
}

function problems(answer) {
  if (!answer.problems.length) return null;
  return section(say("problems"), "amber", make("ul", { class: "plain" }, ...answer.problems.map((line) => make("li", {}, line))));
}

export function show(place, answer, ms, tick) {
  place.replaceChildren(...[
    triage(answer), redFlags(answer), open(answer), problems(answer), differential(answer), exams(answer), question(answer, tick), read(answer),
    make("p", { class: "muted foot" }, say("answered", { ms: Math.round(ms.total) }), " · ", make("button", { type: "button", class: "link", on: () => print() }, say("print"))),
  ].filter((part) => part !== null));
}
