"""Keys of the annotation desk, and the marking of words by mouse or key.

Offsets are counted in characters (code points), not in the UTF-16 units of the browser. Marking by key: ``m`` puts a
cursor on the text, arrows move it by character and clause, ``m``, space or Enter set the start and then the end.
"""

SCRIPT = r"""
if (!window.xinglinDesk) {
  window.xinglinDesk = true;
  const press = key => xinglin.press(key);
  const chosen = () => document.querySelector('.xa-choice.xa-picked') || document.querySelector('.xa-choices .xa-choice');
  const move = step => {
    const all = [...document.querySelectorAll('.xa-choices .xa-choice')];
    if (!all.length) return;
    const at = all.findIndex(one => one.classList.contains('xa-picked'));
    all.forEach(one => one.classList.remove('xa-picked'));
    const next = all[(at + step + all.length) % all.length];
    next.classList.add('xa-picked');
    next.scrollIntoView({block: 'nearest'});
  };
  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
    const typing = event.target.closest('input, textarea, [contenteditable=true]');
    const dialog = document.querySelector('.q-dialog');
    if (dialog) {
      if (!typing && /^[1-9]$/.test(event.key) && press('reason-' + event.key)) event.preventDefault();
      return;
    }
    if (typing) {
      if (!typing.matches('[data-key=search]')) return;
      if (event.key === 'ArrowDown') { move(1); event.preventDefault(); }
      else if (event.key === 'ArrowUp') { move(-1); event.preventDefault(); }
      else if (event.key === 'Enter') {
        const one = chosen();
        if (one) { typing.blur(); one.click(); }
        event.preventDefault();
      }
      else if (event.key === 'Escape') typing.blur();
      return;
    }
    const lower = event.key.toLowerCase();
    if (cursor) {
      if (steer(event.key, lower)) { event.preventDefault(); return; }
      leave();
    }
    if (lower === 'm' && begin()) event.preventDefault();
    else if (/^[jklx]$/.test(lower) && press(lower === 'x' ? 'none' : 'sure-' + lower)) event.preventDefault();
    else if (/^[0-9]$/.test(event.key) && press('label-' + event.key)) event.preventDefault();
    else if ((event.key === ' ' || event.key === 'Enter') && !event.target.closest('a, summary')) {
      if (press('confirm') || press('give')) event.preventDefault();
    }
    else if (lower === 'u' && (press('undo') || press('undo-last'))) event.preventDefault();
    else if (lower === 'n' && press('skip')) event.preventDefault();
  });
  // A button that was clicked keeps the focus, and the next space would press it again.
  document.addEventListener('click', event => {
    const pressed = event.target.closest('.xa-choice, .xa-confirm, .xa-acts, .xa-sure, .xa-giving');
    if (event.detail && pressed) document.activeElement.blur();
  });
  const length = text => [...text].length;
  // The cursor: offsets in UTF-16 units; `from` is the start once it is set, `at` the character under the cursor.
  let cursor = null, last = 0;
  const area = () => document.querySelector('.xa-text');
  const clause = /[,,。;;::、!!??\s]/;
  const place = offset => {
    const walker = document.createTreeWalker(area(), NodeFilter.SHOW_TEXT);
    for (let node; (node = walker.nextNode());) {
      if (offset <= node.length) return [node, offset];
      offset -= node.length;
    }
    return [area(), area().childNodes.length];
  };
  const unit = (text, at) => at + (text.codePointAt(at) > 0xffff ? 2 : 1);
  const step = (text, at, way) => {
    if (way > 0) return unit(text, at) < text.length ? unit(text, at) : at;
    return at > 1 && unit(text, at - 2) === at ? at - 2 : Math.max(0, at - 1);
  };
  const jump = (text, at, way) => {
    const wanted = cursor.from === null ? -1 : 1;  // the start of a clause, or its end
    for (let next = step(text, at, way); ; next = step(text, next, way)) {
      const beside = next + (wanted < 0 ? -1 : 1);
      const edge = beside < 0 || beside >= text.length || clause.test(text[beside]);
      if ((edge && !clause.test(text[next])) || next === step(text, next, way)) return next;
    }
  };
  const draw = () => {
    const text = area().textContent, from = cursor.from ?? cursor.at, range = document.createRange();
    range.setStart(...place(Math.min(from, cursor.at)));
    range.setEnd(...place(unit(text, Math.max(from, cursor.at))));
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    const seen = range.getBoundingClientRect();
    if (seen.bottom > innerHeight - 90 || seen.top < 90) scrollBy({top: seen.top - innerHeight / 2});
  };
  const leave = () => {
    last = cursor ? cursor.at : last;
    cursor = null;
    getSelection().removeAllRanges();
    area()?.classList.remove('xa-steered');
  };
  const begin = () => {
    const text = area()?.textContent;
    if (!text || document.querySelector('.xa-vote')?.offsetParent) return false;
    cursor = {at: last < text.length ? last : 0, from: null};
    area().classList.add('xa-steered');
    draw();
    return true;
  };
  const steer = (key, lower) => {
    const text = area()?.textContent;
    if (!text) return false;
    const way = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[key];
    if (way) {
      cursor.at = (key === 'ArrowUp' || key === 'ArrowDown' ? jump : step)(text, cursor.at, way);
      draw();
    } else if (key === 'Home' || key === 'End') {
      cursor.at = key === 'Home' ? 0 : step(text, text.length, -1);
      draw();
    } else if (lower === 'm' || key === ' ' || key === 'Enter') {
      if (cursor.from === null) { cursor.from = cursor.at; area().classList.add('xa-steered-end'); return true; }
      const [start, end] = [Math.min(cursor.from, cursor.at), unit(text, Math.max(cursor.from, cursor.at))];
      leave();
      const before = length(text.slice(0, start));
      emitEvent('xinglin_mark', {start: before, end: before + length(text.slice(start, end))});
    } else if (key === 'Escape') leave();
    else return ['Shift', 'CapsLock'].includes(key);
    return true;
  };
  document.addEventListener('mousedown', () => { if (cursor) leave(); });
  document.addEventListener('mouseup', () => {
    const selection = getSelection();
    if (selection.isCollapsed || !selection.rangeCount) return;
    const range = selection.getRangeAt(0), area = document.querySelector('.xa-text');
    if (!area || !area.contains(range.startContainer) || !area.contains(range.endContainer)) return;
    const before = document.createRange();
    before.setStart(area, 0);
    before.setEnd(range.startContainer, range.startOffset);
    const start = length(before.toString());
    selection.removeAllRanges();
    emitEvent('xinglin_mark', {start, end: start + length(range.toString())});
  });
}
"""
