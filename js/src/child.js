// A child run as a model of its own: its messages go over its parent's line, in envelopes.

import { forget, storeOf } from "./store.js";

export class Child {
  /** @param store the parent's; @param call the row of the call that the child is */
  constructor(store, call) {
    this.store = store;
    this.call = call;
    this.heard = new Map();
    const look = store.model.get("look");
    this.traits = { state: {}, look, actions: [], token: `${store.model.get("token")}/${call}/${++Child.count}` };
    store.children.set(call, this);
  }

  get widget_manager() { return this.store.model.widget_manager; }

  get(name) { return this.traits[name]; }

  on(name, act) { this.heard.set(name, [...(this.heard.get(name) ?? []), act]); }

  off(name, act) { this.heard.set(name, (this.heard.get(name) ?? []).filter((one) => one !== act)); }

  fire(name, ...what) { for (const act of this.heard.get(name) ?? []) act(...what); }

  send(message) { this.store.send({ kind: "child", call: this.call, message }); }

  /** Take what came in an envelope. */
  receive({ state, message }, buffers) {
    if (!state) return this.fire("msg:custom", message, buffers);
    this.traits.state = state;
    this.fire("change:state");
  }

  /** Nobody looks at it any longer: it need not be followed. */
  close() {
    this.store.send({ kind: "child", call: this.call, message: null });
    this.store.children.delete(this.call);
    forget(storeOf(this));
  }
}
Child.count = 0;
