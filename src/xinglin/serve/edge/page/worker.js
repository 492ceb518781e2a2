// The engine's thread: checks every file, starts Python, ONNX Runtime and the tokenizer, answers one request at a time.
// Nothing leaves it but messages to the page of the same tab.

const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const digest = async (buffer) => hex(await crypto.subtle.digest("SHA-256", buffer));

class Damaged extends Error {
  constructor(file, why) { super(`${file}: ${why}`); this.file = file; this.why = why; }
}

async function load(name) {
  let answer;
  try { answer = await fetch(name, { credentials: "same-origin" }); } catch { throw new Damaged(name, "unreachable"); }
  if (!answer.ok) throw new Damaged(name, `HTTP ${answer.status}`);
  return answer.arrayBuffer();
}

// Reads the list, then every file of it; returns name -> bytes of what is used as bytes.
async function verified(version, progress) {
  const list = await load("edge.json");
  if (await digest(list) !== version) throw new Damaged("edge.json", "digest");
  const manifest = JSON.parse(new TextDecoder().decode(list));
  const total = Object.values(manifest.files).reduce((sum, file) => sum + file.size, 0);
  let done = 0;
  const bytes = {};
  for (const [name, file] of Object.entries(manifest.files)) {
    const content = await load(name);
    if (content.byteLength !== file.size || await digest(content) !== file.sha256) throw new Damaged(name, "digest");
    if (/\.(zip|whl|onnx|json|wasm)$/.test(name)) bytes[name] = content;
    done += file.size;
    progress("files", done / total);
  }
  return { manifest, bytes };
}

let tab = null, session = null, tokenizer = null, ort = null;

async function open(version) {
  const started = performance.now();
  const progress = (step, share) => postMessage({ kind: "progress", step, share });
  const { manifest, bytes } = await verified(version, progress);
  progress("python", 0);
  const { loadPyodide } = await import("./runtime/pyodide.mjs");
  const python = await loadPyodide({ indexURL: new URL("./runtime/", self.location.href).href });
  progress("python", 0.3);
  for (const wheel of manifest.wheels) python.unpackArchive(bytes[wheel], "wheel");
  const site = python.runPython("import site; site.getsitepackages()[0]");
  python.unpackArchive(bytes[manifest.package], "zip", { extractDir: site });
  progress("graph", 0.5);
  tab = python.runPython(`from xinglin.serve.edge.tab import Tab; Tab.open(${JSON.stringify(`${site}/edge`)})`);
  if (manifest.encoder) {
    progress("model", 0.9);
    ort = await import("./runtime/ort.wasm.bundle.min.mjs");
    const { Tokenizer } = await import("./runtime/tokenizers.min.mjs");
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.wasmBinary = bytes["runtime/ort-wasm-simd-threaded.wasm"];
    ort.env.logLevel = "error";
    const json = (name) => JSON.parse(new TextDecoder().decode(bytes[name]));
    tokenizer = new Tokenizer(json("model/tokenizer.json"), json("model/tokenizer_config.json"));
    session = await ort.InferenceSession.create(new Uint8Array(bytes["model/model.onnx"]), { executionProviders: ["wasm"] });
  }
  const first = await respond(JSON.stringify({ text: "头痛" }));  // the first answer fills caches of the engine
  return {
    choices: JSON.parse(tab.choices()), model: JSON.parse(tab.model()), disclaimer: manifest.disclaimer,
    xinglin: manifest.xinglin, ready: first.reply.status === 200, ms: performance.now() - started,
  };
}

// Mean logits over the windows of a text, as on the server; null: no token to read.
async function logitsOf(words) {
  const ids = words ? tokenizer.encode(words, { add_special_tokens: false }).ids : [];
  if (!ids.length) return null;
  const proxy = tab.windows(ids);
  const windows = proxy.toJs();
  proxy.destroy();
  let mean = null;
  for (const window of windows) {
    const shape = [1, window.length];
    const out = await session.run({
      input_ids: new ort.Tensor("int64", BigInt64Array.from(window, BigInt), shape),
      attention_mask: new ort.Tensor("int64", new BigInt64Array(window.length).fill(1n), shape),
    }, ["logits"]);
    const row = out.logits.data;
    if (mean === null) mean = new Float32Array(row.length);
    for (let i = 0; i < row.length; i++) mean[i] += row[i];
  }
  return mean.map((value) => value / windows.length);
}

async function respond(body) {
  const started = performance.now();
  const logits = session ? await logitsOf(tab.words(body)) : null;
  const told = performance.now();
  const reply = JSON.parse(tab.respond(body, logits === null ? undefined : logits));
  const ended = performance.now();
  return { reply, ms: { model: told - started, engine: ended - told, total: ended - started } };
}

const vectors = async () => JSON.parse(tab.vectors());

const acts = { open: ({ version }) => open(version), diagnose: ({ body }) => respond(body), vectors };
let queue = Promise.resolve();
self.onmessage = ({ data }) => {
  queue = queue.then(async () => {
    try {
      postMessage({ id: data.id, value: await acts[data.kind](data) });
    } catch (error) {
      // Python's message ends with the error's own line; the trace before it is of no use to a reader.
      const lines = String(error?.message ?? error).trim().split("\n");
      postMessage({ id: data.id, error: lines[lines.length - 1].slice(0, 400), file: error?.file ?? null, why: error?.why ?? null });
    }
  });
};
