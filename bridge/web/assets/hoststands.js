'use strict';
// How the document of a host page stands, as the server knows it and as the editor tells:
// one home for pages around every kind of editor. go leads to another page.

const hostStands = ({ data, go }) => {
  const { note, drop } = hostSays;
  const waiting = { waits: ['script.host.waits', 'script.host.waits_note'], aside: ['script.host.aside', 'script.host.aside_note'], signin: ['script.host.wants_sign_in', 'script.host.wants_sign_in_note'] };
  let now = {};          // what the server said last
  let savedFirst = null; // when the last save had arrived as the page was opened
  let told = '';         // the conflict that was shown last
  let taken = Boolean(hostSays.find('holder'));

  // ask promises what the server knows: the answer, or null where there was none.
  const ask = () => fetch(data.state, { cache: 'no-store', headers: data.ask ? { 'X-Davwopi-State': data.ask } : {}, signal: AbortSignal.timeout(20000) }).catch(() => null);

  // over says what ended: the sign-in, the link, or that it is somebody else's by now.
  function over(status) {
    const ways = status === 410 || !data.signIn ? [] : [[say('script.host.sign_in'), data.signIn]];
    const words = { 401: say('script.host.session_over'), 410: say('script.host.link_over'), 403: say('script.host.other_person') }[status];
    if (words) note('session', 'bad', words, ...ways);
  }

  // known takes the server's answer. modified: something in the editor is not saved yet.
  function known(state, modified) {
    now = state;
    if (savedFirst === null) savedFirst = state.saved;
    if (state.lost && data.editing) note('lost', 'warn', say('script.host.lost'));
    else drop('lost');
    holder(state, modified);
    conflict(state.conflict);
  }

  // Somebody else has the document, or not any more. The text editor says so by itself.
  function holder(state, modified) {
    if (data.office === 'text' || !data.editing && !taken) return;
    const apart = state.holder && state.with !== data.editor;
    if (apart && !modified) {
      note('holder', 'info', hostSays.taken(state));
      taken = true;
    } else if (!state.holder && taken) {
      note('holder', 'good', say('script.host.free'), ...(data.edit ? [[say('script.host.edit'), () => go(data.edit)]] : []));
      taken = false;
    }
  }

  function conflict(c) {
    if (!c || !data.editing || data.office === 'text' || c.key === told) return; // the text editor asks by itself
    told = c.key;
    const more = c.goes ? say('script.host.conflict_goes') : data.office === 'collabora' ? say('script.host.conflict_asks', { name: data.called }) : '';
    hostAsks.conflict(c, more, c.mine.open && !c.mine.kept && data.office !== 'collabora' && !data.docs ? c.mine.open.replace('/view/', '/edit/') : '');
  }

  // show says it all. save is what saves, null what the person cannot.
  function show({ name, modified, loaded, online, saving, failed, reading, save }) {
    hostSays.title(name, modified);
    const held = waiting[now.save];
    const wait = { name: now.for || '' };
    if (!online) hostSays.state('offline', say('script.host.offline'));
    else if (!loaded) hostSays.state('opening', say('script.host.opening'));
    else if (saving || now.save === 'busy') hostSays.state('saving', say('script.host.saving'));
    else if (failed) hostSays.state('failed', say('script.host.failed'), save);
    else if (modified) hostSays.state('unsaved', say('script.host.unsaved'), save);
    else if (held) hostSays.state('waits', say(held[0], wait));
    else if (reading) hostSays.state('reading', say('script.host.reading'));
    else if (now.saved && now.saved !== savedFirst) hostSays.state('saved', say('script.host.saved_at', { time: hostSays.clock(now.saved) }));
    else hostSays.state('saved', say('script.host.saved'));
    if (held) note('waiting', 'warn', say(held[1], wait));
    else drop('waiting');
    if (!online) note('offline', 'bad', say('script.host.offline_note'));
    else drop('offline');
  }

  return { ask, over, known, show, now: () => now };
};
