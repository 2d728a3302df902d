/**
 * A household's pages with script: conditions at once, answers kept on the phone until the server has them, and the rest
 * of the questionnaire without a network.
 *
 * Two roads, and the person is told on which the answers are:
 * - by the outbox, once the booklet is here and the browser keeps things: a page is kept on the phone, sent, and the next
 *   one is shown at once from the booklet;
 * - by the page itself, in every other browser: it stays until the server has acknowledged it, and tries again.
 * Both send the same event for the same form, so that whatever is repeated is one answer.
 */

import { fetchBooklet, formOf } from './booklet.mjs';
import { canonical } from './events.mjs';
import { Interview } from './interview.mjs';
import { keepSending, openOutbox, supported } from './outbox.mjs';
import { worker } from './trusted.mjs';

const MOMENT = 600; // milliseconds that the next page waits for the receipt of this one
const PATIENCE = 15_000;
const main = document.getElementById('main');
const told = (id) => JSON.parse(document.getElementById(id).textContent);

/** @type {object} what the server says of this interview; of a page kept for want of a network, what it said last */
let here = told('here');
const words = here.words;
let outbox = null;
let booklet = null;
let interview = null;
let place = null; // what stands on the page: Interview.at
let attempt = () => {};
let busy = false;
let warned = false;
const shell = !here.base; // there is no network, and this page is empty but for its words

const status = Object.assign(document.createElement('p'), { className: 'sending', hidden: true });
status.setAttribute('role', 'status');
main.before(status);

function tell(state, n = 0) {
  const said = state && words[state].replace('{n}', n);
  if (!status.hidden && status.dataset.state === state && status.textContent.startsWith(said)) return; // not read aloud again
  status.hidden = !state;
  status.dataset.state = state;
  status.textContent = said;
  if (state === 'signed-out' || state === 'closed') {
    status.append(' ', Object.assign(document.createElement('a'), { href: '/', textContent: words.enter }));
  }
}

/** How many pages are on the phone and not on the server. */
async function unsent() {
  const items = await outbox.unsent();
  return new Set(items.map(({ text }) => JSON.parse(text).at)).size;
}

/** Two tries may overlap, and other tabs send too: whoever was told that something is on its way hears that it arrived. */
async function report(sending) {
  const n = await unsent().catch(() => 0);
  const arrived = sending.sent || !status.hidden;
  tell(n ? (sending.state === 'sent' ? 'offline' : sending.state) : arrived ? 'saved' : '', n);
  if (!n && arrived && place === 'unsent') location.assign(here.base);
}

// --- the road by the page itself -----------------------------------------------------------------------------------

async function post(form, retried = false) {
  if (!retried) tell('sending');
  let answer = null;
  try {
    answer = await fetch(form.action, {
      method: 'POST', body: new URLSearchParams(new FormData(form)), headers: { accept: 'application/json' },
      redirect: 'manual', cache: 'no-store', signal: AbortSignal.timeout?.(PATIENCE),
    });
  } catch {
    return again(form, 'offline');
  }
  const ours = answer.headers.get('content-type')?.startsWith('application/json');
  const said = ours ? await answer.json().catch(() => ({})) : {};
  if (said.next) return location.assign(said.next);
  if (said.again) return form.submit(); // the server shows what is wrong
  again(form, ours && [401, 403].includes(answer.status) ? 'signed-out' : ours ? 'busy' : 'unrecognised');
}

function again(form, state) {
  if (state === 'signed-out') return tell('closed'); // this form's session does not come back
  tell(state === 'offline' ? 'here' : state, 1);
  const retry = () => {
    removeEventListener('online', retry);
    clearTimeout(timer);
    if (form.isConnected) post(form, true);
  };
  const timer = setTimeout(retry, 3000);
  addEventListener('online', retry);
}

// --- the road by the outbox ----------------------------------------------------------------------------------------

async function keep(events) {
  await outbox.add(events.map((event) => ({ id: event.id, group: here.response, text: canonical(event) })));
  interview = interview.with(events);
  tell('sending');
  return Promise.race([attempt(), new Promise((resolve) => { setTimeout(resolve, MOMENT); })]);
}

async function save(form) {
  const at = interview.at(form.action);
  if (!at) return show(interview.next());
  const sent = formOf(form);
  const { events, next, findings } = await interview.save(at, sent);
  if (findings) return draw(at, sent, findings);
  try {
    await keep(events);
  } catch {
    return post(form); // the phone keeps nothing: the page stays until the server has it
  }
  return show(next);
}

/** Show what stands at an address; the server shows what is not a page of questions, if it has everything. */
async function show(address, push = true) {
  const at = interview.at(address);
  if (at) {
    if (push) history.pushState(null, '', address);
    return draw(at);
  }
  if (!(await outbox.count())) return location.assign(address);
  place = 'unsent';
  if (push) history.pushState(null, '', address);
  document.querySelector('.progress')?.remove();
  return put(booklet.copy('unsent'));
}

