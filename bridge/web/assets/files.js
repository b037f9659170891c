'use strict';
// What the list of files gains from script: it is filtered as one types, and each row has
// a menu. Without script a row's last link leads to a page with the same ways on.
const list = document.getElementById('list');

// swap takes the list from another copy of this page.
async function swap(address) {
  const answer = await fetch(address, { headers: { Accept: 'text/html' } });
  if (!answer.ok || answer.redirected) throw new Error(answer.status);
  const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
  const fresh = page.getElementById('list');
  if (!fresh) throw new Error('list');
  put(fresh);
}

// put shows another copy's list, and keeps the place of whoever is in it.
let filter = () => {};
function put(fresh) {
  const at = list.contains(document.activeElement) ? document.activeElement.getAttribute('href') : null;
  list.replaceChildren(...fresh.childNodes);
  list.dataset.pages = fresh.dataset.pages;
  localTimes(list);
  filter();
  if (at) [...list.querySelectorAll('a[href]')].find((a) => a.getAttribute('href') === at)?.focus({ preventScroll: true });
}

// A page that comes back from the browser's memory, or into view after a while, shows what
// has happened since. A folder of many pages is too much work for the latter.
function renew(otherwise) {
  if (!list || !menu.hidden) return;
  const to = new URL(location.href);
  to.searchParams.delete('done');
  swap(to).catch(otherwise);
}
addEventListener('pageshow', (e) => {
  if (!e.persisted) return;
  closeMenu(false); // as it was left
  renew(() => location.reload());
});
let left = Infinity;
document.addEventListener('visibilitychange', () => {
  if (document.hidden) left = Date.now();
  else if (Date.now() - left > 30000 && list?.dataset.pages === '1') renew(() => {});
});

// plain is what a name and what is looked for are compared by.
const plain = (s) => s.normalize('NFD').replace(/\p{Mn}/gu, '').toLowerCase().trim();

const find = document.getElementById('q');
if (find) {
  const whole = () => !new URL(location.href).searchParams.get('q') && list.dataset.pages === '1';
  const none = document.createElement('p');
  none.className = 'empty';
  none.setAttribute('role', 'status');
  none.hidden = true;
  list.after(none);
  let timer, asked = 0;
  const here = () => {
    const wanted = plain(find.value);
    let shown = 0;
    for (const row of list.querySelectorAll('tbody>tr')) {
      row.hidden = !plain(row.querySelector('.name bdi').textContent).includes(wanted);
      if (!row.hidden) shown++;
    }
    const table = list.querySelector('table');
    if (table) table.hidden = shown === 0;
    none.hidden = shown > 0;
    none.textContent = say('script.folder.not_found', { name: find.value });
  };
  const there = async () => {
    const turn = ++asked;
    const to = new URL(location.href);
    for (const gone of ['page', 'done']) to.searchParams.delete(gone);
    if (find.value.trim()) to.searchParams.set('q', find.value);
    else to.searchParams.delete('q');
    find.setAttribute('aria-busy', 'true');
    try {
      const answer = await fetch(to);
      const text = await answer.text();
      if (turn !== asked || !answer.ok) return;
      const fresh = new DOMParser().parseFromString(text, 'text/html').getElementById('list');
      if (!fresh) return;
      history.replaceState(null, '', to);
      put(fresh);
    } catch { /* the list stays as it is; Enter asks again */ } finally {
      if (turn === asked) find.removeAttribute('aria-busy');
    }
  };
  find.addEventListener('input', () => {
    clearTimeout(timer);
    if (whole()) here();
    else timer = setTimeout(there, 250);
  });
  find.form.querySelector('button').hidden = true; // Enter does it
  find.form.addEventListener('submit', (e) => {
    e.preventDefault();
    if (whole()) here();
    else there();
    list.querySelector('tr:not([hidden]) .name a')?.focus();
  });
  document.addEventListener('keydown', (e) => {
    if (e.key === '/' && !e.ctrlKey && !e.metaKey && !e.altKey && !e.target.closest('input, textarea, select, dialog')) {
      e.preventDefault();
      find.focus();
    }
  });
  filter = () => { if (whole()) here(); };
  filter(); // a browser may have kept what was typed
}

// The New button's list closes like one.
for (const drop of document.querySelectorAll('details.drop')) {
  document.addEventListener('click', (e) => { if (!drop.contains(e.target)) drop.open = false; });
  drop.addEventListener('keydown', (e) => {
    if (e.key === 'Escape' && drop.open) {
      drop.open = false;
      drop.querySelector('summary').focus();
    }
  });
}

const menu = document.createElement('div');
menu.classList.add('menu', 'floating');
menu.setAttribute('role', 'menu');
menu.hidden = true;
document.querySelector('main').append(menu);
let opener = null;

