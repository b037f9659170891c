'use strict';
// Uploads: files and whole folders, dropped on the page or chosen, two at a time, each in
// pieces. A piece that breaks off is sent again from where it broke off, also after the
// page was loaded again; nothing that is there is replaced without being asked about.
if (list && 'upload' in list.dataset) {
  const base = list.dataset.base, here = list.dataset.folder;
  const lanes = 2, tries = 8;
  const panel = document.createElement('section');
  panel.className = 'uploads';
  panel.hidden = true;
  panel.setAttribute('aria-label', say('script.folder.uploads'));
  const head = document.createElement('p');
  head.className = 'uploads-head';
  head.setAttribute('role', 'status');
  head.tabIndex = -1;
  const close = button(say('script.folder.close'), () => { panel.hidden = true; rows.replaceChildren(); jobs.length = 0; upload.focus(); });
  close.hidden = true;
  const stop = button(say('script.folder.cancel_all'), () => { for (const job of jobs.filter((j) => !j.done).reverse()) cancel(job); });
  stop.hidden = true;
  const rows = document.createElement('ul');
  const top = document.createElement('div');
  top.append(head, close, stop);
  panel.append(top, rows);
  document.querySelector('main').append(panel);

  const jobs = [];
  let running = 0, forAll = '', asking = Promise.resolve();

  function button(label, act) {
    const b = document.createElement('button');
    b.type = 'button';
    b.textContent = label;
    b.addEventListener('click', act);
    return b;
  }

  // ask is one request for JSON.
  async function ask(method, address, body) {
    const answer = await fetch(address, { method, body: body === undefined ? undefined : JSON.stringify(body), headers: { Accept: 'application/json' } });
    let json = {};
    try { json = await answer.json(); } catch { /* a proxy's page */ }
    if (!answer.ok) throw Object.assign(new Error(json.message || String(answer.status)), { status: answer.status, json });
    return json;
  }

  // send is one piece, with its progress, which fetch does not tell.
  function send(job, address, piece) {
    return new Promise((done, failed) => {
      const x = new XMLHttpRequest();
      x.upload.addEventListener('progress', (e) => show(job, job.at + e.loaded));
      x.addEventListener('load', () => {
        let json = {};
        try { json = JSON.parse(x.responseText); } catch { /* a proxy's page */ }
        if (x.status === 200 || json.error === 'elsewhere') done(json);
        else failed(Object.assign(new Error(json.message || String(x.status)), { status: x.status, json }));
      });
      for (const end of ['error', 'abort', 'timeout']) x.addEventListener(end, () => failed(new TypeError(end)));
      job.stop = () => { // what was not sent yet knows nothing of being aborted
        x.abort();
        failed(new TypeError('abort'));
      };
      x.open('PATCH', address);
      x.send(piece);
    });
  }

  const sleep = (job, ms) => new Promise((done) => {
    job.stop = done;
    const timer = setTimeout(done, ms);
    addEventListener('online', () => { clearTimeout(timer); done(); }, { once: true });
  });
  const passing = (e) => e instanceof TypeError || e.status >= 500 || e.status === 429 || ['busy', 'short'].includes(e.json?.error);

  // patiently does something again while it fails for what may pass.
  async function patiently(job, f) {
    for (let n = 0; ; n++) {
      try {
        return await f();
      } catch (e) {
        if (job.cancelled || !passing(e) || n === tries) throw e;
        state(job, say('script.folder.again'));
        await sleep(job, Math.min(500 * 2 ** n, 15000));
        if (job.cancelled) throw e;
      }
    }
  }

  const memory = (job) => 'upload:' + [job.folder, job.file.name, job.file.size, job.file.lastModified].join(':');
  function remember(job, id) {
    try {
      if (id) localStorage.setItem(memory(job), id);
      else localStorage.removeItem(memory(job));
    } catch { /* not kept; it begins anew then */ }
  }

  // begin goes on with what an earlier page has begun, or begins anew.
  async function begin(job) {
    let known = null;
    try { known = localStorage.getItem(memory(job)); } catch { /* nothing is kept */ }
    if (known) {
      try { return await ask('GET', base + 'upload/' + known); } catch (e) { if (passing(e)) throw e; }
    }
    const body = { name: job.file.name, size: job.file.size, taken: job.taken || forAll || 'ask' };
    const begun = await ask('POST', base + 'folder/' + job.folder + '/uploads', body);
    remember(job, begun.upload);
    return begun;
  }

  async function bytes(job) {
    const address = base + 'upload/' + job.upload;
    while (job.at < job.file.size) {
      if (job.cancelled) throw new TypeError('abort');
      const told = await patiently(job, async () => {
        if (job.unsure) { // how much of the last piece has come?
          job.at = (await ask('GET', address)).at;
          job.unsure = false;
          show(job, job.at);
          if (job.at >= job.file.size) return { at: job.at };
        }
        try {
          return await send(job, address + '?at=' + job.at, job.file.slice(job.at, job.at + job.piece));
        } catch (e) {
          job.unsure = true;
          throw e;
        }
      });
      job.at = told.at;
      show(job, job.at);
    }
  }

  // question asks what to do with a name that is taken, one question at a time.
  function question(job, taken) {
    const turn = asking.then(() => (forAll && taken.taken === 'file' ? forAll : dialog(job, taken)));
    asking = turn.catch(() => {});
    return turn;
  }

  function dialog(job, taken) {
    return new Promise((done) => {
      const d = document.createElement('dialog');
      d.className = 'ask';
      d.setAttribute('aria-labelledby', 'ask-title');
      const title = document.createElement('h2');
      title.id = 'ask-title';
      title.textContent = say('script.folder.taken', { name: taken.name });
      const words = document.createElement('p');
      words.textContent = say(taken.taken === 'folder' ? 'script.folder.taken_folder' : 'script.folder.taken_words');
      const all = document.createElement('label');
      const box = document.createElement('input');
      box.type = 'checkbox';
      all.append(box, ' ' + say('script.folder.for_all'));
      all.hidden = taken.taken === 'folder' || !jobs.some((j) => j !== job && !j.done);
      const steps = document.createElement('p');
      steps.className = 'steps';
      const answer = (choice) => {
        if (box.checked) forAll = choice;
        d.close();
        d.remove();
        done(choice);
      };
      const both = button(say('script.folder.both'), () => answer('both'));
      both.className = 'primary';
      steps.append(both);
      if (taken.taken === 'file') steps.append(button(say('script.folder.replace'), () => answer('replace')));
      steps.append(button(say('script.folder.skip'), () => answer('skip')));
      d.addEventListener('cancel', (e) => { e.preventDefault(); answer('skip'); });
      d.append(title, words, all, steps);
      document.body.append(d);
      d.showModal();
      both.focus();
    });
  }

  // settled does something, and asks when a name is taken.
  async function settled(job, f) {
    for (;;) {
      try {
        return await patiently(job, f);
      } catch (e) {
        if (e.json?.error !== 'taken' || job.cancelled) throw e;
        state(job, say('script.folder.asks'));
        job.taken = await question(job, e.json);
        if (job.taken === 'skip') return null;
      }
    }
  }

  async function run(job) {
    state(job, '');
    job.folder ??= await patiently(job, () => folderOf(job.way));
    const begun = await settled(job, () => begin(job));
    if (!begun) return skipped(job);
    Object.assign(job, { upload: begun.upload, at: begun.at, piece: begun.piece });
    show(job, job.at);
    await bytes(job);
    state(job, say('script.folder.finishing'));
    const made = await settled(job, () => ask('POST', base + 'upload/' + job.upload, { taken: job.taken || forAll || 'ask' }));
    if (!made) {
      ask('DELETE', base + 'upload/' + job.upload).catch(() => {});
      return skipped(job);
    }
    remember(job, '');
    job.made = made;
    state(job, made.done === 'replaced' ? say('script.folder.replaced') : made.old ? say('script.folder.as', { name: made.name }) : '', 'good');
  }

  function skipped(job) {
    remember(job, '');
    job.skipped = true;
    state(job, say('script.folder.skipped'));
  }

  // folderOf makes the folders on the way to a file, each once.
  const made = new Map([['', Promise.resolve(here)]]);
  function folderOf(way) {
    if (!made.has(way)) {
      const cut = way.lastIndexOf('/');
      const above = cut < 0 ? '' : way.slice(0, cut);
      const folder = folderOf(above).then((id) => ask('POST', base + 'folder/' + id + '/folders', { name: way.slice(cut + 1) })).then((f) => f.id);
      folder.catch(() => made.delete(way)); // tried again with the next file
      made.set(way, folder);
    }
    return made.get(way);
  }

  function show(job, at) {
    const part = job.file.size ? at / job.file.size : 1;
    job.bar.value = part;
    job.bar.textContent = job.percent.textContent = say('script.folder.percent', { n: Math.floor(100 * part) });
  }

  function state(job, words, mark) {
    job.words.textContent = words;
    job.row.className = mark || '';
  }

  function add(file, way) {
    const job = { file, way, at: 0, folder: way ? null : here };
    job.row = document.createElement('li');
    const name = document.createElement('bdi');
    name.textContent = (way ? way + '/' : '') + file.name;
    job.bar = document.createElement('progress');
    job.bar.setAttribute('aria-label', file.name);
    job.bar.value = 0;
    job.percent = document.createElement('span');
    job.percent.className = 'percent';
    job.words = document.createElement('span');
    job.words.className = 'words';
    job.cancel = button('×', () => cancel(job));
    job.cancel.setAttribute('aria-label', say('script.folder.cancel', { name: file.name }));
    job.row.append(name, job.cancel, job.bar, job.percent, job.words);
    rows.append(job.row);
    jobs.push(job);
  }

  function cancel(job) {
    job.cancelled = true;
    job.stop?.();
    if (!job.begun) finish(job, new TypeError('abort'));
  }

  function finish(job, error) {
    job.done = true;
    const focused = document.activeElement === job.cancel;
    job.cancel.remove();
    if (error && job.cancelled) {
      job.skipped = true;
      remember(job, '');
      if (job.upload) ask('DELETE', base + 'upload/' + job.upload).catch(() => {});
      state(job, say('script.folder.cancelled'));
    } else if (error) {
      job.failed = true;
      state(job, error instanceof TypeError ? say('script.folder.no_line') : error.json?.message || say('script.folder.failed'), 'bad');
      job.row.append(button(say('script.folder.retry'), (e) => {
        e.target.remove();
        Object.assign(job, { done: false, failed: false, begun: false, unsure: true });
        job.row.insertBefore(job.cancel, job.bar);
        job.cancel.focus();
        next();
      }));
    }
    if (focused) (rows.querySelector('button') ?? head).focus(); // not lost with the button
  }

  async function next() {
    tally();
    while (running < lanes) {
      const job = jobs.find((j) => !j.begun && !j.done);
      if (!job) return;
      job.begun = true;
      running++;
      run(job).then(() => finish(job), (e) => finish(job, e)).finally(() => { running--; next(); });
    }
  }

  // tally says how it stands, and shows the new list once all is done.
  let listed = 0;
  function tally() {
    const open = jobs.filter((j) => !j.done).length;
    const good = jobs.filter((j) => j.made).length, bad = jobs.filter((j) => j.failed).length;
    head.textContent = open ? say('script.folder.under_way', { n: open }) : bad ? say('script.folder.some_failed', { n: bad }) : good ? say('script.folder.all_done', { n: good }) : say('script.folder.none_done');
    close.hidden = open > 0;
    const stopped = document.activeElement === stop;
    stop.hidden = open < 2;
    if (stopped && stop.hidden) head.focus();
    if (open) {
      forAll = jobs.length ? forAll : '';
      return;
    }
    forAll = '';
    if (good !== listed) {
      listed = good;
      const to = new URL(location.href);
      to.searchParams.delete('done');
      swap(to).catch(() => location.reload());
    }
  }

  function take(files) {
    if (!files.length) return;
    if (panel.hidden) listed = 0;
    panel.hidden = false;
    for (const [file, way] of files) add(file, way);
    next();
  }

  addEventListener('beforeunload', (e) => { if (jobs.some((j) => !j.done)) e.preventDefault(); });

  // Chosen: a file input that nobody sees, and one for folders where browsers have it.
  const chooser = (folders) => {
    const input = document.createElement('input');
    input.type = 'file';
    input.multiple = true;
    input.hidden = true;
    input.webkitdirectory = folders;
    input.addEventListener('change', () => {
      take([...input.files].map((f) => [f, f.webkitRelativePath ? f.webkitRelativePath.split('/').slice(0, -1).join('/') : '']));
      input.value = '';
    });
    document.querySelector('main').append(input);
    return input;
  };
  const files = chooser(false);
  files.id = 'choose-files';
  const upload = document.getElementById('upload');
  upload.addEventListener('click', (e) => {
    if (e.ctrlKey || e.metaKey || e.shiftKey) return;
    e.preventDefault();
    files.click();
  });
  if ('webkitdirectory' in files) {
    const folders = chooser(true);
    folders.id = 'choose-folder';
    const rest = document.querySelector('details.drop .rest');
    const entry = document.createElement('li');
    const b = button(say('script.folder.upload_folder'), () => { entry.closest('details').open = false; folders.click(); });
    entry.append(b);
    rest?.after(entry);
  }

  // Dropped: the browser says whether something is a folder.
  async function entries(entry, way, out) {
    if (entry.isFile) {
      out.push([await new Promise((done, failed) => entry.file(done, failed)), way]);
      return;
    }
    const inside = way ? way + '/' + entry.name : entry.name;
    await folderOf(inside).catch(() => {}); // also an empty one
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((done, failed) => reader.readEntries(done, failed));
      if (!some.length) return;
      for (const one of some) await entries(one, inside, out);
    }
  }
  let over = 0;
  const holds = (e) => [...(e.dataTransfer?.types ?? [])].includes('Files');
  const mark = (on) => document.body.classList.toggle('dropping-files', on);
  addEventListener('dragenter', (e) => { if (holds(e)) { e.preventDefault(); over++; mark(true); } });
  addEventListener('dragleave', (e) => { if (holds(e) && --over <= 0) { over = 0; mark(false); } });
  addEventListener('dragover', (e) => { if (holds(e)) { e.preventDefault(); e.dataTransfer.dropEffect = 'copy'; } });
  addEventListener('drop', async (e) => {
    if (!holds(e)) return;
    e.preventDefault();
    over = 0;
    mark(false);
    const items = [...e.dataTransfer.items].map((i) => i.webkitGetAsEntry?.()).filter(Boolean);
    const plainFiles = [...e.dataTransfer.files];
    if (!items.length) return take(plainFiles.map((f) => [f, '']));
    const out = [];
    for (const one of items) await entries(one, '', out).catch(() => {});
    if (out.length) take(out);
    else swap(location.href).catch(() => {});
  });
}
