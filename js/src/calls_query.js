// The filter and the order of the table of calls. No DOM.

const UNITS = { ms: 1e-3, s: 1, m: 60, min: 60, h: 3600, "": 1 };
const AMOUNT = /^(<=|>=|<|>|=)?(\d+(?:\.\d+)?)(ms|s|min|m|h)?$/;
const NAMES = { status: "status", is: "status", activity: "activity", worker: "worker", on: "worker", id: "id" };
const AMOUNTS = new Set(["attempts", "queued", "ran", "packing", "storing", "started"]);

/** What can be written into the filter, for its hint. */
export const SYNTAX = "Text in a call's id, or terms: status:failed, activity:fetch, worker:2, attempts:>1, ran:>1.5s, " +
  "queued:>100ms. Several terms must all hold; status:failed,running is either; a minus before a term turns it round.";

/**
 * Read a filter: a list of terms, each {not, key, values} or {not, key, compare, amount}.
 *
 * A term with a key that is not known, or an amount that is none, is looked for as plain text.
 */
export function parse(text) {
  return (text.match(/-?[\w]+:"[^"]*"|"[^"]*"|\S+/g) ?? []).map(term).filter(Boolean);
}

function term(raw) {
  const not = raw.length > 1 && raw.startsWith("-"), word = not ? raw.slice(1) : raw;
  const [, key, rest] = /^([a-z]+):(.*)$/i.exec(word) ?? [], known = key?.toLowerCase();
  if (known && Object.hasOwn(NAMES, known)) {
    const values = plain(rest).toLowerCase().split(",").filter(Boolean);
    return values.length ? { not, key: NAMES[known], values } : null;
  }
  if (known && AMOUNTS.has(known)) {
    const found = AMOUNT.exec(rest);
    if (found) return { not, key: known === "storing" ? "packing" : known, compare: found[1] ?? "=", amount: Number(found[2]) * UNITS[found[3] ?? ""] };
    if (!rest) return null;
  }
  const values = [plain(word).toLowerCase()];
  return values[0] ? { not, key: "text", values } : null;
}

const plain = (text) => text.replaceAll('"', "");

const COMPARE = {
  "<": (a, b) => a < b,
  ">": (a, b) => a > b,
  "<=": (a, b) => a <= b + 1e-9,
  ">=": (a, b) => a >= b - 1e-9,
  "=": (a, b) => a === b || Math.abs(a - b) < 5e-4,
};

/**
 * Make a test of a row from terms and chosen statuses (a set of names; empty for all).
 *
 * `read` gives what a row says: {id, activity, status, worker: row -> text, attempts, queued, ran,
 * packing, started: row -> number}.
 */
export function matcher(terms, statuses, read) {
  const holds = ({ key, values, compare, amount }, row) => {
    if (compare) return COMPARE[compare](read[key](row), amount);
    if (key === "text") return read.id(row).toLowerCase().includes(values[0]) || read.activity(row).toLowerCase().includes(values[0]);
    const found = read[key](row).toLowerCase();
    return values.some((value) => (key === "status" ? found.startsWith(value) : found.includes(value)));
  };
  return (row) => (!statuses.size || statuses.has(read.status(row))) && terms.every((one) => holds(one, row) !== one.not);
}

/**
 * Order rows by `keyOf` (a number each), those without one (NaN) last whichever way, ties by row.
 *
 * `rows` is changed in place and given back.
 */
export function order(rows, keyOf, down, tie = (row) => row) {
  const keys = new Float64Array(rows.reduce((most, row) => Math.max(most, row), -1) + 1), sign = down ? -1 : 1;
  for (const row of rows) keys[row] = keyOf(row);
  return rows.sort((a, b) => {
    const one = keys[a], two = keys[b];
    if (one === two) return tie(a) - tie(b);
    if (Number.isNaN(one)) return Number.isNaN(two) ? tie(a) - tie(b) : 1;
    return Number.isNaN(two) ? -1 : sign * (one - two);
  });
}

const natural = new Intl.Collator("en", { numeric: true }).compare;

/** The place of each of some names in their natural order, for ordering rows by number. */
export function ranks(names) {
  const found = new Float64Array(names.length);
  names.map((_, i) => i).sort((a, b) => natural(names[a], names[b])).forEach((at, rank) => { found[at] = rank; });
  return found;
}
