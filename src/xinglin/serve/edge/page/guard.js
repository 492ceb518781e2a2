// Old syntax on purpose: it must run where the rest cannot, and say so.
(function () {
  var missing = [];
  if (typeof WebAssembly !== "object") missing.push("WebAssembly");
  // The smallest module that uses a 128-bit vector (i8x16.popcnt of a splat): ONNX Runtime needs them.
  else if (!WebAssembly.validate(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11]))) missing.push("WebAssembly SIMD");
  if (typeof Worker !== "function") missing.push("Web Worker");
  if (typeof BigInt64Array !== "function") missing.push("BigInt");
  if (!("noModule" in document.createElement("script"))) missing.push("ES modules");
  var place = location.protocol === "file:" || !(window.crypto && crypto.subtle);
  if (missing.length === 0 && !place) return;
  var box = document.getElementById("fatal");
  var why = missing.length
    ? ["浏览器过旧,缺少 " + missing.join("、") + ":请更新浏览器。",
       "This browser is too old: it lacks " + missing.join(", ") + ". Update it."]
    : ["请通过 https 或 http://127.0.0.1 打开此页(例如 xinglin serve --edge),不能直接打开文件。",
       "Open this page over https or http://127.0.0.1 (for example xinglin serve --edge), not as a file."];
  for (var i = 0; i < why.length; i++) {
    var line = document.createElement("p");
    line.appendChild(document.createTextNode(why[i]));
    box.appendChild(line);
  }
  box.hidden = false;
  document.documentElement.setAttribute("data-refused", "");
})();
