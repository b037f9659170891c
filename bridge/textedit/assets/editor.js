'use strict';
// The page: opening, saving, what a person is told, and what the host page is
// told. Typed text is dropped only by the person's own decision.

(() => {
  const { el, note, unnote, noted, ask } = shown;
  const data = JSON.parse(el('data').textContent);
  el('data').remove(); // the access token is in nobody's way from here on
  document.body.classList.toggle('hosted', hosting.there); // whose page says the name

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

  const file = new wopi.File(data.file, data.token, hosting.token.ask);

  hosting.listen({
    Reset_Access_Token: ({ token }) => {
      if (token) file.token = token;
      hosting.token.settle(Boolean(token));
      if (token && noted('signin')) save();
    },
    Davwopi_State: (state) => hosting.state.settle(state),
    Davwopi_Close: () => close(),
    Davwopi_Rename: ({ Name }) => rename(String(Name)),
    Action_Save: () => { if (dirty) save(); else hosting.tell('Action_Save_Resp', { success: true }); },
    Action_SaveAs: ({ Filename }) => saveAs(String(Filename)),
    Grab_Focus: () => area.box.focus(),
  });

  // ---- what a person sees ----

  // status shows the state, and tells the page by one of its own words.
  function status(words, told) {
    shown.state(words);
    if (told) hosting.tell('Davwopi_Saving', { State: told });
  }
  const stateOf = () => (dirty ? say('edit.unsaved') : say('edit.all_saved'));

  function setDirty(on) {
    if (on !== dirty) hosting.tell('Doc_ModifiedStatus', { Modified: on });
    dirty = on;
    el('mark').hidden = !on;
    document.title = (on ? '• ' : '') + (info.BaseFileName || say('edit.title'));
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
    el('place').textContent = say('edit.place', { line, column });
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
    if (a.status === 0) return say('edit.unreachable');
    if (a.status === 401) return say('edit.signed_out');
    if (a.said) return a.said;
    if (a.status === 404) return say('edit.gone');
    return a.status === 413 ? say('edit.too_large') : say('edit.broken');
  }

  // ---- opening ----

  async function open(first) {
    clearTimeout(watchTimer);
    unnote();
    status(say('edit.opening'));
    const a = await file.checkFileInfo().catch(() => ({ status: 500, said: '' }));
    if (!a.ok) return stuck(a);
    info = a.info;
    el('name').textContent = info.BaseFileName;
    setDirty(false);
    if (!holding) holding = new wopi.Holding(file, data.key, info.UserId, taken);
    if (info.Size > data.maxBytes) return refuse(say('edit.over', { limit: data.maxBytes >> 20 }));
    const lock = data.edit && info.UserCanWrite && !info.ReadOnly ? await holding.acquire() : null;
    if (!(await load())) return undefined;
    if (!form.editable) {
      holding.release();
      return refuse(say('edit.only_shown') + ' ' + say(form.why));
    }
    if (lock && !lock.ok) await locked(lock, first ? data.holder : '');
    else if (!lock) lookOnly();
    else ready();
    hosting.tell('App_LoadingStatus', { Status: 'Document_Loaded', DocumentLoadedTime: Date.now() });
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
    status(say('edit.all_saved'), 'saved');
    if (form.mixed) note('ends', 'info', say('edit.mixed', { ends: form.ends }));
    offerDraft();
    area.box.focus();
  }

  function stuck(a) {
    access();
    status(say('edit.not_opened'), 'failed');
    note('stuck', 'bad', say('edit.stuck') + ' ' + words(a), [say('edit.again'), () => open(false)]);
    hosting.tell('App_LoadingStatus', { Status: 'Failed' });
  }

  function refuse(why) {
    access();
    status(say('edit.reading'), 'reading');
    note('refuse', 'info', why, [say('edit.download'), downloadStored]);
    hosting.tell('App_LoadingStatus', { Status: 'Document_Loaded', DocumentLoadedTime: Date.now() });
  }

  function lookOnly() {
    status(say('edit.reading'), 'reading');
    const edit = !data.edit && info.HostEditUrl ? [[say('edit.edit'), () => hosting.tell('UI_Edit')]] : [];
    note('look', 'info', data.edit ? say('edit.may_read') : say('edit.you_read'), ...edit);
  }

  // Somebody has the lock: say who, and say when it is free.
  async function locked(a, known) {
    access();
    status(say('edit.reading'), 'reading');
    if (a.status !== 409) {
      note('locked', 'warn', say('edit.not_reserved') + ' ' + words(a), [say('edit.again'), () => open(false)]);
      return;
    }
    if (holding.own(a.lock)) {
      note('locked', 'warn', say('edit.elsewhere'), [say('edit.take_over'), () => takeOver(a.lock)], [say('edit.again'), () => open(false)]);
    } else {
      const name = known || (await hosting.state.ask()).holder;
      note('locked', 'warn', name ? say('edit.held', { name }) : say('edit.in_use', { why: words(a) }), [say('edit.again'), () => open(false)]);
    }
    watch();
  }

  function watch() {
    watchTimer = setTimeout(async () => {
      if (document.hidden) return watch();
      const a = await file.getLock();
      if (!a.ok || a.lock !== '') return watch();
      note('locked', 'good', say('edit.free'), [say('edit.edit'), () => open(false)]);
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
    status(stateOf(), dirty ? '' : 'saved');
    if (dirty && !same) changedOutside({ key: '' });
    return undefined;
  }

  function taken() { lost({ status: 409, lock: holding.prefix }); }

  async function lost(a) {
    const mine = holding.own(a.lock);
    holding.lost();
    access();
    status(say('edit.reading'), 'reading');
    const name = mine ? '' : (await hosting.state.ask()).holder || say('edit.somebody');
    const who = mine ? say('edit.taken') : say('edit.lost', { name });
    note('lost', 'warn', dirty ? who + ' ' + say('edit.not_saved_here') : who,
      ...(mine ? [[say('edit.take_over'), async () => { const now = await file.getLock(); takeOver(now.lock); }]] : []),
      ...(dirty ? [[say('edit.download_mine'), download]] : []),
      [dirty ? say('edit.discard_open') : say('edit.open_again'), () => open(false)]);
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
    status(say('edit.saving'), 'saving');
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
    status(dirty ? say('edit.unsaved') : say('edit.saved_at', { time: shown.clock() }), 'saved');
    hosting.tell('Action_Save_Resp', { success: true });
    return true;
  }

  function refused(a) {
    status(say('edit.not_saved'), 'failed');
    if (a.status === 409 && a.lock === holding.id) changedOutside(a);
    else if (a.status === 409) lost(a);
    else if (a.status === 401) note('signin', 'bad', say('edit.save_signed_out'), [say('edit.again'), () => save()], [say('edit.download_mine'), download]);
    else if (a.status === 0 || a.status >= 500) retry(a);
    else note('save', 'bad', say('edit.save_refused', { why: words(a) }), [say('edit.again'), () => save()], [say('edit.download_mine'), download]);
  }

  function retry(a) {
    const seconds = Math.min(60, 5 * 2 ** retries++);
    const kept = a.key.startsWith('refusal.kept');
    note('save', 'bad', kept ? say('edit.save_kept', { n: seconds }) : say('edit.save_later', { why: words(a), n: seconds }), [say('edit.now'), () => save()], [say('edit.download_mine'), download]);
    retryTimer = setTimeout(() => save(), seconds * 1000);
  }

  // changedOutside asks what should become of two versions. Nothing was overwritten: mine
  // is here, and beside the file if a copy could be made.
  async function changedOutside(a) {
    const sent = text.encode(area.box.value, form).length;
    const [now, state] = await Promise.all([file.checkFileInfo().catch(() => ({ ok: false })), hosting.state.ask()]);
    const c = state.conflict || {};
    const copied = a.key === 'refusal.outside_copied';
    const choice = await ask(say('edit.conflict'), copied ? say('edit.conflict_copied') : say('edit.conflict_words'), [
      ...(now.ok ? [['mine', say('edit.overwrite')]] : []), ['theirs', copied ? say('edit.keep_both') : say('edit.open_other')],
      ['copy', say('edit.download_mine')], ['', say('edit.later')],
    ], false, shown.versions(c, now.ok ? now.info : null, sent));
    if (choice === 'mine') save(now.info.Version);
    else if (choice === 'theirs') {
      await holding.release();
      await open(false);
      if (c.mine && c.mine.open && !c.mine.kept) note('copy', 'good', say('edit.copy_is', { name: c.mine.file }), [say('edit.open_copy'), () => window.open(c.mine.open, '_blank', 'noopener')]);
    } else {
      if (choice === 'copy') download();
      note('conflict', 'bad', say('edit.conflict_left'), [say('edit.decide'), () => { unnote('conflict'); changedOutside(a); }]);
    }
  }

  // ---- under another name ----

  async function rename(stem) {
    const a = await file.rename(holding ? holding.id : '', stem);
    if (!a.ok) {
      note('name', 'bad', say('edit.not_renamed', { why: words(a) }));
      return;
    }
    unnote('name');
    const now = await file.checkFileInfo().catch(() => ({ ok: false })); // the name may have been taken
    if (now.ok) info = now.info;
    el('name').textContent = info.BaseFileName;
    hosting.tell('File_Rename', { NewName: info.BaseFileName });
  }

  async function saveAs(name) {
    const a = await file.putRelative(text.encode(area.box.value, form), name);
    let made = {};
    if (a.ok) try { made = JSON.parse(new TextDecoder().decode(a.bytes)); } catch { /* then it is called as it was asked */ }
    if (!a.ok) note('name', 'bad', say('edit.not_copied', { why: words(a) }));
    hosting.tell('Action_Save_Resp', { success: a.ok, fileName: made.Name });
  }

  // ---- what was typed and not saved when the page went away ----

  const slot = () => 'davwopi-draft:' + data.key + ':' + info.UserId;
  function dropDraft() { try { sessionStorage.removeItem(slot()); } catch { /* nothing was kept */ } }
  function offerDraft() {
    let draft = null;
    try { draft = JSON.parse(sessionStorage.getItem(slot())); } catch { /* none */ }
    if (!draft || draft.value === area.box.value) return dropDraft();
    note('draft', 'info', draft.version === version ? say('edit.draft') : say('edit.draft') + ' ' + say('edit.draft_old'),
      [say('edit.put_back'), () => { unnote('draft'); area.show(draft.value); changed(); }],
      [say('edit.discard'), () => { unnote('draft'); dropDraft(); }]);
    return undefined;
  }

  // ---- events ----

  function changed() {
    edits++;
    setDirty(true);
    if (!saving) status(say('edit.unsaved'));
    if (Date.now() - notified > 5 * 60000) { notified = Date.now(); hosting.tell('Edit_Notification'); }
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
  async function close() {
    if (dirty) {
      const choice = await ask(say('edit.close_title'), say('edit.close_words'), [['save', say('edit.close_save')], ['drop', say('edit.close_drop')], ['', say('edit.close_stay')]]);
      if (choice === '' || (choice === 'save' && !(await save()))) return;
      dropDraft();
    }
    setDirty(false);
    status(say('edit.closing'));
    if (holding) await Promise.race([holding.release(), new Promise((done) => setTimeout(done, 3000))]);
    if (hosting.there) hosting.tell('UI_Close');
    else location.href = data.folder;
  }
  el('close').addEventListener('click', close);
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

  hosting.tell('App_LoadingStatus', { Status: 'Frame_Ready' });
  open(true);
})();
