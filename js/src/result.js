// The Result tab: what the workflow returned, or why it did not.

import "./tabs.css";
import { rowOf } from "./attempts.js";
import { callLink, copyButton, written } from "./bits.js";
import { disk, h } from "./dom.js";
import { clean } from "./words.js";

const EMPTY = {
  running: ["No result yet", "It stands here when the workflow has returned."],
  cancelled: ["Cancelled", "The run was cancelled before it had a result. What its calls gave is kept."],
  stopped: ["Stopped", "Nobody drives this run any more, and it is not over. What is done is kept: resume it to go on."],
  failed: ["Failed", "The run failed without saying why."],
  completed: ["Completed", "The workflow returned nothing."],
};

export class ResultTab {
  constructor(view) {
    this.view = view;
    this.box = h("div", "nbf-outcome");
  }

  draw(store) {
    const { head } = store.state, row = head.call ? rowOf(store, head.call) : -1;
    const key = JSON.stringify([head.status, head.result, head.error, head.trace, head.call, row]);
    if (key === this.drawnAs) return;
    this.drawnAs = key;
    this.box.replaceChildren(...(head.error ? this.failure(head, row) : head.result ? this.value(head) : this.nothing(head)));
  }

  tick() { /* a result does not change by itself */ }

  title(status, words, ...more) {
    return h("div", "nbf-outcome-head", {}, disk(this.view.look, status, 16), h("strong", "", {}, words), ...more);
  }

  value({ result, status }) {
    return [this.title(status, "Result", copyButton(() => result)), written(result, "nbf-tall")];
  }

  failure({ error, trace = [], call, status }, row) {
    const whole = () => (trace.length ? trace.join("\n") : error), words = { cancelled: "Cancelled", stopped: "Stopped" }[status] ?? "Error";
    const where = call ? h("span", "nbf-where", {}, "in ", row >= 0 ? callLink(this.view, row) : h("code", "", {}, clean(call))) : null;
    const more = status === "stopped" ? h("p", "nbf-faint", {}, EMPTY.stopped[1]) : null;
    return [this.title(status, words, where, copyButton(whole, "Copy error")), written(error, "nbf-error"),
      trace.length ? written(trace.join("\n"), "nbf-tall") : null, more].filter(Boolean);
  }

  nothing({ status = "running" }) {
    const [title, words] = EMPTY[status] ?? EMPTY.running;
    return [this.title(status, title), h("p", "nbf-faint", {}, words)];
  }
}
