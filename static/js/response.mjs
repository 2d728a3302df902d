/** The response as the fold of its events: survey/questionnaire/response.py, read directly. */

/** The name under which a page, or a page of one row, is remembered as done. */
export const place = (page, row) => (row ? `${page}@${row}` : page);
/** Which variable of which row. */
export const key = (question, row) => (row ? `${question}@${row}` : question);

/**
 * The response after these events, in the order they were appended; a repeated id counts once. `start` is a response
 * they go on from, as the server wrote it out (survey/questionnaire/published.py).
 */
export function fold(id, events, start = {}) {
  const found = {
    id, answers: { ...start.answers }, rows: { ...start.rows }, locked: new Set(start.locked), drawn: { ...start.drawn },
    eligible: { ...start.eligible }, done: new Set(start.done), submitted: Boolean(start.submitted),
    language: start.language ?? '', version: start.version ?? '', today: start.today ?? '', mode: start.mode ?? 'self',
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
    else if (kind === 'moved') {
      for (const name of one.void ?? []) delete found.answers[name];
      for (const name of one.undone ?? []) found.done.delete(name);
    }
  }
  return found;
}
