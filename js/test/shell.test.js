import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import widget, { mount } from "../src/index.js";
import { press } from "./frame.js";
import { Wire, frame, graphOf, open, stateOf } from "./page.js";

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); });

const state = (head = {}) => stateOf(graphOf([["a"], ["b", ["a"]]]), { head });
const button = (page, action) => page.find(`.nbf-${action}`);
const shown = (page) => ["cancel", "retry", "resume"].filter((action) => !button(page, action).hidden);

describe("the header", () => {
  test("says what runs, how far it is, and how long it will take", () => {
    const page = open(state({ counts: { done: 3, failed: 1, running: 4 }, calls: 8, figures: { eta: 90 } }));
    expect(page.root.dataset.run).toBe("r1");
    expect(page.root.dataset.status).toBe("running");
    expect(page.find(".nbf-title").textContent + page.find(".nbf-id").textContent).toBe("trainr1");
    expect(page.find(".nbf-eta").textContent).toBe("about 1m 30s left");
    expect(page.all(".nbf-chips .nbf-chip").map((found) => found.textContent)).toEqual(["3 done", "1 failed", "4 running"]);
    const bar = page.find("[role=progressbar]");
    expect([bar.getAttribute("aria-valuenow"), bar.getAttribute("aria-valuemax")]).toEqual(["4", "8"]);
  });

  test("lets the time go on while the run is live, and stand afterwards", () => {
    const page = open(state()), seconds = () => parseFloat(page.find(".nbf-elapsed").textContent);
    const before = seconds();
    vi.advanceTimersByTime(3000);
    expect(seconds()).toBeGreaterThan(before + 2.5);
    page.model.tell({ kind: "delta", base: 1, seq: 2, now: 6, head: { ...state().head, status: "completed", ended: 5.5 } });
    vi.advanceTimersByTime(60_000);
    expect(page.find(".nbf-elapsed").textContent).toBe("5.50 s");
    expect(page.root.dataset.status).toBe("completed");
  });

  test("announces a change of status, once", () => {
    const page = open(state()), said = page.all("[role=status]").at(-1);
    page.model.tell({ kind: "delta", base: 1, seq: 2, now: 6, head: { ...state().head, status: "failed", counts: { done: 1, failed: 1 } } });
    frame();
    expect(said.textContent).toBe("Run r1 failed. 1 done, 1 failed");
  });
});

describe("actions", () => {
  test("there are those that can be done, when they make sense", () => {
    expect(shown(open(state(), { actions: ["cancel", "cancel_call"] }))).toEqual(["cancel"]);
    expect(shown(open(state()))).toEqual([]);
    expect(shown(open(state({ status: "failed", ended: 3 }), { actions: ["retry", "resume"] }))).toEqual(["retry", "resume"]);
    expect(shown(open(state({ status: "completed", ended: 3 }), { actions: ["cancel"] }))).toEqual([]);
  });

  test("come and go with the trait", () => {
    const page = open(state({ status: "failed", ended: 3 }));
    page.model.put("actions", ["retry"]);
    frame();
    expect(shown(page)).toEqual(["retry"]);
  });

  test("are sent once, stay pressed, and it is said when nothing answers", () => {
    const page = open(state(), { actions: ["cancel"] }), cancel = button(page, "cancel"), note = page.find(".nbf-note");
    cancel.click();
    cancel.click();
    frame();
    expect(page.model.sentOf("cancel")).toEqual([{ kind: "cancel" }]);
    expect([cancel.textContent, cancel.disabled, page.root.dataset.status, note.hidden]).toEqual(["Cancelling…", true, "cancelling", true]);
    vi.advanceTimersByTime(2500);
    expect(note.textContent).toMatch(/has not answered yet/);
    page.model.tell({ kind: "note", text: "not cancelled: it is driven elsewhere", action: "cancel" });
    frame();
    expect([note.textContent, cancel.disabled, cancel.textContent]).toEqual(["not cancelled: it is driven elsewhere", false, "Cancel"]);
  });

  test("the answer releases the button though the run is over", () => {
    const page = open(state({ status: "failed", ended: 3 }), { actions: ["retry"] });
    button(page, "retry").click();
    vi.advanceTimersByTime(2500);
    expect(page.find(".nbf-note").hidden).toBe(false);
    page.model.tell({ kind: "done", action: "retry", ok: true });
    frame();
    expect([page.find(".nbf-note").hidden, button(page, "retry").disabled]).toEqual([true, false]);
  });
});

