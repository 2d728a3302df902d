/**
 * The official's app. One document, kept by a service worker; its views stand behind the #:
 *
 *   #/?today            the list, by filter
 *   #/case/HD-000123-4  one household
 *   #/interview/HD-000123-4/…  its interview, page by page
 *
 * It works without a network from the second time it is opened. ?training opens it on invented households.
 */

import { hex, sha256 } from './events.mjs';
import { askCode, chooseCode } from './field-code.mjs';
import { Revoked, SignedOut, SomebodyElse, openStore } from './field-store.mjs';
import { opened, showInterview } from './field-interview.mjs';
import { handedOver, holdOpen, openLock } from './field-lock.mjs';
import { OUTCOMES, message, say, showCase, showList, template } from './field-pages.mjs';
import { supported } from './outbox.mjs';
import { worker } from './trusted.mjs';

const view = document.getElementById('view');
const status = document.getElementById('status');
const button = /** @type {HTMLButtonElement} */ (document.getElementById('send'));
const training = new URLSearchParams(location.search).has('training');
const comesBack = (outcome) => OUTCOMES[outcome]?.comes_back ?? true;
const server = JSON.parse(document.getElementById('recovery').textContent);

let store;
let letGo = () => {};
const opening = view.firstElementChild;
let redraw = () => {};
let state = 'sent';
let busy = false;
let pause = 4000;
let timer = 0;

function tell() {
  const n = store?.unsent ?? 0;
  const key = busy && n ? 'sending' : !n ? 'all_sent' : state === 'sent' ? 'unsent' : state.replace('-', '_');
  status.textContent = store?.list ? say(key, { n }) : '';
  status.dataset.state = n ? state : 'sent';
  button.hidden = !n || busy;
  document.getElementById('training').hidden = !training;
  document.getElementById('sync').hidden = training || !store?.list;
}

/** Send, then fetch the list; again after a growing pause while something is left. */
async function exchange() {
  if (busy || training) return;
  clearTimeout(timer);
  if (!navigator.onLine) { // nothing leaves, so that nothing is called sent
    state = 'offline';
    tell();
    return redraw();
  }
  busy = true;
  tell();
  try {
    let told = await store.send();
    await store.refresh();
    if (told.state === 'signed-out') told = await store.send(); // somebody has signed in again since
    state = told.state;
    await keepBooklets();
    pause = told.left && !told.sent ? Math.min(pause * 1.6, 60_000) : 4000;
  } catch (error) {
    if (error instanceof Revoked) return end();
    if (error instanceof SomebodyElse) return changeHands(error.message);
    if (error instanceof SignedOut) state = 'signed-out';
    else state = 'offline';
    pause = Math.min(pause * 1.6, 60_000);
  } finally {
    busy = false;
  }
  if (store.unsent) timer = setTimeout(exchange, pause);
  tell();
  redraw();
}

/** The questionnaire, in this language, so that the next interview needs no network. */
const keepBooklets = () => Promise.all(Object.entries(store.list.booklets ?? {})
  .filter(([name]) => name.endsWith(`/${document.documentElement.lang}`)).map(([, url]) => fetch(url)));

/** Each account's work stays apart and sealed; what somebody else left unsent is theirs to send. */
function changeHands(account, before = store.account, unsent = store.unsent) {
  localStorage.setItem('field account', account);
  if (unsent) localStorage.setItem('field left', before);
  location.reload();
}

/** Forget the open key and begin anew, at the same address. */
function lockUp() {
  letGo();
  location.reload();
}

/** The key of this phone: from another tab, from a moment ago, or by the code; a phone without a code gets one first. */
async function unlocked(account) {
  const lock = await openLock(account, () => message(view, 'close_other'));
  const name = `field ${account} vault`;
  let key = await handedOver(name);
  if (!key && (lock.state === 'new' || lock.state === 'old')) key = await chooseCode(view, lock, server);
  key ??= await askCode(view, lock, account, { erased: end, handed: (other, left) => changeHands(other, account, left) });
  letGo = holdOpen(name, key, () => location.reload());
  lock.close();
  view.replaceChildren(opening);
  const button = document.getElementById('lock');
  button.hidden = training;
  button.addEventListener('click', lockUp);
  const number = hex(await sha256(lock.device)).slice(0, 4).toUpperCase(); // as survey/web/phones.py calls it
  document.getElementById('this-phone').textContent = say('this_phone', { name: [lock.name, say('this_number', { n: number })].filter(Boolean).join(', ') });
  return { key, phone: { device: lock.device, name: lock.name } };
}

