'use strict';
// The host page: opens the editor's frame, answers its messages, renews the access token,
// and knows how the document stands. Messages are JSON texts as WOPI's host page describes
// them; only the editor's frame at the editor's origin is heard and spoken to, and unknown
// ones are ignored.
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const el = (id) => document.getElementById(id);
  const origin = data.origin || location.origin;
  const form = el('go');
  const { note, drop } = hostSays;
  const EARLY = 15 * 60000; // a token is renewed so long before its end

  // What each editor takes: it would ignore the rest, or say that it was wrong.
  //   early   it wants Host_PostmessageReady before it says a word, else when its frame is ready
  //   token   Reset_Access_Token   saves   Action_Save, Action_SaveAs
  //   focus   Blur_Focus, Grab_Focus
  //   tells   Doc_ModifiedStatus; others tell only that something was typed
  const dialect = {
    collabora: { token: true, saves: true, tells: true },
    text: { token: true, saves: true, tells: true },
    onlyoffice: { early: true, focus: true },
    microsoft: { early: true, focus: true },
  }[data.office] || { early: true };

  let name = data.name;
  let loaded = false;     // the document is there: the editor takes orders
  let modified = false;   // something is not saved yet, as far as is known
  let before = 0;         // when the last save had arrived as that was told
  let saving = false;
  let savingSince = 0;    // no editor is believed for longer than a minute
  let failed = false;
  let reading = !data.editing;
  let online = true;
  let expires = data.expires;
  let renewing = null;
  let refused = false;    // the editor's save was refused for its token
  let leaving = false;

  // ---- the frame: made by script, so that the history does not keep it ----

  const frame = document.createElement('iframe');
  frame.name = 'editor';
  frame.title = say('script.host.editor', { name });
  // Another origin's editor is kept from all but what it needs. For our own the
  // browser says rightly that such a sandbox holds nobody.
  if (data.origin) frame.setAttribute('sandbox', 'allow-scripts allow-same-origin allow-forms allow-popups allow-popups-to-escape-sandbox allow-top-navigation allow-downloads allow-modals');
  frame.allow = 'autoplay; camera; microphone; display-capture; clipboard-read *; clipboard-write *; fullscreen';
  el('frame').append(frame);
  form.submit();
  form.remove(); // and the token with it

  const post = (id, values = {}) => {
    frame.contentWindow.postMessage(JSON.stringify({ MessageId: id, SendTime: Date.now(), Values: values }), origin);
  };
  // Orders wait until the document is there.
  const orders = [];
  const order = (id, values) => { if (loaded) post(id, values); else orders.push([id, values]); };

  hostAsks.onOpen((open) => { if (dialect.focus && loaded) post(open ? 'Blur_Focus' : 'Grab_Focus'); });

  function go(where) {
    leaving = true;
    location.assign(where);
  }

  // ---- the page that frames this one, if any ----

  const outer = window.parent === window ? '' : (location.ancestorOrigins && location.ancestorOrigins[0]) || (document.referrer && new URL(document.referrer).origin);
  function tell(id, values = {}) {
    if (outer && data.ancestors && data.ancestors.includes(outer)) {
      window.parent.postMessage(JSON.stringify({ MessageId: id, SendTime: Date.now(), Values: values }), outer);
    }
  }

  // ---- how the document stands ----

  const stands = hostStands({ data, go });

  const askSave = () => {
    saving = true;
    savingSince = Date.now();
    look(2000); // not every editor says how it ended
    order('Action_Save', { DontTerminateEdit: true, DontSaveIfUnmodified: true, Notify: true });
    show();
  };

  function show() {
    if (saving && Date.now() - savingSince > 60000) saving = false;
    stands.show({ name, modified, loaded, online, saving, failed, reading, save: dialect.saves ? askSave : null });
    if (failed && data.office !== 'text' && !hostSays.find('session')) note('failed', 'bad', say('script.host.failed_note'), ...(dialect.saves ? [[say('script.host.again'), askSave]] : []));
    else drop('failed');
  }

  function heardModified(on) {
    if (on && !modified) before = stands.now().saved || 0;
    modified = on;
    failed = failed && on;
    if (!on) saving = false;
    tell('Doc_ModifiedStatus', { Modified: on });
    show();
    if (!on) look(300); // it may be waiting
    else if (!dialect.tells) look(3000);
  }

  // ---- what the server knows ----

  let turn = 0;
  let looking = false;
  const restless = () => !online || saving || failed || stands.now().save || (modified && !dialect.tells);
  function look(wait) {
    clearTimeout(turn);
    turn = setTimeout(ask, wait);
  }
  async function ask() {
    if (!data.state || looking || leaving) return;
    clearTimeout(turn);
    if (!document.hidden || !online) {
      looking = true;
      const r = await stands.ask();
      const back = !online;
      online = Boolean(r);
      if (r && r.ok) known(await r.json().catch(() => ({})));
      else if (r && (r.status === 401 || r.status === 410)) renew();
      if (back && online) returned();
      looking = false;
      show();
    }
    look(restless() ? 3000 : modified ? 6000 : 15000);
  }

  function known(state) {
    if (state.name && state.name !== name) name = state.name; // others have renamed it
    if (modified && !dialect.tells && state.saved && state.saved !== before) heardModified(false);
    if (state.save === 'busy' || state.conflict) saving = false; // it is told by that
    stands.known(state, modified);
  }

  // The server is back: what could not be saved meanwhile is saved now.
  function returned() {
    if (modified && dialect.saves) askSave();
    if (hostSays.find('session') || Date.now() > expires - EARLY) renew();
  }
  window.addEventListener('online', () => look(0));
  window.addEventListener('offline', () => look(0));
  document.addEventListener('visibilitychange', () => { if (!document.hidden) look(0); });

  // ---- the access token ----

  function over(status) {
    stands.over(status);
    show();
  }

  async function freshToken() {
    if (!data.renew) return '';
    let r;
    try {
      r = await fetch(data.renew, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ editor: data.editor, user: data.user }) });
    } catch {
      return ''; // no connection: the next turn asks again
    }
    if (!r.ok) {
      over(r.status);
      return '';
    }
    drop('session');
    const fresh = await r.json();
    expires = fresh.access_token_ttl;
    return fresh.access_token;
  }

  // An editor that takes no new token keeps its old one, which goes on saving for as long
  // as it works; it should load the document anew when it suits.
  async function renew() {
    if (!dialect.token) {
      if (!data.state) return '';
      const r = await stands.ask();
      if (r && r.ok) drop('session');
      else if (r) over(r.status);
      if (Date.now() > expires - EARLY) note('ends', 'warn', say('script.host.ends', { name: data.called, time: hostSays.clock(expires) }), [say('script.host.reload'), () => location.reload()]);
      return '';
    }
    renewing = renewing || freshToken().finally(() => { renewing = null; });
    const token = await renewing;
    if (!token) return '';
    order('Reset_Access_Token', { token, ttl: expires });
    if (refused && modified) askSave();
    refused = false;
    return token;
  }

  const due = () => data.renew && (Date.now() > expires - EARLY || hostSays.find('session') && !document.hidden);
  setInterval(() => { if (due()) renew(); }, 15000);
  document.addEventListener('visibilitychange', () => { if (due()) renew(); });

  // What Microsoft's editor left in the address is for its next start only.
  const here = new URL(location.href);
  if (here.searchParams.has('wdPreviousSession') || here.searchParams.has('wdPreviousCorrelation')) {
    here.searchParams.delete('wdPreviousSession');
    here.searchParams.delete('wdPreviousCorrelation');
    history.replaceState(null, '', here);
  }

  // ---- what a person does on the page ----

  function renamed(to) {
    name = to;
    tell('File_Rename', { NewName: name });
    show();
  }

  const acts = hostActs({ data, order, go, renamed, name: () => name });

  // close leaves the document. The text editor is asked first, which may want to save.
  function close() {
    tell('UI_Close');
    go(data.folder);
  }
  el('back').addEventListener('click', (e) => {
    if (data.office !== 'text' || !loaded) return;
    e.preventDefault();
    post('Davwopi_Close');
  });
  window.addEventListener('keydown', (e) => {
    if (!(e.ctrlKey || e.metaKey) || e.altKey || e.key.toLowerCase() !== 's' || !dialect.saves) return;
    e.preventDefault();
    askSave();
  });

  // ---- messages ----

  function ready() {
    if (loaded) return;
    loaded = true;
    for (const [id, values] of orders.splice(0)) post(id, values);
    tell('App_LoadingStatus', { Status: 'Document_Loaded' });
    show();
    look(0);
  }

  function saved({ success, fileName, result }) {
    const copy = acts.copied(success, fileName);
    saving = false;
    if (copy) {
      show();
      return;
    }
    if (success || result === 'unmodified') {
      failed = false;
      look(300);
    } else {
      failed = modified;
      refused = result === 'saveunauthorized';
      if (refused) renew();
    }
    show();
  }

  const heard = {
    App_LoadingStatus: ({ Status }) => {
      if (Status === 'Frame_Ready' && !dialect.early) post('Host_PostmessageReady');
      if (Status === 'Document_Loaded' || Status === undefined) ready();
      if (Status === 'Failed' && data.office !== 'text') note('silent', 'bad', say('script.host.not_loaded', { name: data.called }), [say('script.host.again'), () => location.reload()]);
    },
    Edit_Notification: () => { if (!dialect.tells) heardModified(true); },
    Doc_ModifiedStatus: ({ Modified }) => heardModified(Boolean(Modified)),
    Action_Save_Resp: saved,
    File_Rename: ({ NewName }) => {
      if (typeof NewName !== 'string' || NewName === '') return;
      name = hostActs.like(NewName, hostActs.extension(name)); // Microsoft's comes without its extension
      tell('File_Rename', { NewName: name });
      show();
      look(300); // the name may have been taken, and another one found
    },
    Views_List: (views) => {
      if (!Array.isArray(views)) return;
      const all = views.filter((v) => v && typeof v.UserName === 'string');
      const own = all.find((v) => v.IsCurrentView);
      reading = own ? Boolean(own.ReadOnly) : reading;
      hostSays.people([...new Set(all.filter((v) => v !== own).map((v) => v.UserName))].slice(0, 8));
      show();
    },
    // Of an idle session it says so, too, and goes on by itself.
    Session_Closed: ({ Reason }) => { if (Reason === 'OwnerTermination' || Reason === 'DocumentDisconnected') note('ended', 'warn', say('script.host.ended', { name: data.called }), [say('script.host.reload'), () => location.reload()]); },
    UI_Close: close,
    UI_Edit: () => { if (data.edit) go(data.edit); },
    UI_SaveAs: ({ format }) => acts.saveAs(format),
    UI_Share: acts.share,
    UI_Sharing: acts.share,
    UI_FileVersions: acts.details,
    UI_InsertGraphic: acts.insertPicture,
    // Our text editor's own: its token was refused; who holds the file; what others did to
    // it; how its saving goes.
    Davwopi_TokenExpired: async () => { if (!(await renew())) post('Reset_Access_Token', { token: '' }); },
    Davwopi_Ask: async () => {
      const r = data.state ? await stands.ask() : null;
      post('Davwopi_State', r && r.ok ? await r.json().catch(() => ({})) : {}); // {}: it is not known
    },
    Davwopi_Saving: ({ State }) => {
      saving = State === 'saving';
      savingSince = Date.now();
      failed = State === 'failed';
      reading = State === 'reading';
      if (State === 'saved') look(300);
      show();
    },
  };
  if (data.office !== 'text') for (const id of Object.keys(heard)) if (id.startsWith('Davwopi_')) delete heard[id];

  // An editor's server that is down leaves an empty frame. One that is there says so
  // sooner or later: all that we know do.
  const silence = data.origin ? setTimeout(() => {
    note('silent', 'bad', say('script.host.silent', { name: data.called }), [say('script.host.again'), () => location.reload()]);
  }, 12000) : 0;

  window.addEventListener('message', (e) => {
    if (leaving || e.origin !== origin || e.source !== frame.contentWindow) return;
    clearTimeout(silence);
    let m = e.data;
    if (typeof m === 'string') {
      try { m = JSON.parse(m); } catch { return; }
    }
    if (!m || typeof m !== 'object' || !Object.hasOwn(heard, m.MessageId)) return;
    drop('silent');
    heard[m.MessageId](m.Values && typeof m.Values === 'object' ? m.Values : {});
  });
  if (dialect.early) frame.addEventListener('load', () => post('Host_PostmessageReady'));

  // A page out of the browser's memory has an old token and no lock.
  window.addEventListener('pageshow', (e) => { if (e.persisted) location.reload(); });
  show();
  look(0);
})();
