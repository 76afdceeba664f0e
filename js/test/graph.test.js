import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { press, type } from "./frame.js";
import { block } from "./made.js";
import { S, frame, graphOf, open, stateOf } from "./page.js";

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); });

const CALLS = [["load-1"], ["load-2"], ["fit-1", ["load-1"]], ["fit-2", ["load-2"]], ["sum-1", ["fit-1", "fit-2"]]];
const graph = (more) => open(stateOf(graphOf(CALLS, more)));
const box = (page, name) => page.all(".nbf-node").find((found) => found.dataset.name === name);
const named = (page, name) => page.all(`.nbf-node.${name}`).map((found) => found.dataset.name);
const view = (page) => page.find(".nbf-stage");

/** A click at the middle of a box: jsdom lays nothing out, so the stage is at 0, 0. */
function click(page, name) {
  const [, x, y, k] = /translate\((\S+) (\S+)\) scale\((\S+)\)/.exec(page.find(".nbf-graph > g").getAttribute("transform")).map(Number);
  const [, left, top] = /translate\((\S+) (\S+)\)/.exec(box(page, name).getAttribute("transform")).map(Number);
  const at = { clientX: (left + 20) * k + x, clientY: (top + 10) * k + y, bubbles: true, cancelable: true, button: 0 };
  for (const kind of ["pointermove", "pointerdown", "pointerup"]) view(page).dispatchEvent(new MouseEvent(kind, at));
  frame();
}

describe("what is first in sight", () => {
  const scale = (page) => Number(/scale\((\S+)\)/.exec(page.find(".nbf-graph > g").getAttribute("transform"))[1]);
  const tall = (more) => open({ ...stateOf(graphOf(CALLS)), graph: { width: 178, height: 9000 }, ...more });

  test("is the whole graph, but not so small that counts of groups cannot be read", () => {
    const view = { open: [], modes: ["calls", "groups"], canvas: false };
    expect(scale(tall({ view: { ...view, mode: "calls" } }))).toBeCloseTo(0.42);
    expect(scale(tall({ view: { ...view, mode: "groups" } }))).toBeCloseTo(0.7);
    expect(scale(tall({ view: { ...view, mode: "groups", open: [0] } }))).toBeCloseTo(0.42);
  });
});

describe("boxes", () => {
  test("have the status, the name and the row of their call", () => {
    const page = graph({ "fit-1": { status: "failed" } });
    expect(page.all(".nbf-node").map((found) => found.dataset.status)).toEqual(["done", "done", "failed", "done", "done"]);
    expect(box(page, "fit-1").dataset.call).toBe("2");
    expect(box(page, "fit-1").querySelector(".nbf-icon").classList.contains("nbf-is-failed")).toBe(true);
  });

  test("stay the same elements when their call changes", () => {
    const page = graph({ "sum-1": { status: "waiting", side: "" } }), before = page.all(".nbf-node"), { nodes } = graphOf(CALLS);
    const d = box(page, "sum-1").querySelector(".nbf-mark").getAttribute("d");
    page.model.tell({ kind: "delta", base: 1, seq: 2, now: 3, nodes: { "sum-1": { ...nodes["sum-1"], status: "running", side: "", from: 2.5 } } });
    frame();
    expect(page.all(".nbf-node")).toEqual(before);
    expect(box(page, "sum-1").dataset.status).toBe("running");
    expect(box(page, "sum-1").querySelector(".nbf-end").textContent).toMatch(/^0\.5 s/);
    expect(box(page, "sum-1").querySelector(".nbf-mark").getAttribute("d")).not.toBe(d); // shape too, not colour alone
  });

  test("come and go", () => {
    const page = graph();
    page.model.tell({ kind: "delta", base: 1, seq: 2, now: 3, nodes: { "sum-1": null, "new-1": { ...graphOf([["x"]]).nodes.x, name: "new-1", call: 9 } }, edges: { "fit-1>sum-1": null, "fit-2>sum-1": null } });
    frame();
    expect(page.all(".nbf-node").map((found) => found.dataset.name)).toEqual(["load-1", "load-2", "fit-1", "fit-2", "new-1"]);
    expect(page.all(".nbf-edge").length).toBe(2);
  });

  test("control edges are told from data edges", () => {
    const state = stateOf(graphOf(CALLS));
    state.edges["load-1>fit-1"][0] = "control";
    expect(open(state).all(".nbf-control").length).toBe(1);
  });

  test("names that are markup stay words, and one may be __proto__", () => {
    const evil = "<img src=x onerror=globalThis.pwned=1>", state = stateOf(graphOf([[evil]], { [evil]: { detail: evil, hint: evil, side: evil } }), { head: { workflow: evil, error: evil, run: evil } });
    state.names = { activities: [evil], workers: [evil], labels: { 0: evil, 1: "__proto__" } };
    state.nodes = JSON.parse(JSON.stringify(state.nodes).replace(/}$/, `,"__proto__":${JSON.stringify({ ...state.nodes[evil], name: "__proto__", call: 1, box: [300, 0, 156, 42] })}}`));
    const page = open(state);
    click(page, "__proto__");
    type(page.find(".nbf-search"), evil);
    frame();
    expect(page.find("img, script, iframe")).toBeNull();
    expect(page.all("*").flatMap((found) => found.getAttributeNames()).filter((name) => /^on|^href|^src/.test(name))).toEqual([]);
    expect(page.root.textContent).toContain(evil);
    expect(globalThis.pwned).toBeUndefined();
    expect({}.box).toBeUndefined();
  });
});

