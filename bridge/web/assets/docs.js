'use strict';
// The page around an editor of ONLYOFFICE's Docs API: loads its script, answers its events,
// and knows how the document stands. What an event wants is asked of the server with the
// page's own token; every answer that the editor acts upon is signed there.
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const { note, drop } = hostSays;
  const docs = data.docs;
  let name = data.name;
  let modified = false;
  let online = true;
  let editor = null; // DocsAPI's

  function go(where) { location.assign(where); }

  // ---- how the document stands ----

  const stands = hostStands({ data, go });
  const show = () => stands.show({ name, modified, loaded: Boolean(editor), online, saving: false, failed: false, reading: !data.editing, save: null });

  async function look() {
    if (!data.state || document.hidden) return;
    const r = await stands.ask();
    online = Boolean(r);
    if (r && r.ok) known(await r.json().catch(() => ({})));
    else if (r) stands.over(r.status);
    show();
  }
  function known(state) {
    drop('session');
    if (state.name) name = state.name; // others have renamed it
    stands.known(state, modified);
  }
  setInterval(look, 15000);
  document.addEventListener('visibilitychange', look);
  window.addEventListener('online', look);
  window.addEventListener('offline', () => { online = false; show(); });

  // ---- what events want ----

  // ask promises the server's answer. One that is an error is said to the person, and null.
  async function ask(what, asked) {
    let words = 'failed';
    try {
      const r = await fetch(`${docs.ask}/${what}`, {
        method: 'POST', headers: { 'Content-Type': 'application/json', 'X-Davwopi-Docs': docs.token }, body: JSON.stringify(asked),
      });
      const answer = await r.json();
      if (r.ok) {
        drop('asked');
        return answer;
      }
      words = answer.error;
    } catch { /* no connection */ }
    note('asked', 'bad', say('script.docs.' + words));
    return null;
  }

  function share() {
    if (!data.share) return;
    if (!window.open(data.share, '_blank')) note('share', 'info', say('script.host.share_note'), [say('script.host.share_do'), data.share]);
  }

  async function rename(wanted) {
    const made = await ask('rename', { name: wanted });
    if (!made) return;
    name = made.name;
    show();
  }
  const button = document.getElementById('rename');
  if (button) {
    button.addEventListener('click', async () => {
      const wanted = await hostAsks.rename(name);
      if (wanted) rename(wanted);
    });
  }

  async function restore(version) {
    // Whoever looks at the history has left the editing; the document server says so some
    // seconds later.
    for (let tries = 0; tries < 8; tries++) {
      const r = await fetch(`${docs.ask}/restore`, {
        method: 'POST', headers: { 'Content-Type': 'application/json', 'X-Davwopi-Docs': docs.token }, body: JSON.stringify({ version }),
      }).catch(() => null);
      if (r && r.ok) {
        location.reload();
        return;
      }
      if (!r || r.status !== 409) {
        note('asked', 'bad', say('script.docs.' + ((r && (await r.json().catch(() => ({}))).error) || 'failed')));
        return;
      }
      note('asked', 'info', say('script.docs.restoring'));
      await new Promise((done) => { setTimeout(done, 2500); });
    }
    note('asked', 'bad', say('script.docs.open'));
  }

  async function picture(c) {
    const kinds = {}; // extensions by ID
    const id = await hostAsks.picture(async (folder) => {
      const r = await fetch(data.pictures + (folder ? '?in=' + folder : ''), { cache: 'no-store' });
      const list = r.ok ? await r.json() : null;
      for (const p of list ? list.pictures : []) kinds[p.id] = p.name.slice(p.name.lastIndexOf('.') + 1).toLowerCase();
      return list;
    });
    if (!id) return;
    const r = await fetch(data.picture, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ editor: data.editor, user: data.user, picture: id }) }).catch(() => null);
    if (!r || !r.ok) {
      note('picture', 'bad', say('script.host.pictures_failed'));
      return;
    }
    const signed = await ask('image', { c, url: (await r.json()).url, type: kinds[id] });
    if (signed) editor.insertImage(signed);
  }

  const heard = {
    onAppReady: () => { clearTimeout(silence); drop('silent'); },
    onDocumentReady: () => { clearTimeout(silence); drop('silent'); look(); },
    onDocumentStateChange: ({ data: on }) => {
      modified = Boolean(on);
      if (!modified) setTimeout(look, 300);
      show();
    },
    onError: ({ data: fault }) => note('fault', 'bad', say('script.docs.fault', { name: data.called, words: String((fault && fault.errorDescription) || '').slice(0, 300) }), [say('script.host.reload'), () => location.reload()]),
    onOutdatedVersion: () => location.reload(), // with the key of the present contents
    onRequestRefreshFile: () => location.reload(),
    onRequestClose: () => go(data.folder),
    onRequestEditRights: () => { if (data.edit) go(data.edit); },
    onRequestSharingSettings: share,
    onRequestRename: ({ data: wanted }) => rename(String(wanted)),
    onRequestSaveAs: async ({ data: made }) => {
      const copy = await ask('saveas', { name: String(made.title), url: String(made.url) });
      if (copy) note('copied', 'good', say('script.host.copied', { name: copy.name }), ...(docs.copies ? [[say('script.host.open_copy'), `${docs.copies}/${copy.id}`]] : []));
    },
    onRequestHistory: async () => {
      const all = await ask('history', {});
      if (all) editor.refreshHistory(all);
    },
    onRequestHistoryData: async ({ data: version }) => {
      const one = await ask('version', { version: Number(version) });
      editor.setHistoryData(one || { error: say('script.docs.gone'), version });
    },
    onRequestHistoryClose: () => location.reload(),
    onRequestRestore: ({ data: old }) => restore(Number(old.version)),
    onRequestInsertImage: ({ data: want }) => picture(want && want.c),
    onRequestUsers: async ({ data: want }) => {
      const all = await ask('users', { c: (want && want.c) || 'mention', id: (want && want.id) || [] });
      if (all) editor.setUsers(all);
    },
  };

  // ---- the editor ----

  const silence = setTimeout(silent, 12000);
  function silent() {
    note('silent', 'bad', say('script.host.silent', { name: data.called }), [say('script.host.again'), () => location.reload()]);
  }

  function start() {
    const always = ['onAppReady', 'onDocumentReady', 'onDocumentStateChange', 'onError'];
    const events = {};
    for (const event of [...always, ...docs.events]) {
      // What needs something that this page has not is not offered.
      if (event === 'onRequestInsertImage' && !data.pictures) continue;
      if (heard[event]) events[event] = heard[event];
    }
    editor = new window.DocsAPI.DocEditor('editor', { ...docs.config, width: '100%', height: '100%', events });
    const frame = document.querySelector('#frame iframe'); // its api.js gives it no name
    if (frame) frame.title = say('script.host.editor', { name });
    show();
  }

  const place = document.createElement('div');
  place.id = 'editor';
  document.getElementById('frame').append(place);
  const api = document.createElement('script');
  api.nonce = document.currentScript.nonce;
  api.src = docs.api;
  api.onload = start;
  api.onerror = silent;
  document.head.append(api);

  // A page out of the browser's memory has an old key.
  window.addEventListener('pageshow', (e) => { if (e.persisted) location.reload(); });
  show();
})();
