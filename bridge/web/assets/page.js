'use strict';
// What lists and forms gain from script: times in the person's own zone and
// words, and sign-in links that need no click.
function localTimes(part) {
  for (const t of part.querySelectorAll('time[datetime]')) {
    const at = new Date(t.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const days = (Date.now() - at.getTime()) / 86400000;
    const clock = { hour: 'numeric', minute: '2-digit' };
    const today = at.toDateString() === new Date().toDateString();
    t.title = at.toLocaleString(say.language);
    t.textContent = today ? say(t.closest('p, li') ? 'script.page.today' : 'script.page.today_alone', { clock: at.toLocaleTimeString(say.language, clock) })
      : at.toLocaleDateString(say.language, days < 300 ? { day: 'numeric', month: 'short' } : { day: 'numeric', month: 'short', year: 'numeric' }) +
        (days < 300 ? ', ' + at.toLocaleTimeString(say.language, clock) : '');
  }
}
localTimes(document);
// A button that copies says for a moment whether it did.
function copied(button, done) {
  const label = button.dataset.label ??= button.textContent;
  button.textContent = say(done ? 'script.page.copied' : 'script.page.marked');
  setTimeout(() => { button.textContent = label; }, 2500);
}
// A tablet that calls itself a Mac opens documents as phones do.
if (navigator.platform === 'MacIntel' && navigator.maxTouchPoints > 1) {
  for (const a of document.querySelectorAll('a[data-tablet]')) {
    const mac = a.parentElement.querySelector('.app:not([data-tablet])');
    if (mac) mac.hidden = true;
    a.hidden = false;
  }
}
// A page that tells of an outage looks whether it is over.
const again = document.querySelector('[data-again]');
if (again) {
  const here = new URL(location.href);
  here.searchParams.delete('again');
  here.hash = ''; // with one, the same address would not be loaded again
  const ask = new URL(here);
  ask.searchParams.set('again', '');
  let busy = false; // looking, or leaving
  const look = async () => {
    if (document.hidden || busy) return;
    busy = true;
    try {
      const r = await fetch(ask, { cache: 'no-store' });
      if (r.status !== 503) {
        location.replace(here);
        return;
      }
    } catch { /* not yet */ }
    busy = false;
  };
  again.hidden = false;
  setInterval(look, 15000);
  for (const woke of ['online', 'focus']) window.addEventListener(woke, look);
}
// Without cookies nobody can be signed in, and a link that works once would be used up. What
// navigator.cookieEnabled says is not always true: one is tried.
const cookies = document.querySelector('[data-cookies]');
if (cookies) {
  document.cookie = 'davwopi_try=1; SameSite=Lax';
  cookies.hidden = document.cookie.includes('davwopi_try=1');
  document.cookie = 'davwopi_try=; SameSite=Lax; Max-Age=0';
}
const send = document.querySelector('form[data-send]');
if (send && cookies?.hidden) send.requestSubmit();
