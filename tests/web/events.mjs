/** Reads [{interview, form, kind, facts, answers}, …] and writes what the phone makes of each: [[id, bytes, hash], …]. */
import { readFileSync } from 'node:fs';
import { canonical, event, hex, sha256 } from '../../static/js/events.mjs';

const made = [];
for (const { interview, form, kind, facts, answers } of JSON.parse(readFileSync(0, 'utf-8'))) {
  const one = await event(interview, form, kind, facts, answers);
  const text = canonical(one);
  made.push([one.id, text, hex(await sha256(text))]);
}
process.stdout.write(JSON.stringify(made));
