'use strict';
// A page that shows what happens now asks for itself again, as <meta refresh> does where
// there is no script, but without losing the place of whoever reads or works in it.
(() => {
  let part = document.querySelector('[data-live]');
  if (!part) return;
  const every = Number(part.dataset.live) * 1000;
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
      if (fresh) show(fresh);
    } catch { /* no connection: the next turn asks again */ }
    busy = false;
  }
  let shown = part.innerHTML; // as it came, before times were put in words
  function show(fresh) {
    if (fresh.innerHTML === shown) return;
    shown = fresh.innerHTML;
    const at = part.contains(document.activeElement) ? document.activeElement.getAttribute('href') : null;
    part.replaceWith(fresh);
    part = fresh;
    localTimes(part);
    const again = at && [...part.querySelectorAll('a[href]')].find((a) => a.getAttribute('href') === at);
    if (again) again.focus({ preventScroll: true });
  }
  setInterval(look, every);
  document.addEventListener('visibilitychange', look);
})();
