// The widget, as anywidget wants it.

import "./panel.css";
import { forget, storeOf } from "./store.js";
import { mount } from "./shell.js";

export { mount };

export default {
  initialize({ model }) {
    const store = storeOf(model);
    return () => forget(store);
  },
  render({ model, el }) {
    return mount(model, el);
  },
};
