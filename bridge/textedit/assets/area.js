'use strict';
// The textarea: keys, line numbers, and where the cursor is.

const area = (() => {
  const box = document.getElementById('text');
  const gutter = document.getElementById('lines');
  const MANY = 50000; // above it line numbers cost more than they tell
  let shown = 0;
  let leaveByTab = false;

  // Typing by command keeps the browser's undo.
  function insert(s) {
    if (!document.execCommand('insertText', false, s)) {
      box.setRangeText(s, box.selectionStart, box.selectionEnd, 'end');
      box.dispatchEvent(new Event('input'));
    }
  }

  // Indents or outdents the lines that the selection touches.
  function shift(out) {
    const { value, selectionStart: from, selectionEnd: to } = box;
    const start = value.lastIndexOf('\n', from - 1) + 1;
    const end = to > from && value[to - 1] === '\n' ? to - 1 : to;
    const block = value.slice(start, end);
    const next = out ? block.replace(/^(\t| {1,4})/gm, '') : block.replace(/^(?=.)/gm, '\t');
    if (next === block) return;
    box.setSelectionRange(start, end);
    if (next === '') document.execCommand('delete');
    else insert(next);
    box.setSelectionRange(from === to ? start + next.length : start, start + next.length);
  }

  box.addEventListener('keydown', (e) => {
    if (e.key === 'Escape') { leaveByTab = true; return; } // keyboard users must get out
    if (e.key === 'Tab' && !leaveByTab && !box.readOnly && !e.ctrlKey && !e.altKey && !e.metaKey) {
      e.preventDefault();
      const several = box.value.slice(box.selectionStart, box.selectionEnd).includes('\n');
      if (e.shiftKey || several) shift(e.shiftKey);
      else insert('\t');
    }
    if (e.key !== 'Tab' && e.key !== 'Shift') leaveByTab = false;
  });

  function numbers() {
    const value = box.value;
    let n = 1;
    for (let i = value.indexOf('\n'); i >= 0; i = value.indexOf('\n', i + 1)) n++;
    const off = n > MANY || box.classList.contains('wrap');
    gutter.hidden = off;
    if (off || n === shown) return;
    shown = n;
    gutter.firstElementChild.textContent = Array.from({ length: n }, (_, i) => i + 1).join('\n');
    follow();
  }

  function follow() { gutter.firstElementChild.style.transform = 'translateY(' + -box.scrollTop + 'px)'; }
  box.addEventListener('scroll', follow, { passive: true });

  // Line and column, from 1.
  function place() {
    const before = box.value.slice(0, box.selectionStart);
    return { line: before.split('\n').length, column: box.selectionStart - before.lastIndexOf('\n') };
  }

  function show(value) {
    box.value = value;
    box.setSelectionRange(0, 0);
    box.scrollTop = 0;
    shown = 0;
    numbers();
  }

  function wrap(on) {
    box.classList.toggle('wrap', on);
    box.wrap = on ? 'soft' : 'off';
    shown = 0;
    numbers();
  }

  return { box, numbers, place, show, wrap };
})();
