'use strict';
// The host page: opens the editor's frame, answers its messages, and renews the
// access token. Messages are JSON texts as WOPI's host page describes them; only
// the editor's frame at the editor's origin is heard, unknown ones are ignored.
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const origin = data.origin || location.origin;
  const form = document.getElementById('go');
  const notes = document.getElementById('notes');
  const EARLY = 15 * 60000; // a token is renewed so long before its end
  let name = data.name;
  let modified = false;
  let expires = data.expires;
  let renewing = null;
  let leaving = false;

  // ---- the frame: made by script, so that the history does not keep it ----

  const frame = document.createElement('iframe');
  frame.name = 'editor';
  frame.title = 'Editor: ' + name;
  // Another origin's editor is kept from all but what it needs. For our own the
  // browser says rightly that such a sandbox holds nobody.
  if (data.origin) frame.setAttribute('sandbox', 'allow-scripts allow-same-origin allow-forms allow-popups allow-popups-to-escape-sandbox allow-top-navigation allow-downloads allow-modals');
  frame.allow = 'autoplay; camera; microphone; display-capture; clipboard-read *; clipboard-write *; fullscreen';
  document.getElementById('frame').append(frame);
  form.submit();
  form.remove(); // and the token with it

  const post = (id, values = {}) => {
    frame.contentWindow.postMessage(JSON.stringify({ MessageId: id, SendTime: Date.now(), Values: values }), origin);
  };

  function title() { document.title = (modified ? '• ' : '') + name + ' – ' + data.brand; }
  function go(where) {
    leaving = true;
    location.assign(where);
  }

  function note(key, words, link) {
    drop(key);
    const box = document.createElement('div');
    box.className = key === 'waiting' ? 'note warn' : 'note bad';
    box.dataset.key = key;
    const p = document.createElement('p');
    p.textContent = words;
    box.append(p);
    if (link) {
      const a = document.createElement('a');
      a.className = 'button';
      a.href = link[1];
      if (link[1] !== location.href) a.target = '_blank';
      a.textContent = link[0];
      box.append(a);
    }
    notes.append(box);
  }
  function drop(key) { for (const n of [...notes.children]) if (n.dataset.key === key) n.remove(); }
  notes.addEventListener('click', (e) => { if (e.target.matches('[data-dismiss]')) e.target.closest('.note').remove(); });

  // ---- the access token ----

  async function ask() {
    if (!data.renew) return '';
    let r;
    try {
      r = await fetch(data.renew, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ editor: data.editor, user: data.user }) });
    } catch {
      return ''; // no connection: the next turn asks again
    }
    if (r.status === 401) note('signin', 'Your sign-in has ended. Sign in again in another tab; this page then goes on, and nothing is lost.', ['Sign in', data.signIn]);
    if (r.status === 410) note('signin', 'The link by which you came here has ended. What you have not saved can no longer be saved here: copy it before you close this tab.');
    if (r.status === 403) note('signin', 'Somebody else has signed in to this browser. To go on here, sign in again as yourself in another tab.', ['Sign in', data.signIn]);
    if (!r.ok) return '';
    drop('signin');
    const fresh = await r.json();
    expires = fresh.access_token_ttl;
    return fresh.access_token;
  }

  async function renew() {
    renewing = renewing || ask().finally(() => { renewing = null; });
    const token = await renewing;
    if (token) post('Reset_Access_Token', { token, token_ttl: expires });
    return token;
  }

  setInterval(() => { if (data.renew && Date.now() > expires - EARLY) renew(); }, 60000);
  document.addEventListener('visibilitychange', () => { if (!document.hidden && (Date.now() > expires - EARLY || document.querySelector('[data-key=signin]'))) renew(); });

  // What Microsoft's editor left in the address is for its next start only.
  const here = new URL(location.href);
  if (here.searchParams.has('wdPreviousSession') || here.searchParams.has('wdPreviousCorrelation')) {
    here.searchParams.delete('wdPreviousSession');
    here.searchParams.delete('wdPreviousCorrelation');
    history.replaceState(null, '', here);
  }

  // ---- saves that wait ----

  let waits = '';
  async function askWaiting() {
    let now;
    try {
      const r = await fetch(data.state, { cache: 'no-store' });
      if (!r.ok) return; // not known: what is said stays
      now = (await r.json()).for;
    } catch {
      return; // no connection: the next turn asks again
    }
    if (now === waits) return;
    waits = now;
    if (now) note('waiting', `Saved here, waiting for ${now}. Nothing is lost; it goes there by itself.`);
    else drop('waiting');
  }
  if (data.state) setInterval(() => { if (!document.hidden) askWaiting(); }, 15000);

  // ---- sharing, beside the document ----

  function share() {
    if (!data.share) return;
    if (!window.open(data.share, '_blank')) note('share', 'Links to this document are made on a page of their own.', ['Share it', data.share]);
  }

  // ---- messages ----

  const heard = {
    App_LoadingStatus: () => post('Host_PostmessageReady'),
    UI_Close: () => go(data.folder),
    UI_Share: share, // Collabora's; the others are told FileSharingUrl
    UI_Edit: () => { if (data.edit) go(data.edit); },
    File_Rename: ({ NewName }) => {
      if (typeof NewName !== 'string' || NewName === '') return;
      const dot = name.lastIndexOf('.');
      const ext = dot > 0 ? name.slice(dot) : '';
      name = ext && !NewName.endsWith(ext) ? NewName + ext : NewName; // Microsoft's comes without its extension
      title();
    },
    Doc_ModifiedStatus: ({ Modified }) => { modified = Boolean(Modified); title(); },
    // Our text editor's own: its token was refused; who holds the file?
    Davwopi_TokenExpired: async () => { if (!(await renew())) post('Reset_Access_Token', { token: '' }); },
    Davwopi_AskHolder: async () => {
      let who = '';
      try {
        if (data.state) who = (await (await fetch(data.state)).json()).holder || '';
      } catch { /* then it is not known */ }
      post('Davwopi_Holder', { Name: who });
    },
  };

  // An editor's server that is down leaves an empty frame. One that is there says so
  // sooner or later: all that we know do.
  const silence = data.origin ? setTimeout(() => {
    note('silent', `${data.called} has not answered yet. If nothing shows below, its server is probably not running. The file itself is not affected.`, ['Try again', location.href]);
  }, 12000) : 0;

  window.addEventListener('message', (e) => {
    if (leaving || e.origin !== origin || e.source !== frame.contentWindow) return;
    clearTimeout(silence);
    drop('silent');
    let m = e.data;
    if (typeof m === 'string') {
      try { m = JSON.parse(m); } catch { return; }
    }
    if (!m || typeof m !== 'object' || !Object.hasOwn(heard, m.MessageId)) return;
    heard[m.MessageId](m.Values && typeof m.Values === 'object' ? m.Values : {});
  });
  frame.addEventListener('load', () => post('Host_PostmessageReady'));

  // A page out of the browser's memory has an old token and no lock.
  window.addEventListener('pageshow', (e) => { if (e.persisted) location.reload(); });
})();
