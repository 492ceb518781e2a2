"""Keys of the annotation desk, and the marking of words.

Offsets are counted in characters (code points), not in the UTF-16 units of the browser.
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
    if (/^[0-9]$/.test(event.key) && press('label-' + event.key)) event.preventDefault();
    else if ((event.key === ' ' || event.key === 'Enter') && !event.target.closest('a, summary')) {
      if (press('confirm')) event.preventDefault();
    }
    else if (lower === 'u' && (press('undo') || press('undo-last'))) event.preventDefault();
    else if (lower === 'n' && press('skip')) event.preventDefault();
  });
  // A button that was clicked keeps the focus, and the next space would press it again.
  document.addEventListener('click', event => {
    if (event.detail && event.target.closest('.xa-choice, .xa-confirm, .xa-acts')) document.activeElement.blur();
  });
  const length = text => [...text].length;
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
