'use strict';
// The page on which a file is converted: asks how far it is, and then opens the copy or
// fetches the result.
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const el = (id) => document.getElementById(id);

  function end(words, again) {
    el('what').hidden = true; // it is not being made any more
    el('said').textContent = words;
    el('progress').hidden = true;
    el('again').hidden = !again;
  }

  async function ask() {
    let r;
    let now = {};
    try {
      r = await fetch(data.ask, {
        method: 'POST', headers: { 'Content-Type': 'application/json', 'X-Davwopi-Docs': data.token },
        body: JSON.stringify({ to: data.to, keep: data.keep }),
      });
      now = await r.json();
    } catch { /* no connection, or half an answer */ }
    if (!r || !r.ok) {
      end(say('script.docs.' + (now.error || 'failed')), true);
      return;
    }
    if (now.id) {
      location.replace(`${data.copies}/${now.id}`);
      return;
    }
    if (now.done && !data.keep) {
      el('take').submit();
      end(say('script.converting.done'), true);
      return;
    }
    el('progress').value = now.percent;
    el('said').textContent = say('script.converting.goes', { percent: now.percent });
    setTimeout(ask, 700);
  }

  el('again').addEventListener('click', () => {
    el('again').hidden = true;
    el('what').hidden = false;
    el('progress').hidden = false;
    el('progress').removeAttribute('value');
    el('said').textContent = say('script.converting.begins');
    ask();
  });
  ask();
})();
