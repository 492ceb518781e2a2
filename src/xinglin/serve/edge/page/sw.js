// Keeps the whole folder for use without a network. A file whose digest is not the listed one is named and not kept.
const VERSION = "@EDGE_VERSION@";
const CACHE = `xinglin-edge-${VERSION}`;
const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const digest = async (buffer) => hex(await crypto.subtle.digest("SHA-256", buffer));

async function tell(message) {
  for (const client of await self.clients.matchAll({ includeUncontrolled: true })) client.postMessage(message);
}

async function keep(cache, name, sha256) {
  const answer = await fetch(new Request(name, { cache: "no-cache" }));
  const content = answer.ok ? await answer.clone().arrayBuffer() : null;
  if (content === null || (sha256 && await digest(content) !== sha256)) {
    await tell({ kind: "damaged", file: name });
    throw new Error(`${name}: not the file of edge.json`);
  }
  await cache.put(name, answer);
  return content;
}

async function keepAll() {
  const cache = await caches.open(CACHE);
  const list = JSON.parse(new TextDecoder().decode(await keep(cache, "edge.json", VERSION)));
  for (const [name, file] of Object.entries(list.files)) await keep(cache, name, file.sha256);
  await keep(cache, "index.html", null);
  await tell({ kind: "kept" });
}

self.addEventListener("install", (event) => {
  event.waitUntil(keepAll().then(() => self.skipWaiting()));
});
self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) if (name.startsWith("xinglin-edge-") && name !== CACHE) await caches.delete(name);
    await self.clients.claim();
  })());
});
self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url), scope = new URL(self.registration.scope);
  if (event.request.method !== "GET" || url.origin !== scope.origin || !url.pathname.startsWith(scope.pathname)) return;
  event.respondWith((async () => {
    const cache = await caches.open(CACHE);
    const name = url.pathname === scope.pathname ? "index.html" : url.pathname.slice(scope.pathname.length);
    return (await cache.match(name)) ?? fetch(event.request);
  })());
});
