'use strict';
// The addresses of links: marked when they are touched, copied by a button.
for (const box of document.querySelectorAll('.address')) {
  const input = box.querySelector('input');
  const button = box.querySelector('[data-copy]');
  input.addEventListener('focus', () => input.select());
  button.hidden = false;
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(input.value);
      copied(button, true);
    } catch { // not on plain http: marked, to be copied by hand
      input.focus();
      input.select();
      copied(button, false);
    }
  });
}
