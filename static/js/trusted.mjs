// Trusted Types: of all addresses only our own two workers may become programs; no text ever becomes a page or a script.

const WORKERS = ['/service-worker.js', '/field/service-worker.js'];

const policy = globalThis.trustedTypes?.createPolicy('survey', {
  createScriptURL: (/** @type {string} */ address) => {
    if (WORKERS.includes(address)) return address;
    throw new TypeError(address);
  },
});

/** The address of a worker as this browser wants it. @param {string} address */
export const worker = (address) => policy?.createScriptURL(address) ?? address;