function draw(at, sent, findings) {
  place = at;
  document.querySelector('.progress')?.remove();
  main.before(booklet.progress(interview, at.step));
  put(booklet.page(interview, at, here.csrf, sent, findings), findings);
  if (findings) live();
}

function put(made, findings = []) {
  main.replaceChildren(made);
  main.before(status);
  const title = main.querySelector('h1');
  const head = main.querySelector('.summary') ?? title;
  document.title = `${findings.length ? booklet.say('error_title') : ''}${title.textContent.trim()}`;
  scrollTo(0, 0);
  head.tabIndex = -1;
  head.focus();
}

/** Questions that the answers on the page open or close. */
function live() {
  const form = main.querySelector('form');
  if (!place?.step || !form.querySelector('[data-q]')) return;
  const { walk, step } = interview.trial(place, formOf(form));
  booklet.open(form, walk, step);
}

/** The page as the server drew it, with the questions that its answers may open. */
function complete() {
  place = interview.at(location.href);
  if (!place || !main.querySelector('[data-q]')) return;
  let last = null;
  for (const node of booklet.page(interview, place, here.csrf).querySelectorAll('[data-q]')) {
    const there = main.querySelector(`[data-q="${CSS.escape(node.dataset.q)}"]`);
    if (!there && last) last.after(node);
    else if (!there) main.querySelector('form [data-q]').before(node);
    last = there ?? node;
  }
  live();
}

// --- beginning -----------------------------------------------------------------------------------------------------

document.addEventListener('submit', async (event) => {
  const form = event.target;
  if (form.method !== 'post' || form.enctype.startsWith('multipart') || form.action.endsWith('/private')) return;
  if (form.action.endsWith('/stop')) return leave(event, form);
  event.preventDefault();
  if (busy) return;
  busy = true;
  await (interview && form.action.includes('/p/') ? save(form) : post(form)).catch?.(() => post(form));
  busy = false;
});

/** Closing takes everything off the phone; what is unsent would be lost, so that is said first. */
async function leave(event, form) {
  if (!outbox) return;
  event.preventDefault();
  const n = await unsent();
  if (n && !warned) {
    warned = true;
    return tell('unsent', n);
  }
  localStorage.removeItem('household');
  await outbox.destroy(true);
  form.submit();
}

document.addEventListener('click', (event) => {
  const link = event.target.closest?.('main a');
  if (!interview || !link || event.ctrlKey || event.metaKey || !interview.at(link.href) || link.hash) return;
  event.preventDefault();
  show(link.href);
});
document.addEventListener('change', () => interview && live());
addEventListener('popstate', () => interview && show(location.href, false));

async function begin() {
  if (!supported) return;
  if (!shell && !here.response) return; // page by page: what this phone kept before is not for this code
  const kept = here.response ?? localStorage.getItem('household');
  if (!kept) return;
  outbox = await openOutbox(`household ${kept}`, { headers: () => ({ 'x-csrf': here.csrf }) }).catch(() => null);
  if (!outbox) return;
  if (shell) here = { ...await outbox.shelf('here'), words };
  if (!here.response) return;
  if (here.over) {
    attempt = keepSending(outbox, async (sending) => { if (!sending.left) await outbox.destroy(); else report(sending); });
    return;
  }
  localStorage.setItem('household', here.response);
  if (!shell) await outbox.shelve('here', here);
  const waiting = (await outbox.unsent()).map(({ text }) => JSON.parse(text));
  const sending = await Promise.race([outbox.send(), new Promise((resolve) => { setTimeout(resolve, 4 * MOMENT, {}); })]);
  if (sending.sent && !sending.left) return location.replace(here.base); // the server now knows more than this page
  booklet = await fetchBooklet(here.booklet);
  attempt = keepSending(outbox, report);
  if (!booklet) return;
  interview = new Interview(booklet.q, here, waiting, here.start);
  const address = location.pathname.startsWith(`${here.base}/p/`) ? location.href : interview.next();
  // the server alone shows what is not a page of questions: without it this page stays as it is
  if (!shell && !waiting.length) complete();
  else if (!shell || waiting.length || interview.at(address)) await show(address, false);
  document.documentElement.dataset.ready = 'offline';
  stay();
}

/** What a page needs when there is no network; the service worker hands it out. */
async function stay() {
  if (!navigator.serviceWorker) return;
  await navigator.serviceWorker.register(worker('/service-worker.js')).catch(() => {});
  const cache = await caches.open('household');
  const wanted = [here.shell, here.booklet, ...here.files];
  const old = (await cache.keys()).filter(({ url }) => !wanted.some((one) => url.endsWith(one)));
  await Promise.all([...old.map((one) => cache.delete(one)), cache.addAll(wanted)]).catch(() => {});
}

/** A page with nothing but the word that there is no network; a phone says that it is back before it is, so it is asked. */
async function askForServer() {
  await new Promise((later) => setTimeout(later, 3000));
  const answer = await fetch('/healthz', { cache: 'no-store', signal: AbortSignal.timeout?.(PATIENCE) }).catch(() => null);
  if (answer?.ok) location.reload();
  else askForServer();
}

begin().finally(() => shell && !place && askForServer());
