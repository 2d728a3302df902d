/** The two screens before the list: the first code of a phone, and the code that opens it again. */

import { openLocked } from './field-store.mjs';
import { LEAST, weakness } from './field-lock.mjs';
import { part, say, template } from './field-pages.mjs';

/** One thing wrong at a time, said at its field. */
function wrong(field, key, values) {
  const question = field.closest('.question');
  question.classList.toggle('wrong', Boolean(key));
  question.querySelector('.error').textContent = key ? say(key, values) : '';
  if (key) field.focus();
  return Boolean(key);
}

/** Let a field show what is typed. */
function shown(form) {
  const box = form.elements.shown;
  box.addEventListener('change', () => {
    for (const field of form.querySelectorAll('[data-code]')) field.type = box.checked ? 'text' : 'password';
  });
}

/** The form answers one press at a time: `work` is waited for. */
function pressed(form, work) {
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const button = form.querySelector('button');
    if (button.disabled) return;
    button.disabled = true;
    await work().finally(() => { button.disabled = false; });
  });
}

/** @returns {Promise<CryptoKey>} once a code is set */
export const chooseCode = (view, lock, server) => new Promise((resolve, reject) => {
  const made = template('t-code');
  const form = made.querySelector('form');
  const { code, again, called } = form.elements;
  shown(form);
  pressed(form, async () => {
    const weak = weakness(code.value);
    if (wrong(code, weak && `code_${weak}`, { n: LEAST }) || wrong(again, again.value === code.value ? '' : 'code_differs')) return;
    await lock.set(code.value, server, called.value.trim()).then(resolve, reject);
  });
  view.replaceChildren(made);
  view.querySelector('h1').focus({ preventScroll: true });
});

/**
 * @param {{erased: () => void, handed: (account: string, unsent: number) => void}} shell `erased` when the phone was reported lost, `handed`
 *   when somebody else has signed in
 * @returns {Promise<CryptoKey>} once the code was typed
 */
export async function askCode(view, lock, account, { erased, handed }) {
  const here = await openLocked(account, lock);
  const left = await here.count();
  const made = template('t-locked');
  const form = made.querySelector('form');
  const { code } = form.elements;
  const [lead, shut, forgot, told, more, button] = ['lead', 'shut', 'forgot', 'told', 'forgot-lead', 'give-up'].map((name) => part(made, name));
  if (lock.digits) code.inputMode = 'numeric';
  lead.textContent = say('locked_lead', { name: account });
  more.textContent = say('forgot_lead', { n: left });
  shut.textContent = say('locked_shut', { n: left });
  const fill = () => {
    const locked = lock.state === 'locked';
    shut.hidden = locked;
    for (const node of [lead, form]) node.hidden = !locked;
    if (!locked) forgot.open = true;
  };
  shown(form);
  view.replaceChildren(made);
  fill();

  /** What only the server knows: whether the phone was reported lost, and who is signed in. */
  const hear = async () => {
    if (!navigator.onLine) return;
    if (await here.revoked()) return erased();
    const signed = await here.signed();
    if (signed && signed !== account) handed(signed, await here.count());
  };
  addEventListener('online', hear);
  hear();

  button.addEventListener('click', async () => {
    button.disabled = true;
    told.textContent = say('forgot_sending');
    const end = await here.giveUp().catch(() => 'offline');
    if (end === 'done') return location.assign('/field/sign-in');
    told.textContent = say(`forgot_${end.replace('-', '_')}`, { n: await here.count() });
    part(forgot, 'sign-in').hidden = end !== 'signed-out';
    button.disabled = false;
  });

  return new Promise((resolve, reject) => {
    pressed(form, async () => {
      if (wrong(code, code.value ? '' : 'code_short', { n: LEAST })) return;
      const key = await lock.open(code.value).catch(reject);
      if (key) {
        removeEventListener('online', hear);
        return resolve(key);
      }
      code.value = '';
      fill();
      if (lock.state === 'locked') wrong(code, 'locked_wrong', { n: lock.left });
      else forgot.querySelector('summary').focus();
    });
    if (lock.state === 'locked') code.focus({ preventScroll: true });
    else view.querySelector('h1').focus({ preventScroll: true });
  });
}