function closeMenu(back) {
  if (menu.hidden) return;
  menu.hidden = true;
  opener?.setAttribute('aria-expanded', 'false');
  if (back) opener?.focus();
}

function item(label, href, act) {
  const e = document.createElement(href ? 'a' : 'button');
  if (href) e.href = href;
  else e.type = 'button';
  e.setAttribute('role', 'menuitem');
  e.tabIndex = -1;
  e.textContent = label;
  if (act) e.addEventListener('click', act);
  menu.append(e);
  return e;
}

// address is the one that leads to a row's file or folder for good.
function address(row) {
  const name = row.querySelector('.name a');
  const folder = name.querySelector('.kind').classList.contains('folder');
  return new URL(list.dataset.base + (folder ? 'folder/' : 'edit/') + row.dataset.id, location.href).href;
}

async function copyLink(row) {
  const link = address(row);
  try {
    await navigator.clipboard.writeText(link);
    tell(say('script.folder.copied', { name: row.querySelector('.name bdi').textContent }));
  } catch { // not on plain http: shown, to be copied by hand
    prompt(say('script.folder.copy_by_hand'), link);
  }
}

// tell says what was done, for eyes and for screen readers.
const told = document.createElement('p');
told.className = 'told-once';
told.setAttribute('role', 'status');
told.hidden = true;
document.querySelector('main').append(told);
let quiet;
function tell(words) {
  told.textContent = words;
  told.hidden = false;
  clearTimeout(quiet);
  quiet = setTimeout(() => { told.hidden = true; }, 5000);
}

// remove posts what the confirmation page would: where there is a trash nobody is asked.
function remove(row) {
  const form = document.createElement('form');
  form.method = 'post';
  form.action = list.dataset.base + 'delete/' + row.dataset.id;
  document.body.append(form);
  form.submit();
}

function openMenu(link) {
  const row = link.closest('tr');
  const base = list.dataset.base, id = row.dataset.id;
  opener = link;
  menu.replaceChildren();
  menu.setAttribute('aria-label', link.getAttribute('aria-label'));
  item(say('script.folder.open'), row.querySelector('.name a').href);
  if (link.dataset.view) item(say('script.folder.view'), link.dataset.view);
  for (const a of row.querySelectorAll('a.app')) if (!a.hidden) item(a.title, a.getAttribute('href'));
  const bytes = row.querySelector('.to-bytes');
  if (bytes) item(say('script.folder.download'), bytes.href);
  const share = row.querySelector('.to-share');
  if (share) item(say('script.folder.share'), share.href);
  if ('links' in list.dataset) item(say('script.folder.copy_link'), '', () => { closeMenu(true); copyLink(row); });
  if (row.dataset.can) {
    item(say('script.folder.rename'), base + 'rename/' + id).className = 'apart';
    item(say('script.folder.move'), base + 'move/' + id);
    if ('trash' in list.dataset) item(say('script.folder.delete'), '', () => remove(row)).className = 'bad';
    else item(say('script.folder.delete_ask'), base + 'delete/' + id).className = 'bad';
  }
  item(say('script.folder.details'), link.href).className = 'apart';
  menu.hidden = false;
  link.setAttribute('aria-expanded', 'true');
  const at = link.getBoundingClientRect(), box = menu.getBoundingClientRect();
  const below = at.bottom + box.height < innerHeight || at.top < box.height;
  menu.style.top = Math.round(scrollY + (below ? at.bottom : at.top - box.height)) + 'px';
  menu.style.left = Math.round(Math.max(8, Math.min(at.right - box.width, innerWidth - box.width - 8))) + 'px';
  menu.firstElementChild.focus();
}

list?.addEventListener('click', (e) => {
  const link = e.target.closest('.to-more');
  if (!link || e.ctrlKey || e.metaKey || e.shiftKey || e.button) return;
  e.preventDefault();
  if (!menu.hidden && opener === link) closeMenu(true);
  else openMenu(link);
});
list?.addEventListener('contextmenu', (e) => {
  const link = e.target.closest('tr')?.querySelector('.to-more');
  if (!link || e.shiftKey || String(getSelection())) return;
  e.preventDefault();
  openMenu(link);
});
menu.addEventListener('keydown', (e) => {
  const items = [...menu.children], at = items.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1 + items.length, Home: 0, End: items.length - 1 }[e.key];
  if (to !== undefined) {
    e.preventDefault();
    items[to % items.length].focus();
  } else if (e.key === 'Escape' || e.key === 'Tab') {
    if (e.key === 'Escape') e.preventDefault();
    closeMenu(true);
  } else if (e.key === ' ' && document.activeElement.href) {
    e.preventDefault();
    document.activeElement.click();
  }
});
document.addEventListener('click', (e) => { if (!menu.contains(e.target) && !e.target.closest('.to-more')) closeMenu(false); });
window.addEventListener('resize', () => closeMenu(false));
