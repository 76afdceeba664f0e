// The lines of the log that are to be shown. No DOM.

/** Longer lines are cut on the screen; copied they are whole. */
export const LONGEST = 4000;

/** What kind of line it is: "stdout", "stderr", or the level of a log record in small letters. */
export function kindOf(channel) {
  const [, level] = /^log:(.*)$/.exec(channel) ?? [];
  if (level === undefined) return channel === "stdout" ? "stdout" : "stderr";
  return { CRITICAL: "error", FATAL: "error", ERROR: "error", WARNING: "warning", WARN: "warning", DEBUG: "debug", NOTSET: "debug" }[level.toUpperCase()] ?? "info";
}

/** A short mark of a line's channel; nothing for plain prints. */
export function markOf(channel) {
  if (channel === "stdout") return "";
  return channel.startsWith("log:") ? channel.slice(4) : channel;
}

/** Whether a line is of a choice of channels: "all", "out", "err" or "log". */
export function isOf(channel, choice) {
  if (choice === "all") return true;
  if (choice === "log") return channel.startsWith("log:");
  return choice === "out" ? channel === "stdout" : channel === "stderr";
}

/**
 * The lines of a store's log that fit a filter, kept up as lines are added.
 *
 * A filter is {text, call (row or null), channel (choice)}.
 */
export class LogLines {
  constructor() {
    this.shown = [];
    this.done = 0;
    this.last = null;
  }

  /** Bring `shown` up to date. `labelOf(call)` gives a call's id, which the text may also be in. */
  update(log, filter, labelOf) {
    const { lines, first = 0 } = log, key = JSON.stringify([first, filter.text, filter.call, filter.channel]);
    const follows = key === this.key && this.done <= lines.length && (!this.done || lines[this.done - 1] === this.last);
    if (!follows) {
      this.shown = [];
      this.done = 0;
    }
    this.key = key;
    const text = filter.text.trim().toLowerCase();
    for (; this.done < lines.length; this.done++) {
      const line = lines[this.done], [, call, , channel, words] = line;
      if (filter.call != null && call !== filter.call) continue;
      if (!isOf(channel, filter.channel)) continue;
      if (text && !words.toLowerCase().includes(text) && !labelOf(call).toLowerCase().includes(text)) continue;
      this.shown.push(line);
    }
    this.last = lines[this.done - 1] ?? null;
    return this.shown;
  }
}

/** Seconds as the log writes them: 12.345, 1:02.345. */
export function stamp(seconds) {
  const at = Math.max(0, seconds), minutes = Math.floor(at / 60 + 1e-9);
  if (!minutes) return at.toFixed(3);
  const rest = (at - minutes * 60).toFixed(3).padStart(6, "0"), hours = Math.floor(minutes / 60);
  return hours ? `${hours}:${String(minutes % 60).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** Lines as plain text, to be pasted elsewhere. */
export function asText(lines, labelOf) {
  return lines.map(([at, call, attempt, channel, text]) => {
    const mark = markOf(channel), tried = attempt > 1 ? ` (attempt ${attempt})` : "";
    return `${stamp(at)}\t${labelOf(call)}${tried}\t${mark ? `${mark}: ` : ""}${text}`;
  }).join("\n");
}
