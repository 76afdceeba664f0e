// Numbers, times and counts in words.

const ORDER = ["done", "cached", "failed", "cancelled", "skipped", "retrying", "running", "queued", "waiting"];

/** Seconds in words, as in nbflow/viz/wording.py. */
export function duration(seconds) {
  if (!seconds) return "0 s";
  if (seconds < 0.0095) return `${(seconds * 1000).toFixed(1)} ms`;
  if (seconds < 0.9995) return `${(seconds * 1000).toFixed(0)} ms`;
  if (seconds < 59.95) return `${seconds.toFixed(seconds < 9.995 ? 2 : 1)} s`;
  const whole = Math.round(seconds), two = (n) => String(n).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
  return `${Math.floor(whole / 3600)}h ${two(Math.floor((whole % 3600) / 60))}m`;
}

/** Seconds that change while one looks: fewer digits. */
export function ticking(seconds) {
  return seconds < 59.95 ? `${Math.max(0, seconds).toFixed(1)} s` : duration(seconds);
}

const STEPS = [30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400];

/** The least round step of time that is no shorter than `rough` seconds. */
function stepOf(rough) {
  if (rough > 20) return STEPS.find((step) => step >= rough) ?? Math.ceil(rough / 86400) * 86400;
  const power = 10 ** Math.floor(Math.log10(Math.max(rough, 1e-6)));
  return [1, 2, 5, 10, 20].map((digit) => power * digit).find((step) => step >= rough * 0.999999);
}

/** Round times from `from` up to `to` seconds, `most` at the most, each with how it is written. */
export function ticks(to, most, from = 0) {
  const step = stepOf((to - from) / Math.max(1, most - 1));
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const word = (t) => {
    if (!t) return "0";
    if (step < 0.1 && t < 1) return `${(t * 1000).toFixed(step < 1e-3 ? 1 : 0)} ms`;
    return step < 30 ? `${t.toFixed(digits)} s` : duration(t);
  };
  const found = [];
  for (let i = Math.ceil(from / step - 1e-9); i <= to / step + 1e-9; i++) found.push([i * step, word(i * step)]);
  return found;
}

/** A count with commas. */
export const number = (count) => count.toLocaleString("en-US");

/** One thing, or many. */
export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

/** Counts by status as [status, count], in the order in which they are always told. */
export const inOrder = (counts) => ORDER.filter((s) => counts?.[s]).map((s) => [s, counts[s]]);

export const wordsOf = (counts) => inOrder(counts).map(([s, c]) => `${number(c)} ${s}`).join(", ");

/** Letters that turn the reading direction or do not show: never of use in a name, often a trick. */
const ODD = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

/** A user's words made safe to read. Python has cleaned them; this is for those it has not. */
export const clean = (text) => String(text ?? "").replace(ODD, "�");