describe("selection", () => {
  test("a click opens the details, dims what is not related, and a second click ends it", () => {
    const page = graph();
    click(page, "fit-1");
    expect(named(page, "nbf-selected")).toEqual(["fit-1"]);
    expect(named(page, "nbf-dim")).toEqual(["load-2", "fit-2"]);
    expect(page.find(".nbf-aside").hidden).toBe(false);
    vi.advanceTimersByTime(1000);
    expect(page.model.sentOf("detail")[0]).toEqual({ kind: "detail", call: 2 });
    click(page, "fit-1");
    expect(named(page, "nbf-selected").concat(named(page, "nbf-dim"))).toEqual([]);
    expect(page.find(".nbf-aside").hidden).toBe(true);
  });

  test("a drag moves the graph and selects nothing", () => {
    const page = graph(), before = page.find(".nbf-graph > g").getAttribute("transform");
    const at = (clientX) => ({ clientX, clientY: 20, bubbles: true, button: 0 });
    view(page).dispatchEvent(new MouseEvent("pointerdown", at(20)));
    view(page).dispatchEvent(new MouseEvent("pointermove", at(80)));
    view(page).dispatchEvent(new MouseEvent("pointerup", at(80)));
    frame();
    expect(page.find(".nbf-graph > g").getAttribute("transform")).not.toBe(before);
    expect(named(page, "nbf-selected")).toEqual([]);
  });

  test("the tip says what is known, and asks for the arguments after a moment", () => {
    const page = graph(), [head, buffers] = block("bars", [{ call: 0, attempt: 1, worker: 0, status: S.done, ready: 0, started: 0.5, ended: 1.5, packing: 0 }]);
    page.model.tell({ kind: "rows", blocks: [head] }, buffers);
    page.model.sent.length = 0;
    view(page).dispatchEvent(new MouseEvent("pointermove", { clientX: 60, clientY: 30, bubbles: true }));
    expect(page.find(".nbf-tip").textContent).toBe("load-1done · 1.00 sarguments'eu'startedat 500 msqueued500 msworkerw");
    expect(page.model.sentOf("detail")).toEqual([]);
    vi.advanceTimersByTime(300);
    expect(page.model.sentOf("detail")).toEqual([{ kind: "detail", call: 0 }]);
    page.model.tell({ kind: "detail", call: 0, id: "load-1", args: [["region", "'mars'"], ["1", "7"]], trace: [], attempts: [], needs: [], feeds: [] });
    frame();
    expect(page.find(".nbf-tip").textContent).toContain("argumentsregion='mars', 7");
    view(page).dispatchEvent(new MouseEvent("pointerleave"));
    expect(page.find(".nbf-tip").hidden).toBe(true);
  });
});

