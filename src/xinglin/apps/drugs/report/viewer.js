// A view of a pocket and a ligand that is turned with mouse, touch or arrow keys: 2-D canvas, no WebGL, no library.
// Each element with data-scene="ID" shows the JSON of the element with that id; a button with data-show="N" and
// data-view="ID" shows its Nth ligand.
"use strict";
(() => {
  const COLOURS = { C: "#8a8f98", N: "#3b6fd4", O: "#d64541", S: "#c9a227", F: "#3aa655", CL: "#2f9e44", BR: "#8b3a2f",
    I: "#6f42c1", P: "#e67e22", H: "#c8ccd2", ZN: "#7d80b0", MG: "#2e8b57", MN: "#9c7ac7", CA: "#3d9970", FE: "#e06633" };
  const LIGAND_CARBON = "#e08a1e";

  function view(holder) {
    const scene = JSON.parse(document.getElementById(holder.dataset.scene).textContent);
    const canvas = holder.querySelector("canvas");
    const pen = canvas.getContext("2d");
    let turn = [1, 0, 0, 0, 1, 0, 0, 0, 1];
    let zoom = 1, shown = 0, labels = true, pending = false;

    const spread = Math.max(6, ...scene.reach);
    const style = getComputedStyle(holder);

    function place(p) {
      return [turn[0] * p[0] + turn[1] * p[1] + turn[2] * p[2],
        turn[3] * p[0] + turn[4] * p[1] + turn[5] * p[2],
        turn[6] * p[0] + turn[7] * p[1] + turn[8] * p[2]];
    }

    function draw() {
      pending = false;
      const ratio = window.devicePixelRatio || 1;
      const width = canvas.clientWidth, height = canvas.clientHeight;
      canvas.width = width * ratio;
      canvas.height = height * ratio;
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      const ink = style.getPropertyValue("--x-ink").trim() || "#222";
      const scale = zoom * 0.56 * Math.min(width, height) / spread;
      const flat = (p) => { const q = place(p); return [width / 2 + q[0] * scale, height / 2 - q[1] * scale, q[2]]; };
      const fog = (z) => Math.max(0.16, Math.min(1, 0.62 + 0.45 * z / spread));
      const items = [];
      const molecule = (part, ligand) => {
        const at = part.atoms.map((a) => flat(a.slice(1)));
        const colour = (i) => (ligand && part.atoms[i][0] === "C" ? LIGAND_CARBON : COLOURS[part.atoms[i][0]] || "#999");
        for (const [i, j] of part.bonds) {
          items.push([(at[i][2] + at[j][2]) / 2, () => {
            const mid = [(at[i][0] + at[j][0]) / 2, (at[i][1] + at[j][1]) / 2];
            pen.lineWidth = ligand ? 0.34 * scale : Math.max(1.6, 0.17 * scale);
            pen.lineCap = "butt";
            for (const k of [i, j]) {
              pen.strokeStyle = colour(k);
              pen.beginPath();
              pen.moveTo(at[k][0], at[k][1]);
              pen.lineTo(mid[0], mid[1]);
              pen.stroke();
            }
          }]);
        }
        part.atoms.forEach((atom, i) => {
          if (!ligand && atom[0] === "C") return;
          items.push([at[i][2] + 0.01, () => {
            pen.fillStyle = colour(i);
            pen.beginPath();
            pen.arc(at[i][0], at[i][1], (ligand ? 0.3 : 0.24) * scale, 0, 7);
            pen.fill();
          }]);
        });
      };
      molecule(scene.pocket, false);
      const ligand = scene.ligands[shown];
      if (ligand) {
        molecule(ligand, true);
        for (const [p, q] of ligand.contacts) {
          const a = flat(p), b = flat(q);
          items.push([(a[2] + b[2]) / 2, () => {
            pen.setLineDash([4, 4]);
            pen.lineWidth = 1.6;
            pen.strokeStyle = "#12a4a4";
            pen.beginPath();
            pen.moveTo(a[0], a[1]);
            pen.lineTo(b[0], b[1]);
            pen.stroke();
            pen.setLineDash([]);
          }]);
        }
      }
      for (const [p, q] of scene.box) {
        const a = flat(p), b = flat(q);
        items.push([(a[2] + b[2]) / 2 - 0.5, () => {
          pen.lineWidth = 1.4;
          pen.strokeStyle = "#b5485d";
          pen.beginPath();
          pen.moveTo(a[0], a[1]);
          pen.lineTo(b[0], b[1]);
          pen.stroke();
        }]);
      }
      items.sort((a, b) => a[0] - b[0]);
      for (const [z, paint] of items) {
        pen.globalAlpha = fog(z);
        paint();
      }
      pen.globalAlpha = 1;
      if (labels) {
        pen.font = "12px system-ui, sans-serif";
        pen.textAlign = "center";
        for (const [text, p] of scene.labels) {
          const a = flat(p);
          if (a[2] < -0.35 * spread) continue;
          pen.globalAlpha = fog(a[2]);
          pen.fillStyle = ink;
          pen.fillText(text, a[0], a[1] - 5);
        }
        pen.globalAlpha = 1;
      }
    }

    function later() {
      if (!pending) { pending = true; requestAnimationFrame(draw); }
    }

    function rotate(dx, dy) {
      const cx = Math.cos(dy), sx = Math.sin(dy), cy = Math.cos(dx), sy = Math.sin(dx);
      const step = [cy, 0, sy, sx * sy, cx, -sx * cy, -cx * sy, sx, cx * cy];
      const old = turn;
      turn = [0, 1, 2].flatMap((r) => [0, 1, 2].map((c) =>
        step[3 * r] * old[c] + step[3 * r + 1] * old[3 + c] + step[3 * r + 2] * old[6 + c]));
      later();
    }

    let held = null;
    canvas.addEventListener("pointerdown", (e) => { held = [e.clientX, e.clientY]; canvas.setPointerCapture(e.pointerId); });
    canvas.addEventListener("pointermove", (e) => {
      if (!held) return;
      rotate((e.clientX - held[0]) * 0.01, (e.clientY - held[1]) * 0.01);
      held = [e.clientX, e.clientY];
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { held = null; });
    canvas.addEventListener("wheel", (e) => {
      e.preventDefault();
      zoom = Math.max(0.4, Math.min(6, zoom * Math.exp(-e.deltaY * 0.001)));
      later();
    }, { passive: false });
    canvas.addEventListener("keydown", (e) => {
      const moves = { ArrowLeft: [-0.12, 0], ArrowRight: [0.12, 0], ArrowUp: [0, -0.12], ArrowDown: [0, 0.12] };
      if (moves[e.key]) { e.preventDefault(); rotate(...moves[e.key]); }
      if (e.key === "+" || e.key === "-") { zoom = Math.max(0.4, Math.min(6, zoom * (e.key === "+" ? 1.1 : 0.9))); later(); }
    });
    const toggle = holder.querySelector("input");
    if (toggle) toggle.addEventListener("change", () => { labels = toggle.checked; later(); });
    const title = holder.querySelector("[data-title]");

    function show(index) {
      shown = index;
      if (title && scene.ligands[index]) title.textContent = scene.ligands[index].name;
      for (const button of document.querySelectorAll(`[data-view="${holder.dataset.scene}"]`)) {
        button.setAttribute("aria-pressed", String(Number(button.dataset.show) === index));
      }
      later();
    }
    for (const button of document.querySelectorAll(`[data-view="${holder.dataset.scene}"]`)) {
      button.addEventListener("click", () => {
        show(Number(button.dataset.show));
        holder.scrollIntoView({ block: "nearest", behavior: "smooth" });
      });
    }
    window.addEventListener("resize", later);
    rotate(0.5, 0.35);
    show(0);
  }

  document.querySelectorAll("[data-scene]").forEach(view);
})();
