/**
 * The lock of an official's phone. What the phone keeps is sealed under a chance key that stands nowhere in the open:
 *
 *   locked    under what is made of the code that the official types (PBKDF2-SHA-256) and of a key of this browser that no
 *             script can read out
 *   for the server   under the server's public key (ECDH P-256, HKDF, AES-GCM): it opens what a phone sends sealed, when
 *             the code is forgotten or the phone was reported lost (survey/web/sealed.py)
 *
 * The open key lives in memory alone: in the tabs that are open, and for a minute in the service worker, so that a page
 * that is opened again at once (another language, training) asks for nothing.
 *
 * What this protects and what not: whoever holds the phone, or a copy of its browser, without the code finds noise, the
 * numbers of cases and receipts. At the phone itself TRIES wrong codes throw the locked key away. Whoever copies the whole
 * browser to a machine of his own may try codes there as fast as the rounds allow: six digits are not a wall against a
 * laboratory, a sentence is.
 */

import { hex } from './events.mjs';
import { ask, keyOf, openDatabase } from './vault.mjs';

const ROUNDS = 600_000; // OWASP Password Storage Cheat Sheet, 2023
const ALONE = 15 * 60_000; // milliseconds out of sight, after which the code is asked for again
const SEEN = 'field seen';
export const TRIES = 10;
export const LEAST = 6;

const encode = new TextEncoder();
const chance = (length) => crypto.getRandomValues(new Uint8Array(length));
export const base64 = (bytes) => btoa(Array.from(new Uint8Array(bytes), (byte) => String.fromCharCode(byte)).join(''));
const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const same = (code) => code.normalize('NFC').trim();
const aes = { name: 'AES-GCM', length: 256 };

/** Why a code is none: 'short', 'simple' (a run, or three different signs and fewer), or ''. */
export function weakness(code) {
  const signs = [...same(code)];
  if (signs.length < LEAST) return 'short';
  const steps = new Set(signs.slice(1).map((sign, place) => sign.codePointAt(0) - signs[place].codePointAt(0)));
  return new Set(signs).size < 4 || steps.size === 1 ? 'simple' : '';
}

/** The key that a code and this browser make together. */
async function madeOf(code, { salt, rounds }, browser) {
  const typed = await crypto.subtle.importKey('raw', encode.encode(same(code)), 'PBKDF2', false, ['deriveBits']);
  const stretched = await crypto.subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-256', salt, iterations: rounds }, typed, 256);
  return crypto.subtle.importKey('raw', await crypto.subtle.sign('HMAC', browser, stretched), aes.name, false, ['encrypt', 'decrypt']);
}

/**
 * The chance key for the server alone: {maker, iv, data} in base64.
 * @param {{id: string, point: string}} server the public key as `Recovery` in survey/web/sealed.py gives it
 */
async function forServer(raw, account, server) {
  const curve = { name: 'ECDH', namedCurve: 'P-256' };
  const theirs = await crypto.subtle.importKey('raw', bytesOf(server.point), curve, false, []);
  const ours = await crypto.subtle.generateKey(curve, false, ['deriveBits']);
  const shared = await crypto.subtle.importKey('raw', await crypto.subtle.deriveBits({ name: 'ECDH', public: theirs }, ours.privateKey, 256), 'HKDF', false, ['deriveKey']);
  const maker = new Uint8Array(await crypto.subtle.exportKey('raw', ours.publicKey));
  const info = encode.encode(`survey phone ${account}`);
  const key = await crypto.subtle.deriveKey({ name: 'HKDF', hash: 'SHA-256', salt: maker, info }, shared, aes, false, ['encrypt']);
  const iv = chance(12);
  const data = await crypto.subtle.encrypt({ name: aes.name, iv }, key, raw);
  return { account, server: server.id, maker: base64(maker), iv: base64(iv), data: base64(data) };
}

/** The name by which the server knows a phone from before it had a code. */
async function named(database, key) {
  const sealed = await ask(database, 'sealed', 'readonly', (all) => all.get('device'));
  return sealed && JSON.parse(new TextDecoder().decode(await crypto.subtle.decrypt({ name: aes.name, iv: sealed.iv }, key, sealed.data)));
}