describe("keys", () => {
  test("arrows go from box to box, Enter opens, Escape closes, and the notebook sees none of it", () => {
    const page = graph(), seen = [];
    document.body.addEventListener("keydown", (event) => seen.push(event.key));
    for (const key of ["ArrowDown", "ArrowDown", "ArrowDown", "Enter"]) expect(press(view(page), key).defaultPrevented).toBe(true);
    frame();
    expect(named(page, "nbf-selected")).toEqual(["sum-1"]);
    expect(page.all("[aria-live=polite]").map((found) => found.textContent)).toContain("sum-1, done, arguments 'eu'");
    press(view(page), "ArrowUp");
    press(view(page), "Escape");
    frame();
    expect(named(page, "nbf-selected")).toEqual([]);
    expect(seen).toEqual([]);
  });

  test("those that mean nothing here are left alone", () => {
    const page = graph();
    for (const [key, more] of [["x", {}], ["Escape", {}], ["ArrowDown", { ctrlKey: true }], ["Tab", {}]]) expect(press(view(page), key, more).defaultPrevented).toBe(false);
  });

  test("plus and minus zoom, 0 shows all again", () => {
    const page = graph(), scale = () => page.find(".nbf-scale").textContent;
    const before = scale();
    press(view(page), "+");
    frame();
    expect(parseInt(scale())).toBeGreaterThan(parseInt(before));
    press(view(page), "0");
    vi.advanceTimersByTime(500);
    expect(scale()).toBe(before);
  });

  test("the wheel scrolls the page unless Ctrl or Shift is held", () => {
    const page = graph(), wheel = (more) => {
      const event = new WheelEvent("wheel", { deltaY: -100, cancelable: true, bubbles: true, ...more });
      view(page).dispatchEvent(event);
      return event.defaultPrevented;
    };
    expect([wheel({}), wheel({ ctrlKey: true }), wheel({ shiftKey: true })]).toEqual([false, true, true]);
  });
});

describe("search", () => {
  test("marks and counts what it finds, and Enter goes to the next, round and round", () => {
    const page = graph(), field = page.find(".nbf-search"), count = () => page.find(".nbf-found").textContent;
    type(field, "FIT");
    frame();
    expect(named(page, "nbf-match")).toEqual(["fit-1", "fit-2"]);
    expect(count()).toBe("1 of 2");
    press(field, "Enter");
    expect(count()).toBe("2 of 2");
    press(field, "Enter");
    expect(count()).toBe("1 of 2");
    press(field, "Enter", { shiftKey: true });
    expect(count()).toBe("2 of 2");
  });

  test("says when it finds nothing, and Escape empties it", () => {
    const page = graph(), field = page.find(".nbf-search");
    type(field, "mars");
    frame();
    expect(page.find(".nbf-found").textContent).toBe("nothing found");
    press(field, "Escape");
    frame();
    expect([field.value, page.find(".nbf-found").textContent, named(page, "nbf-match").length]).toEqual(["", "", 0]);
  });

  test("finds by status", () => {
    const page = graph({ "fit-2": { status: "failed" } });
    type(page.find(".nbf-search"), "failed");
    frame();
    expect(named(page, "nbf-match")).toEqual(["fit-2"]);
  });
});