function end() {
  letGo();
  navigator.serviceWorker?.getRegistrations().then((all) => all.forEach((one) => one.unregister()));
  store = null;
  message(view, 'revoked');
  tell();
}

/** What the address asks for. */
async function route() {
  if (!store) return;
  if (!store.list) return signIn();
  const address = decodeURIComponent(location.hash.slice(1)) || '/';
  const [, what, id] = address.replace(/\?.*$/, '').split('/');
  const filter = address.split('?')[1];
  redraw = () => {};
  if (what !== 'interview') scrollTo(0, 0); // before the page changes: afterwards it would be laid out once more for it
  if (what === 'case') redraw = showCase(view, store, id, { begin, resume });
  else if (what === 'interview') await showInterview(view, store, id, address, { go, send: exchange });
  else redraw = showList(view, store, ['open', 'finished', 'unsent', 'all'].includes(filter) ? filter : 'today');
  if (what !== 'interview') view.querySelector('h1')?.focus({ preventScroll: true });
}

/** Show another address; the same one is drawn again. */
function go(address) {
  if (location.hash !== `#${address}`) history.pushState(null, '', `#${address}`);
  return route();
}

/** Links and pages of an interview are written as addresses of a server; here they stand behind the #. */
function follow(event) {
  const link = event.target.closest?.('a[href^="/interview/"]');
  if (!link) return;
  event.preventDefault();
  go(link.getAttribute('href'));
}

const resume = (id) => go(`/interview/${id}`);

/** A visit and an interview begin with one press. */
async function begin({ id }) {
  if (!store.interview(id)) {
    await store.begin(id, (response) => opened(store, id, response));
  }
  resume(id);
}

function signIn() {
  view.replaceChildren(template('t-sign-in'));
}

/** Households to train on: they exist on this phone only, and nothing said of them leaves it. */
async function invent(real) {
  await store.invent({
    account: 'training', csrf: '', version: real.version, booklets: real.booklets,
    cases: Array.from({ length: 8 }, (_, n) => ({
      id: `TRAINING-${n + 1}`, commune: real.cases[0]?.commune ?? '', hamlet: say('training_hamlet'), state: 'waiting',
      address: say('training_case', { n: n + 1 }), draw: (n * 0.37 + 0.11) % 1,
    })),
  });
}

/** Whose work this phone holds: a browser that is killed may forget the name, but not the work. */
async function lastHere() {
  const names = (await indexedDB.databases()).map(({ name }) => /^field ([^(].*) vault$/.exec(name)?.[1]).filter(Boolean);
  return names.length === 1 ? names[0] : '';
}

/** Once what was drawn can be seen; a page in the background is not painted. */
const seen = () => new Promise((resolve) => {
  requestAnimationFrame(() => setTimeout(resolve));
  setTimeout(resolve, 500);
});

async function start() {
  if (!supported) return message(view, 'storage_failed');
  let account = localStorage.getItem('field account');
  if (!account) {
    const answer = await fetch('/field/token', { headers: { accept: 'application/json' }, redirect: 'manual', cache: 'no-store' })
      .catch(() => null);
    const ours = answer?.ok && answer.headers.get('content-type')?.startsWith('application/json');
    account = ours ? (await answer.json()).account : await lastHere();
    if (!account) return signIn();
    localStorage.setItem('field account', account);
  }
  store = await openStore(account, { ...await unlocked(account), comesBack });
  const left = localStorage.getItem('field left');
  if (left === account) localStorage.removeItem('field left');
  else if (left) document.getElementById('left').textContent = say('other_account', { name: left });
  if (training) {
    const real = store.list;
    store = await openStore(account, { training, comesBack });
    if (!store.list && real) await invent(real);
  }
  tell();
  addEventListener('hashchange', route);
  view.addEventListener('click', follow);
  store.watch(() => { tell(); redraw(); });
  view.addEventListener('kept', () => { tell(); route(); exchange(); });
  button.addEventListener('click', exchange);
  for (const change of ['online', 'offline']) addEventListener(change, exchange);
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && exchange());
  if (store.list) await route();
  await seen();
  await store.settle();
  tell();
  redraw();
  await exchange();
  if (!view.querySelector('h1')) await route();
  navigator.storage?.persist?.();
}

navigator.serviceWorker?.register(worker('/field/service-worker.js'), { scope: '/field/' });
start().catch(() => message(view, 'storage_failed'));
