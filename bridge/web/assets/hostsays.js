'use strict';
// What the host page says: the state beside the document's name, the notes above the
// editor, the title of the window. Nothing here knows of editors or asks the server.

const hostSays = (() => {
  const el = (id) => document.getElementById(id);
  const notes = el('notes');
  const language = document.documentElement.lang;
  const brand = JSON.parse(el('data').textContent).brand;

  const clock = (ms) => new Date(ms).toLocaleTimeString(language, { hour: 'numeric', minute: '2-digit' });
  const moment = (ms) => (new Date(ms).toDateString() === new Date().toDateString() ? clock(ms)
    : new Date(ms).toLocaleString(language, { dateStyle: 'medium', timeStyle: 'short' }));
  const list = (names) => new Intl.ListFormat(language).format(names);

  function size(bytes) {
    if (bytes < 0) return '';
    if (bytes < 1024) return say('size.B', { count: bytes });
    let n = bytes / 1024;
    let unit = 'size.KB';
    for (const next of ['size.MB', 'size.GB', 'size.TB', 'size.PB']) {
      if (n < 999.5) break;
      n /= 1024;
      unit = next;
    }
    return say(unit, { count: n < 9.95 ? Math.round(n * 10) / 10 : Math.round(n) });
  }

  // Who has the document in another program.
  function taken({ holder: name, since, program }) {
    const at = moment(since);
    return program ? say('script.host.taken_with', { name, at, program }) : say('script.host.taken', { name, at });
  }

  // ---- notes: one per key. Ways are [words, where or what to do]; a way to another page
  // opens beside this one.

  function way([words, to]) {
    const b = document.createElement(typeof to === 'string' ? 'a' : 'button');
    b.textContent = words;
    if (typeof to === 'string') {
      b.className = 'button';
      b.href = to;
      if (new URL(to, location.href).href !== location.href) b.target = '_blank';
    } else {
      b.type = 'button';
      b.addEventListener('click', to);
    }
    return b;
  }

  function note(key, kind, words, ...ways) {
    const old = find(key);
    if (old && old.dataset.words === words) return;
    drop(key);
    const box = document.createElement('div');
    box.className = 'note ' + kind;
    box.dataset.key = key;
    box.dataset.words = words;
    const p = document.createElement('p');
    p.textContent = words;
    box.append(p, ...ways.map(way));
    notes.append(box);
  }
  const find = (key) => [...notes.children].find((n) => n.dataset.key === key);
  function drop(key) {
    const n = find(key);
    if (n) n.remove();
  }
  notes.addEventListener('click', (e) => { if (e.target.matches('[data-dismiss]')) e.target.closest('.note').remove(); });

  // ---- the state ----

  // state shows one of the words that host.css knows; act makes a button of it.
  function state(kind, words, act) {
    const chip = el('state');
    const button = el('save');
    chip.dataset.state = kind;
    button.hidden = !act;
    el('said').hidden = Boolean(act);
    const said = act ? button : el('said');
    if (said.textContent !== words) said.textContent = words;
    button.title = act ? say('script.host.unsaved_hint') : '';
    button.onclick = act;
  }

  function title(name, modified) {
    document.title = (modified ? '• ' : '') + name + ' – ' + brand;
    const shown = el('name').firstElementChild;
    if (shown.textContent !== name) shown.textContent = name;
    el('name').title = name;
  }

  function people(names) {
    el('people').hidden = names.length === 0;
    el('people').textContent = el('people').title = names.length ? say('script.host.with', { names: list(names) }) : '';
  }

  // ---- the menu ----

  const more = el('more') || document.createElement('details'); // a page without a session has none
  document.addEventListener('click', (e) => { if (!more.contains(e.target) || e.target.closest('.menu')) more.open = false; });
  window.addEventListener('blur', () => { more.open = false; }); // into the frame, mostly
  more.addEventListener('keydown', (e) => {
    if (e.key !== 'Escape' || !more.open) return;
    more.open = false;
    more.firstElementChild.focus();
  });
  // A tablet that calls itself a Mac opens documents as phones do.
  if (navigator.platform === 'MacIntel' && navigator.maxTouchPoints > 1) {
    for (const a of more.querySelectorAll('a.app')) a.hidden = !('tablet' in a.dataset);
  }

  return { note, drop, find, state, title, people, clock, moment, taken, size };
})();
