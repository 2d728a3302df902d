/**
 * Photographs of an interview at the door: made small on the phone, kept sealed, shown, and sent apart from the answers.
 * A picture is drawn anew, so that nothing of what the camera wrote into its file (place, time, device) goes with it.
 */

import { hex } from './events.mjs';

const SIDES = [1280, 1024, 800, 640];
const QUALITIES = [0.7, 0.5, 0.35];
const MOST = 90_000; // bytes: within the patience of one sending, also at 64 kbit/s

/** The picture as a small JPEG in base64, or null for what is none. */
export async function shrink(file) {
  const picture = await createImageBitmap(file, { imageOrientation: 'from-image' }).catch(() => null);
  if (!picture) return null;
  const canvas = document.createElement('canvas');
  let made = null;
  for (const side of SIDES) {
    const scale = Math.min(1, side / Math.max(picture.width, picture.height));
    canvas.width = Math.max(1, Math.round(picture.width * scale));
    canvas.height = Math.max(1, Math.round(picture.height * scale));
    canvas.getContext('2d').drawImage(picture, 0, 0, canvas.width, canvas.height);
    for (const quality of QUALITIES) {
      made = await new Promise((resolve) => { canvas.toBlob(resolve, 'image/jpeg', quality); });
      if (!made || made.size <= MOST) break;
    }
    if (!made || made.size <= MOST) break;
  }
  picture.close();
  canvas.width = 0; // gives the memory back at once
  if (!made) return null;
  const bytes = new Uint8Array(await made.arrayBuffer());
  const digest = hex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)));
  let letters = '';
  for (let at = 0; at < bytes.length; at += 8192) letters += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return { digest, content: btoa(letters) };
}

/**
 * Let the photo questions of a page take pictures on this phone: the digest becomes the answer, the picture is handed to
 * `keep`, and what was kept earlier is shown.
 * @param {(id: string) => string} said the digest that is the answer of a question now
 * @param {{keep: (made: {digest: string, content: string}) => Promise<void>, find: (digest: string) => Promise<string|undefined>,
 *   say: (key: string) => string}} shell
 */
export function takePictures(page, said, { keep, find, say }) {
  for (const input of page.querySelectorAll('[data-q] input[type=file]')) {
    const question = input.closest('[data-q]');
    const { q } = question.dataset;
    let answer = question.querySelector(`input[type=hidden][name="${CSS.escape(q)}"]`);
    if (!answer) input.before(answer = Object.assign(document.createElement('input'), { type: 'hidden', name: q }));
    answer.value = said(q);
    const told = Object.assign(document.createElement('p'), { className: 'error' });
    told.setAttribute('role', 'status');
    const show = (content) => {
      question.querySelector('.photo')?.remove();
      const frame = Object.assign(document.createElement('p'), { className: 'photo' });
      frame.append(Object.assign(document.createElement('img'), { src: `data:image/jpeg;base64,${content}`, alt: say('photo_kept') }));
      input.before(frame);
    };
    input.before(told);
    input.name = ''; // the file itself is no answer
    input.className = 'hidden pick'; // the picture is shown here, not the name of its file
    if (answer.value) find(answer.value).then((content) => content && show(content));
    input.addEventListener('change', async () => {
      const [file] = input.files;
      if (!file) return;
      const buttons = [...page.closest('#view').querySelectorAll('button')];
      for (const button of buttons) button.disabled = true;
      const made = await shrink(file);
      told.textContent = made ? '' : say('photo_wrong');
      if (made) {
        await keep(made);
        answer.value = made.digest;
        show(made.content);
      }
      input.value = '';
      for (const button of buttons) button.disabled = false;
      answer.dispatchEvent(new Event('change', { bubbles: true }));
    });
  }
}
