// The browser's half of the panel, in a document that is not there. tests/viz/test_panel.py runs
// this, with what Python had to tell of some runs in the file that PANEL_CASES names.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { Model, element, frame, time } from "./fake_dom.mjs";
import panel, { duration, patch, read, ticks } from "../../nbflow/viz/static/panel.js";

const cases = JSON.parse(readFileSync(process.env.PANEL_CASES, "utf8"));
let tokens = 0;

/** A panel on a page, told nothing but the first message. */
function open(state, traits = {}) {
  const model = new Model({ state, look: cases.look, token: `t${++tokens}`, cancellable: true, ...traits });
  panel.initialize({ model });
  const el = element();
  const close = panel.render({ model, el });
  frame();
  return { model, el, close, root: el.childNodes[0] };
}

function tell(model, messages) {
  for (const [kind, message] of messages) model[kind](message);
  frame();
}

const plain = (state) => JSON.parse(JSON.stringify({
  ...state, nodes: Object.fromEntries(state.nodes), edges: Object.fromEntries(state.edges), bars: Object.fromEntries(state.bars),
}));
const status = (root) => root.getAttribute("data-status");
const tab = (root, name) => { root.of("nbf-tab").find((t) => t.textContent === name).click(); frame(); };

test("differences add up to what Python would send as a whole", () => {
  for (const { messages, whole } of cases.runs) {
    const state = read(messages[0][1]);
    for (const [kind, message] of messages.slice(1)) {
      if (kind === "delta") patch(state, message);
      else Object.assign(state, read(message));
    }
    const { seq, now, ...rest } = plain(state);
    assert.deepEqual(rest, whole);
  }
});

test("every call is a box with its status, in the graph and in time", () => {
  for (const { messages, whole } of cases.runs) {
    const { model, root } = open(messages[0][1]);
    tell(model, messages.slice(1));
    assert.equal(status(root), whole.head.status);
    const boxes = root.of("nbf-node").map((box) => box.getAttribute("data-status")).filter(Boolean);
    const wanted = Object.values(whole.nodes).filter((row) => !row.join).map((row) => row.status);
    assert.deepEqual(boxes.sort(), wanted.sort());
    tab(root, "Gantt");
    assert.equal(root.of("nbf-bar").length, Object.keys(whole.bars).length);
    for (const shape of root.of("nbf-shape")) {
      for (const key of ["x", "y", "width", "height"]) assert.ok(Number.isFinite(Number(shape.getAttribute(key))));
    }
  }
});

test("a missed message is noticed, and the whole state asked for", () => {
  const { messages } = cases.runs[0];
  const { model, root } = open(messages[0][1]);
  model.sent.length = 0;
  time.now += 5;
  tell(model, messages.slice(2, 4));
  assert.deepEqual(model.sent, [{ kind: "ask" }]);
  tell(model, [messages.at(-1)]);
  assert.equal(status(root), "completed");
});

test("messages from before the whole state are passed over", () => {
  const { messages } = cases.runs[0];
  const { model, root } = open(messages.at(-1)[1]);
  tell(model, messages.slice(1, 4));
  assert.equal(status(root), "completed");
  assert.deepEqual(model.sent, []);
});

test("a panel that is opened late shows all at once, and a second view the same", () => {
  const { messages, whole } = cases.runs[0];
  const { model, root } = open(messages.at(-1)[1]);
  const other = element();
  panel.render({ model, el: other });
  frame();
  for (const page of [root, other.childNodes[0]]) {
    assert.equal(page.of("nbf-node").length, Object.keys(whole.nodes).length);
    assert.equal(page.of("nbf-result")[0].textContent, `Result${whole.head.result}`);
  }
});

test("the time goes on between messages while the run is on, and then stands", () => {
  const { messages } = cases.runs[0];
  const { model, el, root } = open(messages[0][1]);
  tell(model, messages.slice(0, 3));
  const shown = () => { tell(model, []); model.fire("comm_live_update"); tab(root, "Graph"); return parseFloat(root.of("nbf-elapsed")[0].textContent); };
  const before = shown();
  time.now += 3;
  assert.ok(shown() >= before + 2.9);
  tell(model, [messages.at(-1)]);
  const after = shown();
  time.now += 100;
  assert.equal(shown(), after);
  assert.equal(status(el.childNodes[0]), "completed");
});

test("a dead kernel is not a finished run", () => {
  const { messages } = cases.runs[0];
  for (const say of [
    (model) => model.kernel.statusChanged.emit("autorestarting"),
    (model) => model.kernel.statusChanged.emit("dead"),
    (model) => model.kernel.connectionStatusChanged.emit("disconnected"),
    () => { time.now += 20; },
  ]) {
    const { model, root } = open(messages[0][1]);
    tell(model, messages.slice(1, 3));
    say(model);
    tab(root, "Graph");
    assert.equal(status(root), "disconnected");
    assert.match(root.of("nbf-note")[0].textContent, /No word from the kernel/);
    tell(model, [messages.at(-1)]);
    assert.equal(status(root), "completed", "it was there after all");
  }
});

