'use strict';
// The protocol: one file's operations by their names in WOPI, and the lock that
// this page holds. Nothing here touches the page. Scripts share one scope, so
// this one keeps its words in a single name.

const wopi = (() => {
  const LIMIT = 90 * 1000; // an answer that takes longer counts as no answer

  // Answer of an operation. status 0: nobody answered.
  class Answer {
    constructor(response) {
      const h = (name) => (response ? response.headers.get(name) || '' : '');
      this.status = response ? response.status : 0;
      this.response = response;
      this.lock = h('X-WOPI-Lock');
      const [key, args] = h('X-Davwopi-Said').split('?');
      this.key = key; // of what a page says about a refusal, '' it has words of its own
      this.said = key ? say(key, Object.fromEntries(new URLSearchParams(args))) : '';
      this.itemVersion = h('X-WOPI-ItemVersion');
      this.ok = this.status === 200;
    }
  }

  // Names in headers are UTF-7 (RFC 2152). Every letter that is not plain is encoded.
  function utf7(name) {
    return name.toWellFormed().replace(/[^a-z0-9.(),:?'\/-]+/gi, (run) => {
      const bytes = [...Array(run.length)].flatMap((_, i) => [run.charCodeAt(i) >> 8, run.charCodeAt(i) & 255]);
      return '+' + btoa(String.fromCharCode(...bytes)).replace(/=+$/, '') + '-';
    });
  }

  // A file at its files endpoint. renew is asked once per refused token and
  // promises whether there is a new one.
  class File {
    constructor(address, token, renew) {
      this.address = address;
      this.token = token;
      this.renew = renew;
      this.tail = Promise.resolve();
    }

    // Operations of one page go one after the other: a RefreshLock must not
    // overtake an UnlockAndRelock.
    next(work) {
      const turn = this.tail.then(work, work);
      this.tail = turn.catch(() => {});
      return turn;
    }

    async send(method, suffix, headers, body) {
      const used = this.token;
      let answer = await this.once(method, suffix, headers, body);
      if (answer.status === 401 && (this.token !== used || (await this.renew()))) {
        answer = await this.once(method, suffix, headers, body);
      }
      return answer;
    }

    async once(method, suffix, headers, body) {
      const stop = new AbortController();
      const timer = setTimeout(() => stop.abort(), LIMIT);
      try {
        const r = await fetch(this.where(suffix), { method, headers, body, signal: stop.signal, cache: 'no-store', credentials: 'omit' });
        // A body that breaks off counts as no answer too.
        const bytes = await r.arrayBuffer();
        const answer = new Answer(r);
        answer.bytes = new Uint8Array(bytes);
        return answer;
      } catch {
        return new Answer(null);
      } finally {
        clearTimeout(timer);
      }
    }

    where(suffix) {
      return this.address + suffix + '?access_token=' + encodeURIComponent(this.token);
    }

    post(override, headers, suffix = '', body = null) {
      return this.next(() => this.send('POST', suffix, { 'X-WOPI-Override': override, ...headers }, body));
    }

    async checkFileInfo() {
      const answer = await this.next(() => this.send('GET', '', {}, null));
      if (answer.ok) answer.info = JSON.parse(new TextDecoder().decode(answer.bytes));
      return answer;
    }

    getFile() { return this.next(() => this.send('GET', '/contents', {}, null)); }
    lock(id) { return this.post('LOCK', { 'X-WOPI-Lock': id }); }
    getLock() { return this.post('GET_LOCK', {}); }
    refreshLock(id) { return this.post('REFRESH_LOCK', { 'X-WOPI-Lock': id }); }
    unlock(id) { return this.post('UNLOCK', { 'X-WOPI-Lock': id }); }
    unlockAndRelock(old, id) { return this.post('LOCK', { 'X-WOPI-Lock': id, 'X-WOPI-OldLock': old }); }

    // base: the Version that the person chose to overwrite, or ''.
    putFile(bytes, id, base) {
      const headers = { 'X-WOPI-Lock': id, 'Content-Type': 'application/octet-stream' };
      if (base) headers['X-Davwopi-Base'] = base;
      return this.post('PUT', headers, '/contents', bytes);
    }

    // name as a whole, and without its extension.
    putRelative(bytes, name) { return this.post('PUT_RELATIVE', { 'X-WOPI-SuggestedTarget': utf7(name), 'X-WOPI-Size': String(bytes.length) }, '', bytes); }
    rename(id, stem) { return this.post('RENAME_FILE', { 'X-WOPI-Lock': id, 'X-WOPI-RequestedName': utf7(stem) }); }

    // The page is going away: nobody waits for the answer.
    unlockLeaving(id) {
      try {
        fetch(this.where(''), {
          method: 'POST', keepalive: true, credentials: 'omit',
          headers: { 'X-WOPI-Override': 'UNLOCK', 'X-WOPI-Lock': id },
        }).catch(() => {});
      } catch { /* the lock runs out by itself */ }
    }
  }

  const random = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');

  // Tabs of this browser tell each other which locks they hold: a duplicated tab
  // has its original's sessionStorage and must not take its lock away unasked.
  class Tabs {
    constructor(key, onTaken) {
      this.held = '';
      this.channel = typeof BroadcastChannel === 'function' ? new BroadcastChannel('davwopi-text-' + key) : null;
      this.waiting = new Map();
      if (!this.channel) return;
      this.channel.onmessage = ({ data }) => {
        if (data.ask && data.ask === this.held) this.channel.postMessage({ here: data.ask });
        if (data.here && this.waiting.has(data.here)) this.waiting.get(data.here)(true);
        if (data.taken && data.taken === this.held) onTaken();
      };
    }

    // Promises whether another tab holds the lock with that ID.
    holds(id) {
      if (!this.channel) return Promise.resolve(false);
      return new Promise((done) => {
        this.waiting.set(id, done);
        setTimeout(() => done(false), 250);
        this.channel.postMessage({ ask: id });
      }).finally(() => this.waiting.delete(id));
    }

    taken(id) { if (this.channel) this.channel.postMessage({ taken: id }); }
  }

  // The lock of this page on one file, for one person.
  class Holding {
    constructor(file, key, userId, onTaken) {
      this.file = file;
      this.slot = 'davwopi-lock:' + key;
      this.prefix = 'davwopi-text-' + String(userId).replace(/[^0-9A-Za-z]/g, '').slice(0, 64) + '-';
      this.tabs = new Tabs(key, onTaken);
      this.id = '';
      this.refreshed = 0;
    }

    // Is the lock ID that of this person, in this editor?
    own(id) { return id.startsWith(this.prefix); }

    last() {
      try { return sessionStorage.getItem(this.slot) || ''; } catch { return ''; }
    }

    set(id) {
      this.id = this.tabs.held = id;
      this.refreshed = Date.now();
      if (id) try { sessionStorage.setItem(this.slot, id); } catch { /* then a reload asks */ }
    }

    // Lock under a new ID; what this very tab held before is taken over.
    async acquire() {
      const id = this.prefix + random();
      let answer = await this.file.lock(id);
      if (answer.status === 409 && this.own(answer.lock) && answer.lock === this.last() && !(await this.tabs.holds(answer.lock))) {
        answer = await this.file.unlockAndRelock(answer.lock, id);
      }
      if (answer.ok) this.set(id);
      return answer;
    }

    // The same person, elsewhere: UnlockAndRelock with the ID that the 409 told.
    async takeOver(old) {
      const id = this.prefix + random();
      const answer = await this.file.unlockAndRelock(old, id);
      if (answer.ok) {
        this.set(id);
        this.tabs.taken(old);
      }
      return answer;
    }

    async refresh() {
      const answer = await this.file.refreshLock(this.id);
      if (answer.ok) this.refreshed = Date.now();
      return answer;
    }

    async release() {
      if (!this.id) return null;
      const id = this.id;
      this.set('');
      return this.file.unlock(id);
    }

    leave() { if (this.id) this.file.unlockLeaving(this.id); }
    lost() { this.set(''); }
  }

  return { File, Holding, utf7 };
})();
