'use strict';
// What a person does on the host page besides working in the editor: a copy, another name,
// a picture, sharing. hostActs gets what the page knows and gives it what it can do.

const hostActs = ({ data, order, go, renamed, name }) => {
  const { note } = hostSays;
  const { like, stem, extension } = hostActs;
  let copying = ''; // the name under which a copy is being saved

  // beside opens a page of ours in another tab, or says where it is if that is not allowed.
  function beside(where, key, words, action) {
    if (where && !window.open(where, '_blank')) note(key, 'info', words, [action, where]);
  }

  async function saveAs(format) {
    if (!data.beside) return;
    const ext = typeof format === 'string' && /^[a-z0-9]{1,8}$/i.test(format) ? '.' + format : extension(name());
    const wanted = await hostAsks.name(say('script.host.copy_title'), say('script.host.copy_label'), say('script.host.copy_do'), say('script.host.copy_name', { name: stem(name()) }) + ext);
    if (!wanted) return;
    copying = like(wanted, ext);
    order('Action_SaveAs', { Filename: copying, Notify: true });
  }

  // copied hears how an order of the editor has ended, and tells whether it was a copy's.
  // Collabora goes on with the copy, so the page goes along; the text editor stays.
  function copied(success, as) {
    const wanted = copying;
    copying = '';
    if (!wanted) return false;
    if (success) lead(typeof as === 'string' && as ? as : wanted);
    else note('copied', 'bad', say('script.host.copy_failed'));
    return true;
  }
  async function lead(to) {
    let page = '';
    try {
      const r = await fetch(data.beside + '?name=' + encodeURIComponent(to), { cache: 'no-store' });
      if (r.ok) page = (await r.json()).page;
    } catch { /* then the folder shows it */ }
    if (data.office === 'collabora') go(page || data.folder);
    else note('copied', 'good', say('script.host.copied', { name: to }), [say('script.host.open_copy'), page || data.folder]);
  }

  // rename gives the document another name: the text editor does it by itself; under an
  // editor of others the server does, and that editor shows it when it is loaded anew.
  async function rename() {
    const typed = await hostAsks.rename(name());
    if (!typed) return;
    const wanted = stem(like(typed, extension(name())));
    if (data.office === 'text') {
      order('Davwopi_Rename', { Name: wanted });
      return;
    }
    const asked = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ editor: data.editor, user: data.user, name: wanted }) };
    const r = await fetch(data.rename, asked).catch(() => null);
    const answer = r ? await r.json().catch(() => ({})) : {};
    if (r && r.ok) {
      renamed(answer.name);
      note('renamed', 'good', say('script.host.renamed', { name: answer.name, editor: data.called }), [say('script.host.reload'), () => location.reload()]);
    } else note('renamed', 'bad', say('script.host.not_renamed') + (answer.error === 'name' ? ' ' + answer.message : ''), [say('script.host.again'), rename]);
  }

  async function insertPicture() {
    if (!data.picture) return;
    const id = await hostAsks.picture(async (folder) => {
      const r = await fetch(data.pictures + (folder ? '?in=' + folder : ''), { cache: 'no-store' });
      return r.ok ? r.json() : null;
    });
    if (!id) return;
    const asked = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ editor: data.editor, user: data.user, picture: id }) };
    const r = await fetch(data.picture, asked).catch(() => null);
    if (r && r.ok) order('Action_InsertGraphic', { url: (await r.json()).url });
    else note('picture', 'bad', say('script.host.pictures_failed'));
  }

  for (const [id, act] of [['rename', rename], ['copy', () => saveAs()]]) {
    const button = document.getElementById(id);
    if (button) button.addEventListener('click', act);
  }

  return {
    saveAs, copied, insertPicture,
    share: () => beside(data.share, 'share', say('script.host.share_note'), say('script.host.share_do')),
    details: () => beside(data.details, 'details', name(), say('script.host.details')),
  };
};

// Names with and without their extension; like gives a name one that it lacks.
hostActs.extension = (of) => (of.lastIndexOf('.') > 0 ? of.slice(of.lastIndexOf('.')) : '');
hostActs.stem = (of) => of.slice(0, of.length - hostActs.extension(of).length);
hostActs.like = (name, ext) => (name.toLowerCase().endsWith(ext.toLowerCase()) ? name : name + ext);
