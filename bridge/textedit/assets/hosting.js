'use strict';
// The page around the frame: what it is told and asked, and what it wants. Only the parent
// at this very origin is spoken to and heard.

const hosting = (() => {
  const parent = window.parent === window ? null : window.parent;

  function tell(id, values = {}) {
    if (parent) parent.postMessage(JSON.stringify({ MessageId: id, SendTime: Date.now(), Values: values }), location.origin);
  }

  // asked makes a question of a message: one at a time, answered by settle, or by none in
  // time.
  function asked(id, none, limit) {
    let open = null;
    return {
      ask() {
        if (!parent) return Promise.resolve(none);
        if (!open) {
          let settle;
          const wait = new Promise((done) => { settle = done; });
          open = { wait, settle };
          setTimeout(() => settle(none), limit);
          wait.then(() => { open = null; });
          tell(id);
        }
        return open.wait;
      },
      settle(value) { if (open) open.settle(value); },
    };
  }
  const token = asked('Davwopi_TokenExpired', false, 15000); // promises whether there is a new one
  const state = asked('Davwopi_Ask', {}, 3000);              // promises how the document stands, {} not known

  // wanted are the messages that the page acts upon, by name.
  function listen(wanted) {
    window.addEventListener('message', (e) => {
      if (e.source !== parent || e.origin !== location.origin) return;
      let m;
      try { m = JSON.parse(e.data); } catch { return; }
      if (m && Object.hasOwn(wanted, m.MessageId)) wanted[m.MessageId](m.Values || {});
    });
  }

  return { there: Boolean(parent), tell, token, state, listen };
})();