describe("views", () => {
  const grouped = (open_ = []) => stateOf({ graph: { width: 400, height: 200 }, edges: {}, nodes: {
    g0: { box: [0, 0, 178, 52], status: "running", name: "load", side: "×600", detail: "599 done", hint: "load", activity: 0, group: 0, counts: { done: 599, running: 1 } },
    g1: { box: [0, 90, 178, 52], status: "waiting", name: "fit", side: "×600", detail: "", hint: "fit", activity: 1, group: 1, counts: { waiting: 600 } } } },
  { names: { activities: ["load", "fit"], workers: [], labels: {} }, view: { mode: "groups", open: open_, modes: ["calls", "groups"], canvas: false } });

  test("a group opens at a click and closes by its button", () => {
    const page = open(grouped());
    click(page, "fit");
    expect(page.model.sentOf("view")).toEqual([{ kind: "view", mode: "groups", open: [1] }]);
    page.model.put("state", { ...grouped([1]), seq: 2 });
    frame();
    expect(page.find(".nbf-unfolded").textContent).toBe("fit ×");
    page.find(".nbf-unfolded").click();
    expect(page.model.sentOf("view").at(-1)).toEqual({ kind: "view", mode: "groups", open: [] });
  });

  test("a group shows how its calls stand", () => {
    const page = open(grouped());
    expect(page.all(".nbf-shares > rect").length).toBe(3);
    type(page.find(".nbf-search"), "load-12");
    frame();
    expect(named(page, "nbf-match")).toEqual(["load"]);
  });

  test("calls or groups are chosen where both can be, and the kernel is asked", () => {
    const page = open(grouped());
    page.all(".nbf-choice").find((found) => found.textContent === "calls").click();
    expect(page.model.sentOf("view")).toEqual([{ kind: "view", mode: "calls", open: [] }]);
    expect(graph().find(".nbf-switch").hidden).toBe(false);
    expect(open({ ...grouped(), view: { mode: "groups", open: [], modes: ["groups"] } }).find(".nbf-switch").hidden).toBe(true);
  });

  test("the critical path is shown when asked for, once it is known", () => {
    const state = stateOf(graphOf(CALLS, { "fit-1": { critical: true } })), path = (page) => page.all(".nbf-tool").find((found) => found.textContent === "Critical path");
    expect(path(open(state)).hidden).toBe(true);
    const page = open({ ...state, critical: [0] });
    expect(named(page, "nbf-critical")).toEqual([]);
    path(page).click();
    frame();
    expect(named(page, "nbf-critical")).toEqual(["fit-1"]);
    expect(path(page).getAttribute("aria-pressed")).toBe("true");
  });

  test("a big graph is painted, and its boxes are found and opened all the same", () => {
    const page = open({ ...stateOf({ nodes: {}, edges: {}, graph: { width: 300, height: 100 } }), names: { activities: ["f"], workers: [], labels: {} },
      view: { mode: "calls", open: [], modes: ["calls"], canvas: true } });
    expect(page.root.textContent).toContain("The graph is on its way");
    const bytes = (array) => new DataView(array.buffer), [head, buffers] = block("calls", [1, 2, 3].map((number) => ({ activity: 0, number, status: S.done, attempts: 1, asked: 0 })));
    page.model.tell({ kind: "rows", blocks: [head] }, buffers);
    page.model.tell({ kind: "scene", width: 300, height: 100, count: 3, edges: 1 }, [bytes(Uint32Array.of(0, 1, 2)), ...[[0, 100, 200], [0, 0, 60], [22, 22, 22], [22, 22, 22]].map((side) => bytes(Float32Array.from(side))),
      bytes(Uint32Array.of(0)), bytes(Uint32Array.of(2)), bytes(Uint8Array.of(0))]);
    frame();
    expect(page.find(".nbf-stage > canvas")).not.toBeNull();
    type(page.find(".nbf-search"), "f-3");
    frame();
    expect(page.find(".nbf-found").textContent).toBe("1 of 1");
    press(view(page), "Enter");
    frame();
    expect(page.find(".nbf-detail").textContent).toContain("f-3");
  });

  test("a run without calls says so", () => {
    const empty = stateOf({ nodes: {}, edges: {}, graph: {} });
    expect(open(empty).find(".nbf-graph-tab .nbf-empty").textContent).toMatch(/^No call yet/);
    expect(open({ ...empty, head: { ...empty.head, status: "completed" } }).find(".nbf-graph-tab .nbf-empty").textContent).toBe("This run made no calls.");
    expect(open(undefined).find(".nbf-chips").textContent).toBe("no call yet");
  });
});
