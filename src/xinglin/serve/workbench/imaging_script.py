"""What the browser does by itself on the imaging pages: wheel, pointer, keys, prefetching, sending files.

The server draws and decides; here movements are gathered, at most one event a frame of the screen goes to it, and the
pictures of neighbouring slices are fetched ahead.
"""

VIEWER = r"""
if (!window.xinglinImaging) {
  const state = window.xinglinImaging = {ahead: [], marks: []};
  const paneOf = event => event.target.closest && event.target.closest('.xi-pane[data-plane]');
  let turned = {}, moved = null, waiting = false, pressed = null;
  const later = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      for (const [pane, steps] of Object.entries(turned)) emitEvent('xinglin_turn', {pane, steps});
      turned = {};
      if (moved) emitEvent('xinglin_point', moved);
      moved = null;
    });
  };
  const turn = (pane, steps) => { turned[pane] = (turned[pane] || 0) + steps; later(); };
  let rest = 0;
  document.addEventListener('wheel', event => {
    const pane = paneOf(event);
    if (!pane) return;
    event.preventDefault();
    if (event.ctrlKey || event.metaKey) {
      emitEvent('xinglin_zoom', {steps: event.deltaY < 0 ? 1 : -1});
      return;
    }
    // A mouse wheel turns by 100 or so a notch, a touch pad by a few pixels at a time.
    const moved = event.deltaMode === 1 ? event.deltaY * 33 : event.deltaY;
    if (Math.abs(moved) >= 60) rest = Math.sign(moved) * 30;
    else rest += moved;
    const steps = Math.trunc(rest / 30);
    rest -= steps * 30;
    if (steps) turn(pane.dataset.plane, steps);
  }, {passive: false});
  const place = (pane, event) => {
    const image = pane.querySelector('img'), box = image.getBoundingClientRect();
    return {
      pane: pane.dataset.plane,
      x: (event.clientX - box.left) / box.width * image.naturalWidth,
      y: (event.clientY - box.top) / box.height * image.naturalHeight,
    };
  };
  document.addEventListener('pointerdown', event => {
    const pane = paneOf(event);
    if (!pane || event.button !== 0 || !pane.querySelector('img')) return;
    pressed = pane;
    moved = {...place(pane, event), kind: 'down'};
    later();
  });
  document.addEventListener('pointermove', event => {
    if (!pressed || !(event.buttons & 1)) return;
    moved = {...place(pressed, event), kind: 'drag'};
    later();
  });
  document.addEventListener('pointerup', () => { pressed = null; });
  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || document.querySelector('.q-dialog')) return;
    if (event.target.closest('input, textarea, [contenteditable=true], .q-slider')) return;
    const key = event.key.toLowerCase();
    const pane = document.querySelector('.xi-pane:hover')?.dataset.plane || 'axial';
    if (key === 'arrowup' || key === 'arrowdown') { turn(pane, key === 'arrowup' ? -1 : 1); event.preventDefault(); }
    else if (key === 'arrowleft' && xinglin.press('previous')) event.preventDefault();
    else if (key === 'arrowright' && xinglin.press('next')) event.preventDefault();
    else if (/^[1-6]$/.test(key) && xinglin.press('window-' + key)) event.preventDefault();
    else if (key === 'a' && xinglin.press('accept')) event.preventDefault();
    else if (key === 'r' && xinglin.press('reject')) event.preventDefault();
    else if (key === 'm' && xinglin.press('measure')) event.preventDefault();
  });
  state.fetch = urls => {
    state.ahead = urls.map(url => { const image = new Image(); image.src = url; return image; });
  };
}
"""
UPLOAD = r"""
window.xinglinSend = async (input, key) => {
  const files = [...input.files], told = document.querySelector('[data-key=upload-told]');
  input.value = '';
  if (!files.length) return;
  let done = 0, failed = '';
  const next = async () => {
    while (files.length && !failed) {
      const file = files.shift();
      const address = `/imaging/upload/${key}?name=${encodeURIComponent(file.webkitRelativePath || file.name)}`;
      const answer = await fetch(address, {method: 'PUT', body: file});
      if (!answer.ok) { failed = (await answer.json().catch(() => ({}))).detail || String(answer.status); return; }
      done += 1;
      told.style.setProperty('--done', done / (done + files.length));
      told.textContent = `${done} / ${done + files.length}`;
    }
  };
  await Promise.all([next(), next(), next()]);
  emitEvent('xinglin_sent', {key, failed});
};
"""
