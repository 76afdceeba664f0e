// The time axis of the Gantt chart: windows of time and round times in them. No DOM.

const COARSE = [30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400];
/** The shortest stretch of time that can be looked at, in seconds. */
export const SHORTEST = 2e-6;

/** A round step of at least `rough` seconds: 1, 2 or 5 times a power of ten, or whole minutes and hours. */
export function roundStep(rough) {
  if (rough > 20) return COARSE.find((step) => step >= rough) ?? 86400 * roundStep(rough / 86400);
  const power = 10 ** Math.floor(Math.log10(Math.max(rough, 1e-9)));
  return [1, 2, 5, 10].map((digit) => digit * power).find((step) => step >= rough * 0.999999);
}

/** At most about `most` round times in a window, each with how it is written. */
export function ticksIn([from, to], most) {
  const step = roundStep((to - from) / Math.max(1, most)), found = [];
  const first = Math.ceil(from / step - 1e-6), last = Math.floor(to / step + 1e-6);
  for (let i = first; i <= last; i++) found.push([i * step, tickWord(i * step, step, to)]);
  return found;
}

/** Write a time of the axis with as many digits as the step asks for. */
export function tickWord(time, step, latest = time) {
  if (Math.abs(time) < step / 2) return "0";
  const sign = time < 0 ? "−" : "", at = Math.abs(time);
  const digits = (unit) => Math.min(9, Math.max(0, -Math.floor(Math.log10(step / unit) + 1e-9)));
  if (latest < 1e-3) return `${sign}${(at * 1e6).toFixed(digits(1e-6))} µs`;
  if (latest < 1) return `${sign}${(at * 1e3).toFixed(digits(1e-3))} ms`;
  if (latest < 60) return `${sign}${at.toFixed(digits(1))} s`;
  return sign + (at < 59.9995 && step < 60 ? `${at.toFixed(digits(1))} s` : clockWord(at, step, digits(1)));
}

function clockWord(at, step, digits) {
  const unit = 10 ** -digits, whole = Math.round(at / unit) * unit;
  const hours = Math.floor(whole / 3600 + 1e-9), minutes = Math.floor((whole - hours * 3600) / 60 + 1e-9);
  const rest = Math.max(0, whole - hours * 3600 - minutes * 60);
  const seconds = step % 60 ? `${rest.toFixed(digits).padStart(digits ? digits + 3 : 2, "0")}s` : "";
  const head = hours ? `${hours}h ${String(minutes).padStart(2, "0")}m` : minutes ? `${minutes}m` : "";
  return [head, seconds].filter(Boolean).join(" ") || "0";
}

/** A window grown by `factor` (under 1: nearer) about the time at `part` of it, kept within `whole`. */
export function zoomed([from, to], factor, part, whole) {
  const [begin, end] = whole, wide = Math.min(end - begin, Math.max(SHORTEST, (to - from) * factor));
  const at = from + (to - from) * part;
  return kept([at - wide * part, at + wide * (1 - part)], whole);
}

/** A window moved by `by` seconds, kept within `whole`. */
export function panned([from, to], by, whole) {
  return kept([from + by, to + by], whole);
}

/** Push a window back into `whole`, without changing its length unless it is longer. */
export function kept([from, to], [begin, end]) {
  const wide = Math.min(to - from, end - begin);
  const start = Math.min(Math.max(from, begin), end - wide);
  return [start, start + wide];
}