/** @param {string} account whose phone; `blocked` is called when another tab has an older version of the app open */
export async function openLock(account, blocked) {
  const name = `field ${account} vault`;
  const database = await openDatabase(name, blocked);
  const kept = (id) => ask(database, 'key', 'readonly', (keys) => keys.get(id));
  let lock = await kept('lock');
  if (!lock) await handOn(name, undefined); // of a phone that has forgotten everything since
  const beside = await kept('key');

  /** Change the lock as it stands on the disk, which another tab may have changed too. */
  const change = (to) => new Promise((resolve, reject) => {
    const transaction = database.transaction('key', 'readwrite', { durability: 'strict' });
    const keys = transaction.objectStore('key');
    keys.get('lock').onsuccess = ({ target }) => {
      lock = to(target.result);
      keys.put(lock, 'lock');
    };
    transaction.oncomplete = resolve;
    transaction.onabort = () => reject(transaction.error);
  });

  return {
    /** 'new', 'old' (a key lies beside what it seals), 'locked', or 'shut' after too many wrong codes. */
    get state() { return !lock ? beside ? 'old' : 'new' : lock.locked ? 'locked' : 'shut'; },
    get left() { return TRIES - lock.tries; },
    /** How the server calls this phone; nobody's secret. */
    get device() { return lock?.device; },
    /** What its official calls this phone, "" for nothing. */
    get name() { return lock?.name ?? ''; },
    /** The key from before the phone had a code, while something may still lie under it. */
    get older() { return beside; },
    /** What only the server can open, for a header. */
    get escrow() { return base64(encode.encode(JSON.stringify(lock.escrow))); },
    /** Whether the code is digits alone, for the right keys on the screen. */
    get digits() { return Boolean(lock?.digits); },

    /** The first code of this phone. @returns {Promise<CryptoKey>} */
    async set(code, server, name = '') {
      const raw = chance(32);
      const device = (beside && await named(database, beside)) || hex(chance(16));
      const browser = await crypto.subtle.generateKey({ name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
      const made = { salt: chance(16), rounds: ROUNDS, iv: chance(12) };
      const locked = await crypto.subtle.encrypt({ name: aes.name, iv: made.iv }, await madeOf(code, made, browser), raw);
      const escrow = await forServer(raw, account, server);
      let first = true;
      await change((before) => {
        first = !before;
        return before ?? { ...made, locked, browser, escrow, device, name, digits: /^\d+$/.test(same(code)), tries: 0 };
      });
      return first ? keyOf(raw) : this.open(code); // another tab was faster
    },

    /** The key, or null for a wrong code: each try is counted on the disk before it is made. */
    async open(code) {
      await change((before) => ({ ...before, tries: before.tries + 1, locked: before.tries < TRIES ? before.locked : undefined }));
      if (!lock.locked) return null;
      const { locked, iv, browser } = lock;
      const raw = await crypto.subtle.decrypt({ name: aes.name, iv }, await madeOf(code, lock, browser), locked).catch(() => null);
      if (raw) await change((before) => ({ ...before, tries: 0 }));
      else if (lock.tries >= TRIES) await change((before) => ({ ...before, locked: undefined }));
      return raw && keyOf(raw);
    },

    /** Let go of the database; the vault opens it by itself. */
    close: () => database.close(),
  };
}

/** Give the open key to the service worker, which holds it for a moment. */
export async function handOn(name, key) {
  navigator.serviceWorker?.controller?.postMessage({ name, key });
}

/** The open key of this name from another tab, or from the worker; undefined when nobody has it. */
export function handedOver(name) {
  return new Promise((resolve) => {
    const tabs = new BroadcastChannel(`${name} key`);
    const { port1, port2 } = new MessageChannel();
    const take = ({ data }) => {
      if (!data?.key) return;
      tabs.close();
      resolve(data.key);
    };
    tabs.onmessage = take;
    port1.onmessage = take;
    tabs.postMessage({ ask: true });
    navigator.serviceWorker?.controller?.postMessage({ name, ask: true }, [port2]);
    setTimeout(() => { tabs.close(); resolve(undefined); }, 400);
  });
}

/**
 * Answer other tabs that ask, and leave the key with the worker when this page goes.
 * @param {() => void} locked called when the phone is locked in another tab, or was out of sight for too long in all of them
 * @returns {() => void} call it to lock the phone in every tab
 */
export function holdOpen(name, key, locked) {
  const tabs = new BroadcastChannel(`${name} key`);
  const leave = () => handOn(name, key);
  const end = () => {
    tabs.close();
    clearInterval(timer);
    removeEventListener('pagehide', leave);
    document.removeEventListener('visibilitychange', look);
    handOn(name, undefined);
  };
  tabs.onmessage = ({ data }) => {
    if (data?.ask) tabs.postMessage({ key });
    if (!data?.lock) return;
    end();
    locked();
  };
  const everywhere = () => {
    tabs.postMessage({ lock: true });
    end();
  };
  /** When somebody last looked at any tab; "now" while one is in sight. */
  const seen = () => localStorage.setItem(SEEN, document.visibilityState === 'visible' ? 'now' : String(Date.now()));
  const look = () => {
    const last = localStorage.getItem(SEEN);
    if (last !== 'now' && Date.now() - Number(last) > ALONE) {
      everywhere();
      return locked();
    }
    if (document.visibilityState === 'visible' || last === 'now') seen();
  };
  const timer = setInterval(look, 60_000);
  seen();
  addEventListener('pagehide', leave);
  document.addEventListener('visibilitychange', look);
  return everywhere;
}
