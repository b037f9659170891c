'use strict';
// A stand-in for ONLYOFFICE's api.js: DocsAPI.DocEditor puts the editor's frame in the
// place of an element, plays the events that its buttons stand for, and hands the methods
// on to it.
(() => {
  const origin = new URL(document.currentScript.src).origin;
  const shard = new URL(document.currentScript.src).searchParams.get('shardkey');

  function DocEditor(id, config) {
    const frame = document.createElement('iframe');
    frame.name = 'frameEditor';
    frame.src = `${origin}/web-apps/frame.html`;
    frame.style.width = config.width || '100%';
    frame.style.height = config.height || '100%';
    frame.style.border = '0';
    document.getElementById(id).replaceWith(frame);
    const events = config.events || {};
    const plain = { ...config, events: undefined };
    const say = (m) => frame.contentWindow.postMessage(JSON.stringify(m), origin);
    const hear = (e) => {
      if (e.source !== frame.contentWindow || e.origin !== origin) return;
      const m = JSON.parse(e.data);
      if (m.event === 'loaded') say({ config: plain, events: Object.keys(events), shard });
      else if (events[m.event]) events[m.event]({ target: this, data: m.data });
    };
    window.addEventListener('message', hear);
    for (const method of ['refreshHistory', 'setHistoryData', 'insertImage', 'setUsers', 'refreshFile', 'showMessage', 'denyEditingRights']) {
      this[method] = (argument) => say({ method, argument });
    }
    this.destroyEditor = () => {
      window.removeEventListener('message', hear);
      const place = document.createElement('div');
      place.id = id;
      frame.replaceWith(place);
    };
  }

  window.DocsAPI = { DocEditor: DocEditor };
  window.DocsAPI.DocEditor.version = function () { return '9.3.0'; };
})();
