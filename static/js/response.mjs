/** The response as the fold of its events: survey/questionnaire/response.py, read directly. */

/** The name under which a page, or a page of one row, is remembered as done. */
export const place = (page, row) => (row ? `${page}@${row}` : page);
/** Which variable of which row. */
export const key = (question, row) => (row ? `${question}@${row}` : question);

/** The response after these events, in the order they were appended; a repeated id counts once. */
export function fold(id, events) {
  const found = {
    id, answers: {}, rows: {}, locked: new Set(), drawn: {}, eligible: {}, done: new Set(), submitted: false,
    language: '', version: '', today: '', mode: 'self',
  };
  const seen = new Set();
  for (const one of events) {
    if (seen.has(one.id)) continue;
    seen.add(one.id);
    found.mode = one.mode || 'self';
    for (const name of ['language', 'version', 'today']) found[name] = one[name] || found[name];
    Object.assign(found.answers, one.answers);
    const { kind, page = '', row = '', roster = '', draw = '' } = one;
    const present = found.rows[roster] ?? [];
    if (kind === 'page_done' || (kind === 'answered' && page)) found.done.add(place(page, row));
    else if (kind === 'row_added' && !present.includes(row)) found.rows[roster] = [...present, row];
    else if (kind === 'row_removed') found.rows[roster] = present.filter((other) => other !== row);
    else if (kind === 'locked') found.locked.add(roster);
    else if (kind === 'drawn' && !(draw in found.drawn)) {
      found.drawn[draw] = row;
      found.eligible[draw] = one.eligible ?? 0;
    } else if (kind === 'submitted') found.submitted = true;
    else if (kind === 'reopened') found.submitted = false;
  }
  return found;
}
