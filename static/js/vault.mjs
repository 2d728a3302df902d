/**
 * What an official's phone keeps, encrypted: AES-GCM under a key that is handed in (field-lock.mjs), or, where nothing is
 * real, under one that this browser makes for itself.
 *
 *   const vault = await openVault('field-an', key);
 *   await vault.put('list', {...});   await vault.get('list');   await vault.keys('interview ');
 *   vault.seal(text) / vault.unseal(sealed)     for the outbox
 *   await vault.destroy()                       throws everything away
 *
 * Beside a sealed thing a few words may stand in plain (`put(id, value, about)`), so that hundreds of interviews are known
 * without opening one: numbers and marks, never an answer, a name or a place.
 */

const done = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

const encode = new TextEncoder();
const decode = new TextDecoder();

/** The key that version 1 of the app made: it lay beside what it sealed. */
const BESIDE = 'key';

/**
 * The database of a vault. One that another tab still holds open in an older version is waited for; `blocked` is called
 * then. A tab that is asked to let go of it begins anew.
 */
export function openDatabase(name, blocked = () => {}) {
  const opening = indexedDB.open(name, 2);
  opening.onupgradeneeded = ({ oldVersion }) => {
    if (!oldVersion) {
      opening.result.createObjectStore('key');
      opening.result.createObjectStore('sealed');
    }
    opening.result.createObjectStore('about');
  };
  opening.onblocked = blocked;
  return done(opening).then((database) => {
    database.onversionchange = () => {
      database.close();
      location.reload();
    };
    return database;
  });
}

export const keyOf = (raw) => crypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['encrypt', 'decrypt']);

/** @param {CryptoKey} [given] without it the key lies beside what it seals: for training, where nothing is real */
export async function openVault(name, given) {
  const database = await openDatabase(name);
  const beside = await ask(database, 'key', 'readonly', (keys) => keys.get(BESIDE));
  const key = given ?? beside ?? await theKey(database);
  let older = given && beside; // what was sealed before the phone had a code

  const range = (prefix) => IDBKeyRange.bound(prefix, `${prefix}\uffff`);

  async function seal(text) {
    const iv = crypto.getRandomValues(new Uint8Array(12));
    return { iv, data: await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, encode.encode(text)) };
  }

  async function unseal({ iv, data }) {
    const opened = (by) => crypto.subtle.decrypt({ name: 'AES-GCM', iv }, by, data);
    return decode.decode(await (older ? opened(key).catch(() => opened(older)) : opened(key)));
  }

  async function change(work, stores = ['sealed', 'about']) {
    const transaction = database.transaction(stores, 'readwrite', { durability: 'strict' });
    const end = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    });
    work(...stores.map((store) => transaction.objectStore(store)));
    await end;
  }

  const read = (store, what) => ask(database, store, 'readonly', what);
  const opened = async (sealed) => sealed && JSON.parse(await unseal(sealed));

  return {
    seal,
    unseal,
    get: async (id) => opened(await read('sealed', (store) => store.get(id))),
    /** A thing, what begins with `prefix` in order, and the words beside the thing, as they were at one moment. */
    async gather(id, prefix) {
      const transaction = database.transaction(['sealed', 'about'], 'readonly');
      const objects = transaction.objectStore('sealed');
      const [one, parts, about] = await Promise.all([
        objects.get(id), objects.getAll(range(prefix)), transaction.objectStore('about').get(id),
      ].map(done));
      return { about, value: await opened(one), parts: await Promise.all(parts.map(opened)) };
    },
    /**
     * One change as a whole: `make` is told the words beside `id` as they stand then, and answers with what is put
     * ([id, sealed] each), the new words, and a prefix of what goes; with nothing it changes nothing.
     * @returns {Promise<object|undefined>} the new words, once they are on the disk
     */
    async amend(id, make) {
      let made;
      await change((objects, abouts) => {
        abouts.get(id).onsuccess = ({ target }) => {
          made = make(target.result);
          if (!made) return;
          if (made.gone) objects.delete(range(made.gone));
          for (const [key, sealed] of made.put ?? []) objects.put(sealed, key);
          abouts.put(made.about, id);
        };
      });
      return made?.about;
    },
    /** Everything whose id begins so, opened. */
    all: async (prefix) => Promise.all((await read('sealed', (store) => store.getAll(range(prefix)))).map(opened)),
    /** Resolves when it is on the disk. */
    async put(id, value, about) {
      const sealed = await seal(JSON.stringify(value));
      await change((objects, abouts) => {
        objects.put(sealed, id);
        if (about) abouts.put(about, id);
      });
    },
    remove: (...ids) => ids.length && change((objects, abouts) => ids.forEach((id) => { objects.delete(id); abouts.delete(id); })),
    keys: (prefix) => read('sealed', (store) => store.getAllKeys(range(prefix))),
    /** The plain words beside what begins so. */
    abouts: (prefix) => read('about', (store) => store.getAll(range(prefix))),

    /** Whether something may lie here still under the key that lay beside it. */
    get older() { return Boolean(older); },
    /** Seal under the key handed in what lay under the older one, here and (`others`) elsewhere, and throw the older away. */
    async renew(others) {
      if (!await read('key', (keys) => keys.get(BESIDE))) { // another tab has done it
        older = undefined;
        return;
      }
      for (const id of await read('sealed', (store) => store.getAllKeys())) {
        const before = await read('sealed', (store) => store.get(id));
        if (before) await this.put(id, await opened(before));
      }
      await others();
      await change((keys) => keys.delete(BESIDE), ['key']);
      older = undefined;
    },
    async destroy() {
      database.close();
      await done(indexedDB.deleteDatabase(name));
    },
  };
}

/** One request in a transaction of its own. */
export const ask = (database, store, mode, what) => done(
  what(database.transaction(store, mode, { durability: 'strict' }).objectStore(store)),
);

/** Made the first time; two tabs that open at once agree on the first one kept. */
async function theKey(database) {
  const made = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
  const keys = database.transaction('key', 'readwrite').objectStore('key');
  const kept = await done(keys.get(BESIDE));
  if (kept) return kept;
  await done(keys.add(made, BESIDE));
  return made;
}
