'use strict';
// A page that shows what happens now: the server sends its list anew whenever it is another
// one (server-sent events). Where no stream comes through, the page asks for itself again,
// as <meta refresh> does where there is no script. Neither loses the place of whoever reads
// or works in it.
(() => {
  const part = document.querySelector('[data-live]');
  if (!part) return;
  const every = Number(part.dataset.live) * 1000;
  let shown = part.innerHTML.trim(); // as it came, before times were put in words
  function show(html) {
    if (html.trim() === shown) return;
    shown = html.trim();
    const at = part.contains(document.activeElement) ? document.activeElement.getAttribute('href') : null;
    part.replaceChildren(...new DOMParser().parseFromString(html, 'text/html').body.childNodes);
    localTimes(part);
    const again = at && [...part.querySelectorAll('a[href]')].find((a) => a.getAttribute('href') === at);
    if (again) again.focus({ preventScroll: true });
  }
  let busy = false;
  async function look() {
    if (document.hidden || busy) return;
    busy = true;
    try {
      const here = new URL(location.href);
      here.searchParams.delete('said');
      const r = await fetch(here, { cache: 'no-store' });
      if (r.redirected) location.reload(); // signed out
      const fresh = r.ok && new DOMParser().parseFromString(await r.text(), 'text/html').querySelector('[data-live]');
      if (fresh) show(fresh.innerHTML);
    } catch { /* no connection: the next turn asks again */ }
    busy = false;
  }
  let timer = 0;
  function poll() {
    if (!timer) timer = setInterval(look, every);
  }
  let stream = null;
  function listen() {
    stream = new EventSource(part.dataset.events);
    stream.addEventListener('list', (e) => {
      clearInterval(timer);
      timer = 0;
      part.dataset.streamed = '';
      show(e.data);
    });
    stream.addEventListener('error', () => {
      poll(); // until the stream is back
      if (stream.readyState !== EventSource.CLOSED) return; // the browser tries by itself
      stream = null; // refused: too many pages, or nobody is signed in any more
      setTimeout(() => { if (!document.hidden && !stream) listen(); }, 60000);
    });
  }
  // A page that nobody looks at needs no stream.
  document.addEventListener('visibilitychange', () => {
    if (document.hidden && stream) {
      stream.close();
      stream = null;
    } else if (!document.hidden && !stream) {
      look();
      listen();
    }
  });
  if (!document.hidden) listen();
})();
