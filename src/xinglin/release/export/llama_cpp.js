"use strict";
// Asked by llama_cpp.py, a line of JSON a question: {text, special} -> {tokens}; {ids, size} -> {logits}, one row of
// little-endian 32-bit floats in base64 for each token. Arguments: folder with node-llama-cpp, GGUF file, context.
const {createInterface} = require("node:readline");
const {pathToFileURL} = require("node:url");
const {join} = require("node:path");

const [place, file, contextSize] = process.argv.slice(2);
const say = (value) => process.stdout.write(JSON.stringify(value) + "\n");

async function main() {
  const library = pathToFileURL(join(place, "node_modules", "node-llama-cpp", "dist", "index.js"));
  const {getLlama, LlamaLogLevel} = await import(library);
  // Never built, never downloaded: the prebuilt library of the package, or an error.
  const llama = await getLlama({gpu: false, build: "never", logLevel: LlamaLogLevel.disabled, maxThreads: 1});
  const model = await llama.loadModel({modelPath: file});
  const context = await model.createContext({contextSize: Number(contextSize), threads: 1, flashAttention: false});
  const sequence = context.getSequence();
  const release = llama.llamaCppRelease ? llama.llamaCppRelease.release : "";
  const metadata = model.fileInfo.metadata;
  say({ready: true, version: release, template: metadata.tokenizer.chat_template ?? null});
  for await (const line of createInterface({input: process.stdin})) {
    const asked = JSON.parse(line);
    if (asked.text !== undefined) {
      say({tokens: model.tokenize(asked.text, asked.special)});
      continue;
    }
    await sequence.clearHistory();
    const found = await sequence.controlledEvaluate(asked.ids.map((id) => [id, {generateNext: {logits: true}}]));
    const rows = found.map((item) => {
      const row = new Float32Array(asked.size).fill(-Infinity);
      for (const [token, value] of item.next.logits) row[token] = value;
      return Buffer.from(row.buffer).toString("base64");
    });
    say({logits: rows});
  }
}

main().then(() => process.exit(0), (error) => {
  say({error: String(error).slice(0, 400)});
  process.exit(1);
});
