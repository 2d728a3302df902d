/**
 * What an official's phone keeps, encrypted: AES-GCM under a key that this browser made and no script can read out.
 *
 *   const vault = await openVault('field-an');
 *   await vault.put('list', {...});   await vault.get('list');   await vault.keys('interview ');
 *   vault.seal(text) / vault.unseal(sealed)     for the outbox
 *   await vault.destroy()                       throws the key away: what is left anywhere is noise
 *
 * What this protects and what not: whoever reads the database file, a backup of it or what deletion left on the disk finds
 * noise. The key lies in the same browser, so that the app opens without a network; whoever copies the whole profile of an
 * unlocked phone, or holds it, has the key too. That is what the lock of the screen is for, and the report of a lost phone,
 * which forgets everything when it calls next.
 */

const done = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

const encode = new TextEncoder();
const decode = new TextDecoder();

export async function openVault(name) {
  const opening = indexedDB.open(name, 1);
  opening.onupgradeneeded = () => {
    opening.result.createObjectStore('key');
    opening.result.createObjectStore('sealed');
  };
  const database = await done(opening);
  const key = await theKey(database);

  const store = (mode) => database.transaction('sealed', mode, { durability: 'strict' }).objectStore('sealed');

  async function seal(text) {
    const iv = crypto.getRandomValues(new Uint8Array(12));
    return { iv, data: await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, encode.encode(text)) };
  }

  const unseal = async ({ iv, data }) => decode.decode(await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, key, data));

  async function change(work) {
    const objects = store('readwrite');
    const { transaction } = objects;
    const end = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    });
    work(objects);
    await end;
  }

  return {
    seal,
    unseal,
    async get(id) {
      const sealed = await done(store('readonly').get(id));
      return sealed && JSON.parse(await unseal(sealed));
    },
    /** Resolves when it is on the disk. */
    async put(id, value) {
      const sealed = await seal(JSON.stringify(value));
      await change((objects) => objects.put(sealed, id));
    },
    remove: (id) => change((objects) => objects.delete(id)),
    keys: (prefix) => done(store('readonly').getAllKeys(IDBKeyRange.bound(prefix, `${prefix}\uffff`))),
    async destroy() {
      database.close();
      await done(indexedDB.deleteDatabase(name));
    },
  };
}

/** Made the first time; two tabs that open at once agree on the first one kept. */
async function theKey(database) {
  const made = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
  const keys = database.transaction('key', 'readwrite').objectStore('key');
  const kept = await done(keys.get('key'));
  if (kept) return kept;
  await done(keys.add(made, 'key'));
  return made;
}
