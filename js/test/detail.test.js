import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DetailPane } from "../src/detail.js";
import { ResultTab } from "../src/result.js";
import { Frame, noteCanvas, press } from "./frame.js";
import { Model, S, made } from "./made.js";

let frame, pane;

beforeEach(() => {
  vi.useFakeTimers();
  noteCanvas();
});

afterEach(() => vi.useRealTimers());

function shown(part, run, options) {
  frame = new Frame(new Model(run, options), [part]);
  [pane] = frame.parts;
}

function select(call) {
  frame.select(call);
  frame.draw();
}

const asked = () => frame.store.model.sent.filter(({ kind }) => kind === "detail").map(({ call }) => call);
const facts = () => Object.fromEntries([...pane.facts.children].map((one) => [one.firstChild.textContent, one.lastChild.textContent]));
const headings = () => [...pane.body.querySelectorAll("h4")].map((one) => one.firstChild.textContent);

describe("the details of a call", () => {
  it("show at once what the rows know, and the rest when it comes", () => {
    shown(DetailPane, made({ count: 6, seed: 2 }), { silent: true });
    frame.store.model.rows({ calls: 0, bars: 0 });
    select(2);
    expect([pane.name.textContent, pane.pill.textContent, asked()]).toEqual([frame.store.label(2), "done", [2]]);
    expect(Object.keys(facts())).toEqual(expect.arrayContaining(["asked at", "queued", "ran", "worker", "started at", "ended at"]));
    expect(pane.waiting.textContent).toContain("Asking the kernel");
    frame.store.model.tell({ kind: "detail", call: 2, ...frame.store.model.detailOf(2) });
    frame.frame();
    expect(pane.waiting.hidden).toBe(true);
    expect(headings()).toEqual(["Arguments", "Result", "Attempts", "Needs", "Feeds"]);
  });

  it("say after three seconds that the kernel is busy", () => {
    shown(DetailPane, made({ count: 6, seed: 2 }), { silent: true });
    frame.store.model.rows({ calls: 0, bars: 0 });
    select(1);
    vi.advanceTimersByTime(3200);
    frame.frame();
    expect(pane.waiting.textContent).toContain("The kernel is busy");
  });

  it("are asked for again when the call's row changes, but not for ever", () => {
    const run = made({ count: 6, until: 0.3, seed: 2 }), call = run.calls.findIndex(({ status }) => status === S.running);
    shown(DetailPane, run, { status: "running", actions: ["cancel_call"] });
    select(call);
    for (let i = 0; i < 5; i++) {
      vi.advanceTimersByTime(1500);
      pane.tick(frame.store);
      frame.frame();
    }
    expect(asked()).toEqual([call]);
    expect([pane.pill.textContent, pane.cancel.hidden]).toEqual(["running", false]);
    frame.store.model.news({ calls: { [call]: { ...run.calls[call], status: S.done } } });
    vi.advanceTimersByTime(1500);
    frame.frame();
    expect(asked()).toEqual([call, call]);
    expect([pane.pill.textContent, pane.cancel.hidden]).toEqual(["done", true]);
    frame.store.model.silent = true;
    frame.store.model.news({ calls: { [call]: { ...run.calls[call], status: S.failed } } });
    for (let i = 0; i < 90; i++) {
      vi.advanceTimersByTime(1500);
      frame.draw();
    }
    const often = asked().length;
    expect(often).toBeGreaterThan(3);
    vi.advanceTimersByTime(3_600_000);
    frame.draw();
    expect(asked().length).toBe(often);
  });

  it("wait a little while one goes through calls quickly", () => {
    shown(DetailPane, made({ count: 60, seed: 2 }));
    for (let call = 0; call < 40; call++) {
      select(call);
      vi.advanceTimersByTime(20);
    }
    vi.advanceTimersByTime(400);
    frame.frame();
    expect(asked().length).toBeLessThan(6);
    expect(asked().at(-1)).toBe(39);
    expect(pane.name.textContent).toBe(frame.store.label(39));
    expect(headings()).toContain("Arguments");
  });

  it("cancel the call, once", () => {
    const run = made({ count: 6, until: 0.3, seed: 2 }), call = run.calls.findIndex(({ status }) => status === S.running);
    shown(DetailPane, run, { status: "running", actions: ["cancel_call"] });
    select(call);
    pane.cancel.click();
    frame.frame();
    pane.cancel.click();
    expect(frame.store.model.sent.filter(({ kind }) => kind === "cancel_call")).toEqual([{ kind: "cancel_call", call }]);
    expect([pane.cancel.textContent, pane.cancel.disabled]).toEqual(["Cancelling…", true]);
  });

  it("have no button where a call cannot be cancelled", () => {
    const run = made({ count: 6, until: 0.3, seed: 2 }), call = run.calls.findIndex(({ status }) => status === S.running);
    shown(DetailPane, run, { status: "running", actions: [] });
    select(call);
    expect(pane.cancel.hidden).toBe(true);
  });

  it("close by Escape and by the cross", () => {
    shown(DetailPane, made({ count: 6 }));
    select(1);
    expect(press(pane.box, "Escape").defaultPrevented).toBe(true);
    expect(frame.selected).toBeNull();
    select(1);
    pane.box.querySelector("[aria-label='Close the details']").click();
    expect(frame.selected).toBeNull();
  });

  it("lead to the calls that this one needs and feeds, some at a time", () => {
    shown(DetailPane, made({ count: 400, seed: 2 }), { details: () => ({ needs: [0], feeds: Array.from({ length: 300 }, (_, i) => i) }) });
    select(5);
    frame.frame();
    const links = () => pane.body.querySelectorAll(".nbf-link");
    expect(links().length).toBe(25);
    [...pane.body.querySelectorAll("button")].find((one) => one.textContent === "276 more calls …").click();
    expect(links().length).toBe(265);
    links()[0].dispatchEvent(new Event("pointerenter"));
    expect(frame.hovered).toBe(0);
    links()[0].click();
    expect(frame.selected).toBe(0);
  });

  it("show names, values, errors and sources as text", () => {
    const bad = "<img src=x onerror=alert(1)>";
    shown(DetailPane, made({ count: 3, activities: [bad] }), { details: () => ({ args: [[bad, bad]], result: bad, error: bad, trace: [bad], source: bad, key: bad, why: bad, label: bad }) });
    select(1);
    frame.frame();
    expect(pane.box.querySelector("img")).toBeNull();
    expect(pane.body.textContent.split(bad).length - 1).toBeGreaterThanOrEqual(8);
    const [source, key] = pane.body.querySelectorAll("details");
    expect([source.open, source.querySelector("pre").textContent, key.querySelector("code").textContent]).toEqual([false, bad, bad]);
  });

  it("keep what one has opened when they are told anew", () => {
    shown(DetailPane, made({ count: 3 }), { details: () => ({ source: "def f(): ..." }) });
    select(1);
    frame.frame();
    pane.body.querySelector("details").open = true;
    frame.store.model.tell({ kind: "detail", call: 1, ...frame.store.model.detailOf(1) });
    frame.frame();
    expect(pane.body.querySelector("details").open).toBe(true);
  });

  it("say so of a call that is not known here", () => {
    shown(DetailPane, made({ count: 3 }));
    select(77);
    expect(pane.waiting.textContent).toContain("not known");
    expect(asked()).toEqual([]);
  });
});

