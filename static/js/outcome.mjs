/** What a response comes to, variable by variable: `outcome` of survey/questionnaire/routing.py. */
import { plain } from './answers.mjs';
import { key } from './response.mjs';
import { written } from './routing.mjs';

/** Every variable of every row as an answer: {value} or {missing}, by its key. */
export function outcome(walk) {
  const result = {};
  const state = (id, row, on) => (on ? walk.given[row]?.[id] ?? { missing: 'not_asked' } : { missing: 'not_applicable' });
  for (const [id, { question, roster, draw }] of Object.entries(walk.places)) {
    const rows = draw ? [walk.drawn(draw)].filter(Boolean) : roster ? walk.rows(roster, '') : [''];
    for (const row of question.kind === 'note' ? [] : rows) {
      const name = key(id, row), value = walk.get(id, row), here = walk.on[row].has(id);
      if (question.kind === 'calculate') {
        const kept = plain(question.type, value);
        result[name] = kept === null ? { missing: 'not_applicable' } : { value: kept };
        continue;
      }
      result[name] = state(id, row, here);
      for (const { code, specify } of written(walk.q, question)) {
        const other = `${id}.${code}`, chosen = here && [walk.given[row]?.[id]?.value].flat().includes(code);
        if (specify) result[key(other, row)] = state(other, row, chosen);
      }
    }
  }
  return result;
}
