'use strict';
// What a person sees beside the text: the state, notes, and questions.

const shown = (() => {
  const el = (id) => document.getElementById(id);
  const language = document.documentElement.lang;

  const state = (words) => { el('state').textContent = words; };
  const clock = (at = new Date()) => at.toLocaleTimeString(language, { hour: 'numeric', minute: '2-digit' });
  const moment = (at) => (at.toDateString() === new Date().toDateString() ? clock(at) // as the page around it says it
    : at.toLocaleString(language, { dateStyle: 'medium', timeStyle: 'short' }));

  function button(words, act, primary) {
    const b = document.createElement('button');
    b.type = 'button';
    b.textContent = words;
    if (primary) b.className = 'primary';
    b.addEventListener('click', act);
    return b;
  }

  // One note per key; buttons are [words, act] pairs.
  function note(key, kind, words, ...buttons) {
    unnote(key);
    const p = document.createElement('div');
    p.className = 'note ' + kind;
    p.dataset.key = key;
    const t = document.createElement('p');
    t.textContent = words;
    p.append(t, ...buttons.map(([w, act]) => button(w, act)));
    el('notes').append(p);
  }
  function unnote(...keys) {
    for (const n of [...el('notes').children]) if (!keys.length || keys.includes(n.dataset.key)) n.remove();
  }
  const noted = (key) => Boolean(el('notes').querySelector(`[data-key=${key}]`));

  // Promises the key of the choice; '' if the person turned away. The first choice
  // is the one that is offered, unless every one of them would drop something: then the
  // title has the focus, so that Enter does nothing and reading begins at the top. Versions,
  // if there are any, stand between the words and the choices.
  function ask(title, words, choices, offer = true, versions = []) {
    const box = el('ask');
    return new Promise((done) => {
      const end = (key) => { box.onclose = null; if (box.open) box.close(); done(key); };
      el('ask-title').textContent = title;
      el('ask-text').textContent = words;
      el('ask-versions').replaceChildren(...versions.map(version));
      el('ask-choices').replaceChildren(...choices.map(([key, w], i) => button(w, () => end(key), offer && i === 0)));
      box.onclose = () => end('');
      if (!box.open) box.showModal();
      if (!offer) el('ask-title').focus();
    });
  }

  // version is { title, lines, open, words }: one of two, and where to look at it.
  function version({ title, lines, open, words }) {
    const part = document.createElement('section');
    const add = (kind, text) => {
      const e = document.createElement(kind);
      e.textContent = text;
      part.append(e);
      return e;
    };
    add('h3', title);
    for (const line of lines.filter(Boolean)) add('p', line);
    if (open) {
      const a = add('a', words);
      a.href = open;
      a.target = '_blank';
    }
    return part;
  }

  // versions are the two of a conflict, as far as they are known.
  function versions(c, current, sent) {
    const theirs = c.theirs || {};
    const size = (n) => (n >= 0 ? say('edit.bytes', { n }) : '');
    const at = theirs.when || (current && Date.parse(current.LastModifiedTime));
    const by = {
      you: () => say('edit.by_you'), other: () => (theirs.name ? say('edit.by_other', { name: theirs.name }) : say('edit.by_somebody')),
      outside: () => say('edit.by_outside', { name: theirs.name }),
    }[theirs.who];
    return [
      { title: say('edit.theirs'), lines: [by ? by() : '', at ? moment(new Date(at)) : '', size(current ? current.Size : theirs.size ?? -1)], open: theirs.open, words: say('edit.look') },
      { title: say('edit.mine'), lines: [say('edit.by_you'), clock(), size(sent), c.mine && c.mine.file ? c.mine.file : ''], open: c.mine && c.mine.open, words: say('edit.look') },
    ];
  }

  return { el, state, clock, moment, note, unnote, noted, ask, versions };
})();