describe("the result", () => {
  const outcome = (options) => {
    shown(ResultTab, made({ count: 20, seed: 3 }), options);
    return pane.box.textContent;
  };

  it("is shown as it was described, and can be copied", () => {
    expect(outcome({ head: { result: "<b>42</b>" } })).toContain("<b>42</b>");
    expect([pane.box.querySelector("b"), pane.box.querySelector(".nbf-copy").textContent]).toEqual([null, "Copy"]);
  });

  it("is an error with its lines and a link to the call that failed", () => {
    const id = "load-2", text = outcome({ status: "failed", head: { error: "ValueError: no", trace: ["Traceback", "  line 3"], call: id, result: "" } });
    expect(text).toContain("Error");
    expect([...pane.box.querySelectorAll("pre")].map((one) => one.textContent)).toEqual(["ValueError: no", "Traceback\n  line 3"]);
    const link = pane.box.querySelector(".nbf-link");
    link.click();
    expect(frame.store.label(frame.selected)).toBe(id);
  });

  it("names a failed call that has no row", () => {
    outcome({ status: "failed", head: { error: "bad", call: "gone-7", result: "" } });
    expect([pane.box.querySelector(".nbf-link"), pane.box.querySelector("code").textContent]).toEqual([null, "gone-7"]);
  });

  it.each([["running", "No result yet"], ["cancelled", "cancelled before it had a result"], ["stopped", "resume it to go on"], ["completed", "returned nothing"]])("has a word where there is none: %s", (status, words) => {
    expect(outcome({ status, head: { result: "" } })).toContain(words);
  });

  it("takes the place of the word when it comes", () => {
    outcome({ status: "running", head: { result: "" } });
    frame.store.model.news({ head: { status: "completed", result: "7" } });
    frame.frame();
    expect(pane.box.textContent).toContain("7");
    expect(pane.box.textContent).not.toContain("No result yet");
  });
});
