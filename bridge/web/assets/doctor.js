'use strict';
// Buttons that copy what stands beside them. Without script, or where the page may not
// reach the clipboard (plain http on a network), the text can be marked by hand.
for (const button of document.querySelectorAll('[data-copy]')) {
  const text = button.closest('.paste').querySelector('pre');
  button.hidden = false;
  button.addEventListener('click', async () => {
    let done = false;
    try {
      await navigator.clipboard.writeText(text.textContent);
      done = true;
    } catch {
      const all = document.createRange();
      all.selectNodeContents(text);
      const marked = getSelection();
      marked.removeAllRanges();
      marked.addRange(all);
    }
    copied(button, done);
  });
}