describe("tabs", () => {
  const chosen = (page) => page.all(".nbf-tab[aria-selected=true]").map((found) => found.textContent);

  test("are turned by arrows, and the notebook does not see them", () => {
    const page = open(state()), seen = [];
    document.body.addEventListener("keydown", (event) => seen.push(event.key));
    press(page.find(".nbf-tabs"), "ArrowRight");
    expect(chosen(page)).toEqual(["Gantt"]);
    press(page.find(".nbf-tabs"), "End");
    expect(chosen(page)).toEqual(["Result"]);
    press(page.find(".nbf-tabs"), "ArrowRight");
    expect(chosen(page)).toEqual(["Graph"]);
    expect(seen).toEqual([]);
  });

  test("can each be shown for a run that goes on and one that is over, with calls and without", () => {
    for (const told of [state(), state({ status: "failed", error: "ValueError: no", call: "a", ended: 1 }), undefined]) {
      const page = open(told);
      for (const tab of page.all(".nbf-tab")) {
        tab.click();
        frame();
        expect(page.find(".nbf-page").childNodes.length).toBe(1);
      }
    }
  });

  test("the selected call is the same in all of them", () => {
    const page = open(state());
    press(page.find(".nbf-stage"), "Enter");
    page.all(".nbf-tab").find((found) => found.textContent === "Log").click();
    frame();
    expect(page.find(".nbf-aside").hidden).toBe(false);
    expect(page.find(".nbf-detail").textContent).toContain("a");
  });
});

describe("views", () => {
  test("several of one model show the same, and one that is closed leaves nothing behind", () => {
    const page = open(state()), other = document.createElement("div");
    document.body.append(other);
    const close = widget.render({ model: page.model, el: other });
    page.model.tell({ kind: "delta", base: 1, seq: 2, now: 6, head: { ...state().head, status: "completed", ended: 1, result: "42" } });
    frame();
    expect([page.root, other.firstElementChild].map((root) => root.querySelector(".nbf-result").textContent)).toEqual(["Result42", "Result42"]);
    expect(page.model.sentOf("ask").length).toBe(1);
    close();
    expect(other.childNodes.length).toBe(0);
    page.model.tell({ kind: "delta", base: 2, seq: 3, now: 6 });
    frame();
    expect(page.root.dataset.status).toBe("completed");
  });

  test("the model is let go of at the end", () => {
    const page = open(state());
    page.close();
    page.forget();
    expect([...page.model.heard.values()].flat()).toEqual([]);
  });

  test("nothing but get, on and send is needed, and no token", () => {
    const bare = { get: (name) => new Wire(state()).get(name === "token" ? "none" : name), on() {}, send() {} }, el = document.createElement("div");
    document.body.append(el);
    const close = mount(bare, el);
    frame();
    expect(el.querySelectorAll(".nbf-node").length).toBe(2);
    close();
  });

  test("a kernel that goes leaves a run that is disconnected, without buttons", () => {
    const page = open(state(), { actions: ["cancel"] });
    page.model.widget_manager.kernel.statusChanged.emit("dead");
    frame();
    expect(page.root.dataset.status).toBe("disconnected");
    expect(page.find(".nbf-note").textContent).toMatch(/No word from the kernel/);
    expect(shown(page)).toEqual([]);
  });

  test("is drawn once a frame, whatever comes", () => {
    const page = open(state());
    const asked = vi.spyOn(globalThis, "requestAnimationFrame");
    for (let seq = 2; seq < 40; seq++) page.model.tell({ kind: "delta", base: seq - 1, seq, now: seq });
    expect(asked).toHaveBeenCalledTimes(1);
  });
});
