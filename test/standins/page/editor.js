'use strict';
// The page of an editor's stand-in. It says and hears what the dialogue has, and nothing
// else: whatever else comes is reported, and fails the test.
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const el = (id) => document.getElementById(id);
  const { kind, view, dialogue, info } = data;
  const origin = info.PostMessageOrigin || '';
  const collabora = kind === 'collabora';
  let ready = false;
  let loaded = false;
  let notify = false;      // Collabora answers Action_Save only if it was asked to
  let everModified = false;
  let reported = null;     // Modified as it was said last
  let notified = false;    // Edit_Notification of this half minute
  let shown = -1;
  let people = '';
  let name = info.BaseFileName || '';

  const fault = (what) => { navigator.sendBeacon('/double/fault', what); };
  const status = (words) => { el('status').textContent = words; };

  // ---- the dialogue ----

  function fits(list, values) {
    const wrong = [];
    for (const v of list) {
      if (!(v.name in values)) {
        if (!v.optional) wrong.push(v.name + ' is absent');
        continue;
      }
      const given = values[v.name];
      const ok = v.words ? v.words.includes(given) : v.type === 'url' ? typeof given === 'string' && /^https?:\/\//.test(given) : typeof given === v.type;
      if (!ok) wrong.push(`${v.name} is ${JSON.stringify(given)}`);
    }
    for (const key of Object.keys(values)) if (!list.some((v) => v.name === key)) wrong.push(key + ' is in no dialogue');
    return wrong;
  }

  function say(id, values = {}) {
    const m = dialogue.editor[id];
    if (!m) return fault(`this stand-in wants to say ${id}, which is in no dialogue`);
    if (dialogue.every) for (const v of dialogue.every) values[v.name] = v.name === 'ui-language' ? 'en-US' : '';
    const wrong = m.list ? [] : fits([...m.values, ...(dialogue.every || [])], values);
    if (wrong.length) fault(`${id} of this stand-in: ${wrong.join(', ')}`);
    if (origin) window.parent.postMessage(JSON.stringify({ MessageId: id, SendTime: Date.now(), Values: values }), origin);
    return undefined;
  }

  const acts = {
    Host_PostmessageReady: () => { ready = true; },
    Grab_Focus: () => { el('doc').dataset.focus = 'grabbed'; },
    Blur_Focus: () => { el('doc').dataset.focus = 'blurred'; },
    Reset_Access_Token: ({ token }) => server('token', token),
    Action_Save: async (v) => {
      notify = Boolean(v.Notify);
      await typing;
      const now = await (await fetch('/double/now?view=' + view)).json();
      if (v.DontSaveIfUnmodified && !now.modified) answer({ success: true, result: 'unmodified' });
      else save();
    },
    Action_SaveAs: async ({ Filename, Notify }) => {
      if (!Filename.includes('.')) fault('Action_SaveAs without an extension');
      const made = await server('saveas', Filename);
      notify = Boolean(Notify);
      answer(made.name ? { success: true, fileName: made.name } : { success: false, result: made.result });
    },
    Action_InsertGraphic: ({ url }) => server('picture', url),
  };

  window.addEventListener('message', (e) => {
    if (e.source !== window.parent || e.origin !== origin) return fault(`a message of ${e.origin}, and not of ${origin}`);
    let m;
    try { m = JSON.parse(e.data); } catch { return fault(`no JSON text: ${e.data}`); }
    const listed = dialogue.page[m.MessageId];
    if (!listed) return fault(`the page says ${m.MessageId}, which is in no dialogue`);
    if (typeof m.SendTime !== 'number' || !m.Values || typeof m.Values !== 'object') return fault(`${m.MessageId} lacks SendTime or Values`);
    if ((listed.heard === 'ready' && !ready) || (listed.heard === 'loaded' && !(ready && loaded))) return fault(`the page says ${m.MessageId} before it is heard`);
    const wrong = fits(listed.values, m.Values);
    if (wrong.length) return fault(`${m.MessageId}: ${wrong.join(', ')}`);
    acts[m.MessageId](m.Values);
    return undefined;
  });

  // ---- the server ----

  let typing = Promise.resolve();

  async function server(op, text = '') {
    await typing;
    const r = await fetch('/double/do', { method: 'POST', body: JSON.stringify({ view, op, text }) });
    return r.json();
  }

  // answer is Collabora's, and passes only if it was wanted.
  function answer(values) {
    if (!collabora || !notify) return;
    notify = false;
    say('Action_Save_Resp', values);
  }

  async function save(op = 'save') {
    status('saving');
    const a = await server(op);
    status(a.result || 'saved');
    if (a.result === 'documentconflict') return; // it asks, and says nothing
    answer(a.result ? { success: false, cmd: 'storage', result: a.result, errorMsg: a.result } : { success: true });
  }

  async function look() {
    let now;
    const was = shown;
    try {
      await typing;
      now = await (await fetch('/double/now?view=' + view)).json();
    } catch {
      return; // the server ends with the test
    }
    if (shown === was && now.version !== shown) { // nothing was typed meanwhile
      shown = now.version;
      if (el('doc').value !== now.text) el('doc').value = now.text;
    }
    el('doc').readOnly = now.reading;
    el('title').textContent = name = now.name;
    el('doc').dataset.picture = now.picture;
    if (now.conflict && !el('changed').open) el('changed').showModal();
    if (!now.conflict && el('changed').open) el('changed').close();
    if (collabora) tellCollabora(now);
    setTimeout(look, 120);
  }

  function tellCollabora(now) {
    if (!loaded) return;
    if (now.modified !== reported) {
      reported = now.modified;
      everModified = everModified || now.modified;
      say('Doc_ModifiedStatus', { Modified: now.modified });
    }
    const all = JSON.stringify(now.views) + now.reading;
    if (all === people) return;
    people = all;
    say('Views_List', now.views.map((v) => ({ ViewId: String(v.id), UserName: v.name, UserId: 'u' + v.id, Color: 1, ReadOnly: v.id === view ? now.reading : false, IsCurrentView: v.id === view })));
  }

  // ---- the person ----

  // What was typed goes to the server in its order, and before anything else is asked of it.
  el('doc').addEventListener('input', async () => {
    shown++;
    typing = typing.then(() => fetch('/double/do', { method: 'POST', body: JSON.stringify({ view, op: 'type', text: el('doc').value }) }));
    await typing;
    if (collabora || notified) return;
    notified = true;
    setTimeout(() => { notified = false; }, 30000);
    if (info.EditNotificationPostMessage) say('Edit_Notification');
  });
  el('save').onclick = () => {
    if (collabora) say('UI_Save');
    if (kind === 'onlyoffice' && !data.forcesave) return status('saved when everybody has left');
    return save();
  };
  window.addEventListener('keydown', (e) => {
    if (!e.ctrlKey || e.key !== 's') return;
    e.preventDefault();
    el('save').onclick();
  });
  el('saveas').onclick = async () => {
    if (collabora) say('UI_SaveAs');
    else status('copied to ' + (await server('saveas', 'Copy of ' + name)).name); // by its server alone
  };
  el('insert').onclick = () => { if (info.EnableInsertRemoteImage) say('UI_InsertGraphic'); };
  el('share').onclick = () => {
    if (collabora && info.EnableShare) say('UI_Share');
    else if (!collabora && info.FileSharingPostMessage) say('UI_Sharing');
    else status('not shared');
  };
  el('edit').onclick = () => { if (info.EditModePostMessage && !collabora) say('UI_Edit'); };
  el('history').onclick = () => {
    if (collabora) say('rev-history', { Deprecated: true });
    say('UI_FileVersions');
  };
  el('rename').onclick = async () => {
    const a = await server('rename', el('name').value);
    status(a.result || 'renamed');
    if (a.name) say('File_Rename', { NewName: a.name });
  };
  el('close').onclick = () => {
    if (!collabora) return say('UI_Close');
    say('close', { EverModified: everModified, Deprecated: true });
    say('UI_Close', { EverModified: everModified });
    return undefined;
  };
  el('overwrite').onclick = () => save('overwrite');
  el('discard').onclick = () => { el('changed').close(); server('discard'); };
  window.addEventListener('pagehide', () => { navigator.sendBeacon('/double/do', JSON.stringify({ view, op: 'leave' })); });

  // ---- loading ----

  async function load() {
    if (data.failed) {
      status(data.failed);
      if (collabora) say('App_LoadingStatus', { Status: 'Failed' });
      return;
    }
    if (collabora) {
      say('App_LoadingStatus', { Status: 'Frame_Ready', Features: { VersionStates: true } });
    }
    // The page says when it listens; then the document is there.
    while (!ready) await new Promise((done) => setTimeout(done, 30));
    loaded = true;
    if (collabora) say('App_LoadingStatus', { Status: 'Document_Loaded', DocumentLoadedTime: Date.now() });
    else if (kind === 'onlyoffice') say('App_LoadingStatus', { Status: 'Document_Loaded', DocumentLoadedTime: 1 });
    else say('App_LoadingStatus', { DocumentLoadedTime: 1 });
    document.body.dataset.loaded = '';
    look();
  }
  load();
})();
