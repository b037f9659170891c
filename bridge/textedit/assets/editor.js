'use strict';
// The page: opening, saving, what a person is told, and what the host page is
// told. Typed text is dropped only by the person's own decision.

(() => {
  const el = (id) => document.getElementById(id);
  const data = JSON.parse(el('data').textContent);
  el('data').remove(); // the access token is in nobody's way from here on
  const host = window.parent === window ? null : window.parent;

  let info = {};         // CheckFileInfo
  let form = null;       // how the file was stored, from text.decode
  let version = '';      // Version of what is shown
  let edits = 0;         // grows with every change
  let dirty = false;
  let holding = null;
  let saving = null;
  let again = false;
  let retries = 0;
  let retryTimer = 0;
  let watchTimer = 0;
  let notified = 0;

  // ---- the host page ----

  function tell(id, values = {}) {
    if (host) host.postMessage(JSON.stringify({ MessageId: id, SendTime: Date.now(), Values: values }), location.origin);
  }

  let renewed = null;
  function renew() {
    if (!host) return Promise.resolve(false);
    if (!renewed) {
      let settle;
      const wait = new Promise((done) => { settle = done; });
      renewed = { wait, settle };
      setTimeout(() => settle(false), 15000);
      wait.then(() => { renewed = null; });
      tell('Davwopi_TokenExpired');
    }
    return renewed.wait;
  }

  // Promises who has the file, as far as the host page knows; '' else.
  let asking = null;
  function askHolder() {
    if (!host) return Promise.resolve('');
    return new Promise((done) => {
      asking = done;
      setTimeout(() => done(''), 3000);
      tell('Davwopi_AskHolder');
    });
  }

  const file = new wopi.File(data.file, data.token, renew);

  window.addEventListener('message', (e) => {
    if (e.source !== host || e.origin !== location.origin) return;
    let m;
    try { m = JSON.parse(e.data); } catch { return; }
    if (m.MessageId === 'Reset_Access_Token') {
      const fresh = m.Values && m.Values.token;
      if (fresh) file.token = fresh;
      if (renewed) renewed.settle(Boolean(fresh));
      if (fresh && el('notes').querySelector('[data-key=signin]')) save();
    } else if (m.MessageId === 'Davwopi_Holder') {
      if (asking) asking((m.Values && m.Values.Name) || '');
    } else if (m.MessageId === 'Action_Save') save();
    else if (m.MessageId === 'Grab_Focus') area.box.focus();
  });

  // ---- what a person sees ----

  const say = (words) => { el('state').textContent = words; };
  const button = (words, act, primary) => {
    const b = document.createElement('button');
    b.type = 'button';
    b.textContent = words;
    if (primary) b.className = 'primary';
    b.addEventListener('click', act);
    return b;
  };

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

  // Promises the key of the choice; '' if the person turned away. The first choice
  // is the one that is offered, unless every one of them would drop something.
  function ask(title, words, choices, offer = true) {
    const box = el('ask');
    return new Promise((done) => {
      const end = (key) => { box.onclose = null; if (box.open) box.close(); done(key); };
      el('ask-title').textContent = title;
      el('ask-text').textContent = words;
      el('ask-choices').replaceChildren(...choices.map(([key, w], i) => button(w, () => end(key), offer && i === 0)));
      box.onclose = () => end('');
      if (!box.open) box.showModal();
      if (!offer) el('ask-choices').lastElementChild.focus();
    });
  }

  function setDirty(on) {
    if (on !== dirty) tell('Doc_ModifiedStatus', { Modified: on });
    dirty = on;
    el('mark').hidden = !on;
    document.title = (on ? '• ' : '') + (info.BaseFileName || 'Text editor');
  }

  const canWrite = () => Boolean(form && form.editable && holding && holding.id);
  function access() {
    area.box.readOnly = !canWrite();
    el('save').disabled = !canWrite();
    document.body.classList.toggle('readonly', !canWrite());
  }

  function where() {
    if (!form) return;
    const { line, column } = area.place();
    el('place').textContent = `Line ${line}, column ${column}`;
    el('kind').textContent = [form.encoding, form.ends].join(' · ');
  }

  // The typed text as a file of the person's own.
  function download() {
    const a = document.createElement('a');
    a.href = URL.createObjectURL(new Blob([text.encode(area.box.value, form)], { type: 'application/octet-stream' }));
    a.download = info.BaseFileName || 'text.txt';
    a.click();
    setTimeout(() => URL.revokeObjectURL(a.href), 60000);
  }
  const downloadStored = () => { window.open(data.download, '_blank', 'noopener'); };

  // What an answer without success means, in words.
  function words(a) {
    if (a.status === 0) return 'The server cannot be reached.';
    if (a.status === 401) return 'Your sign-in has ended. Sign in again in another tab; this page then goes on.';
    if (a.status === 404) return 'The file was deleted or moved out of reach.';
    if (a.status === 413) return 'The file does not fit: ' + (a.reason || 'it is too large') + '.';
    return a.reason ? 'The server says: ' + a.reason + '.' : 'Something went wrong on the server.';
  }

  // ---- opening ----

  async function open(first) {
    clearTimeout(watchTimer);
    unnote();
    say('Opening …');
    const a = await file.checkFileInfo().catch(() => ({ status: 500, reason: '' }));
    if (!a.ok) return stuck(a);
    info = a.info;
    el('name').textContent = info.BaseFileName;
    setDirty(false);
    if (!holding) holding = new wopi.Holding(file, data.key, info.UserId, taken);
    if (info.Size > data.maxBytes) return refuse(`This file is larger than ${data.maxBytes >> 20} MB, too large for this editor.`);
    const lock = data.edit && info.UserCanWrite && !info.ReadOnly ? await holding.acquire() : null;
    if (!(await load())) return undefined;
    if (!form.editable) {
      holding.release();
      return refuse('This file is shown, not edited. ' + form.why);
    }
    if (lock && !lock.ok) await locked(lock, first ? data.holder : '');
    else if (!lock) lookOnly();
    else ready();
    tell('App_LoadingStatus', { Status: 'Document_Loaded', DocumentLoadedTime: Date.now() });
    return undefined;
  }

  async function load() {
    const a = await file.getFile();
    if (!a.ok) { stuck(a); return false; }
    form = text.decode(a.bytes);
    version = a.itemVersion || info.Version;
    area.show(form.value);
    setDirty(false);
    access();
    where();
    return true;
  }

  function ready() {
    access();
    say('All changes saved');
    if (form.mixed) note('ends', 'info', `This file mixes kinds of line ends. Saving makes all of them ${form.ends}.`);
    offerDraft();
    area.box.focus();
  }

  function stuck(a) {
    access();
    say('Not opened');
    note('stuck', 'bad', 'The file could not be opened. ' + words(a), ['Try again', () => open(false)]);
    tell('App_LoadingStatus', { Status: 'Failed' });
  }

  function refuse(why) {
    access();
    say('Read-only');
    note('refuse', 'info', why, ['Download', downloadStored]);
    tell('App_LoadingStatus', { Status: 'Document_Loaded', DocumentLoadedTime: Date.now() });
  }

  function lookOnly() {
    say('Read-only');
    const why = data.edit ? 'You may read this file, but not change it.' : 'You are reading this file.';
    const edit = !data.edit && info.HostEditUrl ? [['Edit', () => tell('UI_Edit')]] : [];
    note('look', 'info', why, ...edit);
  }

  // Somebody has the lock: say who, and say when it is free.
  async function locked(a, known) {
    access();
    say('Read-only');
    if (a.status !== 409) {
      note('locked', 'warn', 'The file could not be reserved for editing, so it is read-only. ' + words(a), ['Try again', () => open(false)]);
      return;
    }
    if (holding.own(a.lock)) {
      note('locked', 'warn', 'You have this file open in another tab or window.', ['Take over here', () => takeOver(a.lock)], ['Try again', () => open(false)]);
    } else {
      const holder = known || (await askHolder());
      note('locked', 'warn', (holder ? `${holder} is editing this file.` : `This file is in use: ${a.reason}.`) + ' You can read it meanwhile.', ['Try again', () => open(false)]);
    }
    watch();
  }

  function watch() {
    watchTimer = setTimeout(async () => {
      if (document.hidden) return watch();
      const a = await file.getLock();
      if (!a.ok || a.lock !== '') return watch();
      note('locked', 'good', 'The file is free now.', ['Edit', () => open(false)]);
      return undefined;
    }, 15000);
  }

  // ---- the lock, once held ----

  async function takeOver(old) {
    clearTimeout(watchTimer);
    const a = await holding.takeOver(old);
    if (!a.ok) return dirty ? lost(a) : open(false);
    unnote('locked', 'lost');
    return regained();
  }

  // A lock of ours again: what is shown must still be what is stored.
  async function regained() {
    const a = await file.checkFileInfo().catch(() => ({ ok: false }));
    const same = a.ok && a.info.Version === version;
    if (!dirty && !same) await load();
    access();
    say(dirty ? 'Unsaved changes' : 'All changes saved');
    if (dirty && !same) changedOutside({ reason: 'it was changed in another window' });
    return undefined;
  }

  function taken() { lost({ status: 409, lock: holding.prefix, reason: '' }); }

  async function lost(a) {
    const mine = holding.own(a.lock);
    holding.lost();
    access();
    say('Read-only');
    const other = mine ? '' : (await askHolder()) || 'Somebody else';
    const who = mine ? 'You have taken this file over in another tab or window.' : `${other} has this file now: ${a.reason}.`;
    note('lost', 'warn', who + (dirty ? ' What you typed here is not saved.' : ''),
      ...(mine ? [['Take over here', async () => { const now = await file.getLock(); takeOver(now.lock); }]] : []),
      ...(dirty ? [['Download my version', download]] : []),
      [dirty ? 'Discard mine and open again' : 'Open again', () => open(false)]);
  }

  async function keep(age) {
    if (!holding || !holding.id || Date.now() - holding.refreshed < age) return;
    const a = await holding.refresh();
    if (a.status !== 409) return; // no answer: the next turn asks again
    if (a.lock === '') {
      const got = await holding.acquire();
      if (got.ok) regained();
      else lost(got);
    } else lost(a);
  }
  setInterval(() => keep(10 * 60000), 30000);
  for (const woke of ['online', 'focus', 'pageshow']) window.addEventListener(woke, () => keep(5 * 60000));
  document.addEventListener('visibilitychange', () => { if (!document.hidden) keep(5 * 60000); });

  // ---- saving ----

  async function save(base = '') {
    if (!canWrite()) return false;
    if (saving) { again = true; return saving; }
    clearTimeout(retryTimer);
    saving = put(base);
    let ok = false;
    try { ok = await saving; } finally { saving = null; }
    if (again) {
      again = false;
      if (ok && dirty) return save();
    }
    return ok;
  }

  async function put(base) {
    const sent = edits;
    const bytes = text.encode(area.box.value, form);
    say('Saving …');
    let a = await file.putFile(bytes, holding.id, base);
    if (a.status === 409 && a.lock === '') { // our lock ended and nobody has it
      const got = await holding.acquire();
      a = got.ok ? await file.putFile(bytes, holding.id, base) : got;
    }
    if (!a.ok) { refused(a); return false; }
    retries = 0;
    version = a.itemVersion || version;
    unnote('save', 'signin', 'draft', 'conflict', 'ends');
    form.mixed = false;
    if (sent === edits) setDirty(false);
    dropDraft();
    say(dirty ? 'Unsaved changes' : 'Saved at ' + new Date().toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }));
    return true;
  }

  function refused(a) {
    say('Not saved');
    if (a.status === 409 && a.lock === holding.id) changedOutside(a);
    else if (a.status === 409) lost(a);
    else if (a.status === 401) note('signin', 'bad', 'Not saved: your sign-in has ended. What you typed is still here.', ['Try again', () => save()], ['Download my version', download]);
    else if (a.status === 0 || a.status >= 500) retry(a);
    else note('save', 'bad', 'Not saved. ' + words(a) + ' What you typed is still here.', ['Try again', () => save()], ['Download my version', download]);
  }

  function retry(a) {
    const seconds = Math.min(60, 5 * 2 ** retries++);
    const kept = a.reason.includes('the bytes are kept') ? 'The storage does not take it yet. The bytes are kept on the server and here;' : words(a) + ' What you typed is still here;';
    note('save', 'bad', `Not saved yet. ${kept} trying again in ${seconds} seconds.`, ['Try now', () => save()], ['Download my version', download]);
    retryTimer = setTimeout(() => save(), seconds * 1000);
  }

  async function changedOutside(a) {
    const now = await file.checkFileInfo().catch(() => ({ ok: false }));
    const when = now.ok && now.info.LastModifiedTime ? new Date(now.info.LastModifiedTime).toLocaleString() : '';
    const choice = await ask('This file was changed meanwhile',
      `It was changed outside of this page${when ? ', on ' + when : ''}. ${a.reason.includes('copy') ? 'Your version was saved beside it as a conflict copy. ' : ''}What should happen?`,
      [...(now.ok ? [['mine', 'Overwrite with my version']] : []), ['theirs', 'Open the other version'], ['copy', 'Download my version'], ['', 'Decide later']], false);
    if (choice === 'mine') save(now.info.Version);
    else if (choice === 'theirs') { await holding.release(); open(false); }
    else {
      if (choice === 'copy') download();
      note('conflict', 'bad', 'Not saved: the file was changed outside of this page.', ['Decide', () => { unnote('conflict'); changedOutside(a); }]);
    }
  }

  // ---- what was typed and not saved when the page went away ----

  const slot = () => 'davwopi-draft:' + data.key + ':' + info.UserId;
  function dropDraft() { try { sessionStorage.removeItem(slot()); } catch { /* nothing was kept */ } }
  function offerDraft() {
    let draft = null;
    try { draft = JSON.parse(sessionStorage.getItem(slot())); } catch { /* none */ }
    if (!draft || draft.value === area.box.value) return dropDraft();
    const old = draft.version === version ? '' : ' The file has changed since then.';
    note('draft', 'info', 'There is text that you typed here and did not save.' + old,
      ['Put it back', () => { unnote('draft'); area.show(draft.value); changed(); }],
      ['Discard it', () => { unnote('draft'); dropDraft(); }]);
    return undefined;
  }

  // ---- events ----

  function changed() {
    edits++;
    setDirty(true);
    if (!saving) say('Unsaved changes');
    if (Date.now() - notified > 5 * 60000) { notified = Date.now(); tell('Edit_Notification'); }
    area.numbers();
    where();
  }
  area.box.addEventListener('input', changed);
  document.addEventListener('selectionchange', where);
  el('save').addEventListener('click', () => save());
  el('wrap').addEventListener('click', () => {
    const on = el('wrap').getAttribute('aria-pressed') !== 'true';
    el('wrap').setAttribute('aria-pressed', String(on));
    area.wrap(on);
  });
  el('close').addEventListener('click', async () => {
    if (dirty) {
      const choice = await ask('Save before closing?', 'What you typed has not been saved.', [['save', 'Save and close'], ['drop', 'Close without saving'], ['', 'Go on editing']]);
      if (choice === '' || (choice === 'save' && !(await save()))) return;
      dropDraft();
    }
    setDirty(false);
    say('Closing …');
    if (holding) await Promise.race([holding.release(), new Promise((done) => setTimeout(done, 3000))]);
    if (host) tell('UI_Close');
    else location.href = data.folder;
  });
  window.addEventListener('keydown', (e) => {
    if ((e.ctrlKey || e.metaKey) && !e.altKey && e.key.toLowerCase() === 's') {
      e.preventDefault();
      save();
    }
  });
  window.addEventListener('beforeunload', (e) => { if (dirty) e.preventDefault(); });
  window.addEventListener('pagehide', () => {
    if (dirty) try { sessionStorage.setItem(slot(), JSON.stringify({ value: area.box.value, version })); } catch { /* too large to keep */ }
    if (holding) holding.leave();
  });

  tell('App_LoadingStatus', { Status: 'Frame_Ready' });
  open(true);
})();
