'use strict';
// What the host page asks a person in dialogs above the editor: for a name, for a picture,
// and what about a document that others have changed.

const hostAsks = (() => {
  const el = (id) => document.getElementById(id);

  // shown opens a dialog and promises with what it was closed. Editors that would take the
  // focus are told before and after.
  let around = (open) => {}; // eslint-disable-line no-unused-vars
  function shown(dialog) {
    return new Promise((done) => {
      dialog.returnValue = '';
      dialog.onclose = () => { around(false); done(dialog.returnValue); };
      around(true);
      dialog.showModal();
    });
  }

  // name promises what was typed, '' if the person turned away. The part before the
  // extension is marked.
  async function name(title, label, action, value) {
    el('ask-title').textContent = title;
    el('ask-label').textContent = label;
    el('ask-do').textContent = action;
    const input = el('ask-name');
    input.value = value;
    const answer = shown(el('ask'));
    input.focus();
    const dot = value.lastIndexOf('.');
    input.setSelectionRange(0, dot > 0 ? dot : value.length);
    return (await answer) === 'do' ? input.value.trim() : '';
  }

  // rename promises another name for a document, '' if there is none.
  async function rename(from) {
    const wanted = await name(say('script.host.rename_title'), say('script.host.rename_label'), say('script.host.rename_do'), from);
    return wanted === from ? '' : wanted;
  }

  // ---- pictures ----

  function entry(item, kind, extra, act) {
    const li = document.createElement('li');
    const b = document.createElement('button');
    b.type = 'button';
    b.insertAdjacentHTML('afterbegin', `<svg class="kind ${kind}" aria-hidden="true"><use href="#k-${kind}"/></svg>`); // two words of ours
    const words = document.createElement('bdi');
    words.textContent = item;
    b.append(words);
    if (extra) {
      const soft = document.createElement('span');
      soft.className = 'soft';
      soft.textContent = extra;
      b.append(soft);
    }
    b.addEventListener('click', act);
    li.append(b);
    return li;
  }

  // picture promises the ID of a picture, '' if the person turned away. list promises what
  // is in a folder.
  async function picture(list) {
    const dialog = el('pictures');
    const rows = el('pictures-list');
    async function go(folder) {
      rows.replaceChildren();
      const now = await list(folder).catch(() => null);
      if (!now) {
        el('pictures-in').textContent = say('script.host.pictures_failed');
        return;
      }
      const hint = now.pictures.length ? (now.cut ? say('script.host.pictures_cut') : '') : say('script.host.pictures_none');
      el('pictures-in').textContent = [now.name, hint].filter(Boolean).join(' – ');
      if (now.up) rows.append(entry(say('script.host.pictures_up'), 'folder', '', () => go(now.up)));
      rows.append(...now.folders.map((f) => entry(f.name, 'folder', '', () => go(f.id))),
        ...now.pictures.map((p) => entry(p.name, 'image', hostSays.size(p.size), () => dialog.close(p.id))));
      if (rows.firstElementChild) rows.firstElementChild.firstElementChild.focus();
    }
    const answer = shown(dialog);
    go('');
    return answer;
  }

  // ---- two versions ----

  // by says who made a version, in words.
  function by(v) {
    if (v.kept) return say('script.host.version_kept');
    if (v.who === 'here') return say('script.host.version_here');
    if (v.who === 'you') return say('script.host.version_you');
    if (v.who === 'other') return v.name ? say('script.host.version_other', { name: v.name }) : say('script.host.version_somebody');
    return v.name ? say('script.host.version_outside', { name: v.name }) : say('script.host.version_unknown');
  }

  function version(box, v) {
    const line = (words, kind) => {
      const p = document.createElement('p');
      p.className = kind;
      p.textContent = words;
      return p;
    };
    box.replaceChildren();
    if (v.file) box.append(line(v.file, 'file'));
    box.append(line(by(v), ''), line([v.when ? hostSays.moment(v.when) : '', hostSays.size(v.size)].filter(Boolean).join(' · '), 'soft'));
    if (!v.open) return;
    const a = document.createElement('a');
    a.className = 'button';
    a.href = v.open;
    a.target = '_blank';
    a.textContent = v.kept ? say('script.host.version_fetch') : say('script.host.version_open');
    box.append(a);
  }

  // conflict shows both versions. more says what the editor does next; copy is where the
  // person can go on with theirs, '' nowhere.
  function conflict(c, more, copy) {
    version(el('theirs'), c.theirs);
    version(el('mine'), c.mine);
    el('conflict-more').hidden = !more;
    el('conflict-more').textContent = more;
    el('conflict-copy').hidden = !copy;
    if (copy) el('conflict-copy').href = copy;
    if (!el('conflict').open) shown(el('conflict'));
  }

  return { name, rename, picture, conflict, by, onOpen: (f) => { around = f; } };
})();
