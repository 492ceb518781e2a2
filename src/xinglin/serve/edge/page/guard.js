// Old syntax on purpose: it must run where the rest cannot, and say so.
(function () {
  var missing = [];
  if (typeof WebAssembly !== "object") missing.push("WebAssembly");
  if (typeof Worker !== "function") missing.push("Web Worker");
  if (typeof BigInt64Array !== "function") missing.push("BigInt");
  if (!("noModule" in document.createElement("script"))) missing.push("ES modules");
  var place = location.protocol === "file:" || !(window.crypto && crypto.subtle);
  if (missing.length === 0 && !place) return;
  var box = document.getElementById("fatal");
  var why = missing.length
    ? ["浏览器过旧,缺少 " + missing.join("、") + ":请更新浏览器(Chrome/Edge 80、Firefox 114、Safari 15 或更新)。",
       "This browser is too old: it lacks " + missing.join(", ") + ". Update it (Chrome/Edge 80, Firefox 114, Safari 15 or newer)."]
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
