'use strict';
// What lists and forms gain from script: times in the person's own zone and
// words, and sign-in links that need no click.
for (const t of document.querySelectorAll('time[datetime]')) {
  const at = new Date(t.dateTime);
  if (Number.isNaN(at.getTime())) continue;
  const days = (Date.now() - at.getTime()) / 86400000;
  const clock = { hour: '2-digit', minute: '2-digit' };
  const today = at.toDateString() === new Date().toDateString();
  t.title = at.toLocaleString();
  t.textContent = today ? 'Today, ' + at.toLocaleTimeString([], clock)
    : at.toLocaleDateString([], days < 300 ? { day: 'numeric', month: 'short' } : { day: 'numeric', month: 'short', year: 'numeric' }) +
      (days < 300 ? ', ' + at.toLocaleTimeString([], clock) : '');
}
const send = document.querySelector('form[data-send]');
if (send) send.requestSubmit();