test("a finished run stays finished when the kernel goes", () => {
  const { model, root } = open(cases.runs[0].messages.at(-1)[1]);
  model.kernel.statusChanged.emit("dead");
  time.now += 1000;
  tab(root, "Gantt");
  assert.equal(status(root), "completed");
  assert.ok(root.of("nbf-note")[0].hidden);
});

test("a manager of another make does no harm", () => {
  const model = new Model({ state: cases.runs[0].messages[0][1], look: cases.look, token: "other", cancellable: false });
  model.widget_manager = undefined;
  panel.initialize({ model });
  panel.render({ model, el: element() });
});

test("cancel is sent once, and the button waits", () => {
  const { model, root } = open(cases.runs[0].messages[0][1]);
  const [button] = root.of("nbf-cancel");
  assert.equal(button.tag, "button");
  model.sent.length = 0;
  button.click();
  button.click();
  frame();
  assert.deepEqual(model.sent, [{ kind: "cancel" }]);
  assert.equal(button.textContent, "Cancelling…");
  time.now += 3;
  tab(root, "Graph");
  assert.match(root.of("nbf-note")[0].textContent, /has not answered yet/);
  model.fire("msg:custom", { kind: "note", text: "not cancelled: it is driven elsewhere" });
  frame();
  assert.equal(root.of("nbf-note")[0].textContent, "not cancelled: it is driven elsewhere");
  assert.equal(button.disabled, false);
});

test("a run that cannot be cancelled from here has no button", () => {
  const { root } = open(cases.runs[0].messages[0][1], { cancellable: false });
  assert.ok(root.of("nbf-cancel")[0].hidden);
  const over = open(cases.runs[0].messages.at(-1)[1]);
  assert.ok(over.root.of("nbf-cancel")[0].hidden);
});

test("what users wrote is text and nothing else", () => {
  const { messages } = cases.hostile;
  const { model, root } = open(messages[0][1]);
  tell(model, messages.slice(1));
  tab(root, "Gantt");
  const known = new Set("section header span strong code button div pre i svg g path circle rect text title defs pattern".split(" "));
  for (const found of root.all()) {
    assert.ok(known.has(found.tag), found.tag);
    for (const key of found.attributes.keys()) assert.ok(!key.startsWith("on") && !["href", "src"].includes(key), key);
  }
  assert.match(root.textContent, /<img src=x onerror=/);
});

test("a call may be named __proto__", () => {
  const { messages } = cases.proto;
  const { root } = open(messages.at(-1)[1]);
  assert.equal(root.of("nbf-node").length, 1);
  assert.equal({}.box, undefined);
});

test("a run without calls says so", () => {
  const { root } = open(undefined);
  assert.match(root.of("nbf-chips")[0].textContent, /no call yet/);
  tab(root, "Gantt");
});

test("changes of status are announced, the tabs are tabs", () => {
  const { messages } = cases.runs[0];
  const { model, root } = open(messages[0][1]);
  const [said] = root.find((found) => found.getAttribute("role") === "status");
  assert.equal(said.getAttribute("aria-live"), "polite");
  tell(model, messages.slice(1));
  assert.match(said.textContent, /completed\. \d+ done/);
  const [list] = root.of("nbf-tabs");
  const chosen = () => root.of("nbf-tab").filter((t) => t.getAttribute("aria-selected") === "true").map((t) => t.textContent);
  assert.deepEqual(chosen(), ["Graph"]);
  let kept = 0;
  list.fire("keydown", { key: "ArrowRight", preventDefault() { kept++; }, stopPropagation() { kept++; } });
  assert.deepEqual(chosen(), ["Gantt"]);
  assert.equal(kept, 2, "the notebook must not see the arrow");
});

test("only what changed is drawn anew", () => {
  const { messages } = cases.runs[0];
  const { model, root } = open(messages[0][1]);
  tell(model, messages.slice(1, -2));
  const before = root.of("nbf-node");
  model.delta({ seq: messages.at(-3)[1].seq + 1, base: messages.at(-3)[1].seq, now: 1 });
  frame();
  assert.ok(root.of("nbf-node").every((box, i) => box === before[i]));
});

test("a closed view leaves nothing behind", () => {
  const { close, el, model } = open(cases.runs[0].messages[0][1]);
  close();
  assert.equal(el.childNodes.length, 0);
  model.full(cases.runs[0].messages.at(-1)[1]);
  frame();
});

test("seconds and ticks are written as in Python", () => {
  for (const [seconds, words] of cases.durations) assert.equal(duration(seconds), words);
  for (const [length, most, wanted] of cases.ticks) {
    assert.deepEqual(ticks(length, most).map(([, word]) => word), wanted);
  }
});
