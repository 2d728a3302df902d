/**
 * Events as survey/questionnaire/response.py has them, made on the phone: the same id and the same bytes as the server
 * would make of the same form, so that one answer is one event by whichever road it arrives.
 */

const FIELDS = [
  'id', 'response', 'kind', 'at', 'author', 'mode', 'sequence', 'device', 'page', 'row', 'roster', 'draw', 'eligible',
  'language', 'version', 'today', 'case', 'answers',
];
const DEFAULTS = { mode: 'self', sequence: 0, eligible: 0 };

/** Text as JSON has it, without what no UTF-8 can carry. */
const quoted = (text) => JSON.stringify(text.replace(/\p{Surrogate}/gu, '\ufffd'));
const number = (x) => (x && Math.abs(x) < 1e-5 ? x.toExponential() : String(x));
const sorted = (record) => Object.keys(record).sort();

/** JSON with the keys of every record in order: what Python's msgspec writes with order="deterministic". */
function json(value) {
  if (Array.isArray(value)) return `[${value.map(json)}]`;
  if (typeof value === 'number') return number(value);
  if (typeof value === 'string') return quoted(value);
  if (value && typeof value === 'object') return `{${sorted(value).map((key) => `${quoted(key)}:${json(value[key])}`)}}`;
  return String(value);
}

const answer = ({ value = null, missing = null, remark = '' }) => `{${[
  ...(value === null ? [] : [`"value":${json(value)}`]),
  ...(missing ? [`"missing":"${missing}"`] : []),
  ...(remark ? [`"remark":${quoted(remark)}`] : []),
]}}`;
const answers = (said) => `{${sorted(said).map((key) => `${quoted(key)}:${answer(said[key])}`)}}`;

/** The one form of an event that is stored, hashed and compared: `canonical` of survey/storage/responses.py. */
export function canonical(event) {
  const parts = FIELDS.filter((name) => {
    const value = event[name];
    if (value === undefined || value === (DEFAULTS[name] ?? '')) return false;
    return name !== 'answers' || Object.keys(value).length;
  });
  return `{${parts.map((name) => `"${name}":${name === 'answers' ? answers(event[name]) : json(event[name])}`)}}`;
}

export const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');

/** A UUIDv7 (RFC 9562) of these milliseconds and ten further bytes. */
function uuid7(milliseconds, rest) {
  const bytes = Uint8Array.from(rest.slice(0, 10));
  bytes[0] = (bytes[0] & 0x0f) | 0x70;
  bytes[2] = (bytes[2] & 0x3f) | 0x80;
  const text = milliseconds.toString(16).padStart(12, '0') + hex(bytes);
  return text.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** The one-time id of a form, made where it is filled in. */
export const formId = () => uuid7(Date.now(), crypto.getRandomValues(new Uint8Array(10)));

export async function sha256(text) {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)));
}

/**
 * The event of a form, as `_event` in survey/web/interview.py makes it.
 * @param {{response: string, author: string, mode: string, language: string}} interview
 * @param {string} form the form's id
 * @param {string} kind
 * @param {object} facts page, row, roster …, in any order
 * @param {object} said answers by key
 */
export async function event(interview, form, kind, facts = {}, said = {}) {
  const body = `[${quoted(interview.response)},"${kind}",${json(facts)},${answers(said)}]`;
  const { response, author, mode, language } = interview;
  return {
    id: uuid7(parseInt(form.replaceAll('-', '').slice(0, 12), 16), await sha256(`${form}\0${body}`)),
    response, kind, at: parseInt(form.replaceAll('-', '').slice(0, 12), 16), author, mode, language, ...facts, answers: said,
  };
}
